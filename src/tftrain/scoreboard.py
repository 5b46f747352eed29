"""An assessment or a comparison in, its tables out, and the lines that a terminal shows of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tftrain.comparison import Compared
from tftrain.errors import one_line
from tftrain.scores import Assessment, Example, Interval, Metric
from tftrain.terminal import number, table

_NAT = math.log(2)
_CLASSES = 12  # that a confusion matrix is shown of
_EXAMPLES = 5
_NAMES = {"logistic_regression": "logistic", "ridge": "ridge"}
_WIDEST = 24


@dataclass(frozen=True)
class Block:
    """A table, and what is to be said under it.

    Args:
        name: what it is about.
        header: one cell for each column.
        rows: likewise, as they are shown; perhaps none.
        said: lines.
    """

    name: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    said: Sequence[str] = ()

    def text(self) -> str:
        """As a terminal shows it."""
        shown = [table(self.header, self.rows)] if self.rows else []
        return "\n".join([*shown, *self.said])


def lines(found: Assessment, metrics: Mapping[str, float]) -> Iterator[str]:
    """All that a terminal shows of an assessment, a block at a time.

    Args:
        found: the assessment.
        metrics: the loss and the metrics, as Keras computes them.
    """
    yield from (f"{one.words}" for one in found.verdicts)
    yield from (f"note: {one}" for one in found.notes)
    yield from (f"\n{block.text()}" for block in blocks(found, metrics))


def blocks(found: Assessment, metrics: Mapping[str, float]) -> Iterator[Block]:
    """The tables of an assessment that hold something, in the order to be read.

    Args:
        found: the assessment.
        metrics: the loss and the metrics, as Keras computes them.
    """
    yield _metrics(found, metrics)
    for make in (
        _entropy,
        _calibration,
        _points,
        _classes,
        _confusion,
        _residuals,
        _worst,
        _groups,
    ):
        block = make(found)
        if block.rows or block.said:
            yield block


def _metrics(found: Assessment, metrics: Mapping[str, float]) -> Block:
    """Keras's metrics that no other is named like, then the figures with their yardsticks."""
    names = list(dict.fromkeys(name for one in found.metrics for name in one.baselines))
    known = found.values()
    rows = [[name, number(one), ""] for name, one in metrics.items() if name not in known]
    rows = [row + [""] * len(names) for row in rows]
    for one in found.metrics:
        others = [number(one.baselines.get(name)) for name in names]
        rows.append([one.name, number(one.value), _interval(one.interval), *others])
    header = [f"{found.part}, {found.rows:,} rows", "value", "95 % interval"]
    return Block("metrics", [*header, *(_NAMES.get(name, name) for name in names)], rows)


def _entropy(found: Assessment) -> Block:
    one = found.entropy
    if one is None:
        return Block("entropy")
    rows = {
        "H(P) of the labels": one.labels,
        "H(P, Q) of the mean prediction": one.without_inputs,
        "gap KL(P || Q)": one.gap,
        "cross-entropy of the network": one.model,
    }
    shown = [[name, number(value), number(value / _NAT)] for name, value in rows.items()]
    share = [] if one.explained is None else [f"explained: {_share(one.explained)} of H(P)"]
    wrong = [] if one.sound else ["H(P, Q) is below H(P): something is wrong with these rows"]
    return Block("entropy", ["entropy", "nats", "bits"], shown, [*share, *wrong])


def _calibration(found: Assessment) -> Block:
    one = found.calibration
    if one is None:
        return Block("calibration")
    within = "within" if one.error <= one.chance else "above"
    chance = f"what chance makes of {found.rows:,} rows ({number(one.chance)})"
    return Block("calibration", said=[f"calibration error {number(one.error)}, {within} {chance}"])


def _points(found: Assessment) -> Block:
    rows = [
        [
            one.name,
            number(one.threshold),
            one.chosen_on or "-",
            *(number(metric.value) for metric in one.metrics),
        ]
        for one in found.points
    ]
    names = [metric.name for metric in found.points[0].metrics] if found.points else []
    return Block("points", ["threshold", "above", "chosen on", *names], rows)


def _classes(found: Assessment) -> Block:
    shown, rows = found.per_class, list[list[str]]()
    if len(shown) > _CLASSES:
        shown = tuple(sorted(shown, key=lambda one: one.metrics[-1].value)[:_CLASSES])
    for one in shown:
        figures = [f"{number(m.value)} {_interval(m.interval, short=True)}" for m in one.metrics]
        rows.append([short(one.name), str(one.rows), *figures])
    name = "class" if len(shown) == len(found.classes) else f"worst of {len(found.classes)}"
    return Block("classes", [name, "rows", "precision", "recall", "f1"], rows)


def _confusion(found: Assessment) -> Block:
    if not found.confusion or len(found.classes) > _CLASSES:
        return Block("confusion")
    names = [short(name) for name in found.classes]
    rows = [[name, *map(str, counts)] for name, counts in zip(names, found.confusion, strict=True)]
    return Block("confusion", ["true, down", *names], rows)


def _residuals(found: Assessment) -> Block:
    one = found.residuals
    if one is None:
        return Block("residuals")
    quantiles = [[f"{float(share):.0%}", number(value)] for share, value in one.quantiles.items()]
    rows = [
        ["mean", f"{number(one.mean)} {_interval(one.interval, short=True)}"],
        ["deviation", number(one.deviation)],
        *quantiles,
    ]
    return Block("residuals", ["prediction - target", ""], rows)


def _worst(found: Assessment) -> Block:
    return examples("worst", found.worst[:_EXAMPLES])


def examples(name: str, some: Sequence[Example]) -> Block:
    """Rows of one assessment, each with its label, its prediction and its loss."""
    chance = ["probability"] if some and some[0].probability is not None else []
    rows = [
        [
            str(one.row),
            _value(one.label),
            _value(one.prediction),
            *([] if one.probability is None else [number(one.probability)]),
            number(one.loss),
        ]
        for one in some
    ]
    return Block(name, [f"{name}: row", "label", "predicted", *chance, "loss"], rows)


def _groups(found: Assessment) -> Block:
    names = list(dict.fromkeys(metric.name for one in found.groups for metric in one.metrics))
    shown = [name for name in dict.fromkeys([found.main, *names]) if name in names][:3]
    rows = []
    for one in found.groups:
        by_name = {metric.name: metric for metric in one.metrics}
        rows.append([short(one.name), str(one.rows), *(_cell(by_name.get(n)) for n in shown)])
    return Block("groups", [short(found.by or ""), "rows", *shown], rows)


def _cell(metric: Metric | None) -> str:
    if metric is None:
        return "-"
    return f"{number(metric.value)} {_interval(metric.interval, short=True)}"


def _interval(interval: Interval | None, *, short: bool = False) -> str:
    if interval is None:
        return "-"
    low, high = number(interval.low), number(interval.high)
    return f"({low} to {high})" if short else f"{low} to {high}"


def _share(value: float) -> str:
    return f"{value:.1%}".replace("%", " %")


def _value(value: str | float | Sequence[float]) -> str:
    if isinstance(value, str):
        return short(value)
    return number(value) if isinstance(value, float) else ", ".join(map(number, value))[:_WIDEST]


def short(text: str) -> str:
    """A name as long as a table's column can bear."""
    shown = one_line(text)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."


def compared(found: Compared) -> Iterator[str]:
    """All that a terminal shows of a comparison, a block at a time."""
    yield from tested(found)
    yield from (f"note: {one}" for one in found.notes)
    for block in differences(found):
        yield f"\n{block.text() if block.rows else f'{block.name}: no difference'}"


def tested(found: Compared) -> list[str]:
    """What each further run comes to against the first."""
    return [
        f"{short(one.run)}: {one.verdict.words}"
        + ("" if one.p_value is None else f"; McNemar's p {one.p_value:.3g}")
        for one in found.tests
    ]


def differences(found: Compared) -> Iterator[Block]:
    """The runs' metrics, and what differs in config and environment, side by side."""
    names = [short(name) for name in found.runs]
    rows = [[name, *map(_cell, metrics)] for name, metrics in found.metrics.items()]
    yield Block("metrics", [found.split, *names], rows)
    for title, values in (("config", found.config), ("environment", found.environment)):
        cells = [
            [one_line(path), *("-" if one is None else short(one) for one in several)]
            for path, several in values.items()
        ]
        yield Block(title, [title, *names], cells)
