"""Stages of a recipe: a folder each, named by a hash of all it depends on, and finished all at once.

A stage that is finished is not run again. One that was interrupted finds its folder as it left it, and continues
with what lies there (feature shards, checkpoints, a ledger). The sums of a finished stage's files are compared when it
is found: what is damaged is set aside, and the stage makes that part again.
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
from mvgraph.data.integrity import ASIDE, first_damaged, set_aside, sums_of

_DONE = "done.json"
#: What a stage leaves behind and nobody changes afterwards; a ledger answers for itself.
_SEALED = (".h5", ".h5mu", ".json", ".npz", ".safetensors")


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

    def run(
        self,
        name: str,
        depends: Mapping[str, Any],
        work: Callable[[Path], Mapping[str, Any]],
        fault: Callable[[Path], str | None] | None = None,
    ) -> Stage:
        """Run `work` in the stage's folder unless it is finished and its files are as they were written.

        Args:
            name: a word for the folder.
            depends: JSON values that decide the result: settings, and keys of the stages before.
            work: folder -> record; called with the same folder again after an interruption.
            fault: folder -> what is wrong with files that have no sum, in words, or None.

        Raises:
            UserError: what `work` raises.
        """
        key = digest({"stage": name, **depends})
        folder = self.folder / f"{name}-{key[:12]}"
        done = folder / _DONE
        found = self._found(name, folder, fault) if done.is_file() else None
        if found is not None:
            stage = Stage(name, folder, key, *found, cached=True)
            self.say(f"{name}: found ({folder.name})")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self.say(f"{name}: begins ({folder.name})")
            begun = time.perf_counter()
            record = finite(work(folder))
            seconds = time.perf_counter() - begun
            with atomic_path(done) as temporary:
                content = {"key": key, "depends": finite(depends), "seconds": seconds, "record": record}
                content["sha256"] = sums_of(folder, _sealed_files(folder))
                content["sum"] = digest(content)
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            stage = Stage(name, folder, key, record, seconds, cached=False)
            self.say(f"{name}: done in {seconds:.1f} s")
        self.ran.append(stage)
        return stage

    def _found(
        self, name: str, folder: Path, fault: Callable[[Path], str | None] | None
    ) -> tuple[dict[str, Any], float] | None:
        """Record and seconds of a finished stage, or None where a part of it must be made again."""
        try:
            content = json.loads((folder / _DONE).read_text(encoding="utf-8"))
            # Stages of before there were sums are believed.
            if "sum" in content and content.pop("sum") != digest(content):
                raise ValueError("its sum is another")
            record, seconds = dict(content["record"]), float(content["seconds"])
            sums = dict(content.get("sha256", {}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            set_aside(folder / _DONE, f"The record of stage '{name}'")
            return None
        whole = True
        while (damaged := first_damaged(folder, sums)) is not None:
            whole = False
            del sums[damaged]
            if (folder / damaged).is_file():
                set_aside(folder / damaged, f"{damaged} of stage '{name}'")
            else:
                self.say(f"{name}: {damaged} is missing and is made again")
        if whole and fault is not None and (words := fault(folder)) is not None:
            whole = False
            self.say(f"{name}: {words}")
        return (record, seconds) if whole else None


def _sealed_files(folder: Path) -> list[str]:
    """Names, relative to the folder, of the files whose sums are kept."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in _SEALED and path.name != _DONE and ASIDE not in path.parts
    ]
