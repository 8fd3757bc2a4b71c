"""Growth of time and memory with the number of samples: graph, training, inference, each size in its own process.

    python benchmarks/perf/scale.py --sizes 5000 20000 80000 --out reports/perf
    python benchmarks/perf/scale.py --sizes 1000000 --approx ivf --out reports/perf

Two views of 64 features near a surface of 12 dimensions, k = 20, DM-GCN 256-128, 10,000 labelled rows at most,
mini-batches of 1,024 rows with fan-out 10 from 200,000 nodes on, two epochs, inference on all rows. Sizes that were
measured before are kept. Every figure has its floor (see `floors`), at rates measured in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

WIDTH, K, EPOCHS = 64, 20, 2
#: Degrees of freedom of a row beside its noise. Without such structure no index can leave out anything.
LATENT = 12
#: From here on training goes by mini-batches.
BATCHES_FROM = 200_000
BATCH, FAN_OUT = 1024, 10
HIDDEN = (256, 128)
#: Rows generated at a time.
CHUNK = 100_000


def write_views(n: int, folder: Path) -> tuple[dict[str, Any], Any]:
    """Clustered rows near a surface of 12 dimensions, as embeddings lie, in memory-mapped files, by chunks."""
    import numpy as np

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    views = {}
    for view in ("first", "second"):
        centres = 1.5 * rng.standard_normal((10, LATENT), dtype=np.float32)
        spread = rng.standard_normal((LATENT, WIDTH), dtype=np.float32) / LATENT**0.5
        path = folder / f"{view}.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, WIDTH))
        for start in range(0, n, CHUNK):
            rows = labels[start : start + CHUNK]
            latent = centres[rows] + rng.standard_normal((len(rows), LATENT), dtype=np.float32)
            noise = rng.standard_normal((len(rows), WIDTH), dtype=np.float32)
            array[start : start + CHUNK] = np.tanh(latent @ spread) + 0.05 * noise
        array.flush()
        views[view] = np.load(path, mmap_mode="r")
    return views, labels


def measure(n: int, approx: str | None) -> dict[str, Any]:
    """Seconds of every phase and peak memory of this process."""
    import resource

    import numpy as np
    import torch

    import mvgraph as mv

    with tempfile.TemporaryDirectory() as folder:
        views, labels = write_views(n, Path(folder))
        # The first graph of a process pays for imports and threads; that is no part of growth.
        tiny = {view: np.array(rows[:500]) for view, rows in views.items()}
        mv.build_graph(tiny, k=K)
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        data = mv.MultiViewData.from_arrays(views, labels)
        del views
        start = time.perf_counter()
        with probes_of_search() as probed:
            graph = mv.build_graph(data, k=K, approx=approx, max_seconds=None)
        built = time.perf_counter()
        for view in graph.view_names:
            graph.laplacian(view)
        normalised = time.perf_counter()
        order = np.random.default_rng(1).permutation(n)
        labelled = min(n // 5, 10_000)
        split = mv.Split(
            train=np.sort(order[:labelled]),
            validation=np.sort(order[labelled : labelled + 1000]),
            test=np.sort(order[labelled + 1000 : labelled + 3000]),
            scheme="benchmark",
            seed=0,
            parameters={},
        )
        batches = {"batch_size": BATCH, "fan_out": FAN_OUT} if n >= BATCHES_FROM else {}
        result = mv.fit(
            "dm-gcn", data, split, graph, training={"epochs": EPOCHS, "evaluate_every": EPOCHS, **batches}
        )
        done = time.perf_counter()
        # Before the floors are worked out, which needs memory of its own.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        floors = floors_of(data, split, graph, probed, batches)
        return {
            "nodes": n,
            "approx": approx,
            "threads": torch.get_num_threads(),
            "recall": dict(graph.recall) if approx else None,
            "edges": sum(graph.n_edges.values()),
            "graph_seconds": built - start,
            "laplacian_seconds": normalised - built,
            "epoch_seconds": result.seconds["training"] / EPOCHS,
            "inference_seconds": result.seconds["inference"],
            "total_seconds": done - start,
            "accuracy": result.accuracy(data.labels, np.array(split.test)),
            "base_mib": base,
            "peak_mib": peak,
            **floors,
        }


@contextmanager
def probes_of_search() -> Iterator[list[tuple[int, int]]]:
    """Collects (cells, probed cells) of every approximate search, as it was when its recall sufficed."""
    from mvgraph.graph import faiss_search

    found: dict[int, tuple[int, int]] = {}
    indices = []  # kept, so that no two have the same id

    def observed(faiss: Any, index: Any, kind: str, width: int) -> None:
        set_width(faiss, index, kind, width)
        if kind == "ivf":
            indices.append(index)
            found[id(index)] = (int(index.nlist), width)

    set_width = faiss_search._set_width
    result: list[tuple[int, int]] = []
    with mock.patch.object(faiss_search, "_set_width", observed):
        yield result
    result.extend(found.values())


def floors_of(
    data: Any, split: Any, graph: Any, probed: list[tuple[int, int]], batches: dict[str, int]
) -> dict[str, Any]:
    """Floor of every phase in seconds, and the rates they stand on."""
    import numpy as np
    import torch
    from floors import (
        Floor,
        cells_floor,
        epoch_floor,
        inference_floor,
        laplacian_floor,
        machine_rates,
        search_floor,
    )
    from workload import Scale, Workload

    import mvgraph as mv
    from mvgraph.graph.faiss_search import SAMPLE
    from mvgraph.training.loop import propagation_of

    n, edges = data.n_samples, sum(graph.n_edges.values())
    widths = tuple((view, WIDTH) for view in data.view_names)
    work = Workload(Scale("growth", n, len(split.train), K, widths, HIDDEN), data, split, graph)
    if probed:
        search = sum((cells_floor(n, WIDTH, *each, SAMPLE) for each in probed), Floor(0, 0))
    else:
        search = search_floor(n, WIDTH).times(len(widths))
    model = mv.create("dm-gcn", data, hidden=HIDDEN)
    everything = propagation_of(model, data, graph, torch.device("cpu"))
    joint = model.tags.mixes_views
    if batches:
        rows = torch.as_tensor(np.array(split.train[:BATCH]))
        generator = torch.Generator().manual_seed(0)
        field = everything.sampled(rows, (FAN_OUT,) * model.n_layers, generator, joint=joint)
        one = epoch_floor("dm-gcn", field, work, labelled=len(rows), fan_out=FAN_OUT)
        epoch = one.times(-(-len(split.train) // BATCH))
    else:
        field = everything.restricted(work.rows, model.n_layers, joint=joint)
        epoch = epoch_floor("dm-gcn", field, work)
    rates = machine_rates()
    phases = {
        "graph": search,
        "laplacian": laplacian_floor(edges),
        "epoch": epoch,
        "inference": inference_floor(n, edges, work),
    }
    return {
        "rates": rates,
        "probed": probed,
        **{f"{phase}_floor_seconds": floor.seconds(rates) for phase, floor in phases.items()},
    }


def draw(rows: list[dict[str, Any]], target: Path) -> None:
    """Time and memory over N, both axes logarithmic, with guides of slope 1 and 2."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
    phases = (
        ("graph_seconds", "graph, exact (both views)", "#0072B2", None),
        ("graph_seconds", "graph, approximate (both views)", "#56B4E9", "any"),
        ("laplacian_seconds", "Laplacians", "#009E73", "both"),
        ("epoch_seconds", "one epoch", "#D55E00", "both"),
        ("inference_seconds", "inference on all rows", "#CC79A7", "both"),
    )
    for key, label, colour, kind in phases:
        chosen = [r for r in rows if kind == "both" or (kind is None) == (r["approx"] is None)]
        if chosen:
            left.plot([r["nodes"] for r in chosen], [r[key] for r in chosen], "o-", label=label, color=colour)
    right.plot(
        [r["nodes"] for r in rows],
        [r["peak_mib"] for r in rows],
        "o-",
        color="#0072B2",
        label="peak of the process",
    )
    right.axhline(16 * 1024, color="#999999", linestyle="--", label="16 GiB")
    for axis, unit in ((left, "seconds"), (right, "MiB")):
        axis.set(xscale="log", yscale="log", xlabel="samples N", ylabel=unit)
        axis.grid(True, which="major", alpha=0.3)
        axis.legend(fontsize=8)
    exact = [r for r in rows if r["approx"] is None]
    if exact:
        n0, t0 = exact[-1]["nodes"], exact[-1]["graph_seconds"]
        ends = [exact[0]["nodes"], n0]
        left.plot(ends, [t0 * (n / n0) ** 2 for n in ends], ":", color="#666666", label="slope 2")
        left.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(target, dpi=130, metadata={"Software": None})


def write(rows: list[dict[str, Any]], out: Path) -> None:
    """scale.json, scale.md and scale.png."""
    from mvgraph.bench.environment import environment

    threads = "/".join(str(count) for count in sorted({r["threads"] for r in rows}))
    found = {**environment(), "threads": threads}  # of the processes that measured, not of this one
    machine = ", ".join(f"{k} {v}" for k, v in found.items() if isinstance(v, str | int | float))
    rows.sort(key=lambda r: (r["nodes"], r["approx"] or ""))
    (out / "scale.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    lines = [
        "# Growth with the number of samples",
        "",
        "Written by `make perf-scale`: two views of 64 features, k = 20, DM-GCN 256-128; "
        f"mini-batches from {BATCHES_FROM:,} samples on; rows lie near a surface of {LATENT} dimensions. "
        "Two epochs; each size in a process of its own.",
        f"Machine: {machine}.",
        "",
        "Beside every figure how many times its floor it is: for an exact graph one dense product over all pairs and "
        "views; for an approximate one the products that choose cells, those with the rows of the probed cells "
        "and those of the sample; for Laplacians every entry read and written once; for an epoch and for inference "
        "the dense products and the bytes of what the method must read and write. At the GEMM rate and bandwidth that "
        "the same process measured. Small sizes fit into caches, so that a figure may lie below its floor of bytes. "
        "No floor holds the k-means that makes the cells, nor that scanning a cell is no GEMM: hence the distance of "
        "approximate graphs. Laplacians are far from theirs and too small a part of the whole to matter.",
        "",
        "| samples | graph | recall | graph s | | Laplacians s | | epoch s | | inference s | | all s | peak MiB |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for r in rows:
        recall = ", ".join(f"{v:.3f}" for v in r["recall"].values()) if r["recall"] else "1"
        phases = " | ".join(
            f"{r[f'{phase}_seconds']:.3g} | {times(r[f'{phase}_seconds'] / r[f'{phase}_floor_seconds'])}"
            for phase in ("graph", "laplacian", "epoch", "inference")
        )
        lines.append(
            f"| {r['nodes']:,} | {r['approx'] or 'exact'} | {recall} | {phases} "
            f"| {r['total_seconds']:.1f} | {r['peak_mib']:,.0f} |"
        )
    (out / "scale.md").write_text("\n".join([*lines, "", "![growth](scale.png)", ""]), encoding="utf-8")
    draw(rows, out / "scale.png")


def times(ratio: float) -> str:
    """Two digits, without a power of ten."""
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.1f} x"


def main() -> None:
    """Measure every size in a process of its own, then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 10_000, 20_000, 40_000, 80_000])
    parser.add_argument("--approx", choices=["ivf", "hnsw"])
    parser.add_argument("--out", type=Path, default=Path("reports/perf"))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.sizes[0], arguments.approx)))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = arguments.out / "scale.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    for n in arguments.sizes:
        command = [sys.executable, __file__, "--one", "--sizes", str(n)]
        command += ["--approx", arguments.approx] if arguments.approx else []
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        if done.returncode:
            print(f"{n:,} samples failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        rows = [r for r in rows if (r["nodes"], r["approx"]) != (n, arguments.approx)]
        rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
        print(rows[-1], flush=True)
        write(rows, arguments.out)


if __name__ == "__main__":
    main()
