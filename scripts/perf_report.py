"""Turn JSON files of pytest-benchmark into reports/perf: Markdown with ratios, targets and floors, and a PNG.

python scripts/perf_report.py BENCHMARK.json ... reports/perf
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks" / "perf"))
from targets import BOUNDS, TARGETS

from mvgraph.bench.environment import environment

Rows = dict[str, dict[str, dict[str, Any]]]


def merged(paths: list[Path]) -> dict[str, Any]:
    """All benchmarks of the files, the machine and time of the first; of two runs of a benchmark the later file's."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    found = {entry["fullname"]: entry for run in runs for entry in run["benchmarks"]}
    return {**runs[0], "benchmarks": list(found.values())}


def read(run: dict[str, Any]) -> Rows:
    """Group -> participant -> {"seconds": best of the rounds, **extra_info}."""
    rows: Rows = defaultdict(dict)
    for entry in run["benchmarks"]:
        info = entry["extra_info"]
        if "what" in info:
            rows[info["what"]][info["who"]] = {
                "seconds": entry["stats"]["min"],
                "median": entry["stats"]["median"],
                "rounds": entry["stats"]["rounds"],
                **info,
            }
    return rows


def seconds(value: float) -> str:
    """Three significant digits with a unit."""
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def figures(rows: Rows) -> list[str]:
    """One table a group."""
    lines: list[str] = []
    for what, entries in sorted(rows.items()):
        head = (
            "who",
            "best",
            "median",
            "rounds",
            "x of the fastest",
            "floor",
            "x of the floor",
            "extra peak",
        )
        lines += [f"### {what}", "", f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
        fastest = min(e["seconds"] for e in entries.values())
        for who, e in sorted(entries.items(), key=lambda item: item[1]["seconds"]):
            floor = e.get("floor_seconds")
            cells = (
                who,
                seconds(e["seconds"]),
                seconds(e["median"]),
                str(e["rounds"]),
                f"{e['seconds'] / fastest:.2f}",
                seconds(floor) if floor else "",
                f"{e['seconds'] / floor:.2f}" if floor else "",
                f"{e['extra_peak_mib']:.0f} MiB" if "extra_peak_mib" in e else "",
            )
            lines.append(f"| {' | '.join(cells)} |")
        floors = {e["floor_of"] for e in entries.values() if "floor_of" in e}
        lines += ["", *(f"Floor: {text}." for text in sorted(floors)), ""]
    return lines


def verdicts(rows: Rows) -> list[str]:
    """One line a target: reached or by how much missed."""
    lines = ["| what | against | figure | target | |", "|---|---|--:|--:|---|"]
    for t in TARGETS:
        ours, peer = rows.get(t.what, {}).get(t.ours), rows.get(t.what, {}).get(t.peer)
        if ours is None or peer is None:
            continue
        ratio = peer["seconds"] / ours["seconds"] if t.faster else ours["seconds"] / peer["seconds"]
        met = ratio >= t.ratio if t.faster else ratio <= t.ratio
        words = ("times faster", "at least") if t.faster else ("times its time", "at most")
        lines.append(
            f"| {t.what} | {t.peer} | {ratio:.2f} {words[0]} | {words[1]} {t.ratio:g} | {verdict(met)} |"
        )
    for what, key, bound, unit in BOUNDS:
        for who, e in rows.get(what, {}).items():
            if key in e and who.startswith("mvgraph"):
                met = e[key] <= bound
                figure = f"{100 * e[key]:.1f} %" if bound < 1 else f"{e[key]:.3g}"
                limit = f"{100 * bound:g} %" if bound < 1 else f"{bound:g}"
                lines.append(f"| {what} | | {figure} {unit} | at most {limit} | {verdict(met)} |")
    return lines


def verdict(met: bool) -> str:
    """The word in the last column."""
    return "reached" if met else "**missed**"


def draw(rows: Rows, target: Path) -> None:
    """Bars of seconds, one panel a group, on a log scale."""
    groups = [w for w, entries in sorted(rows.items()) if len(entries) > 1]
    if not groups:
        return
    heights = [len(rows[g]) + 1.2 for g in groups]
    figure, axes = plt.subplots(
        len(groups), 1, figsize=(8, 0.42 * sum(heights) + 0.6), height_ratios=heights, squeeze=False
    )
    for axis, what in zip(axes[:, 0], groups, strict=True):
        entries = sorted(rows[what].items(), key=lambda item: -item[1]["seconds"])
        values = [e["seconds"] for _, e in entries]
        colours = ["#0072B2" if who.startswith("mvgraph") else "#999999" for who, _ in entries]
        axis.barh([textwrap.fill(who, 34) for who, _ in entries], values, color=colours)
        for y, value in enumerate(values):
            axis.annotate(
                seconds(value), (value, y), xytext=(4, 0), textcoords="offset points", va="center", size=8
            )
        axis.set_xscale("log")
        axis.set_xlim(min(values) / 2, max(values) * 4)
        # Few plain numbers: powers of ten and their halves crowd on a short axis.
        wide = max(values) / min(values) > 20
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_title(what, loc="left", size=10, weight="bold")
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel("seconds, best of the rounds (log scale)", size=9)
    figure.tight_layout()
    figure.savefig(target, dpi=130, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Read, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    run = merged(arguments.sources)
    rows = read(run)
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw(rows, arguments.out / "perf.png")
    anyone = next(e for entries in rows.values() for e in entries.values() if "gemm_flops" in e)
    machine = environment()
    described = ", ".join(
        f"{key} {value}" for key, value in machine.items() if isinstance(value, str | int | float)
    )
    text = [
        "# Speed",
        "",
        f"Written by `make perf`. Machine: {described}. Measured rates: GEMM {anyone['gemm_flops'] / 1e9:.0f} "
        f"GFLOP/s in float32, memory {anyone['bytes_per_second'] / 1e9:.1f} GB/s.",
        "All figures of a table come from one process on this machine; ratios are of the best rounds.",
        "",
        "## Targets",
        "",
        *verdicts(rows),
        "",
        "![seconds of every participant](perf.png)",
        "",
        "## Figures",
        "",
        *figures(rows),
    ]
    (arguments.out / "README.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    (arguments.out / "perf.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    print(f"{arguments.out / 'README.md'}")


if __name__ == "__main__":
    main()
