"""The epochs that a run recorded in, columns of numbers out; the run may be a stranger's."""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
from collections.abc import Mapping
from pathlib import Path

from tftrain import files, runs
from tftrain.errors import Mark, Problem, RunError

Columns = Mapping[str, tuple[float, ...]]
_MEMBER, _EPOCH = "member", "epoch"
_NO_METRICS = (_MEMBER, _EPOCH, "learning_rate", "seconds")
_VALIDATION = "val_"
_LARGEST = 1e100


def read(folder: Path) -> Columns:
    """A run's epochs, by the names of `metrics.csv`; nothing where it has none.

    Returns:
        Of each column one number an epoch, NaN where the file holds none.

    Raises:
        RunError: when the file is no table of numbers.
    """
    return _columns(folder / runs.METRICS)


def members(folder: Path) -> tuple[Columns, ...]:
    """The same of each network that a training with restarts has trained, in their order."""
    every = _columns(folder / runs.MEMBERS)
    if not every:
        return ()
    path = folder / runs.MEMBERS
    numbers = every.get(_MEMBER, ())
    if not numbers or not all(one <= other for one, other in itertools.pairwise(numbers)):
        raise _damaged(path, "expected a column `member`, in order")
    places: dict[float, list[int]] = {}
    for place, number in enumerate(numbers):
        places.setdefault(number, []).append(place)
    return tuple(
        {name: tuple(values[place] for place in some) for name, values in every.items()}
        for some in places.values()
    )


def metrics(columns: Columns) -> list[str]:
    """The names of what was measured, the loss first, without those of validation."""
    named = [name for name in columns if name not in _NO_METRICS]
    return list(dict.fromkeys(name.removeprefix(_VALIDATION) for name in named))


def validation(name: str) -> str:
    """What a metric of the validation rows is called."""
    return _VALIDATION + name


def _columns(path: Path) -> Columns:
    if not os.path.lexists(path):
        return {}
    try:
        lines = csv.reader(io.StringIO(files.read(path).decode()), strict=True)
        names = next(lines, [])
        rows = [[_number(cell) for cell in line] for line in lines]
    except (ValueError, csv.Error):
        raise _damaged(path, "expected a table of numbers") from None
    if len(set(names)) < len(names) or any(len(row) != len(names) for row in rows):
        raise _damaged(path, "expected as many numbers in each row as there are columns")
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}


def _number(cell: str) -> float:
    """NaN for nothing, and for what no picture can show."""
    number = float(cell) if cell else math.nan
    return number if abs(number) < _LARGEST else math.nan


def _damaged(path: Path, message: str) -> RunError:
    return RunError(Problem(Mark(str(path)), "R002", f"damaged: {message}"))
