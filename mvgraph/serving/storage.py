"""A fitted classifier in a folder: `classifier.json`, `rows.safetensors` and, for a network, `weights.safetensors`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

import mvgraph
from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.errors import UserError
from mvgraph.fusion import EstimatorMethod, Method, NetworkMethod, create
from mvgraph.registry import methods, resolve_method
from mvgraph.serving.attach import AttachableGraph
from mvgraph.serving.fitted import Fitted, normalised
from mvgraph.serving.inputs import Layout
from mvgraph.serving.scaling import StoredScaling
from mvgraph.serving.settings import labelled_data, labelled_rows

if TYPE_CHECKING:
    from mvgraph.serving.classifier import MultiViewClassifier

#: Rises when older code could not read what is written.
FORMAT = 1
DESCRIPTION, ROWS, WEIGHTS = "classifier.json", "rows.safetensors", "weights.safetensors"
#: How far answers of a method that is fitted again may lie from the stored ones.
TOLERANCE = 1e-4


def save(classifier: MultiViewClassifier, folder: Path, overwrite: bool = False) -> Path:
    """Write a fitted classifier.

    Args:
        overwrite: replace an earlier one in this folder.
    Raises:
        UserError: the folder holds a classifier already, or something else, or a parameter has no JSON form.
    """
    if folder.exists() and not (folder.is_dir() and (_is_ours(folder) or not any(folder.iterdir()))):
        raise UserError(f"{folder} holds something else than a saved classifier; choose another folder.")
    if not overwrite and folder.exists() and _is_ours(folder):
        raise UserError(
            f"{folder} holds a saved classifier already; choose another folder, or overwrite=True."
        )
    described, tensors = _describe(classifier)
    try:
        text = json.dumps(described, indent=2)
    except (TypeError, ValueError) as error:
        raise UserError(f"A parameter of the classifier cannot be written as JSON: {error}.") from None
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    fresh = folder.with_name(f".{folder.name}.{mark}.tmp")
    fresh.mkdir()
    try:
        (fresh / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        write_tensors(tensors, fresh / ROWS)
        if isinstance(classifier.method_, NetworkMethod):
            write_tensors(dict(classifier.method_.state_dict()), fresh / WEIGHTS)
        old = folder.with_name(f".{folder.name}.{mark}.old")
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def load(classifier: MultiViewClassifier, folder: Path, method: type[Method] | None) -> MultiViewClassifier:
    """Fill an empty classifier with what `save` wrote.

    Raises:
        UserError: a file is missing or damaged, or the method is not registered here.
    """
    described = _read_description(folder)
    try:
        _fill(classifier, described, read_tensors(folder / ROWS), folder, method)
    except UserError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
        raise UserError(
            f"{folder} is damaged: {type(error).__name__} {str(error).splitlines()[0]}."
        ) from None
    return classifier


def _describe(classifier: MultiViewClassifier) -> tuple[dict[str, Any], dict[str, Tensor]]:
    fitted, layout = classifier.fitted_, classifier._layout
    tensors = {f"rows/{view}": torch.tensor(x) for view, x in fitted.rows.items()}
    tensors |= {
        "observed": torch.tensor(fitted.observed),
        "probabilities": torch.tensor(fitted.probabilities),
        "digests": torch.tensor(fitted.digests),
        "codes": torch.tensor(classifier._codes),
        "train": torch.tensor(classifier._parts[0]),
        "validation": torch.tensor(classifier._parts[1]),
    }
    for view, offset in classifier._scaling.offsets.items():
        tensors[f"offset/{view}"] = torch.tensor(offset)
        tensors[f"width/{view}"] = torch.tensor(classifier._scaling.widths[view])
    graph = None
    if fitted.graph is not None:
        parts, graph = fitted.graph.state()
        tensors |= parts
    described = {
        "format": FORMAT,
        "mvgraph": mvgraph.__version__,
        "method": _method_name(classifier),
        "options": classifier.method_.get_options(),
        "parameters": {name: _encoded(value) for name, value in classifier.get_params(deep=False).items()},
        "classes": {"type": classifier.classes_.dtype.str, "values": classifier.classes_.tolist()},
        "n_features_in": classifier.n_features_in_,
        "feature_names_in": [str(name) for name in getattr(classifier, "feature_names_in_", [])],
        "layout": {
            "form": layout.form,
            "widths": layout.widths,
            "columns": layout.columns,
            "names": layout.names,
            "order": layout.order,
            "wide": layout.wide,
        },
        "graph": graph,
        "seed": classifier._seed,
        "curves": classifier.curves_,
    }
    return described, tensors


def _fill(
    classifier: MultiViewClassifier,
    described: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    folder: Path,
    method: type[Method] | None,
) -> None:
    parameters = {name: _decoded(value) for name, value in described["parameters"].items()}
    if method is not None:
        parameters["method"] = method
    classifier.set_params(**parameters)
    layout = Layout(**described["layout"])
    widths = {view: int(layout.widths[view]) for view in sorted(layout.widths)}
    rows = {view: tensors[f"rows/{view}"].numpy() for view in widths}
    observed = tensors["observed"].numpy()
    n, n_classes = len(observed), len(described["classes"]["values"])
    probabilities = tensors["probabilities"].numpy()
    expected = {
        "observed": (n, len(widths)),
        "probabilities": (n, n_classes),
        "digests": (n, 16),
        "codes": (n,),
    }
    expected |= {f"rows/{view}": (n, width) for view, width in widths.items()}
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            raise UserError(
                f"{folder} is damaged: {name} has shape {tuple(tensors[name].shape)}, not {shape}."
            )
    graph = None
    if described["graph"] is not None:
        graph = AttachableGraph.from_state(tensors, described["graph"], rows, observed)
    classifier._layout = layout
    classifier._scaling = StoredScaling(
        parameters["scaling"],
        {view: tensors[f"offset/{view}"].numpy() for view in widths if f"offset/{view}" in tensors},
        {view: tensors[f"width/{view}"].numpy() for view in widths if f"width/{view}" in tensors},
    )
    classifier._codes, classifier._seed = tensors["codes"].numpy(), int(described["seed"])
    classifier._parts = (tensors["train"].numpy(), tensors["validation"].numpy())
    values = np.array(described["classes"]["values"], dtype=np.dtype(described["classes"]["type"]))
    classifier.classes_ = values
    classifier.n_features_in_ = int(described["n_features_in"])
    if described["feature_names_in"]:
        classifier.feature_names_in_ = np.array(described["feature_names_in"], dtype=object)
    classifier.view_names_ = tuple(widths)
    classifier.curves_ = described["curves"]
    options = dict(described["options"])
    made = create(
        method or _registered(described["method"], folder), view_dims=widths, n_classes=n_classes, **options
    )
    if isinstance(made, NetworkMethod):
        made.load_state_dict(read_tensors(folder / WEIGHTS))
        made.eval()
    else:
        _fit_again(made, classifier, rows, observed, graph, probabilities, folder)
    classifier.method_ = made
    classifier.fitted_ = Fitted(made, rows, observed, graph, probabilities, tensors["digests"].numpy())


def _fit_again(
    made: EstimatorMethod,
    classifier: MultiViewClassifier,
    rows: Mapping[str, np.ndarray],
    observed: np.ndarray,
    graph: AttachableGraph | None,
    probabilities: np.ndarray,
    folder: Path,
) -> None:
    data = labelled_data(rows, classifier._codes, probabilities.shape[1], observed)
    parts = labelled_rows(*classifier._parts, classifier._seed)
    made.fit(data, parts, None if graph is None else made.prepare(graph.graph), classifier._seed)
    found = normalised(np.asarray(made.predict_proba(), dtype=np.float64))
    difference = float(np.abs(found - probabilities).max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"{folder}: '{made.name}', fitted again on the stored rows, differs from what was saved by up to "
            f"{difference:.1e}; it was saved with other versions of its libraries, so fit the classifier anew."
        )


def _method_name(classifier: MultiViewClassifier) -> str:
    given = classifier.method
    return given if isinstance(given, str) else resolve_method(given).name


def _registered(name: str, folder: Path) -> str:
    if name not in methods and name.partition(":")[0] not in methods:
        raise UserError(
            f"{folder} is of method '{name}', which is not registered here; pass method=<its class>."
        )
    return name


def _is_ours(folder: Path) -> bool:
    try:
        _read_description(folder)
    except UserError:
        return False
    return True


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"There is no saved classifier in {folder}.") from None
    except ValueError:
        raise UserError(f"{path} is not JSON; it does not come from mvgraph, or it is damaged.") from None
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        by = described.get("mvgraph") if isinstance(described, dict) else None
        raise UserError(
            f"{path} is not a saved classifier of format {FORMAT}, which mvgraph {mvgraph.__version__} reads"
            + (f"; mvgraph {by} wrote it." if isinstance(by, str) else ".")
        )
    return described


def _encoded(value: Any) -> Any:
    """Parameters as JSON values: slices, tuples and numpy numbers in words; what is no value is left out."""
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if isinstance(value, Mapping):
        return {"mapping": {str(name): _encoded(part) for name, part in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(part) for part in value]}
    if isinstance(value, list):
        return [_encoded(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return [_encoded(part) for part in value.tolist()]
    if isinstance(value, np.random.RandomState):
        return None
    return resolve_method(value).name if isinstance(value, type) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"slice"}:
            return slice(*value["slice"])
        if set(value) == {"tuple"}:
            return tuple(_decoded(part) for part in value["tuple"])
        return {name: _decoded(part) for name, part in value["mapping"].items()}
    return [_decoded(part) for part in value] if isinstance(value, list) else value
