"""A step on one batch in, a graph that runs it on many out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.backend import tf
from tftrain.errors import first_line

Logs = dict[str, float]

CALL_SECONDS = 0.5  # no signal is heard and no progress shown while a graph runs
_FIRST_BATCHES = 64
_FUNCTION = re.compile(r"\{\{function_node [^}]*\}\} ?")
_REASON = re.compile(r"([^\n]+)\n\t \[\[\{\{node ([^}]+)\}\}")


class Refused(Exception):  # noqa: N818 - whoever knows where the rows are from reports it
    """TensorFlow could not compute a batch: a value out of range, not enough memory.

    Args:
        error: TensorFlow's, whose message names the operation among the lines of a traceback.
    """

    def __init__(self, error: Exception) -> None:
        text = _FUNCTION.sub("", str(error))
        found = _REASON.search(text)
        told = text.partition("Stack trace for op definition")[0]
        reason = f"{found[1]} (in {found[2]})" if found else first_line(ValueError(told))
        super().__init__(f"TensorFlow refused a batch: {reason}")


class Loop:
    """A graph that takes rows and their order, and runs a step on one batch after another.

    Batches of a size that is only known as the graph runs let one traced step serve the remainder
    too. XLA needs sizes it knows beforehand: there a whole pass is one graph.

    Args:
        network: whose metrics the step updates.
        step: Keras's `train_step` or `test_step`.
        batch_size: rows a step.
        jit_compile: compile with XLA.
    """

    def __init__(
        self, network: Any, step: Callable[[Any], Any], batch_size: int, jit_compile: bool
    ) -> None:
        self.batch_size = batch_size
        self._network = network
        self._step = step
        self._static: Any = None
        if jit_compile:
            self._static = tf.function(self._fixed, autograph=False, jit_compile=True)
        self._traced: dict[int, Any] = {}
        self._batches = _FIRST_BATCHES

    def pieces(self, places: NDArray[np.int32], *, single: bool) -> Iterator[NDArray[np.int32]]:
        """Cuts an order into what one call gets: a batch, or what takes half a second at most."""
        start = 0
        while start < len(places):
            rows = self.batch_size * (1 if single else self._batches)
            if self._static is not None and not single:
                rows = len(places)
            yield places[start : start + rows]
            start += rows

    def __call__(
        self, data: tuple[Any, ...], places: NDArray[np.int32], *, first: bool
    ) -> dict[str, Any]:
        """Runs the step over the rows at `places`.

        Args:
            data: tensors of rows: inputs, labels and perhaps weights.
            places: which rows, in which order, int32.
            first: whether a pass begins: the metrics begin anew.

        Returns:
            The metrics so far, as tensors.
        """
        order, first = tf.constant(places), tf.constant(first)
        if self._static is not None:
            with refusing():
                compiled: dict[str, Any] = self._static(data, order, first)
            return compiled
        self.trace(data)
        started = time.perf_counter()
        with refusing():
            logs: dict[str, Any] = self._traced[len(data)](data, order, first)
        self._pace(len(places), time.perf_counter() - started)
        return logs

    def trace(self, data: tuple[Any, ...]) -> None:
        """Makes the graph for rows with or without weights; XLA's must first know how many."""
        if len(data) not in self._traced and self._static is None:
            places = tf.TensorSpec([None], tf.int32)
            signature = (tuple(map(_any_rows, data)), places, tf.TensorSpec([], tf.bool))
            function = tf.function(self._any, input_signature=signature, autograph=False)
            self._traced[len(data)] = function.get_concrete_function()

    def variables(self) -> list[Any]:
        """What the traced graphs read and write, each once."""
        found = {
            id(one): one for function in self._traced.values() for one in function.graph.variables
        }
        return list(found.values())

    def _pace(self, rows: int, seconds: float) -> None:
        if rows == self._batches * self.batch_size and seconds < CALL_SECONDS / 2:
            self._batches *= 2
        elif seconds > CALL_SECONDS:
            self._batches = max(1, self._batches // 2)

    def _batch(self, data: tuple[Any, ...], places: Any) -> None:
        self._step(tuple(tf.gather(tensor, places) for tensor in data))

    def _begin(self, first: Any) -> None:
        """Sets the metrics back within the graph: a call of its own costs as much as two steps."""

        def reset() -> Any:
            self._network.reset_metrics()
            return tf.constant(0)

        tf.cond(first, reset, lambda: tf.constant(0))

    def _any(self, data: tuple[Any, ...], order: Any, first: Any) -> Any:
        self._begin(first)
        rows = tf.size(order)

        def body(start: Any) -> tuple[Any]:
            self._batch(data, order[start : tf.minimum(start + self.batch_size, rows)])
            return (start + self.batch_size,)

        tf.while_loop(lambda start: start < rows, body, (0,), parallel_iterations=1)
        return self._network.get_metrics_result()

    def _fixed(self, data: tuple[Any, ...], order: Any, first: Any) -> Any:
        self._begin(first)
        full, rest = divmod(order.shape[0], self.batch_size)

        def body(number: Any) -> tuple[Any]:
            self._batch(data, tf.slice(order, [number * self.batch_size], [self.batch_size]))
            return (number + 1,)

        if full:  # XLA compiles the body of a loop of no rounds as well, and finds too few rows
            tf.while_loop(lambda number: number < full, body, (0,), parallel_iterations=1)
        if rest:
            self._batch(data, order[full * self.batch_size :])
        return self._network.get_metrics_result()


@contextmanager
def refusing() -> Iterator[None]:
    """What TensorFlow can't compute, as `Refused`."""
    try:
        yield
    except tf.errors.OpError as error:
        raise Refused(error) from None


def _any_rows(tensor: Any) -> Any:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def floats(logs: dict[str, Any]) -> Logs:
    """Numbers by name; a metric with a number for each class becomes `name_0`, `name_1`, ..."""
    found: Logs = {}
    for name, value in logs.items():
        numbers = np.asarray(value)
        if numbers.size > 1:
            found |= {f"{name}_{place}": float(one) for place, one in enumerate(numbers.ravel())}
        else:
            found[name] = float(numbers.reshape(()))
    return found
