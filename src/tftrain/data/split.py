"""Labels and fractions in, row numbers of each part out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STREAM = 1  # keeps the split's random numbers apart from the epochs' orders
_NOTHING = 1e-9  # what floats leave of whole numbers


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
    parts = np.asarray(fractions) / math.fsum(fractions)
    counts = shares(np.array([len(rows) for rows in members]), parts)
    pieces: list[list[NDArray[np.int64]]] = [[] for _ in fractions]
    for rows, count in zip(members, counts, strict=True):
        shuffled = random.permutation(rows)
        for part, piece in zip(pieces, np.split(shuffled, count.cumsum()[:-1]), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in pieces]


def split_in_order(place: NDArray[np.int64], fractions: Sequence[float]) -> list[NDArray[np.int64]]:
    """Cuts rows into parts, one after another.

    Args:
        place: of each row in the order, (rows,).
        fractions: as of `split`.

    Returns:
        The rows of each part, in ascending order.
    """
    parts = np.asarray(fractions) / math.fsum(fractions)
    (counts,) = shares(np.array([len(place)]), parts)
    pieces = np.split(np.argsort(place, kind="stable"), counts.cumsum()[:-1])
    return [np.sort(piece) for piece in pieces]


def split_groups(
    together: NDArray[np.int64],
    groups: NDArray[np.int64],
    fractions: Sequence[float],
    seed: int,
) -> list[NDArray[np.int64]]:
    """Shuffles rows into parts so that rows that belong together stay together.

    Bunches are dealt out, the large ones first, each to the part that then holds the classes most
    nearly in the proportions asked for; equally large ones in an order that the seed decides.

    Args:
        together: which rows belong together, (rows,).
        groups: as of `split`.
        fractions: as of `split`.
        seed: as of `split`.

    Returns:
        The rows of each part, in ascending order.

    Source: scikit-learn's StratifiedGroupKFold, for parts of unequal sizes.
    """
    random = np.random.default_rng([seed, _STREAM])
    parts = np.asarray(fractions) / math.fsum(fractions)
    _, bunch = np.unique(together, return_inverse=True)
    classes, kind = np.unique(groups, return_inverse=True)
    counts = np.zeros((bunch.max() + 1, len(classes)), np.int64)
    np.add.at(counts, (bunch, kind), 1)
    shuffled = random.permutation(len(counts))
    in_order = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    wanted = np.outer(parts, counts.sum(axis=0)).clip(1e-9)
    held = np.zeros_like(wanted)
    part_of = np.empty(len(counts), np.int64)
    for one in in_order:
        lacking = ((wanted - held) / wanted) @ counts[one]
        part_of[one] = int(np.argmax(lacking))
        held[part_of[one]] += counts[one]
    return [np.flatnonzero(part_of[bunch] == place) for place in range(len(parts))]


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
    counts = np.floor(exact + _NOTHING).astype(np.int64)
    left = sizes - counts.sum(axis=1)
    missing = _rounded(exact.sum(axis=0), int(sizes.sum())) - counts.sum(axis=0)
    raised = np.zeros(exact.shape, bool)
    whole = exact - counts < _NOTHING
    by_remainder = np.argsort((counts - exact).ravel(), kind="stable")
    for group, part in zip(*np.unravel_index(by_remainder, exact.shape), strict=True):
        if left[group] > 0 and missing[part] > 0 and not whole[group, part]:
            raised[group, part] = True
            left[group] -= 1
            missing[part] -= 1
    for group in np.repeat(np.arange(len(sizes)), left):
        _settle(int(group), raised, whole, missing)
    counts += raised
    return counts


def _rounded(exact: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers near the exact ones that add up to the total: largest remainders first."""
    whole = np.floor(exact + _NOTHING).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return whole


def _settle(
    group: int, raised: NDArray[np.bool_], whole: NDArray[np.bool_], missing: NDArray[np.int64]
) -> None:
    """Places a row that the greedy pass could not, other groups' extra rows making way.

    The shortest augmenting path of a flow from groups to parts, over the few parts there are.

    Source: Ford, Fulkerson (1956); that such a rounding exists: Bacharach (1966).
    """
    free = np.flatnonzero(~raised[group] & ~whole[group]).tolist()
    ways = {part: [(group, part)] for part in free}
    queue = list(ways)
    for part in queue:
        if missing[part] > 0:
            for number, (mover, to) in enumerate(ways[part]):
                raised[mover, to] = True
                if number:
                    raised[mover, ways[part][number - 1][1]] = False
            missing[part] -= 1
            return
        for other in set(range(len(missing))).difference(ways):
            movers = np.flatnonzero(raised[:, part] & ~raised[:, other] & ~whole[:, other])
            if len(movers):
                ways[other] = [*ways[part], (int(movers[0]), other)]
                queue.append(other)
