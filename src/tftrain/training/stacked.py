"""Many networks of one form in one graph: each variable stacked, one step mapped over all.

A member's step is Keras's own arithmetic, on the values that a `keras.StatelessScope` gives the one
network there is; `tf.vectorized_map` makes of it operations on whole stacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import files, stopping
from tftrain.backend import keras, tf
from tftrain.data import Part
from tftrain.data.splits import together
from tftrain.errors import first_line
from tftrain.training.engine import Order
from tftrain.training.loop import CALL_SECONDS, Logs, floats, refusing
from tftrain.training.members import Lesson, Values

_LEARNT = "weighted"  # the rows to learn from, as `Splits` has them
_FIRST_BATCHES = 16
_FEWEST = 2  # of a stack of one, TensorFlow's `squeeze` takes the stack's own dimension away
_COPIES = 4  # of a member's variables and outputs, while a batch is computed
_OF_MEMORY = 4  # at most one part in so many for one group
# Where Keras's optimizers for TensorFlow write past the scope, its own for all backends don't.
_FOR_ALL_BACKENDS = (
    "assign",
    "assign_add",
    "assign_sub",
    "_apply_weight_decay",
    "_backend_update_step",
    "_overwrite_model_variables_with_average_value",
    "_backend_increment_gradient_accumulators",
)


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
        self._metrics = [
            variable for metric in self._network.metrics for variable in metric.variables
        ]
        self._begun = self._reset()
        self._held = [tf.constant(np.stack([one[name] for one in values])) for name in self._names]
        self._graphs: dict[tuple[bool, int], Any] = {}
        self._batches = {True: _FIRST_BATCHES, False: _FIRST_BATCHES}
        self._group = self._fitting()
        try:
            traced = self._graph(engine.rows(self._rows(_LEARNT)[0]), training=True)
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

    def _reset(self) -> list[NDArray[Any]]:
        with keras.StatelessScope() as scope:
            self._network.reset_metrics()
        return [np.asarray(_value(scope, one)) for one in self._metrics]

    def _fitting(self) -> int:
        """How many members have room in memory at once."""
        outputs = sum(
            int(np.prod([size or 1 for size in layer.output.shape[1:]], dtype=np.int64))
            for layer in self._network.layers
        )
        held = sum(int(np.prod(one.shape, dtype=np.int64)) for one in self._variables)
        needed = 4 * _COPIES * (held + outputs * self._engine.batch_size)
        memory = files.machine_memory()
        return len(self._held[0]) if memory is None else max(1, memory // _OF_MEMORY // needed)

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
        logs: dict[int, Logs] = {}
        for length in sorted({len(order) for order in orders}):
            alike = [place for place, order in enumerate(orders) if len(order) == length]
            for start in range(0, len(alike), self._group):
                group = alike[start : start + self._group]
                twice = group * _FEWEST if len(group) < _FEWEST else group
                numbers = [members[place] for place in twice]
                chosen = [orders[place] + begins[members[place]] for place in twice]
                found = self._pass(
                    numbers, part, np.stack(chosen).astype(np.int32), training=split == _LEARNT
                )
                logs |= zip(twice, found, strict=True)
        return [logs[place] for place in range(len(members))]

    def _pass(
        self, members: Sequence[int], part: Part, orders: NDArray[np.int32], *, training: bool
    ) -> list[Logs]:
        data = self._engine.rows(part)
        graph = self._graph(data, training=training)
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
        found = {name: value.numpy() for name, value in logs.items()}
        return [
            floats({name: value[place] for name, value in found.items()})
            for place in range(len(members))
        ]

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
        return [tf.constant(np.repeat(one[None], members, axis=0)) for one in self._begun]

    def _graph(self, data: tuple[Any, ...], *, training: bool) -> Any:
        key = training, len(data)
        if key not in self._graphs:
            signature = (
                [_stack_of(one) for one in self._variables],
                [_stack_of(one) for one in self._metrics],
                tuple(tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in data),
                tf.TensorSpec([None, None], tf.int32),
            )
            step = self._train_step if training else self._test_step
            run = _loop(step, self._size(training=training), self._result)
            with _in_scopes(self._network.optimizer, self._network.trainable_variables):
                graph = tf.function(run, autograph=False)
                self._graphs[key] = graph.get_concrete_function(*signature)
        return self._graphs[key]

    def _train_step(
        self, values: list[Any], metrics: list[Any], data: tuple[Any, ...]
    ) -> tuple[list[Any], list[Any]]:
        """Keras's `train_step` of one member, without a side effect."""
        network = self._network
        inputs, labels, weights = (*data, None)[:3]
        with self._scope(values, metrics) as scope:
            weights_now = [scope.get_current_value(one) for one in network.trainable_variables]
            with tf.GradientTape() as tape:
                tape.watch(weights_now)
                outputs = network(inputs, training=True)
                loss = self._loss(inputs, labels, outputs, weights, training=True)
                self._tracker().update_state(loss, sample_weight=tf.shape(inputs)[0])
                loss = network.optimizer.scale_loss(loss)
            gradients = tape.gradient(loss, weights_now)
            network.optimizer.apply(gradients, network.trainable_variables)
            network.compute_metrics(inputs, labels, outputs, sample_weight=weights)
        return self._after(scope)

    def _test_step(
        self, values: list[Any], metrics: list[Any], data: tuple[Any, ...]
    ) -> tuple[list[Any], list[Any]]:
        """Keras's `test_step` of one member, without a side effect."""
        inputs, labels, weights = (*data, None)[:3]
        with self._scope(values, metrics) as scope:
            outputs = self._network(inputs, training=False)
            loss = self._loss(inputs, labels, outputs, weights, training=False)
            self._tracker().update_state(loss, sample_weight=tf.shape(inputs)[0])
            self._network.compute_metrics(inputs, labels, outputs, sample_weight=weights)
        return values, self._after(scope)[1]

    def _loss(self, inputs: Any, labels: Any, outputs: Any, weights: Any, *, training: bool) -> Any:
        return self._network.compute_loss(
            x=inputs, y=labels, y_pred=outputs, sample_weight=weights, training=training
        )

    def _tracker(self) -> Any:
        return next(metric for metric in self._network.metrics if metric.name == "loss")

    def _result(self, metrics: list[Any]) -> dict[str, Any]:
        with keras.StatelessScope(list(zip(self._metrics, metrics, strict=True))):
            results: dict[str, Any] = self._network.get_metrics_result()
        return {name: tf.convert_to_tensor(value) for name, value in results.items()}

    def _scope(self, values: list[Any], metrics: list[Any]) -> Any:
        both = zip([*self._variables, *self._metrics], [*values, *metrics], strict=True)
        return keras.StatelessScope(list(both))

    def _after(self, scope: Any) -> tuple[list[Any], list[Any]]:
        return (
            [_value(scope, one) for one in self._variables],
            [_value(scope, one) for one in self._metrics],
        )


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


@contextmanager
def _in_scopes(optimizer: Any, variables: Sequence[Any]) -> Iterator[None]:
    """Lets an optimizer's updates go to the `StatelessScope` that is open."""
    base = next(one for one in type(optimizer).__mro__ if one.__name__ == "BaseOptimizer")
    known = [*variables, *optimizer.variables]
    keys = {id(one): optimizer._var_key(one) for one in known}  # noqa: SLF001 - no public name
    for name in _FOR_ALL_BACKENDS:
        setattr(optimizer, name, MethodType(getattr(base, name), optimizer))
    optimizer._var_key = lambda variable: keys[id(variable)]  # noqa: SLF001
    try:
        yield
    finally:
        for name in (*_FOR_ALL_BACKENDS, "_var_key"):
            delattr(optimizer, name)


def _value(scope: Any, variable: Any) -> Any:
    value = scope.get_current_value(variable)
    return variable.value if value is None else value


def _stack_of(variable: Any) -> Any:
    return tf.TensorSpec([None, *variable.shape], variable.dtype)
