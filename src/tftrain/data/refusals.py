"""What duckdb says when it refuses a file or a query in, one line with its place out."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager

from tftrain.errors import DataError, Mark, Problem, first_line

_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CONVERSION = re.compile(
    r'Error when converting column "(?P<column>.*?)"\. '
    r'Could not convert string "(?P<value>.*?)" to \'(?P<type>\w+)\'',
    re.DOTALL,
)
_COLUMNS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_JSON_LINE = re.compile(r"at byte (\d+) in line (\d+): (.*)")
_JSON_VALUE = re.compile(r"in line (\d+): (.*)")
WORDS = {"DOUBLE": "a number", "DATE": "a date", "TIMESTAMP": "a date and time"}


@contextmanager
def told(source: str, *, known: bool) -> Iterator[None]:
    """Whatever a file makes duckdb raise, as one line with the place.

    Args:
        source: the file.
        known: whether types are known from training, rather than from the rows before.
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError, EOFError, gzip.BadGzipFile, UnicodeError) as error:
        raise DataError(_problem(source, error, known=known)) from None


def _problem(source: str, error: Exception, *, known: bool) -> Problem:
    said = str(error)
    line = _LINE.search(said)
    mark = Mark(source, int(line[1])) if line else Mark(source)
    if found := _CONVERSION.search(said):
        wanted = WORDS.get(found["type"], found["type"])
        name = found["column"]
        before = "in training" if known else "in the rows before"
        message = f"column `{name}`: expected {wanted}, as {before}, got `{found['value'][:40]}`"
        if not known:
            message += f"; for a column of texts set data.columns.{name} to category"
        return Problem(mark, "D004", message)
    if found := _COLUMNS.search(said):
        return Problem(mark, "D002", f"expected {found[1]} cells, got {found[2]}")
    if found := _JSON_LINE.search(said):
        mark = Mark(source, int(found[2]), int(found[1]))
        return Problem(mark, "D002", f"not JSON: {found[3].strip()}")
    if found := _JSON_VALUE.search(said):
        mark = Mark(source, int(found[1]))
        return Problem(mark, "D004", f"not as in the rows before: {found[2].strip()}")
    if isinstance(error, OSError) and error.strerror:
        return Problem(mark, "D002", f"can't be read: {error.strerror}")
    return Problem(mark, "D002", f"can't be read: {reason(error)}")


def reason(error: Exception) -> str:
    """The first sentence of duckdb, without its kind, its advice, and the statement."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("CSV Error", "Original Line"))]
    words = said[0] if said else lines[0] if lines else type(error).__name__
    if words.endswith("CSV Error on Line: 0") or "CSV Error on Line" in words:
        words = said[1] if len(said) > 1 else words
    return first_line(ValueError(re.sub(r"^(\w+ )*Error: ", "", words)))
