"""Trainings that differ in numbers only in, each one's run out: one population in one graph."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import (
    backend,
    building,
    checkpoint,
    ending,
    environment,
    evaluate,
    exported,
    files,
    foreign,
    model,
    opening,
    predictions,
    runs,
    stopping,
)
from tftrain.checkpoint import Checkpoint, State
from tftrain.ending import Clock
from tftrain.errors import Stopped, TrainingError
from tftrain.fit import Asked, Progress
from tftrain.predictions import Predictions
from tftrain.runs import Run
from tftrain.sweep.alike import Form
from tftrain.training import Engine, Epoch, Logs, NonFinite, callbacks, faults, numbers
from tftrain.training import population as populations
from tftrain.training.engine import NUMBER
from tftrain.training.members import RATE, Lesson, Member, Values
from tftrain.training.population import Population
from tftrain.training.stacked import Unstackable

_WRITERS = 4
End = Run | TrainingError | Stopped


@dataclass(frozen=True)
class Trial:
    """One training of several that go together.

    Args:
        asked: from `prepare`; its rows are the others' too.
        form: of its config, the same as the others' but for numbers.
        progress: is told of every epoch, and ends this training by raising Stopped.
    """

    asked: Asked
    form: Form
    progress: Progress


@dataclass
class _Alone:
    """One network of the population as a training of its own, and its run.

    Args:
        trial: what it is.
        population: that it is one of.
        member: as the population knows it.
        run: its run directory.
        spent: seconds of each stage, its share of what all took together.
        over: whether callbacks have had their last word.
    """

    trial: Trial
    population: Population
    member: Member
    run: Run
    spent: dict[str, float]
    over: bool = field(default=False)

    @property
    def engine(self) -> Engine:
        return self.member.lesson.engine

    @property
    def callbacks(self) -> list[Any]:
        return self.member.callbacks

    @property
    def state(self) -> State:
        """After the last epoch that was sound, as a fit of its own has it."""
        whole, place = self.population.state, self.member.number
        values = populations.begin_values(whole, len(self.population.members))[place]
        own = {name: value for name, value in values.items() if not name.startswith(NUMBER)}
        kept = whole.callbacks[place]
        ended = kept["ended"] and not kept["failed"]
        return State(len(kept["history"]), ended, own, kept["callbacks"])

    def rewind(self) -> None:
        self.population.enter(self.member)

    @property
    def clock(self) -> Clock:
        """Goes on from what was spent so far."""
        return Clock(time.perf_counter() - sum(self.spent.values()), dict(self.spent))


@dataclass(frozen=True)
class _Made:
    """What is to be written of a network that has come to its end.

    Args:
        clock: of its run.
        checkpoint: after its last epoch.
        weights: that are kept, and what was learnt of preparing rows.
        model: the file for other programs.
        predicted: of rows that it hasn't learnt from.
    """

    clock: Clock
    checkpoint: Checkpoint
    weights: Mapping[str, NDArray[Any]]
    model: bytes
    predicted: Mapping[str, Predictions]


def begin(trials: Sequence[Trial]) -> Population:
    """The population of some trials.

    Raises:
        ConfigError: when Keras refuses what the first one's config asks for.
        Unstackable: when these can't be trained in one graph.
    """
    first = trials[0].asked
    settings, source, splits = first.config, first.source, first.splits
    backend.start(settings.training_seed, settings.training.threads or 1)
    foreign.run(source)
    places = trials[0].form.numbers
    engine = building.engine_of(
        first, lambda engine: numbers.install(engine, places, _offset(engine, first))
    )
    lessons = [Lesson(trial.asked.config.training_seed, splits, engine) for trial in trials]
    own = {id(lesson): _own(trial, engine) for lesson, trial in zip(lessons, trials, strict=True)}
    values = populations.first_values(lambda one: model.layered(settings, source, one.splits.form))
    of_seed: dict[int, Values] = {}

    def begun(lesson: Lesson) -> Values:
        if lesson.seed not in of_seed:
            of_seed[lesson.seed] = values(lesson)
        return {**of_seed[lesson.seed], **own[id(lesson)]}

    made = Population(
        lessons,
        settings.training,
        callbacks=lambda: callbacks.build(settings, source, first.runs_dir),
        first=begun,
        say=lambda _line: None,
    )
    if made.reason is not None:
        raise Unstackable(made.reason)
    return made


def _own(trial: Trial, engine: Engine) -> Values:
    """The variables that are a trial's own numbers."""
    found = {numbers.name(place): value for place, value in trial.form.numbers.items()}
    if trial.form.rate is not None:
        rate = populations.rate_of(engine)
        if rate is None:
            raise Unstackable("the optimizer keeps its learning rate elsewhere")
        found[rate] = trial.form.rate
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def train(
    population: Population, trials: Sequence[Trial], build: float
) -> Iterator[tuple[int, End, float]]:
    """Trains all, and tells of each when it is over.

    Args:
        population: from `begin`.
        trials: the same.
        build: seconds that `begin` took.

    Yields:
        A trial's place; its run, or what ended it before its time; its share of the seconds.

    Raises:
        StorageError: when runs can't be written.
        Stopped: by a signal or the time limit; the runs say so.
    """
    left: list[_Alone] = []
    try:
        with stopping.deferred(), ThreadPoolExecutor(_WRITERS) as writers:
            left += _opened(population, trials, build, writers)
            with ending.told(trials[0].asked), closing(population.epochs()) as epochs:
                yield from _epochs(epochs, left)
                yield from _failed(left)
            yield from _finished(population, left, writers)
    except TrainingError as error:
        for one in [one for one in left if one.run.summary["state"] == runs.RUNNING]:
            yield _cut(left, one, error)
    except Exception as error:
        for one in [one for one in left if one.run.summary["state"] == runs.RUNNING]:
            _cut(left, one, error)
        raise
    finally:
        for one in left:
            one.run.release()


def _opened(
    population: Population, trials: Sequence[Trial], build: float, writers: Executor
) -> Iterator[_Alone]:
    git, versions = environment.ask_git(), backend.versions()
    network = population.engine.network
    claimed = []
    for trial in trials:  # one after another, so that their numbers are in the trials' order
        run = runs.claim(trial.asked.runs_dir, trial.asked.config.name)
        claimed.append(replace(trial.asked, run=run))
    opened = writers.map(lambda asked: opening.run(asked, network, git, versions)[0], claimed)
    for trial, member, run in zip(trials, population.members, opened, strict=True):
        spent = {
            "data": round(trial.asked.seconds, 3),
            "import": 0.0,
            "build": round(build / len(trials), 3),
            "training": 0.0,
        }
        yield _Alone(trial, population, member, run, spent)


def _epochs(epochs: Iterator[Epoch], left: list[_Alone]) -> Iterator[tuple[int, End, float]]:
    """Lets each run have its rows; those that fail or are ended leave the others alone."""
    while True:
        active = [one for one in left if not one.member.ended]
        try:
            epoch = next(epochs, None)
        except NonFinite:  # of all that were left
            return
        if epoch is None:
            return
        for one in active:
            share = epoch.seconds / len(active)
            one.spent["training"] += share
            if one.member.failed:
                continue
            row = one.member.history[-1]
            one.run.record({**row, "seconds": round(share, 6)}, len(left))
            logs = {name: value for name, value in row.items() if name not in ("epoch", RATE)}
            try:
                one.trial.progress.epoch(Epoch(epoch.number, logs, row[RATE], share))
            except Stopped as stopped:
                one.member.ended = True
                yield _cut(left, one, stopped)
        yield from _failed(left)


def _failed(left: list[_Alone]) -> Iterator[tuple[int, End, float]]:
    """Tells of those that are not finite, in the words of a fit of their own."""
    for one in [one for one in left if one.member.failed]:
        population, epoch = one.population, len(one.member.history)
        what = str(one.member.failed).partition(" is not finite")[0]
        before = replace(one.state, variables=population.values[one.member.number])
        one.rewind()
        order = population.order(one.member, epoch)
        splits = one.member.lesson.splits
        where = faults.first(one.engine, splits.weighted, order, before)
        problem = ending.non_finite(one.trial.asked, NonFinite(epoch + 1, what, where))
        yield _cut(left, one, TrainingError(problem))


def _finished(
    population: Population, left: list[_Alone], writers: Executor
) -> Iterator[tuple[int, End, float]]:
    """Completes the runs of those that have come to their end.

    The disk takes its time for each file, so several runs are written at a time.
    """
    if not left:
        return
    first = left[0].trial.asked
    begun = time.perf_counter()
    with ending.told(first):
        scores = populations.scores(population)
    share = (time.perf_counter() - begun) / len(left)
    exportable = exported.exportable(
        population.engine.network, first.config, first.splits.preparation
    )
    writing: dict[int, Future[tuple[Run, float]]] = {}
    for one in left:
        number = one.member.number
        one.spent["evaluation"] = share
        made = _made(one, exportable)
        writing[number] = writers.submit(_write, one, made, scores[number])
    for one in list(left):
        run, seconds = writing[one.member.number].result()
        left.remove(one)
        yield one.member.number, run, seconds


def _made(one: _Alone, exportable: Any) -> _Made:
    """What is to be written of a network, while its variables are in place."""
    asked, engine, clock = one.trial.asked, one.engine, one.clock
    kept = ending.checkpoint_of(asked, one, one.run, clock)
    one.over = True
    with clock("saving"), tempfile.TemporaryDirectory() as folder:
        one.population.enter(one.member)
        numbers.write(engine.network, one.trial.form.numbers, _offset(engine, asked))
        weights = evaluate.arrays_of(engine.network, asked.splits.preparation)
        path = Path(folder) / runs.MODEL
        exportable.save(path)
        model = path.read_bytes()
    with clock("evaluation"), ending.told(asked):
        predicted = predictions.made(engine, asked.splits, asked.config.training.loss)
    return _Made(clock, kept, weights, model, predicted)


def _write(one: _Alone, made: _Made, scores: Mapping[str, Logs]) -> tuple[Run, float]:
    asked, run, clock = one.trial.asked, one.run, made.clock
    with clock("saving"):
        checkpoint.write(run.folder / runs.CHECKPOINT, made.checkpoint)
        files.write_arrays(run.folder / runs.WEIGHTS, made.weights)
        run.write(runs.MODEL, made.model)
    with clock("evaluation"):
        loss = asked.config.training.loss
        predictions.keep(run.folder, one.engine, asked.splits, loss, made.predicted)
    ending.finish(asked, one, run, clock, {"metrics": scores})
    run.release()
    return run, clock.total()


def _cut(left: list[_Alone], one: _Alone, error: Exception) -> tuple[int, Any, float]:
    """Ends one before its time."""
    clock = one.clock
    ending.cut(one.trial.asked, one.run, one, clock, error)
    one.run.release()
    left.remove(one)
    if isinstance(error, Stopped):
        error = Stopped(error.reason, error.exit_code, one.run.folder)
    return one.member.number, error, clock.total()


def _offset(engine: Engine, asked: Asked) -> int:
    """How many entries of the config's layers Keras doesn't keep: an Input."""
    return len(asked.config.model.layers) - len(engine.network.layers)
