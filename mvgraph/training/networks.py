"""The mini-batch loop for plain networks (encoders, baselines without a graph): Adam on cross-entropy.

Validation samples choose the epoch, stop the training and halve the learning rate; test samples are only written
down, for the oracle figure that is shown beside the others and never ranks. Every epoch draws from generators seeded
by its own number, so that a training continued after a kill gives the numbers of one that was not interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mvgraph.errors import UserError
from mvgraph.training.history import SMALLEST_PROBABILITY
from mvgraph.training.loop import find_device
from mvgraph.training.memory import kept_memory
from mvgraph.training.network_progress import Checkpoints, Progress, identity, learning_state
from mvgraph.training.network_samples import Rows, Samples, batches

#: (inputs, labels, generator) -> inputs and targets, class numbers or soft labels (N, C): mixup.
Augment = Callable[[tuple[Tensor, ...], Tensor, np.random.Generator], tuple[tuple[Tensor, ...], Tensor]]
#: Inputs -> logits or log-probabilities (N, C). Of several outputs the last one answers; the loss is their sum.
Forward = Callable[..., Tensor | tuple[Tensor, ...]]
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class NetworkOptions:
    """How a plain network is trained.

    Args:
        lr, batch_size, epochs, weight_decay: of Adam; weight decay as an L2 term in the gradient.
        stop_patience: epochs without a lower validation log-loss before stopping; None never stops early.
        halve_patience: such epochs before the learning rate is halved; None never halves.
        oracle_every: epochs between two looks at the test samples, the last one is looked at too; 0 looks never.
        device: "cpu", "cuda", "cuda:1".

    Raises:
        UserError: a value outside its range.
    """

    lr: float = 1e-3
    batch_size: int = 32
    epochs: int = 200
    weight_decay: float = 0.0
    stop_patience: int | None = None
    halve_patience: int | None = None
    oracle_every: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"lr={self.lr}: give a positive learning rate.")
        if not self.weight_decay >= 0:
            raise UserError(f"weight_decay={self.weight_decay}: give 0 or more.")
        for name in ("batch_size", "epochs", "stop_patience", "halve_patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name}={value}: give a whole number of at least 1.")
        if self.oracle_every < 0:
            raise UserError(f"oracle_every={self.oracle_every}: give 0 or more epochs.")

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class NetworkFit:
    """What a training left behind; the network itself holds the weights of `best_epoch`.

    Args:
        best_epoch: lowest validation log-loss; the last epoch where there are no validation samples.
        epochs: epochs that were run.
        curves: one value an epoch: epoch, lr, train_log_loss, validation_log_loss, validation_accuracy; and where
            the test samples were looked at, test_epoch, test_log_loss, test_accuracy.
        seconds: of training and choosing, interrupted attempts included.
        parameters: numbers that learned.
    """

    best_epoch: int
    epochs: int
    curves: Mapping[str, list[float]]
    seconds: float
    parameters: int

    @property
    def oracle(self) -> dict[str, float | int | None]:
        """Best test accuracy over the epochs looked at, and its epoch: what choosing on the test fold gives."""
        accuracies = self.curves.get("test_accuracy", [])
        if not accuracies:
            return {"accuracy": None, "epoch": None}
        best = int(np.argmax(accuracies))
        return {"accuracy": accuracies[best], "epoch": int(self.curves["test_epoch"][best])}

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**asdict(self), "oracle": self.oracle}


@kept_memory()
def fit_network(
    network: nn.Module,
    train: Samples,
    validation: Samples | None = None,
    options: NetworkOptions | None = None,
    *,
    seed: int = 0,
    forward: Forward | None = None,
    augment: Augment | None = None,
    penalty: Callable[[], Tensor] | None = None,
    oracle: Samples | None = None,
    folder: str | Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> NetworkFit:
    """Train the parameters of `network` that require a gradient; it ends with the weights of the chosen epoch.

    Submodules of which no parameter learns stay in evaluation mode, as frozen layers do in Keras: their batch
    norm keeps its statistics.

    Args:
        forward: inputs -> logits or log-probabilities; the network itself by default.
        augment: mixes or changes a training batch.
        penalty: added to the loss of every step.
        oracle: test samples, for the oracle curve alone.
        folder: keeps every finished epoch; the same call continues there.

    Raises:
        UserError: nothing to learn or to learn from, a folder of another training, or an unknown device.
    """
    options = options or NetworkOptions()
    learning = [p for p in network.parameters() if p.requires_grad]
    if not learning:
        raise UserError("No parameter of the network requires a gradient; there is nothing to train.")
    if len(train.labels) == 0:
        raise UserError("There is no training sample.")
    device = find_device(options.device)
    network.to(device)
    forward = network if forward is None else forward
    optimiser = torch.optim.Adam(learning, lr=options.lr, weight_decay=options.weight_decay)
    # More epochs may be asked for later: a longer training begins like a shorter one.
    settings = {k: v for k, v in options.to_json().items() if k not in ("epochs", "device")}
    files = Checkpoints(
        Path(folder) if folder is not None else None, identity(network, {**settings, "seed": seed})
    )
    loaded = files.load(network, optimiser)
    progress, best = loaded or (Progress(options.lr), {})
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        while progress.epoch < options.epochs and not _patience_is_over(progress, options):
            begun = time.perf_counter()
            progress.epoch += 1
            rng = np.random.default_rng((seed, progress.epoch))
            _seed_dropout(device, int(rng.integers(2**62)))
            for group in optimiser.param_groups:
                group["lr"] = progress.lr
            loss = _epoch(
                network, forward, train, options.batch_size, optimiser, augment, penalty, rng, device
            )
            figures = {"epoch": progress.epoch, "lr": progress.lr, "train_log_loss": loss}
            if validation is not None:
                figures |= _scores(
                    "validation", predict_network(network, validation, forward, device=device), validation
                )
            progress.note(figures)
            if _is_best(progress, figures.get("validation_log_loss")):
                best = {name: value.detach().clone() for name, value in learning_state(network).items()}
            _maybe_halve(progress, options)
            progress.seconds += time.perf_counter() - begun
            if oracle is not None and _is_time_to_look(progress.epoch, options):
                seen = _scores("test", predict_network(network, oracle, forward, device=device), oracle)
                progress.note({"test_epoch": progress.epoch, **seen})
                figures |= seen
            files.save(progress, network, optimiser, best)
            if on_epoch is not None:
                on_epoch(progress.epoch, figures)
    network.load_state_dict(best, strict=False)
    network.eval()
    return NetworkFit(
        progress.best_epoch,
        progress.epoch,
        progress.curves,
        progress.seconds,
        sum(p.numel() for p in learning),
    )


def predict_network(
    network: nn.Module,
    samples: Samples,
    forward: Forward | None = None,
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Class probabilities of the output that answers. Shapes: -> (n, C)."""
    return predict_outputs(network, samples, forward, batch_size=batch_size, device=device)[-1]


def predict_outputs(
    network: nn.Module,
    samples: Samples,
    forward: Forward | None = None,
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> list[NDArray[np.float32]]:
    """Class probabilities of every output, dropout off. Shapes: -> each (n, C)."""
    forward = network if forward is None else forward
    network.eval()
    rng = np.random.default_rng(0)
    found: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for rows in np.split(_all(samples), range(batch_size, len(samples.labels), batch_size)):
            outputs = _tuple(forward(*(x.to(device) for x in samples.inputs(rows, rng))))
            found.append(tuple(torch.softmax(output, dim=-1).cpu() for output in outputs))
    return [torch.cat(parts).numpy() for parts in zip(*found, strict=True)]


def learning_mode(network: nn.Module) -> None:
    """Training mode for what learns, evaluation mode for submodules of which no parameter does."""
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


def _epoch(
    network: nn.Module,
    forward: Forward,
    train: Samples,
    batch_size: int,
    optimiser: torch.optim.Optimizer,
    augment: Augment | None,
    penalty: Callable[[], Tensor] | None,
    rng: np.random.Generator,
    device: torch.device,
) -> float:
    """One pass over the training samples in a random order; the mean loss of a row, penalties left out."""
    learning_mode(network)
    total = torch.zeros((), dtype=torch.float64, device=device)
    for rows in batches(rng.permutation(_all(train)), batch_size):
        inputs, targets = train.inputs(rows, rng), torch.from_numpy(train.labels[rows])
        if augment is not None:
            inputs, targets = augment(inputs, targets, rng)
        targets = targets.to(device)
        outputs = _tuple(forward(*(x.to(device) for x in inputs)))
        # Of log-probabilities the log-softmax is themselves, so both kinds of output may come.
        losses = [F.cross_entropy(output, targets) for output in outputs]
        loss = torch.stack(losses).sum()
        whole = loss if penalty is None else loss + penalty()
        optimiser.zero_grad(set_to_none=True)
        whole.backward()
        optimiser.step()
        total += losses[-1].detach().double() * len(rows)
    return float(total) / len(train.labels)


def _scores(part: str, probabilities: NDArray[np.float32], samples: Samples) -> dict[str, float]:
    right = probabilities[np.arange(len(samples.labels)), samples.labels].astype(np.float64)
    return {
        f"{part}_log_loss": float(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean()),
        f"{part}_accuracy": float((probabilities.argmax(axis=1) == samples.labels).mean()),
    }


def _is_best(progress: Progress, loss: float | None) -> bool:
    """Whether the epoch just finished is the one to keep. The first counts even where its loss is not finite."""
    if (
        loss is not None
        and progress.best_epoch
        and not loss < (math.inf if progress.best_loss is None else progress.best_loss)
    ):
        return False
    progress.best_epoch = progress.epoch
    progress.best_loss = loss if loss is not None and math.isfinite(loss) else None
    return True


def _maybe_halve(progress: Progress, options: NetworkOptions) -> None:
    if options.halve_patience is None:
        return
    since = max(progress.best_epoch, progress.halved_epoch)
    if progress.epoch - since >= options.halve_patience:
        progress.lr /= 2
        progress.halved_epoch = progress.epoch


def _patience_is_over(progress: Progress, options: NetworkOptions) -> bool:
    return options.stop_patience is not None and progress.epoch - progress.best_epoch >= options.stop_patience


def _is_time_to_look(epoch: int, options: NetworkOptions) -> bool:
    if options.oracle_every == 0:
        return False
    return epoch % options.oracle_every == 0 or epoch == options.epochs


def _seed_dropout(device: torch.device, seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def _all(samples: Samples) -> Rows:
    return np.arange(len(samples.labels), dtype=np.int64)


def _tuple(outputs: Any) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
