"""A source's training rows in, how to prepare any rows out; then rows in, prepared rows out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Config, FixedScaling, Source
from tftrain.data import arrays, cache, scaling, table, target
from tftrain.data.labels import Labels
from tftrain.data.preparation import Preparation
from tftrain.data.raw import Raw
from tftrain.data.scaling import Scaling
from tftrain.data.splits import gather
from tftrain.data.table.learn import learn as columns_of
from tftrain.data.target import TargetScaling
from tftrain.errors import DataError


def learn(
    config: Config, raw: Raw, labelled: Labels, train: NDArray[np.int64], source: Source
) -> Preparation:
    """What the training rows teach of how to prepare any rows."""
    aim = _target(config, labelled, train, source)
    rows = labelled.rows[train]
    if raw.table is not None:
        return Preparation(columns=columns_of(raw.table, rows, config.data, source), target=aim)
    return Preparation(_scaling(config, raw, rows), target=aim, pixels=raw.pixels)


def _target(
    config: Config, labelled: Labels, train: NDArray[np.int64], source: Source
) -> TargetScaling | None:
    kind = config.data.target_scaling
    if kind is None:
        return None
    path = ("data", "target_scaling")
    if labelled.encoding.classes is not None:
        raise DataError(source.problem(path, "D006", "the labels are classes, not numbers"))
    try:
        return target.learn(kind, labelled.values[train])
    except ValueError as error:
        raise DataError(source.problem(path, "D006", str(error))) from None


def scaled(labelled: Labels, preparation: Preparation) -> Labels:
    """The labels as the loss gets them."""
    if preparation.target is None:
        return labelled
    return replace(labelled, values=preparation.target.apply(labelled.values))


def prepared(raw: Raw, preparation: Preparation, room: cache.Room) -> Raw:
    """The rows with a table's columns made into numbers."""
    if raw.table is None or preparation.columns is None:
        return raw
    columns = preparation.columns
    table.require_columns(raw.table, columns.names())
    matrix = room.matrix(raw.table.rows, columns.width, columns.blocks(raw.table))
    return replace(raw, inputs=matrix)


def _scaling(config: Config, raw: Raw, rows: NDArray[np.int64]) -> Scaling:
    asked = config.data.scaling
    if asked is None and raw.pixels is not None:
        return scaling.fixed(1 / 255, 0)
    if asked is None and config.data.series is not None:
        asked = "standardize"
    if asked is None or asked == "none":
        return Scaling()
    if isinstance(asked, FixedScaling):
        return scaling.fixed(asked.rescale.scale, asked.rescale.offset)
    return scaling.learn(asked, _row_blocks(raw, rows))


def _row_blocks(raw: Raw, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """Rows in blocks; all values of a series count as one column."""
    for block in arrays.blocks(raw.inputs, rows):
        taken = gather(raw.inputs, block)
        yield taken.reshape(-1) if raw.place is not None and raw.table is None else taken
