"""A table's files in, the call of duckdb that reads them out; what is wrong with them told first.

What duckdb would guess, differently for another file, is said to it: names, delimiter, quotes, and
how dates are written. Of a CSV file it finds out only which columns are numbers.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from tftrain.config import Data
from tftrain.data.table.refusals import not_decoded
from tftrain.data.table.sql import text
from tftrain.errors import DataError, Mark, Problem, listed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

MOST_COLUMNS = 5_000
_DELIMITERS = ",;\t|"
_HEADER_BYTES = 1024 * 1024
_BOMB_BYTES = 256 * 1024 * 1024  # that a file may unpack to, however small it is
_BOMB_RATIO = 200  # tables get to a tenth of that
_LONGEST_LINE = 2_000_000  # bytes, duckdb's
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIRST_LINE = re.compile(r'(?:[^"\r\n]|"[^"]*")*')
_ZERO_IN_FRONT = re.compile(r"(?<![^,;\t|\"\r\n])0[0-9]+(?![^,;\t|\"\r\n])")
_DIGITS = re.compile(r"[0-9]+")
_QUOTED = re.compile(r'"[^"]*"?')
_CODE = re.compile(
    r"(.*[_. ])?(zip|zip_?code|post_?code|postal_?code|plz|phone|phone_?number|tel|telephone|fax)",
    re.IGNORECASE,
)
_INDEX = "Unnamed: 0"  # what pandas calls a first column without a name, which it writes
_MAGIC = re.compile(r"[*?\[]")
_OWN_COLUMNS = "hive_partitioning = false"  # none of the folder's name, `year=2024`
_QUOTING = "header = true, quote = '\"', escape = '\"', skip = 0, comment = ''"


@dataclass(frozen=True)
class Head:
    """The beginning of a CSV file.

    Args:
        text: its first characters.
        whole: whether that is all of it.
        names: of its columns.
        delimiter: what stands between cells.
    """

    text: str
    whole: bool
    names: Sequence[str]
    delimiter: str


@dataclass(frozen=True)
class Reader:
    """How a table's files are read.

    Args:
        call: can stand behind FROM.
        untyped: whether all is text in the files.
        strict: likewise, for CSV files: every cell a text, and so nothing guessed.
    """

    call: str
    untyped: bool = False
    strict: str | None = None


def is_code(name: str, data: Data) -> bool:
    """Whether a column's name says that its digits count nothing: of a zip code, of a phone.

    A column that labels, weighs or orders rows counts whatever its name.
    """
    counting = {data.target, data.sample_weight, data.time, data.series and data.series.column}
    return name not in counting and bool(_CODE.fullmatch(name))


def reader(
    paths: Sequence[str],
    data: Data,
    types: Mapping[str, str],
    *,
    only: Sequence[str] | None = None,
    known: bool = False,
) -> Reader:
    """How some files of one kind are read.

    Args:
        paths: the files.
        data: says how characters are written, and what a missing cell looks like.
        types: of columns that have one already.
        only: the columns whose cells matter; all if not given.
        known: whether columns without a type have been looked at in an earlier table.

    Raises:
        DataError: when a file is none, or its beginning is not what its name says.
    """
    for path in paths:
        _require_file(path)
    name = Path(paths[0]).name.lower().removesuffix(".gz")
    many = _listed(paths)
    if name.endswith(".parquet"):
        return Reader(f"read_parquet({many}, {_OWN_COLUMNS})")
    if name.endswith((".jsonl", ".ndjson")):
        for path in paths:
            _require_objects(path)
        options = "format = 'newline_delimited', sample_size = -1, dateformat = '%Y-%m-%d'"
        return Reader(f"read_json({many}, {_OWN_COLUMNS}, {options})")
    return _csv(paths, data, types, only=only, known=known)


def _listed(paths: Sequence[str]) -> str:
    """Files as duckdb takes them; a `*` in the name of one is no pattern of others."""
    plain = (_MAGIC.sub(r"[\g<0>]", path) for path in paths)
    return f"[{', '.join(map(text, plain))}]"


def _csv(
    paths: Sequence[str],
    data: Data,
    types: Mapping[str, str],
    *,
    only: Sequence[str] | None,
    known: bool,
) -> Reader:
    head = _head(paths[0], data)
    names = head.names
    for path in paths[1:]:
        others = _head(path, data).names
        if others != names:
            message = (
                f"expected the columns of {Path(paths[0]).name}, {listed(names)}; "
                f"got {listed(others)}"
            )
            raise _fault(path, message, 1)
    nulls = ", ".join(map(text, ["", *data.missing]))
    start = f"read_csv({_listed(paths)}, {_OWN_COLUMNS}, {_QUOTING}"
    start += f", delim = {text(head.delimiter)}"
    start += f", encoding = '{data.encoding}', nullstr = [{nulls}]"
    plain = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
    strict = f"{start}, auto_detect = false, columns = {{{plain}}})"
    asked = {  # dates are made of texts later, all in one way
        name: "VARCHAR" if kind in ("DATE", "TIMESTAMP") else kind
        for name, kind in types.items()
        if name in names
    }
    if only is not None:  # the cells of all others are left unread
        asked |= dict.fromkeys({*names} - {*types} - {*only}, "VARCHAR")
    if not known:
        asked |= dict.fromkeys(_codes(head, data) - {*types}, "VARCHAR")
    given = ", ".join(f"{text(name)}: '{kind}'" for name, kind in asked.items())
    named = ", ".join(map(text, names))
    call = (
        f"{start}, names = [{named}], auto_type_candidates = ['DOUBLE', 'VARCHAR']"
        f"{f', types = {{{given}}}' if given else ''})"
    )
    return Reader(call, untyped=True, strict=strict)


def _codes(head: Head, data: Data) -> set[str]:
    """Columns of digits that a number would take the zeros in front from, and of such names."""
    codes = {name for name in head.names if is_code(name, data)}
    if not _ZERO_IN_FRONT.search(head.text):
        return codes
    rows = list(csv.reader(io.StringIO(head.text, newline=""), delimiter=head.delimiter))[1:]
    whole = [row for row in rows[: None if head.whole else -1] if len(row) == len(head.names)]
    for place, name in enumerate(head.names):
        cells = {row[place] for row in whole} - {""}
        zero = any(_ZERO_IN_FRONT.fullmatch(cell) for cell in cells)
        if zero and all(_DIGITS.fullmatch(cell) for cell in cells):
            codes.add(name)
    return codes


def _fault(path: str, message: str, line: int | None = None) -> DataError:
    return DataError(Problem(Mark(path, line), "D002", message))


def _require_file(path: str) -> None:
    """Sees that there is a whole file: what waits for a writer, or never ends, is none."""
    mode = os.stat(path).st_mode  # noqa: PTH116 - its faults are told by who calls
    if stat.S_ISDIR(mode):
        raise _fault(path, "can't be read: it is a folder")
    if not stat.S_ISREG(mode):
        raise _fault(path, "can't be read: expected a file, got a pipe or a device")
    if path.lower().endswith(".gz"):
        _require_gzip(path)


def _require_gzip(path: str) -> None:
    """Unpacks a file once: duckdb compares no checksum, and knows no bomb."""
    packed, size = Path(path).stat().st_size, 0
    if not packed:
        raise _fault(path, "it is empty")
    try:
        with gzip.open(path) as file:
            while block := file.read(_HEADER_BYTES):
                size += len(block)
                if size > max(_BOMB_BYTES, _BOMB_RATIO * packed):
                    message = (
                        f"unpacks to more than {_BOMB_RATIO} times its size: is it a bomb? "
                        "if it is right, unpack it first"
                    )
                    raise _fault(path, message)
    except EOFError:
        raise _fault(path, "can't be read: its end is cut off") from None
    except gzip.BadGzipFile as error:
        damaged = "CRC" in str(error) or "length" in str(error)
        message = "damaged: its checksum doesn't match" if damaged else "not packed by gzip"
        raise _fault(path, f"can't be read: {message}") from None
    except zlib.error:
        raise _fault(path, "can't be read: damaged, it can't be unpacked") from None


def opened(path: str) -> BinaryIO:
    """A file's bytes, unpacked."""
    packed = path.lower().endswith(".gz")
    return cast("BinaryIO", gzip.open(path) if packed else Path(path).open("rb"))


def _require_objects(path: str) -> None:
    """Sees that JSON lines begin with an object; duckdb makes a table of anything."""
    with opened(path) as file:
        start = file.read(_HEADER_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise _fault(path, "it is empty: expected an object in each line")
    if not start.startswith(b"{"):
        shown = start[:1].decode("ascii", "replace")
        raise _fault(path, f'expected an object in each line, as {{"age": 41}}, got `{shown}`', 1)


def _head(path: str, data: Data) -> Head:
    """The names of a CSV file's columns, what stands between them, and some rows."""
    with opened(path) as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith(_UTF_16) and data.encoding != "utf-16":
        raise _fault(path, "UTF-16: set data.encoding to utf-16", 1)
    try:
        begins = codecs.getincrementaldecoder(data.encoding)().decode(start)
    except UnicodeDecodeError as error:
        line = start.count(b"\n", 0, error.start) + 1
        raise _fault(path, not_decoded(data.encoding), line) from None
    begins = begins.removeprefix("\ufeff")
    if not begins.strip():
        raise _fault(path, "it is empty: expected a line of column names", 1)
    if "\0" in begins:
        line = begins.count("\n", 0, begins.index("\0")) + 1
        raise _fault(path, "a NUL character: is it UTF-16, or no text at all?", line)
    first = cast("re.Match[str]", _FIRST_LINE.match(begins))[0]
    if len(first) == len(begins) and len(start) == _HEADER_BYTES:
        message = "longer than 1 MiB: expected a line of column names; is a quote never closed?"
        raise _fault(path, message, 1)
    delimiter = max(_DELIMITERS, key=_QUOTED.sub("", first).count)
    if path.lower().removesuffix(".gz").endswith(".tsv"):
        delimiter = "\t"
    try:
        reader = csv.reader(io.StringIO(begins, newline=""), delimiter=delimiter, strict=True)
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _fault(path, f"column names that can't be read: {error}", 1) from None
    if len(names) > 1 and not names[0] and _INDEX not in names:
        names[0] = _INDEX
    _check_names(path, names)
    return Head(begins, len(start) < _HEADER_BYTES, names, delimiter)


def _check_names(path: str, names: Sequence[str]) -> None:
    def fail(message: str) -> NoReturn:
        raise _fault(path, message, 1)

    if not names:
        fail("an empty line: expected column names")
    if len(names) > MOST_COLUMNS:
        fail(too_many(len(names)))
    if "" in names:
        fail(f"column {names.index('') + 1} has no name: write one into the first line")
    if all(map(_is_number, names)):
        fail(f"expected column names, got numbers, {listed(names)}: write a line of names first")
    seen: dict[bytes, str] = {}
    for name in names:
        folded = name.encode().lower()  # ASCII's capitals alone, as duckdb has it
        if seen.get(folded) == name:
            fail(f"two columns are called `{name}`")
        if folded in seen:
            fail(
                f"columns `{seen[folded]}` and `{name}` are one to SQL, which tells no capitals: "
                "rename one of them"
            )
        seen[folded] = name


def _is_number(name: str) -> bool:
    with suppress(ValueError):
        float(name)
        return True
    return False


def too_many(columns: int) -> str:
    """What is said of a table that is too wide."""
    return (
        f"{columns:,} columns: a table may have {MOST_COLUMNS:,}; wide rows of numbers fit into an "
        ".npz file"
    )


def explain(connection: Connection, reader: Reader, paths: Sequence[str], error: Exception) -> None:
    """Raises what says more of a fault than duckdb at first did, if there is such.

    Raises:
        DataError: with the line of JSON that is none.
        duckdb.Error: with the row that parts no cells as the others do; of many rows together
            duckdb only says that it found nothing out.
    """
    if "Maximum line size" in str(error):
        _find_long_line(paths)
    if reader.strict and "sniffing" in str(error):
        connection.execute(f"SELECT count(*) FROM {reader.strict}")
    found = re.search(r"in line (\d+): ", str(error))
    if found and reader.call.startswith("read_json"):
        _find_bad_json(paths, int(found[1]))


def _find_long_line(paths: Sequence[str]) -> None:
    """Where a line is too long; duckdb says only that one is."""
    for path in paths:
        with opened(path) as file:
            number, length = 1, 0
            while block := file.read(_HEADER_BYTES):
                for place, piece in enumerate(block.split(b"\n")):
                    if place:
                        number, length = number + 1, 0
                    length += len(piece)
                    if length > _LONGEST_LINE:
                        message = "a line of more than 2 MB: is a quote never closed?"
                        raise _fault(path, message, number)


def _find_bad_json(paths: Sequence[str], line: int) -> None:
    """Looks near the line that duckdb names, which miscounts."""
    first = max(0, line - 3)
    for path in paths:
        with opened(path) as file:
            for number, raw in enumerate(islice(file, first, line + 1), first + 1):
                try:
                    json.loads(raw.strip() or b"{}")
                except UnicodeDecodeError:
                    raise _fault(path, "not UTF-8", number) from None
                except json.JSONDecodeError as error:
                    mark = Mark(path, number, error.colno)
                    raise DataError(Problem(mark, "D002", f"not JSON: {error.msg}")) from None
