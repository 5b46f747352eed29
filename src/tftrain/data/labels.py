"""Labels as they came in, what the loss can take out: class numbers, or numbers as they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Config, Data, Family, Source, class_name, family, not_positive
from tftrain.errors import DataError, did_you_mean, listed

FEWEST = 10  # rows of a class that can be learnt and scored
_MOST_CLASSES = 12  # that a message names one by one


@dataclass(frozen=True)
class Encoding:
    """How labels become what the loss takes.

    Args:
        classes: the classes' names by number, or None where labels stay numbers.
        one_hot: whether a class becomes a row of 0 and 1.
    """

    classes: tuple[str, ...] | None
    one_hot: bool = False

    def encode(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Class numbers (rows,) as the loss takes them: int32 (rows,) or float32 (rows, k)."""
        if self.one_hot and self.classes:
            return np.eye(len(self.classes), dtype=np.float32)[numbers]
        return numbers.astype(np.int32)


@dataclass(frozen=True)
class Labels:
    """Labels ready for the loss.

    Args:
        values: (kept rows,) or (kept rows, k); int32 for classes, float32 otherwise.
        groups: the class number of each kept row, or 0 for all, int64.
        rows: the rows whose label is one of the classes asked for, int64.
        encoding: how they were made.
    """

    values: NDArray[Any]
    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    encoding: Encoding


def learn(
    raw: NDArray[Any], names: tuple[str, ...] | None, config: Config, source: Source
) -> Labels:
    """Labels for the job's loss, and how to make such of others.

    Args:
        raw: (rows,) or (rows, k), numbers or texts.
        names: the classes' names by label, where the source has them.
        config: whose loss, classes and one_hot decide.
        source: for the place of a fault.

    Raises:
        DataError: when the loss can't take them.
    """
    loss = family(config.training.loss)
    flat = raw.reshape(-1) if raw.ndim == 2 and raw.shape[1] == 1 else raw  # noqa: PLR2004
    if flat.ndim > 1:
        return _table(flat, config.data, loss, source)
    if not _are_classes(flat, names, config.data, loss):
        if len(flat) > 1 and (flat == flat[0]).all():
            message = f"every label is {flat[0]:g}: there is nothing to learn"
            raise DataError(source.problem(("training", "loss"), "D006", message))
        return _numbers(flat)
    named = config.data.classes is not None or config.data.positive is not None
    if not named and names is None and flat.dtype.kind in "iuf":
        if loss == "binary" and _soft(flat):
            return _numbers(flat)
        _check_numbers(flat, loss, source)
    texts = as_texts(flat, names)
    encoding = Encoding(_classes(texts, flat, names, config.data, source), config.data.one_hot)
    _check_loss(encoding, loss, source)
    return apply(texts, encoding)


def apply(texts: NDArray[np.str_], encoding: Encoding) -> Labels:
    """Labels by name, numbered; rows of other labels are left out."""
    number = {name: place for place, name in enumerate(encoding.classes or ())}
    values, places = np.unique(texts, return_inverse=True)
    found = [number.get(spelt(str(value), number), -1) for value in values]
    numbers = np.array(found, np.int64)[places]
    rows = np.flatnonzero(numbers >= 0)
    return Labels(encoding.encode(numbers[rows]), numbers[rows], rows, encoding)


def as_texts(flat: NDArray[Any], names: tuple[str, ...] | None) -> NDArray[np.str_]:
    """Each label as its class is named: `3` for 3 and 3.0, `true` for True."""
    values, places = np.unique(flat, return_inverse=True)
    if names is not None:
        texts = [names[int(value)] for value in values]
    else:
        texts = [_text(value) for value in values]
    return np.array(texts, dtype=np.str_)[places.reshape(flat.shape)]


def spelt(name: str, names: Collection[str]) -> str:
    """A label as it is among others: true and false may be written in any case."""
    if name in names or name.lower() not in ("true", "false"):
        return name
    return next((other for other in names if other.lower() == name.lower()), name)


def class_weights(labels: Labels, config: Config, source: Source) -> NDArray[np.float32] | None:
    """A weight for each class by number, or None where the config asks for none.

    Raises:
        DataError: when a class is named that the data don't have, or labels aren't classes.
    """
    wanted, classes = config.training.class_weight, labels.encoding.classes
    if wanted is None:
        return None
    path = ("training", "class_weight")
    if classes is None:
        raise DataError(
            source.problem(path, "D006", "the labels are numbers, not classes: leave it out")
        )
    if isinstance(wanted, str):
        counts = np.bincount(labels.groups, minlength=len(classes))
        return balanced(counts).astype(np.float32)
    wanted = {spelt(name, classes): weight for name, weight in wanted.items()}
    unknown = [name for name in wanted if name not in classes]
    if unknown:
        near = did_you_mean(unknown[0], classes) or f"; expected some of {listed(classes)}"
        problem = source.problem((*path, unknown[0]), "C023", f"no class `{unknown[0]}`{near}")
        raise DataError(problem)
    weights = np.array([wanted.get(name, 1.0) for name in classes], np.float32)
    if not weights.any():
        raise DataError(source.problem(path, "D006", "every class weighs 0: nothing is learnt"))
    return weights


def balanced(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights by which each class counts the same, of the rows of each.

    Scikit-learn's: rows / (classes * rows of the class).
    """
    weights: NDArray[np.float64] = counts.sum() / (len(counts) * counts.clip(1))
    return weights


def _text(value: Any) -> str:
    if isinstance(value, np.bytes_):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, np.floating):
        value = float(str(value))  # 0.1 stays 0.1, of whatever precision
    return class_name(value.item() if isinstance(value, np.generic) else value)


def _are_classes(
    flat: NDArray[Any], names: tuple[str, ...] | None, data: Data, loss: Family
) -> bool:
    asked = data.classes is not None or data.positive is not None or data.one_hot
    named = asked or names is not None
    return named or flat.dtype.kind in "USb" or loss != "numbers"


def _soft(flat: NDArray[Any]) -> bool:
    """Whether labels are probabilities rather than 0 and 1."""
    inside = flat.min() >= 0 and flat.max() <= 1
    return bool(inside and (flat != np.round(flat)).any())


def _numbers(flat: NDArray[Any]) -> Labels:
    zeros = np.zeros(len(flat), np.int64)
    return Labels(flat.astype(np.float32), zeros, np.arange(len(flat)), Encoding(None))


def _table(raw: NDArray[Any], data: Data, loss: Family, source: Source) -> Labels:
    """Labels of several columns: one-hot rows are classes, others stay numbers."""
    asked = data.classes is not None or data.positive is not None or data.one_hot
    if raw.dtype.kind in "US" or asked:
        key = "classes" if data.positive is None else "positive"
        message = f"labels have {raw.shape[1]} columns: classes need one"
        raise DataError(source.problem(("data", key), "D006", message))
    if loss == "sparse":
        message = f"labels have {raw.shape[1]} columns: this loss takes class numbers"
        raise DataError(source.problem(("training", "loss"), "D006", message))
    if fault := no_probability(raw, loss):
        raise DataError(source.problem(("training", "loss"), "D006", fault))
    values = raw.astype(np.float32)
    one_hot = bool(((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all())
    groups = values.argmax(axis=1) if one_hot else np.zeros(len(values), np.int64)
    classes = tuple(str(number) for number in range(raw.shape[1])) if one_hot else None
    return Labels(values, groups, np.arange(len(values)), Encoding(classes, one_hot))


def no_probability(values: NDArray[Any], loss: Family) -> str | None:
    """What is wrong with labels that stay numbers, where the loss takes probabilities."""
    if loss not in ("binary", "categorical", "crossentropy"):
        return None
    outside = np.argwhere((values < 0) | (values > 1))
    if not len(outside):
        return None
    row, value = outside[0][0], values[tuple(outside[0])]
    return f"label {value:g} in row {row} (counted from 0): this loss takes numbers from 0 to 1"


def _check_numbers(flat: NDArray[Any], loss: Family, source: Source) -> None:
    """Labels that serve as class numbers: whole, from 0, none left out."""
    values = np.unique(flat)
    broken = values[values != np.round(values)]
    if len(broken):
        row = int(np.flatnonzero(flat == broken[0])[0])
        message = f"label {broken[0]:g} in row {row} (counted from 0): a class is a whole number"
        raise DataError(source.problem(("training", "loss"), "D006", message))
    whole = [int(value) for value in values]
    if len(whole) > _MOST_CLASSES and whole[-1] - whole[0] >= len(whole):
        message = (
            f"{len(whole)} different labels from {whole[0]} to {whole[-1]}: expected 0, 1, ...; "
            "for numbers that are no classes take a loss such as MeanSquaredError"
        )
        raise DataError(source.problem(("training", "loss"), "D006", message))
    if len(whole) == 1:
        message = f"only one class in the data, `{whole[0]}`"
        raise DataError(source.problem(("training", "loss"), "D006", message))
    signs = loss == "hinge" and set(whole) <= {-1, 1}
    if whole != list(range(len(whole))) and not signs:
        shown = ", ".join(str(value) for value in whole)
        message = (
            f"labels {shown}: expected 0, 1, ...; name them in order with `classes: [{shown}]`"
        )
        raise DataError(source.problem(("training", "loss"), "D006", message))


def _classes(
    texts: NDArray[np.str_],
    flat: NDArray[Any],
    names: tuple[str, ...] | None,
    data: Data,
    source: Source,
) -> tuple[str, ...]:
    """The classes' names in the order of their numbers."""
    present = [str(text) for text in np.unique(texts)]
    if data.positive is not None:
        name = spelt(_text(data.positive), present)
        if fault := not_positive(name, present):
            raise DataError(source.problem(("data", "positive"), "D006", fault))
        return (*(other for other in present if other != name), name)
    if data.classes is None:
        if names is not None:
            return tuple(name for name in names if name in present)
        return tuple(_text(value) for value in np.unique(flat))
    wanted = tuple(spelt(_text(label), present) for label in data.classes)
    for place, name in enumerate(wanted):
        if name not in present:
            near = did_you_mean(name, present) or f"; the labels are {listed(present)}"
            message = f"no row has the label `{name}`{near}"
            raise DataError(source.problem(("data", "classes", place), "D006", message))
    return wanted


def _check_loss(encoding: Encoding, loss: Family, source: Source) -> None:
    """As many classes as the loss can tell apart, in the form it wants."""
    classes = len(encoding.classes or ())
    message = None
    if classes < 2:  # noqa: PLR2004 - nothing to tell apart
        message = f"only one class in the data, `{(encoding.classes or ('',))[0]}`"
    elif loss in ("binary", "hinge") and classes != 2 and not encoding.one_hot:  # noqa: PLR2004
        message = (
            f"{classes} classes: this loss tells two apart; take SparseCategoricalCrossentropy, "
            "or two of them by data.classes"
        )
    elif loss == "categorical" and not encoding.one_hot:
        message = "this loss takes rows of 0 and 1: set data.one_hot to true"
    elif loss == "sparse" and encoding.one_hot:
        message = "this loss takes class numbers: set data.one_hot to false"
    if message:
        raise DataError(source.problem(("training", "loss"), "D006", message))
