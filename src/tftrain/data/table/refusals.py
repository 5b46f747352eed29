"""What duckdb says when it refuses a file or a query in, one line with its place out."""

from __future__ import annotations

import errno
import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from tftrain import stopping
from tftrain.errors import DataError, Mark, Problem, first_line

WORDS: Mapping[str, str] = {
    "DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "VARCHAR": "a text",
    "DATE": "a date such as 2021-12-31",
    "TIMESTAMP": "a date and time such as 2021-12-31 23:59:59",
}
_HELD: Mapping[re.Pattern[str], str] = {
    re.compile(kind): words
    for kind, words in {
        r".*\[\d*\]": "lists",
        r"STRUCT.*": "structures",
        r"MAP.*": "maps",
        r"BLOB": "bytes",
        r"JSON": "objects or lists",
        r"INTERVAL": "spans of time",
        r"DOUBLE": "numbers",
        r"BOOLEAN": "true and false",
        r"VARCHAR": "texts",
        r"DATE|TIMESTAMP": "dates",
    }.items()
}
OTHERS, NAMED, TRAINED = "as in other rows", "as data.columns says", "as in training"
_NOWHERE: Mapping[str, str] = MappingProxyType({})
_IN_SQL = {
    "DOUBLE": "number",
    "FLOAT": "number",
    "BIGINT": "whole number",
    "INTEGER": "whole number",
    "INT64": "whole number",
    "INT32": "whole number",
    "VARCHAR": "text",
    "TIMESTAMP": "date and time",
}
_TYPE = re.compile(rf"(?<![\"'\w])({'|'.join(_IN_SQL)})(?![\"'\w])")
_FILE = re.compile(r"^  file = (.+)$", re.MULTILINE)
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CONVERSION = re.compile(
    r'Error when converting column "(?P<column>.*?)"\. '
    r'Could not convert string "(?P<value>.*?)" to \'(?P<type>\w+)\'',
    re.DOTALL,
)
_COLUMNS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_JSON_LINE = re.compile(r"at byte (\d+) in line (\d+): (.*)")
_JSON_VALUE = re.compile(r"in line (\d+): (.*)")
_JSON_TWICE = re.compile(r'in line (\d+): .* has duplicate key "(.*)"')
_MEANT: Mapping[re.Pattern[str], str] = {
    re.compile(said): meant
    for said, meant in {
        "unterminated quote": "a quote that opens in this row is never closed",
        "Maximum line size|support a full read": "a line of more than 2 MB: is a quote never "
        "closed?",
        "invalid state|when sniffing": "can't be read: some lines end in CR LF and some in LF, or "
        "a quote stands within a cell",
        "magic bytes|Footer length|Parquet file|parquet metadata|TProtocol|deserialize": "can't be "
        "read: not a whole Parquet file",
        "failed to allocate|Out of Memory|could not allocate": "can't be read: it takes more "
        "memory than tftrain gives a table (700 MB); leave columns out, or take fewer rows",
        "Schema mismatch|schema mismatch": "can't be read: its files hold different columns, or "
        "columns of different kinds",
        "max_temp_directory_size|No space left": "can't be read: no room on the disk for what it "
        "takes beyond memory",
    }.items()
}


@contextmanager
def told(
    source: str, whence: Mapping[str, str] = _NOWHERE, encoding: str = "utf-8"
) -> Iterator[None]:
    """Whatever a file makes duckdb raise, as one line with the place.

    Args:
        source: the file.
        whence: a column's type is known, where it isn't from its other rows: `as in training`.
        encoding: of the file, as the config says.
    """
    with guarded(source):
        try:
            yield
        except (OSError, EOFError, gzip.BadGzipFile, UnicodeError) as error:
            raise DataError(_problem(source, error, encoding, whence)) from None
        except Exception as error:
            if not _of_duckdb(error):
                raise
            raise DataError(_problem(source, error, encoding, whence)) from None


@contextmanager
def guarded(source: str) -> Iterator[None]:
    """Whatever duckdb raises later, when it works with the rows that it has read."""
    with _interruptible():
        try:
            yield
        except Exception as error:
            if not _of_duckdb(error):
                raise
            raise DataError(_problem(source, error)) from None


@contextmanager
def writing() -> Iterator[None]:
    """Whatever duckdb raises when it makes a file, as the storage's refusal."""
    with _interruptible():
        try:
            yield
        except Exception as error:
            if not _of_duckdb(error):
                raise
            raise OSError(errno.EIO, reason(error)) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """What a signal's handler raises in a query duckdb replaces by an exception of its own."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            stopping.check()
            raise KeyboardInterrupt from None
        raise


def _of_duckdb(error: Exception) -> bool:
    """Whether it is one of duckdb's, which may never have been imported."""
    return any("duckdb" in kind.__module__ for kind in type(error).__mro__)


def not_decoded(encoding: str) -> str:
    """What is said of a file whose characters are written in another way."""
    other = "latin-1" if encoding != "latin-1" else "utf-8"
    return f"not {encoding.upper()}: if it is another encoding, set data.encoding, as {other}"


def _problem(
    source: str,
    error: Exception,
    encoding: str = "utf-8",
    whence: Mapping[str, str] = _NOWHERE,
) -> Problem:
    said = str(error)
    file = _FILE.search(said)
    line = _LINE.search(said)
    mark = Mark(file[1] if file else source, int(line[1]) if line else None)
    if found := _CONVERSION.search(said):
        return Problem(mark, "D004", _not_converted(found, whence))
    if found := _COLUMNS.search(said):
        message = f"expected {found[1]} cells, as there are names of columns, got {found[2]}"
        return Problem(mark, "D002", message)
    if "Invalid unicode" in said:
        return Problem(mark, "D002", not_decoded(encoding))
    for pattern, meant in _MEANT.items():
        if pattern.search(said):
            return Problem(mark, "D002", meant)
    words = error.strerror if isinstance(error, OSError) else None
    return _of_json(source, said) or Problem(
        mark, "D002", f"can't be read: {words or reason(error)}"
    )


def _of_json(source: str, said: str) -> Problem | None:
    if found := _JSON_LINE.search(said):
        mark = Mark(source, int(found[2]), int(found[1]))
        return Problem(mark, "D002", f"not JSON: {found[3].strip()}")
    if found := _JSON_TWICE.search(said):
        return Problem(Mark(source, int(found[1])), "D002", f"the key `{found[2]}` twice")
    if found := _JSON_VALUE.search(said):
        mark = Mark(source, int(found[1]))
        return Problem(mark, "D004", f"not as in other rows: {found[2].strip()}")
    return None


def not_converted(error: Exception) -> str:
    """The column of which a cell isn't of the type that was asked for; empty for other faults."""
    found = _CONVERSION.search(str(error))
    return found["column"] if found else ""


def _not_converted(found: re.Match[str], whence: Mapping[str, str]) -> str:
    name, value = found["column"], found["value"]
    why = whence.get(name, OTHERS)
    if why != TRAINED:
        return among(found["type"], name, value, why=why)
    wanted = WORDS.get(found["type"], found["type"])
    return f"column `{name}`: expected {wanted}, {TRAINED}, got `{value[:40]}`"


def among(kind: str, name: str, value: str, cells: int | None = None, *, why: str = OTHERS) -> str:
    """What is said of a text among numbers, or among dates.

    Args:
        kind: what the column holds otherwise, as duckdb calls it.
        name: of the column.
        value: the first such text.
        cells: how many there are, if that is known.
        why: the column is to hold that.
    """
    count = "" if cells is None else f" ({cells:,} such cell{'s' * (cells != 1)})"
    return (
        f"column `{name}`: expected {WORDS.get(kind, kind)}, {why}, got "
        f"`{value[:40]}`{count}; if it means that one is missing, set data.missing: "
        f'["{value[:40]}"]; for a column of names set data.columns.{name} to category'
    )


def held(kind: str) -> str:
    """What a column of one of duckdb's types holds, in the plural."""
    return next((words for one, words in _HELD.items() if one.fullmatch(kind)), kind)


def no_dates(name: str, kind: str, example: object, or_else: str = "") -> str:
    """What is said of a column where dates are wanted; as `D011`.

    Args:
        name: of the column.
        kind: what it holds, as duckdb calls it.
        example: a cell; None where all are empty.
        or_else: what else is taken.
    """
    if example is None:
        return f"column `{name}` is empty in every row"
    advice = "; strptime in data.query makes dates of others" if kind == "VARCHAR" else ""
    return (
        f"column `{name}` holds {held(kind)} such as `{str(example)[:40]}`: expected dates such as "
        f"2021-12-31{or_else}{advice}"
    )


def reason(error: Exception) -> str:
    """The first sentence of duckdb, without its kind, its advice, and the statement."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("CSV Error", "Original Line"))]
    words = said[0] if said else lines[0] if lines else type(error).__name__
    if words.endswith("CSV Error on Line: 0") or "CSV Error on Line" in words:
        words = said[1] if len(said) > 1 else words
    plain = _TYPE.sub(lambda found: _IN_SQL[found[0]], re.sub(r"^(\w+ )*Error: ", "", words))
    return first_line(ValueError(plain))
