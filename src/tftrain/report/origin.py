"""A run's config in, the template that it began as out, and what it changed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tftrain import config, files, runs, templates
from tftrain.config import Config

_NOT_COMPARED = ("name",)
_NONE = "-"


@dataclass(frozen=True)
class Origin:
    """Where a config comes from.

    Args:
        template: the shipped config that it began as; None where it is one's own.
        changes: by a value's dotted path, what the template says (of one's own: nothing) and what
            was in force; one's own are those that are not the default.
    """

    template: str | None
    changes: tuple[tuple[str, str, str], ...]


def of(folder: Path, settings: Config) -> Origin:
    """The origin of a run's config.

    Raises:
        RunError: when the config as it was written can't be read.
    """
    path = folder / runs.CONFIG
    written = files.read(path).decode(errors="replace") if os.path.lexists(path) else ""
    found = templates.origin(written)
    if found is None:
        own = config.plain(settings, defaults=False)
        values = ((name, _NONE, _shown(value)) for name, value in own.items())
        return Origin(None, tuple(one for one in values if one[0] not in _NOT_COMPARED))
    name, template = found
    before, after = (
        {place: _shown(value) for place, value in config.plain(one).items()}
        for one in (config.load(template)[0], settings)
    )
    sides = (
        (place, before.get(place, _NONE), after.get(place, _NONE))
        for place in dict.fromkeys([*before, *after])
        if place not in _NOT_COMPARED
    )
    return Origin(name, tuple(one for one in sides if one[1] != one[2]))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
