"""Write `constraints.txt`: the exact version of everything our extras need, as pip resolves it today.

    make constraints

Nothing is installed: pip resolves into an empty environment and reports. Pins carry no local label (`+cpu`
names a build, not a version), no path and no address, so that the same file serves every machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "dev,docs,media,ray,faiss,postgres"
#: Moved by hand only: torch, because CPU and CUDA wheels of a version must be to be had everywhere; mlflow, because
#: the mirror's database is bound to its schema.
HELD = ("torch==2.13.0", "mlflow==3.17.2")
#: What makes an environment rather than lives in it; pinning it would fight the interpreter that brings it.
TOOLS = {"pip", "setuptools", "wheel", "mvgraph"}
#: What belongs to a build of torch; torch itself asks for the right versions.
BUILD = ("nvidia-", "cuda-", "triton")
HEAD = """\
# Exact versions that resolve and pass the tests together; written by `make constraints`, not by hand.
# Use: pip install -c constraints.txt -e '.[bench]'
"""


def resolve(python: Path) -> list[dict[str, Any]]:
    """What pip would install, from the report of a dry run."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = ["install", "-qq", "--dry-run", "--report", report, f"{ROOT}[{EXTRAS}]", *HELD]
        subprocess.run([python, "-m", "pip", *words], check=True)
        found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
        return found


def pins(resolved: Iterable[Mapping[str, Any]]) -> list[str]:
    """`name==version`, sorted, without local labels and without the tools of the environment."""
    versions = {
        entry["metadata"]["name"].lower().replace("_", "-"): entry["metadata"]["version"].partition("+")[0]
        for entry in resolved
    }
    return [f"{name}=={version}" for name, version in sorted(versions.items()) if is_pinned(name)]


def is_pinned(name: str) -> bool:
    """Whether a package gets a line."""
    return name not in TOOLS and not name.startswith(BUILD)


def main() -> None:
    """Resolve in a throw-away environment and replace the file."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "-qq", "--upgrade", "pip"], check=True)
        lines = pins(resolve(python))
    partial = ROOT / "constraints.txt.partial"
    partial.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    os.replace(partial, ROOT / "constraints.txt")
    print(f"constraints.txt: {len(lines)} packages pinned.", file=sys.stderr)


if __name__ == "__main__":
    main()
