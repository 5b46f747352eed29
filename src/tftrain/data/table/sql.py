"""Names and texts in, as SQL writes them out, whatever is in them."""

from __future__ import annotations

NAME = "data"  # of the table, in `data.query` too
QUERY = "data.query"  # where faults of the query are said to be
CHOSEN = "chosen by tftrain"  # no column of a user's


def quoted(name: str) -> str:
    """A name of a table, a column or a type."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text."""
    return "'" + value.replace("'", "''") + "'"
