"""The report as one HTML page that needs nothing else: no network, no file beside it."""

from __future__ import annotations

import base64
import gzip
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mvgraph.report import forms
from mvgraph.report.assemble import Report


def render(report: Report) -> str:
    """The page. All from the ledger goes through autoescape or into JSON; only our own files go in as they are."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    figures = {p.name: p.plotly for p in report.pictures if p.plotly is not None}
    return environment.from_string(_file("page.html.j2")).render(
        report=report,
        looks=report.looks,
        quality=forms.QUALITY,
        selection=forms.SELECTION,
        cost=forms.COST,
        best=forms.best,
        plural=forms.plural,
        rank=forms.rank,
        figures=figures,
        has_plots=bool(figures),
        plotly=_plotly() if figures else "",
        css=Markup(_file("page.css")),
        js=Markup(_file("page.js")),
    )


def _plotly() -> str:
    """plotly.js packed to less than half: 4.8 MB would be nearly all of the page. The browser unpacks it itself."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode("ascii")


def _file(name: str) -> str:
    return (resources.files("mvgraph.report") / "templates" / name).read_text(encoding="utf-8")
