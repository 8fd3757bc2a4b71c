"""Figure 2: test segments by t-SNE, before and after the GCN, for each view."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mvgraph.data import MultiViewData, make_splits
from mvgraph.data.atomic import atomic_path
from mvgraph.fusion import NetworkMethod
from mvgraph.graph import build_graph
from mvgraph.report.figures.base import Picture, canvas, hide_unused, render
from mvgraph.reproduce.fusion import SINGLE_HIDDEN
from mvgraph.reproduce.settings import GCN_TRAINING, AvscSettings
from mvgraph.reproduce.stages import Stage, Stages
from mvgraph.training.fit import fit
from mvgraph.training.loop import propagation_of

POINTS = "points.npz"
#: t-SNE of wide rows first reduces them to this many principal components, as its authors do.
COMPONENTS = 50
_COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#777777", "#EE8866", "#44BB99", "#222255",
)  # fmt: skip


def run_figure2(data: MultiViewData, settings: AvscSettings, stages: Stages) -> Stage:
    """Fit the single-view GCN of seed 0 again, and embed test rows before and after it in the plane."""
    epochs = settings.at_most(int(GCN_TRAINING["epochs"]))
    arguments = {"validation": settings.validation, "group": "location", "seed": 0}

    def work(folder: Path) -> Mapping[str, Any]:
        split = make_splits(data, "official", **arguments)[0]
        chosen = _sample(split.test, settings.tsne_points)
        arrays: dict[str, NDArray[Any]] = {"rows": chosen, "labels": data.labels[chosen]}
        for view in data.view_names:
            alone = data.select_views([view])
            graph = build_graph(alone, k=settings.neighbours)
            options = {"hidden": SINGLE_HIDDEN}
            training = {**GCN_TRAINING, "epochs": epochs, "evaluate_every": epochs, "device": settings.device}
            result = fit("single-gcn", alone, split, graph, options=options, training=training, seed=0)
            assert isinstance(result.model, NetworkMethod)
            after = hidden(result.model, alone, graph, settings.device)
            arrays[f"{view} before"] = plane(np.asarray(data.views[view])[chosen])
            arrays[f"{view} after"] = plane(after[chosen])
        with atomic_path(folder / POINTS) as temporary, open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        return {"points": len(chosen)}

    depends = {
        "data": data.fingerprint.digest,
        "k": settings.neighbours,
        "epochs": epochs,
        "points": settings.tsne_points,
        "split": arguments,
    }
    return stages.run("figure2", depends, work)


def hidden(model: NetworkMethod, data: MultiViewData, graph: Any, device: str = "cpu") -> NDArray[np.float32]:
    """What the classifier of a single-view GCN reads: both layers' outputs side by side. Shapes: -> (N, 256)."""
    seen: list[Tensor] = []
    classifier = model.get_submodule("classifier")
    assert isinstance(classifier, nn.Linear)
    handle = classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    try:
        model.eval()
        with torch.no_grad():
            model(propagation_of(model, data, graph, torch.device(device)))
    finally:
        handle.remove()
    return np.asarray(seen[0].cpu().numpy(), dtype=np.float32)


def plane(rows: NDArray[Any]) -> NDArray[np.float32]:
    """t-SNE in two dimensions, started from principal components, one seed. Shapes: (n, d) -> (n, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if rows.shape[1] > COMPONENTS and len(rows) > COMPONENTS:
        rows = PCA(COMPONENTS, random_state=0).fit_transform(rows)
    perplexity = min(30.0, max(2.0, (len(rows) - 1) / 3))
    made = TSNE(2, init="pca", perplexity=perplexity, random_state=0).fit_transform(rows)
    return np.asarray(made, dtype=np.float32)


def picture(stage: Stage, data: MultiViewData, mark: str) -> Picture:
    """The figure of a finished stage; `mark` (simulated, generated) stands in its title."""
    with np.load(stage.folder / POINTS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file}
    panels = [(view, when) for view in data.view_names for when in ("before", "after")]
    columns = 2
    rows = (len(panels) + 1) // columns
    with canvas(9.0, 4.0 * rows + 0.6) as figure:
        axes = figure.subplots(rows, columns, squeeze=False)
        for letter, axis, (view, when) in zip("abcdefgh", axes.flat, panels, strict=False):
            points = arrays[f"{view} {when}"]
            for code, name in enumerate(data.classes):
                own = points[arrays["labels"] == code]
                axis.scatter(
                    own[:, 0], own[:, 1], s=4, color=_COLOURS[code % 10], label=name.replace("_", " ")
                )
            axis.set_title(f"({letter}) {view}, {when} the GCN{mark}")
            axis.set_xticks([])
            axis.set_yticks([])
        hide_unused(axes, len(panels))
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, markerscale=3)
        png, small = render(figure)
    count = len(arrays["rows"])
    return Picture(
        "figure2",
        f"Figure 2: embeddings before and after the GCN{mark}",
        f"t-SNE of {count} test segments{mark}: (a, c) embeddings as the graph gets them, (b, d) both layers of the "
        "single-view GCN side by side (seed 0, last epoch). Distances between far groups mean nothing in t-SNE.",
        "Scatter plots of test segments coloured by scene, before and after the GCN, for each view.",
        png,
        small,
        None,
    )


def _sample(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return np.asarray(rows)
    return np.sort(np.random.default_rng(0).choice(rows, size=most, replace=False))
