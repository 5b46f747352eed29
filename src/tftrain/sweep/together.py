"""Trainings that differ in numbers only in, each one's run out: one population in one graph."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from tftrain import (
    backend,
    building,
    ending,
    environment,
    exported,
    foreign,
    model,
    opening,
    runs,
    stopping,
)
from tftrain.errors import Stopped, TrainingError
from tftrain.runs import Run
from tftrain.sweep import apart
from tftrain.sweep.apart import Apart, Trial, offset
from tftrain.training import Engine, Epoch, NonFinite, callbacks, faults, numbers
from tftrain.training import population as populations
from tftrain.training.members import RATE, Lesson, Values
from tftrain.training.population import Population
from tftrain.training.stacked import Unstackable

_WRITERS = 4
End = Run | TrainingError | Stopped


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
        first, lambda engine: numbers.install(engine, places, offset(engine, first))
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
    left: list[Apart] = []
    try:
        with stopping.deferred(), ThreadPoolExecutor(_WRITERS) as writers:
            left += _opened(population, trials, build, writers)
            with ending.told(trials[0].asked), closing(population.epochs()) as epochs:
                yield from _epochs(epochs, left, writers)
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
) -> Iterator[Apart]:
    for trial, member, run in zip(
        trials, population.members, _runs(population, trials, writers), strict=True
    ):
        spent = {
            "data": round(trial.asked.seconds, 3),
            "import": 0.0,
            "build": round(build / len(trials), 3),
            "training": 0.0,
        }
        yield Apart(trial, population, member, run, spent)


def _runs(population: Population, trials: Sequence[Trial], writers: Executor) -> list[Run]:
    """The runs' directories, in the trials' order; all of them or none."""
    git, versions = environment.ask_git(), backend.versions()
    network = population.engine.network
    claimed: list[Run] = []
    describing: list[Future[Any]] = []
    try:
        for trial in trials:
            claimed.append(runs.claim(trial.asked.runs_dir, trial.asked.config.name))
            asked = replace(trial.asked, run=claimed[-1])
            describing.append(writers.submit(opening.run, asked, network, git, versions))
        for one in describing:
            one.result()
    except Exception:
        wait(describing)
        for run in claimed:
            run.discard()
        raise
    return claimed


def _epochs(
    epochs: Iterator[Epoch], left: list[Apart], writers: Executor
) -> Iterator[tuple[int, End, float]]:
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
            one.run.history.append({**row, "seconds": round(share, 6)})
            logs = {name: value for name, value in row.items() if name not in ("epoch", RATE)}
            try:
                one.trial.progress.epoch(Epoch(epoch.number, logs, row[RATE], share))
            except Stopped as stopped:
                one.member.ended = True
                yield _cut(left, one, stopped)
        yield from _failed(left)
        due = [one.run for one in left if not one.member.ended and one.run.is_due(len(left))]
        list(writers.map(Run.write_metrics, due))


def _failed(left: list[Apart]) -> Iterator[tuple[int, End, float]]:
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
    population: Population, left: list[Apart], writers: Executor
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
        one.spent |= {"saving": 0.0, "evaluation": share}
        made = apart.made(one, exportable)
        writing[number] = writers.submit(apart.write, one, made, scores[number])
    for one in list(left):
        run, seconds = writing[one.member.number].result()
        left.remove(one)
        yield one.member.number, run, seconds


def _cut(left: list[Apart], one: Apart, error: Exception) -> tuple[int, Any, float]:
    """Ends one before its time."""
    clock = one.clock
    ending.cut(one.trial.asked, one.run, one, clock, error)
    one.run.release()
    left.remove(one)
    if isinstance(error, Stopped):
        error = Stopped(error.reason, error.exit_code, one.run.folder)
    return one.member.number, error, clock.total()
