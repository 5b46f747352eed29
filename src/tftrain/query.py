"""Runs and conditions on their summaries in, the runs that are meant out, in the order asked for.

Nothing is evaluated: a condition is a name, a sign and a number or a word.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed
from tftrain.require import number_of

Found = tuple[Path, Mapping[str, Any]]
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*")
_KEYS = ("name", "state", "started", "best_epoch", "best_value", "epochs_run", "parameters")
_PREFIXES = {"train": "train_", "validation": "val_", "test": "test_"}
_LESS_IS_BETTER = re.compile(r"loss|error|entropy|divergence|hinge|seconds|best_epoch|parameters")


def select(found: Sequence[Found], where: Sequence[str], sort: str | None) -> list[Found]:
    """The runs that meet every condition.

    Args:
        found: runs' folders and summaries.
        where: `val_loss<0.1`, `state==finished`.
        sort: a name: best first, a text in its order; with `-` before it the other way round; runs
            that haven't it come last. None leaves the order.

    Raises:
        ConfigError: for every condition of another form, or of a name that no run has.
    """
    values = [figures(summary) for _, summary in found]
    known = list(dict.fromkeys(name for one in values for name in one))
    problems: list[Problem] = []
    meets = [_condition(text, known, problems) for text in where]
    name = (sort or "").removeprefix("-")
    if sort is not None and found and name not in known:
        problems.append(_unknown(f"--sort {sort}", name, known))
    if problems:
        raise ConfigError(problems)
    pairs = [
        (run, one) for run, one in zip(found, values, strict=True) if all(met(one) for met in meets)
    ]
    if sort is None:
        return [run for run, _ in pairs]
    there = [pair for pair in pairs if name in pair[1]]
    best_first = sorted(there, key=lambda pair: _key(name, pair[1][name]))
    if sort.startswith("-"):
        best_first.reverse()
    return [run for run, _ in [*best_first, *(pair for pair in pairs if name not in pair[1])]]


def figures(summary: Mapping[str, Any]) -> dict[str, float | str]:
    """What a summary says, by name: metrics with `train_`, `val_`, `test_`; `seconds`; others."""
    named: dict[str, Any] = {key: summary.get(key) for key in _KEYS}
    seconds = summary.get("seconds")
    named["seconds"] = seconds.get("total") if isinstance(seconds, Mapping) else None
    metrics = summary.get("metrics")
    for split, prefix in _PREFIXES.items():
        values = metrics.get(split) if isinstance(metrics, Mapping) else None
        named |= {f"{prefix}{name}": one for name, one in (values or {}).items()}
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }


def _condition(
    text: str, known: Sequence[str], problems: list[Problem]
) -> Callable[[Mapping[str, float | str]], bool]:
    match = _FORM.fullmatch(text)
    place = f"--where '{text}'"
    if match is None:
        message = "expected NAME, one of <, <=, >, >=, ==, != and a value: val_loss<0.1"
        problems.append(Problem(Mark(place), "C037", message))
        return lambda _: False
    name, sign, written = match[1], match[2], match[3]
    if known and name not in known:
        problems.append(_unknown(place, name, known))
    wanted = number_of(written)

    def met(values: Mapping[str, float | str]) -> bool:
        value = values.get(name)
        if value is None:
            return False
        if isinstance(value, str):
            return _SIGNS[sign](value, written)
        if wanted is None:
            return False
        return _SIGNS[sign](value, wanted)

    if wanted is None and known and name in known and sign not in ("==", "!="):
        problems.append(Problem(Mark(place), "C037", f"`{written}`: expected a number"))
    return met


def _unknown(place: str, name: str, known: Sequence[str]) -> Problem:
    near = did_you_mean(name, known) or f"; expected one of {listed(known)}"
    return Problem(Mark(place), "C037", f"no run has `{name}`{near}")


def _key(name: str, value: float | str) -> tuple[int, float, str]:
    """Sorts texts as they are, numbers best first."""
    if isinstance(value, str):
        return 1, 0.0, value
    return 0, value if _LESS_IS_BETTER.search(name) else -value, ""
