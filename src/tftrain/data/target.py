"""Targets that are numbers in, numbers of a size that is easily learnt out, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TargetScaling:
    """(log(1 + y) - mean) / deviation, the logarithm only if asked for.

    Args:
        log: whether the logarithm is taken first.
        mean: of the training rows' targets, float32 () or (k,).
        deviation: likewise.
    """

    log: bool
    mean: Floats
    deviation: Floats

    def apply(self, values: NDArray[Any]) -> Floats:
        """Targets in their own units, (rows,) or (rows, k), as the loss gets them."""
        numbers = values.astype(np.float64)
        if self.log:
            numbers = np.log1p(numbers)
        scaled: Floats = ((numbers - self.mean) / self.deviation).astype(np.float32)
        return scaled

    def restore(self, outputs: Floats) -> Floats:
        """The network's outputs in the target's own units; infinite where these are too large."""
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = outputs * self.deviation + self.mean
            return np.exp(numbers) - np.float32(1) if self.log else numbers

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a run keeps of it."""
        return {"log": np.array(self.log), "mean": self.mean, "deviation": self.deviation}


def learn(kind: Literal["standardize", "log"], values: NDArray[Any]) -> TargetScaling:
    """The scaling of the training rows' targets.

    Raises:
        ValueError: when a logarithm is asked for of a number that is not more than -1.
    """
    log = kind == "log"
    numbers = values.astype(np.float64)
    if log:
        if (numbers <= -1).any():
            raise ValueError(f"log(1 + y) of {numbers.min():g}: take `standardize`")
        numbers = np.log1p(numbers)
    deviation = numbers.std(axis=0)
    return TargetScaling(
        log,
        np.asarray(numbers.mean(axis=0), np.float32),
        np.asarray(np.where(deviation > 0, deviation, 1), np.float32),
    )


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> TargetScaling:
    """The scaling that `TargetScaling.arrays` kept."""
    return TargetScaling(bool(arrays["log"]), arrays["mean"], arrays["deviation"])
