"""Networks of one form in, one network that gives the mean of their predictions out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tftrain import model
from tftrain.backend import keras, tf
from tftrain.config import Config, Source, outputs, squashing
from tftrain.data import Form
from tftrain.data.target import TargetScaling

_MEMBER = "member_"


def build(config: Config, source: Source, form: Form, count: int) -> Any:
    """So many networks side by side, their outputs' mean behind them.

    Of probabilities it is their mean; of logits the logits of the mean of their probabilities; of
    other numbers their mean, in the target's own units.

    Args:
        config: describes one of them.
        source: for the place of a fault.
        form: of the rows.
        count: how many.

    Returns:
        A `keras.Model`, compiled as one of the networks is.
    """
    inputs = keras.Input(form.inputs, name="input")
    members = [model.layered(config, source, form, f"{_MEMBER}{one}") for one in range(count)]
    every = [member(inputs) for member in members]
    network = keras.Model(inputs, _mean(every, config, form.target), name="ensemble")
    model.compiled(network, config, source, form)
    _build_metrics(network, form)
    return network


def together(networks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The weights of an ensemble, from those of its networks: each by `network/layer/weight`."""
    return {
        f"{_MEMBER}{one}/{name.partition('/')[2]}": array
        for one, weights in enumerate(networks)
        for name, array in weights.items()
    }


def _mean(every: Sequence[Any], config: Config, target: TargetScaling | None) -> Any:
    """The mean of what is behind logarithms is taken between them, where nothing is lost."""
    ops = keras.ops
    if target is not None and target.log:
        logarithms = ops.stack(every, axis=0) * target.deviation + target.mean
        mean = ops.logsumexp(logarithms, axis=0) - math.log(len(every))
        return (mean - target.mean) / target.deviation
    if outputs(config.training.loss) != "logits":
        return keras.layers.Average(name="mean")(every)
    stacked = ops.stack(every, axis=0)
    if squashing(config.training.loss, every[0].shape[-1]) == "softmax":
        return ops.logsumexp(ops.log_softmax(stacked, axis=-1), axis=0)
    yes, no = ops.log_sigmoid(stacked), ops.log_sigmoid(-stacked)
    return ops.logsumexp(yes, axis=0) - ops.logsumexp(no, axis=0)


def _build_metrics(network: Any, form: Form) -> None:
    """Builds the metrics, so that a graph traced later holds them all."""
    numbers = "int32" if form.classes and not form.labels else "float32"
    shape = (1,) if network.output_shape[1:] == (1,) else form.labels
    network.test_step((tf.zeros((1, *form.inputs)), tf.zeros((1, *shape), numbers)))
    network.reset_metrics()
