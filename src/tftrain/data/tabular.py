"""A table in, its labels, weights, groups and order as arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Data, Place, Source, class_name
from tftrain.data.raw import Raw
from tftrain.data.table import NAME, QUERY, Table, quoted, require_columns, text
from tftrain.data.table.refusals import held, no_dates
from tftrain.errors import DataError, did_you_mean, listed

_MOST_CLASSES = 10_000


class MisnamedError(DataError):
    """A column that the config names isn't there; its problems lie in the config."""


def check_names(table: Table, data: Data, source: Source) -> None:
    """Sees that the columns that the config names are there.

    Raises:
        MisnamedError: with every one that isn't, at its place in the config.
    """
    keys = ("target", "group", "time", "sample_weight")
    named: dict[Place, str | None] = {("data", key): getattr(data, key) for key in keys}
    if data.series is not None:
        named["data", "series", "column"] = data.series.column
    paths = [(path, name, False) for path, name in named.items() if name is not None]
    paths += [(("data", "columns", name), name, True) for name in data.columns]
    problems = []
    for path, name, key in paths:
        if name not in table.types:
            near = did_you_mean(name, table.types) or f"; it has {listed(table.types)}"
            if len(table.types) == 1 and data.query is None:
                near += " and no other: cells are parted by a comma, a semicolon, | or a tab"
            what = f"{table.source} has" if data.query is None else f"{QUERY} gives"
            message = f"{what} no column `{name}`{near}"
            problems.append(source.problem(path, "D003", message, key=key))
    if problems:
        raise MisnamedError(problems)


def raw(table: Table, data: Data, *, labelled: bool = True) -> Raw:
    """A table's rows, its inputs still to be prepared.

    Args:
        table: the table.
        data: names the columns of labels, weights, groups and time.
        labelled: whether labels and weights are wanted.

    Raises:
        DataError: when a row has no label or no weight.
    """
    labels = names = weights = None
    if labelled and data.target in table.types:
        labels, names = _labels(table, str(data.target))
    if labelled and data.sample_weight is not None:
        weights = numbers(table, data.sample_weight)
        if (weights < 0).any():
            row = int(np.argmax(weights < 0))
            raise table.fail("D006", f"the weight `{data.sample_weight}` is negative", row)
        if not weights.any():
            message = f"every row's weight `{data.sample_weight}` is 0: nothing is learnt"
            raise table.fail("D006", message)
    place = together = None
    if labelled and data.time is not None:
        place = np.argsort(order(table, data.time))
    if labelled and data.group is not None:
        together = groups(table, data.group)
    return Raw(
        inputs=np.empty((table.rows, 0), np.float32),
        labels=labels,
        weights=weights,
        names=names,
        source=table.source,
        table=table,
        place=place,
        together=together,
    )


def groups(table: Table, name: str) -> NDArray[np.int64]:
    """The group of each row by number; rows without one are a group each.

    Raises:
        DataError: when there is no such column.
    """
    require_columns(table, [name])
    column = quoted(name)
    numbered = table.fetch_arrays(
        f"SELECT CASE WHEN {column} IS NULL THEN -1 - rowid ELSE dense_rank() OVER "
        f"(ORDER BY {column}) END AS g FROM {NAME} ORDER BY rowid"
    )["g"]
    return np.asarray(numbered, np.int64)


def order(table: Table, name: str) -> NDArray[np.int64]:
    """The rows in the order of a column, first to last.

    Raises:
        DataError: when a row has no time.
    """
    require_all(table, name)
    if table.types[name] == "VARCHAR":
        ((example,),) = table.ask(quoted(name), "LIMIT 1")
        raise table.fail("D011", no_dates(name, "VARCHAR", example, ", or numbers, to sort by"))
    found = table.fetch_arrays(f"SELECT rowid AS r FROM {NAME} ORDER BY {quoted(name)}, rowid")
    return np.asarray(found["r"], np.int64)


def numbers(table: Table, name: str) -> NDArray[np.float64]:
    """A column of numbers, none missing, (rows,).

    Raises:
        DataError: when it isn't there or holds something else, or a row has none.
    """
    require_columns(table, [name])
    if table.types[name] != "DOUBLE":
        kind = held(table.types[name])
        raise table.fail("D006", f"column `{name}`: expected numbers, got {kind}")
    require_all(table, name)
    return np.asarray(table.arrays({"n": quoted(name)})["n"], np.float64)


def _labels(table: Table, name: str) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Numbers as they are; texts, true and false as numbers of names."""
    if table.types[name] == "DOUBLE":
        return numbers(table, name), None
    require_all(table, name)
    column = quoted(name)
    if table.types[name] == "VARCHAR":
        ((booleans,),) = table.ask(f"bool_and(lower({column}) IN ('true', 'false'))")
        column = f"lower({column})" if booleans else column
    classes = [
        value
        for (value,) in table.ask(f"DISTINCT {column}", f"ORDER BY 1 LIMIT {_MOST_CLASSES + 1}")
    ]
    if len(classes) > _MOST_CLASSES:
        message = f"more than {_MOST_CLASSES:,} different values in `{name}`: these are no classes"
        raise table.fail("D006", message)
    if table.types[name] == "BOOLEAN":
        code = f"{column}::INTEGER - {int(classes[0])}"
    else:
        texts = ", ".join(text(str(value)) for value in classes)
        code = f"enum_code({column}::VARCHAR::ENUM({texts}))::INTEGER"
    codes = table.arrays({"n": code})["n"]
    return np.asarray(codes, np.int64), tuple(class_name(value) for value in classes)


def given(name: str) -> str:
    """The query for the rows that have a value in a column."""
    return f"SELECT * FROM {NAME} WHERE {quoted(name)} IS NOT NULL"


def require_all(table: Table, name: str) -> None:
    """Sees that no row is without a value, where rows can't do without.

    Raises:
        DataError: with the first that is; when there is no such column.
    """
    require_columns(table, [name])
    column = quoted(name)
    missing = table.ask("rowid", f"WHERE {column} IS NULL LIMIT 1")
    if missing:
        ((count,),) = table.ask("count(*)", f"WHERE {column} IS NULL")
        if count == table.rows:
            raise table.fail("D006", f"column `{name}` is empty in every row")
        message = (
            f"no `{name}` ({count:,} such row{'s' * (count != 1)}); to leave them out set "
            f"data.query to {given(name)}"
        )
        raise table.fail("D006", message, int(missing[0][0]))
