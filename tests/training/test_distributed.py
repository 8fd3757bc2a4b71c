"""Two processes started by torchrun give the losses and weights of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mvgraph.training.distributed import World, current_world, join_world

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
import mvgraph as mv
from mvgraph.training import join_world

rng = np.random.default_rng(0)
labels = np.arange(90) % 3
views = {"a": rng.normal(size=(90, 5)) + labels[:, None], "b": rng.normal(size=(90, 4))}
data = mv.MultiViewData.from_arrays(views, labels)
split = mv.make_splits(data, "label-rate", rate=0.5)[0]
figures = {}
with join_world() as world:
    for method in ("dm-gcn", "at-gcn", "concat-mlp"):
        for batch in (None, 7):
            result = mv.fit(
                method, data, split, mv.build_graph(data, k=4),
                options={"dropout": 0.0, "hidden": (8, 4)},
                training={"epochs": 4, "evaluate_every": 1, "lr": 1e-2, "batch_size": batch},
            )
            figures[f"{method} {batch}"] = {
                "losses": result.curves["train_log_loss"],
                "probabilities": result.probabilities().tolist(),
            }
threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").glob("*")]
if world.rank == 0:
    open(sys.argv[1], "w").write(json.dumps({"size": world.size, "figures": figures, "threads": threads}))
"""


def run(script: Path, out: Path, processes: int) -> dict:
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
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
    one, two = run(script, tmp_path / "one.json", 1), run(script, tmp_path / "two.json", 2)
    assert (one["size"], two["size"]) == (1, 2)
    # A thread that outlives the world may abort the process when the interpreter ends.
    assert not [name for name in two["threads"] if "gloo" in name]
    for key, alone in one["figures"].items():
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
