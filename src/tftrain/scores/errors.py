"""Predicted numbers in, their figures by scikit-learn out, and the same of resampled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores.resample import Measured, Pivot, mean

Floats = NDArray[np.float64]
MEAN_ERROR = "mean_error"  # that is shown among the residuals
_RELATIVE = "mean_absolute_percentage_error"


@dataclass(frozen=True)
class _Rows:
    """Targets less their mean, and errors, (rows, k); errors as shares of targets, (rows,)."""

    targets: Floats
    errors: Floats
    shares: Floats | None

    def weighted(self, weights: Floats) -> Mapping[str, Floats]:
        squares = mean(weights, self.errors**2)
        spread = mean(weights, self.targets**2) - mean(weights, self.targets) ** 2
        found = {
            "mean_absolute_error": mean(weights, np.abs(self.errors)).mean(axis=1),
            "root_mean_squared_error": np.sqrt(squares).mean(axis=1),
            "r2": (1 - squares / spread).mean(axis=1),
            MEAN_ERROR: mean(weights, self.errors).mean(axis=1),
        }
        if self.shares is not None:
            found[_RELATIVE] = mean(weights, self.shares)
        return found

    def pivots(self, weights: Floats) -> Mapping[str, Pivot]:
        """Logarithms, as errors can't be below 0, with their standard errors by influence."""
        figures = self.weighted(weights)
        sizes = np.abs(self.errors).mean(axis=1)
        made = {
            "mean_absolute_error": _logarithm(weights, figures["mean_absolute_error"], sizes),
            "root_mean_squared_error": _logarithm(
                weights, figures["root_mean_squared_error"], self._of_rmse(weights)
            ),
            "r2": _logarithm(weights, 1 - figures["r2"], self._of_r2(weights)),
            MEAN_ERROR: (figures[MEAN_ERROR], _spread(weights, self.errors.mean(axis=1))),
        }
        if self.shares is not None:
            made[_RELATIVE] = _logarithm(weights, figures[_RELATIVE], self.shares)
        return made

    def _of_rmse(self, weights: Floats) -> Floats:
        """What each row moves it by, (resamples, rows), but for a constant."""
        slopes = 1 / (2 * np.sqrt(mean(weights, self.errors**2)))
        return self._mean(slopes @ (self.errors**2).T)

    def _of_r2(self, weights: Floats) -> Floats:
        """Likewise, of 1 - R2, the squared errors over the squares around the mean."""
        middle, squares = mean(weights, self.targets), mean(weights, self.errors**2)
        spread = mean(weights, self.targets**2) - middle**2
        slope = squares / spread**2
        around = slope @ (self.targets**2).T - (2 * slope * middle) @ self.targets.T
        return self._mean((1 / spread) @ (self.errors**2).T - around)

    def _mean(self, summed: Floats) -> Floats:
        return np.divide(summed, self.errors.shape[1])


def measured(rows: Predictions) -> Measured:
    """The figures of predicted numbers.

    Args:
        rows: the predictions, of (rows,) or (rows, k) numbers; figures are means over the k.
    """
    from sklearn import metrics

    truth = rows.labels.astype(np.float64).reshape(len(rows), -1)
    made = rows.outputs.astype(np.float64).reshape(len(rows), -1)
    errors, relative = made - truth, bool((truth != 0).all())
    values = {
        "mean_absolute_error": metrics.mean_absolute_error(truth, made),
        "root_mean_squared_error": metrics.root_mean_squared_error(truth, made),
        MEAN_ERROR: errors.mean(),
    }
    if len(rows) > 1:
        values["r2"] = metrics.r2_score(truth, made)
    if relative:
        values[_RELATIVE] = metrics.mean_absolute_percentage_error(truth, made)
    shares = np.abs(errors / truth).mean(axis=1) if relative else None
    kept = _Rows(truth - truth.mean(axis=0), errors, shares)
    inverse = {name: lambda value: float(np.exp(value)) for name in values}
    inverse |= {"r2": lambda value: 1 - float(np.exp(value)), MEAN_ERROR: float}
    figures = {name: float(one) for name, one in values.items()}
    return Measured(figures, kept.weighted, pivots=kept.pivots, inverse=inverse)


def _logarithm(weights: Floats, figure: Floats, influence: Floats) -> Pivot:
    """Its logarithm and that one's standard error.

    Args:
        weights: counts (resamples, rows).
        figure: (resamples,).
        influence: of each row on the figure, (rows,), or (resamples, rows).
    """
    return np.log(figure), _spread(weights, influence) / figure


def _spread(weights: Floats, influence: Floats) -> Floats:
    """The standard error of a mean of rows, (resamples,)."""
    rows = weights.sum(axis=1)
    weighted = weights * influence
    first, second = weighted.sum(axis=1) / rows, (weighted * influence).sum(axis=1) / rows
    error: Floats = np.sqrt((second - first**2).clip(0) / rows)
    return error
