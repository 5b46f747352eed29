"""A table and which of its rows train in, what kind each column is out, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tftrain.config import Data
from tftrain.config.columns import Column, Kind
from tftrain.data.table import CHOSEN, NAME, Table, quoted

TRAINING = f"FROM {NAME} POSITIONAL JOIN train WHERE train.{quoted(CHOSEN)}"
_ID = re.compile(
    r"(^|.*[_. ])(id|uuid|guid|key|index|nr|number)$|.*[a-z]I[Dd]$|^unnamed", re.IGNORECASE
)
_WORDS_OF_TEXT = 4  # in a cell, on average
_FEW_TEXTS = 50  # are names, however long
_UNIQUE = 0.5  # of the rows: names that often differ tell rows apart, not kinds
_FEWEST = 20  # rows, before a column is taken for one of numbers of rows


@dataclass(frozen=True)
class Kinds:
    """What a column is, and how that is known.

    Args:
        kind: number, category, boolean, text, date, image, id, constant or drop.
        why: in words.
        column: what the config says of it, or would have to say.
        distinct: different values among the training rows.
        missing: cells that are empty among the training rows.
    """

    kind: Kind | str
    why: str
    column: Column
    distinct: int
    missing: int


def kinds(table: Table, data: Data) -> dict[str, Kinds]:
    """The kind of every column that isn't the target or of use for the split.

    Counts are of the training rows, which `table.mask` has named.
    """
    used = {data.target, data.group, data.time, data.sample_weight} - set(data.columns)
    names = [name for name in table.types if name not in used and name != data.target]
    return {name: _kind(table, data, name) for name in names}


def _kind(table: Table, data: Data, name: str) -> Kinds:
    rows, given, distinct = _counts(table, name)
    said = data.columns.get(name)
    if said is not None:
        return Kinds(said.kind, "as data.columns says", said, distinct, rows - given)
    kind, why = _found(table, name, rows, given, distinct)
    column = Column.model_validate("drop" if kind == "constant" else kind)
    return Kinds(kind, why, column, distinct, rows - given)


def _counts(table: Table, name: str) -> tuple[int, int, int]:
    column = quoted(name)
    row = table.connection.execute(
        f"SELECT count(*), count({column}), approx_count_distinct({column}), "
        f"min({column}) IS NOT DISTINCT FROM max({column}) {TRAINING}"
    ).fetchone()
    rows, given, distinct, constant = row or (0, 0, 0, True)
    return rows, given, (min(given, 1) if constant else max(2, min(distinct, given)))


def _found(table: Table, name: str, rows: int, given: int, distinct: int) -> tuple[Kind | str, str]:
    if distinct <= 1 and given in (0, rows):
        return "constant", "one value only" if given else "no value"
    kind = table.types[name]
    if kind == "DOUBLE":
        return _number(table, name, rows)
    if kind == "VARCHAR":
        return _text(table, name, rows, given, distinct)
    return ("boolean", "true and false") if kind == "BOOLEAN" else ("date", "dates")


def _number(table: Table, name: str, rows: int) -> tuple[Kind, str]:
    """Whole numbers that count the rows, or are called an id, tell nothing of new rows."""
    number: tuple[Kind, str] = ("number", "numbers")
    column = quoted(name)
    if rows < _FEWEST:
        return number
    whole, span = table.connection.execute(
        f"SELECT count({column}) = count(*) AND bool_and({column} = floor({column})), "
        f"max({column}) - min({column}) + 1 {TRAINING}"
    ).fetchone() or (False, 0)
    named = bool(_ID.fullmatch(name))
    if not whole or (not named and span < rows):
        return number
    (distinct,) = table.connection.execute(
        f"SELECT count(DISTINCT {column}) {TRAINING}"
    ).fetchone() or (0,)
    if distinct < rows:
        return number
    (counted,) = table.connection.execute(
        f"SELECT bool_and(step = 1) FROM (SELECT {column} - lag({column}) OVER (ORDER BY rowid) "
        f"AS step FROM {NAME})"
    ).fetchone() or (False,)
    if counted:
        return "id", "the rows' own numbers"
    return ("id", "another whole number in every row, and its name") if named else number


def _text(table: Table, name: str, rows: int, given: int, distinct: int) -> tuple[Kind, str]:
    column = quoted(name)
    words, others = table.connection.execute(
        f"SELECT avg(length({column}) - length(replace({column}, ' ', '')) + 1), "
        f"count_if(lower({column}) NOT IN ('true', 'false')) {TRAINING}"
    ).fetchone() or (0, 0)
    if not others:
        return "boolean", "true and false"
    many = distinct > _UNIQUE * given and rows >= _FEWEST
    if words >= _WORDS_OF_TEXT and (many or distinct > _FEW_TEXTS):
        return "text", f"{words:.0f} words in a cell"
    if many:
        return "id", f"{distinct} different texts in {given} rows"
    if _ID.fullmatch(name) and distinct > _FEW_TEXTS:
        return "id", "its name"
    return "category", f"{distinct} different texts"


def dropped(found: Mapping[str, Kinds]) -> dict[str, str]:
    """The columns that are not used, and why."""
    unused = ("id", "drop", "constant")
    return {name: f"{one.kind}: {one.why}" for name, one in found.items() if one.kind in unused}
