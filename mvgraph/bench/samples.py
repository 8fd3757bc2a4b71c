"""What a plan's splits are made of, kept in the ledger: predictions can then be written and read by sample id."""

from __future__ import annotations

from collections.abc import Sequence

from mvgraph.bench.ledger import Ledger
from mvgraph.bench.material import Material
from mvgraph.bench.plan import Cell
from mvgraph.data.split import PARTS


def remember(ledger: Ledger, cells: Sequence[Cell], material: Material) -> None:
    """Keep sample ids and the rows of every split that the ledger does not know yet."""
    known = ledger.kept_splits()
    for cell in cells:
        place = (cell.fingerprint, str(cell.split["hash"]))
        if place in known:
            continue
        known.add(place)
        data = material.data(cell.source, cell.views)
        arguments = cell.split["arguments"]
        split = material.splits(cell.source, cell.views, cell.split["scheme"], arguments)[cell.split["index"]]
        rows = {part: getattr(split, part) for part in PARTS}
        labels = {part: data.labels[numbers] for part, numbers in rows.items()}
        ledger.keep_split(*place, data.ids.tolist(), data.classes, rows, labels)
