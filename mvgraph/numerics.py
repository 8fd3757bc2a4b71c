"""The numerics version: part of every cell's id, so that numbers of before a change are not taken for those of now."""

from __future__ import annotations

#: Raised by one whenever a method, baseline, scaling or graph of ours gives other figures for the same input.
#: `tests/bench/test_numerics.py` fails until that is done, and `scripts/golden_figures.py` then writes the new figures.
NUMERICS = 4
