"""Passes over rows for several networks; here one after another, in one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tftrain.data import Part
from tftrain.training.engine import Engine
from tftrain.training.loop import Logs
from tftrain.training.members import Values


class Passes(Protocol):
    """Passes over rows for several members: all in one graph, or one after another."""

    def train(self, members: Sequence[int], part: Part, orders: NDArray[np.int64]) -> list[Logs]:
        """One epoch of some members, each in its own order of the rows."""

    def evaluate(self, members: Sequence[int], part: Part) -> list[Logs]:
        """One pass of some members without updates."""

    def values(self) -> list[Values]:
        """What each member's variables hold now."""

    def put(self, member: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Gives some of a member's variables other values."""


class OneByOne:
    """Members that take turns in one network: each ends with the bits of a training of its own."""

    def __init__(self, engine: Engine, values: Sequence[Values]) -> None:
        self._engine = engine
        self._values = [dict(one) for one in values]

    def train(self, members: Sequence[int], part: Part, orders: NDArray[np.int64]) -> list[Logs]:
        """As `Passes`."""
        logs = []
        for member, order in zip(members, orders, strict=True):
            self._enter(member)
            logs.append(self._engine.train(part, order))
            self._values[member] = self._engine.values()
        return logs

    def evaluate(self, members: Sequence[int], part: Part) -> list[Logs]:
        """As `Passes`."""
        logs = []
        for member in members:
            self._enter(member)
            logs.append(self._engine.evaluate(part))
        return logs

    def values(self) -> list[Values]:
        """As `Passes`."""
        return [dict(one) for one in self._values]

    def put(self, member: int, values: Mapping[str, NDArray[Any]]) -> None:
        """As `Passes`."""
        self._values[member] |= values

    def _enter(self, member: int) -> None:
        for name, variable in self._engine.variables.items():
            variable.assign(self._values[member][name])
