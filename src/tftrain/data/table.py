"""A table's files in, a table of typed columns in duckdb out; every fault with its line.

Columns are of five types: DOUBLE, BOOLEAN, VARCHAR, DATE and TIMESTAMP. What a cell may be is
decided once, for all rows: a text among numbers is a fault and makes no column of texts.
"""

from __future__ import annotations

import csv
import gzip
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tftrain import files
from tftrain.config import SUFFIXES, Data
from tftrain.data.refusals import WORDS, reason, told
from tftrain.errors import DataError, Mark, Problem, did_you_mean, listed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

Type = Literal["DOUBLE", "BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP"]
NAME = "data"  # of the table, in `data.query` too
_MEMORY = "700MB"  # beyond which duckdb uses a temporary file
_DELIMITERS = ",;\t|"
_HEADER_BYTES = 1024 * 1024
_LARGEST = 3.4e38
_READ_AS: Mapping[str, Type] = {
    "number": "DOUBLE",
    "category": "VARCHAR",
    "text": "VARCHAR",
    "image": "VARCHAR",
    "boolean": "VARCHAR",
}
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*")


@dataclass(frozen=True)
class Table:
    """A table in duckdb, its rows in the order of the files.

    Args:
        connection: holds it under the name `data`.
        types: of each column by its name.
        rows: how many.
        source: what to call it in messages.
        untyped: whether all was text in the file: in CSV an id of 7 is no other than a text "7".
    """

    connection: Connection
    types: Mapping[str, Type]
    rows: int
    source: str
    untyped: bool = False

    def ask(self, select: str, where: str = "", *values: object) -> list[tuple[Any, ...]]:
        """The rows of a SELECT from the table."""
        return self.connection.execute(f"SELECT {select} FROM {NAME} {where}", values).fetchall()

    def arrays(
        self, expressions: Mapping[str, str], start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Expressions in SQL over a run of rows, as arrays by name."""
        selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in expressions.items())
        last = self.rows if stop is None else stop
        where = f"WHERE rowid >= {start} AND rowid < {last}"
        return self.connection.execute(f"SELECT {selected} FROM {NAME} {where}").fetchnumpy()

    def fail(self, code: str, message: str, row: int | None = None) -> DataError:
        """A fault of the data; rows are told as they are counted everywhere, from 0."""
        place = "" if row is None else f"row {row} (counted from 0): "
        return DataError(Problem(Mark(self.source), code, place + message))


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


class Wanted(NamedTuple):
    """The columns that are read, of all that a table may have.

    Args:
        needed: those that must be there.
        kept: those that must be there too, and stay as they came.
    """

    needed: Collection[str]
    kept: Collection[str] = ()


def read(
    source: str,
    data: Data,
    types: Mapping[str, Type] | None = None,
    wanted: Wanted | None = None,
) -> Table:
    """The table that a file, or a pattern of several, holds.

    Args:
        source: a CSV, TSV, JSON lines or Parquet file, or a pattern.
        data: says what columns are, what a missing cell looks like, and what is selected.
        types: of columns, as an earlier table had them; others are found out.
        wanted: which columns are read; all if not given. A query gets all of them.

    Raises:
        DataError: when a file is missing or not what its name says, with the line; or columns.
    """
    paths = files.matching(source)
    if not paths:
        near = files.beside(Path(source), SUFFIXES)
        raise DataError(Problem(Mark(source), "D001", f"no such file{near}"))
    asked = {
        name: _READ_AS[column.kind]
        for name, column in data.columns.items()
        if column.kind in _READ_AS
    } | dict(types or {})
    with told(source, known=types is not None):
        connection = connect()
        reader = _reader(paths, data, asked, wanted if data.query is None else None)
        selected = "*"
        if wanted is not None and data.query is None:
            selected = _selected(columns(connection, reader), wanted, source)
        connection.execute(f"CREATE TABLE {NAME} AS SELECT {selected} FROM {reader}")
    if data.query is not None:
        _select(connection, data.query)
    found = _typed(connection, asked, source, wanted)
    (rows,) = connection.execute(f"SELECT count(*) FROM {NAME}").fetchone() or (0,)
    if not rows:
        raise DataError(Problem(Mark(source), "D007", "no rows"))
    table = Table(connection, found, rows, source, untyped=reader.startswith("read_csv"))
    _check_numbers(table, asked)
    return table


def connect() -> Connection:
    """An empty database that stays within its memory and loads no extension."""
    import duckdb  # 50 ms that other sources need not wait for

    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": _MEMORY,
            "temp_directory": tempfile.gettempdir(),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )


def columns(connection: Connection, relation: str = NAME) -> dict[str, str]:
    """The columns of a table, or of whatever can stand behind FROM, with duckdb's types."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _selected(there: Collection[str], wanted: Wanted, source: str) -> str:
    _require(there, [*wanted.needed, *wanted.kept], source)
    return ", ".join(map(quoted, dict.fromkeys([*wanted.needed, *wanted.kept])))


def _reader(
    paths: Sequence[str], data: Data, types: Mapping[str, Type], wanted: Wanted | None
) -> str:
    """The call of duckdb that reads the files."""
    name = Path(paths[0]).name.lower().removesuffix(".gz")
    listed_paths = f"[{', '.join(map(text, paths))}]"
    if name.endswith(".parquet"):
        return f"read_parquet({listed_paths})"
    if name.endswith((".jsonl", ".ndjson")):
        return f"read_json({listed_paths}, format = 'newline_delimited')"
    header, delimiter = _header(paths[0], data)
    known = {column: kind for column, kind in types.items() if column in header}
    if wanted is not None:  # the cells of all others are left unread
        known |= dict.fromkeys({*header} - {*types} - {*wanted.needed}, "VARCHAR")
    given = ", ".join(f"{text(column)}: '{kind}'" for column, kind in known.items())
    return (
        f"read_csv({listed_paths}, header = true, delim = {text(delimiter)}, quote = '\"', "
        f"escape = '\"', encoding = '{data.encoding}', "
        f"nullstr = [{', '.join(map(text, ['', *data.missing]))}], "
        "auto_type_candidates = ['DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']"
        f"{f', types = {{{given}}}' if given else ''})"
    )


def _header(path: str, data: Data) -> tuple[list[str], str]:
    """The names of a CSV file's columns, and what stands between them."""
    opened = gzip.open if path.endswith(".gz") else open
    try:
        with opened(
            path, "rt", encoding=data.encoding.replace("utf-8", "utf-8-sig"), newline=""
        ) as file:
            line = file.readline(_HEADER_BYTES)
    except UnicodeError:
        raise DataError(Problem(Mark(path, 1), "D002", _not_decoded(data.encoding))) from None
    delimiter = max(_DELIMITERS, key=line.count)
    if path.lower().removesuffix(".gz").endswith(".tsv"):
        delimiter = "\t"
    names = next(csv.reader([line], delimiter=delimiter), [])
    mark = Mark(path, 1)
    if not names:
        raise DataError(Problem(mark, "D002", "it is empty: expected a line of column names"))
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise DataError(Problem(mark, "D002", f"two columns are called `{twice}`"))
    if "" in names:
        message = f"column {names.index('') + 1} has no name"
        raise DataError(Problem(mark, "D002", message))
    return names, delimiter


def _not_decoded(encoding: str) -> str:
    other = "latin-1" if encoding != "latin-1" else "utf-8"
    return f"not {encoding.upper()}: if it is another encoding, set data.encoding, as {other}"


def _select(connection: Connection, query: str) -> None:
    """Puts what a query selects in the table's place; it reaches the table and nothing else."""
    import duckdb

    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    try:
        statements = connection.extract_statements(query)
        if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
            raise DataError(Problem(Mark("data.query"), "D010", "expected one SELECT"))
        body = query.strip().removesuffix(";")
        connection.execute(f"CREATE TABLE selected AS ({body})")
    except duckdb.Error as error:
        raise DataError(Problem(Mark("data.query"), "D010", reason(error))) from None
    connection.execute(f"DROP TABLE {NAME}; ALTER TABLE selected RENAME TO {NAME}")


def _typed(
    connection: Connection, asked: Mapping[str, Type], source: str, wanted: Wanted | None
) -> dict[str, Type]:
    """Brings every column that isn't only kept to one of the five types."""
    found: dict[str, Type] = {}
    there = columns(connection)
    if wanted is not None:
        _require(there, [*wanted.needed, *wanted.kept], source)
        there = {name: kind for name, kind in there.items() if name in wanted.needed}
    for name, written in there.items():
        kind = asked.get(name) or _type_of(written)
        if kind is None:
            message = f"column `{name}` holds {written}: expected numbers, texts or dates"
            raise DataError(
                Problem(Mark(source), "D004", f"{message}; leave it out with data.query")
            )
        if kind != written:
            _convert(connection, name, written, kind, source)
        found[name] = kind
    return found


def _type_of(written: str) -> Type | None:
    if _NUMBERS.fullmatch(written):
        return "DOUBLE"
    if written.startswith("TIMESTAMP"):
        return "TIMESTAMP"
    for plain in ("BOOLEAN", "VARCHAR", "DATE"):
        if written == plain:
            return plain
    return "VARCHAR" if written in ("UUID", "TIME") or written.startswith("ENUM") else None


def _convert(connection: Connection, name: str, written: str, wanted: Type, source: str) -> None:
    import duckdb

    column = quoted(name)
    try:
        value = f"{column} ->> '$'" if written == "JSON" else column  # a text without its quotes
        alter = f"ALTER TABLE {NAME} ALTER {column} TYPE {wanted}"
        connection.execute(f"{alter} USING CAST({value} AS {wanted})")
    except duckdb.Error:
        bad = connection.execute(
            f"SELECT rowid, {column}::VARCHAR FROM {NAME} "
            f"WHERE {column} IS NOT NULL AND TRY_CAST({column} AS {wanted}) IS NULL LIMIT 1"
        ).fetchone() or (0, "?")
        message = f"column `{name}`: expected {WORDS.get(wanted, wanted)}, got `{bad[1]}`"
        place = f"row {bad[0]} (counted from 0): "
        raise DataError(Problem(Mark(source), "D004", place + message)) from None


def _check_numbers(table: Table, asked: Mapping[str, Type]) -> None:
    """No infinity, no text among numbers; NaN is a missing number."""
    problems: list[Problem] = []
    numbers = [name for name, kind in table.types.items() if kind == "DOUBLE"]
    checks = [
        f"bool_or(isnan({column})), bool_or(abs({column}) > {_LARGEST} AND NOT isnan({column}))"
        for column in map(quoted, numbers)
    ]
    found = iter(table.ask(", ".join(checks))[0] if checks else ())
    for name, (nan, large) in zip(numbers, zip(found, found, strict=True), strict=True):
        column = quoted(name)
        if nan:
            table.connection.execute(f"UPDATE {NAME} SET {column} = NULL WHERE isnan({column})")
        if large:
            where = f"WHERE abs({column}) > {_LARGEST} LIMIT 1"
            row, value = table.ask(f"rowid, {column}", where)[0]
            message = f"column `{name}` is {value:g}: expected a finite number of 32 bits"
            problems += table.fail("D005", message, row).problems
    for name, kind in table.types.items():
        if kind == "VARCHAR" and name not in asked:
            problems += _numbers_and_texts(table, name)
    if problems:
        raise DataError(problems)


def _numbers_and_texts(table: Table, name: str) -> tuple[Problem, ...]:
    """A column of numbers with a few texts in it."""
    column = quoted(name)
    number = f"TRY_CAST({column} AS DOUBLE)"
    ((given, numbers, distinct),) = table.ask(
        f"count({column}), count({number}), approx_count_distinct({number})"
    )
    few = given - numbers
    if not few or numbers < 0.9 * given or distinct < 3:  # noqa: PLR2004
        return ()
    row, value = table.ask(f"rowid, {column}", f"WHERE {column} IS NOT NULL AND {number} IS NULL")[
        0
    ]
    message = (
        f"column `{name}` holds numbers, but here `{value}` ({few} such cells); if it means that "
        f'one is missing, set data.missing: ["{value}"], or data.columns.{name} to category'
    )
    return table.fail("D004", message, row).problems


def require_columns(table: Table, names: Sequence[str]) -> None:
    """Sees that a table has the columns that a network was trained on.

    Raises:
        DataError: with every one that is missing.
    """
    _require(table.types, names, table.source)


def _require(there: Collection[str], names: Sequence[str], source: str) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in there]
    if missing:
        raise DataError(
            Problem(
                Mark(source),
                "D003",
                f"no column `{name}`{did_you_mean(name, there) or f'; it has {listed(there)}'}",
            )
            for name in missing
        )


def mask(table: Table, rows: NDArray[np.int64]) -> None:
    """Names some rows: `train.column0` is true for them, side by side with the table's."""
    import duckdb

    chosen = np.zeros(table.rows, bool)
    chosen[rows] = True
    make = "CREATE OR REPLACE TABLE train AS SELECT"
    try:
        table.connection.execute(f"{make} * FROM chosen")
    except duckdb.CatalogException:  # after a query no variable of Python is in reach either
        flags = [chosen.tolist()]
        table.connection.execute(f"{make} unnest($1::BOOLEAN[]) AS column0", flags)
