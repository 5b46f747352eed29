"""An epoch whose loss is no longer finite in, the batch and the layer where that began out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tftrain.backend import tf
from tftrain.checkpoint import State
from tftrain.data import Part
from tftrain.training import state
from tftrain.training.engine import Engine, Hooks, Order


class _Found(Exception):  # noqa: N818 - a way out of an epoch
    def __init__(self, step: int) -> None:
        self.step = step


def first(engine: Engine, train: Part, order: Order, before: State) -> str:
    """Where an epoch stopped being finite, by going through it once more, batch by batch.

    Args:
        engine: holds the network, which is left in whatever state.
        train: the rows.
        order: of the epoch.
        before: the state before it.

    Returns:
        `: in batch 3 the outputs of layer 2 (`dense_1`) are the first`, or nothing where it doesn't
        come about again, as XLA's last bits depend on how an epoch is cut.
    """
    before = _in_force(engine, before)
    state.restore_variables(engine, before)
    try:
        engine.train(train, order, Hooks(lambda _step: None, _end_of_batch))
    except _Found as found:
        return f": {_of_batch(engine, train, order, before, found.step)}"
    unsound = _unsound_weights(engine)
    return f": those of {unsound} are the first" if unsound else ""


def _in_force(engine: Engine, before: State) -> State:
    """The state with the learning rate that a callback has set for this epoch."""
    now = engine.values()
    rates = {name: value for name, value in now.items() if name.endswith("/learning_rate")}
    return replace(before, variables={**before.variables, **rates})


def _end_of_batch(step: int, logs: dict[str, Any]) -> None:
    if not math.isfinite(float(logs["loss"])):
        raise _Found(step)


def _of_batch(engine: Engine, train: Part, order: Order, before: State, step: int) -> str:
    """The first layer whose outputs, or else whose weights after the update, are not finite."""
    size = engine.batch_size
    state.restore_variables(engine, before)
    if step:
        engine.train(train, order[: step * size])
    if unsound := _unsound_weights(engine):
        return f"after batch {step} the weights of {unsound} are the first"
    outputs = tf.constant(train.raw(order[step * size : (step + 1) * size]))
    if not np.isfinite(outputs.numpy()).all():
        return f"in batch {step + 1} the inputs are not finite"
    for place, layer in enumerate(engine.network.layers, 1):
        outputs = layer(outputs, training=True)
        if not np.isfinite(tf.cast(outputs, "float32").numpy()).all():
            return (
                f"in batch {step + 1} the outputs of layer {place} (`{layer.name}`) are the first"
            )
    return f"in batch {step + 1} all outputs are finite, the loss of them is not"


def _unsound_weights(engine: Engine) -> str | None:
    for place, layer in enumerate(engine.network.layers, 1):
        if not all(np.isfinite(weight).all() for weight in layer.get_weights()):
            return f"layer {place} (`{layer.name}`)"
    return None
