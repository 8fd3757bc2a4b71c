"""Encoders and embeddings: SE-CRNN's subnetworks are trained, every node gets 128 audio and 64 visual numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mvgraph.data import Card, MultiViewData, Split, read_h5mu, write_h5mu
from mvgraph.data.atomic import atomic_path
from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.features.se_crnn import AudioSubnetwork, VisualSubnetwork
from mvgraph.features.se_crnn_recipe import segment_starts
from mvgraph.features.store import FeatureStore
from mvgraph.features.vgg import VGG16Features, load_vgg16
from mvgraph.features.video_io import FRAMES_PER_SECOND
from mvgraph.reproduce.clips import ClipArrays, Parts, Seconds, all_seconds, chosen_seconds, random_seconds
from mvgraph.reproduce.encoders import Judged, fit_audio, fit_visual
from mvgraph.reproduce.features import Features, pool_again
from mvgraph.reproduce.settings import AvscSettings
from mvgraph.reproduce.stages import Stage, Stages
from mvgraph.training.network_samples import Rows
from mvgraph.training.networks import predict_network

EMBEDDINGS = "embeddings.h5mu"
SOFTMAX = "softmax.npz"


@dataclass(frozen=True)
class Encoders:
    """The trained subnetworks with their stages, and pooled features of the visual one's final backbone."""

    audio: AudioSubnetwork
    visual: VisualSubnetwork
    audio_stage: Stage
    visual_stage: Stage
    pooled: FeatureStore


def judged(parts: Parts, seconds: int, *sources: ClipArrays) -> Judged:
    """Random seconds of training clips, all seconds of validation and of test clips."""
    return Judged(
        random_seconds(parts, parts.train, *sources),
        all_seconds(parts, parts.validation, seconds, *sources),
        all_seconds(parts, parts.test, seconds, *sources),
    )


def train_encoders(features: Features, parts: Parts, settings: AvscSettings, stages: Stages) -> Encoders:
    """Run the stages of both encoders, seed 0."""
    classes, seconds, recipe = len(parts.classes), settings.whole_seconds, settings.recipe()
    divided = {
        "parts": [[c.name for c in part] for part in (parts.train, parts.validation)],
        "seconds": seconds,
    }

    audio = AudioSubnetwork(classes)

    def work_audio(folder: Path) -> Mapping[str, Any]:
        samples = judged(parts, seconds, ClipArrays(features.sound, "gammatone"))
        fit = fit_audio(audio, samples, recipe=recipe, folder=folder, device=settings.device)
        write_tensors(audio.state_dict(), folder / "network.safetensors")
        return {"fits": {"audio": fit.to_json()}}

    audio_stage = stages.run(
        "encoder-audio",
        {**divided, "stages": [asdict(recipe.audio)], "features": features.keys[0]},
        work_audio,
    )
    audio.load_state_dict(read_tensors(audio_stage.folder / "network.safetensors"))

    visual = VisualSubnetwork(classes, VGG16Features(settings.width, warn=False))

    def work_visual(folder: Path) -> Mapping[str, Any]:
        _load_backbone(visual, settings, stages)
        pooled = judged(parts, seconds, ClipArrays(features.pooled, "pooled"))
        frames = None
        if features.frames is not None:
            frames = judged(parts, seconds, ClipArrays(features.frames, "frames"))
        fits = fit_visual(visual, pooled, frames, recipe=recipe, folder=folder, device=settings.device)
        write_tensors(visual.backbone.state_dict(), folder / "backbone.safetensors")
        write_tensors(visual.state_dict(), folder / "network.safetensors")
        return {"fits": {s.name: f.to_json() for s, f in zip(recipe.visual, fits, strict=False)}}

    visual_stage = stages.run(
        "encoder-visual",
        {
            **divided,
            "stages": [asdict(stage) for stage in recipe.visual],
            "features": list(features.keys[1:]),
        },
        work_visual,
    )
    visual.load_state_dict(read_tensors(visual_stage.folder / "network.safetensors"))
    tuned = features.frames is not None
    store = pool_again(features, settings, stages, visual_stage) if tuned else features.pooled
    return Encoders(audio.eval(), visual.eval(), audio_stage, visual_stage, store)


def embed_nodes(
    features: Features,
    encoders: Encoders,
    parts: Parts,
    settings: AvscSettings,
    stages: Stages,
    generated: bool,
) -> Stage:
    """Run the stage that writes `embeddings.h5mu`, and the encoders' own softmax of test seconds beside it.

    Nodes: one random second of each training and validation clip, then every second of each test clip.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        learning = parts.train + parts.validation
        rng = np.random.default_rng((0, 1))
        frames = int(settings.seconds * FRAMES_PER_SECOND)
        starts = rng.choice(np.array(segment_starts(frames, FRAMES_PER_SECOND)), size=len(learning))
        rows: dict[str, list[NDArray[np.float32]]] = {"audio": [], "video": []}
        softmax = {}
        sound, pooled = ClipArrays(features.sound, "gammatone"), ClipArrays(encoders.pooled, "pooled")
        audio, visual = encoders.audio.to(settings.device), encoders.visual.to(settings.device)
        for view, source, embed in (("audio", sound, audio.embed), ("video", pooled, visual.embed_pooled)):
            train = chosen_seconds(parts, learning, starts, source)
            test = all_seconds(parts, parts.test, settings.whole_seconds, source)
            rows[view] = [_embed(embed, samples, settings.device) for samples in (train, test)]
            network = audio if view == "audio" else visual
            forward = audio if view == "audio" else visual.forward_pooled
            softmax[view] = predict_network(network, test, forward, device=settings.device)
        data = _data(parts, {v: np.concatenate(r) for v, r in rows.items()}, starts, settings, generated)
        write_h5mu(data, folder / EMBEDDINGS)
        with atomic_path(folder / SOFTMAX) as temporary, open(temporary, "wb") as file:
            np.savez(file, audio=softmax["audio"], video=softmax["video"])
        return {"nodes": data.n_samples, "fingerprint": data.fingerprint.digest}

    depends = {
        "audio": encoders.audio_stage.key,
        "visual": encoders.visual_stage.key,
        "seconds": settings.seconds,
        "generated": generated,
    }
    return stages.run("embeddings", depends, work)


def load_nodes(stage: Stage) -> tuple[MultiViewData, dict[str, NDArray[np.float32]]]:
    """The data set and the encoders' softmax of the test rows, by view (test rows, C)."""
    with np.load(stage.folder / SOFTMAX, allow_pickle=False) as file:
        return read_h5mu(stage.folder / EMBEDDINGS), {name: file[name] for name in file}


def _embed(embed: Any, samples: Seconds, device: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    found = []
    with torch.inference_mode():
        for rows in np.split(np.arange(len(samples.labels)), range(64, len(samples.labels), 64)):
            (inputs,) = samples.inputs(rows, rng)
            found.append(embed(inputs.to(device)).cpu())
    return np.asarray(torch.cat(found).numpy(), dtype=np.float32)


def _load_backbone(visual: VisualSubnetwork, settings: AvscSettings, stages: Stages) -> None:
    """Start from the convolutions that the pooled features came from."""
    start = (
        load_vgg16(settings.weights, stages.say)
        if settings.weights is not None
        else VGG16Features(settings.width, 0, warn=False)  # the first stage has warned
    )
    visual.backbone.load_state_dict(start.state_dict())


def _data(
    parts: Parts, views: dict[str, NDArray[np.float32]], starts: Rows, settings: AvscSettings, generated: bool
) -> MultiViewData:
    learning = parts.train + parts.validation
    seconds = settings.whole_seconds
    clips = [*learning, *(clip for clip in parts.test for _ in range(seconds))]
    begins = [*(starts / FRAMES_PER_SECOND), *np.tile(np.arange(seconds, dtype=float), len(parts.test))]
    bounds = np.cumsum([0, len(parts.train), len(parts.validation), seconds * len(parts.test)])
    rows = [np.arange(a, b) for a, b in pairwise(bounds)]
    what = "GENERATED clips in the layout of" if generated else "SE-CRNN embeddings of"
    return MultiViewData.from_arrays(
        views,
        [clip.label for clip in clips],
        ids=[f"{clip.name}@{begin:.1f}s" for clip, begin in zip(clips, begins, strict=True)],
        groups={
            "clip": [clip.name for clip in clips],
            "location": [clip.place for clip in clips],
            "city": [clip.city for clip in clips],
        },
        classes=parts.classes,
        official_splits={"fold1": Split(rows[0], rows[1], rows[2], scheme="official")},
        card=Card(
            name="avsc-generated" if generated else "avsc",
            title=f"{what} TAU Urban Audio-Visual Scenes 2021",
            source="generated by mvgraph" if generated else "Zenodo record 4477542, embedded by SE-CRNN",
            licence="" if generated else "of the data set: non-commercial",
            notes=("GENERATED: figures on it say nothing about real scenes.",) if generated else (),
        ),
    )
