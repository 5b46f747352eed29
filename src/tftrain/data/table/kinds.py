"""A table and which of its rows train in, what kind each column is out, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tftrain.config import Data
from tftrain.config.columns import Column, Kind
from tftrain.data.table import Table
from tftrain.data.table.sql import CHOSEN, NAME, quoted

TRAINING = f"FROM {NAME} POSITIONAL JOIN train WHERE train.{quoted(CHOSEN)}"
_ID = re.compile(
    r"(^|.*[_. ])(id|uuid|guid|key|index|nr|number)$|.*[a-z]I[Dd]$|unnamed.*", re.IGNORECASE
)
_SIGNS = r"^[-+$€£¥ ]*[0-9][0-9.,]*[ ]?[%$€£¥]?$"  # $1,234.50 or 45%
_DAYS = r"^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}"  # 31/12/2020 or 12/31/2020
IMAGES = r"\.(png|jpe?g|bmp|gif|webp|tiff?)$"
_MOST = 0.9  # of the cells: then so are all
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
    counts = _counts(table, names)
    return {name: _kind(table, data, name, counts[name]) for name in names}


@dataclass(frozen=True)
class _Counts:
    """Of a column among the training rows; whole and span are those of numbers."""

    rows: int
    given: int
    distinct: int
    whole: bool
    span: float


def _kind(table: Table, data: Data, name: str, counts: _Counts) -> Kinds:
    missing, distinct = counts.rows - counts.given, counts.distinct
    said = data.columns.get(name)
    if said is not None:
        return Kinds(said.kind, "as data.columns says", said, distinct, missing)
    kind, why = _found(table, name, counts)
    column = Column.model_validate("drop" if kind == "constant" else kind)
    return Kinds(kind, why, column, distinct, missing)


def _counts(table: Table, names: Sequence[str]) -> dict[str, _Counts]:
    """Of many columns in each pass over the rows."""
    found = {}
    asked = {name: _count(table, name) for name in names}
    for name, rows, given, estimate, constant, whole, span in table.each(asked, TRAINING):
        distinct = min(given, 1) if constant else max(2, min(estimate, given))
        found[name] = _Counts(rows, given, distinct, given == rows and bool(whole), span or 0.0)
    return found


def _count(table: Table, name: str) -> list[str]:
    column = quoted(name)
    number = ["NULL", "NULL"]
    if table.types[name] == "DOUBLE":
        number = [f"bool_and({column} = floor({column}))", f"max({column}) - min({column}) + 1"]
    return [
        "count(*)",
        f"count({column})",
        f"approx_count_distinct({column})",
        f"min({column}) IS NOT DISTINCT FROM max({column})",
        *number,
    ]


def _found(table: Table, name: str, counts: _Counts) -> tuple[Kind | str, str]:
    rows, given, distinct = counts.rows, counts.given, counts.distinct
    if distinct <= 1 and given in (0, rows):
        return "constant", "one value only" if given else "no value"
    kind = table.types[name]
    if kind == "DOUBLE":
        return _number(table, name, counts)
    if kind == "VARCHAR":
        return _text(table, name, rows, given, distinct)
    return ("boolean", "true and false") if kind == "BOOLEAN" else ("date", "dates")


def _number(table: Table, name: str, counts: _Counts) -> tuple[Kind, str]:
    """Whole numbers that count the rows, or are called an id, tell nothing of new rows."""
    number: tuple[Kind, str] = ("number", "numbers")
    column, rows = quoted(name), counts.rows
    named = bool(_ID.fullmatch(name))
    if rows < _FEWEST or not counts.whole or (not named and counts.span < rows):
        return number
    ((distinct,),) = table.fetch(f"SELECT count(DISTINCT {column}) {TRAINING}")
    if distinct < rows:
        return number
    ((counted,),) = table.fetch(
        f"SELECT min({column} - {NAME}.rowid) = max({column} - {NAME}.rowid) {TRAINING}"
    )
    if counted:
        return "id", "the rows' own numbers"
    return ("id", "another whole number in every row, and its name") if named else number


def _text(table: Table, name: str, rows: int, given: int, distinct: int) -> tuple[Kind, str]:
    column = quoted(name)
    ((words, others),) = table.fetch(
        f"SELECT avg(length({column}) - length(replace({column}, ' ', '')) + 1), "
        f"count_if(lower({column}) NOT IN ('true', 'false')) {TRAINING}"
    )
    if not others:
        return "boolean", "true and false"
    many = distinct > _UNIQUE * given and rows >= _FEWEST
    hint = _hint(table, name, given)
    if words >= _WORDS_OF_TEXT and (many or distinct > _FEW_TEXTS):
        return "text", f"{words:.0f} words in a cell"
    if many:
        return "id", f"{distinct} different texts in {given} rows{hint}"
    if _ID.fullmatch(name) and distinct > _FEW_TEXTS:
        return "id", "its name"
    return "category", f"{distinct} different texts{hint}"


def _hint(table: Table, name: str, given: int) -> str:
    """What texts would be if they were written otherwise, which only the user can know."""
    column = quoted(name)
    ((numbers, days, images, example),) = table.fetch(
        f"SELECT count_if(regexp_matches({column}, '{_SIGNS}') "
        f"AND NOT regexp_full_match({column}, '[0-9]+')), "
        f"count_if(regexp_matches({column}, '{_DAYS}')), "
        f"count_if(regexp_matches(lower({column}), '{IMAGES}')), min({column}) {TRAINING}"
    )
    for cells, advice in (
        (numbers, "data.query can make numbers of them"),
        (days, "data.query can make dates of them"),
        (images, f"for paths of images set data.columns.{name} to image"),
    ):
        if given and cells >= _MOST * given:
            return f", such as `{example[:40]}`: {advice}"
    return ""


def dropped(found: Mapping[str, Kinds]) -> dict[str, str]:
    """The columns that are not used, and why."""
    unused = ("id", "drop", "constant")
    return {name: f"{one.kind}: {one.why}" for name, one in found.items() if one.kind in unused}
