"""Scores of two classes in, thresholds and curves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores import cells
from tftrain.scores.form import Curve, Metric, Point
from tftrain.scores.measures import taken
from tftrain.scores.resample import Resampled

_POINTS = 200
_METRICS = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Wish:
    """A threshold that is asked for.

    Args:
        threshold: a fixed one.
        recall: the largest threshold is taken that finds this share of the second class.
    """

    threshold: float | None = None
    recall: float | None = None


def chosen(validation: Predictions, recall: float | None = None) -> float:
    """The threshold with the largest F1, or the largest that reaches a recall.

    Args:
        validation: rows to choose it on, of both classes.
        recall: the share of the second class that must lie above it.
    """
    from sklearn.metrics import precision_recall_curve

    precision, found, borders = precision_recall_curve(validation.labels, validation.outputs)
    if recall is not None:
        place = int(np.flatnonzero(found[:-1] >= recall).max())
    else:
        both = precision[:-1] + found[:-1]
        f1 = np.divide(
            2 * precision[:-1] * found[:-1], both, out=np.zeros_like(both), where=both > 0
        )
        place = int(f1.argmax())
    return _below(float(borders[place]), validation.outputs)


def _below(score: float, scores: NDArray[np.float32]) -> float:
    """Halfway to the next smaller score, so that rows of this one lie above."""
    smaller = scores[scores < score]
    return (
        (score + float(smaller.max())) / 2 if len(smaller) else float(np.nextafter(score, -np.inf))
    )


def points(rows: Predictions, validation: Predictions | None, wish: Wish) -> tuple[Point, ...]:
    """What thresholds come to: the usual one, the best of validation, what is asked for.

    Args:
        rows: that are scored.
        validation: what thresholds are chosen on; None where there is none, or of one class.
        wish: what is asked for.
    """
    named: list[tuple[str, float, str | None]] = [("default", 0.0 if rows.margins else 0.5, None)]
    if validation is not None:
        named.append(("best F1", chosen(validation), "validation"))
        if wish.recall is not None:
            border = chosen(validation, wish.recall)
            named.append((f"recall {wish.recall:g}", border, "validation"))
    if wish.threshold is not None:
        named.append((f"threshold {wish.threshold:g}", wish.threshold, None))
    positive = {name: taken(rows, threshold) for name, threshold, _ in named}
    measured = {name: cells.measured(rows.labels, one, 2) for name, one in positive.items()}
    resampled = Resampled(measured, len(rows))
    return tuple(
        Point(name, threshold, on, _metrics(resampled, name), _counts(rows, positive[name]))
        for name, threshold, on in named
    )


def _metrics(resampled: Resampled, name: str) -> tuple[Metric, ...]:
    values = resampled.measured[name].values
    return tuple(
        Metric(figure, values[figure], resampled.interval(name, figure), {}) for figure in _METRICS
    )


def _counts(rows: Predictions, positive: NDArray[np.int64]) -> tuple[int, int, int, int]:
    right, false, missed, found = cells.matrix(rows.labels, positive, 2).ravel().tolist()
    return right, false, missed, found


def curves(rows: Predictions) -> tuple[Curve, Curve]:
    """The ROC curve and precision against recall."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    false, true, borders = roc_curve(rows.labels, rows.outputs)
    precision, found, others = precision_recall_curve(rows.labels, rows.outputs)
    return _curve(false, true, borders), _curve(found, precision, np.r_[others, np.inf])


def _curve(x: NDArray[np.float64], y: NDArray[np.float64], borders: NDArray[np.float64]) -> Curve:
    places = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(np.int64))
    x, y, borders = (one[places].astype(np.float64) for one in (x, y, borders))
    return Curve(tuple(x.tolist()), tuple(y.tolist()), tuple(borders.tolist()))
