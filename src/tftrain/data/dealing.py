"""Labelled rows in, which of them each part has out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from tftrain.config import Config, Place, Source
from tftrain.data.labels import Labels
from tftrain.data.raw import Raw
from tftrain.data.split import split, split_groups, split_in_order
from tftrain.data.splits import Rows
from tftrain.errors import DataError


def parts(
    config: Config, raw: Raw, labelled: Labels, elsewhere: Collection[str], fold: int | None
) -> dict[str, Rows]:
    """For each part that isn't from elsewhere, places in the labelled rows.

    Args:
        config: asks for shares of the rows, or for folds: then every row is a test row in one fold,
            and the other rows are shared out as they are without folds.
        raw: the rows.
        labelled: those that have a label.
        elsewhere: parts that have files of their own.
        fold: which of the folds; None for all the rows where there are folds.
    """
    asked = config.data.split
    fractions = {"train": asked.train, "validation": asked.validation, "test": asked.test}
    shares = {
        name: part
        for name, part in fractions.items()
        if isinstance(part, float) and part > 0 and name not in elsewhere
    }
    everything = np.arange(len(labelled.rows))
    count = config.training.folds
    if count is None:
        return _dealt(config, raw, labelled, everything, shares)
    if fold is None:
        return {"train": everything}
    equal = {str(one): 1 / count for one in range(count)}
    tested = _dealt(config, raw, labelled, everything, equal)[str(fold)]
    shares.pop("test", None)
    others = np.setdiff1d(everything, tested)
    return {**_dealt(config, raw, labelled, others, shares), "test": tested}


def _dealt(
    config: Config, raw: Raw, labelled: Labels, rows: Rows, shares: Mapping[str, float]
) -> dict[str, Rows]:
    """Some of the labelled rows, as many parts of them as there are shares."""
    chosen, groups = labelled.rows[rows], labelled.groups[rows]
    fractions = list(shares.values())
    if raw.place is not None:
        pieces = split_in_order(raw.place[chosen], fractions)
    elif raw.together is not None:
        pieces = split_groups(raw.together[chosen], groups, fractions, config.seed)
    else:
        pieces = split(groups, fractions, config.seed)
    return {name: rows[piece] for name, piece in zip(shares, pieces, strict=True)}


def require(
    raw: Raw, labelled: Labels, rows: Mapping[str, Rows], source: Source, fold: int | None
) -> None:
    """Sees that no part is without rows, or without rows of a class.

    Raises:
        DataError: with each that is.
    """
    problems = []
    for name, chosen in rows.items():
        place: Place = ("data", "split", name)
        part = f"the {name} split"
        if fold is not None:
            place, part = ("training", "folds"), f"{part} of fold {fold + 1}"
        if message := _lacking(raw, labelled, chosen, part):
            problems.append(source.problem(place, "D007", message))
    if problems:
        raise DataError(problems)


def _lacking(raw: Raw, labelled: Labels, chosen: Rows, part: str) -> str | None:
    """What a part has none of."""
    if not len(chosen) and raw.together is not None:
        bunches = len(np.unique(raw.together[labelled.rows]))
        return f"no rows for {part}: the source has {bunches} groups that stay together"
    if not len(chosen):
        return f"no rows for {part}: the source has {len(labelled.rows)}"
    every = np.bincount(labelled.groups)
    here = np.bincount(labelled.groups[chosen], minlength=len(every))
    missing = np.flatnonzero((every > 0) & (here == 0))
    if not len(missing):
        return None
    classes = labelled.encoding.classes or ("",)
    rows = int(every[missing[0]])
    return f"no row of class `{classes[missing[0]]}` for {part}: the source has {rows}"
