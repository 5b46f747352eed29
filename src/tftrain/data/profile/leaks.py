"""Columns and labels in, those columns out that alone tell the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Place
from tftrain.data.profile.remarks import Remark, note, ok
from tftrain.data.profile.statistics import Sample
from tftrain.data.table import Table, quoted

_AUC = 0.99
_TOLD = 0.97  # of the rows that the most frequent class gets wrong
_VARIANCE = 0.99
_RANKS = 0.995
_MOST_AFTER = 0.99

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def leaks(
    rows: Sample, labels: NDArray[Any], classes: int, places: Mapping[str, Place], target: str
) -> list[Remark]:
    """Columns that give the target away.

    Args:
        rows: some rows, of every column that is learnt from.
        labels: class numbers, or numbers, of these rows.
        classes: how many; 0 for numbers.
        places: where the config speaks of each column.
        target: its name.
    """
    if classes:
        found = {name: _classes(rows, name, labels, classes) for name in places}
    else:
        found = {name: _numbers(rows, name, labels) for name in places}
    remarks = []
    for name, (score, limit, said) in found.items():
        if score > limit:
            message = (
                f"`{name}` alone gives `{target}` away ({said}): is it known before the target "
                f"is? if not, set data.columns.{name} to drop"
            )
            remarks.append(Remark("leaks", "warning", message, "D021", places[name]))
    if remarks:
        return remarks
    most = max(found, key=lambda name: found[name][0] / found[name][1])
    seen = f"looked at in {len(rows.rows):,} rows"
    message = f"no column gives `{target}` away, {seen}; `{most}` tells most: {found[most][2]}"
    return [ok("leaks", message)]


def _classes(rows: Sample, name: str, labels: Codes, classes: int) -> tuple[float, float, str]:
    """How good a column is at telling classes apart, from where on that is too good, in words."""
    numbers = rows.numbers.get(name)
    if numbers is None:
        right = accuracy(_codes(rows, name), labels, classes)
        said = f"its values tell {right:.1%} of the classes"
    else:
        given, lost = _ordered(numbers)
        right = neighbours(labels[given])
        if len(lost):  # missing cells are as one more value
            some = accuracy(np.zeros_like(lost), labels[lost], classes)
            right = (right * len(given) + some * len(lost)) / len(labels)
        said = f"next to each other in its order, {right:.1%} are of one class"
    most = np.bincount(labels, minlength=classes).max() / len(labels)
    told = (right - most) / (1 - most) if most < 1 else 0.0
    if numbers is None or classes > 2 or told > _TOLD:  # noqa: PLR2004 - an AUC is of two
        return told, _TOLD, said
    area = auc(numbers[given], labels[given])
    return max(area, 1 - area), _AUC, f"AUC {max(area, 1 - area):.3f}"


def _numbers(rows: Sample, name: str, labels: Floats) -> tuple[float, float, str]:
    numbers = rows.numbers.get(name)
    if numbers is None:
        share = explained(_codes(rows, name), labels)
        return share, _VARIANCE, f"its values tell {max(share, 0):.1%} of the variance"
    given, _ = _ordered(numbers)
    like = rank_correlation(numbers[given], labels[given])
    share = smoothness(labels[given])
    if abs(like) > _RANKS or share <= _VARIANCE:
        return abs(like), _RANKS, f"rank correlation {like:.3f}"
    return share, _VARIANCE, f"in its order the target hardly moves: {share:.1%} of the variance"


def _codes(rows: Sample, name: str) -> Codes:
    codes: Codes = np.unique(rows.codes[name], return_inverse=True)[1]
    return codes


def _ordered(numbers: Floats) -> tuple[Codes, Codes]:
    """Rows in the order of their numbers, equal ones shuffled; and those without a number.

    Shuffled, since rows may lie in the order of their labels.
    """
    shuffled = np.random.default_rng(0).permutation(len(numbers))
    order = shuffled[np.argsort(numbers[shuffled], kind="stable")]
    given = int((~np.isnan(numbers)).sum())
    return order[:given], order[given:]


def neighbours(labels: Codes) -> float:
    """How often a label is that of the row before."""
    return float((labels[1:] == labels[:-1]).mean()) if len(labels) > 1 else 0.0


def smoothness(values: Floats) -> float:
    """The share of the variance that is gone between a row and the next: 0 where order is chance.

    Source: von Neumann (1941), the ratio of the mean square successive difference to the variance.
    """
    spread = float(values.var()) if len(values) > 1 else 0.0
    return 1 - float((np.diff(values) ** 2).mean()) / (2 * spread) if spread else 0.0


def accuracy(codes: Codes, labels: Codes, classes: int) -> float:
    """The share of rows whose class is the most frequent one among the other rows of its code."""
    codes_of, place = np.unique(codes * classes + labels, return_counts=True)
    order = np.lexsort((-place, codes_of // classes))
    code, count = (codes_of // classes)[order], place[order]
    first = np.flatnonzero(np.r_[True, code[1:] != code[:-1]])
    largest = count[first]
    totals = np.add.reduceat(count, first)
    second = np.where(totals > largest, count[np.minimum(first + 1, len(count) - 1)], 0)
    sure = (largest - 1 >= second) & (totals > 1)
    alone = totals[totals == 1].sum() * np.bincount(labels).max() / len(labels)
    return float((largest[sure].sum() + alone) / len(labels))


def explained(codes: Codes, values: Floats) -> float:
    """The share of the variance that the mean of the other rows of the same code tells."""
    place = np.unique(codes, return_inverse=True)[1]
    count = np.bincount(place)[place]
    total = np.bincount(place, values)[place]
    others = np.where(count > 1, (total - values) / np.maximum(count - 1, 1), values.mean())
    spread = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - others) ** 2).sum()) / spread if spread else 0.0


def auc(scores: Floats, labels: Codes) -> float:
    """The area under the ROC curve; 0.5 where one class has no row."""
    positive = labels == 1
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return 0.5
    rank = _ranks(scores)
    return float((rank[positive].sum() - many * (many + 1) / 2) / (many * few))


def rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's; 0 where one doesn't vary."""
    if len(one) < 3 or one.min() == one.max() or other.min() == other.max():  # noqa: PLR2004
        return 0.0
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Floats) -> Floats:
    """From 1 on; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def later(table: Table, time: str) -> list[Remark]:
    """Dates that lie after the time of their row: what happened then wasn't known."""
    remarks = []
    for name, kind in table.types.items():
        if name == time or kind not in ("DATE", "TIMESTAMP") or table.types[time] == "DOUBLE":
            continue
        ((given, after),) = table.ask(
            f"count({quoted(name)}), count_if({quoted(name)} > {quoted(time)})"
        )
        if given and after >= _MOST_AFTER * given:
            message = f"`{name}` lies after `{time}`: is it known when a prediction is wanted?"
            remarks.append(note("leaks", message))
    return remarks
