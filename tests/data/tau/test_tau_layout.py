"""The data set's tables: both locations of the meta folder, tabs, CRLF, and one sentence for damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvgraph.data.tau import layout
from mvgraph.data.tau.layout import CLASSES, clip_from_files, read_table, write_tables
from mvgraph.data.tau.read import read_tau
from mvgraph.data.tau.simulate import plan
from mvgraph.errors import UserError


def tables(root: Path, clips_per_class: int = 6) -> Path:
    train, test = plan(clips_per_class, seed=0)
    write_tables(root / layout.META_FOLDER, [j.clip for j in train], [j.clip for j in test])
    return root


def test_plan_has_disjoint_places_and_all_classes() -> None:
    train, test = plan(12, seed=0)
    assert len(train) + len(test) == 120
    assert not {j.clip.place for j in train} & {j.clip.place for j in test}
    for part in (train, test):
        assert {j.clip.label for j in part} == set(CLASSES)
    assert len({j.clip.name for j in train + test}) == 120
    assert len({j.clip.city for j in train}) == 10
    assert plan(12, seed=0) == (train, test)


def test_both_meta_locations(tmp_path: Path) -> None:
    inside = read_tau(tables(tmp_path / "a"))
    flat = tmp_path / "b"
    shutil.copytree(tmp_path / "a" / layout.META_FOLDER, flat)
    beside = read_tau(flat)
    assert inside.train == beside.train
    assert inside.test == beside.test
    assert inside.audio_path(inside.clips[0]) == tmp_path / "a" / inside.clips[0].audio


def test_tables_are_the_published_format(tmp_path: Path) -> None:
    folder = tables(tmp_path) / layout.META_FOLDER
    content = (folder / "meta.csv").read_bytes()
    assert content.startswith(b"filename_audio\tfilename_video\tscene_label\tidentifier\r\n")
    assert content.count(b"\r\n") == 61
    assert (folder / "evaluation_setup" / "fold1_test.csv").read_bytes().split(b"\r\n")[0] == (
        b"filename_audio\tfilename_video"
    )


def test_groups_and_labels(tmp_path: Path) -> None:
    data = read_tau(tables(tmp_path))
    groups = data.groups(data.clips)
    clip = data.clips[5]
    assert clip.name == f"{clip.label}-{clip.place}-{clip.name.split('-')[3]}"
    assert groups["location"][5] == clip.place
    assert data.classes[data.label(clip)] == clip.label
    rest = data.without({clip.name})
    assert len(rest.clips) == len(data.clips) - 1
    with pytest.raises(UserError, match="no training clip"):
        data.without({c.name for c in data.train})


def test_labels_of_the_test_part_may_come_from_meta(tmp_path: Path) -> None:
    root = tables(tmp_path)
    expected = read_tau(root)
    (root / layout.META_FOLDER / "evaluation_setup" / "fold1_evaluate.csv").unlink()
    assert read_tau(root).test == expected.test


def test_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for text in ("a\tb\r\n1\t2\r\n", "a\tb\n1\t2", "\ufeffa\tb\n1\t2\n\n"):
        path.write_bytes(text.encode())
        assert read_table(path, ["a", "b"]) == [{"a": "1", "b": "2"}]


def damaged(root: Path, table: str, old: str, new: str) -> None:
    path = root / layout.META_FOLDER / "evaluation_setup" / table
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))


@pytest.mark.parametrize(
    ("old", "new", "pattern"),
    [
        ("\t", ",", "lacks the column 'filename_audio'.*tab separated"),
        ("scene_label", "label", "lacks the column 'scene_label'"),
        ("\tairport\r\n", "\tbeach\r\n", "line 2: 'beach' is none of the ten classes"),
        ("\tairport\r\n", "\r\n", "line 2: 2 cells under 3 columns"),
        ("audio/airport-", "audio/airport", "line 2: .*not of the same clip"),
        ("audio/", "../../etc/", "not a path inside the audio folder"),
    ],
)
def test_damaged_tables_are_one_sentence(tmp_path: Path, old: str, new: str, pattern: str) -> None:
    root = tables(tmp_path)
    damaged(root, "fold1_train.csv", old, new)
    with pytest.raises(UserError, match=pattern) as caught:
        read_tau(root)
    assert "\n" not in str(caught.value)


def test_shared_locations_and_repeated_clips_are_refused(tmp_path: Path) -> None:
    setup = tables(tmp_path) / layout.META_FOLDER / "evaluation_setup"
    train = setup / "fold1_train.csv"
    original = train.read_bytes()
    train.write_bytes(original + original.split(b"\r\n")[1] + b"\r\n")
    with pytest.raises(UserError, match="more than once"):
        read_tau(tmp_path)
    row = (setup / "fold1_evaluate.csv").read_text().split("\n")[1].strip()
    train.write_bytes(original + row.replace(".wav", "9.wav").replace(".mp4", "9.mp4").encode() + b"\r\n")
    with pytest.raises(UserError, match="in both parts"):
        read_tau(tmp_path)


def test_missing_folder_and_missing_tables(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        read_tau(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"fold1_train\.csv"):
        read_tau(tmp_path)


@given(st.binary(max_size=400))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_a_table_are_rows_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    try:
        rows = read_table(path, [])
    except UserError as error:
        message = str(error)
    else:
        message = "fuzz.csv"
        assert all(isinstance(value, str) for row in rows for value in row.values())
    assert "fuzz.csv" in message


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_names_give_a_clip_or_one_sentence(audio: str, video: str) -> None:
    try:
        clip = clip_from_files(audio, video, "", "table, line 2")
    except UserError as error:
        assert str(error).startswith("table, line 2")  # noqa: PT017
    else:
        assert ".." not in Path(clip.audio).parts
