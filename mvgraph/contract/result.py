"""A check, and what it found."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mvgraph.errors import UserError

Case = TypeVar("Case")


class CheckFailed(Exception):
    """The thing under test breaks the contract; the message says what failed and why in one sentence."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Args:
        name: of the check.
        passed: whether the contract is kept.
        reason: one sentence on what failed and why; empty when it passed.
        seconds: time the check took.
    """

    name: str
    passed: bool
    reason: str
    seconds: float

    def __str__(self) -> str:
        return f"ok    {self.name}" if self.passed else f"FAIL  {self.name}: {self.reason}"


@dataclass(frozen=True)
class Check(Generic[Case]):
    """One promise of the contract.

    Args:
        name: what it is called in results and in test names.
        run: raises `CheckFailed` when the promise is broken.
        applies: whether the promise is asked of this case, from its tags.
    """

    name: str
    run: Callable[[Case], None]
    applies: Callable[[Case], bool] = lambda case: True

    def __call__(self, case: Case) -> CheckResult:
        """Run on `case`; an exception of the thing under test is a failure too, never ours."""
        start = time.perf_counter()
        reason = ""
        try:
            self.run(case)
        except CheckFailed as failure:
            reason = str(failure)
        except Exception as error:
            reason = f"{type(error).__name__} in {_place(error)}: {_first_line(error)}"
        return CheckResult(self.name, not reason, reason, time.perf_counter() - start)


def require(condition: object, sentence: str) -> None:
    """Raises CheckFailed with `sentence` unless `condition` holds."""
    if not condition:
        raise CheckFailed(sentence)


def run_checks(case: Case, checks: Sequence[Check[Case]], only: Iterable[str] | None) -> list[CheckResult]:
    """Run the checks that apply to `case`.

    Args:
        case: what is under test.
        checks: the contract.
        only: names of the checks to run; None runs all.

    Raises:
        UserError: a name in `only` that no check has.
    """
    wanted = None if only is None else list(only)
    for name in wanted or ():
        if name not in (known := [check.name for check in checks]):
            raise UserError(f"There is no check '{name}'; there are {', '.join(known)}.")
    return [
        check(case) for check in checks if check.applies(case) and (wanted is None or check.name in wanted)
    ]


def _place(error: Exception) -> str:
    """File and line of the innermost frame outside torch and the like, so that the reader finds it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    return f"{own[-1].filename}:{own[-1].lineno}" if own else "an unknown place"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no message"])[0]
