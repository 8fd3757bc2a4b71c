"""The disk cache of graphs: right, whole or absent, shared, and safe among processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mvgraph.data import MultiViewData
from mvgraph.errors import UserError
from mvgraph.graph import GraphSettings, build_graph
from mvgraph.graph import build as build_module
from mvgraph.graph.cache import GraphCache, ViewGraph, cache_key, shared_folder
from mvgraph.graph.csr import CSR


def views(seed: int = 0, n: int = 60) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(n, 4, generator=generator), "b": torch.randn(n, 6, generator=generator)}


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The widths of the views that were searched since the test began."""
    seen: list[int] = []
    knn = build_module.knn

    def counted(x: torch.Tensor, *rest: Any, **options: Any) -> Any:
        seen.append(x.shape[1])
        return knn(x, *rest, **options)

    monkeypatch.setattr(build_module, "knn", counted)
    return seen


def entries(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("??/*/graph.json"))


def test_the_second_time_nothing_is_searched_and_the_graph_is_the_same(
    tmp_path: Path, searches: list[int]
) -> None:
    first = build_graph(views(), k=5, cache=tmp_path)
    assert searches == [4, 6]
    second = build_graph(views(), k=5, cache=tmp_path)
    assert searches == [4, 6]
    plain = build_graph(views(), k=5)
    assert first.hash == second.hash == plain.hash
    assert second.mean_distances == plain.mean_distances
    assert second.settings == plain.settings
    torch.testing.assert_close(second.laplacian("a").to_dense(), plain.laplacian("a").to_dense())


def test_entries_are_plain_mapped_arrays(tmp_path: Path) -> None:
    build_graph(views(), k=5, cache=tmp_path)
    for entry in entries(tmp_path):
        names = {path.name for path in entry.iterdir()}
        assert names == {"graph.json", "indptr.npy", "indices.npy", "values.npy"}
        assert np.load(entry / "indices.npy", allow_pickle=False).dtype == np.int64
    store = GraphCache(tmp_path)
    found = store.load(entries(tmp_path)[0].name)
    assert found is not None
    with open("/proc/self/maps") as maps:
        assert any("values.npy" in line for line in maps)
    # A private mapping: writing to the graph must not reach the file.
    found.adjacency.values[0] = 0.125
    again = store.load(entries(tmp_path)[0].name)
    assert again is not None
    assert again.adjacency.values[0] != 0.125


def test_only_what_concerns_a_view_is_in_its_key(tmp_path: Path, searches: list[int]) -> None:
    x = views()
    build_graph(x, k={"a": 5, "b": 5}, cache=tmp_path)
    del searches[:]
    build_graph(x, k={"a": 5, "b": 7}, cache=tmp_path)
    assert searches == [6]
    del searches[:]
    build_graph({"other name": x["a"]}, k=5, cache=tmp_path)
    assert searches == []


@pytest.mark.parametrize(
    "change",
    [{"k": 4}, {"kernel": "cosine"}, {"symmetrise": "mean"}, {"kernel": "self-tuning", "scale_neighbour": 2}],
)
def test_every_setting_is_in_the_key(tmp_path: Path, searches: list[int], change: dict[str, Any]) -> None:
    x = {"a": views()["a"]}
    build_graph(x, k=5, cache=tmp_path)
    changed = build_graph(x, **{"k": 5, **change}, cache=tmp_path)
    assert len(searches) == 2
    assert changed.hash == build_graph(x, **{"k": 5, **change}).hash


def test_data_and_observed_rows_are_in_the_key() -> None:
    settings = GraphSettings(5)
    x = views()["a"]
    other = x.clone()
    other[3, 1] += 1e-6
    some = torch.ones(60, dtype=torch.bool)
    assert cache_key(x, settings, "a", some) == cache_key(x, settings, "a")
    some[4] = False
    flipped = some.clone()
    flipped[4], flipped[5] = True, False
    keys = {
        cache_key(x, settings, "a"),
        cache_key(other, settings, "a"),
        cache_key(x, settings, "a", some),
        cache_key(x, settings, "a", flipped),
        cache_key(x.reshape(30, 8), settings, "a"),
    }
    assert len(keys) == 5


def test_missing_rows_survive_the_cache(tmp_path: Path) -> None:
    observed = np.ones((60, 2), dtype=bool)
    observed[[1, 5], 0] = False
    named = {name: rows.numpy() for name, rows in views().items()}
    data = MultiViewData.from_arrays(named, np.arange(60) % 2, observed=observed)
    first = build_graph(data, k=4, cache=tmp_path)
    assert build_graph(data, k=4, cache=tmp_path).hash == first.hash == build_graph(data, k=4).hash


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", ["truncate", "json", "figure", "missing", "lengths", "pickle", "values", "indices", "indptr"]
)
def test_a_damaged_entry_is_set_aside_told_and_built_again(
    tmp_path: Path, searches: list[int], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    x = {"a": views()["a"]}
    first = build_graph(x, k=5, cache=tmp_path)
    right = first.hash  # now: the damage below reaches what is mapped
    entry = entries(tmp_path)[0]
    if damage == "truncate":
        os.truncate(entry / "values.npy", 200)
    elif damage == "json":
        (entry / "graph.json").write_text("{")
    elif damage == "figure":
        text = (entry / "graph.json").read_text()
        (entry / "graph.json").write_text(text.replace('"recall": 1.0', '"recall": 9.0'))
    elif damage == "missing":
        (entry / "indices.npy").unlink()
    elif damage == "lengths":
        facts = json.loads((entry / "graph.json").read_text())
        (entry / "graph.json").write_text(json.dumps({**facts, "entries": 7}))
    elif damage == "pickle":
        np.save(entry / "values.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        # The lowest bit of the last number: nothing that reads the file can tell.
        flip(entry / f"{damage}.npy", -4 if damage == "values" else -8)
    again = build_graph(x, k=5, cache=tmp_path)
    assert (again.hash, again.mean_distances, len(searches)) == (right, first.mean_distances, 2)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"mvgraph: The cached graph {entry.name[:12]} is damaged; it is kept in")
    assert (entry.parent / "damaged" / entry.name).is_dir()
    assert len(entries(tmp_path)) == 1
    assert build_graph(x, k=5, cache=tmp_path).hash == right
    assert (len(searches), capsys.readouterr().err) == (2, "")


def test_an_entry_of_before_there_were_sums_is_built_again_in_silence(
    tmp_path: Path, searches: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    x = {"a": views()["a"]}
    right = build_graph(x, k=5, cache=tmp_path).hash
    path = entries(tmp_path)[0] / "graph.json"
    facts = {
        name: value for name, value in json.loads(path.read_text()).items() if name not in ("sha256", "sum")
    }
    path.write_text(json.dumps(facts))
    assert build_graph(x, k=5, cache=tmp_path).hash == right
    assert (len(searches), capsys.readouterr().err) == (2, "")
    assert "sha256" in json.loads(path.read_text())


def test_what_was_set_aside_is_the_first_to_go(tmp_path: Path) -> None:
    build_graph(views(), k=5, cache=tmp_path)
    flip(entries(tmp_path)[0] / "values.npy", -4)
    build_graph(views(), k=5, cache=tmp_path)
    assert len(list(tmp_path.glob("??/damaged/*"))) == 1
    held = sum(file.stat().st_size for entry in entries(tmp_path) for file in entry.iterdir())
    assert GraphCache(tmp_path, limit=held).prune() == 1
    assert not list(tmp_path.glob("??/damaged/*"))
    assert len(entries(tmp_path)) == 2


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> ViewGraph:
        raise RuntimeError("no")

    store = GraphCache(tmp_path)
    with pytest.raises(RuntimeError):
        store.get_or_build("ab" * 32, fail)
    assert store.load("ab" * 32) is None
    assert entries(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/cache' cannot be made"):
        build_graph(views(), k=3, cache=tmp_path / "file" / "cache")


KEY = "cd" * 32


def small(value: float) -> ViewGraph:
    edges = torch.tensor([0, 1]), torch.tensor([1, 0])
    return ViewGraph(CSR.from_edges(*edges, torch.full((2,), value), (2, 2)), 1.5)


def build_slowly(folder: Path, log: Path, seconds: float) -> None:
    def build() -> ViewGraph:
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(seconds)
        return small(0.5)

    found = GraphCache(folder).get_or_build(KEY, build)
    assert found.adjacency.values.tolist() == [0.5, 0.5]


def test_processes_that_want_the_same_graph_build_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=build_slowly, args=(tmp_path / "cache", log, 0.3)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(log.read_text().split()) == 1


def test_a_killed_builder_neither_blocks_nor_leaves_rubbish(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    folder, log = tmp_path / "cache", tmp_path / "log"
    worker = context.Process(target=build_slowly, args=(folder, log, 60.0))
    worker.start()
    while not (log.exists() and log.read_text()):
        time.sleep(0.01)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    left = folder / KEY[:2] / f".{KEY}-left"
    left.mkdir(parents=True)
    assert GraphCache(folder).get_or_build(KEY, lambda: small(0.25)).mean_distance == 1.5
    assert not left.exists()
    assert [path.name for path in (folder / KEY[:2]).iterdir()] == [KEY]


def test_seconds_of_building_outlast_the_process_that_built(tmp_path: Path) -> None:
    first = build_graph(views(), k=5, cache=tmp_path)
    second = build_graph(views(), k=5, cache=tmp_path)
    assert set(first.build_seconds) == {"a", "b"}
    assert min(first.build_seconds.values()) > 0
    assert second.build_seconds == first.build_seconds


def test_pruning_removes_what_was_longest_not_asked_for(tmp_path: Path) -> None:
    for seed in range(3):
        build_graph({"a": views(seed)["a"]}, k=5, cache=tmp_path)
    held = {seed: cache_key(views(seed)["a"], GraphSettings(5), "a") for seed in range(3)}
    assert {entry.name for entry in entries(tmp_path)} == set(held.values())
    for age, seed in enumerate((1, 0, 2)):
        moment = time.time() - 1000 * (3 - age)
        os.utime(tmp_path / held[seed][:2] / held[seed] / "graph.json", (moment, moment))
    mapped = build_graph(
        {"a": views(1)["a"]}, k=5, cache=tmp_path
    )  # asks for the oldest, which makes it the newest
    one = sum(file.stat().st_size for file in entries(tmp_path)[0].iterdir())
    assert GraphCache(tmp_path, limit=2 * one + one // 2).prune() == 1
    assert {entry.name for entry in entries(tmp_path)} == {held[1], held[2]}
    assert GraphCache(tmp_path, limit=0).prune() == 2
    assert entries(tmp_path) == []
    assert mapped.hash == build_graph({"a": views(1)["a"]}, k=5).hash, "a mapped graph outlives its file"


def test_a_full_disk_costs_the_filing_and_not_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mvgraph.graph.cache.np.save", full)
    assert build_graph(views(), k=5, cache=tmp_path).hash == build_graph(views(), k=5).hash
    assert entries(tmp_path) == []


@pytest.mark.parametrize(("named", "found"), [("off", None), ("here", "here")])
def test_where_runs_file_their_graphs(
    named: str, found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MVGRAPH_GRAPHS", named)
    assert shared_folder() == (None if found is None else tmp_path / found)
    monkeypatch.delenv("MVGRAPH_GRAPHS")
    monkeypatch.setenv("MVGRAPH_CACHE", str(tmp_path / "cache"))
    assert shared_folder() == tmp_path / "cache" / "graphs"
    monkeypatch.setenv("MVGRAPH_CACHE", "/dev/null/cache")
    assert shared_folder() is None
