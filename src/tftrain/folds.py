"""Folds of the rows in, how networks do on rows they haven't seen out; and one of all rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from tftrain import evaluate, model, predictions, restarts, training
from tftrain.backend import start
from tftrain.data import Form
from tftrain.errors import counted
from tftrain.predictions import Predictions
from tftrain.prepare import Asked
from tftrain.restarts import Kept, Say
from tftrain.runs import Run
from tftrain.training import Engine, Job, Logs
from tftrain.training import callbacks as keras_callbacks
from tftrain.training import population as populations
from tftrain.training.members import Lesson, Member, Values
from tftrain.training.population import Population

_RATE_OF_EPOCHS = "LearningRateScheduler"  # what does without rows to watch


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
            fitting = evaluate.engine_of(network, asked.config, len(fold.train))
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


def finish(
    asked: Asked,
    job: Population,
    then: Again,
    run: Run,
    *,
    say: Say,
    train: Callable[[Job], None],
) -> Kept:
    """Scores every fold on its test rows, and trains one network on all rows.

    Args:
        asked: from `prepare`.
        job: of the folds, trained.
        then: the training on all rows.
        run: gets every fold's history.
        say: gets a line that the user should see.
        train: carries a training out.
    """
    scores = populations.scores(job)
    told = restarts.recorded(asked, job, scores, run)
    for member in job.members:
        if member.failed:
            say(f"fold {member.number + 1} counts for nothing: {member.failed}")
    made = {"test": tested} if (tested := _tested(asked, job)) else {}
    epochs = max(1, round(statistics.median(map(_best_epoch, _sound(job)))))
    lesson = then.lesson
    rows = len(lesson.splits.train)
    say(f"one network learns from all {rows:,} rows, for {counted(epochs, 'epoch')}")
    lesson.engine.put(then.first)
    run.history = []
    refit = _job(asked, lesson, epochs, run, say)
    train(refit)
    told["refit"] = {"epochs": epochs}
    means = {name: _means(told[name]) for name in scores[0]}
    return Kept(lesson.engine, refit, {"population": told}, means, made)


def _is_same(one: Form, other: Form) -> bool:
    """Whether a network for rows of one form does for the other's; scaled targets are its own."""
    return one.inputs == other.inputs and one.target is None and other.target is None


def _sound(job: Population) -> list[Member]:
    return [member for member in job.members if not member.failed]


def _best_epoch(member: Member) -> int:
    """The epoch whose weights were kept."""
    found = training.restored(member.callbacks)
    return found[1] if found else len(member.history)


def _means(figures: dict[str, dict[str, float]]) -> Logs:
    return {name: one["mean"] for name, one in figures.items()}


def _tested(asked: Asked, job: Population) -> Predictions | None:
    """What each row's own fold predicts of it; None where predictions aren't kept."""
    found: list[Predictions | None] = []
    for member in job.members:
        lesson = member.lesson
        job.enter(member)
        part = lesson.splits.parts()["test"]
        loss = asked.config.training.loss
        found.append(predictions.predict(lesson.engine, part, lesson.splits.form, loss))
    every = [one for one in found if one is not None]
    return predictions.joined(every) if len(every) == len(found) else None


def _job(asked: Asked, lesson: Lesson, epochs: int, run: Run, say: Say) -> Job:
    """The training on all rows: no row is left to watch, so its length is given."""
    settings = asked.config
    watched = lesson.splits.validation is not None
    kept = tuple(
        one
        for one in settings.training.callbacks
        if one.name == _RATE_OF_EPOCHS or (watched and one.name != "EarlyStopping")
    )
    changed = settings.training.model_copy(update={"epochs": epochs, "callbacks": kept})
    settings = settings.model_copy(update={"training": changed})
    return Job(
        engine=lesson.engine,
        training=changed,
        train=lesson.splits.weighted,
        validation=lesson.splits.validation,
        seed=lesson.seed,
        callbacks=keras_callbacks.build(settings, asked.source, run.folder),
        say=say,
    )
