"""`MultiViewData`: what every room above this one works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from mvgraph.data import door, intake
from mvgraph.data.attachments import checked_groups, checked_splits
from mvgraph.data.card import Card
from mvgraph.data.fingerprint import Fingerprint, fingerprint_of
from mvgraph.data.frozen import FrozenMapping, read_only
from mvgraph.data.given_graphs import checked_graphs, subset_graphs
from mvgraph.data.imputation import Imputation
from mvgraph.data.labels import check_class_sizes, check_classes, encode_labels
from mvgraph.data.lazy import LazyViews
from mvgraph.data.split import Split
from mvgraph.display import html_card, html_line, html_table
from mvgraph.errors import UserError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MultiViewData:
    """N samples seen through V views, immutable and validated when it is made.

    Views are always in the order of their sorted names, so that nothing downstream depends on the order of
    the input. Rows of a view that are not observed hold zeros. `from_arrays` takes data in any usual form.

    Shapes:
        views[v]: (N, d_v) float32, read-only, C-contiguous; float64 where float32 would lose something
            (`mvgraph.data.resolution`).
        labels: (N,) int64 in 0..C-1, -1 for unlabelled rows.
        ids: (N,) strings, unique.
        groups[g]: (N,) strings, e.g. clip, location or subject.
        observed: (N, V) bool; its columns follow `views` as given, and `view_names` afterwards.
        imputation: cells that the source did not have and how they were filled, or None.
        graphs[v]: (N, N) float32 CSR, weights of the given graph of a view, which then gets no kNN graph.

    Raises:
        UserError: mismatched lengths, NaN or Inf, an empty view, duplicate ids, a class with one member,
            non-numeric columns and the like; one sentence naming view, row and column.
    """

    views: Mapping[str, np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]
    ids: np.ndarray
    groups: Mapping[str, np.ndarray]
    observed: np.ndarray
    official_splits: Mapping[str, Split] = field(default_factory=FrozenMapping)
    card: Card = field(default_factory=Card)
    imputation: Imputation | None = None
    graphs: Mapping[str, sparse.csr_array] = field(default_factory=FrozenMapping)
    # Data derived from validated data (a subset, a scaling) may hold a class with one member.
    derived: InitVar[bool] = False
    _fingerprint: Fingerprint | None = field(init=False, default=None)

    def __post_init__(self, derived: bool) -> None:
        if not isinstance(self.views, Mapping) or len(self.views) == 0:
            raise UserError("There is no view; give at least one as a mapping from name to array.")
        given = [door.plain_name("view", name) for name in self.views]
        names = sorted(given)
        ids = door.text_array("Sample ids", self.ids, None)
        if not derived:
            door.check_ids(ids)
        n_samples = ids.shape[0]
        mask = door.observed_mask(self.observed, n_samples, given, ids)
        if given != names:
            mask = read_only(np.ascontiguousarray(mask[:, [given.index(name) for name in names]]))
        views: Mapping[str, np.ndarray]
        if isinstance(self.views, LazyViews):
            if self.views.n_samples != n_samples:
                raise UserError(f"The views have {self.views.n_samples} rows, but there are {n_samples} ids.")
            views = self.views
        else:
            for name in given:
                intake.check_rows(name, self.views[name], n_samples)
            views = FrozenMapping(
                (name, door.view_array(name, self.views[name], ids, mask[:, column]))
                for column, name in enumerate(names)
            )
        labels, classes = encode_labels(self.labels, n_samples, ids, self.classes)
        check_classes(labels, classes)
        if not derived:
            check_class_sizes(labels, classes, ids)
        _set(self, "views", views)
        _set(self, "labels", labels)
        _set(self, "classes", classes)
        _set(self, "ids", ids)
        _set(self, "groups", checked_groups(self.groups, n_samples, ids))
        _set(self, "observed", mask)
        _set(self, "official_splits", checked_splits(self.official_splits, labels))
        _set(self, "graphs", checked_graphs(self.graphs, names, ids))

    @classmethod
    def from_arrays(
        cls,
        views: Mapping[str, Any] | Sequence[Any],
        labels: Any,
        *,
        ids: Any = None,
        groups: Mapping[str, Any] | None = None,
        observed: Any = None,
        official_splits: Mapping[str, Split] | None = None,
        classes: Sequence[str] | None = None,
        card: Card | None = None,
        graphs: Mapping[str, Any] | None = None,
    ) -> MultiViewData:
        """Make data from numpy arrays, torch tensors, pandas objects, scipy sparse matrices or lists.

        Parameters:
            views: name -> (N, d_v), or a sequence, whose views are then called view0, view1, ...
            labels: (N,) integers (any base) or strings; None, NaN and the integer -1 mean unlabelled;
                None alone: no labels at all.
            ids: (N,) unique; default: the index shared by the data frames, else 0..N-1.
            groups: name -> (N,).
            observed: (N, V) bool in the order of `views`, or view name -> (N,) bool; default: everything.
                What a row not observed holds is ignored.
            official_splits: splits that the authors of the data published.
            classes: names of the classes in order; default: the sorted labels.
            card: source, licence, citation.
            graphs: view name -> (N, N), dense or sparse: the graph of that view, in place of its kNN graph.

        Raises:
            UserError: see the class.
        """
        named = intake.named_views(views)
        if not named:
            raise UserError("There is no view; give at least one.")
        for name in named:
            door.plain_name("view", name)
        first = next(iter(named))
        n_samples = intake.n_rows(first, named[first])
        for name, value in named.items():
            rows = intake.n_rows(name, value)
            if rows != n_samples:
                raise UserError(
                    f"View {name!r} has {rows} rows, but view {first!r} has {n_samples}; every view needs "
                    "one row "
                    "per sample (mark samples without a view as not observed)."
                )
        names = ids if ids is not None else intake.shared_index(named, labels, n_samples)
        text_ids = door.text_array("Sample ids", names, n_samples)
        codes, class_names = encode_labels(labels, n_samples, text_ids, classes)
        return cls(
            views=named,
            labels=codes,
            classes=class_names,
            ids=text_ids,
            groups=groups or {},
            observed=door.observed_mask(observed, n_samples, list(named), text_ids),
            official_splits=official_splits or {},
            card=card or Card(),
            graphs=graphs or {},
        )

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def n_samples(self) -> int:
        """N, counting unlabelled rows."""
        return int(self.ids.shape[0])

    @property
    def n_views(self) -> int:
        return len(self.views)

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def view_names(self) -> tuple[str, ...]:
        return tuple(self.views)

    @property
    def view_dims(self) -> dict[str, int]:
        """Width d_v of each view; reads nothing from disk."""
        if isinstance(self.views, LazyViews):
            return self.views.dims
        return {name: int(array.shape[1]) for name, array in self.views.items()}

    @property
    def class_counts(self) -> np.ndarray:
        """Labelled rows of each class. Shapes: (C,) int64."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.n_classes)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the data is, free of the names and the order of views; computed once (reads every view)."""
        if self._fingerprint is None:
            _set(self, "_fingerprint", fingerprint_of(self))
        assert self._fingerprint is not None
        return self._fingerprint

    def select_views(self, names: Iterable[str]) -> MultiViewData:
        """The same samples with some of the views.

        Raises:
            UserError: an unknown view, no view, or a sample that none of the chosen views has seen.
        """
        wanted = [names] if isinstance(names, str) else list(names)
        for name in wanted:
            if name not in self.views:
                raise UserError(f"There is no view {name!r}; the views are {', '.join(self.view_names)}.")
        chosen = sorted(set(wanted))
        if not chosen:
            raise UserError(f"No view was selected; the views are {', '.join(self.view_names)}.")
        views: Mapping[str, np.ndarray]
        if isinstance(self.views, LazyViews):
            views = self.views.restrict(chosen)
        else:
            views = {name: self.views[name] for name in chosen}
        columns = [self.view_names.index(name) for name in chosen]
        graphs = {name: graph for name, graph in self.graphs.items() if name in chosen}
        return self._derive(
            views=views,
            observed=np.ascontiguousarray(self.observed[:, columns]),
            imputation=None if self.imputation is None else self.imputation.restricted(views),
            graphs=graphs,
        )

    def subset(self, rows: Any) -> MultiViewData:
        """Some of the samples, in the order given; classes stay, official splits (row numbers) do not.

        Shapes: rows (M,) unique integers in 0..N-1, or (N,) bool.

        Raises:
            UserError: rows out of range, repeated or none at all.
        """
        index = door.as_numpy(rows)
        if index.dtype.kind == "b" and index.shape == (self.n_samples,):
            index = np.flatnonzero(index)
        if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
            raise UserError(
                "Rows of a subset must be a non-empty list of integers, or one boolean per sample."
            )
        if int(index.min()) < 0 or int(index.max()) >= self.n_samples:
            raise UserError(f"Rows of a subset must lie in 0..{self.n_samples - 1}.")
        if np.unique(index).size != index.size:
            raise UserError("Rows of a subset must not repeat.")
        return self._derive(
            views={name: read_only(self.views[name][index]) for name in self.views},
            labels=self.labels[index],
            ids=self.ids[index],
            groups={name: values[index] for name, values in self.groups.items()},
            observed=self.observed[index],
            official_splits={},
            imputation=None
            if self.imputation is None
            else self.imputation.renumbered(index.astype(np.int64), self.n_samples),
            graphs=subset_graphs(self.graphs, index),
        )

    def with_observed(self, mask: Any) -> MultiViewData:
        """The same data with fewer entries observed; rows hidden by the mask hold zeros.

        Shapes: mask (N, V) bool in the order of `view_names`, or view name -> (N,) bool.

        Raises:
            UserError: wrong shape, an entry that was never observed, a view or a sample left with nothing.
        """
        checked = door.observed_mask(mask, self.n_samples, self.view_names, self.ids)
        ghosts = np.argwhere(checked & ~self.observed)
        if ghosts.size:
            row, column = (int(i) for i in ghosts[0])
            raise UserError(
                f"View {self.view_names[column]!r}, {door.row_place(row, self.ids)}: the mask marks it as "
                "observed, "
                "but the data never held it."
            )
        hidden = None
        if self.imputation is not None:
            hidden = self.imputation.observed_only(dict(zip(self.view_names, checked.T, strict=True)))
        views = {name: self.views[name] for name in self.views}
        return self._derive(views=views, observed=checked, imputation=hidden)

    def with_views(self, views: Mapping[str, Any], observed: Any = None) -> MultiViewData:
        """The same samples with other views in place of all present ones.

        What was known about filled cells is forgotten: other values stand there now. Without `observed`, a view keeps
        the mask of the view of the same name; a new name is fully observed.
        A view keeps its given graph by its name, too.

        Shapes: views[v] (N, d_v); observed as in `from_arrays`.
        """
        if observed is None:
            full = np.ones(self.n_samples, dtype=bool)
            old = {name: self.observed[:, column] for column, name in enumerate(self.view_names)}
            observed = {name: old.get(name, full) for name in views}
        mask = door.observed_mask(observed, self.n_samples, list(views), self.ids)
        graphs = {name: graph for name, graph in self.graphs.items() if name in views}
        return self._derive(views=views, observed=mask, graphs=graphs, imputation=None)

    def with_card(self, card: Card) -> MultiViewData:
        """The same data under another card."""
        return self._derive(card=card)

    def in_memory(self) -> MultiViewData:
        """The same data with every view read, independent of the file it came from."""
        return self._derive(views={name: self.views[name] for name in self.views})

    def _derive(self, **changes: Any) -> MultiViewData:
        parts: dict[str, Any] = {
            "views": self.views,
            "labels": self.labels,
            "classes": self.classes,
            "ids": self.ids,
            "groups": self.groups,
            "observed": self.observed,
            "official_splits": self.official_splits,
            "card": self.card,
            "imputation": self.imputation,
            "graphs": self.graphs,
        }
        return MultiViewData(**(parts | changes), derived=True)

    def __repr__(self) -> str:
        dims = ", ".join(f"{name} {width}" for name, width in self.view_dims.items())
        return (
            f"MultiViewData({self.name!r}: {self.n_samples} samples, views {dims}; {self.n_classes} classes)"
        )

    def _repr_html_(self) -> str:
        observed = [f"{100 * share:.1f} %" for share in self.observed.mean(axis=0)]
        counts = np.bincount(self.labels[self.labels >= 0], minlength=self.n_classes)
        views = zip(self.view_dims.items(), observed, strict=True)
        return html_card(
            f"MultiViewData {self.name}".rstrip(),
            html_line(f"{self.n_samples} samples, {self.n_views} views, {self.n_classes} classes"),
            html_table(("view", "features", "observed"), ((*view, share) for view, share in views)),
            html_table(("class", "samples"), zip(self.classes, counts.tolist(), strict=True)),
        )


def _set(data: MultiViewData, name: str, value: Any) -> None:
    object.__setattr__(data, name, value)
