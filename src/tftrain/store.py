"""The user's cache of prepared rows: a list of its entries, or their absence, out; no NumPy.

An entry is a folder. It is made under a temporary name and renamed when it is whole, so that what
stands here under another name was whole once; whether it still is, its reader sees.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tftrain import files

LIMIT_BYTES = 20 * 1024**3
MANIFEST = "entry.json"
_TEMPORARY = ".tmp-"
_ABANDONED = 24 * 3600.0  # seconds, after which no writer is still at it


@dataclass(frozen=True)
class Entry:
    """Prepared rows of one source.

    Args:
        folder: where they are.
        source: the file or pattern that they were read from.
        rows: how many.
        size: bytes that they take.
        used: when they were last used, in seconds since 1970.
    """

    folder: Path
    source: str
    rows: int
    size: int
    used: float


def folder() -> Path:
    """Where entries are."""
    return files.cache_folder() / "prepared"


def entries() -> list[Entry]:
    """All that is kept, the last used first; what is no entry is passed over."""
    found = (_entry(path) for path in _folders() if not path.name.startswith(_TEMPORARY))
    return sorted((one for one in found if one), key=lambda one: one.used, reverse=True)


def clear(older_than: float | None = None) -> tuple[int, int]:
    """Removes what wasn't used for so many seconds; without a number, whatever lies there.

    Returns:
        How many entries are gone, and how many bytes.
    """
    before = math.inf if older_than is None else time.time() - older_than
    gone = [one for one in entries() if one.used < before]
    for one in gone:
        remove(one.folder)
    if older_than is None:
        for path in _folders():
            remove(path)
    return len(gone), sum(one.size for one in gone)


def begin(size: int) -> Path:
    """A new folder under a temporary name; old entries make room for so many bytes.

    Raises:
        OSError: when the cache can't be written.
    """
    folder().mkdir(parents=True, exist_ok=True)
    made = folder() / f"{_TEMPORARY}{secrets.token_hex(8)}"
    made.mkdir()
    for path in _folders():
        if path.name.startswith(_TEMPORARY) and _touched(path) < time.time() - _ABANDONED:
            remove(path)
    taken = size
    for one in entries():
        taken += one.size
        if taken > LIMIT_BYTES:
            remove(one.folder)
    return made


def finish(made: Path, name: str) -> Path:
    """Gives a whole folder its name; where another process was first, that one's stays.

    Raises:
        OSError: when it can't be renamed.
    """
    whole = folder() / name
    try:
        made.rename(whole)
    except OSError:
        if (whole / MANIFEST).exists():
            remove(made)
        else:  # what is left of an entry
            remove(whole)
            made.rename(whole)
    return whole


def touch(entry: Path) -> None:
    """Notes that an entry is used now; a cache that can only be read keeps no such notes."""
    with contextlib.suppress(OSError):
        os.utime(entry / MANIFEST)


def remove(path: Path) -> None:
    """Removes an entry that is damaged or not wanted, or a folder that never became one.

    First out of sight, at once; then its files, some of which another process may still read.
    """
    hidden = path
    if not path.name.startswith(_TEMPORARY):
        hidden = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        try:
            path.rename(hidden)
        except OSError:
            hidden = path
    shutil.rmtree(hidden, ignore_errors=True)


def _folders() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from list(folder().iterdir())


def _entry(path: Path) -> Entry | None:
    manifest = path / MANIFEST
    try:
        said: Any = json.loads(manifest.read_bytes().partition(b"\n")[2])
        size = sum(file.stat().st_size for file in path.iterdir())
        return Entry(path, str(said["source"]), int(said["rows"]), size, _touched(manifest))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _touched(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
