"""Suite -> cells. A cell's id is the SHA-256 of what it computes, free of order, labels and file names.

In the id: fingerprint, names and contents of the views, method, options, control, training, graph and scaling
settings (with every default written out), the rows of the split, the seed, and the code: the numerics version of
mvgraph, and for a method or control from elsewhere its package and version, or the hash of its sources (see
`mvgraph.code_identity`). Settings that a method does not use (a graph for logistic regression) are left out. Not in
the id, but kept in the record: data set name and path, label, how the split was drawn, selection rule, limits, commit
and environment. The code of a data set needs no place: what it made is in the fingerprint, and its splits by rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import digest, plain
from mvgraph.bench.material import Material
from mvgraph.bench.preflight import Problems, checks_of
from mvgraph.bench.protocol import protocol_card
from mvgraph.bench.resolve import ResolvedMethod, resolve_entry
from mvgraph.bench.suite import MethodEntry, SplitSpec, Suite, find_source
from mvgraph.errors import UserError
from mvgraph.numerics import NUMERICS

#: Raised when the meaning of a cell changes, so that old results no longer answer for it.
ID_VERSION = 1


@dataclass(frozen=True)
class Cell:
    """One number to be: everything `run_cell` needs, as JSON values.

    Args:
        id: SHA-256 (hex) of the content.
        dataset: name shown; source: registered name or path; fingerprint: digest of the views used.
        views: names of the views used, sorted.
        method: registered name (or `module:Class`) without control; label: name in tables; control: or None.
        options: all options of the method.
        training: all training options, None for a method that fits itself.
        graph: all graph settings, None for a method that reads no graph.
        scaling: kind and scope.
        split: scheme, seed, index, hash, sizes, parameters, and the `arguments` of make_splits.
        seed: initialisation seed.
        protocol: the protocol card.
        limits: seconds and memory_mib.
        skip: why this cell cannot run at all, or None.
        tune: the search before the fit, None without one; options, training, graph and scaling are then where
            it starts.
        code: identity of the code of the method and of the control, where it is not mvgraph's own.
        numerics: the numerics version of mvgraph.
    """

    id: str
    dataset: str
    source: str
    fingerprint: str
    views: tuple[str, ...]
    method: str
    label: str
    control: str | None
    options: dict[str, Any]
    training: dict[str, Any] | None
    graph: dict[str, Any] | None
    scaling: dict[str, Any]
    split: dict[str, Any]
    seed: int
    protocol: dict[str, Any]
    limits: dict[str, Any] = field(default_factory=dict)
    skip: str | None = None
    tune: dict[str, Any] | None = None
    code: dict[str, Any] = field(default_factory=dict)
    numerics: int = NUMERICS

    def to_json(self) -> dict[str, Any]:
        """The `cell` entry of a record: all but the source, which may be a path of this machine."""
        found = {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}
        for name in ("source", "skip"):
            del found[name]
        found["split"] = {key: value for key, value in found["split"].items() if key != "arguments"}
        return found


def cell_id(
    *,
    fingerprint: str,
    view_hashes: Mapping[str, str],
    method: str,
    control: str | None,
    options: Mapping[str, Any],
    training: Mapping[str, Any] | None,
    graph: Mapping[str, Any] | None,
    scaling: Mapping[str, Any],
    split_hash: str,
    seed: int,
    tune: Mapping[str, Any] | None = None,
    code: Mapping[str, Any] | None = None,
    numerics: int = NUMERICS,
) -> str:
    """The id of a cell; equal content gives equal ids whatever the order of keys."""
    # Left out where there is nothing to say, so that cells have the ids they had before these existed.
    search = {} if tune is None else {"tune": tune}
    source = {what: identity["identity"] for what, identity in (code or {}).items()}
    return digest(
        {
            **search,
            **({"code": source} if source else {}),
            **({"numerics": numerics} if numerics > 1 else {}),
            "version": ID_VERSION,
            "fingerprint": fingerprint,
            "views": view_hashes,
            "method": method,
            "control": control,
            "options": options,
            "training": training,
            "graph": graph,
            "scaling": scaling,
            "split": split_hash,
            "seed": seed,
        }
    )


def make_plan(suite: Suite, base: Path | None = None, material: Material | None = None) -> list[Cell]:
    """All cells of a suite: data set by data set, split by split, seed by seed, every method in turn.

    That order lets an interrupted run compare all methods on the splits it reached.

    Args:
        suite: the suite.
        base: folder relative paths of data sets may start from.
        material: where loaded data is kept for the run that follows.
    Raises:
        UserError: an unknown name, option or view; two labels for one cell; one label for two settings; or what
            would end every cell of a method (see `preflight`), one sentence for each such mistake of the suite.
    """
    material = material or Material()
    methods = _resolved(suite)
    _check_labels(methods)
    problems = Problems()
    cells: dict[str, Cell] = {}
    seen: dict[str, str] = {}
    for text in suite.datasets:
        source = find_source(text, base)
        data = material.data(source, suite.views)
        name = data.name or Path(source).stem
        fingerprint = data.fingerprint.digest
        hashes = material.view_hashes(source, suite.views)
        known = seen.setdefault(digest([fingerprint, hashes]), text)
        if known != text:
            raise UserError(f"Data sets '{known}' and '{text}' hold the same content; keep one of them.")
        for spec in suite.splits:
            splits = material.splits(source, suite.views, spec.scheme, spec.arguments())
            if spec is suite.splits[0]:
                for _, method in methods:
                    if method.unfit_for(data) is None:
                        problems.collect(name, method.label, checks_of(method, data, splits[0]))
            if problems.any_of(name):
                continue  # on to the next data set, so that all that is wrong is told at once
            for index, split in enumerate(splits):
                described = _describe_split(spec, split, index)
                for position in range(max(len(_seeds(entry, suite)) for entry, _ in methods)):
                    for entry, method in methods:
                        seeds = _seeds(entry, suite)
                        if position >= len(seeds):
                            continue
                        settings = method.settings_for(data)
                        identity = cell_id(
                            fingerprint=fingerprint,
                            view_hashes=hashes,
                            method=method.name,
                            control=method.control,
                            options=method.options,
                            split_hash=described["hash"],
                            seed=seeds[position],
                            tune=method.tune,
                            code=method.code,
                            **settings,
                        )
                        if identity in cells:
                            _same_cell(cells[identity], method.label)
                            continue
                        cell = Cell(
                            id=identity,
                            dataset=name,
                            source=source,
                            fingerprint=fingerprint,
                            views=tuple(data.view_names),
                            method=method.name,
                            label=method.label,
                            control=method.control,
                            options=dict(method.options),
                            split=described,
                            seed=seeds[position],
                            protocol={},
                            limits=suite.limits.model_dump(),
                            skip=method.unfit_for(data),
                            tune=None if method.tune is None else dict(method.tune),
                            code=dict(method.code),
                            **settings,
                        )
                        card = protocol_card(cell, data, split, method.tags, suite.selection)
                        cells[identity] = replace(cell, protocol=card)
    problems.refuse()
    return list(cells.values())


def _resolved(suite: Suite) -> list[tuple[MethodEntry, ResolvedMethod]]:
    """The suite's entries as methods.

    Raises:
        UserError: what is wrong with any of them, a sentence each.
    """
    found, wrong = [], []
    for entry in suite.methods:
        try:
            found.append((entry, resolve_entry(entry, suite)))
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError(" ".join(dict.fromkeys(wrong)))
    return found


def _seeds(entry: MethodEntry, suite: Suite) -> Sequence[int]:
    return list(dict.fromkeys(entry.seeds if entry.seeds is not None else suite.seeds))


def _describe_split(spec: SplitSpec, split: Any, index: int) -> dict[str, Any]:
    return {
        "scheme": split.scheme,
        "seed": split.seed,
        "index": index,
        "hash": split.hash,
        "sizes": {part: len(getattr(split, part)) for part in ("train", "validation", "test")},
        "parameters": plain({k: v for k, v in split.parameters.items() if k != "index"}),
        "arguments": spec.arguments(),
    }


def _check_labels(methods: Sequence[tuple[MethodEntry, ResolvedMethod]]) -> None:
    seen: dict[str, str] = {}
    for entry, method in methods:
        content = digest(entry.model_dump(mode="json", exclude={"label", "seeds"}))
        if seen.setdefault(method.label, content) != content:
            raise UserError(
                f"Two methods of the suite are labelled '{method.label}'; give each its own label."
            )


def _same_cell(cell: Cell, label: str) -> None:
    if cell.label != label:
        raise UserError(
            f"Methods '{cell.label}' and '{label}' of the suite are one and the same on data set "
            f"'{cell.dataset}'; keep one of them."
        )
