from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mvgraph.report.predictions import confusion, largest_confusion, reliability, row_shares
from mvgraph.report.series import Share, curve, final_attention, final_theta, from_uniform, theta_curves
from mvgraph.report.snapshot import Predictions
from mvgraph.report.style import METHOD_COLOURS, for_matplotlib, for_plotly, looks, signed


def with_curves(**curves: list[Any]) -> dict[str, Any]:
    return {"curves": curves}


def test_a_curve_is_the_mean_over_cells_as_far_as_half_of_them_went() -> None:
    records = [
        with_curves(epoch=[1, 2, 3], test_accuracy=[0.0, 0.5, 0.9]),
        with_curves(epoch=[1, 2], test_accuracy=[0.2, 0.7]),
        with_curves(epoch=[1, 2], test_accuracy=[0.4, None]),
        with_curves(),
    ]
    found = curve(records, "test_accuracy")
    assert found is not None
    assert found.epochs.tolist() == [1, 2]
    np.testing.assert_allclose(found.mean, [0.2, 0.6])
    np.testing.assert_allclose(found.deviation, [0.2, np.std([0.5, 0.7], ddof=1)])
    assert curve(records, "nothing") is None


def test_theta_is_read_per_layer_and_view() -> None:
    records = [
        {"diagnostics": {"theta": [{"a": 0.4, "b": 0.6}]}},
        {"diagnostics": {"theta": [{"a": 0.2, "b": 0.8}]}},
    ]
    (layer,) = final_theta(records)
    assert layer["a"].mean == pytest.approx(0.3)
    assert layer["a"].deviation == pytest.approx(np.std([0.4, 0.2], ddof=1))
    view, distance = from_uniform(layer)
    assert (view, round(distance, 9)) == ("a", -0.4)
    paths = theta_curves([with_curves(epoch=[1, 2], **{"theta/1/a": [0.5, 0.4], "theta/2/a": [0.5, 0.3]})])
    assert [layer["a"].mean.tolist() for layer in paths] == [[0.5, 0.4], [0.5, 0.3]]


def test_attention_is_averaged_over_cells() -> None:
    records = [{"diagnostics": {"attention": {"common": 0.5, "a": 0.5}}}, {"diagnostics": {}}, {}]
    assert final_attention(records) == {"a": Share(0.5, 0.0), "common": Share(0.5, 0.0)}


def test_confusions_are_counted_row_by_row() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    counts = confusion([Predictions(probabilities, np.array([0, 1, 1, 1]))])
    assert counts.tolist() == [[1, 0], [2, 1]]
    np.testing.assert_allclose(row_shares(counts), [[1, 0], [2 / 3, 1 / 3]])
    assert largest_confusion(counts) == (1, 0, pytest.approx(2 / 3))
    assert largest_confusion(np.eye(3, dtype=int)) is None


def test_reliability_against_loops() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), size=400)
    truth = generator.integers(0, 3, 400)
    found = reliability(
        [Predictions(probabilities[:150], truth[:150]), Predictions(probabilities[150:], truth[150:])]
    )
    expected = []
    for low in range(15):
        inside = [
            (p.max(), float(p.argmax() == t))
            for p, t in zip(probabilities, truth, strict=True)
            if low <= p.max() * 15 < low + 1
        ]
        if len(inside) >= 10:
            expected.append(
                (np.mean([c for c, _ in inside]), np.mean([r for _, r in inside]), len(inside) / 400)
            )
    np.testing.assert_allclose(np.column_stack([found.confidence, found.accuracy, found.share]), expected)


def test_a_method_keeps_its_colour_and_lends_it_to_its_controls() -> None:
    names = [("a", None), ("b", None), ("a@identity", "identity"), ("c", None)]
    found = looks(names)
    assert found["a"].colour == found["a@identity"].colour == METHOD_COLOURS[0]
    assert found["a"].dash != found["a@identity"].dash
    assert found["b"].colour != found["c"].colour
    many = looks([(str(i), None) for i in range(20)])
    assert len({(look.colour, look.marker, look.dash) for look in many.values()}) == 20


def test_names_are_not_markup() -> None:
    assert for_plotly("<b>x</b> & y") == "&lt;b&gt;x&lt;/b&gt; &amp; y"
    assert for_matplotlib("$x$") == r"\$x\$"
    assert [signed(v) for v in (1.25, -0.5, 0.0, -0.01)] == ["+1.2", "−0.5", "0.0", "0.0"]
