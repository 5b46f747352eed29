"""True and predicted classes in, what follows from their confusion matrix out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tftrain.scores.resample import Measured

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
_TWO = 2


@dataclass(frozen=True)
class Counts:
    """Rows by class, of one set of rows or of many resamples.

    Args:
        hits: of the class and taken for it, (..., classes).
        true: of the class.
        taken: taken for the class.
    """

    hits: Floats
    true: Floats
    taken: Floats

    def precision(self) -> Floats:
        """Of those taken for a class, the share that is of it; 0 of none."""
        return _ratio(self.hits, self.taken)

    def recall(self) -> Floats:
        """Of a class, the share that is taken for it; 0 of none."""
        return _ratio(self.hits, self.true)

    def f1(self) -> Floats:
        """2 hits / (true + taken); 0 of none."""
        return _ratio(2 * self.hits, self.true + self.taken)


def matrix(true: NDArray[np.int32], taken: NDArray[np.int64], classes: int) -> Numbers:
    """Rows by true class (down) and predicted class (across), int64 (classes, classes)."""
    codes = true.astype(np.int64) * classes + taken
    counts: Numbers = np.bincount(codes, minlength=classes**2)
    return counts.reshape(classes, classes)


def measured(true: NDArray[np.int32], taken: NDArray[np.int64], classes: int) -> Measured:
    """Accuracy, and precision, recall and F1 of the second of two classes, or over several.

    Args:
        true: class numbers, (rows,).
        taken: likewise.
        classes: how many there are.
    """
    codes = true.astype(np.int64) * classes + taken
    order = np.argsort(codes, kind="stable")
    values = codes[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    cells = values[starts]
    down = np.eye(classes)[cells // classes]
    across = np.eye(classes)[cells % classes]

    def weighted(weights: Floats) -> Mapping[str, Floats]:
        sums = np.add.reduceat(weights[:, order], starts, axis=1)
        counts = Counts(sums @ (down * across), sums @ down, sums @ across)
        return _figures(counts) | {
            f"f1/{number}": column for number, column in enumerate(counts.f1().T)
        }

    return Measured(_values(true, taken, classes), weighted, _shares(true, taken, classes))


def _figures(counts: Counts) -> dict[str, Floats]:
    there, met = counts.true > 0, counts.true + counts.taken > 0
    right = counts.hits.sum(axis=-1) / counts.true.sum(axis=-1)
    recall, precision, f1 = counts.recall(), counts.precision(), counts.f1()
    made = {"accuracy": right, "balanced_accuracy": _mean(recall, there)}
    if counts.true.shape[-1] == _TWO:
        return made | {"precision": precision[..., 1], "recall": recall[..., 1], "f1": f1[..., 1]}
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        made |= {
            f"{name}_macro": _mean(values, met),
            f"{name}_weighted": _mean(values, counts.true),
        }
    return made


def _values(true: NDArray[np.int32], taken: NDArray[np.int64], classes: int) -> dict[str, float]:
    from sklearn import metrics

    kinds = {"": "binary"} if classes == _TWO else {"_macro": "macro", "_weighted": "weighted"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without rows, which count as 0
        found = {
            "accuracy": metrics.accuracy_score(true, taken),
            "balanced_accuracy": metrics.balanced_accuracy_score(true, taken),
        }
        for ending, average in kinds.items():
            three = metrics.precision_recall_fscore_support(
                true, taken, average=average, zero_division=0
            )
            names = (f"{name}{ending}" for name in ("precision", "recall", "f1"))
            found |= dict(zip(names, three[:3], strict=True))
        each = metrics.f1_score(true, taken, labels=range(classes), average=None, zero_division=0)
    found |= {f"f1/{number}": one for number, one in enumerate(each)}
    return {name: float(one) for name, one in found.items()}


def _shares(
    true: NDArray[np.int32], taken: NDArray[np.int64], classes: int
) -> dict[str, tuple[int, int]]:
    hits = true == taken
    made = {"accuracy": (int(hits.sum()), len(true))}
    if classes == _TWO:
        right = int((hits & (true == 1)).sum())
        made |= {"precision": (right, int(taken.sum())), "recall": (right, int(true.sum()))}
    return made


def _mean(values: Floats, weights: NDArray[np.generic]) -> Floats:
    numbers = weights.astype(np.float64)
    mean: Floats = (values * numbers).sum(axis=-1) / numbers.sum(axis=-1)
    return mean


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
