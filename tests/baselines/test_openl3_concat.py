"""[13]: parameter counts to the unit, wiring, protocols, what is frozen, and the method on rows of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mvgraph_baselines.openl3_concat import (
    SECOND_FRAMES,
    ConcatNetwork,
    FrameBaseline,
    FrameNetwork,
    OpenL3Concat,
    clip_probabilities,
    protocols,
    second_frames,
)
from torch.nn import functional as F

import mvgraph as mv
from mvgraph.data import MultiViewData, Split
from mvgraph.errors import UserError


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_parameter_counts() -> None:
    networks = [FrameNetwork(512, 10), FrameNetwork(512, 10)]
    assert [count(n) for n in networks] == [338_634, 338_634]
    assert count(FrameNetwork(1024, 10)) == 600_778
    joint = ConcatNetwork(networks, 10)
    assert sum(p.numel() for p in joint.parameters() if p.requires_grad) == 34_186
    assert count(joint) == 711_454


def test_wiring() -> None:
    torch.manual_seed(0)
    net = FrameNetwork(6, 3).double().eval()
    x = torch.randn(5, 6, dtype=torch.float64)
    root = np.sqrt(1 + 1e-5)
    first = F.relu((x @ net.first.weight.T + net.first.bias) / root)
    embedding = first @ net.second.weight.T + net.second.bias
    torch.testing.assert_close(net.embed(x), embedding)
    third = F.relu((F.relu(embedding / root) @ net.third.weight.T + net.third.bias) / root)
    torch.testing.assert_close(net(x), third @ net.classifier.weight.T + net.classifier.bias)
    joint = ConcatNetwork([net, net], 3).double().eval()
    both = torch.cat([embedding, embedding], 1) @ joint.joint.weight.T + joint.joint.bias
    torch.testing.assert_close(joint(x, x), both @ joint.classifier.weight.T + joint.classifier.bias)


def test_protocols() -> None:
    assert second_frames(96).tolist() == second_frames(97).tolist() == list(SECOND_FRAMES)
    with pytest.raises(UserError, match=r"frame 86.*only 86 frames"):
        second_frames(86)
    frames = np.array([[[1.0, 0.0], [0.0, 1.0], [0.2, 0.8]]], dtype=np.float32)
    np.testing.assert_allclose(clip_probabilities(frames), [[0.4, 0.6]])


def test_both_protocols_micro_and_macro() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(2), size=(3, 97)).astype(np.float32)
    labels = np.array([0, 0, 1])
    found = protocols(probabilities, labels)
    hits = probabilities[:, list(SECOND_FRAMES)].argmax(2) == labels[:, None]
    assert found["1 s"]["accuracy"] == pytest.approx(hits.mean())
    assert found["1 s"]["macro_accuracy"] == pytest.approx((hits[:2].mean() + hits[2].mean()) / 2)
    clips = probabilities.astype(np.float64).mean(1)
    right = clips[np.arange(3), labels]
    assert found["10 s"]["log_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)
    assert found["10 s"]["accuracy"] == pytest.approx((clips.argmax(1) == labels).mean())


def material(n: int = 60) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    views = {
        name: (5 + 3 * (rng.standard_normal((n, d)) + 2 * np.eye(3, d)[labels])).astype(np.float32)
        for name, d in (("audio", 7), ("video", 4))
    }
    return views, labels


def test_frame_networks_are_frozen_while_their_fusion_learns(tmp_path: Path) -> None:
    views, labels = material()
    baseline = FrameBaseline(epochs=12, fusion_epochs=10, learning_rate=3e-3, batch_size=16, folder=tmp_path)
    frozen = FrameBaseline(epochs=12, fusion_epochs=1, learning_rate=3e-3, batch_size=16)
    held = ({v: x[:12] for v, x in views.items()}, labels[:12])
    rest = {v: x[12:] for v, x in views.items()}
    baseline.fit(rest, labels[12:], held, 3, seed=1)
    frozen.fit(rest, labels[12:], held, 3, seed=1)
    for view in ("audio", "video"):
        np.testing.assert_array_equal(
            baseline.predict_view(view, views[view]), frozen.predict_view(view, views[view])
        )
    assert (baseline.predict(views).argmax(1) == labels).mean() > 0.8
    assert set(baseline.fits) == {"audio", "video", "joint"}
    losses = baseline.fits["joint"].curves["validation_log_loss"]
    assert baseline.fits["joint"].best_epoch == int(np.argmin(losses)) + 1
    again = FrameBaseline(epochs=12, fusion_epochs=10, learning_rate=3e-3, batch_size=16, folder=tmp_path)
    again.fit(rest, labels[12:], held, 3, seed=1)  # nothing is trained again
    np.testing.assert_array_equal(again.predict(views), baseline.predict(views))


def test_standardised_by_training_frames_alone() -> None:
    views, labels = material()
    views["audio"][:, 2] = 4.0
    one = FrameBaseline("early", epochs=1).fit(views, labels, None, 3, seed=0)
    mean, spread = one.scale["audio"]
    np.testing.assert_allclose(mean, views["audio"].mean(0), rtol=1e-5)
    assert spread[2] == 1
    moved = {v: x * 2 + 1 for v, x in views.items()}
    two = FrameBaseline("early", epochs=1).fit(moved, labels, None, 3, seed=0)
    np.testing.assert_allclose(one.predict(views), two.predict(moved), atol=1e-4)


def test_as_a_method_on_a_data_set() -> None:
    views, labels = material()
    observed = np.ones((60, 2), dtype=bool)
    observed[5:9, 0] = False
    data = MultiViewData.from_arrays(views, labels, observed=observed)
    split = Split(np.arange(30), np.arange(30, 40), np.arange(40, 60))
    options = {"epochs": 12, "fusion_epochs": 8, "learning_rate": 3e-3, "batch_size": 8}
    result = mv.fit(OpenL3Concat, data, split, options=options, seed=2)
    again = mv.fit(OpenL3Concat, data, split, options=options, seed=2)
    np.testing.assert_array_equal(result.probabilities(), again.probabilities())
    assert result.accuracy(data.labels, split.test) > 0.7
    assert result.parameters == count(result.model._model.network)
    assert set(result.diagnostics["best_epochs"]) == {"audio", "video", "joint"}
    blind = mv.fit(
        OpenL3Concat,
        data._derive(labels=np.where(np.arange(60) >= 40, 0, labels)),
        split,
        options=options,
        seed=2,
    )
    np.testing.assert_array_equal(result.probabilities(), blind.probabilities())
    with pytest.raises(UserError, match="choose one of proposed, early"):
        OpenL3Concat(fusion="late")
