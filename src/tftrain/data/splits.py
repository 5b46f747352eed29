"""Rows of arrays, in three parts: what every source of data ends as."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.data.preparation import Preparation
from tftrain.data.scaling import Scaling
from tftrain.data.target import TargetScaling
from tftrain.errors import Problem

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
_STRETCH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """Some rows of a source, prepared when they are taken.

    Args:
        inputs: the source's inputs, (all rows, ...), any real dtype, perhaps memory-mapped.
        labels: what the loss gets, (rows,) or (rows, k): int32 for classes, float32 otherwise.
        weights: float32 (rows,), or None for equal weights.
        rows: which of the source's rows these are, int64 (rows,).
        scaling: what the inputs go through.
        numbers: what the source calls its rows, int64 (all rows,), where not 0, 1, 2, ...
        notes: what was noticed while they were read by themselves.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    weights: Floats | None
    rows: Rows
    scaling: Scaling
    numbers: Rows | None = None
    notes: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def row_numbers(self) -> Rows:
        """What the source calls these rows."""
        return self.rows if self.numbers is None else self.numbers[self.rows]

    @property
    def shape(self) -> tuple[int, ...]:
        """One row's shape."""
        return self.inputs.shape[1:]

    @property
    def row_bytes(self) -> int:
        """Bytes of one prepared row of inputs."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))

    def take(self, positions: Rows | slice) -> tuple[Floats, NDArray[Any], Floats | None]:
        """Prepared inputs, labels and weights of the rows at `positions`, in that order."""
        weights = None if self.weights is None else self.weights[positions]
        return self.raw(positions), self.labels[positions], weights

    def raw(self, positions: Rows | slice) -> Floats:
        """Prepared inputs alone."""
        return self.scaling.apply(gather(self.inputs, self.rows[positions]), copy=False)

    def thinned(self, count: int) -> Part:
        """At most `count` of the rows, evenly spread."""
        if len(self) <= count:
            return self
        return self.chosen(np.linspace(0, len(self) - 1, count).astype(np.int64))

    def chosen(self, places: Rows) -> Part:
        """Some of the rows, by their places."""
        weights = None if self.weights is None else self.weights[places]
        return replace(self, labels=self.labels[places], weights=weights, rows=self.rows[places])


def together(parts: Sequence[Part]) -> Part:
    """The rows of several parts, one part's after another's, prepared as each prepares its own."""
    taken = [part.take(slice(None)) for part in parts]
    inputs, labels = (np.concatenate([rows[place] for rows in taken]) for place in (0, 1))
    weights = [rows[2] for rows in taken if rows[2] is not None]
    rows = np.arange(len(inputs))
    return Part(inputs, labels, np.concatenate(weights) if weights else None, rows, Scaling())


@dataclass(frozen=True)
class Form:
    """What a network must take and give.

    Args:
        inputs: one row's shape.
        labels: one label's shape, () for a number.
        classes: the classes' names by number, or None where the labels are numbers.
        target: what the labels went through, None where they are in their own units.
    """

    inputs: tuple[int, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...] | None
    target: TargetScaling | None = None


@dataclass(frozen=True)
class Splits:
    """All the rows of a job.

    Args:
        train: the rows to learn from.
        weighted: the same rows, weights multiplied by those of their classes.
        validation: the rows that watch for overfitting, or None.
        test: the rows for the final score, or None.
        form: the shapes of rows and labels, and the classes.
        preparation: what was learnt of how to prepare rows, from `train` alone.
        fingerprint: tells whether the data are the same as before.
        notes: what was noticed while they were read.
    """

    train: Part
    weighted: Part
    validation: Part | None
    test: Part | None
    form: Form
    preparation: Preparation
    fingerprint: str
    notes: tuple[Problem, ...] = ()

    def parts(self) -> dict[str, Part]:
        """The parts that have rows, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}

    def thinned(self, rows: int) -> Splits:
        """At most `rows` of all rows, each part in its proportion."""
        total = sum(len(part) for part in self.parts().values())
        share = min(1.0, rows / total)

        def thin(part: Part) -> Part:
            return part.thinned(max(1, int(len(part) * share)))

        return replace(
            self,
            train=thin(self.train),
            weighted=thin(self.weighted),
            validation=self.validation and thin(self.validation),
            test=self.test and thin(self.test),
        )


def gather(inputs: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Rows of an array, copied; from a memory-mapped one fastest in the order they lie there.

    The pages read are given back at once, stretch by stretch: a walk through a large file, of
    which the system maps many pages for each that is touched, would otherwise keep all of it in
    this process's memory.
    """
    near = max(1, _STRETCH_BYTES // max(1, inputs[:1].nbytes))
    if getattr(inputs, "_mmap", None) is None or len(inputs) <= near:
        return _gathered(inputs, rows)
    ends = np.flatnonzero(np.diff(rows // near)) + 1
    if len(ends) > len(inputs) // near:  # they don't lie in order
        return _gathered(inputs, rows)
    gathered = np.empty((len(rows), *inputs.shape[1:]), inputs.dtype)
    for start, end in itertools.pairwise([0, *ends.tolist(), len(rows)]):
        gathered[start:end] = _gathered(inputs, rows[start:end])
    return gathered


def _gathered(inputs: NDArray[Any], rows: Rows) -> NDArray[Any]:
    gathered = inputs[rows]
    release(inputs)
    return gathered


def release(inputs: NDArray[Any]) -> None:
    """Lets the system take back the pages of a memory-mapped array."""
    mapped: Any = getattr(inputs, "_mmap", None)
    if hasattr(mapped, "madvise"):
        import mmap

        mapped.madvise(mmap.MADV_DONTNEED)
