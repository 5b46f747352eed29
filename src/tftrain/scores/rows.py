"""Predictions in, rows worth a look out, and groups of rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores.form import Example, Group, Metric
from tftrain.scores.measures import certain, losses, measure, probabilities, taken
from tftrain.scores.resample import Resampled

_EXAMPLES = 10
_GROUPS = 12
_QUARTERS = 4
OTHERS = "(others)"
EMPTY = "(nothing)"


def examples(
    rows: Predictions, classes: Sequence[str]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The rows with the largest loss, worst first, and those with the smallest, best first."""
    of_rows = losses(rows)
    order = np.argsort(of_rows, kind="stable")
    worst, best = order[::-1][:_EXAMPLES], order[:_EXAMPLES]
    return _shown(rows, worst, of_rows, classes), _shown(rows, best, of_rows, classes)


def _shown(
    rows: Predictions,
    places: NDArray[np.int64],
    of_rows: NDArray[np.float64],
    classes: Sequence[str],
) -> tuple[Example, ...]:
    some = rows.taken(places)
    if rows.kind == "regression":
        labels = [_number(one) for one in some.labels]
        made = [_number(one) for one in some.outputs]
    else:
        labels = [classes[number] for number in some.labels]
        made = [classes[number] for number in taken(some)]
    chances: list[float | None] = [None] * len(places)
    if certain(rows):
        every = probabilities(some)
        chances = [float(every[place, number]) for place, number in enumerate(some.labels)]
    return tuple(
        Example(int(row), label, said, chance, float(of_rows[place]))
        for row, label, said, chance, place in zip(
            some.rows, labels, made, chances, places, strict=True
        )
    )


def _number(value: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float | tuple[float, ...]:
    return float(value) if value.ndim == 0 else tuple(map(float, value.ravel()))


def groups(rows: Predictions, classes: int, values: NDArray[np.object_]) -> tuple[Group, ...]:
    """The rows by what a column holds: by its most frequent values, or by quarters of numbers.

    Args:
        rows: the predictions.
        classes: how many there are; 0 for numbers.
        values: of the column, as texts or None, (rows,).
    """
    names, places = _named(values)
    there = ((name, places == place) for place, name in enumerate(names))
    return tuple(_group(name, rows.taken(mask), classes) for name, mask in there if mask.any())


def _named(values: NDArray[np.object_]) -> tuple[list[str], NDArray[np.int64]]:
    """The groups' names in the order they are to be shown in, and each row's place in these."""
    texts = np.array([EMPTY if value is None else str(value) for value in values], np.str_)
    known, places, counts = np.unique(texts, return_inverse=True, return_counts=True)
    if len(known) > _GROUPS and (numbers := _numbers(known)) is not None:
        return _quarters(numbers[places])
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.minimum(np.arange(len(order)), _GROUPS)
    return [*known[order][:_GROUPS].tolist(), OTHERS], rank[places]


def _numbers(known: NDArray[np.str_]) -> NDArray[np.float64] | None:
    """The values as numbers, NaN for nothing; None where one is no number."""
    try:
        found = np.array([np.nan if one == EMPTY else float(one) for one in known])
    except ValueError:
        return None
    return found if np.isfinite(found).sum() >= len(found) - 1 else None


def _quarters(numbers: NDArray[np.float64]) -> tuple[list[str], NDArray[np.int64]]:
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _QUARTERS + 1)))
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    places = np.searchsorted(edges[1:-1], numbers, side="right")
    return [*names, EMPTY], np.where(np.isnan(numbers), len(names), places)


def _group(name: str, some: Predictions, classes: int) -> Group:
    one = measure(some, classes)
    resampled = Resampled({name: one}, len(some))
    metrics = [
        Metric(figure, value, resampled.interval(name, figure), {})
        for figure, value in one.values.items()
        if "/" not in figure
    ]
    return Group(name, len(some), tuple(metrics))
