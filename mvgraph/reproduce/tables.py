"""Tables 1 to 3 of the paper: published figures beside ours, seeds as mean and deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mvgraph.reproduce.document import Table
from mvgraph.reproduce.published import Published, find, published, sources
from mvgraph.reproduce.scores import Row

DASH = "–"
#: Rows of Table 2 in its order; those after the first five are ours alone.
TABLE2 = ("[13]", "[15]", "Mean-GCN", "AT-GCN", "DM-GCN", "[15] early", "concat-logreg", "late-fusion")
GRAPHS = ("DM-GCN", "AT-GCN", "Mean-GCN")
RIVALS = ("[13]", "[15]", "concat-logreg", "late-fusion")
TABLE3 = ("[13]", "[15]", "Mean-GCN", "AT-GCN", "DM-GCN")


def percent(row: Row, name: str) -> str:
    """Mean and deviation over the seeds, in per cent."""
    return _spread(row, name, 100.0, ".1f")


def nats(row: Row, name: str) -> str:
    """Mean and deviation over the seeds."""
    return _spread(row, name, 1.0, ".3f")


def seconds(row: Row, phase: str) -> str:
    """Mean and deviation over the seeds, in seconds."""
    return _spread(row, f"seconds/{phase}", 1.0, ".1f")


def _spread(row: Row, name: str, factor: float, form: str) -> str:
    mean, deviation = row.mean(name), row.deviation(name)
    if mean is None:
        return DASH
    text = format(factor * mean, form)
    return text if deviation is None else f"{text} ± {format(factor * deviation, form)}"


def share(line: Published | None) -> str:
    """A published accuracy in per cent."""
    if line is None or line.accuracy is None:
        return DASH
    exact = f"{100 * line.accuracy:.2f}"
    return exact.removesuffix("0")


def loss(line: Published | None) -> str:
    """A published log-loss."""
    return DASH if line is None or line.log_loss is None else f"{line.log_loss:.3f}"


def table1(rows: Sequence[tuple[str, Row]], mark: str) -> Table:
    """Effect of the GCN on one view: published row beside each of ours.

    Args:
        rows: (row of the published table that it stands beside, ours).
    """
    ours = [
        (
            row.name,
            row.what,
            share(find("table1", beside)),
            percent(row, "accuracy"),
            percent(row, "macro_accuracy"),
            loss(find("table1", beside)),
            nats(row, "log_loss"),
            percent(row, "clip_accuracy"),
            row.selection or DASH,
            str(len(row.scores)),
        )
        for beside, row in rows
    ]
    heads = (
        "model",
        "how",
        "accuracy %, paper",
        f"accuracy %, ours{mark}",
        f"macro accuracy %, ours{mark}",
        "log-loss, paper",
        f"log-loss, ours{mark}",
        f"accuracy % on clips, ours{mark}",
        "epoch by",
        "seeds",
    )
    caption = (
        "Single seconds unless clips are named (mean of the probabilities of a clip's seconds). The paper has one "
        "figure without GCN; ours for it are made in more than one way, each named beside it."
    )
    return Table("table1", f"Table 1: effect of the GCN{mark}", heads, tuple(ours), caption, left=2)


def table2(rows: Mapping[str, Row], mark: str, selection: str) -> Table:
    """Fusion methods; `selection` names which epoch answers for the methods with a choice."""
    lines = []
    for name in TABLE2:
        line, row = find("table2", name), rows.get(name)
        if row is None and line is None:
            continue
        own = (
            [DASH] * 8
            if row is None
            else [
                percent(row, "accuracy"),
                percent(row, "macro_accuracy"),
                nats(row, "log_loss"),
                nats(row, "macro_log_loss"),
                percent(row, "clip_accuracy"),
                percent(row, "oracle"),
                row.selection or DASH,
                str(len(row.scores)),
            ]
        )
        published_accuracy = f"{share(line)} ({line.average})" if line is not None else DASH
        lines.append((name, row.what if row is not None else "not run", published_accuracy, loss(line), *own))
    heads = (
        "model",
        "how",
        "accuracy %, paper",
        "log-loss, paper",
        f"accuracy %, ours{mark}",
        f"macro accuracy %, ours{mark}",
        f"log-loss, ours{mark}",
        f"macro log-loss, ours{mark}",
        f"accuracy % on clips, ours{mark}",
        f"test-oracle accuracy %{mark}",
        "epoch by",
        "seeds",
    )
    caption = (
        "Accuracy is micro unless macro is named. The test oracle takes the epoch with the best test accuracy, as [15] "
        "did; it is shown beside the others and ranks nothing."
    )
    name = "table2" if selection == "last" else f"table2-{selection}"
    rule = "last epoch, as published" if selection == "last" else "epoch of lowest validation log-loss"
    title = f"Table 2: fusion{mark}, {rule}"
    return Table(name, title, heads, tuple(lines), caption, left=2)


def table3(rows: Mapping[str, Row], mark: str) -> Table:
    """Parameters and time of the fusion modules; times of fits with as many threads alone are compared."""
    lines = []
    used = {one.threads for row in rows.values() for one in row.scores if one.threads is not None}
    threads = max(used, default=None)
    for name in TABLE3:
        line, row = find("table3", name), rows.get(name)
        row = None if row is None else row.timed_with(threads)
        parameters = None if row is None else row.mean("parameters")
        lines.append(
            (
                name,
                DASH if line is None else line.parameters,
                DASH if parameters is None else f"{parameters:,.0f}",
                DASH if line is None else line.time,
                DASH if row is None else seconds(row, "training"),
                DASH if row is None else seconds(row, "graph"),
                DASH if row is None else seconds(row, "inference"),
            )
        )
    heads = (
        "model",
        "parameters, paper",
        "parameters, ours",
        "time, paper",
        f"training s, ours{mark}",
        f"graph s, ours{mark}",
        f"inference s, ours{mark}",
    )
    caption = (
        "Time of one fit; the paper does not say what its times hold. Building the graphs is shared by all methods. "
        "Counts of [13] and [15] depend on the width of what they read: 711,454 on two 512-d embeddings and 272,704 "
        "on full VGG16 features."
    )
    if threads is not None:
        caption += f" Seconds are those of {threads} thread{'s' if threads > 1 else ''}"
        caption += ", of the seeds that ran with so many." if len(used) > 1 else "."
    return Table("table3", f"Table 3: cost of the fusion modules{mark}", heads, tuple(lines), caption)


def gain_table(rows: Mapping[str, Row], mark: str) -> Table:
    """Scores on single seconds and on whole clips."""
    lines = []
    for name in (*GRAPHS, *RIVALS):
        row = rows.get(name)
        if row is not None:
            figures = (percent(row, "accuracy"), percent(row, "clip_accuracy"), nats(row, "log_loss"))
            lines.append((name, row.what, *figures, nats(row, "clip_log_loss")))
    heads = (
        "model",
        "how",
        f"accuracy % on seconds{mark}",
        f"accuracy % on clips{mark}",
        f"log-loss on seconds{mark}",
        f"log-loss on clips{mark}",
    )
    caption = (
        "On clips: the mean of the probabilities of a clip's seconds; last epoch where there is a choice."
    )
    return Table("gain", f"Seconds against clips{mark}", heads, tuple(lines), caption, left=2)


def theta_table(row: Row, mark: str) -> Table | None:
    """Learned view weights of DM-GCN by layer; None where there are none."""
    found = [theta for score in row.scores if (theta := score.diagnostics.get("theta"))]
    if not found:
        return None
    views = list(found[0][0])
    lines = []
    for layer in range(len(found[0])):
        values = [[one[layer][view] for one in found] for view in views]
        lines.append((f"layer {layer + 1}", *(f"{sum(v) / len(v):.3f}" for v in values)))
    heads = ("", *(f"theta {view}{mark}" for view in views))
    return Table(
        "theta",
        f"Learned weights of the Laplacians in DM-GCN{mark}",
        heads,
        tuple(lines),
        "Mean over the seeds.",
    )


def published_table() -> Table:
    """What others published, with sources; none of it is ours."""
    titles = sources()
    lines = tuple(
        (line.row, share(line), loss(line), line.average, titles[line.source])
        for line in published()
        if line.table == "others"
    )
    heads = ("system", "accuracy %", "log-loss", "average", "source")
    return Table("published", "Published on the same development set", heads, lines, "Figures of others.")
