"""A table's files in, a table of typed columns in duckdb out; every fault with its line.

Columns are of five types: DOUBLE, BOOLEAN, VARCHAR, DATE and TIMESTAMP. What a cell may be is
decided once, for all rows: a text among numbers is a fault and makes no column of texts.
"""

from __future__ import annotations

import csv
import gzip
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tftrain import files
from tftrain.config import SUFFIXES, Data
from tftrain.errors import DataError, Mark, Problem, did_you_mean, first_line, listed

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
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CONVERSION = re.compile(
    r'Error when converting column "(?P<column>.*?)"\. '
    r'Could not convert string "(?P<value>.*?)" to \'(?P<type>\w+)\'',
    re.DOTALL,
)
_COLUMNS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_JSON_LINE = re.compile(r"at byte (\d+) in line (\d+): (.*)")
_WORDS = {"DOUBLE": "a number", "DATE": "a date", "TIMESTAMP": "a date and time"}


@dataclass(frozen=True)
class Table:
    """A table in duckdb, its rows in the order of the files.

    Args:
        connection: holds it under the name `data`.
        types: of each column by its name.
        rows: how many.
        source: what to call it in messages.
    """

    connection: Connection
    types: Mapping[str, Type]
    rows: int
    source: str

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


def read(source: str, data: Data, types: Mapping[str, Type] | None = None) -> Table:
    """The table that a file, or a pattern of several, holds.

    Args:
        source: a CSV, TSV, JSON lines or Parquet file, or a pattern.
        data: says what columns are, what a missing cell looks like, and what is selected.
        types: of columns, as an earlier table had them; others are found out.

    Raises:
        DataError: when a file is missing or not what its name says, with the line.
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
    with _told(source):
        connection = _connect()
        connection.execute(f"CREATE TABLE {NAME} AS SELECT * FROM {_reader(paths, data, asked)}")
    if data.query is not None:
        _select(connection, data.query)
    found = _typed(connection, asked, source)
    (rows,) = connection.execute(f"SELECT count(*) FROM {NAME}").fetchone() or (0,)
    if not rows:
        raise DataError(Problem(Mark(source), "D007", "no rows"))
    table = Table(connection, found, rows, source)
    _check_numbers(table, asked)
    return table


def _connect() -> Connection:
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


def _reader(paths: Sequence[str], data: Data, types: Mapping[str, Type]) -> str:
    """The call of duckdb that reads the files."""
    name = Path(paths[0]).name.lower().removesuffix(".gz")
    listed_paths = f"[{', '.join(map(text, paths))}]"
    if name.endswith(".parquet"):
        return f"read_parquet({listed_paths})"
    if name.endswith((".jsonl", ".ndjson")):
        return f"read_json({listed_paths}, format = 'newline_delimited')"
    header, delimiter = _header(paths[0], data)
    known = {column: kind for column, kind in types.items() if column in header}
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
        raise DataError(Problem(Mark("data.query"), "D010", _reason(error))) from None
    connection.execute(f"DROP TABLE {NAME}; ALTER TABLE selected RENAME TO {NAME}")


def _typed(connection: Connection, asked: Mapping[str, Type], source: str) -> dict[str, Type]:
    """Brings every column to one of the five types; texts that say true or false are BOOLEAN."""
    found: dict[str, Type] = {}
    for name, written, *_ in connection.execute(f"DESCRIBE {NAME}").fetchall():
        wanted = asked.get(name) or _type_of(written)
        if wanted is None:
            message = f"column `{name}` holds {written}: expected numbers, texts or dates"
            raise DataError(
                Problem(Mark(source), "D004", f"{message}; leave it out with data.query")
            )
        if wanted != written:
            _convert(connection, name, wanted, source)
        found[name] = wanted
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


def _convert(connection: Connection, name: str, wanted: Type, source: str) -> None:
    import duckdb

    column = quoted(name)
    try:
        connection.execute(f"ALTER TABLE {NAME} ALTER {column} TYPE {wanted}")
    except duckdb.Error:
        bad = connection.execute(
            f"SELECT rowid, {column}::VARCHAR FROM {NAME} "
            f"WHERE {column} IS NOT NULL AND TRY_CAST({column} AS {wanted}) IS NULL LIMIT 1"
        ).fetchone() or (0, "?")
        message = f"column `{name}`: expected {_WORDS.get(wanted, wanted)}, got `{bad[1]}`"
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


@contextmanager
def _told(source: str) -> Iterator[None]:
    """Whatever a file makes duckdb raise, as one line with the place."""
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError, EOFError, gzip.BadGzipFile, UnicodeError) as error:
        raise DataError(_problem(source, error)) from None


def _problem(source: str, error: Exception) -> Problem:
    said = str(error)
    line = _LINE.search(said)
    mark = Mark(source, int(line[1])) if line else Mark(source)
    if found := _CONVERSION.search(said):
        wanted = _WORDS.get(found["type"], found["type"])
        message = (
            f"column `{found['column']}`: expected {wanted}, as in the rows before, got "
            f"`{found['value'][:40]}`; for a column of texts set data.columns.{found['column']} to "
            "category"
        )
        return Problem(mark, "D004", message)
    if found := _COLUMNS.search(said):
        return Problem(mark, "D002", f"expected {found[1]} cells, got {found[2]}")
    if found := _JSON_LINE.search(said):
        mark = Mark(source, int(found[2]), int(found[1]))
        return Problem(mark, "D002", f"not JSON: {found[3].strip()}")
    if isinstance(error, OSError) and error.strerror:
        return Problem(mark, "D002", f"can't be read: {error.strerror}")
    return Problem(mark, "D002", f"can't be read: {_reason(error)}")


def _reason(error: Exception) -> str:
    """The first sentence of duckdb, without its kind, its advice, and the statement."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("CSV Error", "Original Line"))]
    words = said[0] if said else lines[0] if lines else type(error).__name__
    if words.endswith("CSV Error on Line: 0") or "CSV Error on Line" in words:
        words = said[1] if len(said) > 1 else words
    return first_line(ValueError(re.sub(r"^(\w+ )*Error: ", "", words)))


def require_columns(table: Table, names: Sequence[str]) -> None:
    """Sees that a table has the columns that a network was trained on.

    Raises:
        DataError: with every one that is missing.
    """
    missing = [name for name in names if name not in table.types]
    if missing:
        raise DataError(
            Problem(Mark(table.source), "D003", f"no column `{name}`{_near(name, table)}")
            for name in missing
        )


def _near(name: str, table: Table) -> str:
    return did_you_mean(name, table.types) or f"; it has {listed(table.types)}"


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
