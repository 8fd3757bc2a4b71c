"""The classifier: what it may be given, what it answers, and the tools of scikit-learn around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from clouds import WIDTHS, clouds, mask, partly, quick
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mvgraph as mv
from mvgraph.data import Split
from mvgraph.errors import UserError
from mvgraph.serving import MultiViewClassifier, join_views


def same(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


# -- forms --------------------------------------------------------------------------------------


def test_all_forms_of_rows_are_one() -> None:
    views, y = clouds()
    later, _ = clouds(9, seed=3)
    names = sorted(WIDTHS)
    by_name = quick().fit(views, y)
    expected = by_name.predict_proba(later)
    assert by_name.view_names_ == tuple(names)
    assert by_name.n_features_in_ == sum(WIDTHS.values())

    listed = quick().fit([views[name] for name in names], y)
    assert listed.view_names_ == ("view0", "view1", "view2")
    same(listed.predict_proba([later[name] for name in names]), expected)

    table, slices = join_views(views)
    divided = quick(view_slices=slices).fit(table, y)
    same(divided.predict_proba(join_views(later)[0]), expected)

    frames = {name: pd.DataFrame(x).add_prefix(name) for name, x in views.items()}
    framed = quick().fit(frames, pd.Series(y))
    same(
        framed.predict_proba({name: pd.DataFrame(x).add_prefix(name) for name, x in later.items()}), expected
    )

    tensors = {name: torch.tensor(x) for name, x in views.items()}
    same(
        quick().fit(tensors, y).predict_proba({name: torch.tensor(x) for name, x in later.items()}), expected
    )

    data = mv.MultiViewData.from_arrays(views, y)
    whole = quick().fit(data)
    assert whole.classes_.tolist() == ["0", "1", "2"]
    same(whole.predict_proba(later), expected)
    same(whole.predict_proba(data), by_name.predict_proba(views))


def test_columns_by_name_number_and_slice() -> None:
    views, y = clouds()
    table = pd.DataFrame(join_views(views)[0], columns=[f"c{i}" for i in range(9)])
    expected = (
        quick(view_slices={"a": slice(0, 4), "b": slice(4, 9)}).fit(table.to_numpy(), y).label_distributions_
    )
    for parts in (
        {"a": [0, 1, 2, 3], "b": range(4, 9)},
        {"a": ["c0", "c1", "c2", "c3"], "b": slice(-5, None)},
        [slice(0, 4), slice(4, None)],
    ):
        found = quick(view_slices=parts).fit(table, y)
        same(found.label_distributions_, expected)
        assert found.feature_names_in_.tolist() == list(table.columns)
    refit = found.fit(table.to_numpy(), y)
    assert not hasattr(refit, "feature_names_in_")


def test_a_multiviewdata_without_some_labels_and_views() -> None:
    views, y = clouds()
    data = mv.MultiViewData.from_arrays(views, np.where(np.arange(48) < 30, y, -1), observed=mask(48, 1))
    clf = quick().fit(data)
    assert clf.classes_.tolist() == ["0", "1", "2"]
    observed = {name: data.observed[:, v] for v, name in enumerate(data.view_names)}
    same(
        quick().fit(views, np.where(np.arange(48) < 30, y, -1), observed=observed).label_distributions_,
        clf.label_distributions_,
    )


# -- equal to mv.fit, and to the equations ------------------------------------------------------


@pytest.mark.parametrize("method", ["dm-gcn", "at-gcn", "label-spreading", "concat-logreg", "concat-mlp"])
def test_rows_of_the_fit_get_what_mv_fit_gives(method: str) -> None:
    views, y = clouds()
    target = partly(y)
    clf = quick(method, random_state=5).fit(views, target)
    data = mv.scale_views(mv.MultiViewData.from_arrays(views, y), "zscore")
    result = mv.fit(
        method,
        data,
        Split(np.flatnonzero(target >= 0), [], np.flatnonzero(target < 0)),
        mv.build_graph(data, k=4),
        training={"epochs": 30, "lr": 1e-2, "evaluate_every": 30},
        seed=5,
    )
    np.testing.assert_allclose(clf.label_distributions_, result.probabilities(), atol=2e-6)
    np.testing.assert_array_equal(clf.transduction_, result.predict())
    same(clf.predict_proba(views), clf.label_distributions_)


def dense_dm_gcn(
    clf: MultiViewClassifier, old: dict[str, np.ndarray], new: dict[str, np.ndarray]
) -> np.ndarray:
    """Eq. 1-3 on the graph of the fit and the new rows, step by step in float64."""
    names = sorted(old)
    n, m = len(old[names[0]]), len(new[names[0]])
    laplacians = []
    scaled = []
    for name in names:
        mean, deviation = old[name].mean(axis=0), old[name].std(axis=0)
        x = np.vstack([old[name], new[name]])
        x = (x - mean) / deviation
        scaled.append(x)
        pairs = np.linalg.norm(x[:, None] - x[None], axis=2)
        mu = pairs[:n, :n].sum() / (n * (n - 1))
        directed = np.zeros((n + m, n + m))
        for i in range(n + m):
            others = [j for j in range(n) if j != i]
            for j in sorted(others, key=lambda j: pairs[i, j])[:4]:
                directed[i, j] = np.exp(-pairs[i, j] / mu)
        a = directed.copy()
        a[:n, :n] = np.maximum(directed[:n, :n], directed[:n, :n].T)
        a += np.eye(n + m)
        scale = np.diag(a.sum(axis=1) ** -0.5)
        laplacians.append(scale @ a @ scale)
    model: Any = clf.method_
    h = np.hstack(scaled)
    outputs = []
    for t, layer in enumerate(model.stack.layers):
        theta = np.exp(model.theta_logits[t].detach().numpy().astype(np.float64))
        mixed = sum(w * laplacian for w, laplacian in zip(theta / theta.sum(), laplacians, strict=True))
        h = np.maximum(mixed @ h @ layer.weight.detach().numpy() + layer.bias.detach().numpy(), 0)
        outputs.append(h)
    logits = (
        np.hstack(outputs) @ model.classifier.weight.detach().numpy().T
        + model.classifier.bias.detach().numpy()
    )
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_new_rows_by_the_equations() -> None:
    views, y = clouds()
    later, _ = clouds(7, seed=3)
    as_float32 = {name: x.astype(np.float32).astype(np.float64) for name, x in views.items()}
    new_float32 = {name: x.astype(np.float32).astype(np.float64) for name, x in later.items()}
    clf = quick(options={"hidden": (6, 5)}).fit(views, partly(y))
    expected = dense_dm_gcn(clf, as_float32, new_float32)
    np.testing.assert_allclose(clf.predict_proba(later), expected[48:], atol=1e-5)
    np.testing.assert_allclose(clf.label_distributions_, expected[:48], atol=1e-5)


# -- new rows -----------------------------------------------------------------------------------

METHODS = [
    "dm-gcn",
    "mean-gcn",
    "at-gcn",
    "pyg:GATConv",
    "pyg:ChebConv",
    "sign",
    "concat-mlp",
    "mlp-late",
    "label-spreading",
    "snf",
    "concat-logreg",
    "late-fusion",
    "best-view",
    "knn-concat",
    "hist-gradient-boosting",
    "gcca",
]


def fitted(method: str, missing: bool) -> MultiViewClassifier:
    views, y = clouds(60)
    options = {"hist-gradient-boosting": {"max_iter": 5}, "pyg:ChebConv": {"conv_options": {"K": 2}}}.get(
        method
    )
    observed = mask(60, 1) if missing else None
    return quick(method, options=options, epochs=8).fit(views, partly(y), observed=observed)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_a_batch_and_one_row_at_a_time_agree(method: str, missing: bool) -> None:
    clf = fitted(method, missing)
    later, _ = clouds(5, seed=9)
    observed = mask(5, 4) if missing else np.ones((5, 3), dtype=bool)
    batch = clf.predict_proba(later, observed=observed)
    np.testing.assert_allclose(batch.sum(axis=1), 1.0, atol=1e-12)
    alone = [
        clf.predict_proba({name: x[i : i + 1] for name, x in later.items()}, observed=observed[i : i + 1])[0]
        for i in range(5)
    ]
    same(batch, np.stack(alone))
    order = np.array([3, 0, 4, 2, 1])
    turned = clf.predict_proba({name: x[order] for name, x in later.items()}, observed=observed[order])
    same(turned, batch[order])


@pytest.mark.parametrize("method", ["dm-gcn", "snf", "pyg:ChebConv", "concat-mlp"])
def test_rows_of_the_fit_keep_their_answers_in_any_company(method: str) -> None:
    clf = fitted(method, False)
    views, _ = clouds(60)
    later, _ = clouds(3, seed=9)
    mixed = {name: np.vstack([later[name][:2], x[[5, 50]], later[name][2:]]) for name, x in views.items()}
    found = clf.predict_proba(mixed)
    same(found[[2, 3]], clf.label_distributions_[[5, 50]])
    same(found[[0, 1, 4]], clf.predict_proba(later))
    assert clf.predict(mixed).tolist() == clf.classes_[found.argmax(axis=1)].tolist()


def test_of_equal_rows_the_first_one_answers() -> None:
    views, y = clouds(60)
    twice = {name: np.vstack([x, x[:1]]) for name, x in views.items()}
    clf = quick().fit(twice, np.append(y, y[0]))
    found = clf.predict_proba({name: x[-1:] + 0.0 for name, x in twice.items()})
    same(found[0], clf.label_distributions_[0])


@pytest.mark.parametrize("method", METHODS)
def test_new_rows_of_separated_clouds_are_told_apart(method: str) -> None:
    views, y = clouds(90)
    later, truth = clouds(30, seed=11)
    options = {"pyg:ChebConv": {"conv_options": {"K": 2}}}.get(method)
    clf = quick(method, options=options, epochs=40).fit(views, partly(y))
    assert clf.score(later, truth) >= 0.85


def test_blocks_of_new_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    clf = fitted("dm-gcn", False)
    later, _ = clouds(11, seed=9)
    whole = clf.predict_proba(later)
    monkeypatch.setattr("mvgraph.serving.fitted.BLOCK_ROWS", 4)
    same(clf.predict_proba(later), whole)


@pytest.mark.parametrize("fused", [None, "snf"])
@pytest.mark.parametrize("kernel", ["exp", "self-tuning", "cosine"])
def test_any_graph_settings(kernel: str, fused: str | None) -> None:
    views, y = clouds(60)
    later, truth = clouds(12, seed=9)
    clf = quick(kernel=kernel, fused=fused, k={"sight": 3, "sound": 4, "text": 5}).fit(views, y)
    assert clf.score(later, truth) > 0.8
    same(clf.predict_proba({n: x[2:3] for n, x in later.items()}), clf.predict_proba(later)[2:3])
    assert list(clf.method_.theta()[0]) == sorted([*WIDTHS, *([fused] if fused else [])])  # type: ignore[attr-defined]


# -- labels -------------------------------------------------------------------------------------


def test_string_labels_and_unlabelled_rows() -> None:
    views, y = clouds()
    names = np.array(["bus", "tram", "park"])[y]
    target = np.where(partly(y) < 0, "-1", names)
    clf = quick("label-spreading").fit(views, target)
    assert clf.classes_.tolist() == ["bus", "park", "tram"]
    assert set(clf.predict(views)) <= set(clf.classes_)
    assert clf.transduction_.tolist() == clf.predict(views).tolist()
    assert clf.score(views, names) > 0.9
    known = target != "-1"
    assert clf.score(views, target) == np.mean(clf.predict(views)[known] == target[known])
    with pytest.raises(UserError, match="No row to be scored has a label"):
        clf.score(views, np.full(48, "-1"))


def test_minus_one_as_a_class() -> None:
    views, y = clouds(n_classes=2)
    target = np.where(y == 0, -1, 1)
    with pytest.raises(UserError, match="set unlabelled=None"):
        quick("concat-logreg").fit(views, target)
    clf = quick("concat-logreg", unlabelled=None).fit(views, target)
    assert clf.classes_.tolist() == [-1, 1]
    assert clf.score(views, target) > 0.9


def test_unlabelled_rows_help() -> None:
    """They are nodes of the graph: along two crescents a few labels reach all rows of later ones."""
    x, y = make_moons(300, noise=0.05, random_state=0)
    later, truth = make_moons(60, noise=0.05, random_state=1)
    few = np.full(300, -1)
    for c in range(2):
        few[np.flatnonzero(y == c)[:2]] = c
    known = few >= 0
    with_them = quick("label-spreading", options={"alpha": 0.99}).fit(
        {"a": x, "b": x @ [[0, 1], [-1, 1]]}, few
    )
    without = quick("label-spreading", k=1).fit(
        {"a": x[known], "b": x[known] @ [[0, 1], [-1, 1]]}, few[known]
    )
    rows = {"a": later, "b": later @ [[0, 1], [-1, 1]]}
    assert with_them.score(rows, truth) > 0.95 > 0.9 > without.score(rows, truth)


# -- training -----------------------------------------------------------------------------------


def test_validation_and_early_stopping() -> None:
    views, y = clouds(90)
    stopped = quick(
        validation=0.3, early_stopping=2, evaluate_every=1, epochs=400, selection="validation"
    ).fit(views, y)
    losses = stopped.curves_["validation_log_loss"]
    assert len(losses) < 400
    last = quick(validation=0.3, evaluate_every=1, epochs=12, lr=0.3).fit(views, y)
    best = quick(validation=0.3, evaluate_every=1, epochs=12, lr=0.3, selection="validation").fit(views, y)
    epoch = int(np.argmin(best.curves_["validation_log_loss"])) + 1
    replayed = quick(validation=0.3, evaluate_every=1, epochs=epoch, lr=0.3).fit(views, y)
    np.testing.assert_allclose(best.label_distributions_, replayed.label_distributions_, atol=1e-6)
    if epoch < 12:
        assert not np.allclose(best.label_distributions_, last.label_distributions_)


def test_random_state() -> None:
    views, y = clouds()
    first, second = (quick(random_state=3).fit(views, y).label_distributions_ for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, quick(random_state=4).fit(views, y).label_distributions_)
    state = [
        quick(random_state=np.random.RandomState(0)).fit(views, y).label_distributions_ for _ in range(2)
    ]
    np.testing.assert_array_equal(*state)
    before = np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    quick(random_state=3).fit(views, y)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index] # noqa: NPY002


def test_a_class_instead_of_a_name() -> None:
    from mvgraph.fusion.mean_gcn import MeanGCN

    views, y = clouds()
    same(
        quick(MeanGCN).fit(views, y).label_distributions_,
        quick("mean-gcn").fit(views, y).label_distributions_,
    )


def test_too_few_rows_for_k_take_all_with_a_warning() -> None:
    views, y = clouds(8)
    with pytest.warns(UserWarning, match="View 'sight' has 8 rows, too few for k = 50"):
        clf = quick(k=50, epochs=3).fit(views, y)
    assert clf.predict({name: x + 1 for name, x in views.items()}).shape == (8,)


# -- tools of scikit-learn ----------------------------------------------------------------------


def test_cross_validation_grid_search_clone_and_pipeline() -> None:
    views, y = clouds(90)
    table, slices = join_views(views)
    clf = quick(view_slices=slices, epochs=15)
    scores = cross_val_score(clf, table, y, cv=StratifiedKFold(3))
    assert scores.mean() > 0.85
    twin = clone(clf)
    assert twin is not clf
    assert str(twin.get_params()) == str(clf.get_params())
    search = GridSearchCV(
        clf, {"lr": [1e-4, 1e-2], "k": [3, 6], "options__dropout": [0.1], "epochs": [10]}, cv=2
    ).fit(table, y)
    assert search.best_params_["lr"] == 1e-2
    assert search.best_estimator_.method_.get_options()["dropout"] == 0.1
    assert search.score(table, y) > 0.85
    pipeline = make_pipeline(StandardScaler(), quick(view_slices=slices, scaling="none"))
    assert pipeline.fit(table, y).score(table, y) > 0.85
    pipeline.set_params(multiviewclassifier__options__hidden=(8, 4))
    assert pipeline.fit(table, y)[-1].method_.get_options()["hidden"] == (8, 4)


def test_unlabelled_rows_in_cross_validation() -> None:
    views, y = clouds(120)
    table, slices = join_views(views)
    scores = cross_val_score(
        quick("label-spreading", view_slices=slices), table, partly(y), cv=StratifiedKFold(3)
    )
    assert scores.mean() > 0.85


def test_set_params_keeps_other_options() -> None:
    clf = quick(options={"dropout": 0.1}).set_params(options__hidden=(4,), lr=0.5)
    assert clf.options == {"dropout": 0.1, "hidden": (4,)}
    assert clf.lr == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'learning'"):
        clf.set_params(learning=1)


def test_it_is_exported_lazily() -> None:
    assert mv.MultiViewClassifier is MultiViewClassifier


# -- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"method": "dm-gnc"}, "Unknown method 'dm-gnc'; did you mean dm-gcn"),
        ({"method": "dm-gcn@identity"}, "a control changes the graph.*serves 'dm-gcn'"),
        ({"kernel": "rbf"}, "kernel 'rbf' is unknown"),
        ({"scaling": "standard"}, "scaling='standard': choose one of"),
        ({"options": {"droput": 0.1}}, "no option 'droput'; did you mean 'dropout'"),
        ({"lr": -1.0}, "training.lr=-1.0"),
        ({"training": {"lr": 1.0}}, r"training\['lr'\]: 'lr' is a parameter of the classifier"),
        ({"training": {"batches": 1}}, "training has no option 'batches'"),
        ({"graph": {"radius": 1}}, "graph setting 'radius' is unknown"),
        ({"k": {"sight": 3}}, "k names no number of neighbours for view 'sound'"),
        ({"validation": 1.0}, "validation=1.0: give a share"),
        ({"early_stopping": 3}, "early_stopping needs validation rows"),
        ({"selection": "validation"}, "selection='validation' needs validation rows"),
        ({"selection": "oracle"}, "selection='oracle': choose last or validation"),
        ({"view_slices": [slice(0, 3)]}, "views given by name need none"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_wrong_parameters_end_in_a_sentence(parameters: dict[str, Any], says: str) -> None:
    views, y = clouds()
    with pytest.raises(UserError, match=says):
        quick(**parameters).fit(views, y)


@pytest.mark.parametrize(
    ("view_slices", "says"),
    [
        ({}, "names no view"),
        ({"a": slice(0, 20)}, "reaches to column 20, but there are 9"),
        ({"a": [3, 9]}, "names column 9, but there are 9"),
        ({"a": [1, 1]}, "names a column twice"),
        ({"a": slice(3, 3)}, "view 'a' has no column"),
        ({"a": ["c1"]}, "the table has no column names"),
        ({"a": [1.5]}, "give numbers, names or a slice"),
        ({"a/b": [1]}, "view name 'a/b' cannot be used"),
        ("a", "must map views to columns"),
    ],
)
def test_wrong_slices_end_in_a_sentence(view_slices: Any, says: str) -> None:
    views, y = clouds()
    with pytest.raises(UserError, match=says):
        quick(view_slices=view_slices).fit(join_views(views)[0], y)


def changed(views: dict[str, np.ndarray], **parts: Any) -> dict[str, Any]:
    return {name: value for name, value in {**views, **parts}.items() if value is not None}


def test_rows_that_do_not_fit_end_in_a_sentence() -> None:
    views, y = clouds()
    clf = quick("concat-logreg").fit(views, y)
    nan = views["sound"].copy()
    nan[3, 1] = np.nan
    cases: list[tuple[Any, dict[str, Any], str]] = [
        ({}, {}, "There is no view"),
        (dict.fromkeys(views), {}, "There is no view"),
        (changed(views, smell=views["text"]), {}, "no view 'smell'; the fit had sight, sound, text"),
        (changed(views, text=views["sound"]), {}, "View 'text' has 3 columns, but the fit had 2"),
        (changed(views, text=views["text"][:5]), {}, "View 'text' has 5 rows, but view 'sight' has 48"),
        (changed(views, sound=nan), {}, "View 'sound', row 3, column 1: the value is NaN"),
        (np.ones((3, 9)), {}, "fitted on the views sight, sound, text"),
        (views, {"observed": {"smell": np.ones(48)}}, "observed names view 'smell'"),
        (views, {"observed": {"text": np.ones(47)}}, "one entry for each of the 48 rows"),
        (views, {"observed": np.ones((48, 2))}, "48 x 3 booleans"),
        (views, {"observed": np.full((48, 3), 2)}, "48 x 3 booleans"),
        (views, {"observed": np.zeros((48, 3))}, "Row 0 has no view at all"),
    ]
    for rows, more, says in cases:
        with pytest.raises(UserError, match=says):
            clf.predict(rows, **more)
    table, slices = join_views(views)
    tabled = quick("concat-logreg", view_slices=slices).fit(table, y)
    with pytest.raises(UserError, match="fitted on one table of 9 columns"):
        tabled.predict(views)
    with pytest.raises(ValueError, match="X has 8 features, but MultiViewClassifier is expecting 9"):
        tabled.predict(table[:, :8])
    frames = {name: pd.DataFrame(x, columns=list("abcd")[: x.shape[1]]) for name, x in views.items()}
    framed = quick("concat-logreg").fit(frames, y)
    with pytest.raises(UserError, match="View 'text': column 0 is 'b', but was 'a' in the fit"):
        framed.predict({**frames, "text": frames["text"][["b", "a"]]})
    with pytest.raises(UserError, match="no view to join"):
        join_views({})
    with pytest.raises(UserError, match="View 'b' has 2 rows, but view 'a' has 3"):
        join_views({"a": np.ones((3, 1)), "b": np.ones((2, 1))})


def test_methods_that_cannot_answer_new_rows_say_so() -> None:
    from mvgraph.fusion import EstimatorMethod, Tags

    class Prior(EstimatorMethod):
        """Class frequencies."""

        name = "prior"
        tags = Tags(uses_graph=False, missing_views=False)

        def fit(self, data: Any, split: Any, graph: Any, seed: int) -> Prior:
            counts = np.bincount(data.labels[split.train], minlength=data.n_classes)
            self.answer_ = np.tile(counts / counts.sum(), (data.n_samples, 1))
            return self

        def predict_proba(self) -> np.ndarray:
            return self.answer_

        def parameter_count(self) -> int:
            return 0

    views, y = clouds()
    clf = quick(Prior).fit(views, y)
    same(clf.predict_proba(views), np.full((48, 3), 1 / 3))
    with pytest.raises(UserError, match="'prior' answers only for rows that were there when it was fitted"):
        clf.predict({name: x + 1 for name, x in views.items()})
    absent = np.argwhere(~mask(48, 1))[0]
    lacks = f"'prior' cannot use rows that lack a view, and row {absent[0]} lacks view '{sorted(views)[absent[1]]}'"
    with pytest.raises(UserError, match=lacks):
        clf.predict(views, observed=mask(48, 1))
    with pytest.raises(UserError, match=r"'prior' cannot use .*, and row 0 lacks view 'text'; give it"):
        clf.predict(changed(views, text=None))
    with pytest.raises(UserError, match=lacks):
        quick(Prior).fit(views, y, observed=mask(48, 1))


def test_a_method_in_which_new_rows_would_change_old_ones_answers_one_at_a_time() -> None:
    """An edge weighed by all edges that leave its source sees the other new rows of a batch."""
    from mvgraph.fusion import NetworkMethod, Tags

    class SourceNormalised(NetworkMethod):
        """Means over neighbours, each divided among all who look at it."""

        name = "source-normalised"
        tags = Tags(full_graph=True)

        def __init__(self, view_dims: Any, n_classes: int) -> None:
            super().__init__(view_dims, n_classes)
            self.readout = torch.nn.Linear(sum(self.view_dims.values()), n_classes)

        def forward(self, p: Any) -> torch.Tensor:
            h = p.concatenated().value
            for _ in range(2):
                for view in p.view_names:
                    a = p.graph[view].to_dense()
                    h = h + a @ (h / (1 + a.sum(0))[:, None])
            return self.readout(h)

    views, y = clouds()
    clf = quick(SourceNormalised, epochs=5).fit(views, y)
    later, _ = clouds(6, seed=3)
    batch = clf.predict_proba(later)
    for i in range(6):
        same(clf.predict_proba({name: x[i : i + 1] for name, x in later.items()})[0], batch[i])
