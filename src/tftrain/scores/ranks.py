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
        ends: the last place of each score, int64 (different scores,).
        positive: whether the rows, in that order, are of the second class, float64 (rows,).
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]
    positive: Floats

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """Positive and negative rows up to each score, (resamples, 1 + different scores)."""
        ordered = weights[:, self.order]
        every = np.cumsum(ordered, axis=1)
        ordered *= self.positive
        positive = np.cumsum(ordered, axis=1, out=ordered)
        if len(self.ends) < len(self.order):
            every, positive = every[:, self.ends], positive[:, self.ends]
        every -= positive
        return _from_none(positive), _from_none(every)


def ranked(labels: NDArray[np.int32], scores: NDArray[np.float32]) -> Ranked:
    """Rows in the order of their scores.

    Args:
        labels: 0 or 1, (rows,).
        scores: (rows,).
    """
    order = np.argsort(scores, kind="stable")
    values = scores[order]
    ends = np.flatnonzero(np.r_[values[1:] != values[:-1], True])
    return Ranked(order, ends, labels[order].astype(np.float64))


def roc_auc(positive: Floats, negative: Floats) -> Floats:
    """The area under the ROC curve, (resamples,), of counts from `Ranked.counts`."""
    middle = (negative[:, 1:] + negative[:, :-1]) / 2  # a tie is half a win
    won: Floats = (np.diff(positive, axis=1) * middle).sum(axis=1)
    won /= positive[:, -1] * negative[:, -1]
    return won


def average_precision(positive: Floats, negative: Floats) -> Floats:
    """The mean precision over the recalls, (resamples,), of counts from `Ranked.counts`."""
    above = positive[:, -1:] - positive[:, :-1]
    taken = above + negative[:, -1:] - negative[:, :-1]
    precision = np.divide(above, taken, out=np.zeros_like(above), where=taken > 0)
    found: Floats = (np.diff(positive, axis=1) * precision).sum(axis=1)
    found /= positive[:, -1]
    return found


def _from_none(counts: Floats) -> Floats:
    return np.concatenate([np.zeros((len(counts), 1)), counts], axis=1)
