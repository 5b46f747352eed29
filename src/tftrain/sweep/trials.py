"""The configs of some trials in, what each came to out.

Those whose configs differ in nothing but numbers that stacked networks can have each of its own are
trained together, in one graph; the others one after another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tftrain import config, data
from tftrain.config import Config, Source
from tftrain.data import Splits
from tftrain.errors import Stopped, StorageError, TftrainError
from tftrain.fit import Asked, fit, prepare
from tftrain.runs import Run
from tftrain.sweep import alike
from tftrain.sweep.plan import Plan
from tftrain.terminal import Silent

if TYPE_CHECKING:
    from tftrain.training import Epoch

Load = Callable[..., tuple[Config, Source]]
Found = TypeVar("Found")


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
        seconds: from its config to its end; of trials that were trained together its share.
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
    for group in _groups(plan, batch):
        if len(group) > 1:
            yield from _together(plan, group, runs_dir)
        else:
            yield _alone(plan, *group[0], runs_dir)


def _groups(plan: Plan, batch: Sequence[Job]) -> list[list[tuple[Job, Load]]]:
    """The jobs that can be done together, each with what loads its config; in their order."""
    groups: dict[object, list[tuple[Job, Load]]] = {}
    for job in batch:
        key: object = job.number
        load: Load = config.load
        if len(batch) > 1:
            with suppress(TftrainError):  # it is told when the trial's turn comes
                loaded = config.load(plan.path, job.overrides, data_files=True)
                load = _already(loaded)
                key = alike.form(loaded[0]).key or job.number
        groups.setdefault(key, []).append((job, load))
    return list(groups.values())


def _already(found: Found) -> Callable[..., Found]:
    """Finds what is there already."""
    return lambda *_arguments, **_named: found


def _alone(plan: Plan, job: Job, load: Load, runs_dir: Path) -> Outcome:
    began = time.perf_counter()
    watched = _Watched(plan, job)
    try:
        made: Run | TftrainError | Stopped = fit(_ask(plan, job, load, runs_dir), watched)
    except StorageError:
        raise
    except TftrainError as error:
        made = error
    except Stopped as stopped:
        if not watched.pruned:
            raise
        made = stopped
    return _outcome(plan, watched, made, time.perf_counter() - began)


def _together(plan: Plan, group: Sequence[tuple[Job, Load]], runs_dir: Path) -> Iterator[Outcome]:
    from tftrain.sweep import together
    from tftrain.sweep.apart import Trial
    from tftrain.training.stacked import Unstackable

    watched = [_Watched(plan, job) for job, _ in group]
    trials: list[Trial] = []
    try:
        for (job, load), sees in zip(group, watched, strict=True):
            read = _already(trials[0].asked.splits) if trials else data.load
            asked = _ask(plan, job, load, runs_dir, read)
            trials.append(Trial(asked, alike.form(asked.config), sees))
        begun = time.perf_counter()
        population = together.begin(trials)
    except StorageError:
        raise
    except (Unstackable, TftrainError):
        for job, load in group:
            yield _alone(plan, job, load, runs_dir)
        return
    build = time.perf_counter() - begun
    for place, made, seconds in together.train(population, trials, build):
        yield _outcome(plan, watched[place], made, seconds)


def _ask(
    plan: Plan, job: Job, load: Load, runs_dir: Path, read: Callable[..., Splits] = data.load
) -> Asked:
    return prepare(
        *(plan.path, job.overrides),
        runs_dir=runs_dir,
        allow_code=plan.allow_code,
        load=load,
        read=read,
    )


def _outcome(
    plan: Plan, watched: _Watched, made: Run | TftrainError | Stopped, seconds: float
) -> Outcome:
    number, epochs = watched.number, watched.done
    if isinstance(made, Stopped):
        return Outcome(number, None, made.run, epochs, pruned=True, seconds=seconds)
    if isinstance(made, TftrainError):
        fault = str(made.problems[0]) if made.problems else str(made)
        return Outcome(number, epochs=epochs, fault=fault, seconds=seconds)
    split = "validation" if plan.objective.startswith("val_") else "train"
    name = plan.objective.removeprefix("val_")
    value = made.summary["metrics"][split].get(name)
    missing = None
    if value is None or not math.isfinite(value):
        missing = f"`{plan.objective}` was not measured, or is not finite"
    return Outcome(number, value, made.folder, epochs, fault=missing, seconds=seconds)


class _Watched(Silent):
    """Sees each epoch, and ends the training where the sweep has seen enough."""

    def __init__(self, plan: Plan, job: Job) -> None:
        self._objective = plan.objective
        self._watch = job.watch
        self.number = job.number
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
