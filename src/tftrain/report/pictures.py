"""What there is to say of a run, or of several, in; the pictures of it out, each with its words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tftrain.explain import entropy
from tftrain.report import drawing, history
from tftrain.report.colours import LIGHT
from tftrain.report.drawing import Line
from tftrain.report.facts import Facts
from tftrain.report.history import Columns
from tftrain.scoreboard import short
from tftrain.scores import Assessment, Curve
from tftrain.terminal import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_METRICS = 8
_MOST_NETWORKS = 200
_MOST_CLASSES, _MOST_WRITTEN = 40, 14  # that a matrix is drawn of; with numbers in its cells
_BITS = math.log(2)
_TWO = 2
_BINS = 30


@dataclass(frozen=True)
class Picture:
    """A figure and what it shows.

    Args:
        name: of letters and `-`; also the end of its file's name.
        section: of the page.
        description: what it shows, for whoever doesn't see it.
        figure: the figure.
    """

    name: str
    section: str
    description: str
    figure: Figure

    @property
    def wide(self) -> bool:
        """Whether it needs more room than stands beside others."""
        return bool(self.figure.get_figwidth() > drawing.WIDTH)


def of_run(facts: Facts) -> Iterator[Picture]:
    """The pictures of one run, in the order to be looked at."""
    yield from _curves(facts)
    yield from _networks(facts)
    found = facts.assessment
    if found is None:
        return
    if found.confusion and len(found.classes) <= _MOST_CLASSES:
        yield _confusion(found)
    if found.roc is not None and found.precision_recall is not None:
        yield _roc(found, found.roc)
        yield _precision_recall(found, found.precision_recall)
    if found.calibration is not None:
        yield _calibration(found)
    if found.residuals is not None:
        yield from _residuals(found)
    if found.entropy is not None and found.kind == "binary":
        yield _entropy(found)


def _curves(facts: Facts) -> Iterator[Picture]:
    """Each metric over the epochs, then the learning rate."""
    epochs = facts.history.get("epoch", ())
    for name in history.metrics(facts.history)[:_MOST_METRICS] if epochs else ():
        figure, axes = drawing.panel(short(name), "epoch")
        sides = {"training": name, "validation": history.validation(name)}
        curves = [
            Line(side, epochs, facts.history[column], *drawing.numbered(place))
            for place, (side, column) in enumerate(sides.items())
            if column in facts.history
        ]
        drawing.lines(axes, curves)
        drawing.mark_epoch(axes, facts.best_epoch, epochs)
        drawing.over_epochs(axes)
        ends = ", ".join(f"{one.name} {number(one.y[-1])}" for one in curves)
        best = f"; best epoch {facts.best_epoch}" if facts.best_epoch else ""
        said = f"{short(name)} over {len(epochs)} epochs, at the end {ends}{best}"
        yield Picture(f"curve-{_plain(name)}", "curves", said, figure)
    if epochs and "learning_rate" in facts.history:
        rates = facts.history["learning_rate"]
        figure, axes = drawing.panel("learning rate", "epoch")
        drawing.lines(axes, [Line("", epochs, rates, "green")])
        if min(rates) == max(rates) > 0:
            axes.set_ylim(0, 2 * max(rates))
        drawing.mark_epoch(axes, facts.best_epoch, epochs)
        drawing.over_epochs(axes)
        said = f"learning rate from {number(rates[0])} to {number(rates[-1])}"
        yield Picture("learning-rate", "curves", said, figure)


def _networks(facts: Facts) -> Iterator[Picture]:
    """The loss of every network of a population, the kept one in front."""
    if facts.population is None or not facts.networks:
        return
    name = history.validation("loss")
    name = name if name in facts.networks[0] else "loss"
    figure, axes = drawing.panel(f"{name} of all networks", "epoch")
    kept = facts.population.kept
    curves = [
        Line("", one.get("epoch", ()), one.get(name, ()), "muted", thin=True)
        for place, one in enumerate(facts.networks[:_MOST_NETWORKS])
        if place != kept
    ]
    said = f"{name} over the epochs of each of {len(facts.networks)} networks"
    if kept is not None and 0 <= kept < len(facts.networks):
        best = facts.networks[kept]
        curves.append(Line(f"best: {kept}", best.get("epoch", ()), best.get(name, ())))
        said = f"{said}; the best is {kept}"
    drawing.lines(axes, curves)
    drawing.over_epochs(axes)
    yield Picture("networks", "networks", said, figure)


def _confusion(found: Assessment) -> Picture:
    names = [short(name) for name in found.classes]
    written = len(names) <= _MOST_WRITTEN
    figure = drawing.cells("confusion matrix", found.confusion, names, written=written)
    right = sum(found.confusion[place][place] for place in range(len(names)))
    said = f"confusion matrix: {right:,} of {found.rows:,} rows lie on the diagonal"
    return Picture("confusion", "scores", said, figure)


def _roc(found: Assessment, curve: Curve) -> Picture:
    figure, axes = drawing.panel("ROC", "false positive rate", "true positive rate")
    drawing.diagonal(axes, 0, 1)
    drawing.lines(axes, [Line("", curve.x, curve.y)])
    for place, one in enumerate(found.points):
        right, false, missed, hits = one.counts
        x, y = false / ((right + false) or 1), hits / ((hits + missed) or 1)
        axes.plot(x, y, "os^D"[place % 4], color=LIGHT["red"], markersize=5, label=one.name)
    drawing.legend(axes, "lower right")
    area = number(found.values().get("roc_auc"))
    return Picture("roc", "scores", f"ROC curve; the area under it is {area}", figure)


def _precision_recall(found: Assessment, curve: Curve) -> Picture:
    figure, axes = drawing.panel("precision and recall", "recall", "precision")
    drawing.lines(axes, [Line("", curve.x, curve.y)])
    share = found.per_class[1].rows / found.rows
    axes.axhline(share, color=LIGHT["muted"], linestyle=":", linewidth=1)
    axes.set_ylim(-0.03, 1.05)
    mean = number(found.values().get("average_precision"))
    said = f"precision over recall; average precision {mean}, a guess reaches {number(share)}"
    return Picture("precision-recall", "scores", said, figure)


def _calibration(found: Assessment) -> Picture:
    bins = found.calibration.bins if found.calibration else ()
    several = "share that is right" if len(found.classes) > _TWO else "share that came true"
    figure, axes = drawing.panel("calibration", "predicted probability", several)
    drawing.diagonal(axes, 0, 1)
    for one in bins:
        low, high = (
            (one.interval.low, one.interval.high) if one.interval else (one.observed, one.observed)
        )
        axes.plot([one.predicted] * 2, [low, high], "-", color=LIGHT["muted"], linewidth=1)
    places, shares = [one.predicted for one in bins], [one.observed for one in bins]
    drawing.lines(axes, [Line("", places, shares)])
    axes.plot(places, shares, ".", color=LIGHT["blue"], markersize=6)
    axes.set_ylim(-0.05, 1.05)
    error = number(found.calibration.error) if found.calibration else "-"
    said = f"calibration of {len(bins)} bins of probabilities; the mean error is {error}"
    return Picture("calibration", "scores", said, figure)


def _residuals(found: Assessment) -> Iterator[Picture]:
    one = found.residuals
    if one is None:
        return
    figure, axes = drawing.panel("prediction and target", "target", "prediction")
    axes.plot(one.targets, one.predictions, ".", color=LIGHT["blue"], alpha=0.6, markersize=4)
    both = [*one.targets, *one.predictions]
    drawing.diagonal(axes, min(both), max(both))
    axes.grid(visible=True)
    said = f"predictions over targets of {len(one.targets)} rows; on the line both are equal"
    yield Picture("predictions", "scores", said, figure)
    off = [made - true for made, true in zip(one.predictions, one.targets, strict=True)]
    figure, axes = drawing.panel("residuals", "prediction - target", "rows")
    bins = min(_BINS, max(5, round(math.sqrt(len(off)))))
    axes.hist(off, bins=bins, color=LIGHT["blue"], alpha=0.6)
    axes.axvline(0, color=LIGHT["muted"], linestyle="--", linewidth=1)
    said = f"how many rows are off by how much; mean {number(one.mean)}"
    yield Picture("residuals", "scores", said, figure)


def _entropy(found: Assessment) -> Picture:
    """A coin's entropy, with that of the labels, and what the network needs, upon it."""
    one = found.entropy
    labels, model = (one.labels / _BITS, one.model / _BITS) if one else (0.0, 0.0)
    positive = found.per_class[1]
    share = positive.rows / found.rows
    figure, axes = drawing.panel("binary entropy", "p", "bits")
    drawing.lines(axes, [Line("H(p)", *entropy.curve())])
    axes.plot([share] * 2, sorted((labels, model)), ":", color=LIGHT["muted"])
    points = (("H of the labels", labels, "o", "blue"), ("cross-entropy", model, "s", "red"))
    for name, bits, sign, colour in points:
        axes.plot(share, bits, sign, color=LIGHT[colour], label=f"{name} {number(bits)}")
    drawing.legend(axes)
    said = (
        f"entropy of a coin in bits; at the labels' frequency {number(share)} it is "
        f"{number(labels)}, the network's cross-entropy {number(model)}"
    )
    return Picture("entropy", "scores", said, figure)


def of_runs(names: Sequence[str], histories: Sequence[Columns]) -> Iterator[Picture]:
    """Each metric that several runs have, over their epochs: validation's where they have it."""
    metrics = dict.fromkeys(name for one in histories for name in history.metrics(one))
    for name in list(metrics)[:_MOST_METRICS]:
        told = history.validation(name)
        column = told if all(told in one for one in histories) else name
        curves = [
            Line(short(run), one["epoch"], one[column], *drawing.numbered(place))
            for place, (run, one) in enumerate(zip(names, histories, strict=True))
            if column in one and "epoch" in one
        ]
        figure, axes = drawing.panel(short(column), "epoch")
        drawing.lines(axes, curves)
        drawing.over_epochs(axes)
        said = ", ".join(f"{one.name} {number(one.y[-1])}" for one in curves)
        yield Picture(
            f"curve-{_plain(name)}", "curves", f"{short(column)}, at the end {said}", figure
        )


def _plain(name: str) -> str:
    """A name for files and identifiers."""
    return "".join(one if one.isascii() and one.isalnum() else "-" for one in short(name))


def unlike(drawn: Iterable[Picture]) -> list[Picture]:
    """Pictures of unlike names: of those that share one, the later ones get a number."""
    found: dict[str, Picture] = {}
    for one in drawn:
        names = itertools.chain([one.name], (f"{one.name}-{place}" for place in itertools.count(2)))
        name = next(name for name in names if name not in found)
        found[name] = replace(one, name=name)
    return [*found.values()]
