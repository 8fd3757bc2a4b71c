"""`MultiViewClassifier`: any registered method with scikit-learn's manners."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.fusion import Method
from mvgraph.graph import build_graph
from mvgraph.registry import resolve_method
from mvgraph.serving import inputs, labels, settings, storage
from mvgraph.serving.attach import AttachableGraph
from mvgraph.serving.fitted import Fitted, answers_of_the_fit, digests_of
from mvgraph.serving.scaling import StoredScaling
from mvgraph.training import fit
from mvgraph.training.loop import find_device


class MultiViewClassifier(ClassifierMixin, BaseEstimator):
    """Fit a fusion method on partly labelled rows of several views, and answer these rows and later ones.

        clf = MultiViewClassifier("dm-gcn", k=10).fit({"audio": a, "video": v}, y)
        clf.predict_proba({"audio": a2, "video": v2})

    Rows come as a mapping or a list of tables, one a view; as a `MultiViewData`; or as one table whose columns
    `view_slices` divides, which is what cross_val_score, GridSearchCV and pipelines hand on (`join_views` makes
    one). `observed` says which rows have which views, as a mapping or an (N, V) table of booleans in the order
    in which the views are given.

    Rows without a label are nodes of the graph like all others. -1 marks them, as in scikit-learn's own
    semi-supervised classifiers; among strings "-1", None and NaN do so too. **If -1 is one of your classes, set
    `unlabelled=None`**: then every row has a label. `score` leaves unlabelled rows out.

    Rows that were in the fit get the answer of the fit. Others are attached: in each view a new row gets edges
    to its k nearest rows of the fit, weighted as in the fit (Eq. 1 with the same mu), while the rows of the fit
    keep their edges and get none to new ones. So a batch and one row at a time give the same answer, also with
    methods made for the rows of the fit alone. A fused graph is continued through the neighbours' edges in it.

    Args:
        method: registered name (`dm-gcn`, `pyg:GATConv`, `label-spreading`), or a class; without `@control`.
        k: neighbours per row, one number or one per view; all others, with a warning, where there are fewer.
        kernel, symmetrise, fused: see `GraphSettings`.
        scaling: "zscore", "minmax", "l2" or "none"; its statistics come from all rows of the fit and are kept.
        options: the method's options; also settable one by one as `options__<name>`.
        lr, weight_decay, epochs, early_stopping, evaluate_every: see `TrainingOptions`; ignored by methods
            that fit themselves.
        graph, training: further graph settings and training options by name.
        validation: share of the labelled rows that selects (stratified) and is not trained on.
        selection: "last" epoch, or the one with the lowest "validation" log-loss.
        view_slices: for one table: view -> slice, column numbers or column names, or a list of such.
        unlabelled: what marks rows without a label; None when all have one.
        random_state: a number, a RandomState, or None for other weights each time.
        device: "cpu", "cuda", "cuda:1".

    Attributes:
        classes_: (C,) the classes, sorted, without the mark.
        n_features_in_: number of columns of all views.
        feature_names_in_: names of the columns, when one table with such names was given.
        view_names_: names of the views, sorted.
        label_distributions_: (N, C) class probabilities of the rows of the fit.
        transduction_: (N,) the class answered to each row of the fit.
        method_: the fitted method.
        curves_: what was recorded at each evaluated epoch.

    Shapes:
        views[v]: (N, d_v); y: (N,); predict: (M,); predict_proba: (M, C).
    """

    def __init__(
        self,
        method: str | type[Method] = "dm-gcn",
        k: int | Mapping[str, int] = 10,
        kernel: str = "exp",
        symmetrise: str = "max",
        fused: str | None = None,
        scaling: str = "zscore",
        options: Mapping[str, Any] | None = None,
        lr: float = 5e-4,
        weight_decay: float = 1e-4,
        epochs: int = 500,
        early_stopping: int | None = None,
        evaluate_every: int = 10,
        graph: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        validation: float = 0.0,
        selection: str = "last",
        view_slices: Any = None,
        unlabelled: Any = -1,
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.method = method
        self.k = k
        self.kernel = kernel
        self.symmetrise = symmetrise
        self.fused = fused
        self.scaling = scaling
        self.options = options
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.evaluate_every = evaluate_every
        self.graph = graph
        self.training = training
        self.validation = validation
        self.selection = selection
        self.view_slices = view_slices
        self.unlabelled = unlabelled
        self.random_state = random_state
        self.device = device

    def set_params(self, **params: Any) -> MultiViewClassifier:
        """Set parameters; `options__<name>` sets one option of the method and keeps the others."""
        changes = {name: value for name, value in params.items() if name.startswith("options__")}
        super().set_params(**{name: value for name, value in params.items() if name not in changes})
        if changes:
            named = {name.removeprefix("options__"): value for name, value in changes.items()}
            self.options = {**(self.options or {}), **named}
        return self

    def fit(self, X: Any, y: Any = None, *, observed: Any = None) -> MultiViewClassifier:
        """Fit on all rows of `X`, of which those with a label teach.

        Args:
            X: views, a `MultiViewData`, or one table.
            y: labels; left out, those of the `MultiViewData`.
            observed: which row has which view; everything by default.

        Raises:
            UserError: (a ValueError) one sentence on what is wrong with rows, labels or parameters.
        """
        spec = resolve_method(self.method)
        if spec.control is not None:
            raise UserError(
                f"method='{self.method}': a control changes the graph to measure what it is worth; the classifier "
                f"serves '{spec.name.partition('@')[0]}'."
            )
        if y is None and isinstance(X, MultiViewData):
            names = np.array([*X.classes, None], dtype=object)
            y = names[X.labels] if (X.labels < 0).any() else np.array(X.classes)[X.labels]
        given, layout = inputs.learn(self, X, observed, self.view_slices)
        target = labels.as_labels(y)
        check_consistent_length(next(iter(given.views.values())), target)
        codes, classes = labels.encode(target, self.unlabelled)
        if not spec.cls.tags.missing_views:
            inputs.refuse_missing(spec.name, given.observed, layout.view_names)
        seed = settings.seed_of(self.random_state)
        rows = settings.rows_of(self, codes, seed)
        training = settings.training_of(self, rows)
        scaling = StoredScaling.fit(self.scaling, given.views, given.observed)
        data = settings.labelled_data(
            scaling.apply(given.views, given.observed), codes, len(classes), given.observed
        )
        graph = None
        if spec.cls.tags.uses_graph:
            graph = build_graph(data, **settings.graph_settings_of(self, data).to_json())
        result = fit(self.method, data, rows, graph, options=self.options, training=training, seed=seed)
        selected = result.selections[self.selection]
        if selected.state is not None:
            result.model.load_state_dict(dict(selected.state))  # type: ignore[attr-defined]
            result.model.cpu().eval()  # type: ignore[attr-defined]
        scaled = {name: data.views[name] for name in data.view_names}
        self.classes_ = classes
        self.view_names_ = layout.view_names
        self.method_ = result.model
        self.curves_ = dict(result.curves)
        self.fitted_ = Fitted(
            method=result.model,
            rows=scaled,
            observed=given.observed,
            graph=None if graph is None else AttachableGraph(graph, scaled, given.observed).measure(),
            probabilities=answers_of_the_fit(
                result.model, graph, scaled, selected.probabilities, find_device(self.device)
            ),
            digests=digests_of(given.views, given.observed),
        )
        self._layout, self._scaling, self._codes, self._seed = layout, scaling, codes, seed
        self._parts = (np.array(rows.train), np.array(rows.validation))
        return self

    def predict_proba(self, X: Any, *, observed: Any = None) -> np.ndarray:
        """Class probabilities of rows, columns in the order of `classes_`.

        Args:
            X: laid out like the rows of the fit. A view that is left out, or None, is one that no row has, if the
                method can do without.
            observed: which row has which view; everything that is given by default.

        Raises:
            UserError: (a ValueError) rows that do not fit, or new rows where the method cannot answer such.
        """
        check_is_fitted(self)
        given = inputs.read(self, X, observed, self._layout)
        if not self.method_.tags.missing_views:
            inputs.refuse_missing(self.method_.name, given.observed, self.view_names_)
        return self.fitted_.answer(
            digests_of(given.views, given.observed),
            self._scaling.apply(given.views, given.observed, like=self.fitted_.rows),
            given.observed,
            find_device(self.device),
        )

    def predict(self, X: Any, *, observed: Any = None) -> np.ndarray:
        """The most probable class of every row, (M,); see `predict_proba`."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_proba(X, observed=observed).argmax(axis=1)])

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, observed: Any = None) -> float:
        """Accuracy on the rows that have a label.

        Raises:
            UserError: (a ValueError) no row has one.
        """
        target = labels.as_labels(y)
        known = ~labels.unlabelled_rows(target, self.unlabelled)
        found = self.predict(X, observed=observed)
        check_consistent_length(found, target)
        if not known.any():
            raise UserError("No row to be scored has a label.")
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        true = np.array(target[known].tolist()) if target.dtype.kind == "O" else target[known]
        return float(accuracy_score(true, found[known], sample_weight=weights))

    @property
    def label_distributions_(self) -> np.ndarray:
        """(N, C) class probabilities of the rows of the fit."""
        check_is_fitted(self)
        return self.fitted_.probabilities

    @property
    def transduction_(self) -> np.ndarray:
        """(N,) the class answered to each row of the fit."""
        return np.asarray(self.classes_[self.label_distributions_.argmax(axis=1)])

    def save(self, folder: str | Path, overwrite: bool = False) -> Path:
        """Write the fitted classifier to a folder of JSON and safetensors files, whole or not at all.

        Args:
            folder: a new one.
            overwrite: replace a classifier that was saved there before.
        Raises:
            UserError: the folder holds a classifier already, or something else, or a parameter has no JSON form.
        """
        check_is_fitted(self)
        return storage.save(self, Path(folder), overwrite)

    @classmethod
    def load(cls, folder: str | Path, method: type[Method] | None = None) -> MultiViewClassifier:
        """Read what `save` wrote. Nothing is unpickled.

        A network gets its weights back; a method that fits itself is fitted again on the stored rows from the
        same seed, and its answers are compared with the stored ones.

        Args:
            folder: as given to `save`.
            method: the class of a method that is not registered; a file never names code to import.
        Raises:
            UserError: a file is missing or damaged, or the method is not registered here.
        """
        return storage.load(cls(), Path(folder), method)
