"""Probabilities in, what they are worth out: entropy in nats, and calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores.form import Bin, Calibration, Entropy
from tftrain.scores.measures import losses, probabilities, taken
from tftrain.scores.resample import wilson

_BINS = 10
_SIMULATED = 200
_NUMBERS = 2_000_000  # random ones at a time
_ROUNDING = 1e-12
Floats = NDArray[np.float64]


def entropy(rows: Predictions) -> Entropy:
    """Of labels and of a network's probabilities for them."""
    chances = probabilities(rows)
    counts = np.bincount(rows.labels, minlength=chances.shape[1])
    shares = counts / counts.sum()
    there = shares > 0
    mean = chances.mean(axis=0)
    labels = max(0.0, float(-(shares[there] * np.log(shares[there])).sum()))
    without = float(-(shares[there] * np.log(mean[there] / mean.sum())).sum())
    model = float(losses(rows).mean())
    return Entropy(
        labels=labels,
        without_inputs=without,
        gap=without - labels,
        model=model,
        explained=(labels - model) / labels if labels else None,
        sound=without >= labels - _ROUNDING,
    )


def calibration(rows: Predictions) -> Calibration:
    """Of two classes, of the second's probability; of several, of that of the class taken."""
    chances = rows.outputs.astype(np.float64)
    right = rows.labels.astype(np.float64)
    if rows.kind == "multiclass":
        chances = chances.max(axis=1)
        right = (taken(rows) == rows.labels).astype(np.float64)
    places = np.minimum((chances * _BINS).astype(np.int64), _BINS - 1)
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(places[order]) > 0])
    chances, right, places = chances[order], right[order], places[order]
    ends = [*starts[1:].tolist(), len(places)]
    bins = tuple(
        _bin(int(places[start]), chances[start:end], right[start:end])
        for start, end in zip(starts.tolist(), ends, strict=True)
    )
    error = float(_errors(right[None, :], chances, starts)[0])
    return Calibration(error, _chance(chances, starts), bins)


def _bin(place: int, chances: Floats, right: Floats) -> Bin:
    hits = int(right.sum())
    return Bin(
        low=place / _BINS,
        high=(place + 1) / _BINS,
        rows=len(right),
        predicted=float(chances.mean()),
        observed=hits / len(right),
        interval=wilson(hits, len(right)),
    )


def _errors(right: Floats, chances: Floats, starts: NDArray[np.int64]) -> Floats:
    """The expected calibration error of each row of outcomes (n, rows)."""
    sums = np.abs(np.add.reduceat(right - chances, starts, axis=1))
    errors: Floats = sums.sum(axis=1) / len(chances)
    return errors


def _chance(chances: Floats, starts: NDArray[np.int64]) -> float:
    """What outcomes drawn from the probabilities themselves stay below, 19 times of 20."""
    random = np.random.default_rng([len(chances)])
    step = max(1, _NUMBERS // len(chances))
    errors = [
        _errors(
            (random.random((count, len(chances))) < chances).astype(np.float64), chances, starts
        )
        for start in range(0, _SIMULATED, step)
        if (count := min(step, _SIMULATED - start))
    ]
    return float(np.quantile(np.concatenate(errors), 0.95))
