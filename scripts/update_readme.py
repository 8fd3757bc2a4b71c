"""Put the quickstart's leaderboard between its markers in README.md: no number there is typed by hand.

make readme
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPEN, CLOSE = "<!-- leaderboard -->", "<!-- /leaderboard -->"


def with_leaderboard(readme: str, leaderboard: str) -> str:
    """The README's text with the leaderboard between its markers.

    Raises:
        ValueError: the markers are not there once each, in order.
    """
    before, opened, rest = readme.partition(OPEN)
    _, closed, after = rest.partition(CLOSE)
    if not opened or not closed or OPEN in after or CLOSE in after:
        raise ValueError(f"README.md must hold {OPEN} and {CLOSE} once each, in this order.")
    return f"{before}{OPEN}\n\n{leaderboard.strip()}\n\n{CLOSE}{after}"


def main() -> int:
    """Replace README.md if its leaderboard is not that of the committed report."""
    source = ROOT / "reports" / "quickstart" / "leaderboard.md"
    if not source.is_file():
        print("There is no reports/quickstart/leaderboard.md: make bench report-quickstart", file=sys.stderr)
        return 2
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    updated = with_leaderboard(text, source.read_text(encoding="utf-8"))
    if updated == text:
        print("README.md shows this leaderboard already.")
        return 0
    partial = ROOT / "README.md.partial"
    partial.write_text(updated, encoding="utf-8")
    os.replace(partial, readme)
    print("README.md updated from reports/quickstart/leaderboard.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
