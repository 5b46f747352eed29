"""A training that is over, or cut short, in; what its run keeps of it out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from tftrain import checkpoint, config, files, opening, runs
from tftrain.checkpoint import Checkpoint, State
from tftrain.config import Config
from tftrain.data import Splits
from tftrain.errors import Problem, Stopped, StorageError, TrainingError
from tftrain.prepare import Asked
from tftrain.runs import Run

if TYPE_CHECKING:
    from tftrain.training import Engine, NonFinite


class Ended(Protocol):
    """What is to be known of a training: `training.Job`, `Population`, or one network of it."""

    @property
    def engine(self) -> Engine:
        """Holds the network."""

    @property
    def state(self) -> State:
        """After the last epoch that was sound."""

    @property
    def over(self) -> bool:
        """Whether the last epoch is done and callbacks have had their last word."""

    @property
    def callbacks(self) -> list[Any]:
        """Keras's."""

    def rewind(self) -> None:
        """Gives the network the weights of the last sound epoch, where an epoch was cut short."""


Job = TypeVar("Job", bound=Ended)


@dataclass
class Clock:
    """Seconds of each stage, by name; of a run that is gone on with, those before count too."""

    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measures a stage."""
        self._begun[stage] = time.perf_counter()
        yield
        self.seconds[stage] = round(self.so_far(stage), 3)
        del self._begun[stage]

    def so_far(self, stage: str) -> float:
        """Seconds of a stage that may still be under way."""
        now = time.perf_counter()
        return self.seconds.get(stage, 0.0) + now - self._begun.get(stage, now)

    def total(self) -> float:
        """Seconds from the beginning to now."""
        return round(time.perf_counter() - self.started, 3)


@contextmanager
def closing(asked: Asked, run: Run, clock: Clock, begin: Callable[[], Job]) -> Iterator[Job]:
    """Whatever ends a run before its time is written into it, with the last sound weights."""
    job: Job | None = None
    try:
        job = begin()
        yield job
    except Exception as error:
        cut(asked, run, job, clock, error)
        raise


def cut(asked: Asked, run: Run, job: Ended | None, clock: Clock, error: Exception) -> None:
    """Writes into a run why it ends before its time, and the last sound epoch if there is one."""
    if job is not None:
        _keep(asked, run, job, clock)
    state = runs.STOPPED if isinstance(error, Stopped) else runs.FAILED
    with suppress(StorageError):  # the storage that failed is what `error` tells of
        resumable = (run.folder / runs.CHECKPOINT).exists()
        run.update(state=state, finished=opening.now(), reason=str(error), resumable=resumable)


def checkpoint_of(asked: Asked, job: Ended, run: Run, clock: Clock) -> Checkpoint:
    """All that is needed to go on."""
    seconds = clock.so_far("training")
    return Checkpoint(job.state, run.history, seconds, checkpoint.digest(asked.config))


@contextmanager
def told(asked: Asked) -> Iterator[None]:
    """Why training or evaluation could not go on, at its place in the config."""
    from tftrain import training

    try:
        yield
    except training.NonFinite as error:
        raise TrainingError(non_finite(asked, error)) from None
    except training.Refused as error:
        problem = asked.source.problem(("model", "layers"), "T002", str(error), key=True)
        raise TrainingError(problem) from None


def non_finite(asked: Asked, error: NonFinite) -> Problem:
    """What is said of a training whose loss or weights are no longer finite."""
    kept = (
        f"the weights of epoch {error.epoch - 1} are"
        if error.epoch > 1
        else "the first weights are"
    )
    message = f"{error}; {kept} kept"
    return asked.source.problem(("training", "optimizer"), "T001", message)


def save(asked: Asked, network: Any, run: Run, model: Any) -> None:
    """Writes the kept weights.

    Args:
        asked: from `prepare`.
        network: that holds them.
        run: of the training.
        model: the network for others, from `exported.exportable`.
    """
    _write_weights(run, network, asked.splits)
    files.require_space(run.folder, 2 * sum(weight.nbytes for weight in network.get_weights()))
    files.fill(run.folder / runs.MODEL, model.save)


def finish(asked: Asked, job: Ended, run: Run, clock: Clock, found: Mapping[str, Any]) -> None:
    """Completes a run whose weights and predictions are written.

    Args:
        asked: from `prepare`.
        job: that is over.
        run: of the training.
        clock: has all stages.
        found: what else the summary says: `metrics`, of each split by the kept weights.
    """
    run.write_metrics()
    run.update(
        state=runs.FINISHED,
        finished=opening.now(),
        **{**_best(asked.config, job, run), **found},
        seconds=clock.seconds | {"total": clock.total()},
    )


def _keep(asked: Asked, run: Run, job: Ended, clock: Clock) -> None:
    """Writes as much of the last sound epoch as the storage takes."""
    if not job.over:
        with suppress(StorageError):
            kept = checkpoint_of(asked, job, run, clock)
            checkpoint.write(run.folder / runs.CHECKPOINT, kept)
    with suppress(StorageError):
        job.rewind()
        _write_weights(run, job.engine.network, getattr(job, "splits", asked.splits))
    with suppress(StorageError):
        run.write_metrics()


def _write_weights(run: Run, network: Any, splits: Splits) -> None:
    from tftrain import evaluate

    files.write_arrays(run.folder / runs.WEIGHTS, evaluate.arrays_of(network, splits.preparation))


def _best(settings: Config, job: Ended, run: Run) -> dict[str, Any]:
    """The best epoch by what is monitored, and which epoch's weights were kept."""
    from tftrain import training

    restored = training.restored(job.callbacks)
    monitor = restored[0] if restored else settings.training.monitor() or "val_loss"
    values = np.array([row.get(monitor, np.nan) for row in run.history])
    if np.isnan(values).all():
        monitor = "loss"
        values = np.array([row[monitor] for row in run.history])
    up = config.higher_is_better(settings.training, monitor)
    best = (
        restored[1] if restored else int(np.nanargmax(values) if up else np.nanargmin(values)) + 1
    )
    return {
        "epochs_run": len(run.history),
        "monitor": monitor,
        "best_epoch": best,
        "best_value": float(values[best - 1]),
        "kept": "best" if restored else "last",
    }
