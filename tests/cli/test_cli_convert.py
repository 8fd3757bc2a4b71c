"""`mvgraph data convert`, and `mvgraph data show` of files of other tools."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mvgraph.cli.output import percent
from mvgraph.data import ImportOptions, MultiViewData, convert, load, write_h5mu
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
        convert("m.h5mu", "m.h5mu", overwrite=True)


def test_a_data_set_is_called_as_its_file_or_as_said(npz: Path, ask: Callable[..., Any]) -> None:
    assert "name      mine" in ask("data", "convert", "m.npz", "mine.h5mu", "--labels", "kind").out
    assert load("mine.h5mu").name == "mine"
    assert load("mine.h5mu").card.source == "imported from m.npz"
    assert ask("data", "convert", "mine.h5mu", "again.h5mu", "--name", "my scenes").code == 0
    again = load("again.h5mu")
    assert again.name == "my scenes"
    assert again.card.source == "imported from m.npz; converted from the data set 'mine'"
    assert again.fingerprint == load("mine.h5mu").fingerprint
    # A data set that has a card keeps what the card says.
    digits = convert("mfeat", "digits.h5mu").card
    assert load("digits.h5mu").card == digits
    was = load("mfeat").card
    assert (digits.name, digits.title, digits.licence) == ("digits", was.title, was.licence)
    assert digits.source == f"{was.source}; converted from the data set 'mfeat'"
    with pytest.raises(UserError, match="name of a data set"):
        convert("mfeat", "x.h5mu", name=" ")
    # What never got a name goes by its file as well.
    write_h5mu(MultiViewData.from_arrays({"a": np.eye(4)}, [0, 1, 0, 1]), "plain.h5mu")
    assert load("plain.h5mu").name == "plain"


def test_an_output_is_replaced_only_on_demand(
    npz: Path, ask: Callable[..., Any], sentence: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("data", "convert", "m.npz", "m.h5mu", "--labels", "kind")
    Path("m.h5mu").write_text("mine")
    with monkeypatch.context() as patch:
        # Refused before anything is read.
        patch.setattr(sys.modules["mvgraph.data.convert"], "load", lambda *_: pytest.fail("read"))
        said = sentence(*words)
        assert "m.h5mu is there already" in said
        assert "--force" in said
        with pytest.raises(UserError, match="is there already"):
            convert("m.npz", "m.h5mu", ImportOptions(labels="kind"))
        assert "there is no folder" in sentence("data", "convert", "m.npz", "gone/m.h5mu")
        Path("taken.h5mu").mkdir()
        assert "it is a folder" in sentence("data", "convert", "m.npz", "taken.h5mu", "--force")
    assert Path("m.h5mu").read_text() == "mine"
    # A refusal on the way leaves the old file as it was.
    assert "Nothing" not in sentence("data", "convert", "m.npz", "m.h5mu", "--labels", "nothing", "--force")
    assert Path("m.h5mu").read_text() == "mine"
    assert ask(*words, "--force").code == 0
    assert load("m.h5mu").n_samples == 8


def test_a_folder_in_which_some_samples_lack_a_view(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[..., Any],
    sentence: Callable[..., str],
) -> None:
    monkeypatch.chdir(tmp_path)
    random, kinds = np.random.default_rng(0), np.arange(40) % 3
    folder = tmp_path / "scenes"
    folder.mkdir()
    audio = random.normal(size=(40, 6)).astype(np.float32)
    audio[::10] = np.nan
    np.save(folder / "audio", audio)
    np.save(folder / "video", random.normal(size=(40, 4)).astype(np.float32))
    lines = [f"clip{i}.wav,{('bus', 'park', 'tram')[kind]}" for i, kind in enumerate(kinds)]
    (folder / "labels.csv").write_text("file,label\n" + "\n".join(lines))

    said = sentence("data", "convert", "scenes", "scenes.h5mu")
    assert "View 'audio' has 4 rows of NaN alone, the first at row 0 (id 'clip0.wav')" in said
    (option,) = re.findall(r"say (--[a-z-]+)", said)
    answer = ask("data", "convert", "scenes", "scenes.h5mu", option)
    assert answer.code == 0, answer
    share = "audio 90.0 %, video 100.0 % of samples; 36 of 40 complete"
    assert f"observed  {share}" in answer.out
    data = load("scenes.h5mu")
    assert np.flatnonzero(~data.observed[:, 0]).tolist() == [0, 10, 20, 30]
    np.testing.assert_array_equal(data.views["audio"], np.nan_to_num(audio))
    assert data.ids[:2].tolist() == ["clip0.wav", "clip1.wav"]
    assert [data.classes[label] for label in data.labels[:3]] == ["bus", "park", "tram"]
    shown = ask("data", "show", "scenes.h5mu", "--no-fingerprint").out
    assert share in shown
    assert re.search(r"^audio +6 +90\.0$", shown, re.MULTILINE)
    # The same by a mask.
    seen = ["id,audio", *(f"clip{i}.wav,{int(i % 10 > 0)}" for i in range(40))]
    Path("seen.csv").write_text("\n".join(seen))
    assert ask("data", "convert", "scenes", "masked.h5mu", "--observed", "seen.csv").code == 0
    assert load("masked.h5mu").fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0"), (1e-6, "0.1"), (0.5, "50.0"), (0.99999, "99.9"), (1.0, "100.0")],
)
def test_only_all_is_written_as_all(share: float, text: str) -> None:
    assert percent(share) == text
