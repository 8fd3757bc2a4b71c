"""Run an audit: figures of the graph, then every method on the whole graph and on what is left of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvgraph.audit.findings import VARIANTS, Findings, Score
from mvgraph.audit.tables import tables
from mvgraph.bench.audit import group_means
from mvgraph.bench.metrics import part_metrics
from mvgraph.data import MultiViewData, Split
from mvgraph.data.atomic import atomic_path
from mvgraph.errors import UserError
from mvgraph.graph import MultiViewGraph, build_graph
from mvgraph.graph.audit import NEAR, graph_figures
from mvgraph.graph.edits import finest_group, inductive, without_group_edges
from mvgraph.registry import resolve_method
from mvgraph.training import TrainingOptions, fit

METHODS = ("dm-gcn",)
BASELINES = ("concat-logreg", "late-fusion")
#: Where the scores of an audit are kept as they come.
SCORES = "audit-scores.json"
Progress = Callable[[int, int], None]


def audit(
    data: MultiViewData,
    graph: MultiViewGraph,
    split: Split,
    group: str | None = None,
    *,
    methods: Sequence[str] = METHODS,
    baselines: Sequence[str] = BASELINES,
    training: TrainingOptions | Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
    selection: str = "last",
    near: float = NEAR,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Measure what the neighbours of test rows are, and what methods score without them.

    Args:
        data: as the graph was built from it, scaled.
        group: kind of group whose edges are taken away; None takes the finest the data has.
        methods: scored on the whole graph, without edges inside a group, inductively, and without any edge.
        baselines: methods that use no graph.
        seeds: of initial weights.
        near: rows nearer than this part of the mean distance are near duplicates.
        folder: where scores are kept as they come; the same audit later continues from them.
        progress: called with (fits done, all fits).

    Raises:
        UserError: no such group, a method without a graph among `methods` or one with it among `baselines`.
    """
    kind = finest_group(data.groups) if group is None else group
    if kind not in data.groups:
        raise UserError(f"The data has no group '{kind}'; it has {', '.join(data.groups) or 'none'}.")
    for names, uses_graph in ((methods, True), (baselines, False)):
        for name in names:
            spec = resolve_method(name)
            if spec.control is not None or spec.cls.tags.uses_graph is not uses_graph:
                what = "uses no graph" if uses_graph else "uses a graph"
                reason = "has a control already" if spec.control is not None else what
                raise UserError(f"Method '{name}' {reason}, so that it has no place among these methods.")
    options = (
        training if isinstance(training, TrainingOptions) else TrainingOptions.from_mapping(training or {})
    )
    jobs = [(name, variant) for name in methods for variant in VARIANTS] + [(name, "") for name in baselines]
    graphs = {
        "": graph,
        "whole": graph,
        "no-siblings": without_group_edges(graph, data.groups[kind]),
        "inductive": inductive(graph, split),
        "none": graph.identity(),
    }
    about = [data.fingerprint.digest, graph.hash, split.hash, kind, options.to_json(), selection]
    kept = _Kept(folder, about)
    groups, labels = data.groups[kind][split.test], data.labels[split.test]
    theta: list[dict[str, float]] = []
    scores = []
    for at, (name, variant) in enumerate(jobs):
        each = []
        for number, seed in enumerate(seeds):
            if progress is not None:
                progress(at * len(seeds) + number, len(jobs) * len(seeds))
            found = kept.get(name, variant, seed)
            if found is None:
                result = fit(name, data, split, graphs[variant], training=options, seed=seed)
                tested = result.probabilities(selection)[split.test]
                found = {
                    "plain": part_metrics(tested, labels),
                    "averaged": part_metrics(group_means(tested, groups), labels),
                    "theta": result.diagnostics.get("theta", []),
                }
                kept.put(name, variant, seed, found)
            each.append(found)
        if variant == "whole" and not theta:
            theta = [dict(layer) for layer in each[0]["theta"]]
        scores.append(_score(name, variant, each))
    if progress is not None:
        progress(len(jobs) * len(seeds), len(jobs) * len(seeds))
    figures = graph_figures(
        graph, data.views, data.labels, data.groups, split, ids=data.ids, theta=theta, near=near
    )
    settings = {
        "rows": data.n_samples,
        "split": split.scheme,
        "sizes": [len(split.train), len(split.validation), len(split.test)],
        "graph": None if graph.settings is None else graph.settings.to_json(),
        "training": options.to_json(),
        "seeds": list(seeds),
        "selection": selection,
    }
    return Findings(data.name, data.card.title or data.name, kind, figures, tuple(scores), settings)


def gain(
    data: MultiViewData,
    split: Split,
    *,
    neighbours: int,
    training: Mapping[str, Any],
    seeds: Sequence[int],
    folder: Path,
    methods: Sequence[str] = ("mean-gcn", "dm-gcn"),
) -> dict[str, Any]:
    """An audit as sentences and tables for a report that has other things in it: `reproduce` calls it by name.

    Args:
        neighbours: k of the graph.
        folder: keeps scores, so that an interrupted audit continues.

    Returns:
        `sentences` and `tables` (`name`, `title`, `heads`, `rows`, `caption`), JSON values.
    """
    graph = build_graph(data, k=neighbours)
    folder.mkdir(parents=True, exist_ok=True)
    found = audit(data, graph, split, methods=methods, training=training, seeds=seeds, folder=folder)
    return {"sentences": [found.sentence], "tables": tables(found), "findings": found.to_json()}


def _score(name: str, variant: str, each: Sequence[Mapping[str, Any]]) -> Score:
    def values(part: str, metric: str) -> tuple[float, ...]:
        return tuple(float(found[part][metric]) for found in each)

    return Score(
        name,
        variant,
        values("plain", "accuracy"),
        values("plain", "log_loss"),
        values("averaged", "accuracy"),
        values("averaged", "log_loss"),
    )


class _Kept:
    """Scores in a JSON file, each under what it depends on; nothing without a folder."""

    def __init__(self, folder: Path | None, about: Sequence[Any]) -> None:
        self._path = None if folder is None else folder / SCORES
        self._about = json.dumps(about, sort_keys=True)
        self._found: dict[str, Any] = {}
        if self._path is not None and self._path.is_file():
            try:
                read = json.loads(self._path.read_text(encoding="utf-8"))
            except ValueError:
                read = {}
            self._found = read if isinstance(read, dict) else {}

    def _key(self, name: str, variant: str, seed: int) -> str:
        return hashlib.sha256(f"{self._about}|{name}|{variant}|{seed}".encode()).hexdigest()

    def get(self, name: str, variant: str, seed: int) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._found.get(self._key(name, variant, seed))
        return found

    def put(self, name: str, variant: str, seed: int, found: Mapping[str, Any]) -> None:
        self._found[self._key(name, variant, seed)] = found
        if self._path is not None:
            with atomic_path(self._path) as temporary:
                temporary.write_text(
                    json.dumps(self._found, indent=1, default=_plain) + "\n", encoding="utf-8"
                )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
