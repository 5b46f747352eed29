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
from tftrain.data import Part, Splits
from tftrain.training import Epoch, NonFinite, state
from tftrain.training.engine import Engine, Order, order_of, steps
from tftrain.training.loop import Logs
from tftrain.training.members import RATE, Member, Rate, Values, View
from tftrain.training.one_by_one import OneByOne, Passes
from tftrain.training.stacked import Stacked, Unstackable


class Population:
    """One training of many networks, from its first epoch, or the one after a checkpoint, on.

    Args:
        engine: of one network, which serves them all; its training graph is traced.
        training: how many epochs and networks.
        train: the rows to learn from, weights included.
        validation: the rows to watch, or None.
        seeds: of the members, one each.
        callbacks: makes those of one member.
        first: the variables' first values of a member, by its number.
        say: gets a line that the user should see once.
        begin: where to go on, None for the beginning.
    """

    def __init__(
        self,
        engine: Engine,
        training: Training,
        *,
        train: Part,
        validation: Part | None,
        seeds: Sequence[int],
        callbacks: Callable[[], list[Any]],
        first: Callable[[int], Values],
        say: Callable[[str], None],
        begin: State | None = None,
    ) -> None:
        self.engine, self.training = engine, training
        self.train, self.validation = train, validation
        self.over = False
        self.kept: Member | None = None
        asked = training.monitor() or "val_loss"
        watched = validation is not None or not asked.startswith("val_")
        self.monitor = asked if watched else "loss"
        self._up = higher_is_better(training, self.monitor)
        count = len(seeds)
        self.members = [Member(one, seed, callbacks()) for one, seed in enumerate(seeds)]
        names = list(engine.variables)
        self.weights = [name for name in names if name in _weight_names(engine)]
        self.rate = rate_of(engine)
        self.values = (
            begin_values(begin, count) if begin else [first(number) for number in range(count)]
        )
        self.passes, self.reason = _passes(engine, self.values, train)
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
    def callbacks(self) -> list[Any]:
        """Of the member that is kept, or leads so far."""
        return (self.kept or self.leader).callbacks

    @property
    def leader(self) -> Member:
        """The member that is the best so far, by its best epoch."""
        return min(self.members, key=lambda member: (member.standing, member.number))

    def put(self, member: Member, values: Values) -> None:
        """Gives some of a member's variables other values."""
        self.passes.put(member.number, values)
        self.values[member.number] |= values

    def rewind(self) -> None:
        """Gives the network the weights that the leader has now."""
        self.enter(self.leader)

    def enter(self, member: Member) -> None:
        """Gives the network a member's variables."""
        for name, variable in self.engine.variables.items():
            variable.assign(self.values[member.number][name])

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
        orders = np.stack([self.order(member, epoch) for member in active])
        logs = self.passes.train(numbers, self.train, orders)
        if self.validation is not None:
            watched = self.passes.evaluate(numbers, self.validation)
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
        rows = len(self.train)
        return order_of(member.seed, epoch, rows) if self.training.shuffle else np.arange(rows)

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


def misfit(engine: Engine, callbacks: Sequence[Any], members: int, found: State) -> str | None:
    """What of a state is not of this population, or None."""
    if len(found.callbacks) != members:
        return f"a state of {len(found.callbacks)} networks, not of {members}"
    try:
        parts = begin_values(found, members)
        for values, kept in zip(parts, found.callbacks, strict=True):
            one = State(found.epoch, bool(kept["ended"]), values, kept["callbacks"])
            fault = state.misfit(engine, callbacks, one)
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


def scores(job: Population, splits: Splits) -> list[dict[str, Logs]]:
    """The loss and the metrics of each member's kept weights on each split, by its name."""
    numbers = [member.number for member in job.members]
    found: list[dict[str, Logs]] = [{} for _ in numbers]
    for name, part in splits.parts().items():
        for mine, logs in zip(found, job.passes.evaluate(numbers, part), strict=True):
            mine[name] = logs
    return found


def _passes(engine: Engine, values: Sequence[Values], part: Part) -> tuple[Passes, str | None]:
    try:
        return Stacked(engine, values, part), None
    except Unstackable as reason:
        return OneByOne(engine, values), str(reason)


def _introduce(job: Population, member: Member) -> None:
    view = View(job, member)
    parameters = {"epochs": job.training.epochs, "verbose": 0}
    parameters["steps"] = steps(len(job.train), job.engine.batch_size)
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
    network = job.engine.network
    if getattr(network.optimizer, "use_ema", False):
        job.enter(member)
        network.optimizer.finalize_variable_values(network.trainable_weights)
        job.put(member, job.engine.values())


def _weight_names(engine: Engine) -> set[str]:
    """The names of what `keras.Model.get_weights` gives."""
    wanted = {id(one) for one in engine.network.weights}
    return {name for name, one in engine.variables.items() if id(one) in wanted}


def _is_finite(values: Values, names: Sequence[str]) -> bool:
    return all(np.isfinite(values[name]).all() for name in names if values[name].dtype.kind == "f")


def first_values(engine: Engine, build: Callable[[], Any]) -> Callable[[int], Values]:
    """What makes a member's first variables: those of a network that is built after its seed.

    Args:
        engine: of the network that is already there, before its first step.
        build: the layers again, as a network that isn't compiled.
    """
    first = engine.values()
    own = [name for name in engine.variables if name.startswith("network/")]

    def values(seed: int) -> Values:
        keras.utils.set_random_seed(seed)
        built = [variable.numpy() for variable in build().variables]
        return first | dict(zip(own, built, strict=True))

    return values
