"""An image in, the same at another size out, as Keras's `Resizing(antialias=True)` makes it.

Bilinear, from half-pixel centres; where an image becomes smaller every pixel of it counts. Keras
leaves this to TensorFlow's `ScaleAndTranslate`, in 32 bits: here are its sums, in its order. The
layer must be given floats: what it makes of whole numbers it rounds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def resize(image: NDArray[Any], size: tuple[int, int]) -> Floats:
    """An image (rows, columns, channels) at another size (rows, columns), in the same range."""
    high = _along(image, size[0])
    wide = _along(np.ascontiguousarray(high.swapaxes(0, 1)), size[1])
    return np.ascontiguousarray(wide.swapaxes(0, 1))


def _along(image: NDArray[Any], target: int) -> Floats:
    """The first axis at another length: each place of it a weighted sum of neighbours.

    A product and a sum at a time, and no product of matrices: the bits are those of any processor.
    """
    if len(image) == target:
        return image.astype(np.float32)
    starts, weights = _taps(len(image), target)
    made = np.zeros((target, *image.shape[1:]), np.float32)
    term = np.empty_like(made)
    for tap, weight in enumerate(weights):
        term[...] = image.take(starts + tap, axis=0, mode="clip")  # beyond the end it weighs 0
        term *= weight[:, None, None]
        made += term
    return made


@lru_cache(maxsize=256)
def _taps(source: int, target: int) -> tuple[NDArray[np.int64], Floats]:
    """Where each place's neighbours begin, (target,), and how much each counts, (taps, target)."""
    one, half = np.float32(1), np.float32(0.5)
    step = np.float32(1 / float(np.float32(target) / np.float32(source)))
    width = max(step, one)
    centres = (np.arange(target, dtype=np.float32) + half) * step
    starts = np.ceil(centres - width - half).astype(np.int64).clip(0, source - 1)
    ends = np.floor(centres + width - half).astype(np.int64).clip(0, source - 1) + 1
    places = starts + np.arange((ends - starts).max())[:, None]
    distances = np.abs((places.astype(np.float32) + half - centres) * (one / width))
    weights = np.where(places < ends, np.maximum(one - distances, 0), 0).astype(np.float32)
    total = np.add.accumulate(weights)[-1]  # one after another, as TensorFlow adds them
    return starts, weights * (one / total)
