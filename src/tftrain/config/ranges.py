"""`log(1e-4, 1e-1)` in, the values that a sweep may try out; faults with their column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tftrain.config import text
from tftrain.errors import ConfigError, did_you_mean, listed

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\(")
_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "\"'"
_LARGEST = 2**53  # whole numbers beyond are no longer told apart


class RangeError(ValueError):
    """A text that describes no values to try.

    Args:
        column: where in the text, counted from 1.
        message: what was expected there.
    """

    def __init__(self, column: int, message: str) -> None:
        self.column = column
        super().__init__(f"column {column}: {message}")


@dataclass(frozen=True)
class Range:
    """All numbers between two, these included.

    Args:
        low: the smallest.
        high: the largest.
        whole: whether whole numbers only.
        log: whether each factor is as likely as the other, and not each distance.
        step: from one whole number to the next.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    step: int = 1

    @property
    def extremes(self) -> tuple[float, ...]:
        """The values that have to be possible, should any be."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """A few values of any kind, each as it is written in YAML."""

    options: tuple[str, ...]

    @property
    def extremes(self) -> tuple[str, ...]:
        """The values that have to be possible: all of them."""
        return self.options


Values = Range | Choice
_Part = tuple[int, str]  # a column, and what is written there


def is_call(written: str) -> bool:
    """Whether a text has the form of `log(...)`, whatever stands inside or before."""
    return _CALL.match(written) is not None


def parse(written: str) -> Values:
    """The values that a text describes.

    Args:
        written: `uniform(0, 1)`, `log(1e-4, 1e-1)`, `int(1, 9)` or `int(8, 64, 8)` with a step,
            `logint(8, 512)`, `choice(relu, tanh)`.

    Raises:
        RangeError: when it has none of these forms.
    """
    call = _CALL.match(written)
    if call is None:
        raise RangeError(1, f"expected one of {listed(f'{name}(...)' for name in FORMS)}")
    name, parts = call[1], list(_parts(written, call.end()))
    make = FORMS.get(name)
    if make is None:
        near = did_you_mean(name, FORMS) or f"; expected one of {listed(FORMS)}"
        raise RangeError(call.start(1) + 1, f"`{name}` is no form of values{near}")
    return make(call.end(), parts)


def _parts(written: str, start: int) -> Iterator[_Part]:
    """What stands between the commas, each with its column, up to the closing bracket."""
    depth, quote, begun = 0, "", start
    for place in range(start, len(written)):
        letter = written[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES and not written[begun:place].strip():
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in ",)" and not depth:
            yield _trimmed(written, begun, place)
            begun = place + 1
            if letter == ")":
                return _require_end(written, begun)
        elif letter in _CLOSING:
            depth -= 1
    raise RangeError(len(written) + 1, f"expected {quote or ')'}")


def _trimmed(written: str, begun: int, end: int) -> _Part:
    part = written[begun:end]
    return begun + len(part) - len(part.lstrip()) + 1, part.strip()


def _require_end(written: str, end: int) -> None:
    if rest := written[end:].strip():
        column = written.index(rest[0], end) + 1
        raise RangeError(column, f"expected nothing after the `)`, got `{rest}`")


def _uniform(end: int, parts: list[_Part]) -> Range:
    low, high = _bounds(end, parts)
    return Range(float(low), float(high))


def _log(end: int, parts: list[_Part]) -> Range:
    low, high = _bounds(end, parts)
    _require_positive(parts[0], low)
    return Range(float(low), float(high), log=True)


def _int(end: int, parts: list[_Part]) -> Range:
    low, high = _bounds(end, parts[:2], whole=True)
    if len(parts) > 2:  # noqa: PLR2004 - a third is the step
        if len(parts) > 3:  # noqa: PLR2004 - and no fourth
            raise RangeError(parts[3][0], "expected `)` after two numbers and a step")
        step = int(_number(parts[2], whole=True))
        _require_positive(parts[2], step)
        return Range(low, low + (high - low) // step * step, whole=True, step=step)
    return Range(low, high, whole=True)


def _logint(end: int, parts: list[_Part]) -> Range:
    low, high = _bounds(end, parts, whole=True)
    _require_positive(parts[0], low)
    return Range(low, high, whole=True, log=True)


def _choice(_end: int, parts: list[_Part]) -> Choice:
    options: list[str] = []
    for column, option in parts:
        if not option:
            raise RangeError(column, "expected a value")
        if option in options:
            raise RangeError(column, f"`{option}` stands there twice")
        try:
            text.read(option.encode(errors="surrogateescape"), "")
        except ConfigError as error:
            raise RangeError(column, error.problems[0].message) from None
        options.append(option)
    return Choice(tuple(options))


def _bounds(end: int, parts: list[_Part], *, whole: bool = False) -> tuple[float, float]:
    """Two numbers, the smaller one first."""
    if len(parts) != 2:  # noqa: PLR2004 - from, to
        column = parts[2][0] if len(parts) > 2 else end + 1  # noqa: PLR2004 - as above
        raise RangeError(column, f"expected two numbers, got {len(parts)}")
    low, high = (_number(part, whole=whole) for part in parts)
    if low >= high:
        raise RangeError(parts[1][0], f"expected more than {low:g}, got {high:g}")
    return low, high


def _number(part: _Part, *, whole: bool) -> float:
    column, written = part
    kind = "a whole number" if whole else "a number"
    try:
        value = text.scalar(written)
    except ValueError:
        value = None
    of_kind = isinstance(value, int) or (isinstance(value, float) and not whole)
    if isinstance(value, bool) or not of_kind or not isinstance(value, int | float):
        raise RangeError(column, f"expected {kind}, got {text.shown(written)}")
    if not math.isfinite(value) or (whole and abs(value) > _LARGEST):
        raise RangeError(column, f"expected {kind} of bearable size, got {written}")
    return value


def _require_positive(part: _Part, value: float) -> None:
    if value <= 0:
        raise RangeError(part[0], f"expected more than 0, got {value:g}")


FORMS: Mapping[str, Callable[[int, list[_Part]], Values]] = MappingProxyType(
    {"uniform": _uniform, "log": _log, "int": _int, "logint": _logint, "choice": _choice}
)
