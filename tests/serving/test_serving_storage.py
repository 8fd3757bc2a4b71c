"""Save and load: the same answers from another process, no pickle, and damage that ends in a sentence."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from clouds import clouds, mask, partly, quick

from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.errors import UserError
from mvgraph.fusion.mean_gcn import MeanGCN
from mvgraph.serving import MultiViewClassifier, join_views

METHODS: list[tuple[str, dict[str, Any]]] = [
    ("dm-gcn", {}),
    ("dm-gcn", {"fused": "snf", "kernel": "self-tuning", "graph": {"scale_neighbour": 2}}),
    ("at-gcn", {"scaling": "minmax", "symmetrise": "directed", "k": {"sight": 3, "sound": 4, "text": 5}}),
    ("pyg:SAGEConv", {"scaling": "l2", "kernel": "cosine"}),
    ("mlp-late", {"options": {"weights": "learned", "hidden": [5]}}),
    ("label-spreading", {"scaling": "none"}),
    ("snf", {}),
    ("gcca", {"options": {"components": 2}}),
    ("hist-gradient-boosting", {"options": {"max_iter": 4}}),
    ("best-view", {"validation": 0.3}),
]


@pytest.mark.parametrize(("method", "parameters"), METHODS, ids=lambda value: str(value)[:30])
def test_the_same_answers(method: str, parameters: dict[str, Any], tmp_path: Path) -> None:
    views, y = clouds()
    later, _ = clouds(7, seed=3)
    seen, asked = mask(48, 1), mask(7, 2)
    clf = quick(method, epochs=5, **parameters).fit(views, partly(y), observed=seen)
    again = MultiViewClassifier.load(clf.save(tmp_path / "saved"))
    np.testing.assert_allclose(
        again.predict_proba(later, observed=asked), clf.predict_proba(later, observed=asked), atol=1e-12
    )
    np.testing.assert_array_equal(again.label_distributions_, clf.label_distributions_)
    np.testing.assert_array_equal(again.predict(views, observed=seen), clf.predict(views, observed=seen))
    assert again.curves_ == clf.curves_
    assert again.view_names_ == clf.view_names_
    for name, value in clf.get_params().items():
        assert again.get_params()[name] == value, name
    names = sorted(path.name for path in (tmp_path / "saved").iterdir())
    network = ["weights.safetensors"] if isinstance(clf.method_, torch.nn.Module) else []
    assert names == ["classifier.json", "rows.safetensors", *network]
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("labels", [["b", "a", "c"], [2.0, 5.0, 7.0], [7, 3, 5]])
def test_classes_keep_their_kind(labels: list[Any], tmp_path: Path) -> None:
    views, y = clouds()
    for target in (np.array(labels)[y], np.array(labels, dtype=object)[y]):
        clf = quick("concat-logreg").fit(views, target)
        again = MultiViewClassifier.load(clf.save(tmp_path / "saved", overwrite=True))
        assert again.classes_.dtype == clf.classes_.dtype
        assert again.classes_.tolist() == clf.classes_.tolist()
        assert again.score(views, target) == clf.score(views, target)


def test_tables_and_frames(tmp_path: Path) -> None:
    views, y = clouds()
    table, _ = join_views(views)
    frame = pd.DataFrame(table, columns=[f"c{i}" for i in range(9)])
    parts = {"a": slice(0, 4), "b": ["c4", "c5"], "c": (6, 7, 8)}
    clf = quick("concat-logreg", view_slices=parts).fit(frame, y)
    again = MultiViewClassifier.load(clf.save(tmp_path / "saved"))
    assert again.get_params()["view_slices"] == parts
    assert again.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_array_equal(again.predict_proba(frame + 1), clf.predict_proba(frame + 1))
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(frame.rename(columns={"c0": "x"}))
    frames = {name: pd.DataFrame(x).add_prefix("f") for name, x in views.items()}
    framed = MultiViewClassifier.load(quick("concat-logreg").fit(frames, y).save(tmp_path / "framed"))
    with pytest.raises(UserError, match="View 'text': column 0 is 'f1'"):
        framed.predict({**frames, "text": frames["text"][["f1", "f0"]]})


def test_another_process_answers_alike(tmp_path: Path) -> None:
    views, y = clouds()
    later, _ = clouds(4, seed=3)
    clf = quick(epochs=5).fit(views, y)
    clf.save(tmp_path / "saved")
    np.savez(tmp_path / "later.npz", **later)
    program = (
        "import sys, numpy as np, mvgraph as mv\n"
        "clf = mv.MultiViewClassifier.load(sys.argv[1] + '/saved')\n"
        "rows = dict(np.load(sys.argv[1] + '/later.npz', allow_pickle=False))\n"
        "np.save(sys.argv[1] + '/answers.npy', clf.predict_proba(rows))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), clf.predict_proba(later), atol=1e-12)


def test_pickles_for_process_pools() -> None:
    """joblib hands fitted estimators from process to process; no file of ours is one."""
    views, y = clouds()
    later, _ = clouds(4, seed=3)
    for method in ("dm-gcn", "snf", "sign"):
        clf = quick(method, epochs=3, kernel="self-tuning").fit(views, y)
        again = pickle.loads(pickle.dumps(clf))
        np.testing.assert_array_equal(again.predict_proba(later), clf.predict_proba(later))
        np.testing.assert_array_equal(again.predict_proba(views), clf.predict_proba(views))


def test_a_class_that_is_not_registered_is_passed(tmp_path: Path) -> None:
    class MyFusion(MeanGCN):
        name = "my-fusion"

    views, y = clouds()
    clf = quick(MyFusion, epochs=3).fit(views, y)
    folder = clf.save(tmp_path / "saved")
    with pytest.raises(UserError, match="of method 'my-fusion', which is not registered here; pass method="):
        MultiViewClassifier.load(folder)
    again = MultiViewClassifier.load(folder, method=MyFusion)
    assert isinstance(again.method_, MyFusion)
    np.testing.assert_array_equal(again.predict_proba(views), clf.predict_proba(views))
    edit(folder, method="tests.serving.clouds:anything")
    with pytest.raises(UserError, match="not registered here"):
        MultiViewClassifier.load(folder)


def test_only_our_own_folders_are_replaced(tmp_path: Path) -> None:
    views, y = clouds()
    clf = quick("concat-logreg").fit(views, y)
    (tmp_path / "empty").mkdir()
    clf.save(tmp_path / "empty")
    other = quick("label-spreading").fit(views, y)
    with pytest.raises(UserError, match=r"holds a saved classifier already; choose .*, or overwrite=True"):
        other.save(tmp_path / "empty")
    assert MultiViewClassifier.load(tmp_path / "empty").method == "concat-logreg"
    other.save(tmp_path / "empty", overwrite=True)
    assert MultiViewClassifier.load(tmp_path / "empty").method == "label-spreading"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds something else than a saved classifier"):
        clf.save(tmp_path / "notes", overwrite=True)
    assert (tmp_path / "notes" / "thesis.txt").read_text() == "years of work"
    unsaved = quick("concat-logreg", view_slices=None).fit(views, y).set_params(graph={"k": object()})
    with pytest.raises(UserError, match="cannot be written as JSON"):
        unsaved.save(tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "notes"]
    with pytest.raises(ValueError, match="not fitted"):
        quick().save(tmp_path / "new")


# -- damage -------------------------------------------------------------------------------------


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "classifier.json"
    described = json.loads(path.read_text())
    described.update(changes)
    described = {name: value for name, value in described.items() if value is not None or name not in changes}
    path.write_text(json.dumps(described))


def swap(folder: Path, name: str, tensor: torch.Tensor | None) -> None:
    tensors = read_tensors(folder / "rows.safetensors")
    tensors.pop(name)
    write_tensors(tensors if tensor is None else {**tensors, name: tensor}, folder / "rows.safetensors")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    views, y = clouds()
    folder = tmp_path_factory.mktemp("saved")
    return {
        name: quick(name, epochs=2).fit(views, y).save(folder / name) for name in ("dm-gcn", "concat-logreg")
    }


def copy_of(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_damage_ends_in_a_sentence(saved: dict[str, Path], tmp_path: Path) -> None:
    cases: list[tuple[str, Any, str]] = [
        ("dm-gcn", lambda f: (f / "classifier.json").unlink(), "no saved classifier in"),
        ("dm-gcn", lambda f: (f / "classifier.json").write_text("{"), "is not JSON"),
        ("dm-gcn", lambda f: edit(f, format=99), "not a saved classifier of format 1"),
        ("dm-gcn", lambda f: (f / "rows.safetensors").unlink(), "no file .*rows.safetensors"),
        ("dm-gcn", lambda f: (f / "weights.safetensors").unlink(), "no file .*weights.safetensors"),
        ("dm-gcn", lambda f: (f / "weights.safetensors").write_bytes(b"\0" * 40), "weights.safetensors"),
        ("dm-gcn", lambda f: edit(f, layout=None), "is damaged: KeyError 'layout'"),
        ("dm-gcn", lambda f: edit(f, options={"hidden": [3]}), "is damaged: RuntimeError"),
        ("dm-gcn", lambda f: edit(f, options={"depth": 3}), "no option 'depth'"),
        ("dm-gcn", lambda f: edit(f, parameters={"method": "dm-gcn", "x": 1}), "is damaged: ValueError"),
        ("dm-gcn", lambda f: swap(f, "probabilities", None), "is damaged: KeyError 'probabilities'"),
        (
            "dm-gcn",
            lambda f: swap(f, "rows/text", torch.zeros(48, 3)),
            r"rows/text has shape \(48, 3\), not \(48, 2\)",
        ),
        ("dm-gcn", lambda f: swap(f, "adjacency/text/indptr", torch.arange(49)), "does not describe edges"),
        (
            "concat-logreg",
            lambda f: swap(f, "codes", torch.arange(48) % 3),
            "differs from what was saved by up to",
        ),
        ("concat-logreg", lambda f: edit(f, method="concat-logregg"), "not registered here"),
    ]
    for i, (name, harm, says) in enumerate(cases):
        folder = copy_of(saved[name], tmp_path / str(i))
        harm(folder)
        with pytest.raises(UserError, match=says) as raised:
            MultiViewClassifier.load(folder)
        assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="no saved classifier"):
        MultiViewClassifier.load(tmp_path / "nowhere")
