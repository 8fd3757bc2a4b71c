"""The training loop of a network: epochs, evaluations, selection."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError
from mvgraph.fusion import NetworkMethod
from mvgraph.graph import MultiViewGraph
from mvgraph.graph.csr import CSR
from mvgraph.graph.precision import tensor_cores
from mvgraph.graph.propagation import Propagation
from mvgraph.training.batches import full_batch_epoch, mini_batch_epoch
from mvgraph.training.distributed import current_world
from mvgraph.training.features import feature_tensors
from mvgraph.training.history import History, copy_state
from mvgraph.training.memory import kept_memory
from mvgraph.training.options import TrainingOptions
from mvgraph.training.result import FitResult, Selection
from mvgraph.training.step import make_optimiser

OnEpoch = Callable[[int, dict[str, float]], None]


@kept_memory()
def train_network(
    name: str,
    model: NetworkMethod,
    data: MultiViewData,
    split: Split,
    graph: MultiViewGraph | None,
    options: TrainingOptions,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> FitResult:
    """Train `model` by Adam on the cross-entropy of the training rows; see `fit`.

    An epoch computes the receptive field of the training rows, an evaluation that of the validation and test
    rows; all rows are answered once, at the end. Under torchrun each process takes its share of every batch.

    Raises:
        UserError: no training row, or the device is not there.
    """
    device = find_device(options.device)
    if len(split.train) == 0:
        raise UserError("The split has no training row; at least one labelled row is needed.")
    model = model.to(device)
    everything = propagation_of(model, data, graph, device, options.precision)
    labels = torch.as_tensor(np.array(data.labels)).to(device)
    rows = torch.as_tensor(np.array(split.train)).to(device)
    world = current_world()
    optimiser = make_optimiser(model, options.lr, options.weight_decay)
    if options.batch_size is None:
        run_epoch = full_batch_epoch(model, everything, rows, labels, optimiser, world)
    else:
        run_epoch = mini_batch_epoch(model, everything, rows, labels, optimiser, world, options, seed)
    history = History(split, labels)
    evaluate = _evaluator(model, everything, history.rows)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = {"training": 0.0, "inference": 0.0}
    with (
        tensor_cores(options.precision),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        _seed_generators(device, seed + 1 + world.rank)
        start = time.perf_counter()
        for epoch in range(1, options.epochs + 1):
            model.train()
            loss = run_epoch(epoch)
            if epoch != options.epochs and epoch % options.evaluate_every:
                continue
            train_log_loss = loss.item()
            seconds["training"] += time.perf_counter() - start
            figures = history.record(epoch, train_log_loss, evaluate(), model)
            if on_epoch is not None:
                on_epoch(epoch, figures)
            start = time.perf_counter()
            if options.early_stopping is not None and epoch - history.best_epoch >= options.early_stopping:
                break
    judged = torch.as_tensor(np.array(split.validation)).to(device)
    _calibrate(model, everything, judged, labels)
    start = time.perf_counter()
    last = Selection(history.last_epoch, predict(model, everything).cpu().numpy(), copy_state(model))
    seconds["inference"] = time.perf_counter() - start
    with torch.no_grad():
        diagnostics = model.diagnostics(everything)
    if options.precision != "float32":
        diagnostics["precision_error"] = _precision_error(model, everything, options.precision)
    return FitResult(
        method=name,
        model=model,
        options=model.get_options(),
        view_dims=data.view_dims,
        classes=data.classes,
        selections={"last": last, "validation": _selected(model, everything, history, last, judged, labels)},
        curves=history.curves,
        parameters=model.parameter_count(),
        seconds=seconds,
        peak_memory_mib={
            "device": torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
        },
        diagnostics=diagnostics,
        training=options.to_json(),
        seed=seed,
    )


def propagation_of(
    model: NetworkMethod,
    data: MultiViewData,
    graph: MultiViewGraph | None,
    device: torch.device,
    precision: str = "float32",
) -> Propagation:
    """The full propagation of `data` over the graph as `model` sees it; without a graph every node is alone."""
    if graph is None:
        graph = MultiViewGraph(dict.fromkeys(data.view_names, CSR.empty(data.n_samples, data.n_samples)))
    return Propagation(model.prepare(graph).to(device), feature_tensors(data, device), precision=precision)


def predict(model: NetworkMethod, p: Propagation) -> Tensor:
    """Class probabilities on the last level of `p`, (rows, C), dropout off."""
    model.eval()
    with torch.no_grad():
        return torch.softmax(model(p), dim=1)


def _evaluator(model: NetworkMethod, everything: Propagation, rows: Tensor) -> Callable[[], Tensor]:
    """Class probabilities of `rows`, computed on their receptive field where that leaves nodes out."""
    if rows.numel() == 0:
        return lambda: torch.empty(0, model.n_classes, device=rows.device)
    if model.tags.full_graph or rows.numel() > everything.graph.n_nodes // 2:
        return lambda: predict(model, everything).index_select(0, rows)
    field = everything.restricted(rows, model.n_layers, joint=model.tags.mixes_views)
    return lambda: predict(model, field)


def _precision_error(model: NetworkMethod, everything: Propagation, precision: str) -> dict[str, float | str]:
    """How far the probabilities of the same weights are from those in float32."""
    with tensor_cores(precision):
        lower = predict(model, everything)
    everything.precision = "float32"
    exact = predict(model, everything)
    everything.precision = precision
    changed = (lower.argmax(1) != exact.argmax(1)).double().mean()
    return {
        "precision": precision,
        "largest_probability_difference": float((lower - exact).abs().max()),
        "share_of_changed_predictions": float(changed),
    }


def _selected(
    model: NetworkMethod,
    everything: Propagation,
    history: History,
    last: Selection,
    judged: Tensor,
    labels: Tensor,
) -> Selection:
    """What the validation rule chose; the model itself keeps the weights of the last epoch."""
    if history.best_epoch == last.epoch:
        return last
    model.load_state_dict(history.best_state)
    _calibrate(model, everything, judged, labels)
    probabilities, state = predict(model, everything).cpu().numpy(), copy_state(model)
    assert last.state is not None
    model.load_state_dict(dict(last.state))
    return Selection(history.best_epoch, probabilities, state)


def _calibrate(model: NetworkMethod, everything: Propagation, rows: Tensor, labels: Tensor) -> None:
    """Let a method that calibrates itself look at the validation rows; for others nothing is computed."""
    if type(model).calibrate is NetworkMethod.calibrate or rows.numel() == 0:
        return
    model.eval()
    with torch.no_grad():
        model.calibrate(model(everything).index_select(0, rows), labels.index_select(0, rows))


def find_device(name: str) -> torch.device:
    """The torch device called `name`.

    Raises:
        UserError: an unknown device, or CUDA where there is none.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device='{name}': give cpu, cuda, or cuda:<number>.") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device='{name}': give cpu, cuda, or cuda:<number>.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device='{name}': this torch sees no CUDA device; use device='cpu'.")
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise UserError(f"device='{name}': this torch sees {torch.cuda.device_count()} CUDA devices.")
    return device


def _seed_generators(device: torch.device, seed: int) -> None:
    """Seed the generators that training draws from; `torch.manual_seed` would move those of all devices."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
