"""Figures of a network and of its baselines in, what they come to in words out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tftrain.scores import baselines
from tftrain.scores.form import Interval, Outcome, Verdict
from tftrain.scores.measures import LOWER
from tftrain.scores.resample import Measured, Resampled

_UNEQUAL = 0.75  # share of one class, above which accuracy says little
_NAMES = {
    baselines.MEAN: "always the mean",
    baselines.LOGISTIC: "a logistic regression",
    baselines.RIDGE: "a linear (ridge) regression",
}


def main(measured: Measured, shares: NDArray[np.float64] | None) -> str:
    """The metric that decides.

    Args:
        measured: the network's figures.
        shares: of the classes in the training rows; None for numbers.
    """
    if shares is None:
        return "root_mean_squared_error"
    if shares.max() < _UNEQUAL:
        return "accuracy"
    return "roc_auc" if "roc_auc" in measured.values else "balanced_accuracy"


def verdict(
    resampled: Resampled, network: str, baseline: str, metric: str, *, called: str
) -> Verdict:
    """The network against a baseline.

    Args:
        resampled: the figures of both, by their names.
        network: its name.
        baseline: likewise.
        metric: that decides.
        called: what the baseline is called in words.
    """
    sign = -1 if metric in LOWER else 1
    values = [resampled.measured[name].values[metric] for name in (network, baseline)]
    difference = sign * (values[0] - values[1])
    interval = resampled.difference(network, baseline, metric)
    if interval and sign < 0:
        interval = Interval(-interval.high, -interval.low)
    result = outcome(difference, interval)
    if result == "undecided":
        reach = f" ({interval.low:+.3g} to {interval.high:+.3g})" if interval else ""
        words = f"too few rows to tell it from {called}: {difference:+.3g}{reach} in {metric}"
        if not difference and not interval:
            words = f"no row tells it from {called} in {metric}"
    else:
        half = f" ± {(interval.high - interval.low) / 2:.2g}" if interval else ""
        verb = "beats" if result == "better" else "is worse than"
        words = f"{verb} {called} by {abs(difference):.3g}{half} in {metric}"
    return Verdict(baseline, metric, difference, interval, result, words)


def called(baseline: str, majority: str) -> str:
    """What a baseline is called in words.

    Args:
        baseline: its name.
        majority: the most frequent class.
    """
    return _NAMES.get(baseline, f"always `{majority}`")


def outcome(difference: float, interval: Interval | None) -> Outcome:
    """Which of two is better, or `undecided` where the interval of the difference holds 0."""
    if interval is None or interval.low <= 0 <= interval.high:
        return "undecided"
    return "better" if difference > 0 else "worse"
