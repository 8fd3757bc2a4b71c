from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mvgraph.bench.suite import Suite, as_suite, find_source, load_suite, parse_suite
from mvgraph.errors import UserError

GOOD = "name: s\ndatasets: [mfeat]\nmethods: [dm-gcn]\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_short_and_long_forms_mean_the_same(tmp_path: Path) -> None:
    short = load_suite(written(tmp_path, "name: s\ndatasets: mfeat\nmethods: dm-gcn\nseeds: [0]\n"))
    long = parse_suite(
        {
            "name": "s",
            "datasets": ["mfeat"],
            "methods": [{"method": "dm-gcn"}],
            "splits": [{"scheme": "label-rate", "rate": 0.1, "validation": 0.2, "n": 5, "seed": 0}],
            "seeds": [0],
            "scaling": {"kind": "zscore", "scope": "all"},
            "limits": {"seconds": 600, "memory_mib": 8192},
            "selection": "last",
            "rank_by": "accuracy",
        }
    )
    assert short == long
    assert parse_suite(short.to_json()) == short


def test_a_suite_is_frozen() -> None:
    suite = parse_suite({"name": "s", "datasets": ["mfeat"], "methods": ["dm-gcn"]})
    with pytest.raises(ValueError, match="frozen"):
        suite.name = "other"  # type: ignore[misc]


def test_numbers_without_a_dot_are_numbers(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, GOOD + "training: {lr: 5e-4, weight_decay: 1E-5}\n"))
    assert suite.training == {"lr": 5e-4, "weight_decay": 1e-5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: s\ndatasets: [mfeat]\n", ["s.yaml", "'methods'", "missing"]),
        (GOOD + "splitz: {n: 3}\n", ["'splitz'", "did you mean 'splits'"]),
        (GOOD + "splits: {ratio: 0.1}\n", ["splits.0.ratio", "did you mean 'rate'"]),
        (GOOD + "splits: {rate: much}\n", ["splits.0.rate", "'much'"]),
        (GOOD + "scaling: {kind: z}\n", ["scaling.kind", "'zscore'"]),
        (GOOD + "seeds: []\n", ["seeds", "empty"]),
        (GOOD + "seeds: [a]\nselection: oracle\n", ["seeds.0", "'selection' is 'oracle'"]),
        (GOOD + "seeds: 3\n", ["'seeds' is 3", "say [3] for seed number 3", "[0, 1, 2] for 3 seeds"]),
        (GOOD + "seeds: 20\n", ["say [20] for seed number 20", "[0, 1, ..., 19] for 20 seeds"]),
        (GOOD + "seeds: [0, 1, 0]\n", ["seed 0 stands there twice"]),
        (GOOD.replace("[dm-gcn]", "[dm-gcn, dm-gcn]"), ["'methods'", "method 'dm-gcn' stands there twice"]),
        (GOOD.replace("[dm-gcn]", "[dm-gcn, {method: dm-gcn, seeds: 3}]"), ["methods.1.seeds", "say [3]"]),
        (GOOD.replace("[mfeat]", "[mfeat, mfeat]"), ["data set 'mfeat' stands there twice"]),
        (GOOD + "views: [pix, pix]\n", ["view 'pix' stands there twice"]),
        (GOOD + "splits: [{rate: 0.1}, {rate: 0.1}]\n", ["split {'rate': 0.1} stands there twice"]),
        (GOOD + "selection: oracle\n", ["selection", "'last'"]),
        (GOOD + "rank_by: luck\n", ["rank_by", "'macro-f1'"]),
        (GOOD + "limits: {seconds: -1}\n", ["limits.seconds", "-1"]),
        (GOOD + "name: t\n", ["'name' is given twice", "line 4"]),
        (GOOD.replace("name: s", "name: ../s"), ["name", "'../s'"]),
        ("name: [", ["line 1"]),
        ("- a\n", ["mapping"]),
        ("", ["mapping"]),
        ("a: !!python/object/apply:os.system [ls]\n", ["line 1", "python/object"]),
    ],
)
def test_a_mistake_is_one_sentence_that_names_file_and_key(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        load_suite(written(tmp_path, text))
    message = str(caught.value)
    assert "\n" not in message
    assert "s.yaml" in message
    for word in words:
        assert word in message


def test_an_unknown_key_explains_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_suite(written(tmp_path, "name: s\ndatasets: [mfeat]\nmethod: [dm-gcn]\n"))
    assert str(caught.value).endswith("s.yaml: unknown key 'method'; did you mean 'methods'?")
    with pytest.raises(UserError) as caught:
        load_suite(written(tmp_path, "name: s\nmethod: [dm-gcn]\nscaling: {kind: z}\nsplitz: 3\n"))
    told = str(caught.value)
    for part in ("'methods'?", "'splits'?", "key 'datasets' is missing.", "key 'scaling.kind' is 'z'"):
        assert part in told
    assert "key 'methods' is missing" not in told


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml cannot be read"):
        load_suite(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        load_suite(tmp_path / "binary.yaml")


def test_a_class_is_written_as_its_reference() -> None:
    from mvgraph.fusion.dm_gcn import DMGCN

    suite = parse_suite(
        {"name": "s", "datasets": ["mfeat"], "methods": [DMGCN, {"method": DMGCN, "label": "b"}]}
    )
    assert [entry.method for entry in suite.methods] == ["mvgraph.fusion.dm_gcn:DMGCN"] * 2
    assert suite.methods[1].shown == "b"


def test_paths_start_from_the_suite_file(tmp_path: Path) -> None:
    (tmp_path / "own.h5mu").touch()
    _, base = as_suite(written(tmp_path, GOOD))
    assert find_source("own.h5mu", base) == str(tmp_path / "own.h5mu")
    assert find_source("mfeat", base) == "mfeat"
    assert find_source("elsewhere.h5mu", base) == "elsewhere.h5mu"
    assert as_suite(Suite(name="s", datasets=("mfeat",), methods=("dm-gcn",)))[1] is None  # type: ignore[arg-type]


def test_split_arguments_are_only_those_given() -> None:
    content: dict[str, Any] = {"name": "s", "datasets": ["mfeat"], "methods": ["dm-gcn"]}
    suite = parse_suite({**content, "splits": [{"scheme": "k-fold", "folds": 4}, {"scheme": "official"}]})
    assert [spec.arguments() for spec in suite.splits] == [{"folds": 4, "seed": 0}, {"seed": 0}]
