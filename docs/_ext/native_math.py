"""Formulas as MathML, which browsers draw themselves: the site needs no script and no network for them."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, pick_math_environment, wrap_math_code
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_SPACE = "http://www.w3.org/1998/Math/MathML"
_LOG = logging.getLogger(__name__)
#: Sizes of brackets, which browsers choose themselves.
_SIZES = re.compile(r"\\[bB]igg?(?![a-zA-Z])")
#: Names of characters that HTML knows and XML does not.
_NAMED = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)\w+;")
_ACCENTS = {"~", "^", "¯", "˙", "→"}


def mathml(text: str, *, block: bool) -> str:
    r"""A formula in LaTeX as MathML; the index of `\tilde L_v` beside the letter, not under it."""
    ElementTree.register_namespace("", _SPACE)
    drawn = tex2mathml(_SIZES.sub("", text), as_block=block)
    root = ElementTree.fromstring(
        _NAMED.sub(lambda name: html.unescape(name[0]), drawn)
    )
    for element in list(root.iter(f"{{{_SPACE}}}munderover")):
        base, under, over = element
        if over.text in _ACCENTS:
            accented = ElementTree.Element(f"{{{_SPACE}}}mover", accent="true")
            accented.extend([base, over])
            element.tag = f"{{{_SPACE}}}msub"
            element[:] = [accented, under]
    return ElementTree.tostring(root, encoding="unicode")


def _inline(translator: Any, node: nodes.math) -> None:
    _add(translator, node, node.astext(), block=False)


def _block(translator: Any, node: nodes.math_block) -> None:
    text = node.astext()
    if pick_math_environment(text) == "align*":
        text = wrap_math_code(text, as_block=True)
    _add(translator, node, text, block=True)


def _add(translator: Any, node: nodes.Element, text: str, *, block: bool) -> None:
    try:
        drawn = mathml(text, block=block)
    except MathError as error:
        _LOG.warning("formula %r: %s", text, error, location=node)
        drawn = f"<code>{translator.encode(text)}</code>"
    translator.body.append(
        f'<div class="math-block">{drawn}</div>\n' if block else drawn
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer that `html_math_renderer = "native"` names."""
    app.add_html_math_renderer("native", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
