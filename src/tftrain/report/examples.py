"""The worst and the surest rows of an assessment in, what they hold out: pictures or cells."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.assess import Assessed
from tftrain.config import Config
from tftrain.data import Part
from tftrain.errors import TftrainError, one_line
from tftrain.recorded import Recorded
from tftrain.scores import Assessment, Example

_DIGITS = "digits"
_SIDE = 160  # pixels of a picture's longer side, at most
_COLUMNS = 8  # of a table or of a short row of numbers that are shown
_WIDEST = 160  # characters of a cell
_MOST_ROWS = 1_000_000  # of a table that are read for the sake of a few
_CHANNELS = (1, 3, 4)
_GREY, _COLOUR = 2, 3
_WHITE = 255


@dataclass(frozen=True)
class Seen:
    """What some rows hold.

    Args:
        pictures: a PNG file of each row by its number, where rows are images.
        names: of the columns, where they are cells.
        cells: one text a column, by the row's number.
        note: why there is neither; or empty.
    """

    pictures: dict[int, bytes]
    names: tuple[str, ...] = ()
    cells: dict[int, tuple[str, ...]] | None = None
    note: str = ""


def of(run: Recorded, assessed: Assessed, found: Assessment) -> Seen:
    """What the worst and the surest rows hold.

    Args:
        run: the run.
        assessed: from `assess.of_run`, with the run's rows.
        found: its assessment.
    """
    wanted = _numbers([*found.worst, *found.most_certain])
    if assessed.splits is None:
        return Seen({}, note="the rows themselves can't be read any more")
    part = assessed.splits.parts().get(found.part, assessed.splits.train)  # folds test all rows
    if run.preparation.columns is not None:
        return _cells(run, wanted, found.part)
    rows, known = _rows(part, wanted)
    shape = _picture_shape(run.config, part.shape)
    if shape is not None:
        return Seen(_pictures(rows.reshape(-1, *shape), known))
    if len(part.shape) == 1 and part.shape[0] <= _COLUMNS:
        names = tuple(f"x[{place}]" for place in range(part.shape[0]))
        values = (tuple(f"{value:.4g}" for value in row) for row in rows.tolist())
        return Seen({}, names, dict(zip(known, values, strict=True)))
    return Seen({}, note="rows of many numbers: they are named by their numbers only")


def _numbers(some: Sequence[Example]) -> NDArray[np.int64]:
    return np.array(sorted({one.row for one in some}), np.int64)


def _rows(part: Part, wanted: NDArray[np.int64]) -> tuple[NDArray[Any], list[int]]:
    """The rows of those numbers as they came, and which there are."""
    numbers = part.row_numbers
    places = np.flatnonzero(np.isin(numbers, wanted))
    return np.asarray(part.inputs[part.rows[places]]), numbers[places].tolist()


def _picture_shape(settings: Config, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Height, width and channels of a row that is an image, as far as one can know."""
    if settings.data.source == _DIGITS:
        side = math.isqrt(math.prod(shape))
        return side, side, 1
    first = settings.model.layers[0]
    target = first.arguments.get("target_shape") if first.name == "Reshape" else None
    flat = len(shape) == 1 and isinstance(target, list | tuple)
    sizes = tuple(target or ()) if flat else shape
    sound = all(isinstance(size, int) and size > 0 for size in sizes)
    if not sound or math.prod(sizes) != math.prod(shape):
        return None
    if len(sizes) == _COLOUR and sizes[2] in _CHANNELS:
        return sizes[0], sizes[1], sizes[2]
    return (sizes[0], sizes[1], 1) if flat and len(sizes) == _GREY else None


def _pictures(rows: NDArray[Any], numbers: Sequence[int]) -> dict[int, bytes]:
    """Each row as a PNG file; of other numbers than 0 to 255, the smallest of all is black."""
    low, high = (0.0, float(_WHITE)) if rows.dtype == np.uint8 else _range(rows)
    scaled = (rows.astype(np.float64) - low) * (_WHITE / ((high - low) or 1))
    bytes_ = np.nan_to_num(scaled).clip(0, _WHITE).round().astype(np.uint8)
    return {number: _png(one) for number, one in zip(numbers, bytes_, strict=True)}


def _range(rows: NDArray[Any]) -> tuple[float, float]:
    sound = rows[np.isfinite(rows)]
    return (float(sound.min()), float(sound.max())) if sound.size else (0.0, 1.0)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _cells(run: Recorded, wanted: NDArray[np.int64], part: str) -> Seen:
    """What the first columns of the table hold in those rows."""
    columns = run.preparation.columns
    names = () if columns is None else tuple(columns.names()[:_COLUMNS])
    if sum(run.summary["rows"].values()) > _MOST_ROWS:
        return Seen({}, note="a large table: its rows are named by their numbers only")
    try:
        values = run.cells(names, wanted, part) or {}
    except TftrainError as error:
        return Seen({}, note=error.problems[0].message)
    rows = {
        number: tuple(_cell(values[name][place]) for name in names)
        for place, number in enumerate(wanted.tolist())
    }
    return Seen({}, names, rows)


def _cell(value: str | None) -> str:
    text = "-" if value is None else one_line(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
