"""What the site adds to Sphinx: docstrings as plain text, formulas without a script, tables from the registry."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import pytest
from docs_pages import DOCS

from mvgraph import registry

pytest.importorskip("sphinx")
sys.path.insert(0, str(DOCS / "_ext"))
try:
    from native_math import mathml
    from plain_docstrings import rewritten
    from registry_tables import KINDS, prose
finally:
    sys.path.pop(0)

M = "{http://www.w3.org/1998/Math/MathML}"


def test_marks_outside_of_code_mean_themselves() -> None:
    (line,) = rewritten(["`a*b` of |x| and H_ by `L_v H`, D^-1/2 * A"])
    assert line == r"``a*b`` of \|x\| and H\_ by ``L_v H``, D^-1/2 \* A"


def test_names_of_entries_are_left_to_napoleon() -> None:
    text = ["Args:", "    classes_: of C_ and *", "", "Raises:", "    E: when x_"]
    assert rewritten(text) == [
        "",
        "Args:",
        r"    classes_: of C\_ and \*",
        "",
        "",
        "Raises:",
        r"    E: when x\_",
    ]


def test_bold_is_set_like_the_rest() -> None:
    assert rewritten(["It is **so, and", "`a`** stays."]) == ["It is so, and", "``a`` stays."]
    assert rewritten(["x**2 + y**2"]) == [r"x\*\*2 + y\*\*2"]


def test_shapes_become_a_list() -> None:
    text = ["Says.", "", "Shapes:", "    x, y: (N, d)", "    of (N, k) -> (N,): two", "        more words"]
    assert rewritten(text)[-3:] == [
        "    - ``x, y``: (N, d)",
        "    - of (N, k) -> (N,): two",
        "      more words",
    ]


def test_an_example_becomes_code_and_a_formula_stays() -> None:
    text = ["Do:", "", "    a = b * c", "", ".. math::", "", "    a_* = |b|", "", "Then *."]
    assert rewritten(text) == [
        "Do:",
        "",
        "::",
        "",
        "    a = b * c",
        "",
        ".. math::",
        "",
        "    a_* = |b|",
        "",
        r"Then \*.",
    ]


def test_an_index_stands_beside_an_accented_letter() -> None:
    root = ElementTree.fromstring(mathml(r"\tilde L_v", block=False))
    (index,) = root.iter(f"{M}msub")
    accented, letter = index
    assert (accented.tag, letter.text) == (f"{M}mover", "v")
    assert [part.text for part in accented] == ["L", "~"]


@pytest.mark.parametrize(
    "text", [r"\Big(\frac1V\Big)", r"a\ b", r"\sum_v \theta_v \tilde L_v H", r"x &= 1 \\ y &= 2"]
)
def test_formulas_are_xml(text: str) -> None:
    assert ElementTree.fromstring(mathml(text, block=True)).tag == f"{M}math"


def test_tables_hold_what_is_registered() -> None:
    for kind, resolver in (
        ("methods", registry.methods),
        ("options", registry.methods),
        ("datasets", registry.datasets),
        ("controls", registry.controls),
        ("encoders", registry.encoders),
    ):
        text = "\n".join(node.astext() for node in KINDS[kind]())
        assert [name for name in resolver.names() if name not in text] == [], kind


def test_methods_tell_their_paper_and_tags() -> None:
    text = "\n".join(node.astext() for node in KINDS["methods"]())
    for name in registry.methods.names():
        cls = registry.methods.get(name)
        assert cls.paper in text
        assert cls.title in text


def test_addresses_are_links() -> None:
    _, link, rest = prose("See https://example.org/a_b, and more.")
    assert (link["refuri"], rest.astext()) == ("https://example.org/a_b", ", and more.")
