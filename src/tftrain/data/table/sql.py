"""Names and texts in, as SQL writes them out, whatever is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

NAME = "data"  # of the table, in `data.query` too
QUERY = "data.query"  # where faults of the query are said to be
CHOSEN = "chosen by tftrain"  # no column of a user's
_PASS = 100  # columns in one query: many more take duckdb very long


_APART = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_BY_CHANCE = re.compile(
    r"\b(?:random|uuid|uuidv4|uuidv7|gen_random_uuid)\s*\(\s*\)"
    r"|\b(?:using\s+sample|tablesample)\b(?!.*\brepeatable\b)",
    re.IGNORECASE | re.DOTALL,
)


def not_repeated(query: str) -> str:
    """What makes a query give other rows every time; empty if nothing does."""
    found = _BY_CHANCE.search(_APART.sub(" x ", query))
    return found[0] if found else ""


def quoted(name: str) -> str:
    """A name of a table, a column or a type."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text."""
    return "'" + value.replace("'", "''") + "'"


def each(
    fetch: Callable[[str], Sequence[tuple[Any, ...]]],
    asked: Mapping[str, Sequence[str]],
    rows: str = f"FROM {NAME}",
) -> Iterator[tuple[Any, ...]]:
    """Each column's name and aggregates, of many columns in a pass over the rows.

    Args:
        fetch: runs a statement.
        asked: the aggregates of each column by its name, in SQL.
        rows: what stands behind them in SQL.
    """
    names = list(asked)
    for start in range(0, len(names), _PASS):
        some = names[start : start + _PASS]
        selected = ", ".join(aggregate for name in some for aggregate in asked[name])
        (flat,) = fetch(f"SELECT {selected} {rows}")
        place = 0
        for name in some:
            yield name, *flat[place : place + len(asked[name])]
            place += len(asked[name])
