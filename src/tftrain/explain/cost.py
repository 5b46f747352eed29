"""A network in, out what its derivatives cost by forward-mode and by reverse-mode differentiation.

Forward-mode pushes one parameter's derivative through every node: one pass a parameter, O(N * P).
Reverse-mode gets all of them by one pass back, O(N + P).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tftrain.backend import tf
from tftrain.explain import drawing
from tftrain.explain.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROWS = 32
_SECONDS = 5.0  # of forward passes that are measured; the others are reckoned
_REPEATS = 5


@dataclass(frozen=True)
class Cost:
    """What was counted and measured.

    Args:
        title: the config or the run.
        nodes: operations in the graph of the loss, N.
        parameters: numbers to train, P.
        rows: in the batch.
        passes: forward passes that were measured.
        so_far: seconds that the first 1, 2, ... of them took together.
        reverse: seconds of one reverse pass, which gives every derivative.
        difference: the largest between the derivatives of both ways, relative to the largest.
    """

    title: str
    nodes: int
    parameters: int
    rows: int
    passes: int
    so_far: tuple[float, ...]
    reverse: float
    difference: float

    @property
    def forward(self) -> float:
        """Seconds of a forward pass for each parameter; reckoned where not all were measured."""
        return self.so_far[-1] / self.passes * self.parameters if self.passes else 0.0

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {**vars(self), "forward": self.forward}


def measure(subject: Subject) -> Cost:
    """Counts a network's nodes and parameters and measures both ways on some training rows."""
    network, rows = subject.network, subject.rows(0, _ROWS)
    variables = network.trainable_variables
    sizes = [int(np.prod(one.shape)) for one in variables]
    values = [one.value for one in variables]

    def loss() -> Any:
        made = network(rows[0], training=False)
        return network.compute_loss(rows[0], rows[1], made, rows[2], training=False)

    def reverse() -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(values)
            cost = loss()
        found = tape.gradient(cost, values, unconnected_gradients="zero")
        return [
            tf.reshape(tf.cast(one, "float64"), [-1]) for one in map(tf.convert_to_tensor, found)
        ]

    def forward(place: Any) -> Any:
        flat = tf.one_hot(place, sum(sizes), dtype="float64")
        parts = zip(tf.split(flat, sizes), variables, strict=True)
        tangents = [tf.cast(tf.reshape(part, one.shape), one.dtype) for part, one in parts]
        with tf.autodiff.ForwardAccumulator(values, tangents) as accumulator:
            cost = loss()
        return tf.cast(accumulator.jvp(cost, unconnected_gradients="zero"), "float64")

    backwards = tf.function(reverse)
    onwards = tf.function(forward, input_signature=[tf.TensorSpec((), "int64")])
    nodes = len(tf.function(loss).get_concrete_function().graph.get_operations())
    if not sizes:
        return Cost(subject.title, nodes, 0, len(rows[0]), 0, (), 0.0, 0.0)
    gradient = np.concatenate([np.asarray(one) for one in backwards()])
    onwards(tf.constant(0, "int64"))  # traced, as the other is now: neither is measured tracing
    seconds = min(_timed(backwards) for _ in range(_REPEATS))
    so_far, slopes, begun = [], [], time.perf_counter()
    for place in range(sum(sizes)):
        slopes.append(float(onwards(tf.constant(place, "int64"))))
        so_far.append(time.perf_counter() - begun)
        if so_far[-1] > _SECONDS:
            break
    odd = np.abs(gradient[: len(slopes)] - slopes).max() / (np.abs(gradient).max() or 1.0)
    count = len(rows[0])
    return Cost(
        subject.title, nodes, sum(sizes), count, len(slopes), tuple(so_far), seconds, float(odd)
    )


def _timed(run: Any) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def told(one: Cost) -> list[str]:
    """The same as a person reads it."""
    n, p = one.nodes, one.parameters
    if not p:
        return [f"{one.title}: N = {n:,} nodes, P = 0 parameters: nothing to differentiate by"]
    took = f"{one.forward:.4f} s"
    if one.passes < p:
        took += f", reckoned from {one.passes:,} of them"
    times = one.forward / one.reverse
    return [
        f"{one.title}: N = {n:,} nodes, P = {p:,} parameters, {one.rows} rows",
        f"forward-mode, O(N * P) = {n * p:,}: a pass for each parameter, {took}",
        f"reverse-mode, O(N + P) = {n + p:,}: one pass for all, {one.reverse:.4f} s",
        f"{times:,.0f} times as long; the derivatives differ by {one.difference:.1e} at most",
    ]


def figure(one: Cost) -> Figure:
    """Seconds by the number of parameters: a rising line and a level one."""
    made, (axes,) = drawing.new(6, 4)
    axes.plot(range(1, one.passes + 1), one.so_far, label="forward-mode, a pass a parameter")
    axes.axhline(one.reverse, color="C1", label="reverse-mode, one pass for all")
    if one.passes < one.parameters:
        ends = [one.passes, one.parameters], [one.so_far[-1], one.forward]
        axes.plot(*ends, color="C0", linestyle="--", label="forward-mode, reckoned")
    axes.set_xlabel("parameters")
    axes.set_ylabel("seconds")
    axes.set_title(f"N = {one.nodes:,} nodes, P = {one.parameters:,} parameters", fontsize=10)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return made
