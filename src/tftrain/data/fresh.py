"""Rows that a network never saw in; their blocks, what is copied and what is odd of them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import config
from tftrain.config import Data
from tftrain.data import table
from tftrain.data.preparation import Preparation
from tftrain.data.raw import LeftOut, Raw
from tftrain.data.splits import Part
from tftrain.data.table import Table, quoted
from tftrain.data.table.columns import Category, Columns, Date, Number
from tftrain.data.table.refusals import guarded
from tftrain.errors import one_line

_EXACT = 2**53  # whole numbers up to here are exact as 64-bit floats


@dataclass(frozen=True)
class Note:
    """Cells of a column that are unlike those of training; or rows that come to nothing.

    Args:
        column: its name; None where whole rows are meant.
        kind: `unseen` names, `missing` cells, or `filled` ones, which training may have had too;
            images that are `left_out`, predictions that are `not_finite`.
        cells: how many.
        rows: of how many.
        example: the first of them.
        known: how many names the network tells apart, where it was not to keep all it saw.
    """

    column: str | None
    kind: str
    cells: int
    rows: int
    example: str | None = None
    known: int | None = None

    def __str__(self) -> str:
        if self.kind == "left_out":
            return one_line(LeftOut(self.cells, self.rows, str(self.example)).said())
        if self.kind == "not_finite":
            said = "predictions are no finite numbers: such rows lie far from the training rows"
            return f"{self.cells:,} of {self.rows:,} {said}; the first is row {self.example}"
        if self.kind == "missing":
            said = "rows hold nothing, as no training row did"
        elif self.kind == "filled":
            said = "rows hold no date: the mean of the training rows stands in"
        elif self.known is not None:
            said = f"rows hold names that aren't among the {self.known} known ones"
        else:
            said = "rows hold names not seen in training"
        example = "" if self.example is None else f", such as `{self.example[:40]}`"
        place = f"column `{self.column}`: {self.cells:,} of {self.rows:,} "
        return one_line(place + said + example)

    def plain(self) -> dict[str, Any]:
        """For JSON, without what doesn't apply."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Fresh:
    """Rows without regard to labels.

    Args:
        raw: as they came.
        preparation: what they go through.
        kept: columns that are copied, with the types they are to have in the end; of images, their
            paths as `file`.
        notes: what is unlike the training rows.
    """

    raw: Raw
    preparation: Preparation
    kept: Mapping[str, str]
    notes: tuple[Note, ...]

    def blocks(self) -> Iterator[Part]:
        """All rows in their order, a part at a time."""
        columns = self.preparation.columns
        if self.raw.table is None or columns is None:
            yield self._part(self.raw)
            return
        for block in columns.blocks(self.raw.table):
            yield self._part(replace(self.raw, inputs=block))

    def _part(self, raw: Raw) -> Part:
        rows = np.arange(len(raw.inputs))
        labels = np.zeros(len(rows), np.float32)
        return Part(raw.inputs, labels, None, rows, self.preparation.scaling, raw.numbers)

    def called(self, source: str) -> Fresh:
        """The same rows, under another name in messages."""
        return replace(self, raw=replace(self.raw, source=source))

    def copied(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """A run of rows of the kept columns, as texts; None where there is nothing."""
        if self.raw.paths is not None:
            return {"file": self.raw.paths[start:stop]}
        if self.raw.table is None or not self.kept:
            return {}
        texts = {
            name: f"CAST(CAST({quoted(name)} AS {kind}) AS VARCHAR)"
            for name, kind in self.kept.items()
        }
        columns = self.raw.table.arrays(texts, start, stop)
        return {name: _texts(column) for name, column in columns.items()}


def _texts(column: NDArray[Any]) -> NDArray[Any]:
    """None where a cell is masked; NumPy's own `filled` takes None for its default, a `?`."""
    texts = np.array(np.ma.getdata(column), object)
    texts[np.ma.getmaskarray(column)] = None
    return texts


def examine(raw: Raw, preparation: Preparation, data: Data, keep: Sequence[str]) -> Fresh:
    """Rows and how they differ from the training rows.

    Args:
        raw: the rows.
        preparation: learnt in training.
        data: the config's section.
        keep: columns that are copied.

    Raises:
        DataError: when a cell can't be what the column was in training.
    """
    columns = preparation.columns
    if raw.table is None or columns is None:
        left = raw.left_out
        notes = [] if left is None else [Note(None, "left_out", left.rows, left.of, left.first)]
        kept = {} if raw.paths is None else {"file": "VARCHAR"}
        return Fresh(raw, preparation, kept, tuple(notes))
    columns.check(raw.table)
    return Fresh(raw, preparation, _kinds(raw.table, keep), _notes(raw.table, columns, data))


def _kinds(rows: Table, keep: Sequence[str]) -> dict[str, str]:
    """Whole numbers become that again where nothing is lost by it: an id of 7 is no 7.0."""
    with guarded(rows.source):
        found = table.described(rows.connection)
    kinds = {name: found[name] for name in dict.fromkeys(keep)}
    checks = {}
    for name, kind in kinds.items():
        column = quoted(name)
        if kind == "DOUBLE":
            checks[name] = f"{column} = floor({column}) AND abs({column}) < {_EXACT}"
        elif kind == "VARCHAR" and rows.untyped:
            checks[name] = (
                f"CAST(TRY_CAST({column} AS BIGINT) AS VARCHAR) IS NOT DISTINCT FROM {column}"
            )
    if not checks:
        return kinds
    asked = ", ".join(
        f"count({quoted(name)}) > 0 AND bool_and({quoted(name)} IS NULL OR ({check}))"
        for name, check in checks.items()
    )
    whole = dict(zip(checks, rows.ask(asked)[0], strict=True))
    return {name: "BIGINT" if whole.get(name) else kind for name, kind in kinds.items()}


def _notes(rows: Table, columns: Columns, data: Data) -> tuple[Note, ...]:
    """Counts cells that no training row had, all in one pass over the table."""
    odd: dict[tuple[str, str], str] = {}
    known: dict[str, int | None] = {}
    for one in columns.columns:
        column = quoted(one.name)
        if isinstance(one, Category):
            unknown = f"({one.expressions(rows)[one.name]}) = 0"
            filled = f"coalesce({column}::VARCHAR, '') <> ''"
            odd[one.name, "unseen"] = f"{unknown} AND {filled}"
            odd[one.name, "missing"] = f"{unknown} AND NOT ({filled})"
            known[one.name] = _known(one, data)
        elif isinstance(one, Date):
            odd[one.name, "filled"] = f"{column} IS NULL"
        elif isinstance(one, Number) and not one.indicator:
            odd[one.name, "missing"] = f"{column} IS NULL"
    if not odd:
        return ()
    counts = rows.ask(", ".join(f"count_if({check})" for check in odd.values()))[0]
    notes = []
    for ((name, kind), check), cells in zip(odd.items(), counts, strict=True):
        if cells and kind == "unseen":
            (example,) = rows.ask(f"{quoted(name)}::VARCHAR", f"WHERE {check} LIMIT 1")[0]
            notes.append(Note(name, kind, cells, rows.rows, example, known[name]))
        elif cells:
            notes.append(Note(name, kind, cells, rows.rows))
    return tuple(notes)


def _known(column: Category, data: Data) -> int | None:
    """How many names there are, if training may have seen more."""
    asked = data.columns[column.name].category if column.name in data.columns else None
    asked = asked or config.Category()
    names = len(column.vocabulary)
    return names if asked.min_frequency > 1 or names >= asked.max_categories else None
