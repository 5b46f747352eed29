"""A source's rows as they came, before anything is learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.data.table import Table
from tftrain.errors import Mark, Problem, counted


@dataclass(frozen=True)
class LeftOut:
    """Rows that can't be read and that nobody wants to stop for.

    Args:
        rows: how many.
        of: all rows.
        first: the first of them, and what is wrong with it.
    """

    rows: int
    of: int
    first: str

    def said(self) -> str:
        """All of it in a sentence."""
        return f"{counted(self.rows, 'image')} of {self.of:,} left out; the first: {self.first}"


@dataclass(frozen=True)
class Raw:
    """A source's arrays, as they came.

    Args:
        inputs: (rows, ...), any real dtype, perhaps memory-mapped; of a table, (rows, 0).
        labels: (rows,) or (rows, k), numbers or texts; None where there are none.
        weights: (rows,) or None.
        names: the classes' names by label, for sets that come with them.
        source: what to call it in messages.
        table: what the inputs are still to be made of.
        place: of each row in the order of time, where rows have one, int64 (rows,).
        together: rows of the same number stay together when they are split, int64 (rows,).
        pixels: of images: height, width, channels that all were made to have.
        paths: of images: where each lies, from the folder or the table on, (rows,).
        numbers: what the rows are called, where not 0, 1, 2, ..., int64 (rows,).
        notes: what was noticed on the way.
        left_out: the images that aren't among the rows.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any] | None
    weights: NDArray[Any] | None
    names: tuple[str, ...] | None
    source: str
    table: Table | None = None
    place: NDArray[np.int64] | None = None
    together: NDArray[np.int64] | None = None
    pixels: tuple[int, int, int] | None = None
    paths: NDArray[Any] | None = None
    numbers: NDArray[np.int64] | None = None
    notes: tuple[Problem, ...] = ()
    left_out: LeftOut | None = None

    def told(self) -> tuple[Problem, ...]:
        """All that was noticed, as warnings."""
        if self.left_out is None:
            return self.notes
        said = Problem(Mark(self.source), "D026", self.left_out.said(), "warning")
        return (*self.notes, said)
