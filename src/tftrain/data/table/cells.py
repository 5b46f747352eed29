"""A table of any types in duckdb in, one of five types out; every cell that is none of them told.

What a cell may be is decided once, for all rows: a text among numbers, or among dates, is a fault
and makes no column of texts. The table is called `data`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tftrain.config import Data
from tftrain.data.table.reading import MOST_COLUMNS, is_code, too_many
from tftrain.data.table.refusals import WORDS, among, held
from tftrain.data.table.sql import NAME, QUERY, each, quoted
from tftrain.errors import DataError, Mark, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

Type = Literal["DOUBLE", "BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP"]
_LARGEST = 3.4e38
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*")
HEAD = 2000  # rows by which a column of texts is taken for one of dates, for now
_MOST = 0.9  # of the cells are numbers, or dates: then the others are faults
_FEWEST = 3  # different numbers, before a text among them is a fault
_DAY = len("2021-12-31")


def typed(
    connection: Connection,
    there: Mapping[str, str],
    asked: Mapping[str, Type],
    data: Data,
    source: str,
) -> dict[str, Type]:
    """Brings columns to one of the five types.

    Args:
        connection: holds the table.
        there: the columns and their types in duckdb.
        asked: types that columns must have.
        data: the config's section.
        source: what to call the table in messages.

    Raises:
        DataError: when a cell, or a whole column, can't have its type.
    """
    if len(there) > MOST_COLUMNS:
        raise DataError(Problem(Mark(source), "D004", too_many(len(there))))
    cells = _Cells(connection, data, source)
    cells.check_names(there)
    found: dict[str, Type] = {}
    for name, written in there.items():
        found[name] = asked.get(name) or cells.type_of(name, written)
        if found[name] != written:
            cells.convert(name, written, found[name])
    cells.check_texts([name for name, kind in found.items() if kind == "VARCHAR"])
    free = [name for name, kind in found.items() if kind == "VARCHAR" and name not in asked]
    found |= cells.dates(free)
    cells.check(found, asked)
    return found


def fault(source: str, code: str, message: str, row: int | None, *, queried: bool) -> Problem:
    """A fault of a table, with the row as it is counted there or in what a query makes of it."""
    rows = f" of {QUERY}" if queried else ""
    place = "" if row is None else f"row {row}{rows} (counted from 0): "
    return Problem(Mark(source), code, place + message)


def is_number(kind: str) -> bool:
    """Whether one of duckdb's types is one of numbers."""
    return bool(_NUMBERS.fullmatch(kind))


class _Cells:
    """Questions about a table's cells."""

    def __init__(self, connection: Connection, data: Data, source: str) -> None:
        self._connection = connection
        self._data = data
        self._source = source

    def _ask(self, select: str, where: str = "") -> tuple[Any, ...]:
        return self._connection.execute(f"SELECT {select} FROM {NAME} {where}").fetchone() or ()

    def _each(
        self, names: Sequence[str], *asked: Callable[[str], str], rows: str = NAME
    ) -> Iterator[tuple[Any, ...]]:
        """Each name with aggregates of its column."""
        aggregates = {name: [one(quoted(name)) for one in asked] for name in names}
        return each(self._fetch, aggregates, f"FROM {rows}")

    def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement).fetchall()

    def _fault(self, code: str, message: str, row: int | None = None) -> Problem:
        return fault(self._source, code, message, row, queried=self._data.query is not None)

    def check_names(self, names: Mapping[str, str]) -> None:
        for name in names:
            if name.lower() == "rowid":
                message = (
                    f"a column is called `{name}`, as SQL calls the rows' numbers: rename it, or "
                    f"set data.query to SELECT * RENAME ({quoted(name)} AS row_id) FROM {NAME}"
                )
                raise DataError(self._fault("D004", message))

    def type_of(self, name: str, written: str) -> Type:
        """The type that is nearest to one of duckdb's."""
        if is_number(written):
            return "VARCHAR" if is_code(name, self._data) and written != "DOUBLE" else "DOUBLE"
        if written.startswith("TIMESTAMP"):
            return "TIMESTAMP"
        for plain in ("BOOLEAN", "VARCHAR", "DATE"):
            if written == plain:
                return plain
        if written in ("UUID", "TIME") or written.startswith("ENUM"):
            return "VARCHAR"
        if written == "JSON" and not self._nested(name):
            return "VARCHAR"
        message = f"column `{name}` holds {held(written)}: expected numbers, texts or dates"
        raise DataError(self._fault("D004", f"{message}; leave it out with data.query"))

    def _nested(self, name: str) -> bool:
        (nested,) = self._ask(f"bool_or(json_type({quoted(name)}) IN ('OBJECT', 'ARRAY'))")
        return bool(nested)

    def convert(self, name: str, written: str, wanted: Type) -> None:
        column = quoted(name)
        value = f"{column} ->> '$'" if written == "JSON" else column  # a text without its quotes
        tried = f"TRY_CAST({value} AS {wanted})"
        if wanted in ("DATE", "TIMESTAMP") and written in ("VARCHAR", "JSON"):
            tried = f"CAST({as_date(value)} AS {wanted})"
        where = f"WHERE {value} IS NOT NULL AND {tried} IS NULL LIMIT 1"
        if bad := self._ask(f"rowid, {value}::VARCHAR", where):
            message = f"column `{name}`: expected {WORDS.get(wanted, wanted)}, got `{bad[1][:40]}`"
            raise DataError(self._fault("D004", message, bad[0]))
        self._connection.execute(f"ALTER TABLE {NAME} ALTER {column} TYPE {wanted} USING {tried}")

    def check_texts(self, names: Sequence[str]) -> None:
        """No NUL, which ends texts in much that they pass through later."""
        for name, bad in self._each(names, "bool_or(contains({}, chr(0)))".format):
            if bad:
                (row,) = self._ask("rowid", f"WHERE contains({quoted(name)}, chr(0)) LIMIT 1")
                message = f"column `{name}` holds a NUL character: is the file damaged?"
                raise DataError(self._fault("D004", message, row))

    def dates(self, names: Sequence[str]) -> dict[str, Type]:
        """Makes dates of texts that all are such; only 2021-12-31, and with a time behind it.

        duckdb would guess from each file anew whether 03/04/2021 is in March or in April.
        """
        found: dict[str, Type] = {}
        for name in self._perhaps_dates(names):
            column = quoted(name)
            date = as_date(column)
            given, dates, days = self._ask(
                f"count({column}), count({date}), bool_and(length({column}) <= {_DAY})"
            )
            if dates == given:
                found[name] = "DATE" if days else "TIMESTAMP"
                self.convert(name, "VARCHAR", found[name])
            elif dates >= _MOST * given:
                where = f"WHERE {column} IS NOT NULL AND {date} IS NULL LIMIT 1"
                row, value = self._ask(f"rowid, {column}", where)
                message = among("DATE", name, value, given - dates)
                raise DataError(self._fault("D004", message, row))
        return found

    def _perhaps_dates(self, names: Sequence[str]) -> Iterator[str]:
        head = f"(SELECT * FROM {NAME} LIMIT {HEAD})"
        for name, given, dates in self._each(
            names, "count({})".format, lambda column: f"count({as_date(column)})", rows=head
        ):
            if given and dates >= _MOST * given:
                yield name

    def check(self, types: Mapping[str, Type], asked: Mapping[str, Type]) -> None:
        """No infinity, no text among numbers; NaN is a missing number."""
        problems = [
            *self._not_finite([name for name, kind in types.items() if kind == "DOUBLE"]),
            *self._no_years(
                [name for name, kind in types.items() if kind in ("DATE", "TIMESTAMP")]
            ),
        ]
        free = [name for name, kind in types.items() if kind == "VARCHAR" and name not in asked]
        problems += self._numbers_and_texts(
            [name for name in free if not is_code(name, self._data)]
        )
        if problems:
            raise DataError(problems)

    def _not_finite(self, names: Sequence[str]) -> Iterator[Problem]:
        for name, nan, large in self._each(
            names,
            "bool_or(isnan({}))".format,
            f"bool_or(abs({{0}}) > {_LARGEST} AND NOT isnan({{0}}))".format,
        ):
            column = quoted(name)
            if nan:
                self._connection.execute(f"UPDATE {NAME} SET {column} = NULL WHERE isnan({column})")
            if large:
                where = f"WHERE abs({column}) > {_LARGEST} LIMIT 1"
                row, value = self._ask(f"rowid, {column}", where)
                message = f"column `{name}` is {value:g}: expected a finite number of 32 bits"
                yield self._fault("D005", message, row)

    def _no_years(self, names: Sequence[str]) -> Iterator[Problem]:
        """Of dates that came as dates: `infinity`, and years that no calendar has."""
        for name in names:
            column = quoted(name)
            bad = f"NOT isfinite({column}) OR year({column}) NOT BETWEEN 1 AND 9999"
            if found := self._ask(f"rowid, {column}::VARCHAR", f"WHERE {bad} LIMIT 1"):
                message = f"column `{name}` is {found[1]}: expected a date of the years 1 to 9999"
                yield self._fault("D005", message, found[0])

    def _numbers_and_texts(self, names: Sequence[str]) -> Iterator[Problem]:
        """Columns of numbers with a few texts in them."""
        for name, given, numbers, distinct in self._each(
            names,
            "count({})".format,
            "count(TRY_CAST({} AS DOUBLE))".format,
            "approx_count_distinct(TRY_CAST({} AS DOUBLE))".format,
        ):
            if numbers == given or numbers < _MOST * given or distinct < _FEWEST:
                continue
            column = quoted(name)
            where = f"WHERE {column} IS NOT NULL AND TRY_CAST({column} AS DOUBLE) IS NULL LIMIT 1"
            row, value = self._ask(f"rowid, {column}", where)
            yield self._fault("D004", among("DOUBLE", name, value, given - numbers), row)


def as_date(text: str) -> str:
    """A text as a point in time in UTC, in SQL; NULL where it isn't one of a usual year."""
    usual = f"regexp_matches({text}, '^[0-9]{{4}}[-/][0-9]{{1,2}}[-/][0-9]')"
    return f"CASE WHEN {usual} THEN TRY_CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP) END"
