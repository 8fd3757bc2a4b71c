"""Data sets of a suite that are objects: the same cells as from a file, continued with the same object alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mvgraph.bench import Ledger, run_suite
from mvgraph.bench.executor import SerialExecutor
from mvgraph.bench.given import set_aside
from mvgraph.data import Card, MultiViewData
from mvgraph.errors import UserError


@pytest.fixture
def small(suite: dict[str, Any]) -> dict[str, Any]:
    return {**suite, "methods": ["concat-logreg", "dm-gcn"]}


def run(suite: dict[str, Any], out: Path, **keys: Any) -> Any:
    return run_suite(suite, out, **{"progress": "none", "mirror": False, **keys})


def test_an_object_gives_the_cells_of_its_file(
    small: dict[str, Any], tiny: Callable[..., MultiViewData], tmp_path: Path
) -> None:
    data = tiny()
    first = run({**small, "datasets": [data]}, tmp_path / "run", limit=1)
    assert (first.done, first.failed, first.missing) == (1, 0, 3)
    again = run({**small, "datasets": data}, tmp_path / "run")
    assert (again.cached, again.done, again.missing) == (1, 3, 0)
    # The ids are those of the file, so that a run begun with an object goes on with the saved data.
    assert run(small, tmp_path / "run").cached == 4
    html = again._repr_html_()
    for text in ("concat-logreg", "dm-gcn", again.sentence()):
        assert text in html


def test_the_ledger_keeps_name_and_fingerprint_and_asks_for_the_object(
    small: dict[str, Any], tiny: Callable[..., MultiViewData], tmp_path: Path
) -> None:
    data = tiny()
    run({**small, "datasets": [data]}, tmp_path, limit=1)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        kept = ledger.suite()
    text = f"object:tiny#{data.fingerprint.digest[:16]}"
    assert kept["datasets"] == [text]
    with pytest.raises(UserError, match=r"Data set 'tiny' .* was given as an object.* again") as caught:
        run(kept, tmp_path)
    assert data.fingerprint.digest[:16] in str(caught.value)


def test_views_are_chosen_from_an_object_and_files_stand_beside_it(
    small: dict[str, Any], tiny: Callable[..., MultiViewData], tmp_path: Path
) -> None:
    other = tiny(1).with_card(Card(name="other"))
    mixed = {**small, "datasets": [*small["datasets"], other], "views": ["far"], "methods": "concat-logreg"}
    assert run(mixed, tmp_path).done == 4
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        cells = [record["cell"] for record in ledger.records()]
    assert {cell["dataset"] for cell in cells} == {"tiny", "other"}
    assert {tuple(cell["views"]) for cell in cells} == {("far",)}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [([""], "data set 0 is an object without a name"), (["a", "a"], "two data sets .* are named 'a'")],
)
def test_objects_need_names_of_their_own(
    names: list[str], sentence: str, tiny: Callable[..., MultiViewData]
) -> None:
    listed = [tiny(seed).with_card(Card(name=name)) for seed, name in enumerate(names)]
    with pytest.raises(UserError, match=sentence):
        set_aside({"name": "s", "datasets": listed})


def test_another_executor_has_no_objects(
    small: dict[str, Any], tiny: Callable[..., MultiViewData], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="run in this process only"):
        run({**small, "datasets": [tiny()]}, tmp_path / "run", executor=SerialExecutor())
    assert not (tmp_path / "run").exists()
