"""[15] as a stage for each seed: fusion of the trained subnetworks, by the baseline that stands outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.data.atomic import atomic_path
from mvgraph.registry import import_reference
from mvgraph.reproduce.clips import ClipArrays, Parts
from mvgraph.reproduce.embeddings import Encoders, judged
from mvgraph.reproduce.features import Features
from mvgraph.reproduce.scores import Row, score
from mvgraph.reproduce.settings import AvscSettings
from mvgraph.reproduce.stages import Stage, Stages

#: By name: baselines come from outside, and no room imports them.
FIT_FUSION = "mvgraph_baselines.se_crnn:fit_fusion"
ANSWERS = "probabilities.npz"


def run_se_crnn(
    features: Features, encoders: Encoders, parts: Parts, settings: AvscSettings, stages: Stages
) -> list[Stage]:
    """Train the fusion part, one stage a seed."""
    keys = [*features.keys, encoders.audio_stage.key, encoders.visual_stage.key]
    told = [asdict(stage) for stage in settings.recipe().fusion]
    return [
        stages.run(
            f"se-crnn-seed{seed}",
            {"inputs": keys, "seed": seed, "stages": told, "seconds": settings.whole_seconds},
            lambda folder, seed=seed: _work(folder, seed, features, encoders, parts, settings),  # type: ignore[misc]
        )
        for seed in settings.all_seeds
    ]


def _work(
    folder: Path, seed: int, features: Features, encoders: Encoders, parts: Parts, settings: AvscSettings
) -> Mapping[str, Any]:
    sound, pooled = ClipArrays(features.sound, "gammatone"), ClipArrays(encoders.pooled, "pooled")
    seconds = settings.whole_seconds
    frames = None
    if features.frames is not None:
        frames = judged(parts, seconds, sound, ClipArrays(features.frames, "frames"))
    fused = import_reference(FIT_FUSION)(
        encoders.audio,
        encoders.visual,
        judged(parts, seconds, sound, pooled),
        frames,
        recipe=settings.recipe(),
        seed=seed,
        device=settings.device,
        folder=folder,
    )
    with atomic_path(folder / ANSWERS) as temporary, open(temporary, "wb") as file:
        np.savez(file, early=fused.probabilities["early"], late=fused.probabilities["late"])
    return {
        "parameters": fused.parameters,
        "fits": {name: fit.to_json() for name, fit in fused.fits.items()},
        "training_seconds": sum(fit.seconds for fit in fused.fits.values()),
    }


def se_crnn_rows(stages: list[Stage], labels: NDArray[np.int64], clips: NDArray[Any]) -> dict[str, Row]:
    """Rows "[15]" (late fusion) and "[15] early". Shapes: labels and clips of the test rows (n,)."""
    found: dict[str, list[Any]] = {"late": [], "early": []}
    for seed, stage in enumerate(stages):
        with np.load(stage.folder / ANSWERS, allow_pickle=False) as file:
            answers = {name: file[name] for name in file}
        last = list(stage.record["fits"].values())[-1]
        for kind, scores in found.items():
            scores.append(
                score(
                    seed,
                    answers[kind],
                    labels,
                    clips,
                    oracle=last["oracle"]["accuracy"] if kind == "late" else None,
                    parameters=stage.record["parameters"],
                    seconds={"training": stage.record["training_seconds"]},
                )
            )
    words = {"late": "early and late fusion of the subnetworks", "early": "early fusion by a BiGRU alone"}
    return {
        kind: Row("[15]" if kind == "late" else "[15] early", words[kind], "validation", tuple(scores))
        for kind, scores in found.items()
    }
