"""`load`: names, paths, classes and data; and the base of named data sets."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import mvgraph.data.load as load_module  # noqa: F401
from mvgraph.data import Card, DataSet, MultiViewData, load, write_h5mu
from mvgraph.data.sets.mfeat import Mfeat
from mvgraph.errors import UserError


def make() -> MultiViewData:
    return MultiViewData.from_arrays({"a": np.ones((4, 2)), "b": np.ones((4, 1))}, [0, 0, 1, 1])


class Toy(DataSet):
    name = "toy"
    title = "Toy"
    source = "made up"
    licence = "CC0"
    citation = "Nobody."
    n_samples = 4
    n_classes = 2
    view_dims = MappingProxyType({"b": 1, "a": 2})

    @classmethod
    def read(cls) -> MultiViewData:
        return make()


def test_data_is_handed_back_and_classes_are_loaded() -> None:
    data = make()
    assert load(data) is data
    assert load(Toy).n_samples == 4
    assert load(f"{Mfeat.__module__}:Mfeat").name == "mfeat"


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.h5mu"
    write_h5mu(make(), path)
    monkeypatch.chdir(tmp_path)
    for source in (path, str(path), "mine.h5mu", "./mine.h5mu"):
        assert load(source).fingerprint == make().fingerprint
    (tmp_path / "upper.H5MU").write_bytes(path.read_bytes())
    assert load("upper.H5MU").n_views == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mfaet", "did you mean mfeat"),
        ("nowhere.h5mu", "There is no file nowhere.h5mu"),
        ("notes.txt", r"its ending must be one of .*\.h5mu"),
        ("some/folder", "its ending must be one of"),
        ("", "named by a string"),
        (3, "named by a string, a path or a data set class, not 3"),
        (dict, "is not a data set class"),
        ("os.path:join", "is not a data set class"),
    ],
)
def test_mistakes(source: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(source)


def test_a_loader_must_return_data() -> None:
    class Odd:
        @classmethod
        def load(cls) -> int:
            return 3

    with pytest.raises(UserError, match=r"Odd\.load\(\) must return MultiViewData, not int"):
        load(Odd)  # type: ignore[arg-type]


def test_summary_and_card_need_no_data() -> None:
    assert Toy.summary == "4 samples, 2 views (a 2, b 1), 2 classes"
    assert Toy.card() == Card("toy", "Toy", "made up", "CC0", "Nobody.")


def test_a_data_set_that_is_not_what_it_says() -> None:
    class Liar(Toy):
        n_samples = 5

        @classmethod
        def read(cls) -> MultiViewData:
            return make()

    with pytest.raises(UserError, match="'toy' declares samples 5, but its data has 4"):
        Liar.load()


def test_an_incomplete_class_is_refused_when_it_is_written() -> None:
    with pytest.raises(UserError, match="Bare lacks the class variable 'name'"):

        class Bare(DataSet):
            @classmethod
            def read(cls) -> MultiViewData:
                return make()
