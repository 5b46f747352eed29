"""Predictions of several networks in, each one's figures and paired tests against the first out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores import verdicts
from tftrain.scores.form import Metric, Verdict
from tftrain.scores.measures import measure, taken
from tftrain.scores.resample import Resampled


def compare_predictions(
    made: Mapping[str, Predictions],
    classes: Mapping[str, Sequence[str]],
    learnt: NDArray[Any],
    alike: Sequence[str],
) -> tuple[dict[str, tuple[Metric | None, ...]], dict[str, tuple[Verdict, float | None]]]:
    """How several networks do.

    Args:
        made: predictions by a name of each network.
        classes: the classes' names, likewise.
        learnt: of the first one's training rows, as `Saved.learnt`.
        alike: the networks that were scored on the same rows, the first among them.

    Returns:
        By a metric's name, that of each network; by the further networks of `alike`, the verdict
        on their difference to the first, and McNemar's p-value.
    """
    first = next(iter(made))
    measured = {name: measure(rows, len(classes[name])) for name, rows in made.items()}
    same = {name: measured[name] for name in alike}
    resampled = {name: Resampled({name: one}, len(made[name])) for name, one in measured.items()}
    paired = Resampled(same, len(made[first]))
    resampled |= dict.fromkeys(alike, paired)
    names = dict.fromkeys(
        figure for one in measured.values() for figure in one.values if "/" not in figure
    )
    metrics = {
        figure: tuple(
            Metric(figure, one.values[figure], resampled[name].interval(name, figure), {})
            if figure in one.values
            else None
            for name, one in measured.items()
        )
        for figure in names
    }
    shares = learnt / learnt.sum() if classes[first] else None
    main = verdicts.main(measured[first], shares)
    tests = {
        name: (
            verdicts.verdict(paired, name, first, main, called=first),
            mcnemar(made[first], made[name]) if classes[first] else None,
        )
        for name in alike
        if name != first
    }
    return metrics, tests


def mcnemar(first: Predictions, second: Predictions) -> float:
    """The exact p-value of two classifiers being right equally often, of the same rows.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions,
    Psychometrika 12, 1947; exact by the binomial distribution of the rows they differ in.
    """
    from scipy.stats import binomtest

    ours, theirs = taken(first) == first.labels, taken(second) == second.labels
    won, lost = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
