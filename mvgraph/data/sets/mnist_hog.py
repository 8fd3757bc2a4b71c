"""MNIST digits through four sets of histograms of oriented gradients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mvgraph.data import hdf5
from mvgraph.data.fetched import FetchedDataSet
from mvgraph.data.multiview import MultiViewData
from mvgraph.data.source_archive import Archive

_FILE = "data/multiview_mnist.hdf5"


class MnistHog(FetchedDataSet):
    """5000 handwritten digits through four views of 192 histogram values each.

    Views: hog0 to hog3, in the order of the file.
    """

    name = "mnist-hog"
    title = "MNIST, four HOG views"
    source = "PyPI archive scikit-multimodallearn 0.1.0 (BSD-3-Clause), data/multiview_mnist.hdf5"
    licence = "BSD-3-Clause (the archive); MNIST itself CC BY-SA 3.0"
    citation = (
        "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner. Gradient-based learning applied to document recognition. "
        "Proceedings of the IEEE 86(11), 2278-2324, 1998. Views: scikit-multimodallearn, D. Benielli et al., 2020."
    )
    notes = (
        "A part of MNIST (5000 of 70,000 digits); its writers are not given, so that splits by writer cannot be made.",
        "The archive does not say how the four sets of histograms differ.",
    )
    n_samples = 5000
    n_classes = 10
    view_dims = dict.fromkeys(("hog0", "hog1", "hog2", "hog3"), 192)
    archive = Archive(
        "scikit-multimodallearn",
        "0.1.0",
        {_FILE: "1d0e2b2c32bb9520d64de12429edd14cf49ae08d6528c1b5f7927a0947063ea4"},
        size=11_017_914,
    )

    @classmethod
    def convert(cls, files: Mapping[str, Path]) -> MultiViewData:
        path = files[_FILE]
        with hdf5.opened(path) as file:
            hdf5.refuse_links(file, path)
            views = {
                f"hog{i}": np.asarray(hdf5.dataset_at(file, f"View{i}", path)[()])
                for i in range(len(cls.view_dims))
            }
            labels = np.asarray(hdf5.dataset_at(file, "Labels", path)[()])
        return MultiViewData.from_arrays(views, labels, card=cls.card())
