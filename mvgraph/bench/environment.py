"""Where a cell ran: enough to judge its seconds, nothing that names a person's machine."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import mvgraph

#: Packages whose version may change a number or a duration.
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "h5py", "torch-geometric")


def cpu_model() -> str:
    """The processor's trade name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores this process may use (not those of the machine)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_mib() -> int | None:
    """Physical memory in MiB, None where the system does not tell."""
    try:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20)
    except (ValueError, OSError, AttributeError):
        return None


def gpu() -> dict[str, Any] | None:
    """Name and memory (MiB) of the first GPU, None without one."""
    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory_mib": int(properties.total_memory / 2**20),
        "count": torch.cuda.device_count(),
        "cuda": torch.version.cuda,
    }


@functools.cache
def git_commit() -> str | None:
    """Commit of the checkout mvgraph is imported from, with `+dirty` if tracked files differ; None outside one."""
    package = Path(mvgraph.__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(package), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # A virtual environment inside somebody else's repository must not lend us that repository's commit.
    if git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None
    return commit + ("+dirty" if git("status", "--porcelain", "--untracked-files=no", "--", ".") else "")


@functools.cache
def versions() -> dict[str, str | None]:
    """Versions of Python, mvgraph (with its commit) and the packages that compute."""
    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "mvgraph": mvgraph.__version__,
        "commit": git_commit(),
    }
    for name in PACKAGES:
        try:
            # The public part only: a local label such as "+cpu" names a build, the GPU entry says the rest.
            found[name] = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


@functools.cache
def environment() -> dict[str, Any]:
    """CPU, cores, memory (MiB), GPU and operating system; no path, no host or user name."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "memory_mib": memory_mib(),
        "gpu": gpu(),
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }
