"""Passes over rows for several networks; here one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from tftrain.training.engine import Order
from tftrain.training.loop import Logs
from tftrain.training.members import Lesson, Values


class Passes(Protocol):
    """Passes over rows for several members: all in one graph, or one after another."""

    def train(self, members: Sequence[int], orders: Sequence[Order]) -> list[Logs]:
        """One epoch of some members, each in its own order of its rows."""

    def evaluate(self, members: Sequence[int], split: str) -> list[Logs]:
        """One pass of some members without updates over their rows of a split."""

    def values(self) -> list[Values]:
        """What each member's variables hold now."""

    def put(self, member: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Gives some of a member's variables other values."""


class OneByOne:
    """Members that take turns: each ends with the bits of a training of its own."""

    def __init__(self, lessons: Sequence[Lesson], values: Sequence[Values]) -> None:
        self._lessons = lessons
        self._values = [dict(one) for one in values]

    def train(self, members: Sequence[int], orders: Sequence[Order]) -> list[Logs]:
        """As `Passes`."""
        logs = []
        for member, order in zip(members, orders, strict=True):
            lesson = self._entered(member)
            logs.append(lesson.engine.train(lesson.splits.weighted, order))
            self._values[member] = lesson.engine.values()
        return logs

    def evaluate(self, members: Sequence[int], split: str) -> list[Logs]:
        """As `Passes`."""
        lessons = map(self._entered, members)
        return [lesson.engine.evaluate(lesson.splits.parts()[split]) for lesson in lessons]

    def values(self) -> list[Values]:
        """As `Passes`."""
        return [dict(one) for one in self._values]

    def put(self, member: int, values: Mapping[str, NDArray[Any]]) -> None:
        """As `Passes`."""
        self._values[member] |= values

    def _entered(self, member: int) -> Lesson:
        lesson = self._lessons[member]
        lesson.engine.put(self._values[member])
        return lesson
