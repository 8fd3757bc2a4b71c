"""The option of commands that rank methods."""

from __future__ import annotations

from typing import Annotated

import typer

RankBy = Annotated[
    str | None,
    typer.Option(
        "--rank-by",
        metavar="FIGURE",
        help="accuracy, macro-accuracy, macro-f1 or log-loss; by default what the suite says.",
    ),
]
