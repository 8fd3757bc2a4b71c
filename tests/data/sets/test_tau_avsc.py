"""`tau-avsc`: embeddings that a reproduction made, found through an environment variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvgraph.data import MultiViewData, load, write_h5mu
from mvgraph.data.sets.tau_avsc import FILE, VARIABLE, TauAvsc
from mvgraph.data.tau.embeddings import simulated_embeddings
from mvgraph.errors import UserError


@pytest.fixture
def made(tmp_path: Path) -> MultiViewData:
    data = simulated_embeddings(fraction=0.01)
    (tmp_path / "out" / "embeddings-1").mkdir(parents=True)
    write_h5mu(data, tmp_path / "out" / "embeddings-1" / FILE)
    return data


@pytest.mark.parametrize("below", ["out", f"out/embeddings-1/{FILE}"])
def test_the_file_or_a_folder_above_it_is_named(
    made: MultiViewData, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / below))
    assert TauAvsc.at_hand()
    found = load("tau-avsc")
    assert found.fingerprint == made.fingerprint
    assert found.card == TauAvsc.card()


def test_each_mistake_is_one_sentence(
    made: MultiViewData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not TauAvsc.at_hand()
    with pytest.raises(UserError, match="exists only after its encoders were trained"):
        load("tau-avsc")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="holds no file"):
        load("tau-avsc")
    (tmp_path / "out" / "embeddings-2").mkdir()
    write_h5mu(made.select_views(["audio"]), tmp_path / "out" / "embeddings-2" / FILE)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "out"))
    with pytest.raises(UserError, match="holds 2 files"):
        load("tau-avsc")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "out" / "embeddings-2" / FILE))
    with pytest.raises(UserError, match=r"names a file with \{'audio': 128\}"):
        load("tau-avsc")


def test_generated_embeddings_keep_saying_so(
    made: MultiViewData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    path = tmp_path / "out" / "embeddings-1" / FILE
    card = replace(made.card, name="avsc-generated", title="GENERATED clips")
    path.unlink()
    write_h5mu(made.with_card(card), path)
    monkeypatch.setenv(VARIABLE, str(path))
    assert load("tau-avsc").card.title == "GENERATED clips"
