"""What is said of some predictions: one frozen object, for a terminal, JSON, or a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tftrain.outputs import Kind

Outcome = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class Interval:
    """Where a figure lies with 95 % confidence, were other rows of the same kind drawn.

    Args:
        low: its lower end.
        high: its upper end.
    """

    low: float
    high: float


@dataclass(frozen=True)
class Metric:
    """A figure beside its yardsticks.

    Args:
        name: scikit-learn's, without `_score`.
        value: of the network.
        interval: its 95 % interval; None where the rows say nothing of it.
        baselines: what each baseline scores, by its name, where it has such a figure.
    """

    name: str
    value: float
    interval: Interval | None
    baselines: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """The network against one baseline, on the same rows.

    Args:
        baseline: `majority`, `mean`, `logistic_regression`, `ridge`.
        metric: the one that is compared.
        difference: how much the network is better; negative where it is worse.
        interval: of the difference, from the same resampled rows.
        outcome: `undecided` where the interval holds 0: too few rows to tell them apart.
        words: the same as a sentence.
    """

    baseline: str
    metric: str
    difference: float
    interval: Interval | None
    outcome: Outcome
    words: str


@dataclass(frozen=True)
class Entropy:
    """Lengths of codes for the labels, in nats; `bits` are these divided by log(2).

    Args:
        labels: H(P), P the labels' frequencies: nobody who knows no inputs needs less.
        without_inputs: H(P, Q), Q the mean of the predicted probabilities.
        gap: KL(P || Q) = H(P, Q) - H(P); never below 0, and 0 where the frequencies are right.
        model: the mean of -log q(label | inputs), the network's cross-entropy.
        explained: (H(P) - model) / H(P): the share of the labels' entropy that the inputs, by
            way of the network, explain; below 0 where the network is worse than the frequencies.
        sound: whether H(P, Q) >= H(P), as it must be.
    """

    labels: float
    without_inputs: float
    gap: float
    model: float
    explained: float | None
    sound: bool


@dataclass(frozen=True)
class Curve:
    """Points of a curve, at most 200.

    Args:
        x: false positive rate, or recall.
        y: true positive rate, or precision.
        thresholds: of the points; a row is positive above it.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Bin:
    """Rows whose predicted probability lies between two numbers.

    Args:
        low: the smaller one.
        high: the larger one.
        rows: how many.
        predicted: the mean of their probabilities.
        observed: the share of them that are positive, or right.
        interval: of that share.
    """

    low: float
    high: float
    rows: int
    predicted: float
    observed: float
    interval: Interval | None


@dataclass(frozen=True)
class Calibration:
    """Whether of rows that are given 0.8, eight in ten are positive (of several classes: right).

    Args:
        error: the expected calibration error, over ten bins of equal width.
        chance: what the error of a perfectly calibrated network stays below on so many rows, in
            19 cases of 20.
        bins: those that hold rows.
    """

    error: float
    chance: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Point:
    """What a threshold comes to.

    Args:
        name: `default`, `best F1`, `recall 0.95`, `threshold 0.3`.
        threshold: rows above it are taken for the second class.
        chosen_on: the part it was chosen on; None where it was given.
        metrics: accuracy, precision, recall, f1 on the rows that are scored.
        counts: true negatives, false positives, false negatives, true positives.
    """

    name: str
    threshold: float
    chosen_on: str | None
    metrics: tuple[Metric, ...]
    counts: tuple[int, int, int, int]


@dataclass(frozen=True)
class ClassScore:
    """One class against all others.

    Args:
        name: of the class.
        rows: that are of it.
        predicted: rows that are taken for it.
        metrics: precision, recall, f1.
    """

    name: str
    rows: int
    predicted: int
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Residuals:
    """Prediction minus target, in the target's units, all columns of it together.

    Args:
        mean: of them; above 0 where predictions are too large.
        interval: of the mean.
        deviation: their standard deviation.
        quantiles: by share: 0.05, 0.25, 0.5, 0.75, 0.95.
        targets: of at most 500 rows, evenly spread.
        predictions: of the same.
    """

    mean: float
    interval: Interval | None
    deviation: float
    quantiles: Mapping[str, float]
    targets: tuple[float, ...]
    predictions: tuple[float, ...]


@dataclass(frozen=True)
class Example:
    """One row.

    Args:
        row: its number, as the source counts.
        label: the class's name, or the number (of several: as a list).
        prediction: likewise.
        probability: of the label's class; None for margins and numbers.
        loss: -log of that; of margins the hinge; of numbers the squared error.
    """

    row: int
    label: str | float | tuple[float, ...]
    prediction: str | float | tuple[float, ...]
    probability: float | None
    loss: float


@dataclass(frozen=True)
class Group:
    """Rows that have something in common.

    Args:
        name: the column's value, or its range.
        rows: how many.
        metrics: as for all rows, without baselines; fewer where the group has one class only.
    """

    name: str
    rows: int
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Assessment:
    """All that is said of a network's predictions.

    Args:
        kind: `binary`, `multiclass` or `regression`.
        part: `test`, `validation`, `train`, or `data` for another file.
        rows: how many are scored.
        of: of how many; more than `rows` where only a sample of them was kept.
        classes: the classes' names by number; empty for numbers. The last of two is the positive.
        main: the name of the metric that verdicts compare.
        metrics: figures with intervals and yardsticks.
        verdicts: the network against each baseline.
        entropy: of labels and network; None without probabilities.
        calibration: None without probabilities.
        roc: of two classes; else None.
        precision_recall: likewise.
        points: thresholds, of two classes.
        per_class: of several classes, and of two.
        confusion: rows by true class (down) and predicted class (across); empty for numbers.
        residuals: of numbers; else None.
        worst: the rows of the largest loss, worst first.
        most_certain: the rows of the smallest loss, best first.
        by: the column of `groups`, or None.
        groups: the rows by its values.
        notes: what should be known beside this.
    """

    kind: Kind
    part: str
    rows: int
    of: int
    classes: tuple[str, ...]
    main: str
    metrics: tuple[Metric, ...]
    verdicts: tuple[Verdict, ...]
    entropy: Entropy | None = None
    calibration: Calibration | None = None
    roc: Curve | None = None
    precision_recall: Curve | None = None
    points: tuple[Point, ...] = ()
    per_class: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    residuals: Residuals | None = None
    worst: tuple[Example, ...] = ()
    most_certain: tuple[Example, ...] = ()
    by: str | None = None
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()

    def values(self) -> dict[str, float]:
        """The metrics' values by name."""
        return {one.name: one.value for one in self.metrics}

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
