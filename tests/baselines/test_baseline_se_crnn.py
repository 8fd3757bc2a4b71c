"""[15]: what each stage of its recipe trains and leaves alone, its losses, and early and late fusion on samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mvgraph_baselines.se_crnn import fit_fusion, fit_se_crnn

from mvgraph.errors import UserError
from mvgraph.features.se_crnn import SECRNN, AudioSubnetwork, FusionPart, VisualSubnetwork, count_numbers
from mvgraph.features.se_crnn_recipe import Recipe
from mvgraph.features.vgg import VGG16Features
from mvgraph.reproduce.encoders import (
    Judged,
    fit_audio,
    fit_visual,
    l2_penalty,
    learn,
    mixing,
    options_of,
)
from mvgraph.training.network_samples import ArraySamples

CLASSES = 3


def material(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Sound (n, 3, 4, 50), frames (n, 5, 3, 32, 32): brightness tells the class; small where it may be."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=n)
    sound = rng.standard_normal((n, 3, 4, 50)) + (labels - 1)[:, None, None, None]
    frames = rng.uniform(0, 60, (n, 5, 3, 32, 32)) + 80 * labels[:, None, None, None, None]
    return torch.tensor(sound, dtype=torch.float32), torch.tensor(frames, dtype=torch.float32), labels


def networks() -> tuple[AudioSubnetwork, VisualSubnetwork]:
    audio = AudioSubnetwork(CLASSES, seed=1)
    return audio, VisualSubnetwork(CLASSES, VGG16Features(1, seed=1, warn=False), seed=1)


class Set:
    """Training, validation and test samples of every form."""

    def __init__(self, visual: VisualSubnetwork) -> None:
        parts = [material(n, seed) for seed, n in enumerate((12, 6, 9))]
        with torch.no_grad():
            pooled = [visual.pooled(frames) for _, frames, _ in parts]

        def judged(*arrays: list[torch.Tensor]) -> Judged:
            columns = zip(*arrays, strict=True)
            return Judged(
                *(ArraySamples(c, labels) for c, (_, _, labels) in zip(columns, parts, strict=True))
            )

        sound, frames = [p[0] for p in parts], [p[1] for p in parts]
        self.sound, self.frames, self.pooled = judged(sound), judged(frames), judged(pooled)
        self.both, self.both_frames = judged(sound, pooled), judged(sound, frames)


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def same(module: torch.nn.Module, before: list[torch.Tensor]) -> bool:
    return all(torch.equal(p, b) for p, b in zip(module.parameters(), before, strict=True))


def test_fusion_part_and_whole_network_count() -> None:
    assert count_numbers(FusionPart())[0] == 272_704
    whole = SECRNN(AudioSubnetwork(), VisualSubnetwork(backbone=VGG16Features(warn=False)))
    assert count_numbers(whole)[0] == 323_274 + 14_820_170 + 272_704


def test_options_are_the_recipe() -> None:
    recipe = Recipe()
    audio = options_of(recipe.audio)
    assert (audio.lr, audio.batch_size, audio.epochs) == (1e-3, 32, 200)
    assert (audio.stop_patience, audio.halve_patience, audio.oracle_every) == (80, 15, 5)
    assert options_of(recipe.visual[1], epochs=3).epochs == 3
    assert options_of(recipe.visual[0], epochs=900).epochs == 200
    assert options_of(recipe.visual[1]).oracle_every == 10


def test_mixup_only_for_the_audio_stage() -> None:
    recipe = Recipe()
    assert [mixing(s, 3) for s in (*recipe.visual, *recipe.fusion)] == [None] * 4
    mix = mixing(recipe.audio, CLASSES)
    assert mix is not None
    (mixed,), soft = mix((torch.eye(3),), torch.arange(3), np.random.default_rng(0))
    torch.testing.assert_close(mixed, soft)  # inputs are their own one-hot labels
    assert bool((soft.max(1).values < 1).any())


def test_penalty_is_keras_l2_on_the_kernels_that_learn() -> None:
    _, visual = networks()
    first, second = Recipe().visual
    dense = float((visual.classifier.weight.detach() ** 2).sum()) * 1e-3
    learn(visual.backbone, False)
    frozen = l2_penalty(visual, first)
    assert frozen is not None
    assert float(frozen().detach()) == pytest.approx(dense, rel=1e-5)
    learn(visual.backbone, True)
    kernels = sum(float((p.detach() ** 2).sum()) for p in visual.backbone.parameters() if p.ndim == 4)
    both = l2_penalty(visual, second)
    assert both is not None
    assert float(both().detach()) == pytest.approx(dense + 2e-4 * kernels, rel=1e-5)
    assert l2_penalty(visual, Recipe().fusion[1]) is None


def test_stage_one_leaves_the_backbone_alone_and_stage_two_does_not(tmp_path: Path) -> None:
    audio, visual = networks()
    data = Set(visual)
    before = weights(visual.backbone)
    fits = fit_visual(visual, data.pooled, None, epochs=1, folder=tmp_path)
    assert [f.parameters for f in fits] == [
        sum(p.numel() for m in (visual.gru, visual.classifier) for p in m.parameters())
    ]
    assert same(visual.backbone, before)
    fits = fit_visual(visual, data.pooled, data.frames, epochs=1, folder=tmp_path)
    assert [f.epochs for f in fits] == [1, 1]
    assert not same(visual.backbone, before)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["visual-1", "visual-2"]
    fit = fit_audio(audio, data.sound, epochs=2)
    assert fit.curves["test_epoch"] == [2]


def test_fusion_freezes_then_tunes_and_answers_early_and_late(tmp_path: Path) -> None:
    audio, visual = networks()
    data = Set(visual)
    before = [weights(m) for m in (audio, visual)]
    frozen = replace(Recipe(), fusion=(Recipe().fusion[0],))
    one = fit_fusion(audio, visual, data.both, None, recipe=frozen, epochs=2)
    assert same(one.network.audio, before[0])
    assert same(one.network.visual, before[1])
    statistics = dict(one.network.audio.named_buffers())
    assert all(torch.equal(b, statistics[n]) for n, b in audio.named_buffers())
    two = fit_fusion(audio, visual, data.both, data.both_frames, epochs=2, folder=tmp_path, seed=4)
    assert not same(two.network.audio, before[0])
    assert not same(two.network.visual.backbone, weights(visual.backbone))
    assert [same(m, b) for m, b in zip((audio, visual), before, strict=True)] == [True, True]
    assert two.parameters == count_numbers(FusionPart(CLASSES, 8))[0]
    for name in ("early", "late"):
        assert two.probabilities[name].shape == (9, CLASSES)
        np.testing.assert_allclose(two.probabilities[name].sum(1), 1, atol=1e-5)
    again = fit_fusion(audio, visual, data.both, data.both_frames, epochs=2, folder=tmp_path, seed=4)
    np.testing.assert_array_equal(again.probabilities["late"], two.probabilities["late"])
    kept = fit_fusion(audio, visual, data.both, None, epochs=1)
    assert same(kept.network.visual.backbone, weights(visual.backbone))
    assert not same(kept.network.audio, before[0])


def test_whole_recipe_learns_what_brightness_says() -> None:
    audio, visual = networks()
    data = Set(visual)
    quick = Recipe(
        audio=replace(Recipe().audio, learning_rate=5e-3),
        visual=(replace(Recipe().visual[0], learning_rate=2e-2), Recipe().visual[1]),
        fusion=(replace(Recipe().fusion[0], learning_rate=2e-2), Recipe().fusion[1]),
    )
    assert data.both.test is not None
    whole = fit_se_crnn(audio, visual, data.sound, data.pooled, data.both, recipe=quick, epochs=8)
    hits = whole.probabilities["late"].argmax(1) == data.both.test.labels
    assert hits.mean() > 0.6
    with pytest.raises(UserError, match="both second stages"):
        fit_se_crnn(audio, visual, data.sound, data.pooled, data.both, frames=data.frames)
    tuned = fit_se_crnn(
        audio,
        visual,
        data.sound,
        data.pooled,
        data.both,
        frames=data.frames,
        both_frames=data.both_frames,
        epochs=1,
    )
    assert set(tuned.fits) == {"fusion-1", "fusion-2"}
    with pytest.raises(UserError, match="test samples"):
        fit_fusion(audio, visual, Judged(data.both.train, data.both.validation), None)
