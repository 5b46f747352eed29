"""Problems in, what a person, a program or a pull request reads of them out."""

from __future__ import annotations

import re
import shutil
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from tftrain import terminal
from tftrain.errors import Mark, Problem, counted

MOST = 100  # that are shown one by one
NETWORK = ("layer", "output shape", "parameters")
Layers = Sequence[tuple[str, Sequence[int | None] | None, int | None]]
_LINE_END = re.compile(r"\r\n|\r|\n")  # as YAML counts lines
_NARROWEST = 40
_CUT = "..."
_KINDS = {"error": "error", "warning": "warning", "hint": "notice"}  # GitHub's words


def text(problems: Iterable[Problem], *, excerpts: bool) -> list[str]:
    """Lines, `PATH:LINE:COL: error[CODE]: MESSAGE` each.

    Args:
        problems: in the order to be read.
        excerpts: whether the line of the file follows, with a caret under the place.
    """
    every = list(problems)
    lines = []
    for problem in every[:MOST]:
        lines.append(str(problem))
        if excerpts:
            lines += _excerpt(problem.mark)
    return [*lines, f"... and {len(every) - MOST} more"] if len(every) > MOST else lines


def count(problems: Sequence[Problem]) -> str:
    """`2 errors, 1 warning`."""
    found = Counter[str](problem.severity for problem in problems)
    return ", ".join(counted(found[kind], kind) for kind in _KINDS if found[kind]) or "no errors"


def network_table(layers: Layers) -> str:
    """The cells of `network_rows` under their names."""
    return terminal.table(NETWORK, network_rows(layers))


def network_rows(layers: Layers) -> list[list[str]]:
    """A row a layer: its name, one row's shape behind it, its parameters; `?` where unknown.

    The last row is the sum.
    """
    lines = [
        [name, _shape(shape), "?" if parameters is None else f"{parameters:,}"]
        for name, shape, parameters in layers
    ]
    known = [parameters for *_, parameters in layers if parameters is not None]
    some = "" if len(known) == len(layers) else "at least "
    return [*lines, ["", "", f"{some}{sum(known):,}"]]


def _shape(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "?"
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


def plain(problem: Problem) -> dict[str, Any]:
    """The problem for JSON: file, line, column, severity, code, message."""
    return {
        "file": problem.mark.source,
        "line": problem.mark.line,
        "column": problem.mark.column,
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
    }


def annotation(problem: Problem) -> str:
    """The problem as an annotation on a line of a pull request.

    Source: GitHub Actions, "Workflow commands", setting an error message.
    """
    mark = problem.mark
    file = None if mark.line is None else mark.source
    place = {"file": file, "line": mark.line, "col": mark.column, "title": problem.code}
    message = problem.message if file else f"{mark}: {problem.message}"
    given = ",".join(
        f"{key}={_escaped(str(value), ':,')}" for key, value in place.items() if value is not None
    )
    return f"::{_KINDS[problem.severity]} {given}::{_escaped(message)}"


def notice(file: Path, message: str) -> str:
    """What is to be known of a whole file, likewise."""
    return f"::notice file={_escaped(str(file), ':,')}::{_escaped(message)}"


def _escaped(words: str, also: str = "") -> str:
    """Percent-encodes what would end the command or a property of it."""
    for letter in f"%\r\n{also}":
        words = words.replace(letter, f"%{ord(letter):02X}")
    return words


def _excerpt(mark: Mark) -> list[str]:
    """The line of the file and a caret under the column; nothing for what is no place in a file."""
    if mark.line is None or mark.column is None:
        return []
    try:
        text = Path(mark.source).read_text("utf-8-sig", errors="replace")
        line = _LINE_END.split(text)[mark.line - 1]
    except (OSError, IndexError):
        return []
    shown = "".join(letter if letter.isprintable() else " " for letter in line)
    margin = f"{mark.line:>5} | "
    room = max(_NARROWEST, shutil.get_terminal_size().columns - len(margin))
    shown, cells = _window(shown, mark.column - 1, room)
    return [f"{margin}{shown}", f"{' ' * (len(margin) - 2)}| {' ' * cells}^"]


def _window(line: str, place: int, room: int) -> tuple[str, int]:
    """As much of a line around a place as there is room for, and the cells before the place."""
    ends = [0, *accumulate(map(_cells, line))]
    here = ends[min(place, len(line))]
    if max(ends[-1], here + 1) <= room:
        return line, here
    room -= 2 * len(_CUT)
    first = bisect_left(ends, min(here - room // 2, ends[-1] - room))
    last = bisect_right(ends, ends[first] + room) - 1
    before, after = _CUT * (first > 0), _CUT * (last < len(line))
    return f"{before}{line[first:last]}{after}", len(before) + here - ends[first]


def _cells(letter: str) -> int:
    """How many columns of a terminal a letter takes: an accent none, a Chinese sign two."""
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
