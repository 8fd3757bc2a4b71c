"""The suite file: what is to be run, as a frozen, fully checked value.

```yaml
name: quickstart
datasets: [mfeat]                  # registered names or paths
views: null                        # or the names of some views
methods:                           # texts, or mappings
  - concat-logreg
  - {method: dm-gcn, label: dm-gcn-k20, graph: {k: 20}, training: {epochs: 200}, seeds: [0, 1]}
splits: {scheme: label-rate, rate: 0.1, validation: 0.2, n: 5, seed: 0}    # or a list of such
seeds: [0]                         # initialisation seeds, a list: [0, 1, 2] for three
scaling: {kind: zscore, scope: all}     # imputation: train fills NaN cells anew from training rows
graph: {k: 10, kernel: exp, symmetrise: max}
training: {}                       # fields of TrainingOptions
selection: last                    # which epoch's figures rank: last | validation
rank_by: accuracy                  # which figure ranks: accuracy | macro-accuracy | macro-f1 | log-loss
limits: {seconds: 600, memory_mib: 8192}     # of a cell, its search included
tune: null                         # or 20 (trials), or {trials: 20, inner: 3, objective: log-loss, seed: 0}
```
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mvgraph import registry
from mvgraph.bench.given import PREFIX
from mvgraph.errors import UserError

_Part = TypeVar("_Part", bound=BaseModel)
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | Mapping | int | BaseModel) else value


def _seed_list(value: Any) -> Any:
    """Seeds are listed: a bare number could mean that seed, or so many seeds."""
    if isinstance(value, int) and not isinstance(value, bool):
        many = ", ".join(map(str, range(value))) if 1 < value <= 5 else f"0, 1, ..., {value - 1}"
        so_many = f", or [{many}] for {value} seeds" if value > 1 else ""
        raise ValueError(f"say [{value}] for seed number {value}{so_many}")
    return value


def _some_seed(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value:
        raise ValueError("give at least one seed, such as [0]")
    return value


def _distinct(what: str) -> AfterValidator:
    """No entry stands in the list twice."""

    def check(values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        for position, value in enumerate(values or ()):
            if value in (values or ())[:position]:
                raise ValueError(f"{what} {_written(value)} stands there twice; keep one")
        return values

    return AfterValidator(check)


def _written(value: Any) -> str:
    if isinstance(value, BaseModel):
        given = value.model_dump(mode="json", exclude_unset=True)
        return f"'{given['method']}'" if set(given) == {"method"} else str(given)
    return f"'{value}'" if isinstance(value, str) else str(value)


def _as_method(value: Any) -> Any:
    """A text or a class stands for a mapping with just the method."""
    return {"method": _method_text(value)} if isinstance(value, str | type) else value


def _method_text(value: Any) -> Any:
    return f"{value.__module__}:{value.__qualname__}" if isinstance(value, type) else value


class SplitSpec(_Frozen):
    """How rows are divided into training, validation and test: a scheme of `mvgraph.data.make_splits`.

    What is left out takes the scheme's own default; a key that the scheme does not know is refused by it.

    Args:
        scheme: label-rate, k-fold, group or official.
        rate: share of each class that is labelled (label-rate).
        min_per_class: labelled rows of each class at least (label-rate).
        validation: share of the labelled rows that is set aside for validation.
        test: share held out for test (group).
        n: number of splits (label-rate, group).
        folds: number of folds (k-fold).
        group: name of the group that no part shares (group; optional for k-fold and official).
        seed: seed of the splits.
    """

    scheme: str = "label-rate"
    rate: float | None = None
    min_per_class: int | None = None
    validation: float | None = None
    test: float | None = None
    n: int | None = None
    folds: int | None = None
    group: str | None = None
    seed: int = 0

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `make_splits` after the scheme."""
        return self.model_dump(exclude={"scheme"}, exclude_none=True)


_DEFAULT_SPLITS = (SplitSpec(rate=0.1, validation=0.2, n=5),)


class ScalingSpec(_Frozen):
    """How views are scaled before anything else sees them; see `mvgraph.data.scale_views`.

    `imputation: train` fills cells that were filled at the import anew, from the training rows of each split alone.
    """

    kind: Literal["none", "zscore", "minmax", "l2"] = "zscore"
    scope: Literal["all", "train"] = "all"
    imputation: Literal["all", "train"] = "all"


class LimitsSpec(_Frozen):
    """Limits of one cell: wall time in seconds, resident memory of its process in MiB; null for none."""

    seconds: float | None = Field(default=600, gt=0)
    memory_mib: float | None = Field(default=8192, gt=0)


class TuneSpec(_Frozen):
    """A search of a method's settings inside every cell, on its training and validation rows alone.

    Args:
        trials: settings tried, the entry's own first; inner: inner splits that each is averaged over.
        objective: what is made small or large on the validation rows of the inner splits.
        seed: of sampling, inner splits and the fits of the search.
    """

    trials: int = Field(default=20, ge=1)
    inner: int = Field(default=3, ge=1)
    objective: Literal["log-loss", "accuracy"] = "log-loss"
    seed: int = Field(default=0, ge=0)


def _as_tune(value: Any) -> Any:
    """A number stands for that many trials, 0 for no search."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"trials": value} if value else None
    return value


_Tune = Annotated[TuneSpec | None, BeforeValidator(_as_tune)]
_Seeds = Annotated[
    tuple[int, ...], AfterValidator(_some_seed), _distinct("seed"), BeforeValidator(_seed_list)
]


class MethodEntry(_Frozen):
    """One line of `methods`; what it leaves out comes from the suite.

    Args:
        method: `<method>`, `<family>:<argument>` or `module:Class`, each with an optional `@<control>`.
        label: name in tables, by default the text of `method`.
        options: options of the method.
        training, graph, scaling: keys that differ from the suite's.
        seeds: initialisation seeds of this method; one is enough for a method without chance.
        tune: a search in every cell, or 0 for none where the suite has one. What the entry itself sets under
            options, training, graph and scaling is fixed and not searched.
    """

    method: Annotated[str, BeforeValidator(_method_text)] = Field(min_length=1)
    label: str | None = Field(default=None, min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    graph: dict[str, Any] = Field(default_factory=dict)
    scaling: dict[str, Any] = Field(default_factory=dict)
    seeds: _Seeds | None = None
    tune: _Tune = None

    @property
    def shown(self) -> str:
        """The name in tables."""
        return self.label or self.method


class Suite(_Frozen):
    """A whole suite; see the head of this module for the file's form."""

    name: str = Field(pattern=_NAME)
    title: str | None = None
    datasets: Annotated[tuple[str, ...], _distinct("data set"), BeforeValidator(_as_list)] = Field(
        min_length=1
    )
    views: Annotated[tuple[str, ...], _distinct("view")] | None = Field(default=None, min_length=1)
    methods: Annotated[
        tuple[Annotated[MethodEntry, BeforeValidator(_as_method)], ...],
        _distinct("method"),
        BeforeValidator(_as_list),
    ] = Field(min_length=1)
    splits: Annotated[tuple[SplitSpec, ...], _distinct("split"), BeforeValidator(_as_list)] = Field(
        default=_DEFAULT_SPLITS, min_length=1
    )
    seeds: _Seeds = (0,)
    scaling: ScalingSpec = ScalingSpec()
    graph: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    selection: Literal["last", "validation"] = "last"
    rank_by: Literal["accuracy", "macro-accuracy", "macro-f1", "log-loss"] = "accuracy"
    limits: LimitsSpec = LimitsSpec()
    tune: _Tune = None

    def tune_of(self, entry: MethodEntry) -> TuneSpec | None:
        """The search of one method: its own, or the suite's."""
        return entry.tune if "tune" in entry.model_fields_set else self.tune

    def to_json(self) -> dict[str, Any]:
        """The suite as JSON values, defaults written out."""
        return self.model_dump(mode="json")


class _Loader(yaml.SafeLoader):
    """safe_load with two traps closed: `5e-4` is a number, and a key given twice is an error."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str | int | float | bool) and key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key '{key}' is given twice", key_node.start_mark
            )
        if not isinstance(key, list | dict):
            seen.add(key)
    loader.flatten_mapping(node)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def load_suite(path: str | Path) -> Suite:
    """Read and check a suite file.

    Raises:
        UserError: the file is missing, is no YAML mapping, or a key is unknown, missing or has a wrong value.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Suite file {path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise UserError(f"Suite file {path} is not UTF-8 text.") from None
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UserError(f"Suite file {path}{place}: {problem}.") from None
    return parse_suite(content, where=str(path))


def parse_suite(content: Any, where: str = "suite") -> Suite:
    """Check a suite given as a mapping; `where` names it in messages.

    Raises:
        UserError: a key is unknown, missing or has a wrong value.
    """
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: a suite is a mapping of keys such as name, datasets and methods.")
    return parse_part(Suite, content, where)


def parse_part(model: type[_Part], content: Mapping[str, Any], where: str) -> _Part:
    """Check a part of a suite; `where` names it in messages.

    Raises:
        UserError: a key is unknown or has a wrong value.
    """
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        raise UserError(_sentence(error, where, model)) from None


def as_suite(suite: str | Path | Mapping[str, Any] | Suite) -> tuple[Suite, Path | None]:
    """A suite in whatever form, and the folder its relative paths may start from."""
    if isinstance(suite, Suite):
        return suite, None
    if isinstance(suite, Mapping):
        return parse_suite(suite), None
    return load_suite(suite), Path(suite).resolve().parent


def find_source(name: str, base: Path | None) -> str:
    """The data set's registered name, or its path: from the suite file's folder if it is there, else as given."""
    if name.startswith(PREFIX) or name in registry.datasets or base is None or Path(name).is_absolute():
        return name
    beside = base / name
    return str(beside) if beside.exists() else name


_MODELS: dict[str, type[BaseModel]] = {
    "methods": MethodEntry,
    "splits": SplitSpec,
    "scaling": ScalingSpec,
    "limits": LimitsSpec,
    "tune": TuneSpec,
}


def _sentence(error: ValidationError, where: str, root: type[BaseModel]) -> str:
    """Every problem as a sentence, unknown keys first: they often explain what else is missing."""
    problems = sorted(error.errors(include_url=False), key=lambda p: p["type"] != "extra_forbidden")
    explained: set[str] = set()
    sentences = []
    for problem in problems:
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            model = _MODELS.get(str(problem["loc"][0]), root) if len(problem["loc"]) > 1 else root
            known = list(model.model_fields)
            near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}."
            explained.update(near)
            sentences.append(f"unknown key '{key}'; {hint}")
        elif problem["type"] == "missing":
            if key not in explained:
                sentences.append(f"key '{key}' is missing.")
        else:
            given = "empty" if problem["input"] in ((), [], {}) else repr(problem["input"])
            given = given if len(given) <= 60 else given[:57] + "..."
            text = problem["msg"].removeprefix("Value error, ")
            sentences.append(f"key '{key}' is {given}: {text[0].lower()}{text[1:]}.")
    return f"{where}: {' '.join(dict.fromkeys(sentences))}"
