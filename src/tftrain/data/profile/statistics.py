"""A table in, what its columns hold out: counted by duckdb in a few passes over all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Data
from tftrain.data.table import NAME, Table, Type, kinds, quoted
from tftrain.data.table.columns import Columns, days
from tftrain.errors import listed

SAMPLE = 100_000  # rows: enough for what a column says of the target
_MOST_NAMES = 10_000
_SHOWN = 3
_LONGEST = 24  # letters of a cell that are shown


@dataclass(frozen=True)
class Statistics:
    """What a column holds.

    Args:
        name: of the column.
        type: as it was read.
        kind: number, category, ...; or target, group, time, weight.
        why: it is of that kind.
        missing: empty cells.
        distinct: different values.
        exact: whether `distinct` was counted rather than estimated.
        low: the smallest number or date.
        high: the largest.
        mean: of numbers.
        zeros: cells that are 0.
        names: texts and how many rows have each, the most frequent first.
        example: the first cell that isn't empty.
        width: columns of the matrix that it becomes.
    """

    name: str
    type: Type
    kind: str
    why: str
    missing: int
    distinct: int
    exact: bool
    low: Any
    high: Any
    mean: float | None
    zeros: int
    names: tuple[tuple[str, int], ...]
    example: Any
    width: int

    def values(self) -> str:
        """What the cells hold, in a few words."""
        if self.names:
            total = sum(rows for _, rows in self.names)
            shares = [f"{shown(name)} {_share(rows / total)}" for name, rows in self.names[:_SHOWN]]
            return ", ".join(shares) + (", ..." if len(self.names) > _SHOWN else "")
        if self.low is None or self.type in ("VARCHAR", "BOOLEAN"):
            return ""
        mean = "" if self.mean is None else f", mean {self.mean:.4g}"
        return f"{shown(self.low)} to {shown(self.high)}{mean}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        numbers = self.type == "DOUBLE"
        return {
            "name": self.name,
            "kind": self.kind,
            "why": self.why,
            "missing": self.missing,
            "distinct": self.distinct,
            "distinct_is_exact": self.exact,
            "low": self.low if numbers else None if self.low is None else str(self.low),
            "high": self.high if numbers else None if self.high is None else str(self.high),
            "mean": self.mean,
            "frequent": [{"value": name, "rows": rows} for name, rows in self.names[:_SHOWN]],
            "example": self.example
            if numbers
            else None
            if self.example is None
            else shown(self.example),
            "columns": self.width,
        }


def _share(share: float) -> str:
    """Few and nearly all are told from none and all."""
    return f"{share:.1%}" if share > 0.99 or share < 0.01 else f"{share:.0%}"  # noqa: PLR2004


def shown(value: object) -> str:
    """A cell as it is shown: short, numbers without needless places."""
    words = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def statistics(table: Table, columns: Columns, data: Data) -> tuple[Statistics, ...]:
    """What each column of a table holds; its training rows must be named by `table.mask`."""
    found = kinds.kinds(table, data)
    roles = {data.target: "target", data.group: "group", data.time: "time"}
    roles[data.sample_weight] = "weight"
    widths = {one.name: one.width for one in columns.columns}
    exact = table.rows <= SAMPLE
    counts = _counts(table, exact=exact)
    made = []
    for name, type_ in table.types.items():
        given, distinct, low, high, mean, zeros, example = counts[name]
        kind, why = roles.get(name, "unused"), "as the config says"
        if name in found:
            kind, why = found[name].kind, found[name].why
        few = type_ in ("VARCHAR", "BOOLEAN") and kind not in ("text", "id", "image", "drop")
        names = _names(table, name) if few else ()
        made.append(
            Statistics(
                name=name,
                type=type_,
                kind=kind,
                why=why,
                missing=table.rows - given,
                distinct=min(distinct, given),
                exact=exact,
                low=low,
                high=high,
                mean=mean,
                zeros=zeros,
                names=names,
                example=example,
                width=widths.get(name, 0),
            )
        )
    return tuple(made)


def _counts(table: Table, *, exact: bool) -> dict[str, tuple[Any, ...]]:
    """Cells given, distinct values, smallest, largest, mean, zeros, first; many in each pass."""
    distinct = "count(DISTINCT {})" if exact else "approx_count_distinct({})"
    first, last = ["count({})", distinct, "min({})", "max({})"], "any_value({})"
    plain, number = [*first, "NULL", "0", last], [*first, "avg({})", "count_if({} = 0)", last]
    asked = {
        name: [one.format(quoted(name)) for one in (number if type_ == "DOUBLE" else plain)]
        for name, type_ in table.types.items()
    }
    return {name: tuple(counts) for name, *counts in table.each(asked)}


def _names(table: Table, name: str) -> tuple[tuple[str, int], ...]:
    column = quoted(name)
    rows = table.ask(
        f"{column}::VARCHAR, count(*)",
        f"WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST_NAMES}",
    )
    return tuple((value, count) for value, count in rows)


@dataclass(frozen=True)
class Sample:
    """Some rows of a table, evenly chosen, column by column.

    Args:
        rows: which they are, ascending.
        numbers: float64, NaN where missing: of numbers and dates.
        codes: uint64, a number for each text.
    """

    rows: NDArray[np.int64]
    numbers: Mapping[str, NDArray[np.float64]]
    codes: Mapping[str, NDArray[np.uint64]]

    def chosen(self, which: NDArray[np.bool_]) -> Sample:
        """Some of the rows."""
        return Sample(
            self.rows[which],
            {name: values[which] for name, values in self.numbers.items()},
            {name: values[which] for name, values in self.codes.items()},
        )


def sample(table: Table, names: Sequence[str]) -> Sample:
    """At most about `SAMPLE` rows of some columns, the same ones every time."""
    asked = {"r": "rowid"}
    for place, name in enumerate(names):
        asked[str(place)] = _numeric(table, name) or f"hash(coalesce({quoted(name)}::VARCHAR, ''))"
    step = -(-table.rows // SAMPLE)
    selected = ", ".join(f"{sql} AS {quoted(key)}" for key, sql in asked.items())
    where = "" if step == 1 else f"WHERE hash(rowid) % {step} = 0"
    arrays = table.fetch_arrays(f"SELECT {selected} FROM {NAME} {where} ORDER BY rowid")
    numbers, codes = {}, {}
    for place, name in enumerate(names):
        if _numeric(table, name):
            numbers[name] = np.asarray(arrays[str(place)], np.float64)
        else:
            codes[name] = np.asarray(arrays[str(place)], np.uint64)
    return Sample(np.asarray(arrays["r"], np.int64), numbers, codes)


def _numeric(table: Table, name: str) -> str | None:
    kind = table.types[name]
    if kind == "DOUBLE":
        return f"coalesce({quoted(name)}, 'nan'::DOUBLE)"
    return f"coalesce({days(name)}, 'nan'::DOUBLE)" if kind in ("DATE", "TIMESTAMP") else None


def skewness(numbers: NDArray[np.float64]) -> float:
    """Positive where many are small and a few large; 0 where all are the same."""
    spread = numbers.std() if len(numbers) else 0.0
    return float((((numbers - numbers.mean()) / spread) ** 3).mean()) if spread else 0.0


def named(names: Sequence[str]) -> str:
    """`a`, `b`, `c`: columns as they are listed in a sentence."""
    return listed(f"`{name}`" for name in names)
