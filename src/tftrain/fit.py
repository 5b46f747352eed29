"""What a training is asked for in, a finished run out: the whole way of the data, step by step."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tftrain import (
    checkpoint,
    config,
    environment,
    files,
    opening,
    predictions,
    runs,
    stopping,
)
from tftrain.checkpoint import Checkpoint, Keeper
from tftrain.config import Config
from tftrain.data import Splits
from tftrain.errors import (
    Problem,
    Stopped,
    StorageError,
    TrainingError,
)
from tftrain.prepare import Asked, prepare
from tftrain.runs import Run

if TYPE_CHECKING:
    from tftrain.building import Built
    from tftrain.training import Engine, Epoch, Job, NonFinite
    from tftrain.training.population import Population

__all__ = ["Asked", "Progress", "fit", "prepare"]


class Progress(Protocol):
    """What wants to know how a training goes."""

    def begin(self, epochs: int) -> None:
        """Training starts."""

    def advance(self, epochs: float) -> None:
        """So many epochs are done, fractions too."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is done."""

    def end(self) -> None:
        """No more epochs come, whatever the reason."""

    def say(self, line: str) -> None:
        """Something the user should see."""

    def warn(self, line: str) -> None:
        """Something the user must see: what was learnt from isn't what was given."""


def fit(asked: Asked, progress: Progress) -> Run:
    """Trains a network and leaves a run directory behind.

    Args:
        asked: from `prepare`.
        progress: is told of every epoch.

    Returns:
        The run, its summary complete.

    Raises:
        ConfigError: when Keras refuses what the config asks for; no run is left then.
        TrainingError: when the loss is no longer finite; the run holds the last sound weights.
        StorageError: when the run can't be written.
        Stopped: by a signal; the run's state says so.
    """
    before = time.perf_counter() - asked.seconds
    clock = _Clock(before, {"data": round(asked.seconds, 3)})
    if asked.checkpoint:
        clock.seconds["training"] = asked.checkpoint.seconds
        clock.started -= asked.checkpoint.seconds
    git = environment.ask_git()
    for note in asked.splits.notes:
        progress.warn(str(note))
    for line in asked.remarks:
        progress.warn(line)
    for warning in asked.warnings:
        progress.say(str(warning))
    for line in asked.splits.preparation.described():
        progress.say(line)
    with clock("import"):  # all of it: once a run is open, no handle may be left to read it with
        from tftrain import backend, building, exported  # noqa: F401

        backend.start(asked.config.training_seed, asked.config.training.threads or 1)
    with clock("build"), stopping.at_once():
        built = building.build(asked)
    with stopping.deferred():
        run, differences = opening.run(asked, built.engine.network, git, backend.versions())
        for line in differences:
            progress.warn(line)
        try:
            _work(asked, built, run, progress, clock)
        except Stopped as stopped:
            on = runs.going_on(run.folder, run.summary)
            raise Stopped(stopped.reason, stopped.exit_code, run.folder, on) from None
        finally:
            run.release()
    return run


def begin_import() -> None:
    """Imports TensorFlow in a thread of its own, for whoever waits for something else meanwhile.

    If that fails, it fails again, and is told, where it is needed.
    """

    def load() -> None:
        with suppress(Exception):
            importlib.import_module("tftrain.backend")

    threading.Thread(target=load, daemon=True).start()


def _work(asked: Asked, built: Built, run: Run, progress: Progress, clock: _Clock) -> None:
    """Everything that a run's directory sees: epochs, weights, metrics, a complete summary."""
    from tftrain import building, evaluate

    begin = partial(building.begin, asked, built, run, progress.say, progress.advance)
    with _closing(asked, run, clock, begin) as job:
        if constant := asked.splits.preparation.scaling.constant:
            progress.say(f"columns that hold one value only become 0: {constant}")
        with clock("training"), _told(asked):
            keeper = Keeper(job.training.checkpoint.every, job.training.epochs, job.state.epoch)
            _train(job, run, progress, lambda: _mark(asked, job, run, clock, keeper))
            train = partial(_train, run=run, progress=progress)
            kept = building.end(asked, built, job, run, say=progress.say, train=train)
        with clock("saving"):
            _save(asked, kept.engine, run)
        with clock("evaluation"), _told(asked):
            scores = {**kept.scores, **evaluate.metrics(kept.engine, asked.splits)}
            loss = asked.config.training.loss
            told = predictions.keep(run.folder, kept.engine, asked.splits, loss, kept.made)
            for line in told:
                progress.say(line)
        run.write_metrics()
        run.update(
            state=runs.FINISHED,
            finished=opening.now(),
            **{**_best(asked.config, kept.job, run), **kept.told},
            metrics=scores,
            seconds=clock.seconds | {"total": clock.total()},
        )


def _train(
    job: Job | Population, run: Run, progress: Progress, mark: Callable[[], None] | None = None
) -> None:
    """Carries a training out, to its end.

    Args:
        job: of one network or of many.
        run: gets a row an epoch.
        progress: is told of every epoch.
        mark: is called after each.
    """
    from tftrain import training

    passes = training.train(job) if isinstance(job, training.Job) else job.epochs()
    progress.begin(job.training.epochs)
    try:
        progress.advance(job.state.epoch)
        with closing(passes) as done:  # callbacks have their last word, whatever comes
            for epoch in done:
                run.record(_row(epoch))
                progress.epoch(epoch)
                if mark:
                    mark()
    finally:
        progress.end()


def _mark(asked: Asked, job: Job | Population, run: Run, clock: _Clock, keeper: Keeper) -> None:
    """Writes a checkpoint where one is due."""
    if keeper.due(job.state):
        keeper.keep(run.folder / runs.CHECKPOINT, _checkpoint(asked, job, run, clock))


def _checkpoint(asked: Asked, job: Job | Population, run: Run, clock: _Clock) -> Checkpoint:
    seconds = clock.so_far("training")
    return Checkpoint(job.state, run.history, seconds, checkpoint.digest(asked.config))


@contextmanager
def _told(asked: Asked) -> Iterator[None]:
    """Why training or evaluation could not go on, at its place in the config."""
    from tftrain import training

    try:
        yield
    except training.NonFinite as error:
        raise TrainingError(_non_finite(asked, error)) from None
    except training.Refused as error:
        problem = asked.source.problem(("model", "layers"), "T002", str(error), key=True)
        raise TrainingError(problem) from None


def _save(asked: Asked, engine: Engine, run: Run) -> None:
    from tftrain import exported

    network = engine.network
    _write_weights(run, network, asked.splits)
    others = exported.exportable(network, asked.config, asked.splits.preparation)
    files.require_space(run.folder, 2 * sum(weight.nbytes for weight in network.get_weights()))
    files.fill(run.folder / runs.MODEL, others.save)


@dataclass
class _Clock:
    """Seconds of each stage, by name; of a run that is gone on with, those before count too."""

    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._begun[stage] = time.perf_counter()
        yield
        self.seconds[stage] = round(self.so_far(stage), 3)

    def so_far(self, stage: str) -> float:
        return self.seconds.get(stage, 0.0) + time.perf_counter() - self._begun[stage]

    def total(self) -> float:
        return round(time.perf_counter() - self.started, 3)


@contextmanager
def _closing(
    asked: Asked, run: Run, clock: _Clock, begin: Callable[[], Job | Population]
) -> Iterator[Job | Population]:
    """Whatever ends a run before its time is written into it, with the last sound weights."""
    job: Job | Population | None = None
    try:
        job = begin()
        yield job
    except Exception as error:
        if job is not None:
            _keep(asked, run, job, clock)
        state = runs.STOPPED if isinstance(error, Stopped) else runs.FAILED
        with suppress(StorageError):  # the storage that failed is what `error` tells of
            resumable = (run.folder / runs.CHECKPOINT).exists()
            run.update(state=state, finished=opening.now(), reason=str(error), resumable=resumable)
        raise


def _keep(asked: Asked, run: Run, job: Job | Population, clock: _Clock) -> None:
    """Writes as much of the last sound epoch as the storage takes."""
    if not job.over:
        with suppress(StorageError):
            kept = _checkpoint(asked, job, run, clock)
            checkpoint.write(run.folder / runs.CHECKPOINT, kept)
    with suppress(StorageError):
        job.rewind()
        splits = getattr(job, "splits", asked.splits)
        _write_weights(run, job.engine.network, splits)
    with suppress(StorageError):
        run.write_metrics()


def _write_weights(run: Run, network: Any, splits: Splits) -> None:
    from tftrain import evaluate

    files.write_arrays(run.folder / runs.WEIGHTS, evaluate.arrays_of(network, splits.preparation))


def _row(epoch: Epoch) -> dict[str, float]:
    logs = {name: value for name, value in epoch.logs.items() if name != "learning_rate"}
    rate, seconds = epoch.learning_rate, round(epoch.seconds, 6)
    return {"epoch": epoch.number, **logs, "learning_rate": rate, "seconds": seconds}


def _best(settings: Config, job: Job | Population, run: Run) -> dict[str, Any]:
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


def _non_finite(asked: Asked, error: NonFinite) -> Problem:
    kept = (
        f"the weights of epoch {error.epoch - 1} are"
        if error.epoch > 1
        else "the first weights are"
    )
    message = f"{error}; {kept} kept"
    return asked.source.problem(("training", "optimizer"), "T001", message)
