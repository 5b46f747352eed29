"""A graph in, its derivatives by SymPy, by TensorFlow's tape and by finite differences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tftrain.errors import TftrainError
from tftrain.explain import expression
from tftrain.explain.graph import Graph, forward

STEPS = tuple(10.0**-power for power in range(1, 9))
_EXACT = 1e-9  # how near two ways of computing a derivative in float64 come
_SMALL = 1e-6
_NEAR = 1e-5  # how near the best of the finite differences comes


@dataclass(frozen=True)
class Change:
    """What a step of one input does to the result.

    Args:
        step: how far the input moves.
        change: of the result; None where it has no value there.
    """

    step: float
    change: float | None

    @property
    def slope(self) -> float | None:
        """The change for each unit of the step."""
        return None if self.change is None else self.change / self.step


def differences(
    graph: Graph, at: Mapping[str, float], name: str, steps: Sequence[float] = STEPS
) -> tuple[Change, ...]:
    """What steps of one input change the result by."""
    begin = forward(graph, at)[graph.output.name]
    found = []
    for step in steps:
        try:
            moved = forward(graph, {**at, name: at[name] + step})[graph.output.name]
        except TftrainError:
            found.append(Change(step, None))
        else:
            found.append(Change(step, moved - begin))
    return tuple(found)


def by_tape(graph: Graph, at: Mapping[str, float]) -> dict[str, float]:
    """TensorFlow's `GradientTape` over the same operations, in float64."""
    from tftrain.backend import tf

    operations = {
        **expression.FLOATS,
        "number": lambda value: tf.constant(value, "float64"),
        "**": tf.pow,
        "exp": tf.exp,
        "log": tf.math.log,
        "sigmoid": tf.sigmoid,
        "relu": tf.nn.relu,
        "tanh": tf.tanh,
        "max": tf.maximum,
    }
    inputs = {name: tf.constant(at[name], "float64") for name in graph.inputs}
    with tf.GradientTape() as tape:
        tape.watch(list(inputs.values()))
        values = dict(inputs)
        for node in graph.nodes:
            if node.term is not None:
                values[node.name] = expression.evaluate(node.term, values, operations)
    found = tape.gradient(values[graph.output.name], inputs, unconnected_gradients="zero")
    return {name: float(one) for name, one in found.items()}


def close(one: float, other: float | None) -> bool:
    """Whether two ways of computing a derivative give the same."""
    return other is not None and abs(one - other) <= _EXACT * max(1.0, abs(one))


def near(one: float, changes: Sequence[Change], size: float) -> bool:
    """Whether the best of the finite differences comes near, for a result of that size.

    Nothing is asked of larger steps than these, as a user may choose them.
    """
    if min(one.step for one in changes) > _SMALL:
        return True
    errors = [abs(one - change.slope) for change in changes if change.slope is not None]
    return min(errors, default=0.0) <= _NEAR * max(1.0, abs(one), abs(size))
