"""What a training is asked for in, a finished run out: the whole way of the data, step by step."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tftrain import config, ending, environment, opening, runs, stopping
from tftrain import require as requirement
from tftrain.checkpoint import Keeper
from tftrain.ending import Clock
from tftrain.errors import ConfigError, Mark, Problem, RunError, Stopped
from tftrain.prepare import Asked, prepare
from tftrain.runs import Run

if TYPE_CHECKING:
    from tftrain.training import Engine, Epoch, Job
    from tftrain.training.population import Population

__all__ = ["Asked", "Progress", "fit", "prepare"]


_NO_LOGS = ("epoch", "learning_rate", "seconds")  # the columns of metrics.csv besides


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
        from tftrain import backend, evaluate, exported, foreign  # noqa: F401

        backend.start(asked.config.training_seed, asked.config.training.threads or 1)
    with clock("build"), stopping.at_once():
        foreign.run(asked.source)
        engine = engine_of(asked)
    with stopping.deferred():
        run, differences = opening.run(asked, engine.network, git, backend.versions())
        for line in differences:
            progress.warn(line)
        try:
            _work(asked, engine, run, progress, clock)
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


def engine_of(asked: Asked, adapt: Callable[[Engine], None] | None = None) -> Engine:
    """The network and what runs it, once everything that Keras can refuse has been tried.

    Args:
        asked: from `prepare`.
        adapt: changes the network before its training graph is traced.

    Raises:
        ConfigError: when Keras refuses what the config asks for.
        RunError: when the checkpoint to go on from is of another training.
    """
    from tftrain import evaluate, foreign, model, restarts, training
    from tftrain.training import callbacks

    settings, source, splits = asked.config, asked.source, asked.splits
    problems: list[Problem] = []
    network = config.collect(problems, lambda: model.build(settings, source, splits.form))
    built = config.collect(problems, lambda: callbacks.build(settings, source, asked.runs_dir))
    if network is not None:
        names = training.logged(network)
        watched = config.monitors(settings.data, settings.training, names)
        problems += [source.problem(*fault) for fault in watched]
        bounds = map(str, asked.requirements)
        config.collect(problems, lambda: requirement.parse(bounds, asked.metric_names(names)))
    if problems:
        raise ConfigError(problems)
    engine = evaluate.engine_of(network, settings, len(splits.train))
    if adapt is not None:
        adapt(engine)
    try:
        training.trace(engine, splits.weighted, settings.seed)
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes
        message = f"this network can't be trained: {foreign.words(error, source)}"
        raise ConfigError(source.problem(("model", "layers"), "K005", message, key=True)) from None
    if asked.run and asked.checkpoint:
        misfit = restarts.misfit(asked, engine, built or [], asked.checkpoint.state)
        if misfit:
            mark = Mark(str(asked.run.folder / runs.CHECKPOINT))
            raise RunError(Problem(mark, "R002", misfit))
    return engine


def _job(asked: Asked, engine: Engine, run: Run, progress: Progress) -> Job | Population:
    from tftrain import restarts, training
    from tftrain.training import callbacks

    if asked.config.training.restarts is not None:
        return restarts.population(asked, engine, run, progress.say)
    settings, splits = asked.config, asked.splits
    return training.Job(
        engine=engine,
        training=settings.training,
        train=splits.weighted,
        validation=splits.validation,
        seed=settings.training_seed,
        callbacks=callbacks.build(settings, asked.source, run.folder),
        say=progress.say,
        advance=progress.advance,
        begin=asked.checkpoint.state if asked.checkpoint else None,
        logs=_logs(run.history[-1]) if run.history else {},
    )


def _work(asked: Asked, engine: Engine, run: Run, progress: Progress, clock: Clock) -> None:
    """Everything that a run's directory sees: epochs, weights, metrics, a complete summary."""
    from tftrain import evaluate, exported, restarts
    from tftrain.training import Job

    with ending.closing(asked, run, clock, partial(_job, asked, engine, run, progress)) as job:
        if constant := asked.splits.preparation.scaling.constant:
            progress.say(f"columns that hold one value only become 0: {constant}")
        with clock("training"), ending.told(asked):
            _train(asked, job, run, progress, clock)
            kept = {} if isinstance(job, Job) else restarts.choose(asked, job, run, progress.say)
        with clock("saving"):
            network = job.engine.network
            model = exported.exportable(network, asked.config, asked.splits.preparation)
            ending.save(asked, job, run, model)
        with clock("evaluation"), ending.told(asked):
            scores = evaluate.metrics(job.engine, asked.splits)
            ending.predict(asked, job, run, progress.say)
        ending.finish(asked, job, run, clock, {**kept, "metrics": scores})


def _train(asked: Asked, job: Job | Population, run: Run, progress: Progress, clock: Clock) -> None:
    from tftrain import training

    epochs = job.training.epochs
    passes = training.train(job) if isinstance(job, training.Job) else job.epochs()
    keeper = Keeper(job.training.checkpoint.every, epochs, job.state.epoch)
    progress.begin(epochs)
    try:
        progress.advance(job.state.epoch)
        with closing(passes) as done:  # callbacks have their last word, whatever comes
            for epoch in done:
                run.record(_row(epoch))
                progress.epoch(epoch)
                if keeper.due(job.state):
                    kept = ending.checkpoint_of(asked, job, run, clock)
                    keeper.keep(run.folder / runs.CHECKPOINT, kept)
    finally:
        progress.end()


def _row(epoch: Epoch) -> dict[str, float]:
    logs = {name: value for name, value in epoch.logs.items() if name != "learning_rate"}
    rate, seconds = epoch.learning_rate, round(epoch.seconds, 6)
    return {"epoch": epoch.number, **logs, "learning_rate": rate, "seconds": seconds}


def _logs(row: Mapping[str, float]) -> dict[str, float]:
    """What `_row` made a row of."""
    return {name: value for name, value in row.items() if name not in _NO_LOGS}
