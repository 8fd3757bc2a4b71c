"""mvgraph: multi-view graph learning, benchmarked honestly.

    import mvgraph as mv

    data = mv.scale_views(mv.load("mfeat"), "zscore")
    graph = mv.build_graph(data, k=10)
    split = mv.make_splits(data, "label-rate", rate=0.1)[0]
    result = mv.fit("dm-gcn", data, split, graph)

Names below are imported when first used, so that `import mvgraph` and `mvgraph --help` stay fast.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "MultiViewData": "mvgraph.data",
    "Split": "mvgraph.data",
    "load": "mvgraph.data",
    "make_splits": "mvgraph.data",
    "scale_views": "mvgraph.data",
    "MultiViewGraph": "mvgraph.graph",
    "build_graph": "mvgraph.graph",
    "knn": "mvgraph.graph",
    "create": "mvgraph.fusion",
    "TrainingOptions": "mvgraph.training",
    "fit": "mvgraph.training",
    "MultiViewClassifier": "mvgraph.serving",
    "UserError": "mvgraph.errors",
}

__all__ = [*sorted(_EXPORTS), "__version__"]


def __getattr__(name: str) -> Any:
    try:
        module = _EXPORTS[name]
    except KeyError:
        raise AttributeError(f"module 'mvgraph' has no attribute '{name}'") from None
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
