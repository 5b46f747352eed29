"""A table's columns in, those that may be meant otherwise than they are read out, and what to do.

A column that is nearly all numbers, or dates, is refused when it is read (`cells.py`); here are
those that are so for the most part, those that are written in another way, numbers that are
rounded, and dates that are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tftrain.config import Data
from tftrain.data.table import Table
from tftrain.data.table.cells import HEAD, as_date
from tftrain.data.table.reading import is_code
from tftrain.data.table.sql import NAME, quoted, text
from tftrain.errors import Mark, Problem, counted, listed

_HALF = 0.5  # of the cells: then so may be all
_MOST = 0.9  # of the cells are of one form: then the others are faults
_FEWEST = 3  # different numbers: fewer are codes
_MANY = 10  # different numbers that are texts in their file
_FEW_TEXTS = 5  # among numbers: more are names, as those of tickets are
_EXACT = 2**53  # whole numbers up to here are exact as 64-bit floats
_WRITTEN = 2**64
_NEVER = 9999  # a year
_LONGEST = 40  # letters of a cell that are shown
_MISSING = (
    *("n/a", "na", "n.a.", "nan", "null", "nil", "none", "-", "--", "?", "."),
    *("unknown", "missing", "not available", "#n/a", "k.a.", "unbekannt"),
)
_DAY = r"[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{4}|[0-9]{2})"
_DAYS = f"^{_DAY}([ T][0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}})?)?$"  # 31/12/2020 or 12/31/2020 10:15
_DATES = tuple(
    parts.replace(" ", mark) + time
    for year in ("%Y", "%y")
    for time in ("", " %H:%M", " %H:%M:%S")
    for mark in ("/", ".", "-")
    for parts in (f"%d %m {year}", f"%m %d {year}")
)
_POINT = (
    "^[-+]?[$€£¥]? ?[-+]?([0-9]{1,3}([,'' ][0-9]{3})+|[0-9]+)([.][0-9]+)? ?[%$€£¥]?$"  # $1,234.5
)
_COMMA = "^[-+]?[$€£¥]? ?[-+]?([0-9]{1,3}([.'' ][0-9]{3})+|[0-9]+)(,[0-9]+)? ?[%$€£¥]?$"  # 1.234,5
_MADE_OF = {
    "point": "regexp_replace({}, '[^0-9.+-]', '', 'g')",
    "comma": "replace(regexp_replace({}, '[^0-9,+-]', '', 'g'), ',', '.')",
}


def suspects(table: Table, data: Data) -> tuple[Problem, ...]:
    """A warning for each column of texts that may be meant as something else.

    Args:
        table: its types found out, not given.
        data: a column that it speaks of is what it says.
    """
    apart = {*data.columns, data.time, data.sample_weight}
    free = {name: kind for name, kind in table.types.items() if name not in apart}
    texts = [
        name
        for name, kind in free.items()
        if kind == "VARCHAR" and name != data.group and not is_code(name, data)
    ]
    likely = (_said(table, data, name, counts) for name, counts in _likely(table, texts))
    found = [("D025", message) for message in likely if message is not None]
    numbers = [name for name, kind in free.items() if kind == "DOUBLE" and name != data.target]
    found += [("D028", message) for message in _large(table, numbers)]
    dates = [name for name, kind in free.items() if kind in ("DATE", "TIMESTAMP")]
    found += [("D025", message) for message in _never(table, dates)]
    return tuple(Problem(Mark(table.source), code, said, "warning") for code, said in found)


def _large(table: Table, names: list[str]) -> Iterator[str]:
    """What is said of whole numbers that are rounded; beyond 64 bits none were written out."""
    asked = {
        name: [f"bool_and({quoted(name)} = floor({quoted(name)}))", f"max(abs({quoted(name)}))"]
        for name in names
    }
    for name, whole, most in table.each(asked):
        if whole and _EXACT < most < _WRITTEN:
            yield (
                f"column `{name}` holds whole numbers up to {most:.0f}: beyond {_EXACT} some are "
                f"taken for one another; if these are names, set data.columns.{name} to category, "
                "to id or drop to leave them out, to number if the last digits don't matter"
            )


def _never(table: Table, names: list[str]) -> Iterator[str]:
    """What is said of dates that stand for none."""
    asked = {name: [f"count_if(year({quoted(name)}) = {_NEVER})"] for name in names}
    for name, cells in table.each(asked):
        if cells:
            column = quoted(name)
            where = f"WHERE year({column}) = {_NEVER} LIMIT 1"
            ((row, value),) = table.ask(f"rowid, {column}::VARCHAR", where)
            yield (
                f"column `{name}` is {value} in {counted(cells, 'row')}, the first is row {row} "
                f"(counted from 0): if that means that one is missing, set data.missing: "
                f'["{value}"]; if it is right, set data.columns.{name} to date'
            )


Counts = Mapping[str, int]


class _Form(NamedTuple):
    """Another way to write something.

    Args:
        words: what is written.
        test: whether a cell is, in SQL.
        made: what makes tftrain's way of it, in SQL; several where only the user can know.
    """

    words: str
    test: str
    made: list[str]


def _tests(column: str) -> dict[str, str]:
    """What a cell may be, in SQL."""
    missing = ", ".join(map(text, _MISSING))
    return {
        "number": f"TRY_CAST({column} AS DOUBLE) IS NOT NULL",
        "date": f"{as_date(column)} IS NOT NULL",
        "day": f"regexp_matches({column}, '{_DAYS}')",
        "point": f"regexp_matches({column}, '{_POINT}')",
        "comma": f"regexp_matches({column}, '{_COMMA}')",
        "missing": f"lower(trim({column})) IN ({missing})",
    }


def _likely(table: Table, names: list[str]) -> Iterator[tuple[str, Counts]]:
    """Columns that may be something else by their first rows, and all their cells counted."""
    asked = {
        name: [
            f"count({quoted(name)})",
            *(f"count_if({test})" for test in _tests(quoted(name)).values()),
        ]
        for name in names
    }
    keys = ("given", *_tests(""))
    for name, *head in table.each(asked, f"FROM (SELECT * FROM {NAME} LIMIT {HEAD})"):
        found = dict(zip(keys, head, strict=True))
        if max(found[key] for key in keys[1:-1]) + found["missing"] < _HALF * found["given"]:
            continue
        ((*counts,),) = table.ask(", ".join(asked[name]))
        yield name, dict(zip(keys, counts, strict=True))


def _said(table: Table, data: Data, name: str, counts: Counts) -> str | None:
    given = counts["given"] - counts["missing"]
    if not given:
        return None
    tests = _tests(quoted(name))
    if counts["day"] >= _MOST * given:
        return _otherwise(table, data, name, _Form("dates", tests["day"], _dates(table, name)))
    for kind, words in (("number", "numbers"), ("date", "dates")):
        if counts[kind] >= _HALF * given:
            return _but_for(table, name, tests[kind], words)
    made = []
    for kind, digits in _MADE_OF.items():
        if counts[kind] >= _MOST * given:
            cast = "{}::DOUBLE" if counts[kind] == counts["given"] else "TRY_CAST({} AS DOUBLE)"
            made.append(cast.format(digits.format(quoted(name))))
    form = _Form("numbers", f"{tests['point']} OR {tests['comma']}", made)
    return _otherwise(table, data, name, form)


def _but_for(table: Table, name: str, test: str, words: str) -> str | None:
    """What is said of a column of which some cells are none of what the others are."""
    column = quoted(name)
    others = table.ask(
        f"{column}, count(*), min(rowid)",
        f"WHERE {column} IS NOT NULL AND NOT ({test}) GROUP BY 1 ORDER BY 3 LIMIT {_FEW_TEXTS + 1}",
    )
    ((values,),) = table.ask(f"count(DISTINCT {column}) FILTER ({test})")
    if not others:
        return _digits(table, name, values)
    alike = all(value.strip().lower() in _MISSING for value, *_ in others)
    if words == "numbers" and (len(others) > _FEW_TEXTS or (values < _FEWEST and not alike)):
        return None
    first, _, row = others[0]
    ((cells,),) = table.ask(f"count_if({column} IS NOT NULL AND NOT ({test}))")
    more = f" and {cells - 1:,} more cells" if cells > 1 else ""
    texts = listed(json.dumps(value, ensure_ascii=False) for value, *_ in others[:_FEW_TEXTS])
    return (
        f"column `{name}` would be {words} but for `{first[:_LONGEST]}` in row {row} (counted from "
        f"0){more}: if that means that one is missing, set data.missing: [{texts}]; if these are "
        f"names, set data.columns.{name} to category"
    )


def _digits(table: Table, name: str, values: int) -> str | None:
    """What is said of numbers that a Parquet or JSON file holds as texts."""
    ((zero,),) = table.ask(f"bool_or(regexp_matches({quoted(name)}, '^0[0-9]'))")
    if zero or values < _MANY:
        return None
    return (
        f"column `{name}` holds numbers as texts: set data.columns.{name} to number, or to "
        "category if these are names"
    )


def _otherwise(table: Table, data: Data, name: str, form: _Form) -> str | None:
    """What is said of a column that is written in another way than tftrain reads it."""
    words, test, made = form
    if not made:
        return None
    column = quoted(name)
    ((example, others),) = table.ask(
        f"first({column}) FILTER ({test}), count_if({column} IS NOT NULL AND NOT ({test}))"
    )
    query = f"SELECT * REPLACE ({made[0]} AS {column}) FROM {NAME}"
    advice = f"set data.query to {query}" if data.query is None else f"let data.query say {made[0]}"
    if len(made) > 1:
        advice += f", or with {made[1]}, which only you can know"
    if others:
        advice += f" ({counted(others, 'cell')} would be missing)"
    return (
        f"column `{name}` holds {words} as texts, such as `{example[:_LONGEST]}`: {advice}; if "
        f"these are names, set data.columns.{name} to category"
    )


def _dates(table: Table, name: str) -> list[str]:
    """What makes dates of all cells, or of as many as anything does, in SQL."""
    column = quoted(name)
    asked = ", ".join(f"count(try_strptime({column}, {text(form)}))" for form in _DATES)
    (found,) = table.ask(asked)
    most = max(found)
    ((given,),) = table.ask(f"count({column})")
    function = "strptime" if most == given else "try_strptime"
    best = [form for form, cells in zip(_DATES, found, strict=True) if cells == most and most]
    short = [form for form in best if "%y" in form]  # to duckdb the year 23 is one of %Y too
    return [f"{function}({column}, {text(form)})" for form in short or best]
