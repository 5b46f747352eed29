"""A study in, trials carried out, until there is nothing left to do: what each worker does.

The loop is ours: Optuna's own runs one trial at a time, and ends while a trial of a worker that
died may still come back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna import Study, Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from tftrain import stopping
from tftrain.errors import counted
from tftrain.sweep import study as studies
from tftrain.sweep.plan import Plan
from tftrain.sweep.study import Tried
from tftrain.sweep.trials import Job, Outcome

_POLL_SECONDS = 0.5
_ALIVE = "alive"
_REPORTS = 30  # epochs of a trial that a pruner sees, about
Run = Callable[[Plan, Sequence[Job], Path], Iterator[Outcome]]


@dataclass(frozen=True)
class Worker:
    """One process's part in a study.

    Args:
        plan: of the sweep.
        study: its study.
        storage: the study's, with heartbeats.
        runs_dir: where runs go.
        run: trains a batch of trials.
        tell: gets what each trial came to.
        say: gets lines for the user.
        batch: how many trials are taken at a time, at most.
    """

    plan: Plan
    study: Study
    storage: RDBStorage
    runs_dir: Path
    run: Run
    tell: Callable[[Outcome, dict[str, object]], None]
    say: Callable[[str], None]
    batch: int = 1
    _given: set[int] = field(default_factory=set, init=False, repr=False)

    def work(self) -> None:
        """Tries one batch after another until all trials are over, also those of others.

        Raises:
            Stopped: by a signal or the time limit; trials under way are to be tried again.
            StorageError: when runs can't be written.
        """
        waiting = False
        while not self.is_done():
            known = studies.tried(self.study)
            stopping.check()
            self.look_after(known)
            batch = list(self.ask())
            if batch:
                self._carry_out(dict(batch))
            else:
                if not waiting:
                    under_way = counted(sum(not one.over for one in known), "trial")
                    self.say(f"waiting for {under_way} of other workers")
                waiting = True
                time.sleep(_POLL_SECONDS)

    def is_done(self) -> bool:
        """Whether nothing is left to do, of other workers' trials either."""
        trials = self.plan.trials
        known = studies.tried(self.study)
        if trials is None:
            return False
        return len(known) >= trials and all(one.over for one in known[:trials])

    def look_after(self, known: list[Tried]) -> None:
        """Lets trials whose worker shows no life be tried again.

        Optuna never gives up one whose worker died before its first sign of life: it gets one here,
        and no second.
        """
        for one in known:
            number = one.trial.number
            unseen = one.state == "running" and one.trial.user_attrs.get(_ALIVE) != number
            if unseen and number not in self._given:
                self._given.add(number)
                self.storage.record_heartbeat(_id(one.trial))
        optuna.storages.fail_stale_trials(self.study)

    def ask(self) -> Iterator[tuple[int, Trial]]:
        """The next trials, by their numbers: those to be tried again first.

        Of several none has values that depend on what comes of another.
        """
        known, limit = studies.tried(self.study), self.plan.trials
        waiting = sum(one.state == "waiting" for one in known[:limit])
        for count in range(self.batch):
            number = len(known) + count - waiting
            new = count >= waiting
            if new and limit is not None and number >= limit:
                return
            if new and count and studies.learns(self.plan, number):
                return
            trial = self.study.ask(studies.distributions(self.plan))
            self.storage.record_heartbeat(_id(trial))
            trial.set_user_attr(_ALIVE, trial.number)
            number = studies.asked(self.study, trial)
            if limit is not None and number >= limit:  # another worker was quicker
                trial.set_user_attr(studies.SURPLUS, True)
                self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
                return
            yield number, trial

    def _carry_out(self, batch: dict[int, Trial]) -> None:
        prunes = self.plan.pruner != "none"
        jobs = [
            Job(number, self.plan.of_trial(trial.params), self._watch(trial) if prunes else None)
            for number, trial in batch.items()
        ]
        left = dict(batch)
        with self._beating(list(batch.values())):
            try:
                for outcome in self.run(self.plan, jobs, self.runs_dir):
                    self.record(left[outcome.number], outcome)
                    del left[outcome.number]
            finally:
                for trial in left.values():
                    self._give_back(trial)

    def record(self, trial: Trial, outcome: Outcome) -> None:
        """Records what a trial came to; of one that was given up meanwhile, nothing."""
        state = TrialState.COMPLETE if outcome.fault is None else TrialState.FAIL
        state = TrialState.PRUNED if outcome.pruned else state
        noted = {
            "run": outcome.run and outcome.run.name,
            "epochs": outcome.epochs,
            "seconds": round(outcome.seconds, 3),
            "fault": outcome.fault,
        }
        try:
            trial.set_user_attr(studies.OUTCOME, noted)
            if state is TrialState.PRUNED:
                self.study.tell(trial, state=state)  # with the last value that it reported
            else:  # the same without reading the trial twice
                values = None if outcome.value is None or outcome.fault else [outcome.value]
                self.storage.set_trial_state_values(_id(trial), state, values)
        except (UpdateFinishedTrialError, ValueError):
            self.say(f"trial {outcome.number} was given up for dead meanwhile, and is tried again")
        else:
            self.tell(outcome, trial.params)

    def _give_back(self, trial: Trial) -> None:
        """Lets a trial that was cut short be tried again, by whoever comes next."""
        RetryHeartbeatStaleTrialCallback()(self.study, self.storage.get_trial(_id(trial)))
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _watch(self, trial: Trial) -> Callable[[int, float], bool]:
        """Tells Optuna of some epochs, the same of all trials: telling takes long."""
        every = max(1, self.plan.settings.training.epochs // _REPORTS)

        def watch(epoch: int, value: float) -> bool:
            if epoch % every:
                return False
            try:
                trial.report(value, epoch - 1)
            except UpdateFinishedTrialError:  # given up for dead
                return True
            return trial.should_prune()

        return watch

    @contextmanager
    def _beating(self, trials: Sequence[Trial]) -> Iterator[None]:
        """In here others see that these trials are alive."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.storage.heartbeat_interval):
                for trial in trials:
                    with suppress(Exception):  # a database that is away for a moment
                        self.storage.record_heartbeat(_id(trial))

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _id(trial: Trial | optuna.trial.FrozenTrial) -> int:
    return trial._trial_id  # noqa: SLF001 - heartbeats are recorded by it, and it has no other name
