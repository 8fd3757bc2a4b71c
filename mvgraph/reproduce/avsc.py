"""The paper's experiment: from clips to Tables 1 to 3 and Figure 2, stage by cached stage.

Source: H. Lei, N. Chen, "Audio-Visual Scene Classification Based on Multi-modal Graph Fusion".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvgraph.data import MultiViewData, Split, make_splits, read_h5mu, write_h5mu
from mvgraph.data.tau.embeddings import simulated_embeddings, single_view_probabilities
from mvgraph.data.tau.read import read_tau
from mvgraph.errors import UserError
from mvgraph.reproduce import document, figure2, gain, tables
from mvgraph.reproduce.clips import divide
from mvgraph.reproduce.embeddings import EMBEDDINGS, embed_nodes, load_nodes, train_encoders
from mvgraph.reproduce.features import extract_features
from mvgraph.reproduce.fusion import LINEAR, WORDS, run_fusion
from mvgraph.reproduce.scores import SELECTIONS, Row, ledger_rows, long_table, score
from mvgraph.reproduce.se_crnn import run_se_crnn, se_crnn_rows
from mvgraph.reproduce.settings import GCN_TRAINING, AvscSettings
from mvgraph.reproduce.stages import Stage, Stages

#: The seed of the simulated data set; its scales were found on others.
SIMULATION_SEED = 0


@dataclass
class _Nodes:
    """What the fusion experiment needs: nodes, where they lie, and figures that only raw clips give."""

    data: MultiViewData
    path: Path
    mark: str
    banner: str
    facts: list[str]
    #: Answers without a graph for the test rows of each view, how they come about, and which epoch gave them.
    softmax: dict[str, NDArray[Any]] = field(default_factory=dict)
    se_crnn: list[Stage] = field(default_factory=list)
    softmax_words: tuple[str, str] = ("the encoder's own softmax", "validation")


def reproduce_avsc(
    out: str | Path,
    root: str | Path | None = None,
    settings: AvscSettings | None = None,
    *,
    simulate: bool = False,
    fraction: float = 1.0,
    work: str | Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Run what is not done yet, and write the report.

    Args:
        out: folder of the report.
        root: folder of TAU Urban Audio-Visual Scenes 2021, or of generated clips; none for simulated embeddings.
        settings: the paper's by default.
        simulate: the fusion experiment alone, on calibrated simulated embeddings, marked as such everywhere.
        fraction: of the simulated data; 1 is 45,096 nodes.
        work: where stages are kept, by default `runs/<name of out>`.
        say: receives a line when a stage begins or ends.

    Returns:
        The path of the page.

    Raises:
        UserError: neither or both of root and simulate, damaged or missing clips, or a fit that failed.
    """
    if (root is None) != simulate:
        raise UserError("Give either the root folder of the clips or simulate, and not both.")
    settings = settings or AvscSettings()
    out = Path(out)
    stages = Stages(Path(work) if work is not None else Path("runs") / out.name, say)
    nodes = (
        _simulated(settings, stages, fraction) if root is None else _from_clips(Path(root), settings, stages)
    )
    split = make_splits(nodes.data, "official", validation=settings.validation, group="location", seed=0)[0]
    fusion = run_fusion(nodes.data, nodes.path, settings, stages)
    points = figure2.run_figure2(nodes.data, settings, stages)
    report = _report(nodes, split, fusion, points, settings, stages)
    return document.write(report, out)


def _simulated(settings: AvscSettings, stages: Stages, fraction: float) -> _Nodes:
    def work(folder: Path) -> dict[str, object]:
        data = simulated_embeddings(SIMULATION_SEED, fraction)
        write_h5mu(data, folder / EMBEDDINGS)
        return {"nodes": data.n_samples, "fingerprint": data.fingerprint.digest}

    # The generator itself may change; its drawings tell.
    probe = simulated_embeddings(SIMULATION_SEED, min(fraction, 0.01)).fingerprint.digest
    stage = stages.run("simulated", {"seed": SIMULATION_SEED, "fraction": fraction, "probe": probe}, work)
    data = read_h5mu(stage.folder / EMBEDDINGS)
    heads = {view: single_view_probabilities(data, view) for view in data.view_names}
    training = len(data.official_splits["fold1"].train)
    return _Nodes(
        data,
        stage.folder / EMBEDDINGS,
        " (simulated)",
        "SIMULATED: every figure of ours below was measured on simulated embeddings, not on TAU Urban Audio-Visual "
        "Scenes 2021. They say how the methods compare on data of this structure, and nothing about real scenes.",
        [
            "The nodes are drawn from a hierarchy of class, city, location, clip and segment, calibrated on other "
            "seeds so that a linear classifier on one view alone is right as often as the paper's encoders.",
            "[15] reads sound and frames and cannot run on simulated embeddings; [13] reads each second as a frame.",
        ],
        heads,
        softmax_words=(
            f"logistic regression on all {training:,} training nodes, which the calibration aimed at",
            "",
        ),
    )


def _from_clips(root: Path, settings: AvscSettings, stages: Stages) -> _Nodes:
    generated = (root / "GENERATED.txt").is_file()
    features = extract_features(read_tau(root), settings, stages)
    parts = divide(features.clips, settings.validation)
    encoders = train_encoders(features, parts, settings, stages)
    embedded = embed_nodes(features, encoders, parts, settings, stages, generated)
    data, softmax = load_nodes(embedded)
    sums = [
        sum(f["seconds"] for f in s.record["fits"].values())
        for s in (encoders.audio_stage, encoders.visual_stage)
    ]
    tuned = "learn in the second stages" if settings.fine_tune else "stay frozen"
    facts = [
        f"Visual backbone: {features.backbone}; its convolutions {tuned}.",
        f"Clips: {len(parts.train)} to train on, {len(parts.validation)} of other locations to choose epochs, "
        f"{len(parts.test)} to test on; {len(features.skipped)} could not be read.",
        f"Encoders were trained once, in {sums[0]:.0f} s (audio) and {sums[1]:.0f} s (video); seeds vary the fusion.",
    ]
    facts += [f"Skipped: {name}: {reason}" for name, reason in sorted(features.skipped.items())]
    return _Nodes(
        data,
        embedded.folder / EMBEDDINGS,
        " (generated clips)" if generated else "",
        (
            "GENERATED CLIPS: every figure of ours below was measured on clips that mvgraph generated (noise, tones, "
            "coloured shapes). They say that the pipeline works, and nothing about real scenes."
            if generated
            else ""
        ),
        facts,
        softmax,
        run_se_crnn(features, encoders, parts, settings, stages),
    )


def _report(
    nodes: _Nodes, split: Split, fusion: Stage, points: Stage, settings: AvscSettings, stages: Stages
) -> document.Document:
    data, mark = nodes.data, nodes.mark
    clips = np.asarray(data.groups["clip"])
    labels = data.labels[split.test]
    both = {s: ledger_rows(fusion.folder / "both", clips, WORDS, s) for s in SELECTIONS}
    for rows in both.values():
        # [13] keeps the epoch of lowest validation loss by its own recipe, whatever the others do.
        rows["[13]"] = replace(rows["[13]"], selection="validation")
        for name in ("concat-logreg", "late-fusion"):
            rows[name] = replace(rows[name], selection="")
        if nodes.se_crnn:
            own = se_crnn_rows(nodes.se_crnn, labels, clips[split.test])
            rows |= {row.name: row for row in own.values()}
    heads = {
        view: next(iter(ledger_rows(fusion.folder / view, clips, {}, "last").values()))
        for view in data.view_names
    }
    first = _table1_rows(nodes, split, both["last"], heads)
    theta = tables.theta_table(both["last"]["DM-GCN"], mark)
    audit = _audit(data, split, settings, stages)
    lines = long_table([("table1", row) for _, row in first], mark.strip(" ()") or "recorded")
    for rows in both.values():
        lines += long_table(
            [("table2", rows[n]) for n in tables.TABLE2 if n in rows], mark.strip(" ()") or "recorded"
        )
    return document.Document(
        f"Audio-visual scene classification by multi-modal graph fusion, reproduced{mark}",
        nodes.banner,
        (
            document.Section("What was run", tuple(_protocol(nodes, split, settings))),
            document.Section(
                "Effect of the GCN",
                tables=(tables.table1(first, mark),),
                pictures=(figure2.picture(points, data, mark),),
            ),
            document.Section(
                "Fusion",
                tables=(
                    *(tables.table2(both[s], mark, s) for s in SELECTIONS),
                    *([theta] if theta is not None else []),
                ),
            ),
            document.Section("Cost", tables=(tables.table3(both["last"], mark),)),
            gain.gain_section(audit, both["last"], mark, len(settings.audited_seeds)),
            document.Section("Published results", tables=(tables.published_table(),)),
            document.Section("Stages", tables=(_stage_table(stages),)),
        ),
        tuple(lines),
    )


def _audit(
    data: MultiViewData, split: Split, settings: AvscSettings, stages: Stages
) -> Mapping[str, Any] | None:
    """What the audit found, in a stage of its own; None where there is no audit."""
    training = {**GCN_TRAINING, "epochs": settings.at_most(int(GCN_TRAINING["epochs"]))}
    depends = {
        "data": data.fingerprint.digest,
        "split": split.hash,
        "k": settings.neighbours,
        "training": training,
        "seeds": settings.audited_seeds,
        "methods": gain.METHODS,
        "audit": gain.AUDIT if gain.has_audit() else None,
    }

    def work(folder: Path) -> Mapping[str, Any]:
        found = gain.run_audit(
            data,
            split,
            neighbours=settings.neighbours,
            training={**training, "device": settings.device},
            seeds=settings.audited_seeds,
            folder=folder,
        )
        return {} if found is None else found

    return stages.run("audit", depends, work).record or None


def _table1_rows(
    nodes: _Nodes, split: Split, both: dict[str, Row], heads: dict[str, Row]
) -> list[tuple[str, Row]]:
    """(published row, ours): each view without a graph in up to three ways, and with the GCN."""
    labels, clips = nodes.data.labels[split.test], np.asarray(nodes.data.groups["clip"])[split.test]
    found: list[tuple[str, Row]] = []
    for view in nodes.data.view_names:
        without = f"{view} without GCN"
        if view in nodes.softmax:
            one = score(0, nodes.softmax[view], labels, clips)
            found.append((without, Row(without, *nodes.softmax_words, (one,))))
        head = replace(
            heads[view],
            name=f"{view} {LINEAR}",
            what=f"logistic regression on the {len(split.train):,} training nodes that the GCNs learn from",
            selection="",
        )
        edgeless = replace(both[f"{view} without edges"], what="the same network on a graph without edges")
        with_gcn = replace(both[f"{view} with GCN"], what="single-view GCN")
        found += [(without, head), (without, edgeless), (f"{view} with GCN", with_gcn)]
    return found


def _protocol(nodes: _Nodes, split: Split, settings: AvscSettings) -> list[str]:
    gcn = settings.at_most(int(GCN_TRAINING["epochs"]))
    words = [
        *nodes.facts,
        f"Graph: {nodes.data.n_samples:,} nodes, k = {settings.neighbours}, Eq. 1 on raw embeddings, symmetrised by "
        "the larger weight. Test segments are nodes (transductive); their labels are never read.",
        f"Labels: {len(split.train):,} training nodes; {len(split.validation):,} nodes of held-out training locations "
        f"choose epochs (the paper trained on both together); {len(split.test):,} test nodes.",
        f"GCNs: Adam, learning rate {GCN_TRAINING['lr']:g}, weight decay {GCN_TRAINING['weight_decay']:g}, "
        f"{gcn} epochs, full batch; {settings.seeds} seed{'s' if settings.seeds > 1 else ''}, mean ± sample deviation.",
    ]
    caps = [
        (settings.epochs, "any training"),
        (settings.encoder_epochs, "trainings on clips"),
        (settings.fine_epochs, "trainings of convolutions"),
    ]
    short = [f"{cap} in {what}" for cap, what in caps if cap is not None]
    if short:
        words.append(f"SHORTENED, fewer epochs than published: at most {', '.join(short)}.")
    return words


def _stage_table(stages: Stages) -> document.Table:
    rows = tuple((stage.name, stage.key[:12], f"{stage.seconds:.1f}") for stage in stages.ran)
    return document.Table(
        "stages",
        "Stages",
        ("stage", "key", "seconds of the finishing call"),
        rows,
        "Keys are hashes of all inputs.",
        left=2,
    )
