"""Where a data set comes from and under which terms it may be used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """Source, licence and citation of a data set; travels with the data and into every report.

    `notes` holds one sentence per trap or choice a user must know (dropped columns, pre-selected features).
    """

    name: str = "unnamed"
    title: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()
