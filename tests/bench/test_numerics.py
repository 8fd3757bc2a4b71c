"""Figures of today against those on file: whoever changes one raises the numerics version."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from mvgraph.numerics import NUMERICS
from mvgraph.registry import methods

pytest.importorskip("torch_geometric", reason="the golden figures hold one of its convolutions")

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "golden_figures.py"


@pytest.fixture(scope="module")
def golden() -> Any:
    spec = importlib.util.spec_from_file_location("golden_figures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def now(golden: Any) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = golden.figures()
    return found


def test_a_changed_figure_raises_the_numerics_version(golden: Any, now: dict[str, dict[str, float]]) -> None:
    on_file = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
    assert on_file["numerics"] == NUMERICS, (
        "run python scripts/golden_figures.py for the new numerics version"
    )
    changed = golden.differing(on_file["figures"], now)
    assert not changed, (
        f"figures of {', '.join(changed)} have changed, so old results must not answer for new ones: raise NUMERICS in "
        "mvgraph/numerics.py, then run python scripts/golden_figures.py"
    )
    assert set(on_file["figures"]) == set(now), (
        "run python scripts/golden_figures.py: what it covers has changed"
    )


def test_every_method_of_ours_is_on_file(now: dict[str, dict[str, float]]) -> None:
    ours = {entry.name for entry in methods if entry.origin == "mvgraph"}
    assert ours <= set(now)
    assert {"dm-gcn", "concat-logreg"} <= ours


def test_the_script_refuses_new_figures_under_the_old_version(
    golden: Any,
    now: dict[str, dict[str, float]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    other = copy.deepcopy(now)
    other["dm-gcn"]["log_loss"] += 0.01
    path = tmp_path / "figures.json"
    monkeypatch.setattr(golden, "GOLDEN", path)
    monkeypatch.setattr(golden, "figures", lambda: now)
    path.write_text(json.dumps({"numerics": NUMERICS, "figures": other}))
    assert golden.main() == 1
    assert f"Figures of dm-gcn have changed: raise NUMERICS in mvgraph/numerics.py to {NUMERICS + 1}" in (
        capsys.readouterr().err
    )
    path.write_text(json.dumps({"numerics": NUMERICS - 1, "figures": other}))
    assert golden.main() == 0
    assert json.loads(path.read_text()) == {"numerics": NUMERICS, "figures": now}
