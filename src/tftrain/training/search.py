"""An optimizer that searches in, its epochs out: many networks measured in one graph call."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tftrain import stopping
from tftrain.backend import keras, tf
from tftrain.data import Part
from tftrain.errors import listed
from tftrain.optimizers import Search
from tftrain.training.engine import Engine, Order
from tftrain.training.loop import refusing

_CALL_SECONDS = 0.5  # no signal is heard while a graph runs
_GROUP_BYTES = 32 * 1024 * 1024  # of one layer's outputs, of as many networks as run side by side


def of(engine: Engine, part: Part, seed: int) -> Searching | None:
    """What runs the epochs of a search, None where the optimizer follows gradients."""
    searches = isinstance(engine.network.optimizer, Search)
    return Searching(engine, part, seed) if searches else None


class Searching:
    """Runs a search, and leaves the best network's weights in the network.

    A network is measured as `network.evaluate` does it: the compiled loss, sample and class weights
    in it, and the layers' penalties, all rows at once.

    Args:
        engine: holds the network, whose optimizer is a Search.
        part: the rows to learn from.
        seed: of all that is drawn.
    """

    def __init__(self, engine: Engine, part: Part, seed: int) -> None:
        self._engine = engine
        self._network = engine.network
        self.optimizer = engine.network.optimizer
        self._part = part
        self._seed = seed
        self._weights = list(engine.network.trainable_variables)
        self._sizes = [math.prod(one.shape) for one in self._weights]
        self._pace = 1

    @property
    def remark(self) -> str | None:
        """What the user should know of layers that are otherwise in training; None without any."""
        layers = self._network.layers
        told = [one.name for one in layers if one.trainable and one.non_trainable_variables]
        return (
            f"{listed(told)}: a search measures networks as they predict, without noise, and "
            "leaves averages over batches as they are"
            if told
            else None
        )

    def trace(self) -> None:
        """Makes the graphs, so that what Keras refuses is known before the first epoch.

        Raises:
            Exception: Keras raises what it likes.
        """
        _ = self._ready, self._search

    def epoch(self, order: Order, advance: Callable[[float], None] | None = None) -> None:
        """One epoch's generations or steps.

        Args:
            order: of all rows; the first are those that are measured on, where not all are.
            advance: is told, now and then, what share of the epoch is done.
        """
        self.run(self._data(order), self.optimizer.per_epoch, advance)

    def run(self, data: Any, count: int, advance: Callable[[float], None] | None = None) -> None:
        """So many generations or steps on some rows, from where the search is."""
        with refusing():
            self._ready(*data)
            done = 0
            while done < count:
                some, started = min(self._pace, count - done), time.perf_counter()
                self._search(*data, tf.constant(some))
                self._adapt(some, time.perf_counter() - started)
                stopping.check()
                done += some
                if advance:
                    advance(done / count)

    def losses(self, networks: Any, data: Any) -> Any:
        """What networks are worth; infinite where that isn't finite.

        Args:
            networks: their weights, float32 (networks, weights).
            data: tensors of rows.

        Returns:
            float32 (networks,).
        """

        def one(weights: Any) -> Any:
            return tf.cast(self._loss(weights, data), tf.float32)

        count = networks.shape[0]
        side_by_side = max(1, min(count, _GROUP_BYTES // self._bytes_of_a_network))
        if count == 1:
            worth = one(networks[0])[None]
        elif side_by_side == count:
            worth = tf.vectorized_map(one, networks)
        else:
            groups = tf.split(networks, _cut(count, side_by_side))
            worth = tf.concat([tf.vectorized_map(one, group) for group in groups], 0)
        return tf.where(tf.math.is_finite(worth), worth, np.inf)

    def _loss(self, weights: Any, data: Any) -> Any:
        inputs, labels, *sample = data
        network = self._network
        with keras.StatelessScope(list(zip(self._weights, self._split(weights), strict=True))):
            outputs = network(inputs, training=False)
            return network.compute_loss(inputs, labels, outputs, *sample or (None,), training=False)

    @property
    def _bytes_of_a_network(self) -> int:
        """What one network's widest outputs take, of all rows that are measured on."""
        shapes = [layer.output.shape[1:] for layer in self._network.layers]
        widest = max(math.prod(size or 1 for size in shape) for shape in shapes)
        return 4 * self._rows * int(widest)

    @property
    def _rows(self) -> int:
        return min(len(self._part), int(self.optimizer.rows))

    def _data(self, order: Order) -> Any:
        if self._rows == len(self._part):
            return self._engine.rows(self._part)
        return self._engine.rows(self._part, np.sort(order[: self._rows]))

    def _split(self, weights: Any) -> list[Any]:
        parts = tf.split(weights, self._sizes)
        pairs = zip(self._weights, parts, strict=True)
        return [tf.cast(tf.reshape(part, one.shape), one.dtype) for one, part in pairs]

    def _joined(self, values: list[Any]) -> Any:
        return tf.concat([tf.reshape(tf.cast(one, tf.float32), [-1]) for one in values], 0)

    def _constrained(self, networks: Any) -> Any:
        """Networks with the layers' constraints met."""
        if not any(one.constraint for one in self._weights):
            return networks

        def meeting(weights: Any) -> Any:
            pairs = zip(self._weights, self._split(weights), strict=True)
            return self._joined(
                [one.constraint(value) if one.constraint else value for one, value in pairs]
            )

        return tf.map_fn(meeting, networks)

    @cached_property
    def _ready(self) -> Any:
        """Begins the search where it hasn't; on rows that are others each epoch, measures anew."""
        optimizer, others = self.optimizer, self._rows < len(self._part)

        def begin(data: Any) -> Any:
            first = self._joined([one.value for one in self._weights])
            parts = tf.split(first, self._sizes)
            spread = [tf.fill(tf.shape(one), tf.math.reduce_std(one)) for one in parts]
            optimizer.begin(first, tf.concat(spread, 0), self._constrained, self._seed)
            optimizer.measure(lambda networks: self.losses(networks, data))
            return tf.constant(0)

        def again(data: Any) -> Any:
            if others:
                optimizer.measure(lambda networks: self.losses(networks, data))
            return tf.constant(0)

        def ready(*data: Any) -> None:
            new = tf.equal(optimizer.done.value, 0)
            tf.cond(new, lambda: begin(data), lambda: again(data))

        return self._graph(ready)

    @cached_property
    def _search(self) -> Any:
        def search(*data: Any) -> None:
            *rows, count = data
            self.optimizer.search(
                lambda networks: self.losses(networks, rows), self._constrained, self._seed, count
            )
            best = self._split(self.optimizer.best())
            for one, value in zip(self._weights, best, strict=True):
                one.assign(value)

        return self._graph(search, tf.TensorSpec([], tf.int32))

    def _graph(self, function: Callable[..., None], *more: Any) -> Any:
        some = self._data(np.arange(len(self._part)))
        signature = [tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in some]
        graph = tf.function(function, input_signature=[*signature, *more], autograph=False)
        return graph.get_concrete_function()

    def _adapt(self, count: int, seconds: float) -> None:
        if count == self._pace and seconds < _CALL_SECONDS / 2:
            self._pace *= 2
        elif seconds > _CALL_SECONDS:
            self._pace = max(1, self._pace // 2)


def _cut(count: int, size: int) -> list[int]:
    """A number as numbers of at most a size."""
    return [min(size, count - start) for start in range(0, count, size)]
