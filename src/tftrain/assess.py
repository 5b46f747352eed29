"""A run in, what is to be said of its predictions out; TensorFlow only where none are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import data, predictions, runs
from tftrain.data import Form, Part, Splits
from tftrain.errors import ConfigError, Mark, Problem, RunError, TftrainError
from tftrain.predictions import Predictions
from tftrain.recorded import Recorded
from tftrain.scores import Assessment, Wish, assess, baselines

_TWO = 2


@dataclass(frozen=True)
class Assessed:
    """What a run scores on some rows.

    Args:
        metrics: the loss and the metrics, as Keras computes them.
        assessment: all the rest; None where outputs can't be held against labels.
        notes: for whoever reads along.
        splits: the run's rows, where the assessment read them.
    """

    metrics: dict[str, float]
    assessment: Assessment | None
    notes: tuple[str, ...]
    splits: Splits | None = None


@dataclass(frozen=True)
class _Asked:
    """The rows that are scored: their name and file, what the network makes of them, all rows."""

    name: str
    file: str | None
    metrics: dict[str, float]
    made: Predictions | None
    learnt: NDArray[Any] | None
    validation: Predictions | None
    part: Part | None
    splits: Splits | None = None
    lack: str = ""


def of_run(
    run: Recorded,
    split: str = "test",
    file: str | None = None,
    *,
    wish: Wish | None = None,
    by: str | None = None,
    say: Callable[[str], object] = print,
) -> Assessed:
    """What a run scores on one of its splits, or on another file.

    Args:
        run: the run.
        split: the name of the split.
        file: rows of the same kind as the run's, instead.
        wish: a threshold that is asked for.
        by: a column of the table, to group the rows by.
        say: is told what was noticed in the rows of the file, before they are scored.

    Raises:
        ConfigError: when a threshold is asked for where there are not two classes.
        DataError: when rows can't be read or don't fit, or lack the column.
        RunError: when a file is missing or damaged, or the run has no such split.
    """
    wish = wish or Wish()
    _require_two_classes(run, wish)
    asked = _asked(run, split, file, say)
    if asked.made is None:
        note = (
            "Keras's metrics only: no more is known of outputs of this kind, or of so many classes"
        )
        return Assessed(asked.metrics, None, (note,))
    if lost := _lost(asked.made):
        note = f"{lost:,} of {len(asked.made):,} predictions are no finite numbers: no more is said"
        return Assessed(asked.metrics, None, (note,))
    if wish.recall is not None and asked.validation is None:
        message = "no validation rows of both classes to choose a threshold on: take --threshold"
        raise RunError(Problem(Mark(str(run.folder)), "R001", message))
    splits, lack = _splits(run)
    found = _scored(run, replace(asked, splits=splits, lack=lack), asked.made, wish, by)
    return Assessed(asked.metrics, found, (), splits)


def _scored(
    run: Recorded, asked: _Asked, made: Predictions, wish: Wish, by: str | None
) -> Assessment:
    splits, learnt, linear, notes = asked.splits, asked.learnt, None, list[str]()
    if splits is None:
        notes.append(f"no linear model beside it: {asked.lack}")
    else:
        known = splits.parts()
        learnt = predictions.learnt(run.form, splits.train.labels) if learnt is None else learnt
        if asked.part is None and asked.name not in known:  # each row was asked of its own fold
            linear = _linear_of_folds(run, made)
        else:
            rows = (asked.part or known[asked.name]).thinned(len(made))
            _require_same(run, rows, made)
            linear = _linear(run.form, splits, rows, made)
        if (asked.part or splits.train).weights is not None:
            notes.append("rows count alike here; only the loss has their weights")
    if learnt is None:
        learnt = predictions.learnt(run.form, made.labels, own=True)
        notes.append("the simple guess knows these rows, as those of training can't be read")
    if len(made) < made.of:
        notes.append(f"{len(made):,} of {made.of:,} rows, evenly spread, stand for all")
    return assess(
        made,
        run.form.classes or (),
        learnt,
        part=asked.name,
        linear=linear,
        validation=asked.validation,
        wish=wish,
        by=None if by is None else (by, _column(run, asked, by, made.rows)),
        notes=notes,
    )


def _require_two_classes(run: Recorded, wish: Wish) -> None:
    for option, value in (("--recall", wish.recall), ("--threshold", wish.threshold)):
        if value is not None and len(run.form.classes or ()) != _TWO:
            message = "a threshold is between two classes, which this run hasn't"
            raise ConfigError(Problem(Mark(f"{option} {value:g}"), "C025", message))


def _asked(run: Recorded, split: str, file: str | None, say: Callable[[str], object]) -> _Asked:
    """Predictions that the run kept, or else those of its network, made anew."""
    loss = run.config.training.loss
    saved = predictions.read(run.folder, run.form, loss)
    metrics = run.summary["metrics"]
    learnt, validation = (saved.learnt, saved.parts.get("validation")) if saved else (None, None)
    if file is None and saved is not None and split in saved.parts and split in metrics:
        recorded = {name: _number(value) for name, value in metrics[split].items()}
        return _Asked(split, None, recorded, saved.parts[split], learnt, _sound(validation), None)
    part = run.rows(split, file)
    for note in part.notes:
        say(str(note))
    from tftrain import evaluate

    trained = evaluate.revive(run)
    source = file or str(run.folder)
    scored = evaluate.score(trained, part, source)
    with evaluate.named(source):
        made = predictions.predict(trained.engine, part, run.form, loss)
        if validation is None and file is None and "validation" in run.summary["rows"]:
            rows = run.rows("validation")
            validation = predictions.predict(trained.engine, rows, run.form, loss)
    return _Asked("data" if file else split, file, scored, made, learnt, _sound(validation), part)


def _sound(validation: Predictions | None) -> Predictions | None:
    """Rows that a threshold can be chosen on: finite ones of both classes."""
    if validation is None or _lost(validation) or len(np.unique(validation.labels)) < _TWO:
        return None
    return validation


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _lost(made: Predictions) -> int:
    flat = made.outputs.reshape(len(made), -1)
    return int((~np.isfinite(flat).all(axis=1)).sum())


def _splits(run: Recorded) -> tuple[Splits | None, str]:
    """The run's rows, or why there are none."""
    try:
        return run.splits(), ""
    except TftrainError as error:
        return None, error.problems[0].message


def _require_same(run: Recorded, rows: Part, made: Predictions) -> None:
    if not np.array_equal(rows.row_numbers, made.rows):
        message = "damaged: predictions of other rows; without it, `tftrain eval` predicts anew"
        raise RunError(Problem(Mark(str(run.folder / runs.PREDICTIONS)), "R002", message))


def _linear_of_folds(run: Recorded, made: Predictions) -> Predictions | None:
    """What linear models make of the rows of each fold, learnt from the fold's other rows."""
    every = []
    for fold in data.folds(run.config, run.source):
        tested = fold.parts()["test"]
        rows = tested.chosen(np.flatnonzero(np.isin(tested.row_numbers, made.rows)))
        order = np.argsort(made.rows, kind="stable")
        places = order[np.searchsorted(made.rows, rows.row_numbers, sorter=order)]
        if len(rows):  # none of a fold whose network failed
            every.append(_linear(fold.form, fold, rows, made.taken(places)))
    known = [one for one in every if one is not None]
    return predictions.joined(known) if len(known) == len(every) else None


def _linear(form: Form, splits: Splits, rows: Part, made: Predictions) -> Predictions | None:
    """What a linear model makes of the same rows; None where there is too little to learn from."""
    numbers = int(np.prod(splits.train.shape, dtype=np.int64))
    count = baselines.enough(len(splits.train), numbers)
    train = splits.train.thinned(count)
    classes = len(form.classes or ())
    labels = predictions.truth(form, train.labels) if classes else train.labels
    if not count or len(np.unique(labels)) < _TWO:
        return None
    lesson = baselines.Lesson(_flat(train), labels, classes)
    outputs = baselines.linear(lesson, _flat(rows))
    if not classes:
        own = predictions.truth(form, outputs.reshape(rows.labels.shape))
        return replace(made, outputs=own)
    return replace(made, outputs=outputs[:, 1] if classes == _TWO else outputs, margins=False)


def _flat(part: Part) -> NDArray[np.float32]:
    return part.raw(slice(None)).reshape(len(part), -1)


def _column(
    run: Recorded, asked: _Asked, column: str, wanted: NDArray[np.int64]
) -> NDArray[np.object_]:
    """What a column of the table holds in some rows, as texts."""
    cells = run.cells([column], wanted, asked.name, asked.file)
    if cells is None:
        message = f"`{column}`: this run's rows are of no table, and have no columns"
        raise ConfigError(Problem(Mark(f"--by {column}"), "C025", message))
    return cells[column]
