"""Stages of a recipe: a folder each, named by a hash of all it depends on, and finished all at once.

A stage that is finished is not run again. One that was interrupted finds its folder as it left it, and continues
with what lies there (feature shards, checkpoints, a ledger).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvgraph.bench.canonical import digest, finite
from mvgraph.data.atomic import atomic_path
from mvgraph.errors import UserError

_DONE = "done.json"


@dataclass(frozen=True)
class Stage:
    """A finished stage.

    Args:
        key: hash of everything the stage depends on; goes into the keys of stages that follow.
        record: what the stage told about itself, JSON values.
        seconds: wall time of the call that finished it.
        cached: whether an earlier call had finished it.
    """

    name: str
    folder: Path
    key: str
    record: Mapping[str, Any]
    seconds: float
    cached: bool


@dataclass
class Stages:
    """The stages of one recipe under a folder.

    Args:
        folder: where their folders lie.
        say: receives one line when a stage begins, is found, or ends.
    """

    folder: Path
    say: Callable[[str], None] = lambda line: None
    ran: list[Stage] = field(default_factory=list)

    def run(self, name: str, depends: Mapping[str, Any], work: Callable[[Path], Mapping[str, Any]]) -> Stage:
        """Run `work` in the stage's folder unless it is finished.

        Args:
            name: a word for the folder.
            depends: JSON values that decide the result: settings, and keys of the stages before.
            work: folder -> record; called with the same folder again after an interruption.

        Raises:
            UserError: what `work` raises, or a damaged record.
        """
        key = digest({"stage": name, **depends})
        folder = self.folder / f"{name}-{key[:12]}"
        done = folder / _DONE
        if done.is_file():
            stage = Stage(name, folder, key, *_read(done), cached=True)
            self.say(f"{name}: found ({folder.name})")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self.say(f"{name}: begins ({folder.name})")
            begun = time.perf_counter()
            record = finite(work(folder))
            seconds = time.perf_counter() - begun
            with atomic_path(done) as temporary:
                content = {"key": key, "depends": finite(depends), "seconds": seconds, "record": record}
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            stage = Stage(name, folder, key, record, seconds, cached=False)
            self.say(f"{name}: done in {seconds:.1f} s")
        self.ran.append(stage)
        return stage


def _read(path: Path) -> tuple[dict[str, Any], float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["record"]), float(content["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{str(path)!r} is damaged ({error}); remove the folder {path.parent.name}."
        ) from None
