"""Splits in, what the lint wants to know of the rows out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Config, family, lint
from tftrain.data.splits import Part, Splits
from tftrain.data.table.columns import Number, Text

_LOOKED_AT = 10_000  # rows: enough to see how large inputs are


def facts(config: Config, splits: Splits) -> lint.Facts:
    """What was read, where `lint.facts_of` can only know what the config tells."""
    form, labels = splits.form, splits.train.labels
    classes = len(form.classes) if form.classes else None
    numbers = labels.astype(np.float64)
    return lint.Facts(
        inputs=form.inputs,
        rows=len(splits.train),
        target=_target(config, splits),
        classes=classes,
        labels=form.labels,
        imbalance=_imbalance(labels, classes) if classes else None,
        magnitude=_magnitude(splits),
        lowest=None if classes else float(numbers.min()),
        highest=None if classes else float(numbers.max()),
    )


def _target(config: Config, splits: Splits) -> Literal["classes", "numbers", "soft"]:
    if splits.form.classes:
        return "classes"
    return "numbers" if family(config.training.loss) == "numbers" else "soft"


def _imbalance(labels: NDArray[Any], classes: int) -> float | None:
    numbers = labels.argmax(axis=1) if labels.ndim > 1 else labels
    counts = np.bincount(numbers.astype(np.int64).clip(0), minlength=classes)
    return lint.imbalance([int(count) for count in counts])


def _standardized(splits: Splits) -> bool:
    """Whether every input is of a usual size, outliers or not."""
    if splits.preparation.columns is None:
        return splits.train.scaling.kind == "standardize"
    numbers = (one for one in splits.preparation.columns.columns if isinstance(one, Number))
    return not any(
        one.second == 1 and not one.first and not one.boundaries and not one.boolean
        for one in numbers
    )


def _magnitude(splits: Splits) -> float:
    """How large an input gets: the largest of some of the rows, or the last number of a word."""
    columns = splits.preparation.columns
    for column in columns.columns if columns else ():
        if isinstance(column, Text) and column.vectorizer.mode == "tokens":
            return len(column.vectorizer.vocabulary) + 1  # 0 and 1 are no words
    return 1.0 if _standardized(splits) else _largest(splits.train)


def _largest(part: Part) -> float:
    """Of some of the rows."""
    rows = np.linspace(0, len(part) - 1, min(len(part), _LOOKED_AT)).astype(np.int64)
    return float(np.abs(part.raw(rows)).max())
