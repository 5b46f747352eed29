"""A table of data in, a config that trains on it out: `tftrain init --from`."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tftrain import files, templates
from tftrain.config import TABLE_SUFFIXES, Data, class_name, kind_of
from tftrain.config.lint import unequal
from tftrain.config.text import scalar
from tftrain.data import table, tabular
from tftrain.data.labels import FEWEST
from tftrain.data.profile.statistics import Statistics, sample, shown, skewness, statistics
from tftrain.data.table import Table, quoted
from tftrain.data.table.columns import Columns
from tftrain.errors import DataError, Mark, Problem, counted, did_you_mean, listed, one_line

# Lower case, the likeliest first.
TARGETS = (
    *("target", "label", "labels", "class", "y", "outcome", "churn", "default", "response"),
    *("survived", "fraud", "attrition", "species", "diagnosis", "result", "price"),
)
_ENDINGS = tuple(one for one in TABLE_SUFFIXES if not one.endswith(".gz"))
_MOST_CLASSES = 100
_MOST_WHOLE = 10  # different whole numbers that are taken for classes
_LEAST = 5  # that go into three parts
_SKEWED = 1.0
_TRAINING = 0.6  # of the rows
_MOST_SHOWN = 60
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*( [\w.-]+)*", re.ASCII)


_WIDTHS = {"number": 1, "boolean": 1, "category": 0, "date": 5, "text": 5000}
_NARROWEST, _WIDEST = 8, 128  # units
_DEEP = 500  # training rows, from which on a second hidden layer pays
# training rows below which a batch, or epochs and patience, are of this size
_BATCHES = ((1_000, 16), (10_000, 32), (100_000, 64), (1_000_000, 256), (math.inf, 1024))
_EPOCHS = ((1_000, 500, 30), (10_000, 200, 20), (100_000, 100, 10), (math.inf, 30, 3))

Label = str | float | bool


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Args:
        column: what is known of it.
        counts: rows of each class, by its label; empty for numbers.
        left_out: labels of too few rows.
        log: whether numbers are learnt by their logarithm.
        chosen: why this column, where nobody named one.
    """

    column: Statistics
    counts: Mapping[Label, int]
    left_out: Sequence[str] = ()
    log: bool = False
    chosen: str = ""

    def said(self) -> str:
        """The target and what is made of it, in a sentence."""
        what = f"{counted(len(self.counts), 'class', 'classes')}" if self.counts else "numbers"
        why = f", {self.chosen}" if self.chosen else ""
        return one_line(f"target: {self.column.name} ({what}){why}")


def draft(source: str, target: str | None, path: str | Path) -> tuple[Path, Target]:
    """Writes a config for a table.

    Args:
        source: the table's file, or a pattern of several.
        target: the column to predict; None for a guess.
        path: the file to write, or a folder for one named after the table.

    Raises:
        DataError: when the table can't be read or has nothing to predict.
        RunError: when the file is there already or can't be written.
    """
    if kind_of(source) != "table":
        raise DataError(Problem(Mark(source), "D002", _no_table(source)))
    stem = re.sub(r"\W+", "_", Path(source).name.partition(".")[0]).strip("_") or "data"
    file = templates.inside(path, stem)
    templates.require_new(file)
    source = os.path.abspath(source)  # noqa: PTH100 - a pattern is no path
    data = Data(source=source)
    rows = table.read(source, data)
    table.mask(rows, np.arange(rows.rows))
    columns = statistics(rows, Columns(()), data)
    aim = _target(rows, columns, target)
    found = [replace(one, kind="target") if one is aim.column else one for one in columns]
    place = os.path.relpath(source, file.parent.absolute())
    templates.create(file, _text(place.replace(os.sep, "/"), file, rows.rows, aim, found))
    return file, aim


def _no_table(source: str) -> str:
    """What is supported instead, and where to begin with what isn't."""
    message = f"expected a table ({', '.join(_ENDINGS)}), or a pattern of several"
    if files.is_folder(Path(source)):
        return f"{message}; it is a folder: one of images is itself a config's `data.source`"
    if kind_of(source) == "images":
        return message
    return f"{message}; the template `digits` is a config for arrays"


def _target(rows: Table, columns: Sequence[Statistics], asked: str | None) -> Target:
    """The target, asked for or guessed."""
    by_name = {one.name: one for one in columns}
    if asked is not None:
        if asked not in by_name:
            near = did_you_mean(asked, by_name) or f"; it has {listed(by_name)}"
            raise DataError(Problem(Mark(rows.source), "D003", f"no column `{asked}`{near}"))
        return _aim(rows, by_name[asked])
    return _guessed(rows, columns)


def _guessed(rows: Table, columns: Sequence[Statistics]) -> Target:
    """The likeliest name, else a first column that alone holds texts, else the last that can be."""
    known = [one for one in columns if _likelihood(one) < len(TARGETS)]
    if "x" in {one.name.lower() for one in columns}:  # then `y` is the other place
        known = [one for one in known if one.name.lower() != "y"]
    named = sorted(known, key=_likelihood)
    if aim := _first_that_can_be(rows, named, "as its name says"):
        return aim
    if same := next((one for one in named if one.distinct < 2), None):  # noqa: PLR2004 - all alike
        raise rows.fail("D006", f"{_alike(same)}; --target COLUMN names another")
    texts = [one for one in columns if one.type in ("VARCHAR", "BOOLEAN")]
    first = texts if texts == [columns[0]] else []
    aim = _first_that_can_be(rows, first, "as the first column and the only one of texts")
    aim = aim or _first_that_can_be(rows, columns[::-1], "as the last column that can be one")
    if aim is None:
        raise rows.fail(
            "D006", "no column can be a target: expected classes, or numbers that differ"
        )
    return aim


def _first_that_can_be(rows: Table, columns: Sequence[Statistics], why: str) -> Target | None:
    for one in columns:
        with suppress(DataError):
            return replace(_aim(rows, one), chosen=why)
    return None


def _alike(column: Statistics) -> str:
    what = "has one value only" if column.distinct else "is empty in every row"
    return f"`{column.name}` {what}: there is nothing to predict"


def _likelihood(one: Statistics) -> int:
    name = one.name.lower()
    return TARGETS.index(name) if name in TARGETS else len(TARGETS)


def _aim(rows: Table, column: Statistics) -> Target:
    """What a column is as a target.

    Raises:
        DataError: when it can't be one.
    """
    name, fail = column.name, rows.fail
    if column.type in ("DATE", "TIMESTAMP"):
        raise fail("D006", f"`{name}` holds dates: expected classes or numbers as a target")
    if column.distinct < 2:  # noqa: PLR2004 - nothing to tell apart
        raise fail("D006", _alike(column))
    classes = _labels(rows, column)
    if classes is None:
        if column.kind == "id":
            raise fail("D006", f"`{name}` is another in every row: expected classes or numbers")
        if rows.rows < _LEAST:
            raise fail("D007", f"too few rows: {rows.rows}")
        return Target(column, {}, log=_skewed(rows, column))
    kept = _of_rows(classes, FEWEST)
    if len(kept) > _MOST_CLASSES or len(classes) > max(2, rows.rows / 2):
        message = f"{len(classes):,} different values in `{name}`: these are no classes"
        raise fail("D006", message)
    if len(kept) < 2:  # noqa: PLR2004 - as above
        kept = _of_rows(classes, _LEAST)
    if len(kept) < 2:  # noqa: PLR2004 - as above
        raise fail("D007", f"`{name}`: expected {_LEAST} rows of each of two classes, at least")
    if len(kept) == 2 and unequal(kept.values()):  # noqa: PLR2004 - the rare one is looked for: class 1
        kept = dict(sorted(kept.items(), key=lambda one: -one[1]))
    left_out = [class_name(label) for label in classes if label not in kept]
    return Target(column, kept, left_out)


def _of_rows(classes: Mapping[Label, int], least: int) -> dict[Label, int]:
    return {label: count for label, count in classes.items() if count >= least}


def _labels(rows: Table, column: Statistics) -> dict[Label, int] | None:
    """The rows of each label, or None for numbers that are no classes."""
    name = quoted(column.name)
    if column.type == "DOUBLE":
        whole = f"bool_and({name} = floor({name}))"
        if column.distinct > _MOST_WHOLE or (
            column.distinct > 2 and not rows.ask(whole)[0][0]  # noqa: PLR2004 - two are classes
        ):
            return None
    found = rows.ask(f"{name}, count(*)", f"WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 1")
    return {_label(value): count for value, count in found}


def _label(value: Label) -> Label:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _skewed(rows: Table, column: Statistics) -> bool:
    """Whether numbers are all positive, and many small to a few large ones."""
    if not column.low > 0:
        return False
    numbers = sample(rows, [column.name]).numbers[column.name]
    given = numbers[~np.isnan(numbers)]
    return skewness(given) > _SKEWED


def _text(place: str, path: Path, rows: int, aim: Target, columns: Sequence[Statistics]) -> str:
    """The config."""
    used = [one for one in columns if one.kind in _WIDTHS]
    train = int(_TRAINING * rows)
    parts = [
        f"# Made from {one_line(Path(place).name)}: {rows:,} rows, {len(columns)} columns.",
        f"#   tftrain check {shlex.quote(path.as_posix())} --data",
        f"#   tftrain fit {shlex.quote(path.as_posix())}",
        "seed: 0",
        "",
        *_data(place, rows, aim, columns),
        "",
        *_model(train, aim, sum(map(_width, used))),
        "",
        *_training(train, aim),
        "",
    ]
    return "\n".join(parts)


def _data(place: str, rows: int, aim: Target, columns: Sequence[Statistics]) -> list[str]:
    """The section `data`, each column's kind as a comment."""
    name = aim.column.name
    lines = ["data:", f"  source: {_scalar(place)}", f"  target: {_scalar(name)}{_of_target(aim)}"]
    if aim.column.missing:
        query = json.dumps(tabular.given(name), ensure_ascii=False)
        lines.append(f"  query: {query}   # {counted(aim.column.missing, 'row')} without one")
    lines += _classes(aim)
    if not aim.counts:
        kind = "log" if aim.log else "standardize"
        why = "all positive, a few large" if aim.log else "learnt with mean 0 and deviation 1"
        lines.append(f"  target_scaling: {kind}   # {why}; metrics are in the target's units")
    dates = [one.name for one in columns if one.kind == "date" and not one.missing]
    if dates:
        lines.append(f"  # time: {_scalar(dates[0])}   # trains on the earliest rows, not on any")
    lines.append("  split: {train: 0.6, validation: 0.2, test: 0.2}")
    lines.append("  # What the columns are taken for. Another kind: `columns: {NAME: KIND}`.")
    others = [one for one in columns if one.name != name]
    longest = max(len(shown(one.name)) for one in others) if others else 0
    for one in others[:_MOST_SHOWN]:
        lines.append(one_line(f"  #   {shown(one.name):{longest}}  {_described(one, rows)}"))
    if len(others) > _MOST_SHOWN:
        lines.append(f"  #   ... and {len(others) - _MOST_SHOWN} more")
    return lines


def _of_target(aim: Target) -> str:
    """The classes or the range, as a comment."""
    column = aim.column
    if not aim.counts:
        return one_line(f"   # numbers, {column.values()}")
    total = sum(aim.counts.values())
    shares = [f"{shown(class_name(key))} {n / total:.1%}" for key, n in aim.counts.items()]
    return one_line(f"   # {counted(len(shares), 'class', 'classes')}: {listed(shares)}")


def _classes(aim: Target) -> list[str]:
    """The classes in order, where that isn't 0, 1, ... or the alphabet's, or some are left out."""
    labels = list(aim.counts)
    numbers = aim.column.type == "DOUBLE"
    counts_up = labels == (list(range(len(labels))) if numbers else sorted(labels))
    if not labels or (counts_up and not aim.left_out):
        return []
    given = ", ".join(_scalar(label) for label in labels)
    why = f"   # too few rows: {listed(aim.left_out)}" if aim.left_out else ""
    return [one_line(f"  classes: [{given}]{why}")]


def _described(one: Statistics, rows: int) -> str:
    """A column's kind and why, for a comment."""
    if one.kind in ("id", "constant"):
        return f"{one.kind}, dropped: {one.why}"
    missing = f", {one.missing / rows:.1%} missing" if one.missing else ""
    values = one.values() or f"such as {shown(one.example)}"
    return f"{one.kind}: {'about ' * (not one.exact)}{one.distinct:,} different{missing}; {values}"


def _width(one: Statistics) -> int:
    """About how many inputs a column becomes."""
    return min(100, one.distinct + 1) if one.kind == "category" else _WIDTHS[one.kind]


def _model(train: int, aim: Target, width: int) -> list[str]:
    """A network whose size goes with the root of the number of rows."""
    first = 2 ** round(math.log2(max(train, 1) ** 0.5))
    first = min(_WIDEST, max(_NARROWEST, first))
    classes = len(aim.counts)
    sizes = [first] if train < _DEEP else [first, max(first // 2, min(first, classes))]
    lines = ["model:", "  layers:"]
    lines += [f"    - Dense: {{units: {size}, activation: relu}}" for size in sizes]
    if classes and width > train / 2:
        lines.append("    - Dropout: {rate: 0.5}   # many inputs, few rows")
    if classes == 2:  # noqa: PLR2004 - two classes, one probability
        lines.append("    - Dense: {units: 1, activation: sigmoid}   # one of two classes")
    elif classes:
        lines.append(f"    - Dense: {{units: {classes}, activation: softmax}}   # one a class")
    else:
        lines.append("    - Dense: {units: 1}   # a number: linear")
    return lines


def _training(train: int, aim: Target) -> list[str]:
    classes = len(aim.counts)
    rare_one = unequal(aim.counts.values())
    loss, metrics = "MeanSquaredError", "MeanAbsoluteError, R2Score"
    if classes == 2:  # noqa: PLR2004 - as above
        loss = "BinaryCrossentropy"
        metrics = "accuracy, AUC, Precision, Recall" if rare_one else "accuracy, AUC"
    elif classes:
        loss, metrics = "SparseCategoricalCrossentropy", "accuracy"
    batch = next(size for most, size in _BATCHES if train < most)
    epochs, patience = next(
        (epochs, patience) for most, epochs, patience in _EPOCHS if train < most
    )
    stopping = f"monitor: val_loss, patience: {patience}, restore_best_weights: true"
    lines = ["training:", f"  loss: {loss}"]
    if rare_one:
        rare = min(aim.counts, key=lambda label: aim.counts[label])
        share = aim.counts[rare] / sum(aim.counts.values())
        told = f"{shown(class_name(rare))} is {share:.1%} of the rows; this weighs all the same"
        lines.append(one_line(f"  # class_weight: balanced   # {told}"))
    return [
        *lines,
        "  optimizer: {Adam: {learning_rate: 0.001}}",
        f"  metrics: [{metrics}]",
        f"  epochs: {epochs}",
        f"  batch_size: {batch}",
        "  callbacks:",
        f"    - EarlyStopping: {{{stopping}}}",
    ]


def _scalar(value: object) -> str:
    """A value as YAML, in quotes where it could be read as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = _PLAIN.fullmatch(value) and isinstance(scalar(value), str)
    return value if plain else json.dumps(value, ensure_ascii=False)
