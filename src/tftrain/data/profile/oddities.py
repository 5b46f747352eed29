"""What columns hold in, what is odd about it out: spellings, sentinels, zeros, skew."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Category, Data, Place
from tftrain.data.profile.remarks import Remark, note, ok
from tftrain.data.profile.statistics import Sample, Statistics, named, shown, skewness
from tftrain.data.table import NAME, Table, quoted
from tftrain.data.table.kinds import IMAGES
from tftrain.errors import counted

_EMPTY = 0.95
_SAME = 0.999
_SKEWED = 3.0
_RARE = 0.05  # zeros: more of them mean zero
_GAP = 0.2  # of the median, that lies between such zeros and the next number
_SPACINGS = 10
_FEW = 10
_LONGEST = 40  # letters of a cell that are shown
_BEFORE = 10  # of them, before the first difference
_MANY_TEXTS = 10
_SENTINELS = frozenset({-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0})
_FAR = 3.0  # times the spread of the other numbers
_IMAGE = re.compile(IMAGES, re.IGNORECASE)
_WITH_UNIT = re.compile(r"[-+]?\d[\d.,' ]* ?[a-zA-Z]{1,3}")


def oddities(
    table: Table,
    columns: Sequence[Statistics],
    rows: Sample,
    data: Data,
    places: Mapping[str, Place],
) -> list[Remark]:
    """What is odd about columns, the gravest first."""
    used = [one for one in columns if one.width]
    numbers = [one for one in used if one.kind == "number" and one.type == "DOUBLE"]
    remarks = [
        *_spellings([one for one in columns if one.width or one.kind == "target"], places),
        *_numbers_as_text(table, columns),
        *_paths(used),
        *_sentinels(table, numbers),
        *_zeros(table, numbers, rows),
        *_sparse(table, used),
        *_too_many(used, data),
        *_skewed(numbers, rows),
        *_codes(numbers, rows),
    ]
    width = sum(one.width for one in used)
    inputs = counted(width, "input")
    fine = f"{counted(len(used), 'column')} of {len(columns)} learnt from, as {inputs}"
    return [*remarks, ok("columns", fine)]


def _spellings(columns: Iterable[Statistics], places: Mapping[str, Place]) -> list[Remark]:
    """Texts that differ by spaces or, if more than a letter long, by capitals."""
    remarks = []
    for one in columns:
        alike: dict[str, list[str]] = defaultdict(list)
        for name, _ in one.names:
            plain = " ".join(name.split())
            alike[plain.casefold() if len(plain) > 1 else plain].append(name)
        several = [names for names in alike.values() if len(names) > 1]
        if several:
            first = ", ".join(f"`{name}`" for name in _apart(several[0][:3]))
            more = f" and {len(several) - 1} more such" if len(several) > 1 else ""
            message = (
                f"`{one.name}` has {first}{more}: if they mean the same, make them the same with "
                f"data.query: SELECT * REPLACE (lower(trim({quoted(one.name)})) AS "
                f"{quoted(one.name)}) FROM {NAME}"
            )
            remarks.append(Remark("columns", "warning", message, "D024", places[one.name]))
    return remarks


def _apart(names: Sequence[str]) -> list[str]:
    """Texts that are alike, of long ones what stands where they first differ."""
    if max(map(len, names)) <= _LONGEST:
        return [*names]
    differ = (at for at, letters in enumerate(zip(*names, strict=False)) if len({*letters}) > 1)
    start = max(0, next(differ, min(map(len, names))) - _BEFORE)
    stop = start + _LONGEST
    return ["..." * (start > 0) + one[start:stop] + "..." * (len(one) > stop) for one in names]


def _numbers_as_text(table: Table, columns: Iterable[Statistics]) -> list[Remark]:
    """Such as `12%`; plain digits were left texts for the zeros in front, or for their name."""
    found = []
    for one in columns:
        names = [name for name, _ in one.names] or [str(one.example)]
        if table.untyped and all(map(str.isdecimal, names)):
            continue
        many = one.distinct >= _MANY_TEXTS and one.type == "VARCHAR" and one.kind != "drop"
        if many and sum(bool(_WITH_UNIT.fullmatch(name)) for name in names) > _EMPTY * len(names):
            message = (
                f"`{one.name}` holds numbers as texts (`{shown(names[0])}`): data.query can make "
                "numbers of them with regexp_replace and CAST"
            )
            found.append(note("columns", message))
    return found


def _paths(columns: Iterable[Statistics]) -> list[Remark]:
    """Names that are images' paths."""
    found = []
    for one in columns:
        images = sum(bool(_IMAGE.search(name)) for name, _ in one.names)
        if one.names and images > _EMPTY * len(one.names):
            message = (
                f"`{one.name}` holds paths of images (`{shown(one.names[0][0])}`): to learn from "
                f"their pixels set data.columns.{one.name} to image"
            )
            found.append(note("columns", message))
    return found


def _sentinels(table: Table, columns: Iterable[Statistics]) -> list[Remark]:
    """A smallest or largest number such as -999 that lies far from all others."""
    remarks = []
    for one in columns:
        for value in {one.low, one.high} & _SENTINELS:
            column = quoted(one.name)
            ((cells, low, high, spread),) = table.ask(
                f"count_if({column} = ?), min({column}) FILTER ({column} <> ?), "
                f"max({column}) FILTER ({column} <> ?), "
                f"stddev_pop({column}) FILTER ({column} <> ?)",
                "",
                *[value] * 4,
            )
            if low is None:
                continue
            gap = max(low - value, value - high)
            if gap > _FAR * spread or (value == -1 and low >= 0 and low == round(low)):
                message = (
                    f"`{one.name}` is {value:g} in {counted(cells, 'row')} and otherwise {low:g} "
                    f'to {high:g}: if that means missing, set data.missing: ["{value:g}"]'
                )
                remarks.append(note("columns", message))
    return remarks


def _zeros(table: Table, columns: Iterable[Statistics], rows: Sample) -> list[Remark]:
    """A few zeros far below all other numbers."""
    found = []
    for one in columns:
        given = _given(rows, one.name)
        if not one.zeros or one.low < 0 or one.zeros > _RARE * table.rows or not len(given):
            continue
        ((above,),) = table.ask(f"min({quoted(one.name)})", f"WHERE {quoted(one.name)} > 0")
        spacing = one.high / one.distinct
        if above and above >= _GAP * np.median(given) and above >= _SPACINGS * spacing:
            found.append(f"`{one.name}` ({one.zeros:,}, the next is {above:g})")
    if not found:
        return []
    message = f"a few zeros in {', '.join(found)}: if they mean missing, make them so by data.query"
    return [note("columns", f"{message} with nullif(column, 0)")]


def _sparse(table: Table, columns: Iterable[Statistics]) -> list[Remark]:
    remarks = []
    for one in columns:
        if one.missing > _EMPTY * table.rows:
            message = f"`{one.name}` is empty in {one.missing / table.rows:.1%} of the rows"
            remarks.append(note("columns", message))
        if one.names and one.names[0][1] > _SAME * table.rows:
            message = f"`{one.name}` is `{shown(one.names[0][0])}` in all but " + counted(
                table.rows - one.names[0][1], "row"
            )
            remarks.append(note("columns", message))
    return remarks


def _too_many(columns: Iterable[Statistics], data: Data) -> list[Remark]:
    """Categories of which some share a column."""
    remarks = []
    for one in columns:
        asked = data.columns[one.name].category if one.name in data.columns else Category()
        asked = asked or Category()
        shared = asked.num_hashes is None and one.distinct > asked.max_categories
        if one.kind == "category" and shared:
            message = (
                f"`{one.name}` has {one.distinct:,} different texts, of which the "
                f"{asked.max_categories} most frequent have a column of their own "
                "(max_categories)"
            )
            remarks.append(note("columns", message))
    return remarks


def _skewed(columns: Iterable[Statistics], rows: Sample) -> list[Remark]:
    found = []
    for one in columns:
        given = _given(rows, one.name)
        if one.distinct > 2 and abs(skewness(given)) > _SKEWED:  # noqa: PLR2004 - two are no tail
            found.append(one.name)
    if not found:
        return []
    message = f"very skewed: {named(found)}; a logarithm by data.query, or bins ({{number: "
    return [note("columns", f"{message}{{num_bins: 10}}}}), may help")]


def _codes(columns: Iterable[Statistics], rows: Sample) -> list[Remark]:
    """Columns of few whole numbers, which may be names."""
    found = []
    for one in columns:
        given = _given(rows, one.name)
        if 2 < one.distinct <= _FEW and bool((given == given.round()).all()):  # noqa: PLR2004
            found.append(one.name)
    if not found:
        return []
    message = f"few whole numbers: {named(found)}; if they are codes rather than amounts, set"
    return [note("columns", f"{message} data.columns to category")]


def _given(rows: Sample, name: str) -> NDArray[np.float64]:
    numbers = rows.numbers[name]
    return numbers[~np.isnan(numbers)]
