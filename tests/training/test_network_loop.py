"""The mini-batch loop of plain networks: against a plain loop, resumed after a break, patience, what is frozen."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mvgraph.errors import UserError
from mvgraph.training.network_progress import Progress
from mvgraph.training.network_samples import ArraySamples, batches
from mvgraph.training.networks import (
    NetworkOptions,
    _maybe_halve,
    fit_network,
    learning_mode,
    predict_network,
    predict_outputs,
)


def samples(n: int, seed: int, dtype: torch.dtype = torch.float32) -> ArraySamples:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    rows = rng.standard_normal((n, 4)) + 1.5 * np.eye(3, 4)[labels]
    return ArraySamples((torch.from_numpy(rows).to(dtype),), labels)


def network(dropout: float = 0.0, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 3)).to(dtype)


def test_the_loop_is_adam_on_the_mean_cross_entropy() -> None:
    train = samples(10, 0, torch.float64)
    trained = network(dtype=torch.float64)
    options = NetworkOptions(lr=0.02, batch_size=4, epochs=3, weight_decay=0.1)
    fit = fit_network(trained, train, options=options, seed=5)
    # The same in plain words: Adam with its L2 term, batches of a permutation drawn from (seed, epoch).
    twin = network(dtype=torch.float64)
    parameters = list(twin.parameters())
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    step = 0
    for epoch in (1, 2, 3):
        rng = np.random.default_rng((5, epoch))
        rng.integers(2**62)
        order = rng.permutation(10)
        for rows in (order[:4], order[4:8], order[8:]):
            step += 1
            logits = twin(train.arrays[0][rows])
            probabilities = logits.exp() / logits.exp().sum(1, keepdim=True)
            loss = -probabilities[torch.arange(len(rows)), train.labels[rows]].log().mean()
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
                    g = g + 0.1 * p
                    m.mul_(0.9).add_(g, alpha=0.1)
                    v.mul_(0.999).add_(g * g, alpha=0.001)
                    root = (v / (1 - 0.999**step)).sqrt() + 1e-8
                    p -= 0.02 * (m / (1 - 0.9**step)) / root
    for mine, theirs in zip(trained.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
    assert (fit.best_epoch, fit.epochs, fit.parameters) == (3, 3, 4 * 6 + 6 + 6 * 3 + 3)


class Broken(RuntimeError):
    pass


@pytest.mark.parametrize("stop_at", [1, 4, 6])
def test_a_training_broken_off_continues_to_the_same_numbers(tmp_path: Path, stop_at: int) -> None:
    train, validation, test = samples(33, 0), samples(20, 1), samples(20, 2)
    options = NetworkOptions(lr=0.05, batch_size=8, epochs=7, halve_patience=1)

    def fit(net: nn.Module, folder: Path | None, breaks: bool = False) -> object:
        def after(epoch: int, figures: dict[str, float]) -> None:
            if breaks and epoch == stop_at:
                raise Broken

        return fit_network(
            net, train, validation, options, seed=3, oracle=test, folder=folder, on_epoch=after
        ).curves

    whole = network(0.5)
    curves = fit(whole, None)
    broken = network(0.5)
    with pytest.raises(Broken):
        fit(broken, tmp_path / "t", breaks=True)
    (tmp_path / "t" / "epoch-000099.safetensors.tmp").write_bytes(b"half a file")
    continued = network(0.5)
    assert fit(continued, tmp_path / "t") == curves
    for mine, theirs in zip(continued.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert len(list((tmp_path / "t").iterdir())) <= 3
    again = network(0.5)
    assert fit(again, tmp_path / "t") == curves  # nothing left to do
    assert torch.equal(again[0].weight, whole[0].weight)


def test_a_damaged_checkpoint_is_set_aside_and_training_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = samples(8, 0)
    options = NetworkOptions(epochs=2)
    fit_network(network(), train, options=options, folder=tmp_path)
    name = json.loads((tmp_path / "progress.json").read_text())["weights"]
    content = bytearray((tmp_path / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    ran: list[int] = []
    again, whole = network(), network()
    fit_network(
        again,
        train,
        options=NetworkOptions(epochs=3),
        folder=tmp_path,
        on_epoch=lambda epoch, _: ran.append(epoch),
    )
    assert ran == [1, 2, 3]
    assert f"The checkpoint {name} of a training is damaged" in capsys.readouterr().err
    fit_network(whole, train, options=NetworkOptions(epochs=3))
    assert torch.equal(again[0].weight, whole[0].weight)


def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    train = samples(8, 0)
    fit_network(network(), train, options=NetworkOptions(epochs=1), folder=tmp_path)
    with pytest.raises(UserError, match="other settings"):
        fit_network(network(), train, options=NetworkOptions(epochs=1, lr=0.5), folder=tmp_path)
    longer = fit_network(network(), train, options=NetworkOptions(epochs=3), folder=tmp_path)
    assert longer.epochs == 3
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        fit_network(network(), train, options=NetworkOptions(epochs=3), folder=tmp_path)
    (tmp_path / "progress.json").write_text(json.dumps({"identity": 1}))
    with pytest.raises(UserError, match=r"damaged|other settings"):
        fit_network(network(), train, options=NetworkOptions(epochs=3), folder=tmp_path)


def test_validation_chooses_and_stops_and_the_test_samples_only_look_on() -> None:
    train, validation, test = samples(24, 0), samples(12, 1), samples(40, 2)
    options = NetworkOptions(lr=0.3, batch_size=8, epochs=200, stop_patience=4)
    chosen = network()
    fit = fit_network(chosen, train, validation, options, oracle=test)
    losses = fit.curves["validation_log_loss"]
    assert fit.epochs < 200
    assert fit.best_epoch == int(np.argmin(losses)) + 1 == fit.epochs - 4
    p = predict_network(chosen, validation).astype(np.float64)
    assert losses[fit.best_epoch - 1] == pytest.approx(-np.log(p[np.arange(12), validation.labels]).mean())
    accuracies = fit.curves["test_accuracy"]
    assert fit.oracle == {"accuracy": max(accuracies), "epoch": int(np.argmax(accuracies)) + 1}
    blind = network()
    without = fit_network(blind, train, validation, options)
    assert without.curves["validation_log_loss"] == losses
    assert without.oracle == {"accuracy": None, "epoch": None}
    rare = fit_network(network(), train, validation, NetworkOptions(epochs=5, oracle_every=2), oracle=test)
    assert rare.curves["test_epoch"] == [2, 4, 5]


def test_the_learning_rate_is_halved_after_patience_epochs_without_a_better_one() -> None:
    progress, options = Progress(lr=1.0), NetworkOptions(halve_patience=2)
    rates = []
    for epoch, best in enumerate([1, 2, 2, 2, 2, 2, 7, 7], start=1):
        progress.epoch, progress.best_epoch = epoch, best
        _maybe_halve(progress, options)
        rates.append(progress.lr)
    assert rates == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_frozen_parts_keep_weights_statistics_and_their_dropout_off(tmp_path: Path) -> None:
    torch.manual_seed(0)
    frozen = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.9))
    net = nn.Sequential(frozen, nn.Linear(5, 3), nn.BatchNorm1d(3))
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    learning_mode(net)
    assert [m.training for m in (frozen[1], frozen[2], net[1], net[2])] == [False, False, True, True]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fit = fit_network(net, samples(9, 0), options=NetworkOptions(epochs=2, batch_size=4), folder=tmp_path)
    after = net.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"1", "2"}
    assert fit.parameters == 5 * 3 + 3 + 6
    with pytest.raises(UserError, match="requires a gradient"):
        fit_network(frozen, samples(9, 0))


def test_hooks_several_outputs_and_forward() -> None:
    train = samples(12, 0)
    net = network()
    seen: list[tuple[int, ...]] = []

    def soft(
        inputs: tuple[Tensor, ...], labels: Tensor, rng: np.random.Generator
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        targets = torch.full((len(labels), 3), 1 / 3)
        seen.append(tuple(targets.shape))
        return inputs, targets

    fit = fit_network(net, train, options=NetworkOptions(epochs=40, lr=0.1), augment=soft)
    assert seen[0] == (12, 3)
    assert fit.curves["train_log_loss"][-1] == pytest.approx(math.log(3), abs=0.05)
    # A heavy penalty pulls the weights to zero; the reported loss leaves it out.
    small = network()
    heavy = fit_network(
        small,
        train,
        options=NetworkOptions(epochs=80, lr=0.1),
        penalty=lambda: 100 * sum((p**2).sum() for p in small.parameters()),
    )
    assert max(float(p.detach().abs().max()) for p in small.parameters()) < 0.05
    assert heavy.curves["train_log_loss"][-1] < 2
    both = predict_outputs(net, train, lambda x: (torch.zeros(len(x), 3), net(x)))
    np.testing.assert_allclose(both[0], 1 / 3)
    np.testing.assert_allclose(both[1], predict_network(net, train, batch_size=5), rtol=1e-6)


def test_no_batch_of_one_row_and_mistakes_in_one_sentence() -> None:
    assert [len(b) for b in batches(np.arange(9), 4)] == [4, 5]
    assert [len(b) for b in batches(np.arange(10), 4)] == [4, 4, 2]
    assert [len(b) for b in batches(np.arange(1), 4)] == [1]
    assert np.concatenate(batches(np.arange(9), 4)).tolist() == list(range(9))
    for bad in ({"lr": 0}, {"lr": math.nan}, {"epochs": 0}, {"stop_patience": 0}, {"weight_decay": -1}):
        with pytest.raises(UserError):
            NetworkOptions(**bad)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="oracle_every"):
        NetworkOptions(oracle_every=-1)
    with pytest.raises(UserError, match="one length"):
        ArraySamples((torch.zeros(3, 2),), np.zeros(2, np.int64))


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_network_loop import NetworkOptions, fit_network, network, samples
fit_network(network(0.5), samples(33, 0), samples(20, 1), NetworkOptions(lr=0.05, batch_size=8, epochs=400),
            seed=3, folder=Path({folder!r}), on_epoch=lambda *_: time.sleep(0.002))
"""


def test_a_killed_process_loses_no_finished_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None and not (folder / "progress.json").is_file():
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = json.loads((folder / "progress.json").read_text())["progress"]["epoch"]
    assert 1 <= reached < 400
    ran: list[int] = []
    options = NetworkOptions(lr=0.05, batch_size=8, epochs=reached + 3)
    continued, whole = network(0.5), network(0.5)
    train, validation = samples(33, 0), samples(20, 1)
    again = fit_network(
        continued, train, validation, options, seed=3, folder=folder, on_epoch=lambda e, _: ran.append(e)
    )
    assert ran == [reached + 1, reached + 2, reached + 3]
    assert again.curves == fit_network(whole, train, validation, options, seed=3).curves
    assert torch.equal(continued[0].weight, whole[0].weight)
