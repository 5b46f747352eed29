"""Labels and fractions in, row numbers of each part out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STREAM = 1  # keeps the split's random numbers apart from the epochs' orders


def split(
    groups: NDArray[np.int64], fractions: Sequence[float], seed: int
) -> list[NDArray[np.int64]]:
    """Shuffles rows into parts that hold each group in the same proportion, to within a row.

    Args:
        groups: each row's group, (rows,): its class, or 0 for all to split without regard to it.
        fractions: what share of the rows each part gets; they add up to 1.
        seed: the same seed, the same parts.

    Returns:
        The rows of each part, in ascending order.
    """
    random = np.random.default_rng([seed, _STREAM])
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    counts = shares(np.array([len(rows) for rows in members]), np.asarray(fractions))
    pieces: list[list[NDArray[np.int64]]] = [[] for _ in fractions]
    for rows, count in zip(members, counts, strict=True):
        shuffled = random.permutation(rows)
        for part, piece in zip(pieces, np.split(shuffled, count.cumsum()[:-1]), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in pieces]


def shares(sizes: NDArray[np.int64], fractions: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many rows of each group each part gets.

    Every count is the exact share rounded down or up, and so is every part's total.

    Args:
        sizes: rows of each group, (groups,).
        fractions: share of each part, (parts,).

    Returns:
        int64 (groups, parts); the rows add up to `sizes`.
    """
    exact = np.outer(sizes, fractions)
    counts = np.floor(exact + 1e-9).astype(np.int64)
    left_in_group = sizes - counts.sum(axis=1)
    missing_in_part = _rounded(exact.sum(axis=0), int(sizes.sum())) - counts.sum(axis=0)
    by_remainder = np.argsort((counts - exact).ravel(), kind="stable")
    for place in by_remainder:
        group, part = divmod(int(place), len(fractions))
        if left_in_group[group] > 0 and missing_in_part[part] > 0:
            counts[group, part] += 1
            left_in_group[group] -= 1
            missing_in_part[part] -= 1
    return _settle(counts, left_in_group, missing_in_part)


def _rounded(exact: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers near the exact ones that add up to the total: largest remainders first."""
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return whole


def _settle(
    counts: NDArray[np.int64], left_in_group: NDArray[np.int64], missing: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Places the few rows that the greedy pass could not: where it already gave one extra."""
    for group in np.flatnonzero(left_in_group):
        for part in np.flatnonzero(missing):
            moved = min(left_in_group[group], missing[part])
            counts[group, part] += moved
            left_in_group[group] -= moved
            missing[part] -= moved
    return counts
