"""Training rows in, an affine map of the inputs out: Keras's Normalization and Rescaling.

The arithmetic is that of Keras's layers, operation by operation in float32, so that the exported
model, which holds the layer, sees the very numbers the network was trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
_EPSILON = np.float32(1e-7)  # Keras's


@dataclass(frozen=True)
class Scaling:
    """What inputs go through before the network.

    Args:
        kind: `standardize`: (x - first) / sqrt(second); `rescale`: x * second + first; `none`.
        first: float32, mean or offset; (columns,) for tables and () for anything else.
        second: float32 of the same shape, variance or scale.
        constant: how many columns hold one value only; they become 0.
    """

    kind: Literal["none", "standardize", "rescale"] = "none"
    first: Numbers | None = None
    second: Numbers | None = None
    constant: int = 0

    def apply(self, inputs: NDArray[Any], *, copy: bool = True) -> Numbers:
        """The inputs as float32, scaled.

        Args:
            inputs: any shape whose last axis fits.
            copy: leave them as they are; otherwise float32 inputs are scaled in place.
        """
        floats: Numbers = inputs.astype(np.float32, copy=copy)
        if self.first is None or self.second is None:
            return floats
        if self.kind == "standardize":
            floats -= self.first
            floats /= np.maximum(np.sqrt(self.second), _EPSILON)
        else:
            floats *= self.second
            floats += self.first
        return floats

    def arrays(self) -> dict[str, Numbers]:
        """What a run keeps of it."""
        if self.first is None or self.second is None:
            return {}
        return {f"{self.kind}/first": self.first, f"{self.kind}/second": self.second}


def from_arrays(arrays: dict[str, NDArray[Any]]) -> Scaling:
    """The scaling that `Scaling.arrays` kept."""
    for kind in ("standardize", "rescale"):
        if f"{kind}/first" in arrays:
            return Scaling(kind, arrays[f"{kind}/first"], arrays[f"{kind}/second"])
    return Scaling()


def fixed(scale: float, offset: float) -> Scaling:
    """A rescaling by given numbers."""
    return Scaling("rescale", np.asarray(offset, np.float32), np.asarray(scale, np.float32))


def learn(kind: Literal["standardize", "rescale"], blocks: Iterator[NDArray[Any]]) -> Scaling:
    """The scaling of some rows, read once, block by block.

    Args:
        kind: `standardize` for mean 0 and deviation 1, `rescale` for smallest 0 and largest 1.
        blocks: the rows; each column of a 2-D block counts by itself, others as a whole.

    Source: Chan, Golub, LeVeque (1979), for merging the moments of blocks.
    """
    count = 0
    mean = deviations = np.zeros(())
    low, high = np.full((), np.inf), np.full((), -np.inf)
    for block in blocks:
        values = block.astype(np.float64)
        columns = values if values.ndim == 2 else values.reshape(-1)  # noqa: PLR2004 - a table
        rows, block_mean = len(columns), columns.mean(axis=0)
        shift = block_mean - mean
        total = count + rows
        deviations = deviations + ((columns - block_mean) ** 2).sum(axis=0)
        deviations = deviations + shift**2 * (count * rows / total)
        mean = mean + shift * (rows / total)
        low, high = np.minimum(low, columns.min(axis=0)), np.maximum(high, columns.max(axis=0))
        count = total
    constant = low == high
    if kind == "standardize":
        first = np.where(constant, low, mean)
        second = np.where(constant, 1.0, deviations / count)
    else:
        second = 1.0 / np.where(constant, 1.0, high - low)
        first = -low * second
    constants = int(np.count_nonzero(constant))
    return Scaling(kind, first.astype(np.float32), second.astype(np.float32), constants)
