"""Rows as they came in, which of them are there twice out: within the data and across its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Place
from tftrain.data import arrays
from tftrain.data.profile.remarks import Remark, note, ok
from tftrain.data.profile.statistics import Sample, Statistics, shown
from tftrain.data.splits import Part, gather
from tftrain.data.table import NAME, Table, Type, quoted
from tftrain.data.table.kinds import TRAINING
from tftrain.errors import counted

_LARGEST = 1024**3  # bytes of arrays that are compared
_MANY = 0.01  # of a part's rows: from here on its score is better than it will be
_FEWEST = 5  # rows: fewer are chance
_OFTEN = 3  # times as often as if columns were independent, which they never are
_CHANCE = "; about as many as chance makes of so few different values"
_FILLED = 10
_ALIKE = 0.7
_FEW_VALUES = 0.05
_VARIED = 20

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Hashed:
    """The rows of a part, each as a number.

    Args:
        inputs: of what the network sees, (rows,).
        rows: of that and the label, (rows,).
        first: the row's number in its source, (rows,).
    """

    inputs: Hashes
    rows: Hashes
    first: NDArray[np.int64]


def of_table(table: Table, types: Mapping[str, Type]) -> Hashes:
    """A number for each row of a table, by the columns that are learnt from."""
    cells = ", ".join(f"TRY_CAST({quoted(name)} AS {kind})" for name, kind in types.items())
    found = table.fetch_arrays(f"SELECT hash({cells}) AS h FROM {NAME}")["h"]
    return np.asarray(found, np.uint64)


def of_arrays(part: Part) -> Hashes | None:
    """A number for each row of an array; None where that would take long."""
    if part.inputs.nbytes > _LARGEST:
        return None
    blocks = (gather(part.inputs, rows) for rows in arrays.blocks(part.inputs, part.rows))
    found = [hash(row.tobytes()) for block in blocks for row in block]
    return np.array(found, np.int64).view(np.uint64)


def with_labels(inputs: Hashes, labels: NDArray[Any]) -> Hashes:
    """The numbers of rows and labels together."""
    bits = np.ascontiguousarray(labels, np.float64).reshape(len(labels), -1).view(np.uint64)
    mixed = inputs.copy()
    for column in bits.T:
        mixed = (mixed ^ (column + np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def chance(rows: Sample) -> float:
    """How likely two rows have equal inputs by chance, were the columns independent.

    Of rows that are there twice, one counts: they would make their own repetition likely.
    """
    columns = [*rows.numbers.values(), *(codes.view(np.float64) for codes in rows.codes.values())]
    hashes = with_labels(np.zeros(len(rows.rows), np.uint64), np.stack(columns, axis=1))
    first = np.unique(hashes, return_index=True)[1]
    if len(first) * _FILLED < len(hashes):  # nobody copies a row so often: there are no others
        return 1.0
    likely = 1.0
    for values in (*rows.numbers.values(), *rows.codes.values()):
        counts = np.unique(values[first], return_counts=True)[1].astype(np.float64)
        likely *= float((counts * (counts - 1)).sum()) / max(1, len(first) * (len(first) - 1))
    return likely


def duplicates(
    parts: Mapping[str, Hashed],
    places: Mapping[str, Place],
    *,
    classes: bool,
    likely: float | None = None,
) -> list[Remark]:
    """What there is to say of rows that are there twice.

    Args:
        parts: all of them by name.
        places: where the config says what each part is.
        classes: whether labels are classes.
        likely: what `chance` says of a table's rows; None for arrays.
    """
    inputs = np.concatenate([part.inputs for part in parts.values()])
    twice = _repeated(inputs)
    among = _among(inputs, twice)
    again, sizes, several = _within(
        inputs[among], np.concatenate([part.rows for part in parts.values()])[among]
    )
    if again:
        message = (
            f"{counted(again, 'row')} of {len(inputs):,} "
            f"{'is' if again == 1 else 'are'} there before, inputs and label alike, one "
            f"{sizes} times"
        )
        if _by_chance(again, len(inputs) / 2, len(inputs), likely):
            message += _CHANCE
        elif likely is not None:
            message += f"; to leave them out set data.query to SELECT DISTINCT * FROM {NAME}"
        remarks = [note("duplicates", message)]
    else:
        remarks = [ok("duplicates", f"no two of {len(inputs):,} rows are the same")]
    if several:
        what = "classes: no network can tell these apart" if classes else "targets"
        message = f"{counted(several, 'set')} of equal inputs with different {what}"
        remarks.append(note("duplicates", message))
    return [*remarks, *_across(parts, places, twice, likely)]


def _repeated(values: Hashes) -> Hashes:
    """What is there more than once, ascending."""
    ordered = np.sort(values)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _among(values: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which are among the known, which ascend: far faster than `isin` where these are few."""
    if not len(known):
        return np.zeros(len(values), bool)
    place = np.searchsorted(known, values)
    found: NDArray[np.bool_] = known[np.minimum(place, len(known) - 1)] == values
    return found


def _within(inputs: Hashes, rows: Hashes) -> tuple[int, int, int]:
    """Rows that are there before, how often one is at most, inputs that have several labels."""
    if not len(rows):
        return 0, 0, 0
    kinds, first, sizes = np.unique(rows, return_index=True, return_counts=True)
    _, labels = np.unique(inputs[first], return_counts=True)
    return len(rows) - len(kinds), int(sizes.max()), int((labels > 1).sum())


def _across(
    parts: Mapping[str, Hashed], places: Mapping[str, Place], twice: Hashes, likely: float | None
) -> list[Remark]:
    """Rows that are scored and were trained on."""
    remarks: list[Remark] = []
    train = parts["train"]
    seen = _among(train.inputs, twice)
    inputs, rows = np.unique(train.inputs[seen]), np.unique(train.rows[seen])
    for name, part in parts.items():
        if name == "train":
            continue
        alike = _among(part.inputs, inputs)
        count, share = int(alike.sum()), float(alike.mean())
        if not count:
            remarks.append(ok("duplicates", f"no row of the {name} part is a training row too"))
            continue
        message = (
            f"{counted(count, 'row')} of the {name} part ({share:.1%}) "
            f"{'has' if count == 1 else 'have'} the inputs of a training row, "
            f"{int(_among(part.rows, rows).sum()):,} the label too; the first is row "
            f"{part.first[alike][0]} (counted from 0)"
        )
        if _by_chance(count, len(part.inputs), len(train.inputs), likely):
            remarks.append(note("duplicates", message + _CHANCE))
        elif share < _MANY or count < _FEWEST:
            remarks.append(note("duplicates", message))
        else:
            if likely is not None:
                message += (
                    "; keep such rows together with data.group, or leave them out by data.query"
                )
            remarks.append(Remark("duplicates", "warning", message, "D020", places[name]))
    return remarks


def _by_chance(count: int, rows: float, others: int, likely: float | None) -> bool:
    """Whether so many rows are like others where columns have few different values."""
    return likely is not None and count <= _OFTEN * rows * min(1.0, likely * others)


def groups(source: Table, other: Table, group: str, part: str) -> Remark:
    """What there is to say of a part's file that may hold groups of the training rows.

    Args:
        source: its training rows named by `table.mask`.
        other: the part's table.
        group: the column.
        part: its name.
    """
    if group not in other.types:
        message = f"the {part} file has no column `{group}`: its groups may be those of training"
        return note("duplicates", message)
    cell = f"{quoted(group)}::VARCHAR"
    given = f"{quoted(group)} IS NOT NULL"
    known = {name for (name,) in source.fetch(f"SELECT DISTINCT {cell} {TRAINING} AND {given}")}
    found = other.ask(f"{cell}, count(*), min(rowid)", f"WHERE {given} GROUP BY 1 ORDER BY 3")
    both = [one for one in found if one[0] in known]
    if not both:
        return ok("duplicates", f"no group of the {part} part is one of the training rows too")
    name, _, row = both[0]
    rows = sum(count for _, count, _ in both)
    message = (
        f"{counted(len(both), 'group')} by `{group}` of the {part} part, {counted(rows, 'row')} "
        f"({rows / other.rows:.1%}), {'is' if len(both) == 1 else 'are'} among the training rows "
        f"too, such as `{shown(name)}` in row {row} (counted from 0): leave them out of one of the "
        "files"
    )
    return Remark("duplicates", "warning", message, "D027", ("data", "split", part))


def bunches(table: Table, columns: Sequence[Statistics]) -> list[Remark]:
    """Rows that are alike in all but one column, as repeated measurements of one thing are."""
    varied = [one.name for one in columns if one.kind == "number" and one.distinct > _VARIED]
    few = [one for one in columns if 1 < one.distinct <= _FEW_VALUES * table.rows]
    tries = [one.name for one in few if len(set(varied) - {one.name}) > 1]
    if not tries:
        return []
    hashes = [f"hash({quoted(one.name)}, {place})" for place, one in enumerate(columns)]
    whole = hashes[0]
    for cell in hashes[1:]:
        whole = f"xor({whole}, {cell})"
    place_of = {one.name: place for place, one in enumerate(columns)}
    asked = ", ".join(f"approx_count_distinct(xor(h, {hashes[place_of[name]]}))" for name in tries)
    ((every, *rest),) = table.fetch(
        f"SELECT approx_count_distinct(h), {asked} FROM (SELECT *, {whole} AS h FROM {NAME})"
    )
    best = min(range(len(tries)), key=lambda place: rest[place])
    if rest[best] > _ALIKE * every:
        return []
    message = (
        f"the rows are about {rest[best]:,} bunches that are alike in all but `{tries[best]}`: if "
        "each is of one thing, name it in a column (data.query can make one) and set data.group, "
        "or the test part holds what training has seen"
    )
    return [note("duplicates", message)]
