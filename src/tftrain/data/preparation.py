"""What rows go through before a network and its outputs after it: learnt once, kept with a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.data import scaling, target
from tftrain.data.scaling import Scaling
from tftrain.data.table import columns
from tftrain.data.table.columns import Columns
from tftrain.data.target import TargetScaling


@dataclass(frozen=True)
class Preparation:
    """All that is learnt from the training rows besides the network's weights.

    Args:
        scaling: what arrays go through.
        columns: what a table's columns become, None where the source is no table.
        pixels: height, width and channels that images are made to have.
        target: what targets that are numbers are learnt as, None where as they are.
    """

    scaling: Scaling = field(default_factory=Scaling)
    columns: Columns | None = None
    pixels: tuple[int, int, int] | None = None
    target: TargetScaling | None = None

    def described(self) -> list[str]:
        """What a person should know of it."""
        return self.columns.described() if self.columns else []

    def misfit(self, inputs: tuple[int, ...], labels: tuple[int, ...]) -> str | None:
        """What of it can't have been learnt from rows of such inputs and labels, or None."""
        moments = self.scaling.arrays().values()
        aims = () if self.target is None else (self.target.mean, self.target.deviation)
        wrong = {
            "scaling": not all(_is_one_of(one, (), inputs[-1:]) for one in moments),
            "columns": self.columns is not None and (self.columns.width,) != inputs,
            "pixels": self.pixels is not None and self.pixels != inputs,
            "target": not all(_is_one_of(one, (), labels) for one in aims),
        }
        return next((name for name, is_wrong in wrong.items() if is_wrong), None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a run keeps of it."""
        kept: dict[str, NDArray[Any]] = dict(self.scaling.arrays())
        if self.columns is not None:
            kept["columns"] = columns.as_bytes(self.columns)
        if self.pixels is not None:
            kept["pixels"] = np.array(self.pixels)
        if self.target is not None:
            kept |= {f"target/{name}": array for name, array in self.target.arrays().items()}
        return kept


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Preparation:
    """The preparation that `Preparation.arrays` kept.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, RecursionError: when it is not that.
    """
    held = {
        name.partition("/")[2]: one for name, one in arrays.items() if name.startswith("target/")
    }
    return Preparation(
        scaling.from_arrays(dict(arrays)),
        columns.from_bytes(arrays["columns"]) if "columns" in arrays else None,
        _pixels(arrays["pixels"]) if "pixels" in arrays else None,
        target.from_arrays(held) if held else None,
    )


def _pixels(array: NDArray[np.int64]) -> tuple[int, int, int]:
    height, width, channels = (int(size) for size in array)
    return height, width, channels


def _is_one_of(array: NDArray[Any], *shapes: tuple[int, ...]) -> bool:
    """Whether it is finite 32-bit numbers of one of some shapes."""
    alike = array.dtype == np.float32 and array.shape in shapes
    return alike and bool(np.isfinite(array).all())
