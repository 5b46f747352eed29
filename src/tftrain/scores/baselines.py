"""Training rows in, what must be beaten out: guesses without inputs, a linear model with them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions

MAJORITY, MEAN = "majority", "mean"
LOGISTIC, RIDGE = "logistic_regression", "ridge"
_NUMBERS = 4_000_000  # of training inputs that a linear model gets
_FEWEST = 20  # rows that are worth a linear model
_ROUNDS = 200
_STRETCH = 10_000  # rows that are predicted at a time


@dataclass(frozen=True)
class Lesson:
    """What a linear model is to learn.

    Args:
        inputs: prepared, float32 (rows, numbers).
        labels: class numbers, int32 (rows,), or prepared targets, float32 (rows,) or (rows, k).
        classes: how many there are; 0 for numbers.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[Any]
    classes: int


def enough(rows: int, numbers: int) -> int:
    """How many of the training rows a linear model gets; 0 where they are too few.

    Args:
        rows: that there are.
        numbers: inputs of a row.
    """
    count = min(rows, _NUMBERS // max(1, numbers))
    return count if count >= _FEWEST else 0


def guess(rows: Predictions, learnt: NDArray[Any]) -> tuple[str, Predictions]:
    """The training rows' frequencies, or the mean of their targets, for every row.

    Args:
        rows: whose labels are to be guessed.
        learnt: rows of each class, (classes,), or the mean, (k,).
    """
    if rows.kind == "regression":
        mean = np.broadcast_to(learnt, rows.labels.reshape(len(rows), -1).shape)
        made = mean.reshape(rows.labels.shape).astype(np.float32)
        return MEAN, replace(rows, outputs=made)
    shares = (learnt / learnt.sum()).astype(np.float32)
    one = shares[1] if rows.kind == "binary" else shares
    same = np.broadcast_to(one, (len(rows), *np.shape(one)))
    return MAJORITY, replace(rows, outputs=same, margins=False)


def name_of(classes: int) -> str:
    """What the linear model is called."""
    return LOGISTIC if classes else RIDGE


def linear(lesson: Lesson, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a linear model that learnt from the training rows makes of others.

    Columns are standardised first. It is scikit-learn's LogisticRegression, or for numbers Ridge,
    each as it comes: with a little weight on small coefficients.

    Args:
        lesson: what it learns.
        inputs: prepared, float32 (rows, numbers).

    Returns:
        Each class's probability, float32 (rows, classes), or prepared targets (rows,) or (rows, k).
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(max_iter=_ROUNDS) if lesson.classes else Ridge()
    fitted = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not be at its very best
        fitted.fit(lesson.inputs, lesson.labels)
        ask = fitted.predict_proba if lesson.classes else fitted.predict
        pieces = [
            ask(inputs[start : start + _STRETCH]) for start in range(0, len(inputs), _STRETCH)
        ]
    made = np.concatenate(pieces)
    if not lesson.classes:
        return made.astype(np.float32)
    chances = np.zeros((len(inputs), lesson.classes), np.float32)
    chances[:, model.classes_] = made
    return chances
