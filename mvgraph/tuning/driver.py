"""The loop of a search: ask, evaluate, tell; one trial at a time in this process.

Whatever ends a trial is written down with it. A trial that was broken off (a kill, Ctrl-C) is failed, does not count,
and its point is tried again.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from mvgraph.bench.executor import readable_traceback
from mvgraph.bench.limits import MemoryLimit, TimeLimit
from mvgraph.errors import UserError
from mvgraph.tuning import owner
from mvgraph.tuning.objective import Progressed, Pruned, Task, evaluate
from mvgraph.tuning.progress import Progress
from mvgraph.tuning.sampler import ABANDONED, counts
from mvgraph.tuning.workshop import Workshop

RESULT, SETTINGS, REASON, TRACEBACK, TRIES = (
    f"mvgraph:{name}" for name in ("result", "settings", "reason", "traceback", "tries")
)
#: A point whose driver died this often is not tried again: it may be what kills them.
MOST_TRIES = 3
#: Seconds between two looks for trials of dead drivers, and how long a trial may be without an owner's mark.
LOOK_EVERY, UNMARKED = 60.0, 60.0


class Driver:
    """Runs trials of one study.

    Args:
        study: with its sampler, pruner and storage.
        task: what is searched.
        workshop: data and graphs shared by the trials.
        shared: other drivers may work on the same storage; otherwise every running trial found at the start is
            a dead one's.
    """

    def __init__(self, study: Study, task: Task, workshop: Workshop, *, shared: bool = False) -> None:
        self._study, self._task, self._workshop, self._shared = study, task, workshop, shared
        self._distributions = task.space.distributions()
        self._looked = float("-inf")
        self._unmarked: dict[int, float] = {}
        #: Trials that ended in this call.
        self.ended: list[int] = []
        #: Seconds of this call inside fits, and in all.
        self.fit_seconds = self.seconds = 0.0

    def run(self, trials: int, timeout: float | None, progress: Progress) -> None:
        """Go on until the study has `trials` trials that count, or for `timeout` seconds.

        The time is looked at between trials. Several drivers may together run a few trials more.

        Raises:
            KeyboardInterrupt, TimeLimit, MemoryLimit: passed on once the trial in hand is given back.
        """
        begun = time.perf_counter()
        try:
            self.bury_the_dead()
            progress.begin(self._count(), trials)
            while self._count(running=True) < trials:
                if timeout is not None and time.perf_counter() - begun >= timeout:
                    break
                self.bury_the_dead()
                try:
                    self._one(progress)
                except UpdateFinishedTrialError:
                    # Somebody took us for dead, e.g. after this machine slept; the point is tried elsewhere.
                    continue
        finally:
            self.seconds += time.perf_counter() - begun

    def _count(self, running: bool = False) -> int:
        found = self._study.get_trials(deepcopy=False)
        return sum(counts(t) or (running and t.state == TrialState.RUNNING) for t in found)

    def _one(self, progress: Progress) -> None:
        trial = self._study.ask(self._distributions)
        trial.set_user_attr(owner.OWNER, owner.me())
        found = Progressed()
        begun = time.perf_counter()
        try:
            with owner.heartbeat(self._sign_of_life(trial)):
                settings = self._task.space.apply(self._task.base, trial.params)
                trial.set_user_attr(SETTINGS, settings.to_json())
                means = evaluate(self._task, self._workshop, settings, found, self._reporter(trial))
        except Pruned:
            self._tell(trial, found, begun, TrialState.PRUNED)
        except (KeyboardInterrupt, SystemExit, TimeLimit, MemoryLimit):
            give_back(self._study, trial.number, "interrupted", self._distributions)
            raise
        except Exception as error:
            text = str(error).strip() or type(error).__name__
            reason = text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"
            trial.set_user_attr(REASON, reason.splitlines()[0])
            trial.set_user_attr(TRACEBACK, readable_traceback(error))
            # The frames hold tensors of the failed fit.
            traceback.clear_frames(error.__traceback__)
            self._tell(trial, found, begun, TrialState.FAIL)
        else:
            values = [means[name] for name, _ in self._task.figures]
            self._tell(trial, found, begun, TrialState.COMPLETE, values)
        self.fit_seconds += found.fit_seconds
        self.ended.append(trial.number)
        progress.ended(self._study.get_trials(deepcopy=False)[trial.number], self._task)

    def _tell(
        self, trial: Trial, found: Progressed, begun: float, state: TrialState, values: Any = None
    ) -> None:
        trial.set_user_attr(RESULT, {**found.to_json(), "seconds": time.perf_counter() - begun})
        self._study.tell(trial, values, state)

    def _reporter(self, trial: Trial) -> Callable[[int, dict[str, float]], bool] | None:
        if len(self._task.figures) > 1:
            # Optuna has no pruning for two objectives: a curve that is worse in one may lead in the other.
            return None
        name = self._task.figures[0][0]

        def report(step: int, figures: dict[str, float]) -> bool:
            trial.report(figures[name], step)
            return trial.should_prune()

        return report

    def _sign_of_life(self, trial: Trial) -> Callable[[float], None] | None:
        if not self._shared:
            return None
        storage, identity = self._study._storage, trial._trial_id
        return lambda moment: storage.set_trial_user_attr(identity, owner.ALIVE, moment)

    def bury_the_dead(self) -> None:
        """Fail the running trials of drivers that died, and have their points tried again."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not self._shared or self._is_dead(trial):
                give_back(self._study, trial.number, "its driver died", self._distributions)

    def _is_dead(self, trial: FrozenTrial) -> bool:
        mark = trial.user_attrs.get(owner.OWNER)
        if mark is None:
            # Its driver is about to put the mark on, or was killed before it could.
            seen = self._unmarked.setdefault(trial.number, time.monotonic())
            return time.monotonic() - seen > UNMARKED
        return owner.is_dead(mark, trial.user_attrs.get(owner.ALIVE))


def give_back(study: Study, number: int, reason: str, names: Collection[str]) -> None:
    """Fail a trial that was broken off; its point waits to be tried again.

    Of several drivers that find the same dead trial, one fails it and thereby gets to queue its point.

    Args:
        study: the study; number: of the trial.
        reason: a few words for the record.
        names: of all parameters; a point not wholly drawn is not queued, it comes out the same from its seed.
    """
    trial = study.get_trials(deepcopy=False)[number]
    tries = int(trial.user_attrs.get(TRIES, 1))
    last = tries >= MOST_TRIES
    storage, identity = study._storage, trial._trial_id
    try:
        storage.set_trial_user_attr(
            identity,
            REASON,
            f"{reason}, for the {tries}. time" if last else f"{reason}; its point is tried again",
        )
        if not last:
            storage.set_trial_user_attr(identity, ABANDONED, True)
        storage.set_trial_state_values(identity, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return
    # A queued trial that died before it drew its values has them here.
    point = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if not last and set(point) == set(names):
        study.enqueue_trial(point, user_attrs={TRIES: tries + 1})
