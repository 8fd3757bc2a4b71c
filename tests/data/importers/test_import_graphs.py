"""Given graphs: out of every kind of file, kept in `.h5mu`, and used in place of kNN graphs."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from import_files import N, small_labels, small_views, write_mat73
from scipy import sparse
from scipy.io import savemat

import mvgraph as mv
from mvgraph.data import MultiViewData, load
from mvgraph.data.h5mu import read_h5mu
from mvgraph.data.h5mu_write import write_h5mu
from mvgraph.errors import UserError


def network() -> np.ndarray:
    """Directed weights with a diagonal, which is no part of a graph, and a pair that differs by direction."""
    a = np.zeros((N, N))
    a[0, 1], a[1, 0], a[2, 5], a[7, 3], a[4, 4] = 2.0, 0.5, 1.25, 3.0, 9.0
    return a


def bare() -> np.ndarray:
    a = network()
    np.fill_diagonal(a, 0)
    return a


def given(observed: object = None) -> MultiViewData:
    return MultiViewData.from_arrays(
        small_views(), small_labels(), graphs={"a": sparse.coo_array(network())}, observed=observed
    )


@pytest.mark.parametrize(
    "form",
    [
        "npz",
        "mat5",
        "mat5 sparse",
        "mat73",
        "edges",
        "edges with semicolons",
        "edges with tabs",
        "sparse file",
    ],
)
def test_a_graph_is_a_view_with_the_features_of_the_others(tmp_path: Path, form: str) -> None:
    content = {**small_views(), "y": small_labels(), "net": network()}
    path = tmp_path / ("m.mat" if form.startswith("mat") else "m.npz")
    key = "net"
    if form == "npz":
        np.savez(path, **content)
    elif form == "sparse file":
        del content["net"]
        np.savez(path, **content)
        key = "net.npz"
        sparse.save_npz(tmp_path / key, sparse.csr_matrix(network()))
    elif form.startswith("edges"):
        del content["net"]
        np.savez(path, **content)
        mark = {"edges": ",", "edges with semicolons": ";", "edges with tabs": "\t"}[form]
        key = "edges.tsv" if mark == "\t" else "edges.csv"
        lines = [f"{i}{mark}{j}{mark}{network()[i, j]}" for i, j in np.argwhere(network())]
        text = "\n".join([mark.join(("from", "to", "weight")), *lines])
        (tmp_path / key).write_text(text.replace(".", ",") if mark == ";" else text)
    elif form == "mat73":
        write_mat73(path, content)
    else:
        net = sparse.csc_matrix(network()) if "sparse" in form else network()
        savemat(path, {**content, "net": net})
    data = load(path, graphs={"cites": key})
    assert data.view_names == ("a", "b", "cites")
    assert any(
        "Graph cites: 1 edges from a sample to itself were left out" in note for note in data.card.notes
    )
    np.testing.assert_array_equal(data.graphs["cites"].toarray(), bare())
    np.testing.assert_array_equal(data.views["cites"], np.hstack([*small_views().values()]))
    assert any("cites is a given graph" in note for note in data.card.notes)


def test_a_graph_of_a_view_and_graphs_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", **small_views(), y=small_labels(), net=network())
    data = load(tmp_path / "m.npz", graphs={"a": "net"})
    assert data.view_names == ("a", "b")
    assert list(data.graphs) == ["a"]
    np.savez(tmp_path / "g.npz", y=small_labels(), net=network())
    alone = load(tmp_path / "g.npz", graphs={"cites": "net"})
    np.testing.assert_array_equal(alone.views["cites"], np.eye(N))


def test_obsp_of_an_annotated_matrix(tmp_path: Path) -> None:
    net = sparse.csr_array(network())
    with h5py.File(tmp_path / "m.h5ad", "w") as file:
        file["X"] = small_views()["a"]
        file["obs/_index"] = np.array([f"c{i}" for i in range(N)], dtype=h5py.string_dtype())
        file["obs/label"] = small_labels()
        file["obsp/dense"] = network()
        group = file.create_group("obsp/net")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": net.shape})
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(net, part)
    for key in ("obsp/net", "obsp/dense"):
        data = load(tmp_path / "m.h5ad", graphs={"near": key})
        np.testing.assert_array_equal(data.graphs["near"].toarray(), bare())
    with pytest.raises(UserError, match="there is no 'obsp/far'; there are obsp/dense, obsp/net"):
        load(tmp_path / "m.h5ad", graphs={"near": "obsp/far"})


def test_lists_of_edges_without_a_first_line_or_weights(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", **small_views(), y=small_labels())
    (tmp_path / "e.csv").write_text("0,1,1\n2,5,1\n2,5,1\n")
    graph = load(tmp_path / "m.npz", graphs={"a": "e.csv"}).graphs["a"].toarray()
    assert graph[[0, 2], [1, 5]].tolist() == [1, 2]
    assert graph.sum() == 3
    (tmp_path / "e.csv").write_text("from,to\n0,1\n")
    assert load(tmp_path / "m.npz", graphs={"a": "e.csv"}).graphs["a"].toarray()[0, 1] == 1


def test_kept_in_h5mu_in_subsets_and_in_the_fingerprint(tmp_path: Path) -> None:
    data = given()
    write_h5mu(data, tmp_path / "m.h5mu")
    back = read_h5mu(tmp_path / "m.h5mu")
    np.testing.assert_array_equal(back.graphs["a"].toarray(), bare())
    plain = MultiViewData.from_arrays(small_views(), small_labels())
    assert back.fingerprint == data.fingerprint != plain.fingerprint
    assert type(data.fingerprint).from_json(data.fingerprint.to_json()) == data.fingerprint
    assert "graphs" not in plain.fingerprint.to_json()
    rows = [5, 2, 1, 0]
    np.testing.assert_array_equal(data.subset(rows).graphs["a"].toarray(), bare()[np.ix_(rows, rows)])
    assert [list(data.select_views(name).graphs) for name in ("a", "b")] == [["a"], []]
    assert mv.scale_views(data, "zscore").graphs.keys() == {"a"}
    with h5py.File(tmp_path / "m.h5mu", "r+") as file:
        file["obsp/a/indices"][0] = 10_000
    with pytest.raises(UserError, match=r"/obsp/a is not a sparse matrix .* or is damaged"):
        read_h5mu(tmp_path / "m.h5mu")


@pytest.mark.parametrize("how", ["max", "mean", "union", "directed"])
def test_the_graph_is_symmetrised_and_never_searched(how: str) -> None:
    graph = mv.build_graph(given(), k=3, symmetrise=how)
    a = bare()
    either = (a + a.T) / np.maximum((a > 0).astype(int) + (a.T > 0), 1)
    expected = {"max": np.maximum(a, a.T), "mean": (a + a.T) / 2, "union": either, "directed": a}[how]
    np.testing.assert_array_equal(graph["a"].to_scipy().toarray(), expected.astype(np.float32))
    assert "a" not in graph.mean_distances
    searched = mv.build_graph({"b": given().views["b"]}, k=3, symmetrise=how)
    assert torch.equal(graph["b"].values, searched["b"].values)


def test_rows_without_the_view_lose_their_edges(tmp_path: Path) -> None:
    seen = np.ones(N, dtype=bool)
    seen[1] = False
    graph = mv.build_graph(given({"a": seen, "b": np.ones(N, dtype=bool)}), k=3, cache=tmp_path)
    expected = bare()
    expected[1] = expected[:, 1] = 0
    np.testing.assert_array_equal(graph["a"].to_scipy().toarray(), np.maximum(expected, expected.T))


def test_what_is_no_graph(tmp_path: Path) -> None:
    def refused(message: str, graph: object, name: str = "a") -> None:
        with pytest.raises(UserError, match=message):
            MultiViewData.from_arrays(small_views(), small_labels(), graphs={name: graph})

    refused("Graph 'a' is 3 x 3, but must be 12 x 12", np.ones((3, 3)))
    refused("graph for view 'c', but the views are a, b", network(), "c")
    for weight in (-1.0, np.nan, np.inf, 1e39):
        wrong = network()
        wrong[2, 5] = weight
        refused(r"Graph 'a': the edge from .*2.* to .*5.* has weight", wrong)
    path = tmp_path / "m.npz"
    np.savez(path, **small_views(), y=small_labels(), net=network())
    for key, message in {
        "nett": "there is no 'nett'",
        "b": "b is not a square matrix of numbers but 12 x 5",
    }.items():
        with pytest.raises(UserError, match=message):
            load(path, graphs={"cites": key})
    with pytest.raises(UserError, match=r"if it is a graph, --graph net=net"):
        load(path)
    np.savez(path, **small_views(), y=small_labels())
    with pytest.raises(UserError, match=r"graph 'cites': there is no file .*e\.csv"):
        load(path, graphs={"cites": "e.csv"})
    for text, message in {
        "": "is not a list of edges",
        "from,to\n0,99\n": "line 2: there is no sample '99'",
        "from,to,w\n0,1,heavy\n": "line 2: the weight 'heavy' is not a number",
        "a,b,c,d\n0,1,1,1\n": "has 4 columns",
    }.items():
        (tmp_path / "e.csv").write_text(text)
        with pytest.raises(UserError, match=message):
            load(path, graphs={"cites": "e.csv"})


def test_a_classifier_that_cannot_place_new_rows_says_so() -> None:
    with pytest.raises(UserError, match="View 'a' has a given graph"):
        mv.MultiViewClassifier("dm-gcn").fit(given())


def test_a_method_sees_the_graph() -> None:
    """What it predicts changes with the edges alone."""

    def probabilities(graph: np.ndarray) -> np.ndarray:
        data = MultiViewData.from_arrays(small_views(), small_labels(), graphs={"a": graph})
        split = mv.make_splits(data, "label-rate", rate=0.5, validation=0.5)[0]
        graphs = mv.build_graph(data, k=2)
        return mv.fit("dm-gcn", data, split, graphs, training={"epochs": 2}).probabilities()

    first = probabilities(network())
    np.testing.assert_array_equal(first, probabilities(network()))
    assert not np.array_equal(first, probabilities(np.ones((N, N))))


def test_features_keep_what_float32_cannot_hold(tmp_path: Path) -> None:
    times = 1.7e9 + np.arange(N, dtype=np.float64)[:, None] * [0.5, 0.25]
    np.savez(tmp_path / "m.npz", times=times, y=small_labels(), net=network())
    data = load(tmp_path / "m.npz", graphs={"cites": "net"})
    np.testing.assert_array_equal(data.views["cites"], times)
