"""The report as one HTML page that needs nothing else: no network, no file beside it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mvgraph.evaluation import RULE
from mvgraph.report import forms
from mvgraph.report.assemble import Report
from mvgraph.report.compare import SIGNS
from mvgraph.report.majority import LEGEND, MARK
from mvgraph.report.ranking import MEASURES

#: For plotly on every page. Its "Share chart" would upload the figure, its logo would open a site.
PLOTLY_CONFIG: Mapping[str, object] = {
    "responsive": True,
    "displayModeBar": "hover",
    "displaylogo": False,
    "showSendToCloud": False,
    "showEditInChartStudio": False,
    "showLink": False,
    "sendData": False,
    "plotlyServerURL": "",
    "topojsonURL": "",
    "modeBarButtonsToRemove": [
        "lasso2d",
        "select2d",
        "sendDataToCloud",
        "sendChartToCloud",
        "editInChartStudio",
    ],
}


def policy(scripts: bool = True) -> str:
    """The Content-Security-Policy of every page: nothing is fetched, sent, framed or submitted, whoever asks for it."""
    allowed = {
        "default-src": "'none'",
        "script-src": "'unsafe-inline'" if scripts else "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "font-src": "data:",
        "connect-src": "'none'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-src": "'none'",
        "object-src": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def environment() -> Environment:
    """Templates with what all pages share: all values go through autoescape, only our own files go in as they are."""
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    made.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    made.globals.update(
        css=Markup(_file("page.css")),
        js=Markup(_file("page.js")),
        policy=Markup(policy()),
        plotly_config=dict(PLOTLY_CONFIG),
    )
    return made


def render(report: Report) -> str:
    """The page. All from the ledger goes through autoescape or into JSON."""
    figures = {p.name: p.plotly for p in report.pictures if p.plotly is not None}
    return (
        environment()
        .from_string(_file("page.html.j2"))
        .render(
            report=report,
            looks=report.looks,
            measures=MEASURES,
            signs=SIGNS,
            rule=RULE,
            legend=LEGEND,
            mark=MARK,
            forms=forms,
            figures=figures,
            has_plots=bool(figures),
            plotly=packed_plotly() if figures else "",
        )
    )


def packed_plotly() -> str:
    """plotly.js packed to less than half: 4.8 MB would be nearly all of the page. The browser unpacks it itself."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode("ascii")


def _file(name: str) -> str:
    return (resources.files("mvgraph.report") / "templates" / name).read_text(encoding="utf-8")
