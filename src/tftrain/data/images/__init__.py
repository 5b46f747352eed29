"""A folder or a list of images in, arrays of their pixels out, all of one size and kind."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tftrain.data.images.decoding import BOMB, FAULTS, Form, Header, cut, header, pixels, problem_of
from tftrain.data.images.folders import SUFFIXES, Pictures, folder, parts
from tftrain.errors import DataError, Mark, Problem

__all__ = [
    "SUFFIXES",
    "Decoded",
    "Form",
    "Pictures",
    "blocks",
    "decode",
    "folder",
    "form_of",
    "parts",
    "resizes",
]

BLOCK_BYTES = 64 * 1024 * 1024
_MOST_THREADS = 8
_HEADERS = 256  # read at a time: the first ones may tell enough
_ASKED, _LARGE = 16, 32 * 1024  # files of that many bytes, as far as so many of them tell
_Made = TypeVar("_Made")


class Decoded(NamedTuple):
    """Images as numbers.

    Args:
        images: (rows, height, width, channels) in 0..255; uint8, or float32 where one is resized.
        problems: the files that were left out, as warnings; each once, however often it is listed.
        rows: the place of each image in the list of files, int64.
    """

    images: NDArray[Any]
    problems: list[Problem]
    rows: NDArray[np.int64]


def form_of(
    files: Sequence[str],
    size: tuple[int, int] | None,
    channels: int | None,
    *,
    skip_broken: bool = False,
) -> Form:
    """What images are to be made to, from their headers where it isn't said.

    Args:
        files: paths of images, one at least.
        size: rows and columns, or None for the size that all the images have.
        channels: 1, 3 or 4, or None for 1 where every image is grey, and 3 otherwise.
        skip_broken: whether files that can't be read don't count, as long as one can be.

    Raises:
        DataError: when the sizes differ and none is said, or headers can't be read.
    """
    if size is not None and channels is not None:
        return Form(size, channels)
    headers, problems = _sound(_each(header, files))
    if skip_broken and headers:
        problems = {}
    told = [*problems.values()]
    if size is None:
        told += _two_sizes([*headers.values()])
    if told:
        raise DataError(cut(told))
    grey = all(found.grey for found in headers.values())
    return Form(size or next(iter(headers.values())).size, channels or (1 if grey else 3))


def resizes(files: Sequence[str], form: Form) -> bool:
    """Whether any of the images has another size than it is made to; their headers say so."""
    for start in range(0, len(files), _HEADERS):
        headers, _ = _sound(_each(header, files[start : start + _HEADERS]))
        if any(found.size != form.size for found in headers.values()):
            return True
    return False


def decode(
    files: Sequence[str], form: Form, *, skip_broken: bool = False, alike: bool = False
) -> Decoded:
    """Images as one array.

    Every image becomes one of 8 bits a channel first, turned as its EXIF header says. Colours
    become grey by their luminance; transparency lies over black. What has another size is resized
    as Keras's `Resizing(antialias=True)` does it.

    Args:
        files: paths of images.
        form: what to make them to.
        skip_broken: whether to leave out files that can't be read, as long as one can be.
        alike: whether all are known to have the form's size, so that no header is asked for it.

    Raises:
        DataError: when files can't be read; it names them all, or ten and how many more.
    """
    dtype = np.uint8 if alike or not resizes(files, form) else np.float32
    images: NDArray[Any] = np.empty((len(files), *form.size, form.channels), dtype)
    problems: list[Problem] = []
    rows = np.zeros(0, np.int64)
    for block in blocks(files, form, skip_broken=skip_broken):
        if block.images.dtype != dtype:  # a file that has changed since its header was read
            images = images.astype(np.float32, copy=False)
        images[len(rows) : len(rows) + len(block.rows)] = block.images
        problems += block.problems
        rows = np.concatenate([rows, block.rows])
    return Decoded(images[: len(rows)], [*dict.fromkeys(problems)], rows)


def blocks(files: Sequence[str], form: Form, *, skip_broken: bool = False) -> Iterator[Decoded]:
    """As `decode`, in runs of about 64 MiB; `resizes` says whether one of them will be float32.

    Raises:
        DataError: as `decode`, once all files are tried; no block comes after the first bad file.
    """
    step = max(1, BLOCK_BYTES // (4 * form.size[0] * form.size[1] * form.channels))
    broken: list[Problem] = []
    kept = 0
    for start in range(0, len(files), step):
        run = files[start : start + step]
        images, problems = _sound(_each(partial(pixels, form=form), run, _threads(run)))
        broken += problems.values()
        kept += len(images)
        if skip_broken or not broken:
            left_out = [replace(problem, severity="warning") for problem in problems.values()]
            rows = start + np.fromiter(images, np.int64, len(images))
            yield Decoded(_stacked([*images.values()], form), left_out, rows)
    if broken and not (skip_broken and kept):
        raise DataError(cut(broken))


def _stacked(images: list[NDArray[Any]], form: Form) -> NDArray[Any]:
    dtype = np.result_type(np.uint8, *{image.dtype for image in images})
    stacked = np.empty((len(images), *form.size, form.channels), dtype)
    for row, image in enumerate(images):
        stacked[row] = image
    return stacked


def _two_sizes(headers: list[Header]) -> Iterator[Problem]:
    """The first image that has another size than the first of all."""
    for other in headers:
        if other.size != headers[0].size:
            sizes = [f"{rows} x {columns}" for rows, columns in (other.size, headers[0].size)]
            message = f"{sizes[0]} pixels, but {headers[0].file} has {sizes[1]} (rows x columns)"
            yield Problem(Mark(other.file), "D004", f"{message}; set `size` to make them alike")
            return


def _each(
    function: Callable[[str], _Made], files: Sequence[str], threads: int = 1
) -> list[_Made | Problem]:
    """What a function makes of every file, or what is wrong with it."""

    def tried(file: str) -> _Made | Problem:
        try:
            return function(file)
        except FAULTS as error:
            return problem_of(file, error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is either told as an error or no matter
        warnings.simplefilter("error", BOMB)
        if threads == 1:
            return [tried(file) for file in files]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(tried, files))


def _threads(files: Sequence[str]) -> int:
    """Threads for decoding, which needs no lock of Python's; small files take longer in threads."""
    asked = files[:_ASKED]
    total = sum(_bytes(file) for file in asked)
    return min(_MOST_THREADS, os.cpu_count() or 1) if total > _LARGE * len(asked) else 1


def _bytes(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except (OSError, ValueError):
        return 0


def _sound(read: list[_Made | Problem]) -> tuple[dict[int, _Made], dict[int, Problem]]:
    """What could be made and what is wrong, by the file's place."""
    made = {place: one for place, one in enumerate(read) if not isinstance(one, Problem)}
    return made, {place: one for place, one in enumerate(read) if isinstance(one, Problem)}
