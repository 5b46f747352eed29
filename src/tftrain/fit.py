"""What a training is asked for in, a finished run out: the whole way of the data, step by step."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tftrain import ending, environment, opening, predictions, runs, stopping
from tftrain.checkpoint import Checkpoint, Keeper
from tftrain.ending import Clock
from tftrain.errors import Stopped
from tftrain.prepare import Asked, prepare
from tftrain.runs import Run

if TYPE_CHECKING:
    from tftrain.building import Built, Training
    from tftrain.training import Epoch

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
    clock = Clock(before, {"data": round(asked.seconds, 3)})
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


def _work(asked: Asked, built: Built, run: Run, progress: Progress, clock: Clock) -> None:
    """Everything that a run's directory sees: epochs, weights, metrics, a complete summary."""
    from tftrain import building, evaluate, exported

    begin = partial(building.begin, asked, built, run, progress.say, progress.advance)
    with ending.closing(asked, run, clock, begin) as job:
        if constant := asked.splits.preparation.scaling.constant:
            progress.say(f"columns that hold one value only become 0: {constant}")
        with clock("training"), ending.told(asked):
            keep = partial(ending.checkpoint_of, asked, job, run, clock)
            train = partial(_train, run=run, progress=progress, keep=keep)
            train(job)
            kept = building.end(asked, job, run, say=progress.say, train=train)
        with clock("saving"):
            network = kept.engine.network
            model = exported.exportable(network, asked.config, asked.splits.preparation)
            ending.save(asked, network, run, model)
        with clock("evaluation"), ending.told(asked):
            scores = {**kept.scores, **evaluate.metrics(kept.engine, asked.splits)}
            loss = asked.config.training.loss
            told = predictions.keep(run.folder, kept.engine, asked.splits, loss, kept.made)
            for line in told:
                progress.say(line)
        ending.finish(asked, kept.job, run, clock, {**kept.told, "metrics": scores})


def _train(job: Training, *, run: Run, progress: Progress, keep: Callable[[], Checkpoint]) -> None:
    """Carries a training out, to its end.

    Args:
        job: of one network or of many.
        run: gets a row an epoch.
        progress: is told of every epoch.
        keep: gives what is needed to go on.
    """
    from tftrain import training

    passes = training.train(job) if isinstance(job, training.Job) else job.epochs()
    keeper = Keeper(job.training.checkpoint.every, job.training.epochs, job.state.epoch)
    progress.begin(job.training.epochs)
    try:
        progress.advance(job.state.epoch)
        with closing(passes) as done:  # callbacks have their last word, whatever comes
            for epoch in done:
                run.record(_row(epoch))
                progress.epoch(epoch)
                if keeper.due(job.state):
                    keeper.keep(run.folder / runs.CHECKPOINT, keep())
    finally:
        progress.end()


def _row(epoch: Epoch) -> dict[str, float]:
    logs = {name: value for name, value in epoch.logs.items() if name != "learning_rate"}
    rate, seconds = epoch.learning_rate, round(epoch.seconds, 6)
    return {"epoch": epoch.number, **logs, "learning_rate": rate, "seconds": seconds}
