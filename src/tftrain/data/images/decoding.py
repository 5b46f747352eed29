"""An image's file in, its header or its pixels out, or one line that says what is wrong with it."""

from __future__ import annotations

import contextlib
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from tftrain.data.images.resizing import resize
from tftrain.errors import Mark, Problem, first_line

MAX_BYTES = 256 * 1024 * 1024
MAX_PIXELS = 64 * 1024 * 1024
MAX_SIDE = 64 * 1024
_BEARABLE = f"expected 1 to {MAX_PIXELS:,} pixels, and at most {MAX_SIDE:,} along a side"
_COUNT = re.compile(r"\((\d+) pixels\)")
# what Pillow warns of and what is an error here
BOMB = Image.DecompressionBombWarning
# what a file that was made to deceive can raise in Pillow
FAULTS = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    SyntaxError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    BOMB,
)
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = 5  # from this orientation on, rows become columns
_DEEP = 16
_BITS_PER_SAMPLE = 258  # the number of TIFF's tag for it
_MOST = 10


@dataclass(frozen=True)
class Form:
    """What images are made to.

    Args:
        size: rows, columns.
        channels: 1 grey, 3 RGB, 4 RGBA.
    """

    size: tuple[int, int]
    channels: int


@dataclass(frozen=True)
class Header:
    """What an image says before its pixels.

    Args:
        file: its path.
        size: rows, columns, once it is turned as the camera was held.
        grey: whether it has no colours.
    """

    file: str
    size: tuple[int, int]
    grey: bool


def header(file: str) -> Header:
    """An image's header; whatever is wrong with the file raises one of `FAULTS`."""
    with _opened(file) as image:
        columns, rows = image.size
        size = (columns, rows) if _orientation(image) >= _ON_ITS_SIDE else (rows, columns)
        return Header(file, size, _is_grey(image))


def pixels(file: str, form: Form) -> NDArray[Any]:
    """An image of a form, (rows, columns, channels): uint8, or float32 where it was resized.

    Whatever is wrong with the file raises one of `FAULTS`.
    """
    with _opened(file) as image:
        turn = _TURNS.get(_orientation(image))
        plain = _eight_bits(image)
        if turn is not None:
            plain = plain.transpose(turn)
        made = np.asarray(_in_channels(plain, form.channels))
    made = made.reshape(*made.shape[:2], form.channels)
    return made if made.shape[:2] == form.size else resize(made, form.size)


def problem_of(file: str, error: BaseException) -> Problem:
    """What a file's exception means, in one line."""
    code, message = "D002", f"can't be read: {first_line(error)}"
    if isinstance(error, FileNotFoundError):
        code, message = "D001", "no such file or folder"
    elif isinstance(error, Image.DecompressionBombError | BOMB):
        found = _COUNT.search(str(error))
        code, message = "D004", _BEARABLE + (f", got {int(found[1]):,}" if found else "")
    elif isinstance(error, _UnfitError):
        code, message = "D004", str(error)
    elif isinstance(error, UnidentifiedImageError):
        message = f"can't be read: expected {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
    elif isinstance(error, OSError) and error.strerror:
        message = f"can't be read: {error.strerror}"
    return Problem(Mark(file), code, message)


def cut(problems: list[Problem]) -> list[Problem]:
    """The first ten problems, each told once; the last of them says how many more there are."""
    problems = [*dict.fromkeys(problems)]
    if len(problems) <= _MOST:
        return problems
    last = problems[_MOST - 1]
    more = f"{last.message}; and {len(problems) - _MOST:,} more faults"
    return [*problems[: _MOST - 1], replace(last, message=more)]


class _UnfitError(ValueError):
    """An image that can be read and not used: the message says why."""


@contextlib.contextmanager
def _opened(file: str) -> Iterator[Image.Image]:
    """An image of which the header is read and the size is known to be bearable."""
    path = Path(file)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("it is a folder")
    if not stat.S_ISREG(status.st_mode):  # a pipe, say, that would never end
        raise ValueError("it is no file")
    if not status.st_size:
        raise ValueError("it is empty")
    if status.st_size > MAX_BYTES:
        raise _UnfitError(f"expected at most {MAX_BYTES:,} bytes, got {status.st_size:,}")
    with path.open("rb") as stream, Image.open(stream, formats=_FORMATS) as image:
        count = image.width * image.height
        if not 0 < count <= MAX_PIXELS or max(image.size) > MAX_SIDE:
            got = f", got {count:,} ({image.height:,} x {image.width:,})"
            raise _UnfitError(_BEARABLE + got)
        yield image


def _orientation(image: Image.Image) -> int:
    """How the camera was held, 1 to 8; of what is told before the pixels, so that it's cheap."""
    if image.format == "TIFF":  # Pillow itself turns these
        return 1
    try:
        told = Image.Image.getexif(image)  # PNG's own would decode the image
    except FAULTS:
        return 1
    found = told.get(ExifTags.Base.Orientation)
    return found if found in _TURNS else 1


def _is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours, as far as its header says."""
    palette = image.palette
    if image.mode == "P" and palette and palette.mode == "RGB" and palette.rawmode in ("RGB", None):
        levels = np.frombuffer(bytes(palette.palette), np.uint8)
        colours = levels[: len(levels) // 3 * 3].reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of more than 8 bits, their whole range made to that of 8."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (_DEEP,))[0]
    top = 1 if image.mode == "F" else 2 ** min(bits, _DEEP) - 1
    values = np.asarray(image)
    if not 0 <= values.min() <= values.max() <= top:  # nor is it where one is NaN
        raise _UnfitError(f"expected grey from 0 to {top}, got {values.min()} to {values.max()}")
    scaled = np.rint(values.astype(np.float32) * np.float32(255 / top)).astype(np.uint8)
    grey = Image.fromarray(scaled)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    """An image as RGBA, or over black as RGB or grey."""
    if channels == 4:  # noqa: PLR2004 - the one with alpha
        return image.convert("RGBA")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert("L" if channels == 1 else "RGB")
