"""Predictions beside what is true in, what is to be said of them out; no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores import baselines, cells, likelihood, points, rows, verdicts
from tftrain.scores.errors import MEAN_ERROR
from tftrain.scores.form import (
    Assessment,
    Bin,
    Calibration,
    ClassScore,
    Curve,
    Entropy,
    Example,
    Group,
    Interval,
    Metric,
    Point,
    Residuals,
    Verdict,
)
from tftrain.scores.measures import certain, figures, measure, taken
from tftrain.scores.paired import compare_predictions
from tftrain.scores.points import Wish
from tftrain.scores.resample import Resampled, wilson

__all__ = [
    "Assessment",
    "Bin",
    "Calibration",
    "ClassScore",
    "Curve",
    "Entropy",
    "Example",
    "Group",
    "Interval",
    "Metric",
    "Point",
    "Residuals",
    "Verdict",
    "Wish",
    "assess",
    "compare_predictions",
    "figures",
]

_NETWORK = "network"
_PAIRS = 500
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def assess(
    scored: Predictions,
    classes: Sequence[str],
    learnt: NDArray[Any],
    *,
    part: str,
    linear: Predictions | None = None,
    validation: Predictions | None = None,
    wish: Wish | None = None,
    by: tuple[str, NDArray[np.object_]] | None = None,
    notes: Sequence[str] = (),
) -> Assessment:
    """All that is to be said of some predictions.

    Args:
        scored: the predictions, finite all of them.
        classes: the classes' names; empty for numbers.
        learnt: of the training rows: how many of each class, (classes,), or the mean, (k,).
        part: what the rows are called.
        linear: what a linear model makes of the same rows.
        validation: rows to choose thresholds on.
        wish: a threshold that is asked for.
        by: a column and its values, (rows,), to group the rows by.
        notes: what should be known besides.
    """
    name, guess = baselines.guess(scored, learnt)
    others = {name: guess}
    if linear is not None:
        others[baselines.name_of(len(classes))] = linear
    every = {_NETWORK: scored, **others}
    measured = {one: measure(made, len(classes)) for one, made in every.items()}
    resampled = Resampled(measured, len(scored))
    main = verdicts.main(measured[_NETWORK], learnt / learnt.sum() if classes else None)
    most = classes[int(learnt.argmax())] if classes else ""
    worst, best = rows.examples(scored, classes)
    found = Assessment(
        kind=scored.kind,
        part=part,
        rows=len(scored),
        of=scored.of,
        classes=tuple(classes),
        main=main,
        metrics=_metrics(resampled),
        verdicts=tuple(
            verdicts.verdict(resampled, _NETWORK, other, main, called=verdicts.called(other, most))
            for other in others
        ),
        worst=worst,
        most_certain=best,
        by=by[0] if by else None,
        groups=rows.groups(scored, len(classes), by[1]) if by else (),
        notes=tuple(notes),
    )
    if not classes:
        return replace(found, residuals=_residuals(scored, resampled))
    resolved = points.points(scored, validation, wish or Wish()) if scored.kind == "binary" else ()
    return replace(_of_classes(found, scored, resampled), points=resolved)


def _metrics(resampled: Resampled) -> tuple[Metric, ...]:
    others = {name: one for name, one in resampled.measured.items() if name != _NETWORK}
    return tuple(
        Metric(
            figure,
            value,
            resampled.interval(_NETWORK, figure),
            {name: one.values[figure] for name, one in others.items() if figure in one.values},
        )
        for figure, value in resampled.measured[_NETWORK].values.items()
        if "/" not in figure and figure != MEAN_ERROR
    )


def _of_classes(found: Assessment, scored: Predictions, resampled: Resampled) -> Assessment:
    """What is said of classes only."""
    both = scored.kind == "binary" and 0 < scored.labels.sum() < len(scored)
    roc, precision_recall = points.curves(scored) if both else (None, None)
    table = cells.matrix(scored.labels, taken(scored), len(found.classes))
    sound = certain(scored)
    return replace(
        found,
        entropy=likelihood.entropy(scored) if sound else None,
        calibration=likelihood.calibration(scored) if sound else None,
        roc=roc,
        precision_recall=precision_recall,
        per_class=_per_class(found.classes, table, resampled),
        confusion=tuple(tuple(line) for line in table.tolist()),
    )


def _per_class(
    classes: Sequence[str], table: NDArray[np.int64], resampled: Resampled
) -> tuple[ClassScore, ...]:
    made, values = [], resampled.measured[_NETWORK].values
    for number, name in enumerate(classes):
        hits, true, said = (
            int(one) for one in (table[number, number], table[number].sum(), table[:, number].sum())
        )
        f1 = f"f1/{number}"
        metrics = (
            Metric("precision", hits / said if said else 0.0, wilson(hits, said), {}),
            Metric("recall", hits / true if true else 0.0, wilson(hits, true), {}),
            Metric("f1", values[f1], resampled.interval(_NETWORK, f1), {}),
        )
        made.append(ClassScore(name, true, said, metrics))
    return tuple(made)


def _residuals(scored: Predictions, resampled: Resampled) -> Residuals:
    truth = scored.labels.astype(np.float64)
    errors = scored.outputs.astype(np.float64) - truth
    places = np.linspace(0, len(scored) - 1, min(len(scored), _PAIRS)).astype(np.int64)
    return Residuals(
        mean=float(errors.mean()),
        interval=resampled.interval(_NETWORK, MEAN_ERROR),
        deviation=float(errors.std()),
        quantiles={f"{share:g}": float(np.quantile(errors, share)) for share in _SHARES},
        targets=tuple(truth[places].ravel()[:_PAIRS].tolist()),
        predictions=tuple(scored.outputs[places].ravel()[:_PAIRS].astype(float).tolist()),
    )
