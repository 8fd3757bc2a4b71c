"""SE-CRNN: counts to the unit, shapes, the published wiring, and weights from other people's state dicts."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mvgraph.errors import UserError
from mvgraph.features.mixup import mixup
from mvgraph.features.se_crnn import (
    SECRNN,
    AudioBlock,
    AudioSubnetwork,
    FusionPart,
    VisualSubnetwork,
    count_numbers,
)
from mvgraph.features.se_crnn_recipe import Recipe, segment_starts
from mvgraph.features.vgg import RandomBackboneWarning, VGG16Features, load_vgg16, sha256_of


def small_backbone(seed: int = 0) -> VGG16Features:
    return VGG16Features(width=4, seed=seed, warn=False)


def test_audio_counts() -> None:
    network = AudioSubnetwork()
    assert count_numbers(network) == (323_274, 321_930)
    parts = [count_numbers(block)[0] for block in network.blocks]
    assert [*parts, count_numbers(network.classifier)[0]] == [11_712, 62_464, 247_808, 1_290]


def test_visual_counts() -> None:
    network = VisualSubnetwork(backbone=VGG16Features(warn=False))
    assert count_numbers(network) == (14_820_170, 14_820_170)
    assert count_numbers(network.backbone)[0] == 14_714_688
    assert count_numbers(network.gru)[0] == 104_832


def test_fusion_counts() -> None:
    part = FusionPart()
    assert count_numbers(part)[0] == 272_704
    assert [count_numbers(m)[0] for m in (part.gru, part.early, part.late)] == [271_104, 1_290, 310]


def test_shapes_and_probabilities() -> None:
    audio, visual = AudioSubnetwork().eval(), VisualSubnetwork(backbone=small_backbone()).eval()
    sound, frames = torch.rand(2, 3, 64, 50) * 2 - 1, torch.rand(2, 5, 3, 64, 64) * 255
    assert audio.feature_maps(sound).shape == (2, 128, 64, 12)
    assert audio.embed(sound).shape == (2, 128)
    assert visual.pooled(frames).shape == (2, 5, 32)
    assert visual.embed(frames).shape == (2, 64)
    both = SECRNN(audio, visual).eval()
    early, late = both.forward_pooled(sound, visual.pooled(frames))
    for log in (audio(sound), visual(frames), early, late):
        assert log.shape == (2, 10)
        torch.testing.assert_close(log.exp().sum(1), torch.ones(2))
    torch.testing.assert_close(both(sound, frames), late)
    torch.testing.assert_close(SECRNN(audio, visual, "early").eval()(sound, frames), early)


def test_audio_block_is_the_published_wiring() -> None:
    block = AudioBlock(3, 8).eval().double()
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    main = F.elu(F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1) / np.sqrt(1 + 1e-3))
    main = F.conv2d(main, block.conv2.weight, block.conv2.bias, padding=1) / np.sqrt(1 + 1e-3)
    short = F.conv2d(x, block.shortcut.weight, block.shortcut.bias) / np.sqrt(1 + 1e-3)
    y = F.elu(main + short)
    gate = torch.relu(y.mean((2, 3)) @ block.excitation.squeeze.weight.T) @ block.excitation.excite.weight.T
    place = (y * block.excitation.place.weight).sum(1, keepdim=True)
    expected = y * torch.sigmoid(gate)[..., None, None] + y * torch.sigmoid(place) + short
    torch.testing.assert_close(block(x), expected)
    assert block.norm1.eps == 1e-3
    assert block.norm1.momentum == 0.01


def test_visual_probability_is_the_mean_over_frames_and_embedding_the_mean_of_the_gru() -> None:
    network = VisualSubnetwork(backbone=small_backbone()).eval()
    frames = torch.rand(1, 5, 3, 32, 32) * 255
    maps = network.backbone(frames[0])
    pooled = maps.flatten(2).max(-1).values[None]
    torch.testing.assert_close(network.pooled(frames), pooled)
    output = network.gru(pooled)[0]
    torch.testing.assert_close(network.embed(frames), output.mean(1))
    expected = torch.softmax(network.classifier(output), -1).mean(1)
    torch.testing.assert_close(network(frames).exp(), expected)
    average = VisualSubnetwork(backbone=network.backbone, pooling="average")
    torch.testing.assert_close(average.pooled(frames), maps.mean((2, 3))[None])


def test_one_seed_one_network() -> None:
    torch.manual_seed(1)
    a = AudioSubnetwork(seed=3)
    torch.manual_seed(2)  # the global generator must not matter
    b, c = AudioSubnetwork(seed=3), AudioSubnetwork(seed=4)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.classifier.weight, c.classifier.weight)
    x, y = VGG16Features(width=4, seed=1, warn=False), VGG16Features(width=4, seed=1, warn=False)
    assert torch.equal(x.features[0].weight, y.features[0].weight)
    VisualSubnetwork(backbone=x, seed=9)
    assert torch.equal(x.features[0].weight, y.features[0].weight)


def test_random_backbone_warns_loudly() -> None:
    with pytest.warns(RandomBackboneWarning, match="RANDOMLY INITIALISED"):
        VGG16Features(width=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small_backbone()
    with pytest.raises(UserError, match="'max' or 'average'"):
        VisualSubnetwork(backbone=small_backbone(), pooling="median")


def generated_state(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(tensor.shape, generator=generator)
        for name, tensor in VGG16Features(warn=False).state_dict().items()
    }


def renamed(state: dict[str, torch.Tensor], style: str) -> dict[str, torch.Tensor]:
    numbers = [(b, n) for b, count in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, count + 1)]
    indices = sorted({int(key.split(".")[1]) for key in state})
    at = dict(zip(indices, numbers, strict=True))
    result = {}
    for key, tensor in state.items():
        _, index, what = key.split(".")
        block, number = at[int(index)]
        result[
            {
                "torchvision": key,
                "csail": f"module.{key}",
                "caffe": f"conv{block}_{number}.{what}",
                "keras": f"block{block}_conv{number}.{what}",
            }[style]
        ] = tensor
    return result | {"classifier.6.weight": torch.zeros(365, 8)}


@pytest.mark.parametrize("style", ["torchvision", "csail", "caffe", "keras"])
def test_state_dicts_of_others(tmp_path: Path, style: str) -> None:
    state = generated_state()
    path = tmp_path / "weights.pth"
    content = renamed(state, style)
    torch.save({"state_dict": content, "epoch": 3} if style == "csail" else content, path)
    lines: list[str] = []
    network = load_vgg16(path, lines.append)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in state.items())
    assert lines == [f"VGG16 weights: weights.pth, SHA-256 {sha256_of(path)}"]


def test_safetensors_state_dict(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = generated_state(1)
    safetensors.save_file(state, tmp_path / "weights.safetensors")
    network = load_vgg16(tmp_path / "weights.safetensors", lambda line: None)
    assert torch.equal(network.features[28].weight, state["features.28.weight"])


def test_foreign_weight_files_are_one_sentence(tmp_path: Path) -> None:
    def refused(content: object, pattern: str) -> None:
        path = tmp_path / "w.pth"
        torch.save(content, path)
        with pytest.raises(UserError, match=pattern):
            load_vgg16(path, lambda line: None)

    state = generated_state()
    refused({k: v for k, v in state.items() if k != "features.5.bias"}, r"lacks .*features\.5\.bias")
    refused(state | {"features.0.weight": torch.zeros(64, 1, 3, 3)}, r"features\.0\.weight.*\(64, 1, 3, 3\)")
    refused(state | {"features.0.bias": torch.full((64,), torch.nan)}, "not finite")
    refused(nn.Linear(2, 2), "not a state dict")  # a pickled module is code
    refused([1, 2], "list, not a state dict")
    with pytest.raises(UserError, match="no weight file"):
        load_vgg16(tmp_path / "missing.pth")


def test_mixup_draws_a_lambda_per_sample() -> None:
    inputs = torch.arange(6, dtype=torch.float64)[:, None] * torch.ones(1, 3, dtype=torch.float64)
    labels = torch.arange(6)
    mixed, soft = mixup(inputs, labels, 6, np.random.default_rng(0))
    assert mixed.shape == inputs.shape
    torch.testing.assert_close(soft.sum(1), torch.ones(6, dtype=torch.float64))
    # Inputs are their own class number, so the mixed input is the expected class under the soft label.
    torch.testing.assert_close(mixed[:, 0], soft @ torch.arange(6, dtype=torch.float64))
    assert len({round(float(row.max()), 9) for row in soft}) > 3
    again, _ = mixup(inputs, labels, 6, np.random.default_rng(0))
    assert torch.equal(mixed, again)
    same, hard = mixup(inputs, labels, 6, np.random.default_rng(0), alpha=0)
    assert torch.equal(same, inputs)
    assert torch.equal(hard, torch.eye(6, dtype=torch.float64))


def test_recipe_is_the_published_one() -> None:
    recipe = Recipe()
    stages = (recipe.audio, *recipe.visual, *recipe.fusion)
    assert [s.learning_rate for s in stages] == [1e-3, 1e-4, 1e-6, 1e-4, 1e-6]
    assert [s.batch_size for s in stages] == [32, 16, 16, 16, 16]
    assert [(s.stop_patience, s.halve_patience) for s in stages] == [
        (80, 15),
        (40, 20),
        (40, 20),
        (80, 15),
        (80, 15),
    ]
    assert [s.mixup_alpha for s in stages] == [0.4, 0, 0, 0, 0]
    assert list(segment_starts(50, 5)) == list(range(46))
