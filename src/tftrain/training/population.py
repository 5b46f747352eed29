"""Networks from many seeds trained side by side: one Epoch of all of them after another out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np

from tftrain.backend import keras
from tftrain.checkpoint import State
from tftrain.config import Training, higher_is_better
from tftrain.data import Splits
from tftrain.training import Epoch, NonFinite, state
from tftrain.training.engine import Engine, Order, order_of, steps
from tftrain.training.loop import Logs
from tftrain.training.members import RATE, Lesson, Member, Rate, Values, View
from tftrain.training.one_by_one import OneByOne, Passes
from tftrain.training.stacked import Stacked, Unstackable


class Population:
    """One training of many networks, from its first epoch, or the one after a checkpoint, on.

    Args:
        lessons: what each learns.
        training: for how many epochs.
        callbacks: makes those of one member.
        first: the variables' first values of a member.
        say: gets a line that the user should see once.
        begin: where to go on, None for the beginning.
    """

    def __init__(
        self,
        lessons: Sequence[Lesson],
        training: Training,
        *,
        callbacks: Callable[[], list[Any]],
        first: Callable[[Lesson], Values],
        say: Callable[[str], None],
        begin: State | None = None,
    ) -> None:
        self.training = training
        self.over = False
        self.kept: Member | None = None
        asked = training.monitor() or "val_loss"
        self._watched = lessons[0].splits.validation is not None
        self.monitor = asked if self._watched or not asked.startswith("val_") else "loss"
        self._up = higher_is_better(training, self.monitor)
        self.members = [Member(place, one, callbacks()) for place, one in enumerate(lessons)]
        names = list(self.engine.variables)
        self.weights = [name for name in names if name in _weight_names(self.engine)]
        self.rate = rate_of(self.engine)
        count = len(lessons)
        self.values = begin_values(begin, count) if begin else [first(one) for one in lessons]
        self.passes, self.reason = _passes(lessons, self.values)
        if self.reason:
            say(f"the {count} networks are trained one after another: {self.reason}")
        for member in self.members:
            _introduce(self, member)
        if begin:
            _restore(self.members, begin)
            for member in self.members:
                worst = [self._worse(row, self.monitor) for row in member.history]
                member.standing = min(worst, default=math.inf)
        self.state = begin or self._captured(0)

    @property
    def engine(self) -> Engine:
        """Of the member that is kept, or leads so far."""
        return (self.kept or self.leader).lesson.engine

    @property
    def callbacks(self) -> list[Any]:
        """Of the member that is kept, or leads so far."""
        return (self.kept or self.leader).callbacks

    @property
    def leader(self) -> Member:
        """The member that is the best so far, by its best epoch."""
        return min(self.members, key=lambda member: (member.standing, member.number))

    @property
    def splits(self) -> Splits:
        """The rows of that member."""
        return (self.kept or self.leader).lesson.splits

    def put(self, member: Member, values: Values) -> None:
        """Gives some of a member's variables other values."""
        self.passes.put(member.number, values)
        self.values[member.number] |= values

    def rewind(self) -> None:
        """Gives the network the weights that the leader has now."""
        self.enter(self.leader)

    def enter(self, member: Member) -> None:
        """Gives a member's network its variables."""
        member.lesson.engine.put(self.values[member.number])

    def keep_best(self, found: Sequence[Mapping[str, Logs]]) -> Member:
        """Gives the network the weights of the member that is best with what it ended as.

        Args:
            found: from `scores`.
        """
        part, name = "train", self.monitor
        if name.startswith("val_"):
            part, name = "validation", name.removeprefix("val_")

        def standing(member: Member) -> tuple[bool, float, int]:
            return (
                member.failed is not None,
                self._worse(found[member.number][part], name),
                member.number,
            )

        self.kept = min(self.members, key=standing)
        self.enter(self.kept)
        return self.kept

    def _worse(self, logs: Mapping[str, float], name: str) -> float:
        """A number that is the larger the worse a value is."""
        value = logs.get(name, math.nan)
        return math.inf if math.isnan(value) else -value if self._up else value

    def epochs(self) -> Generator[Epoch]:
        """Trains all members, epoch by epoch.

        Raises:
            NonFinite: when no member's loss or weights are finite any more.
            Refused: when TensorFlow can't compute a batch.
        """
        while self.state.epoch < self.training.epochs and self._active():
            epoch = self._epoch(self.state.epoch)
            if all(member.failed for member in self.members):
                raise NonFinite(epoch.number, "the loss of every network", "")
            self.state = self._captured(epoch.number)
            yield epoch
        for member in self.members:
            if not member.failed:
                _finalize(self, member)
                for callback in member.callbacks:
                    callback.on_train_end(member.history[-1] if member.history else {})
        self.over = True

    def _active(self) -> list[Member]:
        return [member for member in self.members if not member.ended]

    def _epoch(self, epoch: int) -> Epoch:
        begun = time.perf_counter()
        active = self._active()
        numbers = [member.number for member in active]
        for member in active:
            for callback in member.callbacks:
                callback.on_epoch_begin(epoch)
        logs = self.passes.train(numbers, [self.order(member, epoch) for member in active])
        if self._watched:
            watched = self.passes.evaluate(numbers, "validation")
            for mine, seen in zip(logs, watched, strict=True):
                mine |= {f"val_{name}": value for name, value in seen.items()}
        before, self.values = self.values, self.passes.values()
        for member, mine in zip(active, logs, strict=True):
            self._note(member, epoch, mine, before)
        row = self.leader.history[-1] if self.leader.history else logs[0]
        found = {name: value for name, value in row.items() if name not in ("epoch", RATE)}
        rate = float(row.get(RATE, 0.0))
        return Epoch(epoch + 1, found, rate, time.perf_counter() - begun)

    def _note(self, member: Member, epoch: int, logs: Logs, before: Sequence[Values]) -> None:
        """Tells a member's callbacks of its epoch, or takes it out where that isn't finite."""
        unsound = next(
            (name for name in ("loss", "val_loss") if not math.isfinite(logs.get(name, 0))), None
        )
        if unsound is None and not _is_finite(self.values[member.number], self.weights):
            unsound = "a weight"
        if unsound is not None:
            member.ended, member.standing = True, math.inf
            member.failed = f"{unsound} is not finite in epoch {epoch + 1}"
            self.put(member, before[member.number])
            return
        rate = float(np.asarray(Rate(self, member).learning_rate))
        for callback in member.callbacks:
            callback.on_epoch_end(epoch, logs)
        member.history.append({"epoch": epoch + 1, **logs, RATE: rate})
        member.standing = min(member.standing, self._worse(logs, self.monitor))

    def order(self, member: Member, epoch: int) -> Order:
        """The order of the rows in an epoch, counted from 0."""
        rows = len(member.lesson.splits.train)
        seed = member.lesson.seed
        return order_of(seed, epoch, rows) if self.training.shuffle else np.arange(rows)

    def _captured(self, epoch: int) -> State:
        variables = {
            f"{member.number}/{name}": value
            for member in self.members
            for name, value in self.values[member.number].items()
        }
        kept = [
            {
                "callbacks": [state.kept(one) for one in member.callbacks],
                "history": list(member.history),
                "ended": member.ended,
                "failed": member.failed,
            }
            for member in self.members
        ]
        return State(epoch, not self._active(), variables, kept)


def misfit(lessons: Sequence[Lesson], callbacks: Sequence[Any], found: State) -> str | None:
    """What of a state is not of the population that learns these, or None."""
    members = len(lessons)
    if len(found.callbacks) != members:
        return f"a state of {len(found.callbacks)} networks, not of {members}"
    try:
        parts = begin_values(found, members)
        for lesson, values, kept in zip(lessons, parts, found.callbacks, strict=True):
            one = State(found.epoch, bool(kept["ended"]), values, kept["callbacks"])
            fault = state.misfit(lesson.engine, callbacks, one)
            if fault or not all(isinstance(row, dict) for row in kept["history"]):
                return fault or "a history that is none"
            if not isinstance(kept["failed"], str | None):
                return "a reason that is no text"
    except (KeyError, TypeError, ValueError):
        return "not the state of a population"
    return None


def rate_of(engine: Engine) -> str | None:
    """What the learning rate is called among the variables; None where it follows a schedule."""
    names = (one for one in engine.variables if one.startswith("optimizer/"))
    return next((one for one in names if one.endswith(RATE)), None)


def begin_values(found: State, members: int) -> list[Values]:
    """Each member's variables, of a state."""
    parts: list[Values] = [{} for _ in range(members)]
    for name, value in found.variables.items():
        member, _, rest = name.partition("/")
        parts[int(member)][rest] = value
    return parts


def scores(job: Population) -> list[dict[str, Logs]]:
    """The loss and the metrics of each member's kept weights on each of its splits, by its name."""
    numbers = [member.number for member in job.members]
    found: list[dict[str, Logs]] = [{} for _ in numbers]
    for name in job.members[0].lesson.splits.parts():
        for mine, logs in zip(found, job.passes.evaluate(numbers, name), strict=True):
            mine[name] = logs
    return found


def _passes(lessons: Sequence[Lesson], values: Sequence[Values]) -> tuple[Passes, str | None]:
    try:
        return Stacked(lessons, values), None
    except Unstackable as reason:
        return OneByOne(lessons, values), str(reason)


def _introduce(job: Population, member: Member) -> None:
    view = View(job, member)
    parameters = {"epochs": job.training.epochs, "verbose": 0}
    lesson = member.lesson
    parameters["steps"] = steps(len(lesson.splits.train), lesson.engine.batch_size)
    for callback in member.callbacks:
        callback.set_params(parameters)
        callback.set_model(view)
        callback.on_train_begin()


def _restore(members: Sequence[Member], found: State) -> None:
    for member, kept in zip(members, found.callbacks, strict=True):
        member.history = [dict(row) for row in kept["history"]]
        member.ended, member.failed = bool(kept["ended"]), kept["failed"]
        for callback, mine in zip(member.callbacks, kept["callbacks"], strict=True):
            state.put_back(callback, mine)


def _finalize(job: Population, member: Member) -> None:
    """Lets an optimizer that keeps averages of the weights put them in place."""
    engine = member.lesson.engine
    network = engine.network
    if getattr(network.optimizer, "use_ema", False):
        job.enter(member)
        network.optimizer.finalize_variable_values(network.trainable_weights)
        job.put(member, engine.values())


def _weight_names(engine: Engine) -> set[str]:
    """The names of what `keras.Model.get_weights` gives."""
    wanted = {id(one) for one in engine.network.weights}
    return {name for name, one in engine.variables.items() if id(one) in wanted}


def _is_finite(values: Values, names: Sequence[str]) -> bool:
    return all(np.isfinite(values[name]).all() for name in names if values[name].dtype.kind == "f")


def first_values(build: Callable[[Lesson], Any]) -> Callable[[Lesson], Values]:
    """What makes a member's first variables: those of a network that is built after its seed.

    Args:
        build: the layers of a lesson's network again, as one that isn't compiled. The network that
            is there has not made its first step.
    """
    begun: dict[Engine, Values] = {}

    def values(lesson: Lesson) -> Values:
        engine = lesson.engine
        if engine not in begun:
            begun[engine] = engine.values()
        keras.utils.set_random_seed(lesson.seed)
        built = [variable.numpy() for variable in build(lesson).variables]
        own = [name for name in engine.variables if name.startswith("network/")]
        return begun[engine] | dict(zip(own, built, strict=True))

    return values
