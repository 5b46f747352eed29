"""A table's files in, a table of typed columns in duckdb out; every fault with its line.

Columns are of five types: DOUBLE, BOOLEAN, VARCHAR, DATE and TIMESTAMP.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tftrain import files
from tftrain.config import SUFFIXES, Data
from tftrain.data.table import cells, reading, sql
from tftrain.data.table.cells import Type
from tftrain.data.table.reading import Reader
from tftrain.data.table.refusals import NAMED, TRAINED, guarded, not_converted, reason, told
from tftrain.data.table.sql import CHOSEN, NAME, QUERY, each, quoted, text
from tftrain.errors import DataError, Mark, Problem, did_you_mean, listed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = [
    "NAME",
    "QUERY",
    "Table",
    "Type",
    "Wanted",
    "connect",
    "described",
    "mask",
    "quoted",
    "read",
    "require_columns",
    "text",
]

_MEMORY = "700MB"  # beyond which duckdb uses a temporary file
_READ_AS: Mapping[str, Type] = {
    "number": "DOUBLE",
    "category": "VARCHAR",
    "text": "VARCHAR",
    "image": "VARCHAR",
    "boolean": "VARCHAR",
}


@dataclass(frozen=True)
class Table:
    """A table in duckdb, its rows in the order of the files.

    Args:
        connection: holds it under the name `data`.
        types: of each column by its name.
        rows: how many.
        source: what to call it in messages.
        untyped: whether all was text in the file: in CSV an id of 7 is no other than a text "7".
        queried: whether the rows are those that `data.query` selects, and not the file's.
    """

    connection: Connection
    types: Mapping[str, Type]
    rows: int
    source: str
    untyped: bool = False
    queried: bool = False

    def ask(self, select: str, where: str = "", *values: object) -> list[tuple[Any, ...]]:
        """The rows of a SELECT from the table."""
        return self.fetch(f"SELECT {select} FROM {NAME} {where}", *values)

    def fetch(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that any statement gives; a fault of the data where duckdb refuses."""
        with guarded(self.source):
            return self.connection.execute(statement, values).fetchall()

    def each(
        self, asked: Mapping[str, Sequence[str]], rows: str = f"FROM {NAME}"
    ) -> Iterator[tuple[Any, ...]]:
        """Each column's name and the aggregates that are asked of it, of the rows behind FROM."""
        return each(self.fetch, asked, rows)

    def fetch_arrays(self, statement: str) -> dict[str, NDArray[Any]]:
        """As `fetch`, column by column."""
        with guarded(self.source):
            return self.connection.execute(statement).fetchnumpy()

    def arrays(
        self, expressions: Mapping[str, str], start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Expressions in SQL over a run of rows, as arrays by name."""
        selected = ", ".join(
            f"{sql} AS {quoted(f'{CHOSEN} {place}')}"  # duckdb cuts a name at its first NUL
            for place, sql in enumerate(expressions.values())
        )
        last = self.rows if stop is None else stop
        where = f"WHERE rowid >= {start} AND rowid < {last}"
        found = self.fetch_arrays(f"SELECT {selected} FROM {NAME} {where}")
        return dict(zip(expressions, found.values(), strict=True))

    def close(self) -> None:
        """Gives memory and temporary files back."""
        self.connection.close()

    def fail(self, code: str, message: str, row: int | None = None) -> DataError:
        """A fault of the data; rows are told as they are counted everywhere, from 0."""
        return DataError(cells.fault(self.source, code, message, row, queried=self.queried))


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
    known = types is not None
    whence = dict.fromkeys(data.columns, NAMED) | dict.fromkeys(types or (), TRAINED)
    with told(source, whence, data.encoding):
        connection = connect()
        try:
            reader = _create(connection, paths, data, asked, wanted, known=known)
            return _table(connection, reader, data, asked, source, wanted=wanted)
        except BaseException:
            connection.close()
            raise


def _create(
    connection: Connection,
    paths: Sequence[str],
    data: Data,
    asked: Mapping[str, Type],
    wanted: Wanted | None,
    *,
    known: bool,
) -> Reader:
    """Reads files into the table, and puts what the query selects in its place."""
    import duckdb

    picked = wanted if data.query is None else None
    only = None if picked is None else [*picked.needed]
    reader = reading.reader(paths, data, asked, only=only, known=known)
    try:
        selected = "*"
        if picked is not None:
            selected = _selected(described(connection, reader.call), picked, paths[0])
        connection.execute(f"CREATE TABLE {NAME} AS SELECT {selected} FROM {reader.call}")
    except duckdb.Error as error:
        name = not_converted(error)
        if data.query is not None and asked.get(name, "VARCHAR") != "VARCHAR":
            texts: dict[str, Type] = {**asked, name: "VARCHAR"}  # the query may make others of them
            return _create(connection, paths, data, texts, wanted, known=known)
        reading.explain(connection, reader, paths, error)
        raise
    if not reader.untyped:
        _forget(connection, data.missing)
    if data.query is not None:
        _require_rows(connection, Mark(paths[0]), "no rows")
        _select(connection, data.query)
        _require_rows(connection, Mark(QUERY), f"it selects no row of {paths[0]}")
    return reader


def _forget(connection: Connection, missing: Sequence[str]) -> None:
    """Empties the cells that mean a missing one, as the reader of CSV files does by itself."""
    texts = ", ".join(map(text, missing))
    for name, kind in described(connection).items() if missing else ():
        column = quoted(name)
        if kind in ("VARCHAR", "JSON"):
            cell = column if kind == "VARCHAR" else f"({column} ->> '$')"
            said = f"{cell} IN ({texts})"
        elif kind.startswith(("DATE", "TIMESTAMP")):
            said = f"{column}::VARCHAR IN ({texts})"
        elif cells.is_number(kind):
            said = f"{column} IN (SELECT TRY_CAST(unnest([{texts}]) AS DOUBLE))"
        else:
            continue
        connection.execute(f"UPDATE {NAME} SET {column} = NULL WHERE {said}")
        numbers = f"bool_and(TRY_CAST({column} AS DOUBLE) IS NOT NULL AND json_type({column}) <> "
        if kind == "JSON" and connection.execute(
            f"SELECT {numbers}'VARCHAR') FROM {NAME} WHERE {column} IS NOT NULL"
        ).fetchone() == (True,):
            connection.execute(f"ALTER TABLE {NAME} ALTER {column} TYPE DOUBLE")


def _table(
    connection: Connection,
    reader: Reader,
    data: Data,
    asked: Mapping[str, Type],
    source: str,
    *,
    wanted: Wanted | None,
) -> Table:
    """The table that was read, with the types that it has in the end."""
    there = described(connection)
    if wanted is not None:
        _require(there, [*wanted.needed, *wanted.kept], source, data.query)
        there = {name: kind for name, kind in there.items() if name in wanted.needed}
    rows = _require_rows(connection, Mark(source), "no rows")
    found = cells.typed(connection, there, asked, data, source)
    queried = data.query is not None
    return Table(connection, found, rows, source, untyped=reader.untyped, queried=queried)


def _require_rows(connection: Connection, mark: Mark, message: str) -> int:
    """How many rows the table has."""
    (rows,) = connection.execute(f"SELECT count(*) FROM {NAME}").fetchone() or (0,)
    if not rows:
        raise DataError(Problem(mark, "D007", message))
    return int(rows)


def connect(memory: str = _MEMORY) -> Connection:
    """An empty database that stays within its memory and loads no extension."""
    import duckdb  # 50 ms that other sources need not wait for

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            # a folder of its own, which duckdb makes when it needs it and removes in the end
            "temp_directory": f"{tempfile.gettempdir()}/tftrain-{secrets.token_hex(8)}",
            "max_temp_directory_size": "32GB",  # a query without end must not fill the disk
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    connection.execute("SET enable_progress_bar = false")  # stdout is for the predictions
    connection.execute("SET TimeZone = 'UTC'")  # times with a zone are the same everywhere
    return connection


def described(connection: Connection, relation: str = NAME) -> dict[str, str]:
    """The columns of a table, or of whatever can stand behind FROM, with duckdb's types."""
    found = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {name: kind for name, kind, *_ in found}


def _selected(there: Mapping[str, str], wanted: Wanted, source: str) -> str:
    if there == {"json": "JSON"}:  # of a file of JSON lines that has none
        raise DataError(Problem(Mark(source), "D007", "no rows"))
    _require(there, [*wanted.needed, *wanted.kept], source)
    return ", ".join(map(quoted, dict.fromkeys([*wanted.needed, *wanted.kept])))


def _select(connection: Connection, query: str) -> None:
    """Puts what a query selects in the table's place; it reaches the table and nothing else."""
    import duckdb

    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    try:
        statements = connection.extract_statements(query)
        if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
            raise DataError(Problem(Mark(QUERY), "D010", "expected one SELECT"))
        if found := sql.not_repeated(query):
            message = f"`{found}` gives other rows every time, and no run could be repeated: "
            raise DataError(Problem(Mark(QUERY), "D010", f"{message}take hash of a column"))
        body = query.strip().removesuffix(";")
        _run(connection, f"CREATE TABLE selected AS (\n{body}\n)")  # it may end in a comment
    except duckdb.Error as error:
        raise DataError(Problem(Mark(QUERY), "D010", reason(error))) from None
    connection.execute(f"DROP TABLE {NAME}; ALTER TABLE selected RENAME TO {NAME}")


def _run(connection: Connection, statement: str) -> None:
    """Runs what may take for ever: in a thread, for signals are heard in the main one alone."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.execute, statement)
        try:
            running.result()
        except BaseException:
            connection.interrupt()
            raise


def require_columns(table: Table, names: Sequence[str]) -> None:
    """Sees that a table has the columns that a network was trained on.

    Raises:
        DataError: with every one that is missing.
    """
    _require(table.types, names, table.source)


def _require(
    there: Collection[str], names: Sequence[str], source: str, query: str | None = None
) -> None:
    what = "no column" if query is None else f"{QUERY} gives no column"
    missing = [name for name in dict.fromkeys(names) if name not in there]
    if missing:
        raise DataError(
            Problem(
                Mark(source),
                "D003",
                f"{what} `{name}`{did_you_mean(name, there) or f'; it has {listed(there)}'}",
            )
            for name in missing
        )


def mask(table: Table, rows: NDArray[np.int64]) -> None:
    """Names some rows: `CHOSEN` of `train`, which lies side by side with `data`, is true."""
    import duckdb

    chosen = np.zeros(table.rows, bool)
    chosen[rows] = True
    make = "CREATE OR REPLACE TABLE train AS SELECT"
    with guarded(table.source):
        try:
            table.connection.execute(f"{make} column0 AS {quoted(CHOSEN)} FROM chosen")
        except duckdb.CatalogException:  # after a query no variable of Python is in reach either
            flags = [chosen.tolist()]
            table.connection.execute(f"{make} unnest($1::BOOLEAN[]) AS {quoted(CHOSEN)}", flags)
