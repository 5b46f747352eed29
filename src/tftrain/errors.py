"""What can go wrong by a user's hand, where it went wrong, and the exit code that says so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_SHORTEST = 3
_MOST = 12


@dataclass(frozen=True)
class Mark:
    """A place in what the user wrote: a file, a line and a column, counted from 1.

    Args:
        source: the file's path as the user gave it, or `override 'training.epochs=x'`.
        line: the line, or None where the whole source is meant.
        column: the column in characters, or None.
    """

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = [self.source, self.line, self.column]
        return ":".join(str(part) for part in place if part is not None)


@dataclass(frozen=True)
class Problem:
    """One fault: `PATH:LINE:COL: error[CODE]: MESSAGE`."""

    mark: Mark
    code: str
    message: str

    def __str__(self) -> str:
        return _one_line(f"{self.mark}: error[{self.code}]: {self.message}")


class TftrainError(Exception):
    """Something a user can cause and mend; shown without a traceback."""

    exit_code = 2

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigError(TftrainError):
    """The config, an override or a Keras object in it is wrong."""


class DataError(TftrainError):
    """A data file is missing, unreadable, or holds what can't be trained on."""


class RunError(TftrainError):
    """A run directory can't be found, read or written."""


class StorageError(RunError):
    """Storage failed under a running job: a full disk, a folder that went away."""

    exit_code = 3


class TrainingError(TftrainError):
    """Training could not go on."""

    exit_code = 3


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """The user or the system asked the job to stop.

    Args:
        signal: the signal's number; the process exits with 128 more.
    """

    def __init__(self, signal: int) -> None:
        self.exit_code = 128 + signal
        super().__init__(f"stopped by signal {signal}")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean `X`?` with the nearest of the names, or nothing where none is near."""
    near = nearest(word, names)
    return "" if near is None else f"; did you mean `{near}`?"


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name most like a word.

    Words of one or two letters and numbers are near to nothing but themselves in other letters.
    """
    folded = {name.casefold().replace("_", ""): name for name in names}
    asked = word.casefold().replace("_", "")
    vague = len(asked) < _SHORTEST or not any(letter.isalpha() for letter in asked)
    near = difflib.get_close_matches(asked, folded, n=1, cutoff=1 if vague else 0.6)
    return folded[near[0]] if near else None


def listed(names: Iterable[str]) -> str:
    """`a, b, c`, cut short where there are many."""
    every = list(names)
    return ", ".join(every[:_MOST]) + (f", ... ({len(every)})" if len(every) > _MOST else "")


def _one_line(text: str) -> str:
    """Text that moves no cursor: a stranger's key may hold line ends and commands to terminals."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
