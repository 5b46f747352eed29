"""Figures of resampled rows in, 95 % intervals out: the bootstrap's, and Wilson's for shares.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 12 (bootstrap-t) and
14 (BCa); Wilson, Probable inference, the law of succession, and statistical inference, JASA 22,
1927.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tftrain.scores.form import Interval

Floats = NDArray[np.float64]
Figures = Mapping[str, Floats]
Pivot = tuple[Floats, Floats]  # a figure of each resample, transformed, and its standard error

RESAMPLES = 1000
_MANY = 10_000  # rows, above which fewer resamples will do: figures hardly vary
_FEWER = 400
_FEWEST = 10  # that a difference on every one of them is more than chance
_PIVOT, _ERROR = " pivot", " error"
_GROUPS = 200  # of rows that are left out in turn, where there are more
_NUMBERS = 2_000_000  # of counts that are held at a time
_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.975)
_ROUNDING = 1e-12
_MOST_LOST = 0.1  # of resamples in which a figure may be undefined


@dataclass(frozen=True)
class Measured:
    """What some predictions score, and would score on resampled rows.

    Args:
        values: figures by name.
        weighted: counts (resamples, rows), how often each row was drawn, in; the same figures of
            each resample, (resamples,), out.
        shares: which figures are shares of rows: so many of so many.
        pivots: likewise counts in; figures out, transformed to be near normal, with their standard
            errors. None where nobody knows these.
        inverse: of the transformations, by the figure.
    """

    values: Mapping[str, float]
    weighted: Callable[[Floats], Figures]
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    pivots: Callable[[Floats], Mapping[str, Pivot]] | None = None
    inverse: Mapping[str, Callable[[float], float]] = field(default_factory=dict)


class Resampled:
    """Several predictions of the same rows, on the same resamples of them.

    Args:
        measured: by a name of each.
        rows: how many rows there are.
        seed: of the resamples.
        resamples: how many; without it, fewer where there are very many rows.
    """

    def __init__(
        self,
        measured: Mapping[str, Measured],
        rows: int,
        seed: int = 0,
        resamples: int | None = None,
    ) -> None:
        self.measured, self.rows = measured, rows
        count = resamples or (RESAMPLES if rows <= _MANY else _FEWER)
        self._drawn = self._figures(_drawn(rows, seed, count))
        self._left = self._figures(_left_out(rows, seed))

    def interval(self, name: str, figure: str) -> Interval | None:
        """Of one figure; None where the rows say nothing of it."""
        one = self.measured[name]
        if figure in one.shares:
            return wilson(*one.shares[figure])
        drawn = self._drawn[name]
        if figure not in drawn:
            return None
        if one.pivots is not None and np.isfinite(one.values[figure]):
            with np.errstate(all="ignore"):  # the logarithm of no error at all
                own = one.pivots(np.ones((1, self.rows)))[figure]
            pivot = drawn[figure + _PIVOT], drawn[figure + _ERROR]
            found = studentized((float(own[0][0]), float(own[1][0])), pivot)
            ends = found and sorted(map(one.inverse[figure], (found.low, found.high)))
            return Interval(*ends) if ends else None
        return bca(one.values[figure], drawn[figure], self._left[name][figure])

    def difference(self, name: str, other: str, figure: str) -> Interval | None:
        """Of one figure of a name minus that of another, paired; None where rows say nothing."""
        value = self.measured[name].values[figure] - self.measured[other].values[figure]
        drawn = self._drawn[name][figure] - self._drawn[other][figure]
        if value and self.rows >= _FEWEST and np.ptp(drawn) == 0:  # they differ on every row
            return Interval(value, value)
        return bca(value, drawn, self._left[name][figure] - self._left[other][figure])

    def _figures(self, counts: Iterator[Floats]) -> dict[str, dict[str, Floats]]:
        found: dict[str, dict[str, list[Floats]]] = {name: {} for name in self.measured}
        for block in counts:
            for name, one in self.measured.items():
                with np.errstate(all="ignore"):  # a resample may lack a class
                    for figure, values in _of(one, block).items():
                        found[name].setdefault(figure, []).append(values)
        return {
            name: {figure: np.concatenate(blocks) for figure, blocks in figures.items()}
            for name, figures in found.items()
        }


def _of(one: Measured, weights: Floats) -> Figures:
    """The figures, and of each pivot its two halves."""
    found = dict(one.weighted(weights))
    if one.pivots is not None:
        for figure, (values, errors) in one.pivots(weights).items():
            found |= {figure + _PIVOT: values, figure + _ERROR: errors}
    return found


def mean(weights: Floats, of_rows: Floats) -> Floats:
    """The mean of each resample: (resamples,), or (resamples, columns).

    Args:
        weights: how often each row was drawn, (resamples, rows).
        of_rows: what the mean is of: (rows,) or (rows, columns).
    """
    sums = weights.sum(axis=1)
    found: Floats = weights @ of_rows
    found /= sums if found.ndim == 1 else sums[:, None]
    return found


def _drawn(rows: int, seed: int, resamples: int) -> Iterator[Floats]:
    """How often each row is drawn, a block of resamples at a time."""
    random = np.random.default_rng([seed, rows])
    step = max(1, _NUMBERS // rows)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        places = random.integers(0, rows, (count, rows)) + np.arange(count)[:, None] * rows
        counts = np.bincount(places.ravel(), minlength=count * rows)
        yield counts.reshape(count, rows).astype(np.float64)


def _left_out(rows: int, seed: int) -> Iterator[Floats]:
    """All rows but one, or but a group of them, in turn: how much a figure hangs on single rows."""
    group = np.arange(rows)
    if rows > _GROUPS:
        group = np.random.default_rng([seed, rows, 1]).permutation(rows) % _GROUPS
    groups, step = min(rows, _GROUPS), max(1, _NUMBERS // rows)
    for start in range(0, groups, step):
        some = np.arange(start, min(start + step, groups))
        yield (group[None, :] != some[:, None]).astype(np.float64)


def bca(value: float, drawn: Floats, left: Floats) -> Interval | None:
    """The bias-corrected and accelerated bootstrap interval.

    Args:
        value: the figure of all rows.
        drawn: of resamples of them.
        left: of all rows but some.

    Returns:
        The interval; None where the figure is undefined, or the same in every resample.
    """
    sound = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(sound) < (1 - _MOST_LOST) * len(drawn):
        return None
    if not len(sound) or np.ptp(sound) <= _ROUNDING * max(1.0, abs(value)):
        return None
    below = ((sound < value).sum() + (sound == value).sum() / 2) / len(sound)
    edge = 1 / (2 * len(sound))
    bias = _NORMAL.inv_cdf(min(max(below, edge), 1 - edge))
    left = left[np.isfinite(left)]
    moved = left.mean() - left if len(left) else np.zeros(1)
    spread = 6 * float((moved**2).sum()) ** 1.5
    skew = float((moved**3).sum()) / spread if spread else 0.0
    shares = [_share(bias, skew, z) for z in (-_Z, _Z)]
    low, high = np.quantile(sound, shares)
    return Interval(float(low), float(high))


def studentized(own: tuple[float, float], drawn: Pivot) -> Interval | None:
    """The bootstrap-t interval, of a figure that is transformed to be near normal.

    Args:
        own: the figure of all rows and its standard error.
        drawn: those of resamples.

    Returns:
        The interval; None where the error is unknown, or 0.
    """
    value, error = own
    with np.errstate(all="ignore"):  # a resample may be of one row
        ratios = (drawn[0] - value) / drawn[1]
    sound = ratios[np.isfinite(ratios)]
    known = np.isfinite(value) and np.isfinite(error) and error > _ROUNDING
    if not known or len(sound) < (1 - _MOST_LOST) * len(ratios):
        return None
    low, high = np.quantile(sound, (0.025, 0.975))
    return Interval(value - float(high) * error, value - float(low) * error)


def _share(bias: float, skew: float, z: float) -> float:
    reach = 1 - skew * (bias + z)
    if reach <= 0:
        return 0.0 if z < 0 else 1.0
    return _NORMAL.cdf(bias + (bias + z) / reach)


def wilson(count: int, of: int) -> Interval | None:
    """Wilson's interval of a share; None of nothing."""
    if not of:
        return None
    share, room = count / of, _Z**2 / of
    middle = (share + room / 2) / (1 + room)
    reach = _Z / (1 + room) * (share * (1 - share) / of + room / of / 4) ** 0.5
    return Interval(middle - reach if count else 0.0, middle + reach if count < of else 1.0)
