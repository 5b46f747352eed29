"""A network and rows in, its gradient compared with finite differences out, variable by variable.

Backpropagation and differences are of the very loss that training takes, in float64, and with the
same random numbers each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.backend import tf

ALL = 5000  # parameters up to which every entry is checked
SAMPLE = 100  # entries of each variable beyond that; of very many parameters, fewer
_LEAST = 10
_MOVED = 20_000_000  # parameters moved about for one variable's sample
ROWS = 8
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Precision:
    """How exact differences can be.

    Args:
        bar: the largest relative error that passes.
        floor: gradients below that share of the loss are held to this size instead.
        steps: of the differences; the first is of four points, the others of two.
    """

    bar: float
    floor: float
    steps: tuple[float, ...]


DOUBLE = Precision(1e-5, 1e-6, (5e-4, 1e-5, 1e-6))
SINGLE = Precision(2e-2, 1e-2, (2e-2, 1e-2, 5e-3))  # where a layer computes in float32
HALF = Precision(math.inf, 1e-1, (1e-1,))  # in fewer bits: nothing can be said
_PRECISIONS = {"float64": DOUBLE, "float32": SINGLE}


@dataclass(frozen=True)
class Checked:
    """One variable.

    Args:
        name: `layer/variable`.
        shape: of it.
        places: which of them were checked.
        backward: their derivatives by backpropagation.
        differences: the same by the difference that comes nearest.
        errors: between the two, relative.
        kinks: which of them stand at a kink and lie between the slopes of its two sides.
    """

    name: str
    shape: tuple[int, ...]
    places: NDArray[np.int64]
    backward: Numbers
    differences: Numbers
    errors: Numbers
    kinks: NDArray[np.bool_]

    @property
    def largest(self) -> float:
        """The largest relative error, kinks left out."""
        return float(np.max(self.errors, where=~self.kinks, initial=0.0))

    @property
    def worst(self) -> int:
        """Where the largest error is, among the entries that were checked."""
        return int(np.argmax(np.where(self.kinks, -1.0, self.errors)))


@dataclass(frozen=True)
class Check:
    """All variables.

    Args:
        variables: each, in the network's order.
        precision: what they were held to.
        loss: where it was checked.
    """

    variables: tuple[Checked, ...]
    precision: Precision
    loss: float

    @property
    def wrong(self) -> tuple[Checked, ...]:
        """The variables whose gradient is not that of the loss."""
        return tuple(one for one in self.variables if not one.largest <= self.precision.bar)


def check(network: Any, rows: tuple[Any, Any, Any], seed: int) -> Check:
    """Compares every variable's gradient, or a sample of each in a large network.

    Args:
        network: compiled; in float64 if all its layers can.
        rows: inputs, labels and weights or None.
        seed: of the sample.
    """
    cost = _Cost(network, rows)
    try:
        loss, gradient, precision = cost.gradient()
        places = _places([int(np.prod(one.shape)) for one in cost.variables], gradient, seed)
        every = np.concatenate(places) if places else np.zeros(0, np.int64)
        found = _compare(cost, loss, gradient[every], every, precision)
    finally:
        cost.restore()
    checked, begin, start = [], 0, 0
    for variable, chosen in zip(cost.variables, places, strict=True):
        part = slice(begin, begin + len(chosen))
        shape = tuple(variable.shape)
        backward, nearest, errors, kinks = found
        numbers = backward[part], nearest[part], errors[part], kinks[part]
        checked.append(Checked(variable.path, shape, chosen - start, *numbers))
        begin += len(chosen)
        start += int(np.prod(shape))
    return Check(tuple(checked), precision, loss)


def _places(sizes: list[int], gradient: Numbers, seed: int) -> list[NDArray[np.int64]]:
    """The positions to check of each variable, among all parameters.

    Of a sample half is drawn where the gradient is not 0, as it mostly is for sparse rows.
    """
    random = np.random.default_rng(seed)
    starts = np.cumsum([0, *sizes])
    sample = min(SAMPLE, max(_LEAST, _MOVED // max(1, int(starts[-1]))))
    found = []
    for size, start in zip(sizes, starts, strict=False):
        chosen = np.arange(size)
        if starts[-1] > ALL and size > sample:
            alive = np.flatnonzero(gradient[start : start + size])
            first = random.choice(alive, min(sample // 2, len(alive)), replace=False)
            others = np.setdiff1d(chosen, first)
            rest = random.choice(others, sample - len(first), replace=False)
            chosen = np.sort(np.concatenate([first, rest]))
        found.append(start + chosen)
    return found


class _Cost:
    """The loss as a function of all parameters in a row."""

    def __init__(self, network: Any, rows: tuple[Any, Any, Any]) -> None:
        self.variables = network.trainable_variables
        self._network, self._rows = network, rows
        self._kept = [(one, one.numpy()) for one in network.non_trainable_variables]
        self._begun = [one.numpy() for one in self.variables]
        flat = [one.astype("float64").ravel() for one in self._begun]
        self.begin = np.concatenate(flat) if flat else np.zeros(0)
        self._sizes = [one.size for one in self._begun]
        pairs = [tf.TensorSpec((None,), "int64"), tf.TensorSpec((None,), "float64")]
        self._losses = tf.function(self._traced, input_signature=pairs)

    def gradient(self) -> tuple[float, Numbers, Precision]:
        """The loss, its gradient, and how exact the coarsest layer lets differences be."""
        kinds = self._kinds()
        self._reset()
        values = [one.value for one in self.variables]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = self._loss()
        kinds.add(loss.dtype.name)
        precision = max((_PRECISIONS.get(kind, HALF) for kind in kinds), key=lambda one: one.bar)
        found = tape.gradient(loss, values, unconnected_gradients="zero")
        flat = [np.asarray(tf.convert_to_tensor(one), "float64").ravel() for one in found]
        return float(loss), np.concatenate(flat) if flat else np.zeros(0), precision

    def losses(self, places: NDArray[np.int64], offsets: Numbers) -> Numbers:
        """The loss with one parameter moved, for each pair of a place and an offset."""
        if not len(places):
            return np.zeros(0)
        return np.asarray(self._losses(tf.constant(places), tf.constant(offsets)))

    def restore(self) -> None:
        """Puts the network back as it was."""
        for variable, value in zip(self.variables, self._begun, strict=True):
            variable.assign(value)
        self._reset()

    def _reset(self) -> None:
        """Random numbers begin anew, means of batches too."""
        for variable, value in self._kept:
            variable.assign(value)

    def _loss(self) -> Any:
        """The loss, as a step of training takes it."""
        inputs, labels, weights = self._rows
        made = self._network(inputs, training=True)
        return self._network.compute_loss(inputs, labels, made, weights, training=True)

    def _kinds(self) -> set[str]:
        """What kinds of numbers the layers give."""
        made, kinds = self._rows[0], set()
        for layer in self._network.layers:
            made = layer(made, training=True)
            kinds.add(made.dtype.name)
        return kinds

    def _traced(self, places: Any, offsets: Any) -> Any:
        begin = tf.constant(self.begin)

        def moved(pair: Any) -> Any:
            place, offset = pair
            flat = tf.tensor_scatter_nd_add(begin, [[place]], [offset])
            for variable, part in zip(self.variables, tf.split(flat, self._sizes), strict=True):
                value = tf.reshape(part, variable.shape)
                variable.assign(tf.cast(value, variable.dtype))
            self._reset()
            return tf.cast(self._loss(), "float64")

        signature = tf.TensorSpec((), "float64")
        return tf.map_fn(
            moved, (places, offsets), fn_output_signature=signature, parallel_iterations=1
        )


def _compare(
    cost: _Cost,
    loss: float,
    backward: Numbers,
    places: NDArray[np.int64],
    precision: Precision,
) -> tuple[Numbers, Numbers, Numbers, NDArray[np.bool_]]:
    """Backpropagation, the nearest differences, the errors, and what stands at a kink.

    A kink between the two points of a difference makes it wrong; nearer points then avoid it.
    """
    floor = precision.floor * max(1.0, abs(loss))
    sizes = np.maximum(1.0, np.abs(cost.begin[places]))
    best = np.full(len(places), np.nan)
    errors = np.full(len(places), np.inf)
    kinks = np.zeros(len(places), bool)
    for number, step in enumerate(precision.steps):
        open_ = np.flatnonzero(errors > precision.bar / 100)
        steps = step * sizes[open_]
        shift = _shifted(cost, places[open_], steps)
        slopes = _four_points(shift, steps) if number == 0 else _two_points(shift, steps)
        found = _errors(backward[open_], slopes, floor)
        better = open_[found < errors[open_]]
        best[better] = slopes[found < errors[open_]]
        errors[better] = found[found < errors[open_]]
        failed = errors[open_] > precision.bar
        kinks[open_] = failed & _between(backward[open_], loss, shift, steps, floor)
    return backward, best, errors, kinks


def _shifted(cost: _Cost, places: NDArray[np.int64], steps: Numbers) -> Callable[[int], Numbers]:
    """The losses so many steps away, each computed once."""
    known: dict[int, Numbers] = {}

    def at(count: int) -> Numbers:
        if count not in known:
            known[count] = cost.losses(places, count * steps)
        return known[count]

    return at


def _two_points(at: Callable[[int], Numbers], steps: Numbers) -> Numbers:
    return (at(1) - at(-1)) / (2 * steps)


def _four_points(at: Callable[[int], Numbers], steps: Numbers) -> Numbers:
    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * steps)


def _errors(backward: Numbers, slopes: Numbers, floor: float) -> Numbers:
    sizes = np.maximum(np.maximum(np.abs(backward), np.abs(slopes)), floor)
    errors = np.abs(backward - slopes) / sizes
    return np.where(np.isfinite(errors), errors, np.inf)


def _between(
    backward: Numbers, loss: float, at: Callable[[int], Numbers], steps: Numbers, floor: float
) -> NDArray[np.bool_]:
    """Whether left and right slope differ as at a kink, with the derivative not outside them."""
    left, right = (loss - at(-1)) / steps, (at(1) - loss) / steps
    low, high = np.minimum(left, right), np.maximum(left, right)
    slack = 1e-3 * np.maximum(np.maximum(np.abs(low), np.abs(high)), floor)
    return (high - low > slack) & (backward >= low - slack) & (backward <= high + slack)
