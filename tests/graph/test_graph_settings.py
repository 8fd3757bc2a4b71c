"""Graph settings: validated, hashable, and the same after a trip through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mvgraph.errors import UserError
from mvgraph.graph import GraphSettings


@pytest.mark.parametrize(
    "given",
    [
        GraphSettings(),
        GraphSettings({"b": 3, "a": 9}, "self-tuning", "union", scale_neighbour=3),
        GraphSettings(4, "cosine", "directed"),
        GraphSettings(fused="snf"),
    ],
)
def test_json_round_trip(given: GraphSettings) -> None:
    back = GraphSettings.from_json(json.loads(json.dumps(given.to_json())))
    assert back == given
    assert back.hash == given.hash
    assert hash(back) == hash(given)


def test_the_hash_is_blind_to_order_and_sees_every_field() -> None:
    assert GraphSettings({"a": 1, "b": 2}).hash == GraphSettings({"b": 2, "a": 1}).hash
    hashes = {
        GraphSettings().hash,
        GraphSettings(k=11).hash,
        GraphSettings(kernel="cosine").hash,
        GraphSettings(symmetrise="mean").hash,
        GraphSettings(scale_neighbour=7).hash,
        GraphSettings(fused="snf").hash,
    }
    assert len(hashes) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"k": 2.5}, "k must be a whole number"),
        ({"k": True}, "k must be a whole number"),
        ({"k": {"audio": -1}}, "k of view 'audio'"),
        ({"kernel": "rbf"}, "kernel 'rbf' is unknown; choose one of 'exp'"),
        ({"symmetrise": "min"}, "symmetrise 'min' is unknown"),
        ({"fused": "mean"}, "fused 'mean' is unknown; choose one of 'snf'"),
        ({"k": 5, "scale_neighbour": 7}, "scale_neighbour = 7 must be at most k = 5"),
    ],
)
def test_a_mistake_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GraphSettings(**options)


def test_unknown_keys_and_views() -> None:
    with pytest.raises(UserError, match="graph setting 'neighbours' is unknown"):
        GraphSettings.from_json({"neighbours": 3})
    with pytest.raises(UserError, match="k names view 'c', which the data has not"):
        GraphSettings({"a": 1, "b": 2, "c": 3}).check_views(["a", "b"])
    with pytest.raises(UserError, match="no number of neighbours for view 'b'"):
        GraphSettings({"a": 1}).check_views(["a", "b"])
