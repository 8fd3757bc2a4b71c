"""The direction of imports: a room knows only the rooms below it, and baselines only what is public."""

from __future__ import annotations

from pathlib import Path

import pytest
import source
from source import BASELINES, PACKAGE, ROOMS, files, imports, room, shown

from mvgraph import registry


def test_every_room_has_its_place() -> None:
    found = {name for path in files(PACKAGE) if (name := room(path)) is not None}
    assert found <= set(ROOMS), f"give {sorted(found - set(ROOMS))} a place in ROOMS and in CONTRIBUTING.md"


def against_the_direction(path: Path, here: str) -> list[str]:
    """Imports of a file in room `here` that reach for a later room, or for the baselines."""
    later = ROOMS[ROOMS.index(here) + 1 :]
    found = []
    for line, name in imports(path):
        parts = [*name.split("."), ""]
        if (parts[0] == "mvgraph" and parts[1] in later) or parts[0] == "mvgraph_baselines":
            found.append(f"{shown(path)}:{line} imports {name} into {here}")
    return found


def test_a_room_imports_only_from_rooms_before_it() -> None:
    placed = [(path, here) for path in files(PACKAGE) if (here := room(path)) is not None]
    assert len(placed) > 50
    assert [problem for path, here in placed for problem in against_the_direction(path, here)] == []


def test_a_wrong_direction_is_seen_wherever_it_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "mvgraph" / "data" / "wrong.py"
    wrong.parent.mkdir(parents=True)
    wrong.write_text(
        "from mvgraph import registry, training\n"
        "import mvgraph.bench.ledger\n"
        "import mvgraph_baselines\n"
        "def late():\n"
        "    from ..graph import knn\n"
        "    from . import splits\n"
    )
    monkeypatch.setattr(source, "ROOT", tmp_path)
    assert sorted(text.split()[2] for text in against_the_direction(wrong, "data")) == [
        "mvgraph.bench.ledger",
        "mvgraph.graph.knn",
        "mvgraph.training",
        "mvgraph_baselines",
    ]


def test_baselines_import_nothing_private() -> None:
    private = [
        f"{shown(path)}:{line} imports {name}"
        for path in files(BASELINES)
        for line, name in imports(path)
        if name.startswith("mvgraph.") and any(part.startswith("_") for part in name.split("."))
    ]
    assert private == []


def test_baselines_come_by_entry_points_alone() -> None:
    for resolver in (registry.methods, registry.datasets, registry.controls, registry.encoders):
        assert not [ref for ref in resolver.builtin.values() if ref.startswith("mvgraph_baselines")]
    from_outside = set(registry.methods.names()) - set(registry.methods.builtin)
    assert {"concat-logreg", "concat-mlp", "late-fusion", "best-view", "label-spreading"} <= from_outside
    assert {"identity", "shuffled"} <= set(registry.controls.names())
