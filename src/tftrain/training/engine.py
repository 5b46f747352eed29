"""A compiled network and rows in, whole epochs as single graph calls out.

Keras's `fit` calls the graph once a batch and goes through Python in between. Here the loop over
the batches is part of the graph, around Keras's own `train_step` and `test_step`: the same
operations in the same order, so the same bits, in a fraction of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tftrain.backend import tf
from tftrain.data import Part

Logs = dict[str, float]
Order = NDArray[np.int64]

CHUNK_BYTES = 64 * 1024 * 1024
MEMORY_BYTES = 1024 * 1024 * 1024  # rows that take more than this are fed chunk by chunk


class Hooks(NamedTuple):
    """What wants to know of every batch.

    Args:
        begin: called with the batch's number.
        end: called with the batch's number and the logs so far.
    """

    begin: Callable[[int], None]
    end: Callable[[int, dict[str, Any]], None]


class Engine:
    """Runs epochs of one network.

    Args:
        network: a compiled and built `keras.Sequential`.
        batch_size: rows an update.
        evaluation_batch_size: rows a step without updates.
        jit_compile: compile training with XLA.
        chunk_bytes: how much of a part larger than `memory_bytes` is in memory at a time.
        memory_bytes: parts whose prepared inputs take at most this stay in memory whole.
    """

    def __init__(
        self,
        network: Any,
        *,
        batch_size: int,
        evaluation_batch_size: int,
        jit_compile: bool = False,
        chunk_bytes: int = CHUNK_BYTES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.network = network
        self.batch_size = batch_size
        self.evaluation_batch_size = evaluation_batch_size
        self._chunk_bytes = chunk_bytes
        self._memory_bytes = memory_bytes
        self._train = self._loop(network.train_step, batch_size, jit_compile=jit_compile)
        self._test = self._loop(network.test_step, evaluation_batch_size)
        self._predict = tf.function(
            lambda inputs: network.predict_step((inputs,)), autograph=False, reduce_retracing=True
        )
        self._reset: Any = None
        self._tensors: dict[int, tuple[Part, Any]] = {}

    def train(self, part: Part, order: Order, hooks: Hooks | None = None) -> Logs:
        """One pass with updates over the rows of `part`, in the given order.

        Args:
            part: the rows.
            order: places in `part`, int64 (rows,).
            hooks: makes the pass go one batch at a time, and is told of each.

        Returns:
            The loss and the metrics, as Keras reports them at the end of an epoch.
        """
        return self._pass(self._train, part, order, self.batch_size, hooks)

    def evaluate(self, part: Part, hooks: Hooks | None = None) -> Logs:
        """One pass without updates, in the order of the rows."""
        order = np.arange(len(part))
        return self._pass(self._test, part, order, self.evaluation_batch_size, hooks)

    def predict(self, part: Part) -> Iterator[NDArray[np.float32]]:
        """The network's outputs, one array (rows, ...) a step, in the order of the rows."""
        for start in range(0, len(part), self.evaluation_batch_size):
            rows = slice(start, start + self.evaluation_batch_size)
            yield self._predict(tf.constant(part.raw(rows))).numpy()

    def _pass(
        self,
        function: Any,
        part: Part,
        order: Order,
        batch_size: int,
        hooks: Hooks | None,
    ) -> Logs:
        self._reset_metrics(part)
        logs: dict[str, Any] = {}
        step = 0
        for data, places in self._chunks(part, order, batch_size):
            if hooks is None:
                logs = function(data, tf.constant(places))
                continue
            for start in range(0, len(places), batch_size):
                hooks.begin(step)
                logs = function(data, tf.constant(places[start : start + batch_size]))
                hooks.end(step, logs)
                step += 1
                if self.network.stop_training:
                    return _floats(logs)
        return _floats(logs)

    def _reset_metrics(self, part: Part) -> None:
        """Sets the metrics back, in one graph call once they are built.

        Keras builds its metrics as they first see rows; a graph traced before that would set back
        only those that exist by then.
        """
        if self._reset is None:
            self.network.test_step(_tensors(*part.take(slice(1))))
            self._reset = tf.function(self.network.reset_metrics, autograph=False)
        self._reset()

    def _chunks(
        self, part: Part, order: Order, batch_size: int
    ) -> Iterator[tuple[Any, NDArray[np.int32]]]:
        """Tensors of rows, and the places of the next batches in them."""
        if len(part) * part.row_bytes <= self._memory_bytes:
            yield self._whole(part), order.astype(np.int32)
            return
        batches = max(1, self._chunk_bytes // (part.row_bytes * batch_size))
        step = batches * batch_size
        pieces = [order[start : start + step] for start in range(0, len(order), step)]
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(part.take, pieces[0])
            for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
                data = _tensors(*coming.result())
                if following is not None:
                    coming = reader.submit(part.take, following)
                yield data, np.arange(len(piece), dtype=np.int32)

    def _whole(self, part: Part) -> Any:
        """A part that fits into memory, as tensors that are made once."""
        if id(part) not in self._tensors:
            self._tensors[id(part)] = (part, _tensors(*part.take(slice(None))))
        return self._tensors[id(part)][1]

    def _loop(
        self, step: Callable[[Any], Any], batch_size: int, *, jit_compile: bool = False
    ) -> Any:
        """A graph that takes rows and their order, and runs `step` on one batch after another.

        Batches of a size that is only known as the graph runs let one traced step serve the
        remainder too. XLA needs sizes it knows beforehand, so there the remainder is traced again.
        """

        def batch(data: tuple[Any, ...], places: Any) -> None:
            step(tuple(tf.gather(tensor, places) for tensor in data))

        def dynamic(data: tuple[Any, ...], order: Any) -> Any:
            rows = tf.size(order)

            def body(start: Any) -> tuple[Any]:
                batch(data, order[start : tf.minimum(start + batch_size, rows)])
                return (start + batch_size,)

            tf.while_loop(lambda start: start < rows, body, (0,), parallel_iterations=1)
            return self.network.get_metrics_result()

        def static(data: tuple[Any, ...], order: Any) -> Any:
            full, rest = divmod(order.shape[0], batch_size)

            def body(number: Any) -> tuple[Any]:
                batch(data, tf.slice(order, [number * batch_size], [batch_size]))
                return (number + 1,)

            tf.while_loop(lambda number: number < full, body, (0,), parallel_iterations=1)
            if rest:
                batch(data, order[full * batch_size :])
            return self.network.get_metrics_result()

        if jit_compile:
            return tf.function(static, autograph=False, jit_compile=True)
        traced: dict[int, Any] = {}

        def call(data: tuple[Any, ...], order: Any) -> Any:
            if len(data) not in traced:
                signature = (tuple(map(_any_rows, data)), _any_rows(order))
                traced[len(data)] = tf.function(dynamic, input_signature=signature, autograph=False)
            return traced[len(data)](data, order)

        return call


def order_of(seed: int, epoch: int, rows: int) -> Order:
    """The order of an epoch's rows: a permutation that depends on nothing but its arguments."""
    return np.random.default_rng([seed, 0, epoch]).permutation(rows)


def steps(rows: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return math.ceil(rows / batch_size)


def _tensors(
    inputs: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None
) -> tuple[Any, ...]:
    arrays = (inputs, labels) if weights is None else (inputs, labels, weights)
    return tuple(tf.constant(array) for array in arrays)


def _any_rows(tensor: Any) -> Any:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _floats(logs: dict[str, Any]) -> Logs:
    """Numbers by name; a metric with a number for each class becomes `name_0`, `name_1`, ..."""
    floats: Logs = {}
    for name, value in logs.items():
        numbers = np.asarray(value)
        if numbers.size > 1:
            floats |= {f"{name}_{place}": float(one) for place, one in enumerate(numbers.ravel())}
        else:
            floats[name] = float(numbers.reshape(()))
    return floats
