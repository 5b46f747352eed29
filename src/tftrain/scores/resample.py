"""Figures of resampled rows in, 95 % intervals out: the bootstrap (BCa), and Wilson's for shares.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 14; Wilson, Probable
inference, the law of succession, and statistical inference, JASA 22, 1927.
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

RESAMPLES = 1000
_GROUPS = 200  # of rows that are left out in turn, where there are more
_NUMBERS = 2_000_000  # of counts that are held at a time
_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.975)
_MOST_LOST = 0.1  # of resamples in which a figure may be undefined


@dataclass(frozen=True)
class Measured:
    """What some predictions score, and would score on resampled rows.

    Args:
        values: figures by name.
        weighted: counts (resamples, rows), how often each row was drawn, in; the same figures of
            each resample, (resamples,), out.
        shares: which figures are shares of rows: so many of so many.
    """

    values: Mapping[str, float]
    weighted: Callable[[Floats], Figures]
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Resampled:
    """Several predictions of the same rows, on the same resamples of them.

    Args:
        measured: by a name of each.
        rows: how many rows there are.
        seed: of the resamples.
        resamples: how many.
    """

    def __init__(
        self,
        measured: Mapping[str, Measured],
        rows: int,
        seed: int = 0,
        resamples: int = RESAMPLES,
    ) -> None:
        self.measured, self.rows = measured, rows
        self._drawn = self._figures(_drawn(rows, seed, resamples))
        self._left = self._figures(_left_out(rows, seed))

    def interval(self, name: str, figure: str) -> Interval | None:
        """Of one figure; None where the rows say nothing of it."""
        one = self.measured[name]
        if figure in one.shares:
            return wilson(*one.shares[figure])
        if figure not in self._drawn[name]:
            return None
        return bca(one.values[figure], self._drawn[name][figure], self._left[name][figure])

    def difference(self, name: str, other: str, figure: str) -> Interval | None:
        """Of one figure of a name minus that of another, paired; None where it is always one."""
        value = self.measured[name].values[figure] - self.measured[other].values[figure]
        drawn = self._drawn[name][figure] - self._drawn[other][figure]
        return bca(value, drawn, self._left[name][figure] - self._left[other][figure])

    def _figures(self, counts: Iterator[Floats]) -> dict[str, dict[str, Floats]]:
        found: dict[str, dict[str, list[Floats]]] = {name: {} for name in self.measured}
        for block in counts:
            for name, one in self.measured.items():
                with np.errstate(all="ignore"):  # a resample may lack a class
                    for figure, values in one.weighted(block).items():
                        found[name].setdefault(figure, []).append(values)
        return {
            name: {figure: np.concatenate(blocks) for figure, blocks in figures.items()}
            for name, figures in found.items()
        }


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
    if not len(sound) or np.ptp(sound) <= 1e-12 * max(1.0, abs(value)):
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
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))
