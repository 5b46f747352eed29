"""Python files in, their copies in a run out; and those copies again, unchanged or not."""

from __future__ import annotations

import hashlib
import itertools
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tftrain import config, files, runs
from tftrain.config import Code, Config, Source
from tftrain.errors import Mark, Problem, RunError, listed
from tftrain.runs import Run

_KEYS = ("file", "sha256")
_NAME = re.compile(r"[^/\\:\0]+\.py")


def keep(run: Run, code: Iterable[Code]) -> list[dict[str, str]]:
    """Writes the very bytes that run into the run's folder; a name that is taken gets a number.

    Returns:
        What the summary says of them: each copy's `file`, from the run's folder, and its `sha256`.

    Raises:
        StorageError: when they can't be written.
    """
    kept: dict[str, bytes] = {}
    taken: set[str] = set()
    for one in code:
        stem, suffix = one.path.stem, one.path.suffix
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        free = next(name for name in names if name.casefold() not in taken)
        taken.add(free.casefold())
        kept[f"{runs.CODE}/{free}{suffix}"] = one.content
    if kept:
        files.make_folder(run.folder / runs.CODE, exist_ok=True)  # of a run that is gone on with
    for file, content in kept.items():
        run.write(file, content)
    return [{"file": file, "sha256": sha256(content)} for file, content in kept.items()]


def named(settings: Config, kept: Iterable[Mapping[str, str]]) -> Config:
    """The config whose code is a run's copies, by their paths from the run's folder."""
    return settings.model_copy(update={"code": tuple(one["file"] for one in kept)})


def are_of(code: Iterable[Code], summary: Mapping[str, Any]) -> bool:
    """Whether code is, byte for byte, what a run recorded."""
    recorded = [one["sha256"] for one in summary.get(runs.CODE, [])]
    return [sha256(one.content) for one in code] == recorded


def sha256(content: bytes) -> str:
    """The content's SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def load(folder: Path, summary: Mapping[str, Any], *, allowed: bool) -> tuple[Config, Source]:
    """A run's config, with leave for the code that the run recorded and for no other.

    Args:
        folder: the run directory.
        summary: what `summary.json` says.
        allowed: whether that code may run.

    Raises:
        RunError: when it may not, or isn't what was recorded.
        ConfigError: when the config is not valid here.
    """
    copies = _recorded(folder, summary)
    if copies and not allowed:
        named = listed(str(path) for path, _ in copies)
        message = f"this would run {named}: read it, then `--allow-code` lets it run"
        raise RunError(Problem(Mark(str(folder)), "C052", message))
    for path, sum_ in copies:
        _require_unchanged(path, sum_)
    path = folder / runs.RESOLVED
    settings, source = config.recorded(path)
    found = [(one.path, sha256(one.content)) for one in source.code]
    if found != [(path.absolute(), sum_) for path, sum_ in copies]:
        message = f"damaged: its `code` isn't what {runs.SUMMARY} says"
        raise RunError(Problem(Mark(str(folder / runs.RESOLVED)), "R002", message))
    return settings, config.permit(source, allowed=allowed)


def _recorded(folder: Path, summary: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """The copies that a run says it has, right in its own folder of code; nothing is read."""
    recorded = summary.get(runs.CODE, [])
    if not isinstance(recorded, list) or not all(map(_is_sound, recorded)):
        message = f"damaged: `{runs.CODE}` is wrong: expected files right in {runs.CODE}/"
        raise RunError(Problem(Mark(str(folder / runs.SUMMARY)), "R002", message))
    return [(folder / one["file"], one["sha256"]) for one in recorded]


def _is_sound(one: object) -> bool:
    if not isinstance(one, dict) or not all(isinstance(one.get(key), str) for key in _KEYS):
        return False
    place, _, name = one["file"].partition("/")
    return place == runs.CODE and _NAME.fullmatch(name) is not None


def _require_unchanged(path: Path, sum_: str) -> None:
    message = "damaged: its checksum doesn't match"
    try:
        linked = path.parent.is_symlink() or not stat.S_ISREG(path.lstat().st_mode)
    except OSError as error:
        raise RunError(files.cannot("read", path, error)) from None
    if linked:
        message = "expected a file of the run's own, not a link"
    if linked or sha256(files.read(path)) != sum_:
        raise RunError(Problem(Mark(str(path)), "R002", message))
