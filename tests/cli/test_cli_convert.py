"""`mvgraph data convert`, and `mvgraph data show` of files of other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mvgraph.data import ImportOptions, convert, load
from mvgraph.errors import UserError

LABELS = np.arange(8) % 2


@pytest.fixture
def npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.savez("m.npz", a=np.arange(24.0).reshape(3, 8), b=np.ones((8, 2)), kind=LABELS, who=LABELS)
    return tmp_path / "m.npz"


def test_an_npz_is_converted(npz: Path, ask: Callable[..., object], sentence: Callable[..., str]) -> None:
    assert "say --labels NAME" in sentence("data", "convert", "m.npz", "m.h5mu")
    assert not Path("m.h5mu").exists()
    answer = ask("data", "convert", "m.npz", "m.h5mu", "--labels", "kind", "--group-column", "who")
    assert answer.code == 0, answer
    assert "m.h5mu" in answer.out
    assert "8, of which 8 labelled" in answer.out
    assert "a 3, b 2" in answer.out
    data = load("m.h5mu")
    np.testing.assert_array_equal(data.views["a"], np.arange(24, dtype="f4").reshape(3, 8).T)
    assert data.groups["who"].tolist() == [str(label) for label in LABELS]
    assert data.card.source == "imported from m.npz"


def test_a_view_that_float32_cannot_hold_is_told(npz: Path, ask: Callable[..., object]) -> None:
    stamps = 1e8 + np.random.default_rng(0).normal(size=(8, 2))
    np.savez("t.npz", time=stamps, b=np.ones((8, 2)), y=LABELS)
    said = "View 'time' is held in float64: column 0 has an offset of 1e+08 and a spread of"
    answer = ask("data", "convert", "t.npz", "t.h5mu")
    assert said in " ".join(answer.out.split())
    assert said in " ".join(ask("data", "show", "t.npz").out.split())
    for options in ([], ["--no-fingerprint"]):
        assert said in " ".join(ask("data", "show", "t.h5mu", *options).out.split())
    assert "float64" not in ask("data", "show", "t.npz", "--no-fingerprint").out
    np.testing.assert_array_equal(load("t.h5mu").views["time"], stamps)


def test_a_table_is_shown_and_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., object]
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"label": LABELS, "a_0": 1.0, "a_1": LABELS, "b": 2.0, "c": 3}).to_csv("t.csv", index=False)
    views = ("--view", "x=a_*", "--view", "y=b,c")
    shown = ask("data", "show", "t.csv", *views)
    assert shown.code == 0, shown
    assert ask("data", "convert", "t.csv", "t.h5mu", *views, "--compact").code == 0
    assert load("t.h5mu").view_dims == {"x": 2, "y": 2}
    assert load("t.h5mu").fingerprint.digest in shown.out
    assert ask("data", "convert", "t.csv", "n.h5mu", "--view", "x=a_0", "--no-labels").code == 0
    assert "Not imported from the file: label, a_1, b, c" in load("n.h5mu").card.notes[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("m.h5", "--labels", "kind"), "must end in .h5mu"),
        (("m.h5mu", "--view", "a"), "--view must be written VIEW=KEY"),
        (("m.h5mu", "--view", "=a"), "--view must be written VIEW=KEY"),
        (("m.h5mu", "--labels", "kind", "--no-labels"), "contradict each other"),
        (("m.h5mu", "--transpose", "--transpose-view", "a"), "Say either --transpose"),
        (
            ("m.h5mu", "--labels", "kind", "--no-transpose"),
            "view 'a' is 3 x 8, so that its rows are not the 8 samples",
        ),
        (("gone/m.h5mu", "--labels", "kind"), "there is no folder"),
        (("m.h5mu", "--lables", "kind"), "--labels"),
    ],
)
def test_mistakes(npz: Path, sentence: Callable[..., str], words: tuple[str, ...], message: str) -> None:
    assert message in sentence("data", "convert", "m.npz", *words)
    assert not list(npz.parent.glob("*.h5mu"))


def test_transposing_one_view(npz: Path, ask: Callable[..., object]) -> None:
    np.savez("s.npz", a=np.arange(64.0).reshape(8, 8), b=np.ones((8, 2)), y=LABELS)
    assert ask("data", "convert", "s.npz", "s.h5mu", "--transpose-view", "a").code == 0
    np.testing.assert_array_equal(load("s.h5mu").views["a"], np.arange(64, dtype="f4").reshape(8, 8).T)


def test_a_file_is_not_converted_onto_itself(npz: Path) -> None:
    convert(npz, "m.h5mu", ImportOptions(labels="kind"))
    with pytest.raises(UserError, match="is the file that is read"):
        convert("m.h5mu", "m.h5mu")
