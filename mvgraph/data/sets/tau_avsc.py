"""TAU Urban Audio-Visual Scenes 2021 as embeddings of its own encoders, from wherever they were made."""

from __future__ import annotations

import os
from pathlib import Path

from mvgraph.data.dataset import DataSet
from mvgraph.data.h5mu import read_h5mu
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError

VARIABLE = "MVGRAPH_TAU_AVSC"
FILE = "embeddings.h5mu"


class TauAvsc(DataSet):
    """One-second segments of the development set, as rows of the SE-CRNN's audio (128) and visual (64) subnetworks.

    The data set has to be downloaded by hand (108 GB, non-commercial), and its rows exist only after the encoders
    were trained: `mvgraph reproduce avsc --root ROOT --out OUT` makes them. The environment variable
    MVGRAPH_TAU_AVSC names the OUT folder, or the `embeddings.h5mu` file in it.
    """

    name = "tau-avsc"
    title = "TAU Urban Audio-Visual Scenes 2021, development set, SE-CRNN embeddings"
    source = "Zenodo record 4477542, embedded by `mvgraph reproduce avsc`"
    licence = "of the data set: non-commercial"
    citation = (
        "S. Wang, A. Mesaros, T. Heittola, T. Virtanen, A curated dataset of urban scenes for audio-visual scene "
        "analysis, ICASSP 2021."
    )
    notes = (
        f"Set {VARIABLE} to the output folder of `mvgraph reproduce avsc`, which trains the encoders first.",
        "Ten test segments come from one clip: neighbours in the graph are often siblings.",
    )
    n_samples = 45_096
    n_classes = 10
    view_dims = {"audio": 128, "video": 64}  # noqa: RUF012

    @classmethod
    def at_hand(cls) -> bool:
        """Whether the variable is set, so that there is something to read."""
        return bool(os.environ.get(VARIABLE))

    @classmethod
    def read(cls) -> MultiViewData:
        """Read the file that the variable names.

        Raises:
            UserError: the variable is not set, or there is not exactly one such file below the folder.
        """
        place = os.environ.get(VARIABLE)
        if not place:
            raise UserError(
                "Data set 'tau-avsc' exists only after its encoders were trained: run `mvgraph reproduce avsc "
                f"--root ROOT --out OUT` and set {VARIABLE}=OUT."
            )
        path = Path(place)
        if not path.is_file():
            found = sorted(path.rglob(FILE)) if path.is_dir() else []
            if len(found) != 1:
                what = f"{len(found)} files" if found else "no file"
                raise UserError(f"{VARIABLE}={place} holds {what} {FILE}; name the one to read.")
            (path,) = found
        data = read_h5mu(path)
        card = data.card if data.card.name == "avsc-generated" else cls.card()
        return data.with_card(card)

    @classmethod
    def load(cls) -> MultiViewData:
        """Read the data and hold it against the declared views and classes.

        The number of rows is that of the whole data set; clips that could not be read are missing from it.

        Raises:
            UserError: the data cannot be had, or is not what the class says.
        """
        data = cls.read()
        if data.view_dims != dict(cls.view_dims) or data.n_classes != cls.n_classes:
            raise UserError(
                f"Data set 'tau-avsc' has the views {dict(cls.view_dims)} and {cls.n_classes} classes, but "
                f"{VARIABLE} names a file with {data.view_dims} and {data.n_classes}."
            )
        return data
