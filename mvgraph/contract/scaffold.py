"""The first lines of somebody's own method or data set: a file that keeps the contract, and its test."""

from __future__ import annotations

import keyword
import os
import re
from pathlib import Path

from mvgraph.errors import UserError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_METHOD = '''\
"""{title}: say here in a sentence what it does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mvgraph.fusion import Choice, Distribution, Float, NetworkMethod, Tags
from mvgraph.graph.propagation import Propagation


class {cls}(NetworkMethod):
    r"""Every view is propagated once over its own graph; the views' outputs are averaged.

    .. math:: Z = \\Big(\\frac1V \\sum_v \\mathrm{{ReLU}}(L_v X_v W_v + b_v)\\Big) W + b

    Args:
        view_dims: view -> d_v.
        n_classes: C.
        hidden: units of the layer.
        dropout: rate after the layer.

    Shapes:
        forward: `Propagation` over V views -> logits (rows, C).
    """

    name = "{name}"
    title = "{title}"
    paper = "your own idea: name the paper and its equations"
    tags = Tags()

    def __init__(
        self, view_dims: Mapping[str, int], n_classes: int, *, hidden: int = 64, dropout: float = 0.5
    ) -> None:
        super().__init__(view_dims, n_classes)
        self.hidden, self.dropout = hidden, dropout
        self.layers = nn.ModuleList(nn.Linear(width, hidden) for width in self.view_dims.values())
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, n_classes)

    @property
    def n_layers(self) -> int:
        return 1

    def forward(self, p: Propagation) -> Tensor:
        outputs = [
            torch.relu(p.product(1, view, p.features(view), layer.weight.t()) + layer.bias)
            for view, layer in zip(self.view_names, self.layers, strict=True)
        ]
        return self.classifier(self.drop(torch.stack(outputs).mean(0)))

    @classmethod
    def search_space(cls) -> dict[str, Distribution]:
        return {{
            "lr": Float(1e-4, 3e-2, log=True),
            "weight_decay": Float(1e-6, 1e-2, log=True),
            "hidden": Choice((32, 64, 128, 256)),
            "dropout": Float(0.0, 0.8),
        }}
'''

_DATASET = '''\
"""{title}: say here in a sentence what it holds."""

from __future__ import annotations

import numpy as np

from mvgraph.data import DataSet, MultiViewData


class {cls}(DataSet):
    """Say here what a row is, what each view measures and in which unit, and what is to be told apart."""

    name = "{name}"
    title = "{title}"
    source = "made-up numbers: name the archive and its version, or the address"
    licence = "CC0 1.0: name the licence of the data"
    citation = "name the paper that is to be cited"
    notes = ("Made-up numbers stand here until `read` reads yours.",)
    n_samples = 120
    n_classes = 3
    view_dims = {{"sight": 8, "sound": 5}}

    @classmethod
    def read(cls) -> MultiViewData:
        # Read your own files here; what comes back is held against the numbers above.
        random = np.random.default_rng(0)
        labels = np.arange(cls.n_samples) % cls.n_classes
        views = {{}}
        for view, width in cls.view_dims.items():
            centres = random.normal(size=(cls.n_classes, width))
            views[view] = centres[labels] + random.normal(size=(cls.n_samples, width))
        classes = ["bus", "park", "tram"]
        return MultiViewData.from_arrays(views, [classes[label] for label in labels], card=cls.card())
'''

_TEST = """\
from mvgraph.contract import {base}

from {module} import {cls}


class Test{cls}({base}):
    {attribute} = {cls}
"""

_KINDS = {
    "method": (_METHOD, "MethodContract", "method", "mvgraph.methods"),
    "dataset": (_DATASET, "DataSetContract", "dataset", "mvgraph.datasets"),
}


def scaffold(kind: str, name: str, folder: str | Path = ".") -> tuple[Path, Path, str]:
    """Write the file of a new method or data set, and its two-line test beside it.

    Both work as they are: the test passes, and a search or a suite takes the method by `module:Class`.

    Args:
        kind: method | dataset.
        name: as it is to be registered: small letters and digits in words joined by `-`.
        folder: where to write; made if need be.

    Returns:
        The file, its test, and the lines that register the name in a pyproject.toml.

    Raises:
        UserError: another kind, a name that cannot be one, or a file that is there already.
    """
    if kind not in _KINDS:
        raise UserError(f"'{kind}' cannot be begun; there are {' and '.join(_KINDS)}.")
    if not _NAME.fullmatch(name):
        raise UserError(f"'{name}' is no name: write small letters and digits in words joined by '-'.")
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise UserError(f"'{name}' is a word of Python; give another name.")
    template, base, attribute, group = _KINDS[kind]
    cls = "".join(part.capitalize() for part in name.split("-"))
    title = name.replace("-", " ").capitalize()
    folder = Path(folder)
    texts = {
        folder / f"{module}.py": template.format(name=name, cls=cls, title=title),
        folder / f"test_{module}.py": _TEST.format(module=module, cls=cls, base=base, attribute=attribute),
    }
    for path in texts:
        if path.exists():
            raise UserError(f"{path} is there already; give another name or another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    file, test = texts
    return file, test, f'[project.entry-points."{group}"]\n{name} = "{module}:{cls}"'
