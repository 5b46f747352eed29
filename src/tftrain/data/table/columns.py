"""A table's training rows in, what each column becomes out; then any table in, numbers out.

Whatever is learnt here is put into Keras's preprocessing layers in the exported model, so the
arithmetic is theirs, operation by operation in float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tftrain.data.table import Table, Type, siphash
from tftrain.data.table.refusals import TRAINED
from tftrain.data.table.sql import NAME, quoted, text
from tftrain.data.table.vectorizer import Vectorizer
from tftrain.data.table.vectorizer import from_plain as vectorizer_of
from tftrain.errors import listed

Floats = NDArray[np.float32]
Values = Mapping[str, NDArray[Any]]
BLOCK_BYTES = 32 * 1024 * 1024
ROW_GROUP = 122_880  # rows that duckdb keeps together: more at once take twice as long
_NEAR = 8_192  # rows that stay in the processor's cache while one column after another is written
_EPSILON = np.float32(1e-7)  # Keras's
CYCLES = MappingProxyType({"DATE": (7.0, 365.2425), "TIMESTAMP": (1.0, 7.0, 365.2425)})  # days


def inverse(second: float) -> np.float32:
    """What a column is multiplied by: TensorFlow turns divisions by constants into that."""
    return np.float32(1) / np.float32(second)


@dataclass(frozen=True)
class Number:
    """A column of numbers.

    Args:
        name: of the column.
        fill: what stands in for a missing number.
        indicator: whether a second column says that it was missing.
        first: mean or smallest, taken away first.
        second: deviation or range, by which is divided then.
        boundaries: of bins, ascending, where there are any: a column of 0 and 1 for each.
        boolean: true and false rather than numbers.
    """

    kind: ClassVar = "number"
    name: str
    fill: float
    indicator: bool = False
    first: float = 0.0
    second: float = 1.0
    boundaries: tuple[float, ...] = ()
    boolean: bool = False

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return (len(self.boundaries) + 1 if self.boundaries else 1) + self.indicator

    def expressions(self, table: Table) -> dict[str, str]:
        """What is asked of the table."""
        column = quoted(self.name)
        if self.boolean and table.types[self.name] == "VARCHAR":
            column = f"CASE lower({column}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
        return {self.name: f"coalesce(CAST({column} AS FLOAT), 'nan'::FLOAT)"}

    def put(self, block: Floats, values: Values) -> None:
        """Writes the columns that it becomes."""
        given = values[self.name]
        missing = np.isnan(given)
        numbers = np.where(missing, np.float32(self.fill), given) if missing.any() else given
        if self.boundaries:
            bins = np.searchsorted(np.array(self.boundaries, np.float32), numbers, side="right")
            block[:, : len(self.boundaries) + 1] = 0
            block[np.arange(len(block)), bins] = 1
        else:
            block[:, 0] = (numbers - np.float32(self.first)) * inverse(self.second)
        if self.indicator:
            block[:, -1] = missing


@dataclass(frozen=True)
class Category:
    """A column of names: the first of its columns is for those not seen in training.

    Args:
        name: of the column.
        vocabulary: the names with a column of their own; an empty one is a missing cell.
    """

    kind: ClassVar = "category"
    name: str
    vocabulary: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return 1 + len(self.vocabulary)

    def expressions(self, table: Table) -> dict[str, str]:
        """What is asked of the table: the place of each name."""
        kind = quoted(f"names of {self.name}")
        table.fetch(f"DROP TYPE IF EXISTS {kind}")
        names = ", ".join(map(text, self.vocabulary))
        table.fetch(f"CREATE TYPE {kind} AS ENUM ({names})")
        given = f"coalesce({quoted(self.name)}::VARCHAR, '')"
        code = f"enum_code(TRY_CAST({given} AS {kind}))"
        return {self.name: f"coalesce({code}::INTEGER + 1, 0)"}

    def put(self, block: Floats, values: Values) -> None:
        """Writes the columns that it becomes."""
        block[:] = 0
        block[np.arange(len(block)), values[self.name]] = 1


@dataclass(frozen=True)
class Hashed:
    """A column of names, so many that they share columns by their hash.

    Args:
        name: of the column.
        bins: how many columns.
    """

    kind: ClassVar = "hashed"
    name: str
    bins: int

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return self.bins

    def expressions(self, table: Table) -> dict[str, str]:
        """What is asked of the table: the number of each name, of which `bins_of` makes places."""
        given, kind = f"coalesce({quoted(self.name)}::VARCHAR, '')", self._kind()
        table.fetch(f"DROP TYPE IF EXISTS {kind}")
        table.fetch(f"CREATE TYPE {kind} AS ENUM (SELECT DISTINCT {given} FROM {NAME})")
        return {self.name: f"enum_code({given}::{kind})::INTEGER"}

    def bins_of(self, table: Table) -> NDArray[np.int64]:
        """By the number that `expressions` gave each of a table's names, its place."""
        names = table.fetch(f"SELECT unnest(enum_range(NULL::{self._kind()}))")
        return siphash.bins_of([name for (name,) in names], self.bins)

    def _kind(self) -> str:
        return quoted(f"names of {self.name}")

    def put(self, block: Floats, values: Values) -> None:
        """Writes the columns that it becomes."""
        block[:] = 0
        block[np.arange(len(block)), values[self.name]] = 1


@dataclass(frozen=True)
class Date:
    """A column of dates: days since 1970, scaled, and the place in the week and in the year.

    Args:
        name: of the column.
        fill: days that stand in for a missing date.
        first: mean of the days.
        second: deviation of the days.
        cycles: lengths of the cycles in days; each becomes a sine and a cosine.
    """

    kind: ClassVar = "date"
    name: str
    fill: float
    first: float
    second: float
    cycles: tuple[float, ...]

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return 1 + 2 * len(self.cycles)

    def expressions(self, table: Table) -> dict[str, str]:  # noqa: ARG002 - as of the other kinds
        """What is asked of the table."""
        return {self.name: f"coalesce({days(self.name)}, 'nan'::FLOAT)"}

    def put(self, block: Floats, values: Values) -> None:
        """Writes the columns that it becomes."""
        given = values[self.name]
        number = np.where(np.isnan(given), np.float32(self.fill), given)
        block[:, 0] = (number - np.float32(self.first)) * inverse(self.second)
        for place, cycle in enumerate(self.cycles):
            angle = np.mod(number, np.float32(cycle)) * np.float32(2 * np.pi / cycle)
            block[:, 1 + 2 * place] = np.sin(angle)
            block[:, 2 + 2 * place] = np.cos(angle)


def days(name: str) -> str:
    """Days since 1970 in SQL, as 32-bit numbers."""
    return f"CAST(epoch({quoted(name)}) / 86400 AS FLOAT)"


@dataclass(frozen=True)
class Text:
    """A column of text.

    Args:
        name: of the column.
        vectorizer: what makes numbers of it.
    """

    kind: ClassVar = "text"
    name: str
    vectorizer: Vectorizer

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return self.vectorizer.width

    def expressions(self, table: Table) -> dict[str, str]:  # noqa: ARG002 - as of the other kinds
        """What is asked of the table."""
        return {self.name: f"coalesce({quoted(self.name)}::VARCHAR, '')"}

    def put(self, block: Floats, values: Values) -> None:
        """Writes the columns that it becomes."""
        self.vectorizer.fill(block, values[self.name].tolist())


Prepared = Number | Category | Hashed | Date | Text
_KINDS: Mapping[str, type[Prepared]] = MappingProxyType(
    {kind.kind: kind for kind in (Number, Category, Hashed, Date, Text)}
)


@dataclass(frozen=True)
class Columns:
    """What the columns of a table become, learnt from its training rows.

    Args:
        columns: those that are used, in the order of the table.
        dropped: those that are not, and why.
        types: how a table's columns are to be read, of those that are used.
    """

    columns: tuple[Prepared, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, Type] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return sum(column.width for column in self.columns)

    def names(self) -> list[str]:
        """The columns that a table must have."""
        return [column.name for column in self.columns]

    def described(self) -> list[str]:
        """What the columns are taken for, a line a kind."""
        by_kind: dict[str, list[str]] = {}
        for column in self.columns:
            boolean = isinstance(column, Number) and column.boolean
            by_kind.setdefault("boolean" if boolean else column.kind, []).append(column.name)
        lines = [f"{kind} columns: {listed(names)}" for kind, names in by_kind.items()]
        return lines + [f"not used: {name} ({why})" for name, why in self.dropped.items()]

    def check(self, table: Table, *, learning: bool = False) -> None:
        """Sees that true and false are written so; whatever else would count as missing.

        Args:
            table: the rows.
            learning: whether it is still open what the columns are.

        Raises:
            DataError: with the first cell that is neither.
        """
        for one in self.columns:
            if isinstance(one, Number) and one.boolean and table.types[one.name] == "VARCHAR":
                column = quoted(one.name)
                where = f"WHERE lower({column}) NOT IN ('true', 'false') LIMIT 1"
                for row, value in table.ask(f"rowid, {column}", where):
                    wanted, advice = f"true or false, {TRAINED}", ""
                    if learning:
                        wanted = "true or false"
                        advice = f"; for a column of names set data.columns.{one.name} to category"
                    message = f"column `{one.name}`: expected {wanted}, got `{value[:40]}`{advice}"
                    raise table.fail("D004", message, row)

    def blocks(self, table: Table) -> Iterator[Floats]:
        """A table's rows as float32 (rows, width), block by block, in their order."""
        self.check(table)
        expressions: dict[str, str] = {}
        for column in self.columns:
            expressions |= column.expressions(table)
        bins = {one.name: one.bins_of(table) for one in self.columns if isinstance(one, Hashed)}
        rows = max(1, min(ROW_GROUP, BLOCK_BYTES // (4 * self.width)))
        for start in range(0, table.rows, rows):
            values = table.arrays(expressions, start, min(start + rows, table.rows))
            yield self._block(values | {name: one[values[name]] for name, one in bins.items()})

    def _block(self, values: Values) -> Floats:
        block = np.empty((len(next(iter(values.values()))), self.width), np.float32)
        for start in range(0, len(block), _NEAR):
            near = slice(start, start + _NEAR)
            some = {name: array[near] for name, array in values.items()}
            place = 0
            for column in self.columns:
                column.put(block[near, place : place + column.width], some)
                place += column.width
        return block

    def plain(self) -> dict[str, Any]:
        """For JSON; numbers keep their bits."""
        return {
            "columns": [{"kind": one.kind, **_plain(one)} for one in self.columns],
            "dropped": dict(self.dropped),
            "types": dict(self.types),
        }


def _plain(column: Prepared) -> dict[str, Any]:
    if isinstance(column, Text):
        return {"name": column.name, "vectorizer": column.vectorizer.plain()}
    return asdict(column)


def from_plain(plain: Mapping[str, Any]) -> Columns:
    """What `Columns.plain` gave; kinds and types go into SQL, so each is one that there is.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: when it is not that.
    """
    made = []
    for one in plain["columns"]:
        values = dict(one)
        kind = _KINDS[values.pop("kind")]
        if kind is Text:
            made.append(Text(_as(str, values["name"]), vectorizer_of(values["vectorizer"])))
        else:
            made.append(_as(kind, values))
            if not _can_be_counted(made[-1]):
                raise ValueError("numbers that nobody learns")
    names = [column.name for column in made]
    found = Columns(
        tuple(made), _as(dict[str, str], plain["dropped"]), _as(dict[str, Type], plain["types"])
    )
    if len({*names}) < len(names) or {*names} - {*found.types} or found.width < len(names):
        raise ValueError("columns without a type or a width, or one twice")
    return found


def _can_be_counted(column: Prepared) -> bool:
    """Whether a column's numbers are 32-bit ones, and none of them a divisor of nothing."""
    if not isinstance(column, Number | Date):
        return True
    limits = np.finfo(np.float32)
    ends = column.boundaries if isinstance(column, Number) else ()
    cycles = () if isinstance(column, Number) else column.cycles
    small = all(
        abs(one) <= float(limits.max) for one in (column.fill, column.first, column.second, *ends)
    )
    return (
        small and abs(column.second) >= float(limits.tiny) and {*cycles} <= {*CYCLES["TIMESTAMP"]}
    )


def _as(kind: Any, value: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python(value)


def as_bytes(columns: Columns) -> NDArray[np.uint8]:
    """JSON as an array, to lie beside a network's weights."""
    return np.frombuffer(json.dumps(columns.plain()).encode(), np.uint8)


def from_bytes(array: NDArray[np.uint8]) -> Columns:
    """What `as_bytes` gave."""
    return from_plain(json.loads(array.tobytes()))
