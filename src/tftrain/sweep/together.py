"""Trainings that differ in numbers only in, each one's run out: one population in one graph."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tftrain import (
    backend,
    building,
    checkpoint,
    ending,
    environment,
    exported,
    foreign,
    model,
    opening,
    predictions,
    runs,
    stopping,
)
from tftrain.checkpoint import State
from tftrain.ending import Clock
from tftrain.errors import Stopped, TrainingError
from tftrain.fit import Asked, Progress
from tftrain.runs import Run
from tftrain.sweep.alike import Form
from tftrain.training import Engine, Epoch, NonFinite, callbacks, faults, numbers
from tftrain.training import population as populations
from tftrain.training.engine import NUMBER
from tftrain.training.members import RATE, Lesson, Member, Values
from tftrain.training.population import Population
from tftrain.training.stacked import Unstackable

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
        with stopping.deferred():
            left += _opened(population, trials, build)
            with ending.told(trials[0].asked), closing(population.epochs()) as epochs:
                yield from _epochs(epochs, left)
                yield from _failed(left)
            yield from _finished(population, left)
    except TrainingError as error:
        for one in list(left):
            yield _cut(left, one, error)
    except Exception as error:
        for one in list(left):
            _cut(left, one, error)
        raise
    finally:
        for one in left:
            one.run.release()


def _opened(population: Population, trials: Sequence[Trial], build: float) -> Iterator[_Alone]:
    git, versions = environment.ask_git(), backend.versions()
    for trial, member in zip(trials, population.members, strict=True):
        run, _ = opening.run(trial.asked, population.engine.network, git, versions)
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


def _finished(population: Population, left: list[_Alone]) -> Iterator[tuple[int, End, float]]:
    """Completes the runs of those that have come to their end."""
    if not left:
        return
    first = left[0].trial.asked
    begun = time.perf_counter()
    with ending.told(first):
        scores = populations.scores(population)
    share = (time.perf_counter() - begun) / len(left)
    network = population.engine.network
    exportable = exported.exportable(network, first.config, first.splits.preparation)
    for one in list(left):
        asked, run, clock = one.trial.asked, one.run, one.clock
        kept = ending.checkpoint_of(asked, one, run, clock)
        one.over = True
        with clock("saving"):
            checkpoint.write(run.folder / runs.CHECKPOINT, kept)
            population.enter(one.member)
            numbers.write(network, one.trial.form.numbers, _offset(population.engine, asked))
            ending.save(asked, network, run, exportable)
        with clock("evaluation"), ending.told(asked):
            loss = asked.config.training.loss
            for line in predictions.keep(run.folder, one.engine, asked.splits, loss, {}):
                one.trial.progress.say(line)
        clock.seconds["evaluation"] = round(clock.seconds["evaluation"] + share, 3)
        clock.started -= share
        ending.finish(asked, one, run, clock, {"metrics": scores[one.member.number]})
        run.release()
        left.remove(one)
        yield one.member.number, run, clock.total()


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
