"""A layer's arguments in, the numbers its shape follows from out, or why Keras refuses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tftrain.config.resolve import Resolved
from tftrain.config.text import Place

Size = int | None
Shape = tuple[Size, ...]
Output = tuple[Shape, Size]

_ROWS = ("(steps, channels)", "(height, width, channels)", "(depth, height, width, channels)")


class Unknown(Exception):  # noqa: N818 - no error: Keras may well take it
    """Nothing here tells what becomes of these rows."""


class Refusal(Exception):  # noqa: N818 - it becomes a Fault
    """Keras takes no such layer, or none for these rows.

    Args:
        why: what it needs.
        code: `K004` where the arguments alone are wrong, `K005` where the rows don't fit.
    """

    def __init__(self, why: str, code: str = "K005") -> None:
        self.code = code
        super().__init__(why)


class WrongAxes(Refusal):
    """Rows of more or fewer axes than the layer takes."""


class NoRows(Refusal):
    """A layer that can't stand here, whatever the rows."""


@dataclass(frozen=True)
class Fault:
    """Why Keras refuses the network.

    Args:
        path: of the layer, or of the one inside it, where it stands in the config.
        code: `K004` or `K005`.
        message: what comes in and what the layer needs.
    """

    path: Place
    code: str
    message: str


class Misfit(Exception):  # noqa: N818 - it only carries the fault out of a layer inside a layer
    """A refusal with the layer it is of.

    Args:
        fault: what is wrong.
        refusal: why.
    """

    def __init__(self, fault: Fault, refusal: Refusal) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.wrong_axes = isinstance(refusal, WrongAxes)
        self.always = isinstance(refusal, NoRows) or fault.code == "K004"


def refused(argument: str, wanted: str, value: Any) -> Refusal:
    """An argument's value that Keras takes with no rows whatever."""
    return Refusal(f"`{argument}`: expected {wanted}, got {value!r}", "K004")


def whole(layer: Resolved, argument: str, least: int = 1) -> int:
    """A whole number."""
    return _whole(layer.get(argument), argument, least, f"a whole number, at least {least}")


def sizes(layer: Resolved, argument: str, count: int, least: int = 1) -> tuple[int, ...]:
    """One whole number for each of `count` directions, or one for all of them."""
    return _sizes(layer.get(argument), argument, count, least)


def pairs(layer: Resolved, argument: str, count: int) -> tuple[tuple[int, ...], ...]:
    """What is cropped or added before and behind, for each of `count` directions."""
    value = layer.get(argument)
    if count == 1:
        return (_sizes(value, argument, 2, 0),)
    if isinstance(value, int):
        return (_sizes(value, argument, 2, 0),) * count
    if not isinstance(value, (list, tuple)) or len(value) != count:
        raise refused(argument, f"a whole number, or a list of {count} or of {count} pairs", value)
    return tuple(_sizes(item, argument, 2, 0) for item in value)


def between(layer: Resolved, argument: str, low: float, high: float, wanted: str) -> float:
    """A number within bounds."""
    value = layer.get(argument)
    if isinstance(value, bool):
        raise Unknown
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise refused(argument, wanted, value)
    return value


def word(layer: Resolved, argument: str, words: tuple[str, ...], *, exactly: bool = False) -> str:
    """One of some words, in small letters or (unless `exactly`) others."""
    value = layer.get(argument)
    found = value if exactly or not isinstance(value, str) else value.lower()
    if found not in words:
        raise refused(argument, " or ".join(words), value)
    return str(found)


def axes(layer: Resolved, shape: Shape) -> list[int]:
    """The axes that `axis` names, counted from 0 at the batch."""
    value = layer.get("axis")
    rank = len(shape) + 1
    listed = [value] if isinstance(value, int) else value
    if not isinstance(listed, list) or any(type(one) is not int for one in listed):
        raise Unknown
    if any(not -rank <= one < rank for one in listed):
        raise Refusal(f"these have axes 1 to {rank - 1}, `axis` is {value}")
    return [one % rank for one in listed]


def kept_axes(layer: Resolved, shape: Shape) -> list[int]:
    """As `axes`, each once, and none the batch's, of which no weight can have the size."""
    found = axes(layer, shape)
    if 0 in found:
        raise Refusal(f"`axis` {layer.get('axis')} is the batch's, which has no fixed size")
    if len(set(found)) < len(found):
        raise Unknown
    return found


def split(layer: Resolved, shape: Shape, directions: int) -> tuple[Shape, Size]:
    """The sizes in space or time of rows of so many directions, and the number of channels."""
    rows(shape, _ROWS[directions - 1])
    if channels_first(layer):
        return shape[1:], shape[0]
    return shape[:-1], shape[-1]


def joined(layer: Resolved, space: Shape, channels: Size) -> Shape:
    """The opposite of `split`."""
    return (channels, *space) if channels_first(layer) else (*space, channels)


def channels_first(layer: Resolved) -> bool:
    """Whether the channels come before the directions."""
    value = layer.get("data_format")
    words = ("channels_last", "channels_first")
    if value is not None and str(value).lower() not in words:
        raise refused("data_format", " or ".join(words), value)
    return str(value).lower() == "channels_first"


def rows(shape: Shape, wanted: str) -> None:
    """Rows of as many axes as `wanted` names."""
    needed = wanted.count(",") + (not wanted.endswith(",)"))
    if len(shape) != needed:
        hint = f"; put a Reshape to {wanted} before it" if len(shape) < needed else ""
        raise WrongAxes(f"it takes rows of shape {wanted}{hint}")


def times(*factors: Size) -> Size:
    """The product; unknown where a factor is."""
    product = 1
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product


def total(*parts: Size) -> Size:
    """The sum; unknown where a part is."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _sizes(value: Any, argument: str, count: int, least: int) -> tuple[int, ...]:
    wanted = f"a whole number or {count} of them, at least {least}"
    items = [value] * count if isinstance(value, int) else value
    if not isinstance(items, (list, tuple)) or len(items) != count:
        raise refused(argument, wanted, value)
    return tuple(_whole(item, argument, least, wanted) for item in items)


def _whole(value: Any, argument: str, least: int, wanted: str) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        raise Unknown  # some layers take them
    if not isinstance(value, int) or value < least:
        raise refused(argument, wanted, value)
    return value
