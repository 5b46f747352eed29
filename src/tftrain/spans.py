"""A span of time as users write it in, seconds out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

SECONDS: Mapping[str, int] = MappingProxyType(
    {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
)
_SPAN = re.compile(r"(\d{1,9})([smhdw])")


def seconds(span: str) -> int:
    """Seconds in `90s`, `30m`, `12h`, `30d` or `2w`.

    Raises:
        ValueError: when it has another form, or is nothing.
    """
    found = _SPAN.fullmatch(span)
    if found is None or not int(found[1]):
        raise ValueError(f"expected a number and s, m, h, d or w: 30m; got `{span}`")
    return int(found[1]) * SECONDS[found[2]]
