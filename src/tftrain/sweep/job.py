"""A plan in, its study carried out: in this process, or by several of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tftrain import runs, stopping
from tftrain.errors import Mark, Problem, Stopped, TrainingError, counted
from tftrain.sweep import alike, storage
from tftrain.sweep.plan import Plan
from tftrain.sweep.storage import Where

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

    from tftrain.sweep.work import Worker

_MOST = 32  # with more networks in one graph the seconds grow as their number does


@dataclass(frozen=True)
class Setting:
    """Where and how a sweep is carried out.

    Args:
        where: studies are kept.
        runs_dir: where runs go.
        heartbeat: seconds from one sign of life to the next.
        workers: processes on this machine.
        together: how many trials may be trained together; None for as many as pays.
        options: of the command line, that they need too.
        resume: whether the study must be there.
        say: gets lines on how it goes.
        warn: gets lines that the user must see.
    """

    where: Where
    runs_dir: Path
    heartbeat: int
    workers: int
    together: int | None
    options: Sequence[str]
    resume: bool
    say: Callable[[str], None]
    warn: Callable[[str], None]


def sweep(plan: Plan, setting: Setting) -> tuple[Study, Stopped | None]:
    """Carries a sweep out, or goes on with it.

    Returns:
        Its study; and what stopped it, where something did.

    Raises:
        ConfigError: when storage or study are not what they must be.
        StorageError: when runs, or the study, can't be written.
        TrainingError: when there is no complete trial in the end.
    """
    from tftrain.sweep import study as studies

    runs.check_writable(setting.runs_dir)
    connection = storage.connect(setting.where, setting.heartbeat)
    study = studies.begin(plan, connection, resume=setting.resume)
    stopped = None
    try:
        if setting.workers > 1:
            from tftrain.sweep import processes

            processes.run(
                plan,
                setting.where,
                runs_dir=setting.runs_dir,
                options=[*setting.options, "--together", str(_share(plan, setting))],
                count=setting.workers,
                warn=setting.warn,
            )
        else:
            _work(_worker(plan, study, connection, setting))
    except Stopped as reason:
        stopped = reason
    known = studies.tried(study)
    if stopped is None and not any(one.state in ("complete", "pruned") for one in known):
        last = known[-1].noted.get("fault") if known else "none was begun"
        message = f"no trial is complete; the last: {last}"
        raise TrainingError(Problem(Mark(plan.study), "T004", message))
    return study, stopped


def _worker(plan: Plan, study: Study, connection: RDBStorage, setting: Setting) -> Worker:
    from tftrain.sweep import results, trials, work

    def tell(outcome: trials.Outcome, params: dict[str, object]) -> None:
        came = f"pruned after {counted(outcome.epochs, 'epoch')}" if outcome.pruned else ""
        came = came or outcome.fault or f"{plan.objective} {outcome.value:.6g}"
        run = f"  {outcome.run}" if outcome.run else ""
        setting.say(f"trial {outcome.number}: {came}  {results.described(params)}{run}")

    return work.Worker(
        *(plan, study, connection, setting.runs_dir, trials.run),
        tell=tell,
        say=setting.say,
        batch=_share(plan, setting) if plan.pruner != "median" and alike.pays(plan) else 1,
    )


def _share(plan: Plan, setting: Setting) -> int:
    """How many trials one worker may take at a time, so that others get as many."""
    most = setting.together or _MOST
    return most if plan.trials is None else min(most, math.ceil(plan.trials / setting.workers))


def _work(worker: Worker) -> None:
    """Works, with TensorFlow imported before the first trial is taken: once, and out of its way."""
    if worker.is_done():
        return
    with stopping.at_once():
        from tftrain import evaluate, exported  # noqa: F401 - all that a training needs

    with stopping.deferred():
        worker.work()


@contextmanager
def opened(where: Where, name: str, heartbeat: int = storage.HEARTBEAT_SECONDS) -> Iterator[Study]:
    """A study that is there.

    Raises:
        ConfigError: when it isn't.
    """
    from tftrain.sweep import study as studies

    with storage.quiet(), storage.told(where):
        yield studies.load(storage.connect(where, heartbeat, make=False), name)
