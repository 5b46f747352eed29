"""Predictions in, their figures by scikit-learn out, and the same figures of resampled rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores import cells, errors, ranks
from tftrain.scores.resample import Measured, mean

Floats = NDArray[np.float64]
EPSILON = 1e-7  # probabilities are cut there, as Keras cuts them
_HALF, _TWO = 0.5, 2
_TOP = ((3, 4), (5, 10))  # so many guesses, from so many classes on
_OF_CLASSES = ("accuracy", "balanced_accuracy")
_OF_TWO = (
    *("precision", "recall", "f1", "roc_auc", "average_precision"),
    *("log_loss", "brier_score"),
)
_OF_SEVERAL = (
    *(f"{name}_{mean}" for mean in ("macro", "weighted") for name in ("precision", "recall", "f1")),
    "log_loss",
)
_OF_NUMBERS = (
    *("mean_absolute_error", "root_mean_squared_error", "r2"),
    "mean_absolute_percentage_error",
)
LOWER = ("log_loss", "brier_score", "mean_absolute_error", "root_mean_squared_error")


def figures(classes: int) -> tuple[str, ...]:
    """The names of all figures there can be; 0 classes are numbers."""
    if not classes:
        return _OF_NUMBERS
    if classes == _TWO:
        return _OF_CLASSES + _OF_TWO
    tops = tuple(f"top_{guesses}_accuracy" for guesses, fewest in _TOP if classes >= fewest)
    return _OF_CLASSES + _OF_SEVERAL + tops


def certain(rows: Predictions) -> bool:
    """Whether the outputs are probabilities, by their kind and by what they are."""
    if rows.kind == "regression" or rows.margins:
        return False
    return bool((rows.outputs >= 0).all() and (rows.outputs <= 1).all())


def probabilities(rows: Predictions) -> Floats:
    """Of each class, float64 (rows, classes): cut as Keras cuts them, adding up to 1."""
    chances: Floats = rows.outputs.astype(np.float64)
    if rows.kind == "binary":
        chances = np.stack([1 - chances, chances], axis=1)
    else:
        chances = chances / chances.sum(axis=1, keepdims=True).clip(EPSILON)
    cut: Floats = chances.clip(EPSILON, 1 - EPSILON)
    cut /= cut.sum(axis=1, keepdims=True)
    return cut


def taken(rows: Predictions, threshold: float | None = None) -> NDArray[np.int64]:
    """Class numbers, (rows,): of two classes the second above the threshold."""
    if rows.kind == "multiclass":
        numbers: NDArray[np.int64] = rows.outputs.argmax(axis=1)
        return numbers
    border = threshold if threshold is not None else 0.0 if rows.margins else _HALF
    above: NDArray[np.int64] = (rows.outputs > np.float64(border)).astype(np.int64)
    return above


def losses(rows: Predictions) -> Floats:
    """Of each row: -log of its class's probability, the hinge of a margin, the squared error."""
    if rows.kind == "regression":
        off = (rows.outputs.astype(np.float64) - rows.labels).reshape(len(rows), -1)
        found: Floats = (off**2).mean(axis=1)
    elif certain(rows):
        found = -np.log(probabilities(rows)[np.arange(len(rows)), rows.labels])
    elif rows.kind == "binary":
        found = np.maximum(0, 1 - (2 * rows.labels - 1) * rows.outputs.astype(np.float64))
    else:
        found = (taken(rows) != rows.labels).astype(np.float64)
    return found


def measure(rows: Predictions, classes: int, threshold: float | None = None) -> Measured:
    """All figures of some predictions.

    Args:
        rows: the predictions.
        classes: how many there are; 0 for numbers.
        threshold: of two classes, above which a row is taken for the second.
    """
    if rows.kind == "regression":
        return errors.measured(rows)
    parts = [cells.measured(rows.labels, taken(rows, threshold), classes)]
    if rows.kind == "binary" and 0 < rows.labels.sum() < len(rows):
        parts.append(_ranks(rows))
    if rows.kind == "multiclass":
        parts += [_top(rows, guesses) for guesses, fewest in _TOP if classes >= fewest]
    if certain(rows):
        parts.append(_likelihood(rows))
    return _together(parts)


def _together(parts: list[Measured]) -> Measured:
    def weighted(weights: Floats) -> Mapping[str, Floats]:
        return {name: one for part in parts for name, one in part.weighted(weights).items()}

    values = {name: one for part in parts for name, one in part.values.items()}
    shares = {name: one for part in parts for name, one in part.shares.items()}
    return Measured(values, weighted, shares)


def _ranks(rows: Predictions) -> Measured:
    from sklearn import metrics

    order = ranks.ranked(rows.labels, rows.outputs)

    def weighted(weights: Floats) -> Mapping[str, Floats]:
        counts = order.counts(weights)
        return {
            "roc_auc": ranks.roc_auc(*counts),
            "average_precision": ranks.average_precision(*counts),
        }

    values = {
        "roc_auc": float(metrics.roc_auc_score(rows.labels, rows.outputs)),
        "average_precision": float(metrics.average_precision_score(rows.labels, rows.outputs)),
    }
    return Measured(values, weighted)


def _top(rows: Predictions, guesses: int) -> Measured:
    from sklearn import metrics

    name, classes = f"top_{guesses}_accuracy", rows.outputs.shape[1]
    best = np.argsort(rows.outputs, axis=1, kind="stable")[:, ::-1][:, :guesses]
    hits = (best == rows.labels[:, None]).any(axis=1).astype(np.float64)
    value = metrics.top_k_accuracy_score(
        rows.labels, rows.outputs, k=guesses, labels=range(classes)
    )
    return Measured(
        {name: float(value)},
        lambda weights: {name: mean(weights, hits)},
        {name: (int(hits.sum()), len(rows))},
    )


def _likelihood(rows: Predictions) -> Measured:
    from sklearn import metrics

    chances, logs = probabilities(rows), losses(rows)
    numbers = range(chances.shape[1])
    values = {"log_loss": float(metrics.log_loss(rows.labels, chances, labels=numbers))}
    of_rows = {"log_loss": logs}
    if rows.kind == "binary":
        positive = rows.outputs.astype(np.float64)
        values["brier_score"] = float(
            metrics.brier_score_loss(rows.labels, positive, labels=numbers)
        )
        of_rows["brier_score"] = (positive - rows.labels) ** 2
    return Measured(
        values, lambda weights: {name: mean(weights, one) for name, one in of_rows.items()}
    )
