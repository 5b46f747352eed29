"""A compiled network and rows in, whole epochs as single graph calls out.

Keras's `fit` calls the graph once a batch and goes through Python in between. Here the loop over
the batches is part of the graph, around Keras's own `train_step` and `test_step`: the same
operations in the same order, so the same bits, in a fraction of the time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tftrain import stopping
from tftrain.backend import tf
from tftrain.data import Part
from tftrain.training.loop import Logs, Loop, floats, refusing

Order = NDArray[np.int64]

NUMBER = "number/"
CHUNK_BYTES = 8 * 1024 * 1024  # the memory of larger ones isn't used again but mapped anew
MEMORY_BYTES = 256 * 1024 * 1024  # parts beyond this, together, are fed chunk by chunk


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
        network: from `model.build`: compiled, its optimizer and its metrics built.
        batch_size: rows an update.
        evaluation_batch_size: rows a step without updates.
        jit_compile: compile training and evaluation with XLA.
        chunk_bytes: how much of a part that is not in memory whole is read at a time.
        memory_bytes: parts stay in memory whole as long as their prepared inputs together take
            at most this; while one's tensors are made, it is there twice.

    Attributes:
        numbers: variables that graphs read in place of numbers of the config, by their places.
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
        self.jit_compile = jit_compile
        self._chunk_bytes = chunk_bytes
        self._memory_bytes = memory_bytes
        self._train = Loop(network, network.train_step, batch_size, jit_compile)
        self._test = Loop(network, network.test_step, evaluation_batch_size, jit_compile)
        self.numbers: dict[str, Any] = {}
        self._tensors: dict[int, tuple[Part, Any]] = {}

    def train(
        self,
        part: Part,
        order: Order,
        hooks: Hooks | None = None,
        advance: Callable[[float], None] | None = None,
    ) -> Logs:
        """One pass with updates over the rows of `part`, in the given order.

        Args:
            part: the rows.
            order: places in `part`, int64 (rows,).
            hooks: makes the pass go one batch at a time, and is told of each.
            advance: is told, now and then, what share of the rows is done.

        Returns:
            The loss and the metrics, as Keras reports them at the end of an epoch.
        """
        return self._pass(self._train, part, order, hooks, advance)

    def trace(self, part: Part) -> None:
        """Makes the training graph, so that what Keras refuses is known before the first epoch.

        Raises:
            Exception: Keras raises what it likes.
        """
        self._train.trace(self._tensors_of(*part.take(slice(1))))

    @cached_property
    def variables(self) -> dict[str, Any]:
        """All that training changes but the metrics, which begin anew: by owner, place and path.

        What neither layer nor optimizer owns but the graph changes is there too: the seeds of
        random numbers that a layer draws without a generator of its own. So are `numbers`, which
        no training changes, but which may be others for each of many networks.
        """
        network = self.network
        owned = {"network": network.variables, "optimizer": network.optimizer.variables}
        metrics = [variable for metric in network.metrics for variable in metric.variables]
        others = [*metrics, *self.numbers.values()]
        known = {id(one.value) for one in [*others, *itertools.chain(*owned.values())]}
        owned["graph"] = [one for one in self._train.variables() if id(one) not in known]
        return {
            f"{owner}/{place}/{getattr(variable, 'path', variable.name)}": variable
            for owner, variables in owned.items()
            for place, variable in enumerate(variables)
        } | {NUMBER + name: variable for name, variable in self.numbers.items()}

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite; in one call of a graph."""
        return bool(self._all_finite())

    @cached_property
    def _all_finite(self) -> Any:
        weights = [one.value for one in self.network.weights if "float" in str(one.dtype)]

        def every() -> Any:
            finite = [tf.reduce_all(tf.math.is_finite(one)) for one in weights]
            return tf.reduce_all(tf.stack([*finite, True]))

        return tf.function(every, autograph=False).get_concrete_function()

    def values(self) -> dict[str, NDArray[Any]]:
        """What `variables` hold now; in one call of a graph, as most are small."""
        values = self._reader()
        return {name: value.numpy() for name, value in zip(self.variables, values, strict=True)}

    def put(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Gives `variables`, or some of them, what they are to hold."""
        for name, value in values.items():
            self.variables[name].assign(value)

    @cached_property
    def _reader(self) -> Any:
        found = self.variables.values()
        variables = [one if isinstance(one, tf.Variable) else one.value for one in found]
        read = tf.function(lambda: [tf.identity(one) for one in variables], autograph=False)
        return read.get_concrete_function()

    def evaluate(self, part: Part, hooks: Hooks | None = None) -> Logs:
        """One pass without updates, in the order of the rows."""
        order = np.arange(len(part))
        return self._pass(self._test, part, order, hooks)

    def predict(self, part: Part, batch_size: int | None = None) -> Iterator[NDArray[np.float32]]:
        """The network's outputs, one array (rows, ...) a step, in the order of the rows.

        Args:
            part: the rows.
            batch_size: rows a step, if not the evaluation's; another number gives other last bits.
        """
        size = batch_size or self.evaluation_batch_size
        for start in range(0, len(part), size):
            rows = slice(start, start + size)
            inputs = tf.constant(part.raw(rows))
            with refusing():
                outputs = self._predictor(inputs).numpy()
            yield outputs
            stopping.check()

    @cached_property
    def _predictor(self) -> Any:
        """The graph that predicts; traced by hand, or TensorFlow warns where many networks are."""
        network = self.network
        predict = tf.function(lambda inputs: network.predict_step((inputs,)), autograph=False)
        signature = tf.TensorSpec([None, *network.input_shape[1:]], tf.float32)
        return predict.get_concrete_function(signature)

    def _pass(
        self,
        loop: Loop,
        part: Part,
        order: Order,
        hooks: Hooks | None,
        advance: Callable[[float], None] | None = None,
    ) -> Logs:
        logs: dict[str, Any] = {}
        done = 0
        for data, places in self._chunks(part, order, loop.batch_size):
            for piece in loop.pieces(places, single=hooks is not None):
                step = done // loop.batch_size
                if hooks:
                    hooks.begin(step)
                logs = loop(data, piece, first=done == 0)
                if hooks:
                    hooks.end(step, logs)
                stopping.check()
                done += len(piece)
                if advance:
                    advance(done / len(order))
                if loop is self._train and hooks and self.network.stop_training:
                    return floats(logs)
        return floats(logs)

    def rows(self, part: Part, order: Order | None = None) -> tuple[Any, ...]:
        """Tensors of a part's rows: inputs, labels and perhaps weights.

        Args:
            part: the rows.
            order: places in `part`, int64 (rows,), from small to large; None for all.
        """
        if order is not None:
            return self._tensors_of(*part.take(order))
        return self._whole(part) if self.holds(part) else self._tensors_of(*part.take(slice(None)))

    def _chunks(
        self, part: Part, order: Order, batch_size: int
    ) -> Iterator[tuple[Any, NDArray[np.int32]]]:
        """Tensors of rows, and the places of the next batches in them."""
        if self.holds(part):
            yield self._whole(part), order.astype(np.int32)
            return
        batches = max(1, self._chunk_bytes // (part.row_bytes * batch_size))
        step = batches * batch_size
        pieces = [order[start : start + step] for start in range(0, len(order), step)]
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, part, pieces[0])
            for following in [*pieces[1:], None]:
                chunk = coming.result()
                if following is not None:
                    coming = reader.submit(self._read, part, following)
                yield chunk

    def _read(self, part: Part, order: Order) -> tuple[Any, NDArray[np.int32]]:
        """Rows in the order they lie on the disk, as tensors, and the order's places in them."""
        by_place = np.argsort(order, kind="stable")
        places = np.empty(len(order), np.int32)
        places[by_place] = np.arange(len(order), dtype=np.int32)
        return self._tensors_of(*part.take(order[by_place])), places

    def holds(self, *parts: Part) -> bool:
        """Whether parts are in memory, or there is room for them beside those that are."""
        new = {id(part): part for part in parts if id(part) not in self._tensors}
        kept = [other for other, _ in self._tensors.values()]
        taken = sum(len(one) * one.row_bytes for one in [*kept, *new.values()])
        return not new or taken <= self._memory_bytes

    def _whole(self, part: Part) -> Any:
        """A part that fits into memory, as tensors that are made once."""
        if id(part) not in self._tensors:
            self._tensors[id(part)] = (part, self._tensors_of(*part.take(slice(None))))
        return self._tensors[id(part)][1]

    def _tensors_of(
        self, inputs: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None
    ) -> tuple[Any, ...]:
        """Labels get the shape of the outputs, (rows, 1), which F1Score and its kin insist on."""
        if labels.ndim == 1 and self.network.output_shape[1:] == (1,):
            labels = labels[:, None]
        arrays = (inputs, labels) if weights is None else (inputs, labels, weights)
        return tuple(tf.constant(array) for array in arrays)


def logged(network: Any) -> list[str]:
    """The names in the logs of any pass over rows.

    Args:
        network: from `model.build`: how many numbers a metric has is known once it is built.
    """
    return list(floats(network.get_metrics_result()))


def order_of(seed: int, epoch: int, rows: int) -> Order:
    """The order of an epoch's rows: a permutation that depends on nothing but its arguments."""
    return np.random.default_rng([seed, 0, epoch]).permutation(rows)


def steps(rows: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return math.ceil(rows / batch_size)
