"""Blocks of columns in, a file of them out: CSV, Parquet, JSON lines or NumPy's .npz."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tftrain.data.table import connect, quoted, text
from tftrain.data.table.refusals import writing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

_MEMORY = "250MB"  # beside that of the table that is read
_RUN_BY_SPREADSHEETS = r"^[=+\-@\t\r\n]"
_NUMBER = r"[-+]?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]+)?"
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_FLOATS = ("FLOAT", "DOUBLE")


class Cells(NamedTuple):
    """A column's cells in a block of rows.

    Args:
        values: numbers, or texts with None for nothing, (rows,).
        kind: what the texts stand for, as duckdb calls it.
    """

    values: NDArray[Any]
    kind: str


Block = Mapping[str, Cells]


def write(path: Path, blocks: Iterator[Block]) -> None:
    """Writes blocks, one after another, in the form that the path's ending names.

    Args:
        path: a .csv, .parquet, .jsonl, .ndjson or .npz file.
        blocks: all with the same columns; at least one.

    Raises:
        OSError: when the storage refuses.
    """
    with writing():
        _WRITERS[path.suffix.lower()](path, blocks)


def _csv(path: Path, blocks: Iterator[Block]) -> None:
    """With an apostrophe before every text that a spreadsheet would run as a formula."""

    def header(connection: Connection, block: Block) -> list[str]:
        names = f"SELECT {_csv_text('name')} FROM (SELECT unnest($1::VARCHAR[]) AS name)"
        return [",".join(name for (name,) in connection.execute(names, [[*block]]).fetchall())]

    def line(block: Block) -> str:
        cells = [
            _csv_text(cell) if one.values.dtype == object else f"{cell}::VARCHAR"
            for cell, one in zip(_places(block), block.values(), strict=True)
        ]
        return " || ',' || ".join(f"coalesce({cell}, '')" for cell in cells)

    _lines(path, blocks, header, line)


def _csv_text(cell: str) -> str:
    """A text as a CSV file holds it; what is a number stays one."""
    runs = f"regexp_matches({cell}, '{_RUN_BY_SPREADSHEETS}')"
    number = f"regexp_full_match({cell}, '{_NUMBER}')"
    safe = f"CASE WHEN {runs} AND NOT {number} THEN '''' || {cell} ELSE {cell} END"
    marked = f"""'"' || replace({safe}, '"', '""') || '"'"""
    return f"""CASE WHEN regexp_matches({cell}, '[",\\r\\n]') THEN {marked} ELSE {safe} END"""


def _jsonl(path: Path, blocks: Iterator[Block]) -> None:
    def line(block: Block) -> str:
        cells = [
            f"{text(json.dumps(name, ensure_ascii=False))} || ':' || {_json(cell, one.kind)}"
            for cell, (name, one) in zip(_places(block), block.items(), strict=True)
        ]
        return "'{' || " + " || ',' || ".join(cells) + " || '}'"

    _lines(path, blocks, lambda *_: [], line)


def _json(cell: str, kind: str) -> str:
    if kind in _FLOATS:  # the shortest digits that give the same number again
        return f"CASE WHEN isfinite({cell}::DOUBLE) THEN {cell}::VARCHAR ELSE 'null' END"
    return f"coalesce(to_json(CAST({cell} AS {kind}))::VARCHAR, 'null')"


def _lines(
    path: Path,
    blocks: Iterator[Block],
    header: Callable[[Connection, Block], list[str]],
    line: Callable[[Block], str],
) -> None:
    connection = connect(_MEMORY)
    with path.open("w", encoding="utf-8", newline="") as file:
        for place, block in enumerate(blocks):
            if place == 0:
                select = f"SELECT {line(block)} AS line FROM block"
                file.writelines(f"{name}\n" for name in header(connection, block))
            _register(connection, block)
            made = connection.execute(select).fetchnumpy()["line"]
            file.write("\n".join(made.tolist()) + "\n")


def _parquet(path: Path, blocks: Iterator[Block]) -> None:
    connection = connect(_MEMORY)
    for place, block in enumerate(blocks):
        if place == 0:
            named = ", ".join(
                f"CAST({cell} AS {one.kind}) AS {cell}"
                for cell, one in zip(_places(block), block.values(), strict=True)
            )
            names = list(block)
        _register(connection, block)
        start = "CREATE TABLE written AS" if place == 0 else "INSERT INTO written"
        connection.execute(f"{start} SELECT {named} FROM block")
    named = ", ".join(f"c{place} AS {quoted(name)}" for place, name in enumerate(names))
    connection.execute(f"COPY (SELECT {named} FROM written) TO {text(str(path))} (FORMAT parquet)")


def _register(connection: Connection, block: Block) -> None:
    """Makes a block a table `block` with columns c0, c1, ...: names may differ in case alone."""
    arrays = {
        cell: np.ascontiguousarray(one.values)
        for cell, one in zip(_places(block), block.values(), strict=True)
    }
    connection.register("block", arrays)


def _places(block: Block) -> list[str]:
    return [f"c{place}" for place in range(len(block))]


def _npz(path: Path, blocks: Iterator[Block]) -> None:
    parts = list(blocks)
    with zipfile.ZipFile(path, "w") as archive:
        for name, first in parts[0].items():
            column = np.concatenate([part[name].values for part in parts])
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, _plain(column, first.kind), allow_pickle=False)


def _plain(column: NDArray[Any], kind: str) -> NDArray[Any]:
    """Numbers, or texts with an empty one for nothing."""
    if column.dtype != object:
        return column
    nothing = column == None  # noqa: E711 - of each cell
    if kind in _INTEGERS and not nothing.any():
        return column.astype(str).astype(np.int64)
    if kind in (*_INTEGERS, *_FLOATS):
        return np.where(nothing, "nan", column).astype(str).astype(np.float64)
    return np.where(nothing, "", column).astype(str)


_WRITERS: Mapping[str, Callable[[Path, Iterator[Block]], None]] = MappingProxyType(
    {".csv": _csv, ".parquet": _parquet, ".jsonl": _jsonl, ".ndjson": _jsonl, ".npz": _npz}
)
SUFFIXES = tuple(_WRITERS)
