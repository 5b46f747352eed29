"""Many networks of one form in one graph: each variable stacked, one step mapped over all.

Of a member's step (`stateless.py`) `tf.vectorized_map` makes operations on whole stacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import files, stopping
from tftrain.backend import tf
from tftrain.data import Part
from tftrain.data.splits import together
from tftrain.errors import first_line
from tftrain.training.engine import Order, steps
from tftrain.training.loop import CALL_SECONDS, Logs, refusing
from tftrain.training.members import Lesson, Values
from tftrain.training.stateless import Stateless, in_scopes

_LEARNT = "weighted"  # the rows to learn from, as `Splits` has them
_FIRST_BATCHES = 16
_FEWEST = 2  # of a stack of one, TensorFlow's `squeeze` takes the stack's own dimension away
_COPIES = 4  # of a member's variables and outputs, while a batch is computed
_OF_MEMORY = 4  # at most one part in so many for one group
_LIGHT = 2**26  # products in an epoch of all, about 20 ms: another graph takes 50 times as long


class Unstackable(Exception):  # noqa: N818 - a reason, and another way is taken
    """Why these networks can't be trained in one graph."""


class Stacked:
    """The variables of many networks, and passes over rows for all of them at once.

    Args:
        lessons: of one network, whose layers, loss, metrics and optimizer serve them all; and of
            rows that all fit in memory.
        values: of each member, by the names of `Engine.variables`.

    Raises:
        Unstackable: when these can't be.
    """

    def __init__(self, lessons: Sequence[Lesson], values: Sequence[Values]) -> None:
        self._engine = engine = lessons[0].engine
        self._network = engine.network
        self._lessons = lessons
        self._joined: dict[str, tuple[Part, list[int]]] = {}
        self._require_stackable()
        self._names = list(engine.variables)
        self._variables = list(engine.variables.values())
        self._step = Stateless(self._network, self._variables)
        self._begun = [np.asarray(one) for one in self._step.begun()]
        self._started: dict[int, list[Any]] = {}
        self._held = [tf.constant(np.stack([one[name] for one in values])) for name in self._names]
        self._graphs: dict[tuple[bool, int, int | None], Any] = {}
        self._batches = {True: _FIRST_BATCHES, False: _FIRST_BATCHES}
        self._group = max(_FEWEST, min(self._fitting(), len(lessons)))
        self._is_light = self._products() <= _LIGHT
        first = next(self._groups([len(one.splits.train) for one in lessons]))
        try:
            data = engine.rows(self._rows(_LEARNT)[0])
            traced = self._graph(data, self._width(len(first)), training=True)
        except Exception as error:  # noqa: BLE001 - layers raise what they like
            raise Unstackable(first_line(error)) from None
        if traced.graph.variables:  # no member has its own of those
            raise Unstackable("a layer draws random numbers without a generator of its own")

    def train(self, members: Sequence[int], orders: Sequence[Order]) -> list[Logs]:
        """One epoch of some members.

        Args:
            members: their numbers.
            orders: of each, places in its rows, int64 (rows,).

        Returns:
            Each member's loss and metrics.
        """
        return self._passes(members, _LEARNT, orders)

    def evaluate(self, members: Sequence[int], split: str) -> list[Logs]:
        """One pass of some members without updates over their rows of a split, in their order."""
        if not self._holds(split):
            return [self._alone(member, split) for member in members]
        lengths = [len(self._lessons[member].splits.parts()[split]) for member in members]
        return self._passes(members, split, [np.arange(rows) for rows in lengths])

    def _alone(self, member: int, split: str) -> Logs:
        """One member's pass, its rows read as they are needed."""
        held = zip(self._names, self._held, strict=True)
        self._engine.put({name: stack[member].numpy() for name, stack in held})
        return self._engine.evaluate(self._lessons[member].splits.parts()[split])

    def values(self) -> list[dict[str, NDArray[Any]]]:
        """What each member's variables hold now."""
        arrays = [one.numpy() for one in self._held]
        return [
            dict(zip(self._names, (array[member] for array in arrays), strict=True))
            for member in range(len(arrays[0]))
        ]

    def put(self, member: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Gives some of a member's variables other values."""
        for name, value in values.items():
            place = self._names.index(name)
            held = self._held[place]
            self._held[place] = tf.tensor_scatter_nd_update(held, [[member]], value[None])

    def _require_stackable(self) -> None:
        if any(lesson.engine is not self._engine for lesson in self._lessons):
            raise Unstackable("their rows have different shapes")
        optimizer = self._network.optimizer
        if hasattr(optimizer, "optimizers") or hasattr(optimizer, "inner_optimizer"):
            raise Unstackable(f"`{type(optimizer).__name__}` is made of other optimizers")
        if not self._holds(_LEARNT):
            raise Unstackable("the rows are read from the disk as they are needed")
        if self._engine.jit_compile:
            raise Unstackable("XLA makes products of stacks on a processor far slower")

    def _holds(self, split: str) -> bool:
        """Whether there is room for the rows of all members."""
        if split in self._joined:
            return self._engine.holds(self._joined[split][0])
        return self._engine.holds(*(_part_of(lesson, split) for lesson in self._lessons))

    def _fitting(self) -> int:
        """How many members have room in memory at once."""
        outputs = sum(
            int(np.prod([size or 1 for size in layer.output.shape[1:]], dtype=np.int64))
            for layer in self._network.layers
        )
        held = sum(_size_of(one) for one in self._variables)
        needed = 4 * _COPIES * (held + outputs * self._engine.batch_size)
        memory = files.machine_memory()
        return len(self._lessons) if memory is None else memory // _OF_MEMORY // needed

    def _products(self) -> int:
        """How many numbers are multiplied in an epoch of a group, about."""
        rows = max(len(lesson.splits.train) for lesson in self._lessons)
        a_row: int = sum(_positions(layer) * layer.count_params() for layer in self._network.layers)
        a_step = sum(_size_of(one) for one in self._variables)
        return self._group * (rows * a_row + steps(rows, self._engine.batch_size) * a_step)

    def _width(self, members: int) -> int | None:
        """How many networks the graph is for that so many go through; None of any number.

        Of a number that it knows TensorFlow makes a smaller, quicker graph. Where an epoch is light
        others fill the places that are free: sooner done than another graph made. Seconds decide
        nothing here, as the last bits may depend on it.
        """
        return self._group if self._is_light or members == self._group else None

    def _rows(self, split: str) -> tuple[Part, list[int]]:
        """The rows of all members, each once, and where among them a member's begin."""
        if split not in self._joined:
            every = [_part_of(lesson, split) for lesson in self._lessons]
            if all(part is every[0] for part in every):
                self._joined[split] = every[0], [0] * len(every)
            else:
                ends = np.cumsum([len(part) for part in every]).tolist()
                self._joined[split] = together(every), [0, *ends[:-1]]
        return self._joined[split]

    def _passes(self, members: Sequence[int], split: str, orders: Sequence[Order]) -> list[Logs]:
        part, begins = self._rows(split)
        training = split == _LEARNT
        logs: dict[int, Logs] = {}
        for group in self._groups([len(order) for order in orders]):
            width = self._width(len(group))
            filled = [*group, *group[:1] * ((width or _FEWEST) - len(group))]
            numbers = [members[place] for place in filled]
            chosen = np.stack([orders[place] + begins[members[place]] for place in filled])
            found = self._pass(numbers, width, part, chosen.astype(np.int32), training=training)
            logs |= zip(filled, found, strict=True)
        return [logs[place] for place in range(len(members))]

    def _groups(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """The places of those that go through a graph together: equal lengths, room for all."""
        for length in sorted(set(lengths)):
            alike = [place for place, one in enumerate(lengths) if one == length]
            for start in range(0, len(alike), self._group):
                yield alike[start : start + self._group]

    def _pass(
        self,
        members: Sequence[int],
        width: int | None,
        part: Part,
        orders: NDArray[np.int32],
        *,
        training: bool,
    ) -> list[Logs]:
        data = self._engine.rows(part)
        graph = self._graph(data, width, training=training)
        places = tf.constant(list(members), tf.int32)
        all_of_them = list(members) == list(range(len(self._held[0])))
        values = self._held if all_of_them else [tf.gather(one, places) for one in self._held]
        metrics = self._fresh(len(members))
        for piece in self._pieces(orders, training=training):
            begun = time.perf_counter()
            with refusing():
                values, metrics, logs = graph(values, metrics, data, tf.constant(piece))
            self._pace(time.perf_counter() - begun, training=training)
            stopping.check()
        if training and all_of_them:
            self._held = list(values)
        elif training:
            self._held = [
                tf.tensor_scatter_nd_update(held, places[:, None], value)
                for held, value in zip(self._held, values, strict=True)
            ]
        return _of_each({name: value.numpy() for name, value in logs.items()})

    def _pieces(self, orders: NDArray[np.int32], *, training: bool) -> Iterator[NDArray[np.int32]]:
        start = 0
        while start < orders.shape[1]:
            rows = self._size(training=training) * self._batches[training]
            yield orders[:, start : start + rows]
            start += rows

    def _pace(self, seconds: float, *, training: bool) -> None:
        if seconds < CALL_SECONDS / 2:
            self._batches[training] *= 2
        elif seconds > CALL_SECONDS:
            self._batches[training] = max(1, self._batches[training] // 2)

    def _size(self, *, training: bool) -> int:
        return self._engine.batch_size if training else self._engine.evaluation_batch_size

    def _fresh(self, members: int) -> list[Any]:
        """The metrics' variables as an epoch begins with them."""
        if members not in self._started:
            every = [np.repeat(one[None], members, axis=0) for one in self._begun]
            self._started[members] = [tf.constant(one) for one in every]
        return self._started[members]

    def _graph(self, data: tuple[Any, ...], width: int | None, *, training: bool) -> Any:
        key = training, len(data), width
        if key not in self._graphs:
            signature = (
                [_stack_of(one, width) for one in self._variables],
                [_stack_of(one, width) for one in self._step.metrics],
                tuple(tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in data),
                tf.TensorSpec([width, None], tf.int32),
            )
            step = self._step.train if training else self._step.test
            run = _loop(step, self._size(training=training), self._step.result)
            with in_scopes(self._network):
                graph = tf.function(run, autograph=False)
                self._graphs[key] = graph.get_concrete_function(*signature)
        return self._graphs[key]


def _part_of(lesson: Lesson, split: str) -> Part:
    return lesson.splits.weighted if split == _LEARNT else lesson.splits.parts()[split]


def _loop(
    step: Callable[..., tuple[list[Any], list[Any]]],
    batch_size: int,
    result: Callable[[list[Any]], dict[str, Any]],
) -> Callable[..., Any]:
    """The graph of some batches: a loop whose every round is a step of all members."""

    def run(values: list[Any], metrics: list[Any], data: tuple[Any, ...], orders: Any) -> Any:
        rows = tf.shape(orders)[1]

        def body(start: Any, values: list[Any], metrics: list[Any]) -> Any:
            places = orders[:, start : tf.minimum(start + batch_size, rows)]

            def one(member: Any) -> Any:
                mine, scores, chosen = member
                return step(mine, scores, tuple(tf.gather(rows, chosen) for rows in data))

            stepped = tf.vectorized_map(one, (values, metrics, places), warn=False)
            return start + batch_size, *stepped

        shapes = tf.TensorShape([]), [one.shape for one in values], [one.shape for one in metrics]
        _, values, metrics = tf.while_loop(
            lambda start, *_: start < rows,
            body,
            (0, values, metrics),
            shape_invariants=shapes,
            parallel_iterations=1,
        )
        return values, metrics, tf.vectorized_map(result, metrics, warn=False)

    return run


def _of_each(found: Mapping[str, NDArray[Any]]) -> list[Logs]:
    """The logs of each member, as `floats` gives them, of arrays (members, ...)."""
    columns: dict[str, list[float]] = {}
    for name, value in found.items():
        numbers = value.reshape(len(value), -1).astype(np.float64)
        several = numbers.shape[1] > 1
        for place, column in enumerate(numbers.T):
            columns[f"{name}_{place}" if several else name] = column.tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _stack_of(variable: Any, width: int | None) -> Any:
    return tf.TensorSpec([width, *variable.shape], variable.dtype)


def _size_of(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64))


def _positions(layer: Any) -> int:
    """How often a layer's weights are used in a row: once, or at each place, or time, of it."""
    shapes = layer.input.shape[1:-1], layer.output.shape[1:-1]
    return max(int(np.prod([size or 1 for size in shape], dtype=np.int64)) for shape in shapes)
