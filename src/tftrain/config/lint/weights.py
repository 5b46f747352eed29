"""A network in, what is wrong with its weights out: how they start, what is trained, how many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tftrain.config.lint.layers import (
    NOISES,
    SATURATING,
    SCALERS,
    SIGMOIDS,
    SOFTMAXES,
    inner,
    number,
    units_of,
)
from tftrain.config.lint.network import Block, Finding, Network, Rule, named, together
from tftrain.config.lint.references import GLOROT
from tftrain.config.resolve import Resolved

_SATURATED = 4.0
_MANY = 10
_SYMMETRY = "Goodfellow, Bengio and Courville (2016), Deep Learning, section 8.4"


def _moments(initializer: Any) -> tuple[float, float] | None:
    """The mean and the mean square of first weights, where the layer's width doesn't decide."""
    if not isinstance(initializer, Resolved):
        return None
    name = initializer.entry.definition
    if name == "RandomUniform":
        low, high = number(initializer, "minval"), number(initializer, "maxval")
        if low is not None and high is not None:
            return (low + high) / 2, (low * low + low * high + high * high) / 3
    if name in ("RandomNormal", "TruncatedNormal"):
        mean, deviation = number(initializer, "mean"), number(initializer, "stddev")
        if mean is not None and deviation is not None:
            return mean, mean * mean + deviation * deviation
    constant = _constant(initializer)
    return None if constant is None else (constant, constant * constant)


def _constant(initializer: Any) -> float | None:
    """The one value of all first weights, None where they differ."""
    name = initializer.name if isinstance(initializer, Resolved) else initializer
    if str(name).lower() in ("zeros", "ones"):
        return float(str(name).lower() == "ones")
    if isinstance(initializer, Resolved) and str(name).lower() == "constant":
        return number(initializer, "value")
    return None


def _saturated(network: Network) -> Iterator[Finding]:
    mean, square = 0.0, 1.0  # of the values that come in
    if network.facts.magnitude not in (None, 1):
        square = (network.facts.magnitude or 0) ** 2 / 3
    for block in network.blocks:
        moments = _moments(block.layer.get("kernel_initializer"))
        fan_in = _fan_in(network, block)
        bounded = block.activation in (*SATURATING, *SOFTMAXES)
        if moments and fan_in and bounded:
            size = math.sqrt(fan_in * moments[1] * square + (fan_in * moments[0] * mean) ** 2)
            if size > _SATURATED:
                yield (
                    network.at(network.layers[block.place], "kernel_initializer"),
                    (
                        f"{named(network, block.place)} adds up {fan_in} inputs by such weights: "
                        f"sums of about {size:.0f} at first, where `{block.activation}` is flat; "
                        "leave the initializer out, or take smaller weights around 0"
                    ),
                )
        mean, square = (0.5, 0.33) if block.activation in SIGMOIDS else (0.0, 1.0)


def _fan_in(network: Network, block: Block) -> int | None:
    """How many inputs a unit of a Dense layer adds up."""
    return network.width(block.place - 1) if block.layer.entry.definition == "Dense" else None


def _starts_alike(block: Block) -> bool:
    return (units_of(block.layer) or 0) > 1 and _constant(
        block.layer.get("kernel_initializer")
    ) is not None


def _never_different(network: Network) -> Iterator[Finding]:
    for block in network.hidden:
        if not _starts_alike(block):
            continue
        reason = _stuck(network, block)
        if reason:
            place = network.at(network.layers[block.place], "kernel_initializer")
            yield place, f"{reason}: leave the initializer out, it is GlorotUniform then"


def _stuck(network: Network, block: Block) -> str | None:
    """Why the units of a block whose weights are all the same stay so."""
    follower = network.blocks[network.blocks.index(block) + 1]
    noisy = any(layer.name in NOISES for layer in network.between(block.place, follower.place))
    kernel, bias = block.layer.get("kernel_initializer"), block.layer.get("bias_initializer")
    biased = bool(block.layer.get("use_bias")) and _constant(bias) != 0
    if _constant(kernel) == 0 and block.activation in ("relu", "relu6") and not biased:
        return f"{named(network, block.place)} gives 0 under relu, whose gradient there is 0"
    alike = _constant(bias) is not None or not block.layer.get("use_bias")
    follows = _constant(follower.layer.get("kernel_initializer")) is not None
    if alike and follows and not noisy:
        pair = together(network, [block.place, follower.place])
        return f"{pair} begin with one value for all weights, and the units stay alike"
    return None


def _starting_alike(network: Network) -> Iterator[Finding]:
    for block in network.hidden:
        if _starts_alike(block) and not _stuck(network, block):
            yield (
                network.at(network.layers[block.place], "kernel_initializer"),
                (
                    f"all units of {named(network, block.place)} begin alike: take random weights, "
                    "or leave the initializer out"
                ),
            )


def _frozen(network: Network) -> Iterator[Finding]:
    kept = [block.layer for block in network.blocks if block.layer.get("trainable") is not False]
    others = [inner(layer) for layer in network.layers]
    if kept or any(layer.name in ("PReLU", *SCALERS) for layer in others):
        return
    if any(layer.entry.is_foreign for layer in others):  # one's own may have weights
        return
    if network.blocks:
        first = network.blocks[0].layer
        yield network.at(first, "trainable"), "no layer is trained: leave out `trainable: false`"
    elif network.parameters == 0 or all(
        layer.name in (*NOISES, "Flatten", "Activation", "ReLU", "Softmax", "Reshape")
        for layer in network.layers
    ):
        yield ("model", "layers"), "no layer has weights: add a Dense layer"


def _overfitting(network: Network) -> Iterator[Finding]:
    parameters, rows = network.parameters, network.facts.rows
    if not parameters or not rows or parameters <= _MANY * rows:
        return
    if any(network.callback("EarlyStopping")) or network.optimizer.get("weight_decay"):
        return
    if not any(map(_regularises, network.layers)):
        yield (
            ("model", "layers"),
            (
                f"{parameters:,} parameters for {rows:,} training rows, and nothing against "
                "overfitting: add EarlyStopping, Dropout or a kernel_regularizer, or take fewer "
                "units"
            ),
        )


def _regularises(wrapped: Resolved) -> bool:
    layer = inner(wrapped)
    penalties = (
        value
        for name, value in layer.arguments.items()
        if name.endswith("regularizer") or name in ("dropout", "recurrent_dropout")
    )
    by_name = layer.name in (*NOISES, "ActivityRegularization") or layer.name.startswith("Random")
    return by_name or any(penalties)


RULES = (
    Rule(
        "N027",
        "warning",
        "The more inputs a unit adds up, the smaller its weights must be, or the sum lies where "
        "the activation is flat. There the gradient is almost 0 and learning begins late.",
        f"{GLOROT}; course notes: standard backpropagation, whose weights start in (0, 1)",
        "No `kernel_initializer` (GlorotUniform), or one that knows the layer's width.",
        _saturated,
    ),
    Rule(
        "N028",
        "error",
        "Units with the same weights before and behind them get the same gradient, so that a layer "
        "of them is worth one unit. Weights of 0 under ReLU get none at all.",
        _SYMMETRY,
        "No `kernel_initializer` (GlorotUniform).",
        _never_different,
    ),
    Rule(
        "N029",
        "warning",
        "Units that begin alike differ only by what lies behind them. They take long to part.",
        _SYMMETRY,
        "No `kernel_initializer` (GlorotUniform).",
        _starting_alike,
    ),
    Rule(
        "N030",
        "error",
        "Training changes weights of layers that are trainable. Without one, every epoch is the "
        "same.",
        "https://keras.io/guides/transfer_learning/",
        "A layer with weights, and without `trainable: false`.",
        _frozen,
    ),
    Rule(
        "N041",
        "warning",
        "A network with many more parameters than rows can learn the rows by heart. Early stopping "
        "or a penalty in the cost keeps it from doing so.",
        "Course notes: overfitting, early stopping, regularisation",
        "EarlyStopping with `restore_best_weights: true`, Dropout, `kernel_regularizer: L2`.",
        _overfitting,
    ),
)
