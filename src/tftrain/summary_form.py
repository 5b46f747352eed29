"""What a run's summary holds, perhaps a stranger's: bytes in, an object of sound values out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

_LARGEST = sys.float_info.max
_MOST_AXES = 32  # NumPy's
_MOST_ROWS = 2**53
_DEEPEST = 10  # of values in one another


def parsed(content: bytes) -> dict[str, Any] | None:
    """A JSON object as a run's summary is one; None for anything else."""
    try:
        found = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _is_flat(found, _DEEPEST) else None


def wrong(summary: Mapping[str, Any], *, whole: bool = False) -> str | None:
    """The first key whose value has not the form of a finished run's.

    Args:
        summary: from `parsed`.
        whole: whether a key that is missing is wrong too.
    """
    for key, is_sound in _FORMS.items():
        if (whole or key in summary) and (key not in summary or not is_sound(summary[key])):
            return key
    return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and the like, which JSON hasn't


def _is_flat(value: Any, deepest: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    held = value.values() if isinstance(value, dict) else value
    return deepest > 0 and all(_is_flat(item, deepest - 1) for item in held)


def _numbers(value: object) -> bool:
    return isinstance(value, dict) and all(
        item is None or (isinstance(item, int | float) and abs(item) <= _LARGEST)
        for item in value.values()
    )


def _rows(value: object) -> bool:
    return isinstance(value, dict) and all(
        type(count) is int and 0 <= count <= _MOST_ROWS
        for count in (value.get("train"), *value.values())
    )


def _names(value: object) -> bool:
    texts = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return texts and isinstance(value, list) and len(set(value)) == len(value)


def _sizes(value: object) -> bool:
    sizes = isinstance(value, list) and all(type(size) is int and size > 0 for size in value)
    return sizes and isinstance(value, list) and len(value) <= _MOST_AXES


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "metrics": lambda value: isinstance(value, dict) and all(map(_numbers, value.values())),
    "rows": _rows,
    "seconds": _numbers,
    "inputs": lambda value: _sizes(value) and bool(value),
    "labels": _sizes,
    "classes": lambda value: value is None or _names(value),
    "fingerprint": lambda value: isinstance(value, str),
}
