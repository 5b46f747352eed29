"""A training in, how many of its epochs search without gradients out; and what is amiss there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard

from tftrain.config import catalog
from tftrain.config.schema import Spec, Training, spec_of
from tftrain.config.text import Place

Fault = tuple[Place, str, str]
_NO_GRADIENT = ("ZeroOneLoss",)
_SETTING_RATES = ("ReduceLROnPlateau", "LearningRateScheduler")


class _Bound(NamedTuple):
    """What an argument's value must be besides its type."""

    low: float
    high: float
    words: str
    without_low: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is within."""
        low = value > self.low if self.without_low else value >= self.low
        return low and value <= self.high and math.isfinite(value)


_COUNT = _Bound(1, math.inf, "1 or more")
_SHARE = _Bound(0, 1, "more than 0 and at most 1", without_low=True)
_POSITIVE = _Bound(0, math.inf, "more than 0", without_low=True)
_BOUNDS: Mapping[str, Mapping[str, _Bound]] = {
    "GeneticAlgorithm": {
        "population": _Bound(2, math.inf, "2 or more"),
        "generations": _COUNT,
        "generations_per_epoch": _COUNT,
        "mutation": _Bound(0, math.inf, "0 or more"),
        "mutation_rate": _SHARE,
        "elite": _COUNT,
        "rows": _COUNT,
    },
    "SimulatedAnnealing": {
        "steps": _COUNT,
        "steps_per_epoch": _COUNT,
        "temperature": _Bound(0, math.inf, "0 or more"),
        "cooling": _SHARE,
        "step": _POSITIVE,
        "step_rate": _SHARE,
        "rows": _COUNT,
    },
}
_ROUNDS = {"GeneticAlgorithm": "generations", "SimulatedAnnealing": "steps"}


def searches(optimizer: Spec) -> bool:
    """Whether an optimizer searches without gradients."""
    return _name(optimizer) in _ROUNDS


def search_epochs(training: Training) -> int:
    """How many epochs, the first ones, search without gradients.

    Returns:
        0 where the optimizer follows gradients.
    """
    if not searches(training.optimizer):
        return 0
    asked = _asked(training.optimizer)
    return training.epochs if asked is None else min(asked, training.epochs)


def shortened(optimizer: Spec, epochs: int) -> Spec:
    """A search of so few epochs; the last of them is of its `then`, where it has one."""
    if not searches(optimizer) or _asked(optimizer) is None:
        return optimizer
    rounds = _ROUNDS[_name(optimizer)]
    searched = epochs - 1 if _then(optimizer) else epochs
    total = searched * int(_values(optimizer)[f"{rounds}_per_epoch"])
    return Spec(optimizer.name, MappingProxyType({**optimizer.arguments, rounds: total}))


def members(optimizer: Spec) -> int:
    """How many networks a search keeps at once; 0 for what follows gradients."""
    if not searches(optimizer):
        return 0
    return int(_values(optimizer).get("population", 2))


def faults(training: Training) -> Iterator[Fault]:
    """Each fault as the path it stands at, its code and what is wrong."""
    optimizer = training.optimizer
    if not searches(optimizer):
        yield from _without_gradient(training, optimizer.name, ("training", "loss"))
        return
    wrong = list(_out_of_bounds(optimizer))
    yield from wrong
    then = _then(optimizer)
    path: Place = ("training", "optimizer", optimizer.name)
    if then is not None:
        if searches(then):
            message = f"`then`: expected an optimizer that follows gradients, got {then.name}"
            yield (*path, "then"), "C025", message
        yield from _without_gradient(training, then.name, (*path, "then"))
    else:
        yield from _no_rate(training, optimizer)
    if not wrong:
        yield from _epochs(training, path, then)


def _without_gradient(training: Training, optimizer: str, path: Place) -> Iterator[Fault]:
    if training.loss.name.rpartition(">")[2] in _NO_GRADIENT:
        message = (
            f"{training.loss.name} has no gradient for {optimizer} to follow: take "
            "GeneticAlgorithm or SimulatedAnnealing, without `then`"
        )
        yield path, "C025", message


def _out_of_bounds(optimizer: Spec) -> Iterator[Fault]:
    values = _values(optimizer)
    for name, bound in _BOUNDS[_name(optimizer)].items():
        value = values.get(name)
        if _is_number(value) and not bound.holds(value):
            message = f"`{name}`: expected {bound.words}, got {value}"
            yield ("training", "optimizer", optimizer.name, name), "K007", message
    elite, population = values.get("elite"), values.get("population")
    if _is_number(elite) and _is_number(population) and elite >= population >= 2:  # noqa: PLR2004
        given = "elite" if "elite" in optimizer.arguments else "population"
        message = f"an elite of {elite} in a population of {population} leaves no room for children"
        yield ("training", "optimizer", optimizer.name, given), "C025", message


def _no_rate(training: Training, optimizer: Spec) -> Iterator[Fault]:
    message = f"{optimizer.name} has no learning rate to lower, and no `then` that has one"
    if training.on_nan is not None:
        yield ("training", "on_nan"), "C025", message
    for place, spec in enumerate(training.callbacks):
        if spec.name in _SETTING_RATES:
            yield ("training", "callbacks", place), "C025", message


def _epochs(training: Training, path: Place, then: Spec | None) -> Iterator[Fault]:
    """Epochs of search, epochs of gradient steps and all of them that don't come out even."""
    name = _name(training.optimizer)
    rounds, asked, epochs = _ROUNDS[name], _asked(training.optimizer), training.epochs
    if asked is None:
        if then is not None:
            message = f"`then` needs `{rounds}`: after how many of them its epochs begin"
            yield (*path, "then"), "C025", message
        return
    values = _values(training.optimizer)
    told = f"{values[rounds]} {rounds}, {values[f'{rounds}_per_epoch']} an epoch, take {asked}"
    if then is None and asked != epochs:
        message = f"{told} epochs, and training.epochs is {epochs}: expected the same"
        yield (*path, rounds), "C025", f"{message}; or leave `{rounds}` out"
    elif then is not None and asked >= epochs:
        message = f"{told} epochs, and training.epochs is {epochs}: none is left for {then.name}"
        yield (*path, rounds), "C025", message


def _asked(optimizer: Spec) -> int | None:
    """The epochs that a search's number of generations or steps takes; None if not given."""
    values, rounds = _values(optimizer), _ROUNDS[_name(optimizer)]
    total, each = values.get(rounds), values.get(f"{rounds}_per_epoch")
    if type(total) is not int or type(each) is not int:
        return None
    return math.ceil(total / each)


def _then(optimizer: Spec) -> Spec | None:
    then = optimizer.arguments.get("then")
    if isinstance(then, Mapping) and len(then) == 1:
        return Spec(str(next(iter(then))), next(iter(then.values())) or {})
    return spec_of(then) if isinstance(then, str) and then else None


def _values(optimizer: Spec) -> dict[str, Any]:
    """Every argument's value: as given, or the default."""
    entry = catalog.load().find("optimizer", _name(optimizer))
    defaults = {name: one.default for name, one in entry.arguments.items()} if entry else {}
    return {**defaults, **optimizer.arguments}


def _name(optimizer: Spec) -> str:
    return optimizer.name.removeprefix("tftrain>")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
