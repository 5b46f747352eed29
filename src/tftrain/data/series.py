"""A column of a table in the order of time in, windows over it out: values seen, value to come."""

from __future__ import annotations

import numpy as np

from tftrain.config import Data, Series
from tftrain.data import tabular
from tftrain.data.raw import Raw
from tftrain.data.table import Table
from tftrain.errors import DataError, Mark, Problem


def windows(table: Table, data: Data, series: Series, *, labelled: bool = True) -> Raw:
    """Each run of `lags` values with the value `horizon` steps after its last.

    Args:
        table: holds the column.
        data: names the column of time, if rows aren't in its order already.
        series: the column, and how far back and ahead to look.
        labelled: only windows whose value to come is known; otherwise all of them.

    Returns:
        Inputs (windows, lags), labels (windows,), and as a window's number the row, counted from 0
        in the order of time, that it is there to predict.

    Raises:
        DataError: when a value is missing, or there are too few for a window.
    """
    values = tabular.numbers(table, series.column)
    if data.time is not None:
        values = values[tabular.order(table, data.time)]
    ahead = series.lags + series.horizon - 1  # from a window's first value to the one to come
    count = len(values) - (ahead if labelled else series.lags - 1)
    if count < 1:
        needed = len(values) - count + 1
        message = f"{len(values)} values: a window and what comes after it take {needed}"
        raise DataError(Problem(Mark(table.source), "D007", message))
    # a view: windows that overlap take no memory until they are gathered
    seen = np.lib.stride_tricks.sliding_window_view(values.astype(np.float32), series.lags)
    return Raw(
        inputs=seen[:count],
        labels=values[ahead : ahead + count] if labelled else None,
        weights=None,
        names=None,
        source=table.source,
        place=np.arange(count),
        numbers=np.arange(count) + ahead,
    )
