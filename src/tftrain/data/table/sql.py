"""Names and texts in, as SQL writes them out, whatever is in them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name of a table, a column or a type."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text."""
    return "'" + value.replace("'", "''") + "'"
