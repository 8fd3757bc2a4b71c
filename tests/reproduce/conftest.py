"""A handful of generated clips in the layout of the data set: three classes, five short clips each."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvgraph.data.tau import layout, simulate

SECONDS = 2.0
CLASSES = ("airport", "bus", "park")


@pytest.fixture(scope="session")
def clips_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine training clips and six test clips, every one at a location of its own, two seconds long."""
    pytest.importorskip("av")
    pytest.importorskip("soundfile")
    root = tmp_path_factory.mktemp("tau")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "CLIPS_PER_PLACE", 1)
        train, test = (
            [job for job in jobs if job.clip.label in CLASSES] for jobs in simulate.plan(5, 0, SECONDS)
        )
    for folder in ("audio", "video"):
        (root / folder).mkdir()
    for job in (*train, *test):
        simulate.write_clip(root, job)
    layout.write_tables(root, [job.clip for job in train], [job.clip for job in test])
    (root / "GENERATED.txt").write_text("generated\n")
    return root
