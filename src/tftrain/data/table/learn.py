"""A table and its training rows in, what each of its columns becomes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import config
from tftrain.config import Data, Source
from tftrain.data import table
from tftrain.data.table import Table, kinds, quoted, vectorizer
from tftrain.data.table.columns import (
    CYCLES,
    Category,
    Columns,
    Date,
    Hashed,
    Number,
    Prepared,
    Text,
    days,
)
from tftrain.data.table.kinds import TRAINING, Kinds
from tftrain.data.table.refusals import no_dates
from tftrain.errors import DataError, listed

_TEXTS = 10_000  # read at a time
_LEAST = float(np.finfo(np.float32).tiny)  # by which a 32-bit number can be divided
_MOMENTS = ("count(*)", "count({})", "avg({})", "var_pop({})", "min({})", "max({})")


def learn(rows: Table, chosen: NDArray[np.int64], data: Data, source: Source) -> Columns:
    """What the columns become, learnt from the chosen rows alone.

    Args:
        rows: the table.
        chosen: the rows that train.
        data: says what columns are, where it isn't found out.
        source: for the place of a fault.

    Raises:
        DataError: when a column can't be what the config says, or none is left.
    """
    table.mask(rows, chosen)
    found, moments = _counted(rows, data)
    learnt: list[Prepared] = []
    unused = kinds.dropped(found)
    for name, one in found.items():
        if one.kind in ("number", "boolean"):
            learnt.append(_number(rows, name, one, moments[name]))
        elif one.kind == "category":
            learnt.append(_category(rows, name, one.column.category or config.Category()))
            if isinstance(learnt[-1], Category) and not learnt[-1].vocabulary:
                learnt.pop()
                unused[name] = "constant: every name is too rare for a column of its own"
        elif one.kind == "date":
            _require_type(rows, name, ("DATE", "TIMESTAMP"), source)
            learnt.append(_date(rows, name))
        elif one.kind == "text":
            learnt.append(_text(rows, name, one.column.text or config.Text(), source))
    if not learnt:
        told = "; ".join(f"{name} ({why})" for name, why in unused.items())
        message = f"no column is left to learn from: {told or f'it has only {listed(rows.types)}'}"
        raise DataError(source.problem(("data", "source"), "D011", message))
    _check_alone(learnt, source)
    types = {one.name: rows.types[one.name] for one in learnt}
    made = Columns(tuple(learnt), unused, types)
    try:
        made.check(rows, learning=True)
    except DataError as error:
        raise DataError(
            source.problem(("data", "source"), one.code, f"{one.mark}: {one.message}")
            for one in error.problems
        ) from None
    return made


def _counted(rows: Table, data: Data) -> tuple[dict[str, Kinds], dict[str, tuple[Any, ...]]]:
    """Kinds, and moments of numbers, at the same time: each is a pass that takes one thread."""
    numbers = [name for name, kind in rows.types.items() if kind == "DOUBLE"]
    beside = replace(rows, connection=rows.connection.cursor())
    with ThreadPoolExecutor(1) as thread:
        wanted = {name: _number_of(rows, name) for name in numbers}
        coming = thread.submit(_moments, beside, wanted)
        found = kinds.kinds(rows, data)
        moments = coming.result()
    late = [name for name, one in found.items() if one.kind in ("number", "boolean")]
    others = {name: _number_of(rows, name) for name in late if name not in moments}
    return found, moments | _moments(rows, others)


def _require_type(rows: Table, name: str, types: Sequence[str], source: Source) -> None:
    ((example,),) = rows.ask(f"any_value({quoted(name)})")
    if rows.types[name] not in types or example is None:
        message = no_dates(name, rows.types[name], example)
        raise DataError(source.problem(("data", "columns", name), "D011", message))


def _moments(rows: Table, columns: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    """Rows, count, mean, variance, smallest and largest of each."""
    asked = {name: [one.format(column) for one in _MOMENTS] for name, column in columns.items()}
    return {name: tuple(moments) for name, *moments in rows.each(asked, TRAINING)}


def _number_of(rows: Table, name: str) -> str:
    column = quoted(name)
    if rows.types[name] == "VARCHAR":
        return f"CASE lower({column}) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END"
    return f"CAST(CAST({column} AS FLOAT) AS DOUBLE)"


def _number(rows: Table, name: str, one: Kinds, moments: tuple[Any, ...]) -> Number:
    every, given, mean, variance, low, high = moments
    asked = one.column.number or config.Number()
    missing = given < every
    if not given:
        return Number(name, 0.0, boolean=one.kind == "boolean")
    fill = _fill(rows, name, asked.impute, mean, missing=missing)
    if one.kind == "boolean":
        return Number(name, float(round(mean)), indicator=missing, boolean=True)
    if asked.num_bins is not None:
        return Number(name, fill, missing, boundaries=_boundaries(rows, name, asked.num_bins))
    first, second = 0.0, 1.0
    if asked.scaling == "standardize" and high > low:
        first, second = mean, variance**0.5
    elif asked.scaling == "rescale" and high > low:
        first, second = low, high - low
    second = _single(second) if second > _LEAST else 1.0
    return Number(name, _single(fill), missing, _single(first), second)


def _fill(rows: Table, name: str, impute: str | float, mean: float, *, missing: bool) -> float:
    """What stands in for a missing number: the mean where no training row misses one."""
    if not isinstance(impute, str):
        return impute
    if impute == "mean" or not missing:
        return mean
    column = _number_of(rows, name)
    asked = f"SELECT median({column}) {TRAINING}"
    if impute == "most_frequent":  # of equally frequent ones the smallest, as scikit-learn has it
        asked = (
            f"SELECT {column} AS x {TRAINING} AND {column} IS NOT NULL "
            "GROUP BY 1 ORDER BY count(*) DESC, x LIMIT 1"
        )
    ((value,),) = rows.fetch(asked)
    return float(value)


def _boundaries(rows: Table, name: str, bins: int) -> tuple[float, ...]:
    places = [place / bins for place in range(1, bins)]
    ((found,),) = rows.fetch(f"SELECT quantile_cont({_number_of(rows, name)}, {places}) {TRAINING}")
    return tuple(sorted({_single(value) for value in found}))


def _category(rows: Table, name: str, asked: config.Category) -> Category | Hashed:
    if asked.num_hashes is not None:
        return Hashed(name, asked.num_hashes)
    given = f"coalesce({quoted(name)}::VARCHAR, '')"
    found = rows.fetch(
        f"SELECT {given}, count(*) {TRAINING} GROUP BY 1 ORDER BY 2 DESC, 1 "
        f"LIMIT {asked.max_categories}"
    )
    frequent = [value for value, count in found if count >= asked.min_frequency]
    return Category(name, tuple(sorted(frequent)))


def _date(rows: Table, name: str) -> Date:
    _, given, mean, variance, low, high = _moments(rows, {name: f"({days(name)})"})[name]
    spread, centre = variance**0.5 if given and high > low else 1.0, _single(mean or 0.0)
    return Date(name, centre, centre, _single(spread) or 1.0, CYCLES[rows.types[name]])


def _text(rows: Table, name: str, asked: config.Text, source: Source) -> Text:
    given = f"coalesce({quoted(name)}::VARCHAR, '')"
    rows.connection.execute(f"SELECT {given} {TRAINING}")
    blocks = iter(lambda: rows.connection.fetchmany(_TEXTS), [])
    try:
        learnt = vectorizer.learn(
            ([value for (value,) in block] for block in blocks),
            mode="tokens" if asked.output_mode == "int" else asked.output_mode,
            max_tokens=asked.max_tokens,
            length=asked.output_sequence_length,
            ngrams=asked.ngrams,
        )
    except ValueError as error:
        message = f"column `{name}`: {error}"
        raise DataError(source.problem(("data", "columns", name), "D011", message)) from None
    return Text(name, learnt)


def _check_alone(learnt: Sequence[Prepared], source: Source) -> None:
    """Token numbers are for an Embedding, which other numbers are not for."""
    for one in learnt:
        if isinstance(one, Text) and one.vectorizer.mode == "tokens" and len(learnt) > 1:
            others = listed(other.name for other in learnt if other is not one)
            message = (
                f"column `{one.name}` becomes token numbers, which can't stand beside other "
                f"columns: drop {others}, or take another output_mode"
            )
            raise DataError(source.problem(("data", "columns", one.name), "D011", message))


def _single(value: float) -> float:
    """The nearest 32-bit number."""
    return float(np.float32(value))
