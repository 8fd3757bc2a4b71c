"""The clips of TAU Urban Audio-Visual Scenes 2021 under a root folder, with the official split and groups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mvgraph.data.tau.layout import CLASSES, Clip, clip_from_files, meta_folder, read_table
from mvgraph.errors import UserError


@dataclass(frozen=True)
class TauClips:
    """Clips of the official development split.

    Clips stand in the order of the tables; `classes` are in alphabetical order, which is the order of labels.
    """

    root: Path
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    classes: tuple[str, ...] = CLASSES

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Training clips, then test clips."""
        return self.train + self.test

    def audio_path(self, clip: Clip) -> Path:
        return self.root / clip.audio

    def video_path(self, clip: Clip) -> Path:
        return self.root / clip.video

    def label(self, clip: Clip) -> int:
        """The class number."""
        return self.classes.index(clip.label)

    def groups(self, clips: tuple[Clip, ...]) -> dict[str, list[str]]:
        """Clip, location and city of each clip, in the order given."""
        return {
            "clip": [clip.name for clip in clips],
            "location": [clip.place for clip in clips],
            "city": [clip.city for clip in clips],
        }

    def without(self, names: set[str]) -> TauClips:
        """The same without some clips (those that could not be read).

        Raises:
            UserError: nothing would be left to train on or to test.
        """
        train = tuple(clip for clip in self.train if clip.name not in names)
        test = tuple(clip for clip in self.test if clip.name not in names)
        if not train or not test:
            raise UserError(
                f"Without the {len(names)} skipped clips no {'test' if train else 'training'} clip is left."
            )
        return TauClips(self.root, train, test, self.classes)


def read_tau(root: str | Path) -> TauClips:
    """Read the tables under `root` (or its `.meta` folder); no sound and no picture is opened.

    Raises:
        UserError: no tables, a damaged table, a name of another form, an unknown class, a clip named twice, or
            a location in both parts.
    """
    root = Path(root)
    folder = meta_folder(root)
    setup = folder / "evaluation_setup"
    train = _clips(setup / "fold1_train.csv", {})
    evaluate = setup / "fold1_evaluate.csv"
    if evaluate.is_file():
        test = _clips(evaluate, {})
    else:  # only the unlabelled table: labels come from meta.csv
        labels = {
            row["filename_audio"]: row["scene_label"]
            for row in read_table(folder / "meta.csv", ("filename_audio", "scene_label"))
        }
        test = _clips(setup / "fold1_test.csv", labels)
    for part, clips in (("training", train), ("test", test)):
        if not clips:
            raise UserError(f"The tables in {str(setup)!r} name no {part} clip.")
    twice = [name for name, count in Counter(clip.name for clip in train + test).items() if count > 1]
    if twice:
        raise UserError(f"The tables in {str(setup)!r} name the clip {twice[0]!r} more than once.")
    shared = {clip.place for clip in train} & {clip.place for clip in test}
    if shared:
        raise UserError(f"The location {min(shared)!r} is in both parts of the split in {str(setup)!r}.")
    return TauClips(root, tuple(train), tuple(test))


def _clips(path: Path, labels: dict[str, str]) -> list[Clip]:
    needed = ["filename_audio", "filename_video"] + ([] if labels else ["scene_label"])
    clips = []
    for number, row in enumerate(read_table(path, needed), start=2):
        where = f"{str(path)!r}, line {number}"
        label = row.get("scene_label") or labels.get(row["filename_audio"], "")
        clip = clip_from_files(row["filename_audio"], row["filename_video"], label, where)
        if clip.label not in CLASSES:
            raise UserError(f"{where}: {clip.label!r} is none of the ten classes ({', '.join(CLASSES)}).")
        clips.append(clip)
    return clips
