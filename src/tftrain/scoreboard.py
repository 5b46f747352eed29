"""An assessment in, the lines that a person reads out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tftrain.comparison import Compared
from tftrain.errors import one_line
from tftrain.scores import Assessment, Interval, Metric
from tftrain.terminal import number, table

_NAT = math.log(2)
_CLASSES = 12  # that a confusion matrix is shown of
_EXAMPLES = 5
_NAMES = {"logistic_regression": "logistic", "ridge": "ridge"}
_WIDEST = 24


def lines(found: Assessment, metrics: Mapping[str, float]) -> Iterator[str]:
    """All that a terminal shows of an assessment, a block at a time.

    Args:
        found: the assessment.
        metrics: the loss and the metrics, as Keras computes them.
    """
    yield from (f"{one.words}" for one in found.verdicts)
    yield from (f"note: {one}" for one in found.notes)
    yield ""
    yield _metrics(found, metrics)
    for block in (_entropy, _calibration, _points, _classes, _confusion, _residuals, _worst):
        if shown := block(found):
            yield f"\n{shown}"
    if found.groups:
        yield f"\n{_groups(found)}"


def _metrics(found: Assessment, metrics: Mapping[str, float]) -> str:
    """Keras's metrics that no other is named like, then the figures with their yardsticks."""
    names = list(dict.fromkeys(name for one in found.metrics for name in one.baselines))
    known = found.values()
    rows = [[name, number(one), ""] for name, one in metrics.items() if name not in known]
    rows = [row + [""] * len(names) for row in rows]
    for one in found.metrics:
        others = [number(one.baselines.get(name)) for name in names]
        rows.append([one.name, number(one.value), _interval(one.interval), *others])
    header = [f"{found.part}, {found.rows:,} rows", "value", "95 % interval"]
    return table([*header, *(_NAMES.get(name, name) for name in names)], rows)


def _entropy(found: Assessment) -> str:
    one = found.entropy
    if one is None:
        return ""
    rows = {
        "H(P) of the labels": one.labels,
        "H(P, Q) of the mean prediction": one.without_inputs,
        "gap KL(P || Q)": one.gap,
        "cross-entropy of the network": one.model,
    }
    shown = table(
        ["entropy", "nats", "bits"],
        [[name, number(value), number(value / _NAT)] for name, value in rows.items()],
    )
    wrong = "" if one.sound else "\nH(P, Q) is below H(P): something is wrong with these rows"
    share = "" if one.explained is None else f"\nexplained: {_share(one.explained)} of H(P)"
    return shown + share + wrong


def _calibration(found: Assessment) -> str:
    one = found.calibration
    if one is None:
        return ""
    within = "within" if one.error <= one.chance else "above"
    return (
        f"calibration error {number(one.error)}, {within} what chance makes of {found.rows:,} rows "
        f"({number(one.chance)})"
    )


def _points(found: Assessment) -> str:
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
    return table(["threshold", "above", "chosen on", *names], rows) if rows else ""


def _classes(found: Assessment) -> str:
    shown, rows = found.per_class, list[list[str]]()
    if len(shown) > _CLASSES:
        shown = tuple(sorted(shown, key=lambda one: one.metrics[-1].value)[:_CLASSES])
    for one in shown:
        figures = [f"{number(m.value)} {_interval(m.interval, short=True)}" for m in one.metrics]
        rows.append([_short(one.name), str(one.rows), *figures])
    name = "class" if len(shown) == len(found.classes) else f"worst of {len(found.classes)}"
    return table([name, "rows", "precision", "recall", "f1"], rows) if rows else ""


def _confusion(found: Assessment) -> str:
    if not found.confusion or len(found.classes) > _CLASSES:
        return ""
    names = [_short(name) for name in found.classes]
    rows = [[name, *map(str, counts)] for name, counts in zip(names, found.confusion, strict=True)]
    return table(["true, down", *names], rows)


def _residuals(found: Assessment) -> str:
    one = found.residuals
    if one is None:
        return ""
    quantiles = [[f"{float(share):.0%}", number(value)] for share, value in one.quantiles.items()]
    rows = [
        ["mean", f"{number(one.mean)} {_interval(one.interval, short=True)}"],
        ["deviation", number(one.deviation)],
        *quantiles,
    ]
    return table(["prediction - target", ""], rows)


def _worst(found: Assessment) -> str:
    rows = [
        [
            str(one.row),
            _value(one.label),
            _value(one.prediction),
            *([] if one.probability is None else [number(one.probability)]),
            number(one.loss),
        ]
        for one in found.worst[:_EXAMPLES]
    ]
    if not rows:
        return ""
    chance = [] if found.worst[0].probability is None else ["probability"]
    return table(["worst: row", "label", "predicted", *chance, "loss"], rows)


def _groups(found: Assessment) -> str:
    names = list(dict.fromkeys(metric.name for one in found.groups for metric in one.metrics))
    shown = [name for name in dict.fromkeys([found.main, *names]) if name in names][:3]
    rows = []
    for one in found.groups:
        by_name = {metric.name: metric for metric in one.metrics}
        rows.append([_short(one.name), str(one.rows), *(_cell(by_name.get(n)) for n in shown)])
    return table([_short(found.by or ""), "rows", *shown], rows)


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
        return _short(value)
    return number(value) if isinstance(value, float) else ", ".join(map(number, value))[:_WIDEST]


def _short(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."


def compared(found: Compared) -> Iterator[str]:
    """All that a terminal shows of a comparison, a block at a time."""
    for one in found.tests:
        chance = "" if one.p_value is None else f"; McNemar's p {one.p_value:.3g}"
        yield f"{_short(one.run)}: {one.verdict.words}{chance}"
    yield from (f"note: {one}" for one in found.notes)
    rows = [[name, *map(_cell, metrics)] for name, metrics in found.metrics.items()]
    names = [_short(name) for name in found.runs]
    yield f"\n{table([found.split, *names], rows)}"
    for title, values in (("config", found.config), ("environment", found.environment)):
        cells = [
            [one_line(path), *("-" if one is None else _short(one) for one in several)]
            for path, several in values.items()
        ]
        yield f"\n{table([title, *names], cells)}" if cells else f"\n{title}: no difference"
