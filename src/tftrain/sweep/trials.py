"""The configs of some trials in, what each came to out: one training after another, in here.

Whoever can do it at less cost, as a population in one graph, does it behind `run`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tftrain.errors import Stopped, StorageError, TftrainError
from tftrain.fit import fit, prepare
from tftrain.sweep.plan import Plan
from tftrain.terminal import Silent

if TYPE_CHECKING:
    from tftrain.training import Epoch


@dataclass(frozen=True)
class Job:
    """One trial to be trained.

    Args:
        number: of the trial.
        overrides: what makes the config this trial's.
        watch: gets an epoch's number, from 1, and its objective; says whether to end there. None
            where nothing ends early.
    """

    number: int
    overrides: Sequence[str]
    watch: Callable[[int, float], bool] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Args:
        number: of the trial.
        value: the objective, by the weights that were kept; None where there is none.
        run: the run's folder, None where it could not begin.
        epochs: that were trained.
        pruned: whether it was ended early.
        fault: why it failed, where it did.
        seconds: from its config to its end.
    """

    number: int
    value: float | None = None
    run: Path | None = None
    epochs: int = 0
    pruned: bool = False
    fault: str | None = None
    seconds: float = 0.0


def run(plan: Plan, batch: Sequence[Job], runs_dir: Path) -> Iterator[Outcome]:
    """Trains each of a batch, and tells of each as soon as it is over.

    Raises:
        StorageError: when runs can't be written.
        Stopped: by a signal or the time limit; what was not told of by then has no outcome.
    """
    for job in batch:
        began = time.perf_counter()
        watched = _Watched(plan, job)
        try:
            yield _train(plan, job, runs_dir, watched, began)
        except StorageError:
            raise
        except TftrainError as error:
            fault = str(error.problems[0]) if error.problems else str(error)
            seconds = time.perf_counter() - began
            yield Outcome(job.number, epochs=watched.done, fault=fault, seconds=seconds)


def _train(plan: Plan, job: Job, runs_dir: Path, watched: _Watched, began: float) -> Outcome:
    asked = prepare(plan.path, job.overrides, runs_dir=runs_dir, allow_code=plan.allow_code)
    try:
        made = fit(asked, watched)
    except Stopped as stopped:
        if not watched.pruned:
            raise
        seconds = time.perf_counter() - began
        return Outcome(job.number, None, stopped.run, watched.done, pruned=True, seconds=seconds)
    split = "validation" if plan.objective.startswith("val_") else "train"
    name = plan.objective.removeprefix("val_")
    value = made.summary["metrics"][split].get(name)
    fault = None
    if value is None or not math.isfinite(value):
        fault = f"`{plan.objective}` was not measured, or is not finite"
    seconds = time.perf_counter() - began
    return Outcome(job.number, value, made.folder, watched.done, fault=fault, seconds=seconds)


class _Watched(Silent):
    """Sees each epoch, and ends the training where the sweep has seen enough."""

    def __init__(self, plan: Plan, job: Job) -> None:
        self._objective = plan.objective
        self._watch = job.watch
        self.done = 0
        self.pruned = False

    def epoch(self, epoch: Epoch) -> None:
        """Hands the objective on.

        Raises:
            Stopped: when this was the last epoch wanted.
        """
        self.done = epoch.number
        value = epoch.logs.get(self._objective)
        if self._watch is not None and value is not None and self._watch(epoch.number, value):
            self.pruned = True
            raise Stopped(f"the sweep, pruned after epoch {epoch.number}", 0)

    def warn(self, line: str) -> None:
        """Nothing is shown: what is to be said of the data, `check` says."""
