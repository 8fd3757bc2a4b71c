"""What a cell and a suite become as runs of MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mvgraph.tracking import entries
from mvgraph.tracking.runs import STATUS, SUITE, TEXT_LENGTH, DataInput, MirrorRun

TABLE = "leaderboard.json"
#: Figures of the leaderboard that become metrics of the suite's run.
SCORES = ("accuracy", "macro_f1", "log_loss", "brier", "ece")
_NOTE, _TABLES = "mlflow.note.content", "mlflow.loggedArtifacts"


def cell_run(entry: Mapping[str, Any], stamp: str, suite: Mapping[str, Any]) -> MirrorRun:
    """One cell that ended, done or not."""
    cell = entry["cell"]
    done = entry["status"] == "done"
    start = entries.milliseconds(entry.get("started"))
    points: list[entries.Point] = []
    tags = {STATUS: str(entry["status"]), **_source(suite)}
    if done:
        points = [*entries.figures(entry), *entries.curves(entry)]
        took = (entry.get("seconds") or {}).get("cell")
        end = start if start is None or took is None else start + round(1000 * took)
        versions = {k: str(v) for k, v in (entry.get("versions") or {}).items() if v is not None}
        tags |= {f"version.{name}": value for name, value in versions.items()}
        if "commit" in versions:
            tags["mlflow.source.git.commit"] = versions["commit"].partition("+")[0]
    else:
        end = entries.milliseconds(entry.get("finished")) or start
        tags[_NOTE] = f"{entry['status']}: {entry['reason']}"[:TEXT_LENGTH]
    files: dict[str, Any] = {"record.json": entry, "protocol.json": cell["protocol"]}
    if entry.get("traceback"):
        files["traceback.txt"] = entry["traceback"]
    return MirrorRun(
        key=str(cell["id"]),
        stamp=stamp,
        name=f"{cell['label']} {cell['dataset']} split {cell['split']['index']} seed {cell['seed']}",
        status="FINISHED" if done else "FAILED",
        start=start,
        end=end,
        params=entries.parameters(cell),
        tags=tags,
        points=points,
        files=files,
        inputs=[data_input(cell)],
    )


def suite_run(
    suite: Mapping[str, Any],
    counts: Mapping[str, int],
    *,
    status: str,
    stamp: str,
    rows: Sequence[Mapping[str, Any]] = (),
    cells: Iterable[Mapping[str, Any]] = (),
) -> MirrorRun:
    """The suite, with its leaderboard as a table and as metrics `score/<data set>/<method>/<figure>`.

    Args:
        suite: as JSON; counts: cells by status.
        status: in MLflow's words; stamp: of the content.
        rows: lines of the leaderboard (see `mvgraph.report.lines`); cells: specifications of the plan and their times.
    """
    points: list[entries.Point] = [(f"cells/{name}", float(count), 0) for name, count in counts.items()]
    for row in rows:
        for name in SCORES:
            value = row.get(name)
            if value is not None:
                key = f"score/{row['setting']}/{row['method']}/{name}"
                points.append((entries.safe_key(key), float(value), 0))
    files: dict[str, Any] = {"suite.json": suite}
    tags = {SUITE: str(suite["name"]), **_source(suite)}
    if rows:
        names = list(rows[0])
        # The form of mlflow.log_table, which the interface shows as a table.
        files[TABLE] = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
        tags[_TABLES] = json.dumps([{"path": TABLE, "type": "table"}])
    known = list(cells)
    begun = [moment for c in known if (moment := entries.milliseconds(c.get("started"))) is not None]
    ended = [moment for c in known if (moment := entries.milliseconds(c.get("finished"))) is not None]
    inputs = {(found.name, found.digest): found for found in map(data_input, known)}
    return MirrorRun(
        key="",
        stamp=stamp,
        name=str(suite["name"]),
        status=status,
        start=min(begun, default=None),
        end=None if status == "RUNNING" else max(ended, default=None),
        tags=tags,
        points=points,
        files=files,
        inputs=list(inputs.values()),
    )


def data_input(cell: Mapping[str, Any]) -> DataInput:
    """The data set of a cell: its digest is the fingerprint's beginning, its source the name and whole fingerprint."""
    rows = ((cell.get("protocol") or {}).get("labelled") or {}).get("rows")
    profile = {"num_rows": rows, "views": list(cell["views"])}
    return DataInput(
        name=str(cell["dataset"]),
        digest=str(cell["fingerprint"])[:16],
        source=json.dumps({"name": cell["dataset"], "fingerprint": cell["fingerprint"]}),
        profile=json.dumps(profile),
    )


def _source(suite: Mapping[str, Any]) -> dict[str, str]:
    """The columns Source and Version of MLflow's table."""
    return {"mlflow.source.name": f"mvgraph run {suite['name']}", "mlflow.source.type": "LOCAL"}
