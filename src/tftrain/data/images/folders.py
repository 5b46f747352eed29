"""A folder of images in, its files and their classes out."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tftrain import files
from tftrain.data.images.decoding import FAULTS, cut, problem_of
from tftrain.errors import DataError, Mark, Problem, listed

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"}
)
_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_HIDDEN = frozenset({"__MACOSX", "@eaDir"})  # of macOS's archives, of Synology's shelves


@dataclass(frozen=True)
class Pictures:
    """What a folder of images holds, not yet decoded.

    Args:
        files: paths, by class, then by name with numbers in their order (`2.png`, `10.png`).
        labels: class numbers, rows of `names`; None where there are no classes.
        names: the sub-folders' names, in the same order; None where there are no classes.
    """

    files: tuple[str, ...]
    labels: NDArray[np.int64] | None
    names: tuple[str, ...] | None


def folder(path: str, *, labelled: bool = True) -> Pictures:
    """The images below a folder; hidden files and those that are no images don't count.

    Args:
        path: with a sub-folder for each class, or, without labels, with images at any depth.
        labelled: whether the sub-folders are classes.

    Raises:
        DataError: when a folder can't be read or has no images, or an image has no class.
    """
    seen: set[tuple[int, int]] = set()
    if not labelled:
        return Pictures(tuple(_images(path, seen)), None, None)
    names, beside = _listing(path)
    _check_classes(path, names, beside)
    seen.add(_identity(path))
    found: list[list[str]] = []
    problems: list[Problem] = []
    for name in names:
        try:
            found.append(_images(str(Path(path, name)), seen))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(cut(problems))
    numbers = np.repeat(np.arange(len(names)), [len(images) for images in found])
    paths = tuple(file for images in found for file in images)
    return Pictures(paths, numbers.astype(np.int64), tuple(names))


def parts(path: str) -> dict[str, str]:
    """The folders train/, val/ (or valid/, validation/) and test/ above the classes.

    Returns:
        The folders by `train`, `validation` and `test`; nothing unless there is a train/ and one
        of the others.

    Raises:
        DataError: when the folder can't be read, or two of its folders are the same part.
    """
    found: dict[str, str] = {}
    for name in _listing(path)[0]:
        part = _PARTS.get(name.casefold())
        if part in found:
            message = f"both `{found[part]}` and `{name}` are there for the {part} split"
            raise DataError(Problem(Mark(path), "D004", message))
        if part:
            found[part] = name
    if "train" not in found or len(found) == 1:
        return {}
    order = [part for part in ("train", "validation", "test") if part in found]
    return {part: str(Path(path, found[part])) for part in order}


def _images(top: str, seen: set[tuple[int, int]]) -> list[str]:
    """The images below a folder: its own, by name, then those of each of its folders."""
    found: list[str] = []
    ahead = [top]
    while ahead:
        path = ahead.pop()
        if (identity := _identity(path)) in seen:
            message = "can't be read: a link to a folder that is read already"
            raise DataError(Problem(Mark(path), "D002", message))
        seen.add(identity)
        folders, names = _listing(path)
        found += [str(Path(path, name)) for name in names if _is_image(name)]
        ahead += [str(Path(path, name)) for name in reversed(folders)]
    if not found:
        raise DataError(Problem(Mark(top), "D007", f"no images; {_held(*_listing(top))}"))
    return found


def _check_classes(path: str, names: list[str], beside: list[str]) -> None:
    """Sees that a folder holds folders, each with a name for a class, and no images beside them."""
    loose = [name for name in beside if _is_image(name)]
    if not names:
        there = f"it holds {len(loose)} images" if loose else _held(names, beside)
        message = f"expected a sub-folder of images for each class; {there}"
        raise DataError(Problem(Mark(path), "D003" if loose else "D007", message))
    problems = [
        Problem(Mark(str(Path(path, name))), "D004", "no name for a class: it isn't plain text")
        for name in names
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    ]
    if loose:
        message = f"images without a class beside the sub-folders: {listed(loose)}"
        problems.append(Problem(Mark(path), "D003", message))
    if problems:
        raise DataError(cut(problems))


def _listing(path: str) -> tuple[list[str], list[str]]:
    """The names of a folder's folders and of its files, in order, without those that are hidden."""
    folders: list[str] = []
    names: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name not in _HIDDEN:
                    (folders if _leads_to_folder(entry) else names).append(entry.name)
    except FAULTS as error:
        raise DataError(problem_of(path, error)) from None
    return sorted(folders, key=_natural), sorted(names, key=_natural)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():  # which may lead in a circle
        return files.is_folder(Path(entry.path))
    return entry.is_dir()


def _identity(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except FAULTS as error:
        raise DataError(problem_of(path, error)) from None
    return status.st_dev, status.st_ino


def _natural(name: str) -> tuple[list[str | int], str]:
    """A key by which 2 comes before 10."""
    pieces = re.split(r"([0-9]+)", name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], name


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _held(folders: list[str], names: list[str]) -> str:
    there = [f"{name}/" for name in folders] + names
    return f"it holds {listed(there)}" if there else "it is empty"
