"""Two processes started by torchrun give the losses and weights of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mvgraph as mv
from mvgraph.training.distributed import World, current_world, join_world

SCRIPT = """
import json, os, sys
from pathlib import Path

sys.path[:0] = [os.environ["TESTS"]]
from test_distributed import figures_of

from mvgraph.training import join_world

with join_world() as world:
    figures = figures_of()
threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").glob("*")]
if world.rank == 0:
    open(sys.argv[1], "w").write(json.dumps({"size": world.size, "figures": figures, "threads": threads}))
"""


def figures_of() -> dict[str, Any]:
    """Losses and probabilities of three methods, full-batch and in batches."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    views = {"a": rng.normal(size=(90, 5)) + labels[:, None], "b": rng.normal(size=(90, 4))}
    data = mv.MultiViewData.from_arrays(views, labels)
    split = mv.make_splits(data, "label-rate", rate=0.5)[0]
    graph = mv.build_graph(data, k=4)
    figures = {}
    for method in ("dm-gcn", "at-gcn", "concat-mlp"):
        for batch in (None, 7):
            result = mv.fit(
                method,
                data,
                split,
                graph,
                options={"dropout": 0.0, "hidden": (8, 4)},
                training={"epochs": 4, "evaluate_every": 1, "lr": 1e-2, "batch_size": batch},
            )
            figures[f"{method} {batch}"] = {
                "losses": result.curves["train_log_loss"],
                "probabilities": result.probabilities().tolist(),
            }
    return figures


def run_two(script: Path, out: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "TESTS": str(Path(__file__).parent),
    }
    done = subprocess.run(
        [*command, str(script), str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    one, two = figures_of(), run_two(script, tmp_path / "two.json")
    assert two["size"] == 2
    # A thread that outlives the world may abort the process when the interpreter ends.
    assert not [name for name in two["threads"] if "gloo" in name]
    for key, alone in one.items():
        together = two["figures"][key]
        np.testing.assert_allclose(together["losses"], alone["losses"], rtol=1e-5, err_msg=key)
        np.testing.assert_allclose(together["probabilities"], alone["probabilities"], atol=1e-4, err_msg=key)


def test_shares_are_a_partition() -> None:
    rows = torch.arange(11)
    parts = [World(rank, 3).share(rows) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == rows.tolist()


def test_alone_nothing_is_joined() -> None:
    with join_world() as world:
        assert world == World(0, 1) == current_world()
        assert float(world.total(torch.tensor(2.5))) == 2.5
