"""An audit on disk: `audit.md`, `audit.json`, `audit.png`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

from mvgraph.audit.findings import VARIANTS, Findings
from mvgraph.audit.run import SCORES
from mvgraph.audit.tables import tables
from mvgraph.data.atomic import atomic_path, check_folder
from mvgraph.report.figures.base import canvas, render
from mvgraph.report.markdown import escape, table

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def check_out(folder: str | Path, overwrite: bool = False) -> None:
    """Refuse a folder in which an audit would replace files that are none.

    Raises:
        UserError: naming a file that is there already.
    """
    # Every audit keeps its scores beside its figures, an interrupted one too.
    is_ours = (Path(folder) / SCORES).is_file()
    check_folder(folder, ("audit.md", "audit.json", "audit.png"), is_ours, overwrite)


def write(found: Findings, folder: str | Path) -> Path:
    """Write the three files and return the path of the Markdown; the same findings give the same bytes.

    Raises:
        UserError: the folder cannot be written to.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "audit.json") as temporary:
        temporary.write_text(json.dumps(found.to_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with atomic_path(folder / "audit.png") as temporary:
        temporary.write_bytes(picture(found))
    with atomic_path(folder / "audit.md") as temporary:
        temporary.write_text(document(found), encoding="utf-8")
    return folder / "audit.md"


def document(found: Findings) -> str:
    """The audit as Markdown; it ends with the sentence."""
    parts = [f"# What the graph's gain is made of: {escape(found.title)}\n"]
    settings = found.settings
    train, validation, test = settings["sizes"]
    graph = settings["graph"] or {"k": "unknown"}
    parts.append(
        f"{settings['rows']} rows, {train} to train on, {validation} to validate, {test} to test "
        f"({escape(settings['split'])} split); k = {escape(graph['k'])}; seeds {escape(settings['seeds'])}.\n"
    )
    for each in tables(found):
        parts.append(f"## {escape(each['title'])}\n")
        rows = [[escape(cell) for cell in row] for row in each["rows"]]
        parts.append(table(each["heads"], rows, left=2) if rows else "None.\n")
        parts.append(f"{escape(each['caption'])}\n")
    parts.append(f"![{escape(found.sentence)}](audit.png)\n")
    parts.append(f"**{escape(found.sentence)}**\n")
    return "\n".join(parts)


def picture(found: Findings) -> bytes:
    """Shares of own-group neighbours on the left, accuracies with fewer and fewer edges on the right: a PNG."""
    shares = [
        (f"{kind}, {view}", share["own"] or 0.0, share["chance"])
        for kind, views in found.figures["neighbours"].items()
        for view, share in views.items()
    ]
    methods = list(dict.fromkeys(score.method for score in found.scores))
    with canvas(10.5, max(3.4, 1.2 + 0.36 * max(len(shares), len(found.scores)))) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
        for y, (_, own, chance) in enumerate(reversed(shares)):
            left.barh(y, 100 * own, color="#0072b2", height=0.6)
            left.plot([100 * chance] * 2, [y - 0.4, y + 0.4], color="#222222", lw=1.5)
            left.annotate(f"{100 * own:.1f}", (100 * own, y), (3, 0), textcoords="offset points", va="center")
        left.set_yticks(range(len(shares)), [name for name, _, _ in reversed(shares)])
        left.set_xlim(0, max(100 * own for _, own, _ in shares) * 1.2 + 1)
        left.set_title("Neighbours from the own group")
        left.set_xlabel("percent of a test row's neighbours (line: by chance)")
        left.grid(axis="y", visible=False)
        names = []
        for y, score in enumerate(reversed(found.scores)):
            words = VARIANTS[score.variant].format(group=found.group) if score.variant else "no graph"
            names.append(f"{score.method}: {words}")
            colour = _COLOURS[methods.index(score.method) % len(_COLOURS)]
            right.plot(100 * score.mean, y, "o", color=colour, ms=7)
            averaged = 100 * fmean(score.averaged_accuracy)
            right.plot(averaged, y, "D", mfc="white", mec=colour, ms=5.5)
            right.plot([100 * score.mean, averaged], [y, y], color=colour, lw=1, alpha=0.5, zorder=0)
        right.set_yticks(range(len(names)), names)
        right.set_ylim(-0.6, len(names) - 0.4)
        right.set_title("Test accuracy")
        right.set_xlabel(f"percent (diamond: averaged over the {found.group})")
        right.grid(axis="y", visible=False)
        return render(figure)[0]
