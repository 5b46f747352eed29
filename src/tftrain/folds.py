"""Folds of the rows in, how networks do on rows they haven't seen out; and one of all rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tftrain import evaluate, model, predictions, restarts, training
from tftrain.backend import keras, start
from tftrain.checkpoint import State
from tftrain.config import Training
from tftrain.data import Form, Splits
from tftrain.errors import counted
from tftrain.predictions import Predictions
from tftrain.prepare import Asked
from tftrain.restarts import Kept, Say
from tftrain.runs import Run
from tftrain.training import Engine, Epoch, Job
from tftrain.training import callbacks as keras_callbacks
from tftrain.training import population as populations
from tftrain.training.members import Lesson, Member, Values
from tftrain.training.population import Population

_SCHEDULED, _PLATEAU = "LearningRateScheduler", "ReduceLROnPlateau"
_ALL = "all/"  # before the names of variables of the network for all rows


def lessons(asked: Asked, engine: Engine) -> list[Lesson]:
    """What the network of each fold learns; from one seed, as one training in several worlds.

    Args:
        asked: from `prepare`.
        engine: of the network for all rows; it serves the folds whose rows have the same form.
    """
    known = [(asked.splits.form, engine)]
    found = []
    for fold in asked.folds:
        fitting = next((one for form, one in known if _is_same(form, fold.form)), None)
        if fitting is None:
            start(asked.config.training_seed)  # its variables get the same names
            network = model.build(asked.config, asked.source, fold.form)
            fitting = evaluate.engine_of(network, asked.config, len(asked.splits.train))
            training.trace(fitting, fold.weighted, asked.config.seed)
            known.append((fold.form, fitting))
        found.append(Lesson(asked.config.training_seed, fold, fitting))
    return found


@dataclass(frozen=True)
class Again:
    """A training on all rows, after those of the folds.

    Args:
        lesson: the rows, and the engine of the network for them.
        first: what the variables of that network begin with.
    """

    lesson: Lesson
    first: Values


def again(asked: Asked, engine: Engine) -> Again:
    """The training on all rows, while the network for them has not made its first step."""
    return Again(Lesson(asked.config.training_seed, asked.splits, engine), engine.values())


@dataclass
class CrossValidation:
    """The trainings of the folds and the one that follows, as one that can be cut short.

    Args:
        folds: the first.
        again: the rows of the second.
        begin: where the second goes on, None for its beginning.
        refit: the second, once the first is over.
    """

    folds: Population
    again: Again
    begin: State | None = None
    refit: Job | None = field(default=None, init=False)

    @property
    def training(self) -> Training:
        """For how many epochs."""
        return self._part.training

    @property
    def engine(self) -> Engine:
        """Of the network for all rows, or before that of the fold that leads."""
        return self._part.engine

    @property
    def splits(self) -> Splits:
        """The rows of that network."""
        return self.folds.splits if self.refit is None else self.again.lesson.splits

    @property
    def callbacks(self) -> list[Any]:
        """Of that network."""
        return self._part.callbacks

    @property
    def over(self) -> bool:
        """Whether the network for all rows is trained."""
        return self.refit is not None and self.refit.over

    @property
    def state(self) -> State:
        """Of the folds; and beside it, once it is under way, of the training on all rows."""
        held = self.folds.state
        if self.refit is None:
            return held
        mine = self.refit.state
        variables = {_ALL + name: value for name, value in mine.variables.items()}
        kept = {"epochs_of_folds": held.epoch, "callbacks": list(mine.callbacks)}
        both = {**held.variables, **variables}
        return State(mine.epoch, held.ended, both, [*held.callbacks, kept])

    def epochs(self) -> Generator[Epoch]:
        """Trains the folds, epoch by epoch."""
        return self.folds.epochs()

    def rewind(self) -> None:
        """Gives the network the weights of the last sound epoch."""
        self._part.rewind()

    @property
    def _part(self) -> Job | Population:
        return self.folds if self.refit is None else self.refit


def parted(found: State, folds: int) -> tuple[State, State | None]:
    """The state of the folds, and that of the training on all rows if it is under way.

    Raises:
        KeyError, TypeError, ValueError: when it is none of these.
    """
    if len(found.callbacks) != folds + 1:
        return found, None
    *held, mine = found.callbacks
    of_all = {
        name.removeprefix(_ALL): value
        for name, value in found.variables.items()
        if name.startswith(_ALL)
    }
    others = {name: value for name, value in found.variables.items() if not name.startswith(_ALL)}
    refit = State(found.epoch, False, of_all, mine["callbacks"])
    return State(int(mine["epochs_of_folds"]), found.ended, others, held), refit


def misfit(asked: Asked, learnt: Sequence[Lesson], then: Again, found: State) -> str | None:
    """What of a state is not of this cross-validation, or None."""
    own = keras_callbacks.build(asked.config, asked.source, asked.runs_dir)
    try:
        held, refit = parted(found, len(learnt))
    except (KeyError, TypeError, ValueError):
        return "not the state of a population"
    fault = populations.misfit(learnt, own, held)
    if fault or refit is None:
        return fault
    return training.misfit(then.lesson.engine, _callbacks(asked, asked.runs_dir, ()), refit)


def finish(
    asked: Asked, job: CrossValidation, run: Run, *, say: Say, train: Callable[[Job], None]
) -> Kept:
    """Scores every fold on its test rows, and trains one network on all rows.

    Args:
        asked: from `prepare`.
        job: whose folds are trained.
        run: gets every fold's history.
        say: gets a line that the user should see.
        train: carries a training out.
    """
    scores = populations.scores(job.folds)
    told = restarts.recorded(asked, job.folds, scores, run)
    for member in job.folds.members:
        if member.failed:
            say(f"fold {member.number + 1} counts for nothing: {member.failed}")
    made = {"test": tested} if (tested := _tested(asked, job.folds)) else {}
    job.refit = _refit(asked, job, run, say)
    told["refit"] = {"epochs": job.refit.training.epochs}
    run.update(population=told)
    train(job.refit)
    means = {name: {of: one["mean"] for of, one in told[name].items()} for name in scores[0]}
    return Kept(job.refit.engine, job.refit, {"population": told}, means, made)


def _is_same(one: Form, other: Form) -> bool:
    """Whether a network for rows of one form does for the other's; scaled targets are its own."""
    return one.inputs == other.inputs and one.target is None and other.target is None


def _sound(job: Population) -> list[Member]:
    return [member for member in job.members if not member.failed]


def _best_epoch(member: Member) -> int:
    """The epoch whose weights were kept."""
    found = training.restored(member.callbacks)
    return found[1] if found else len(member.history)


def _median(job: Population) -> Member:
    """The fold whose best epoch is the median; of two in the middle the earlier."""
    by_epoch = sorted(_sound(job), key=lambda one: (_best_epoch(one), one.number))
    return by_epoch[(len(by_epoch) - 1) // 2]


def _tested(asked: Asked, job: Population) -> Predictions | None:
    """What each row's own fold predicts of it; None where predictions aren't kept."""
    found: list[Predictions | None] = []
    for member in _sound(job):
        lesson = member.lesson
        job.enter(member)
        part = lesson.splits.parts()["test"]
        loss = asked.config.training.loss
        found.append(predictions.predict(lesson.engine, part, lesson.splits.form, loss))
    every = [one for one in found if one is not None]
    return predictions.joined(every) if len(every) == len(found) else None


def _callbacks(asked: Asked, folder: Path, rates: Sequence[float]) -> list[Any]:
    """Those of the training on all rows: no row is left to watch, so a fold's rates are repeated.

    Args:
        asked: from `prepare`.
        folder: where callbacks' files go.
        rates: of each epoch of the fold.
    """
    asked_for = asked.config.training.callbacks
    kept = tuple(one for one in asked_for if one.name == _SCHEDULED)
    reduced = asked.config.training.model_copy(update={"callbacks": kept})
    settings = asked.config.model_copy(update={"training": reduced})
    built = keras_callbacks.build(settings, asked.source, folder)
    if any(one.name == _PLATEAU for one in asked_for):
        built.append(keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch]))
    return built


def _refit(asked: Asked, job: CrossValidation, run: Run, say: Say) -> Job:
    """The training on all rows, at its beginning or where it was cut short."""
    like = _median(job.folds)
    epochs = _best_epoch(like)
    lesson, begin = job.again.lesson, job.begin
    rows = len(lesson.splits.train)
    say(f"one network learns from all {rows:,} rows, for {counted(epochs, 'epoch')}")
    if begin is None:
        run.history = []
        lesson.engine.put(job.again.first)
    return Job(
        engine=lesson.engine,
        training=asked.config.training.model_copy(update={"epochs": epochs}),
        train=lesson.splits.weighted,
        validation=lesson.splits.validation,
        seed=lesson.seed,
        callbacks=_callbacks(asked, run.folder, [row["learning_rate"] for row in like.history]),
        say=say,
        begin=begin,
        logs=run.last_logs(),
    )
