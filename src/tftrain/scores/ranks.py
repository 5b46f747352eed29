"""Scores of two classes in, areas under curves of resampled rows out, all resamples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Rows from the smallest score to the largest, equal ones together.

    Args:
        order: places of the rows, int64 (rows,).
        starts: where the next score begins, int64 (different scores,).
        positive: whether the rows, in that order, are of the second class, float64 (rows,).
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    positive: Floats

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """Positive and negative rows of each score, (resamples, different scores)."""
        ordered = weights[:, self.order]
        positive = ordered * self.positive
        if len(self.starts) == len(self.order):
            return positive, ordered - positive
        summed = np.add.reduceat(positive, self.starts, axis=1)
        return summed, np.add.reduceat(ordered, self.starts, axis=1) - summed


def ranked(labels: NDArray[np.int32], scores: NDArray[np.float32]) -> Ranked:
    """Rows in the order of their scores.

    Args:
        labels: 0 or 1, (rows,).
        scores: (rows,).
    """
    order = np.argsort(scores, kind="stable")
    values = scores[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    return Ranked(order, starts, labels[order].astype(np.float64))


def roc_auc(positive: Floats, negative: Floats) -> Floats:
    """The area under the ROC curve, (resamples,), of counts from `Ranked.counts`."""
    below = np.cumsum(negative, axis=1) - negative / 2
    won: Floats = (positive * below).sum(axis=1)
    won /= positive.sum(axis=1) * negative.sum(axis=1)
    return won


def average_precision(positive: Floats, negative: Floats) -> Floats:
    """The mean precision over the recalls, (resamples,), of counts from `Ranked.counts`."""
    above = np.cumsum(positive[:, ::-1], axis=1)
    taken = above + np.cumsum(negative[:, ::-1], axis=1)
    precision = np.divide(above, taken, out=np.zeros_like(above), where=taken > 0)
    found: Floats = (positive[:, ::-1] * precision).sum(axis=1)
    found /= above[:, -1]
    return found
