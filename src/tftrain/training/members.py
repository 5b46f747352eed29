"""One network of a population: what it learns, what is known of it, what its callbacks see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tftrain.data import Splits
from tftrain.training.engine import Engine

Values = dict[str, NDArray[Any]]
RATE = "learning_rate"


@dataclass(frozen=True)
class Lesson:
    """What one network learns, and with what.

    Args:
        seed: of its first weights and its orders.
        splits: its rows.
        engine: of a network that takes these rows; its training graph is traced.
    """

    seed: int
    splits: Splits
    engine: Engine


@dataclass
class Member:
    """One network of the population.

    Args:
        number: counted from 0.
        lesson: what it learns.
        callbacks: its own.
        history: a row an epoch, as in `metrics.csv`.
        ended: whether a callback has ended its training, or its loss wasn't finite.
        failed: what wasn't finite, and when; None of a sound one.
        standing: its best value of what decides, the larger the worse.
    """

    number: int
    lesson: Lesson
    callbacks: list[Any]
    history: list[dict[str, float]] = field(default_factory=list)
    ended: bool = False
    failed: str | None = None
    standing: float = math.inf


class Side(Protocol):
    """What a member is one of: `population.Population`."""

    values: list[Values]
    weights: list[str]
    rate: str | None

    def put(self, member: Member, values: Values) -> None:
        """Gives some of a member's variables other values."""


class View:
    """What a callback sees of its member: as much of a `keras.Model` as the three kinds ask for."""

    def __init__(self, job: Side, member: Member) -> None:
        self._job = job
        self._member = member
        self.optimizer = Rate(job, member)

    @property
    def stop_training(self) -> bool:
        """Whether this member's training has ended; the others' go on."""
        return self._member.ended

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._member.ended = value

    def get_weights(self) -> list[NDArray[Any]]:
        """As `keras.Model` has it, after the epoch that was last."""
        values = self._job.values[self._member.number]
        return [values[name].copy() for name in self._job.weights]

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """As `keras.Model` has it."""
        self._job.put(self._member, dict(zip(self._job.weights, weights, strict=True)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member.lesson.engine.network, name)


class Rate:
    """The learning rate of one member, under the name that Keras's callbacks look for."""

    def __init__(self, job: Side, member: Member) -> None:
        self._job = job
        self._member = member

    @property
    def learning_rate(self) -> Any:
        """The rate in force, float32 (); of a schedule, what Keras has."""
        name = self._job.rate
        if name is None:
            return self._member.lesson.engine.network.optimizer.learning_rate
        return self._job.values[self._member.number][name]

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._job.rate is None:
            raise TypeError("the learning rate follows a schedule")
        self._job.put(self._member, {self._job.rate: np.asarray(value, np.float32)})
