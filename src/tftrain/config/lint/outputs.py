"""A network in, where its output and its loss don't fit together out."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tftrain.config.lint.layers import (
    NEVER_NEGATIVE,
    PROBABILITIES,
    RANGES,
    SIGMOIDS,
    SOFTMAXES,
    inner,
)
from tftrain.config.lint.network import Finding, Network, Rule
from tftrain.config.lint.references import BISHOP, OUTPUT, PROBABILISTIC
from tftrain.config.losses import family

# What a ReLU's bias needs, to start where it learns.
_ZEROS = ("zeros", "Zeros")


def loss_name(network: Network) -> str:
    """Keras's name of the loss, or the word that stands for it."""
    return network.loss.name if network.loss else network.config.training.loss.name


def is_crossentropy(network: Network, *families: str) -> bool:
    """Whether the loss is a cross-entropy of one of these families, and no hinge."""
    loss = network.config.training.loss
    return family(loss) in families and "hinge" not in loss.name.lower()


def from_logits(network: Network) -> bool:
    """Whether the loss applies the output's activation itself."""
    return bool(network.config.training.loss.arguments.get("from_logits"))


def _lone_softmax(network: Network) -> Iterator[Finding]:
    for block in network.blocks:
        for applied in block.activations:
            axis = inner(network.layers[applied.place]).get("axis")
            if applied.name in (*SOFTMAXES, "logsoftmax") and axis in (None, -1):
                if network.width(applied.place) != 1:
                    continue
                change = "take sigmoid" if block is network.blocks[-1] else "take ReLU"
                yield applied.path, f"`{applied.name}` of one unit is always the same: {change}"


def _binary(network: Network) -> Iterator[Finding]:
    output = network.output
    two = network.units == 1 and network.config.training.loss.name in ("crossentropy", "ce")
    if not output or from_logits(network) or output.name in PROBABILITIES:
        return
    if is_crossentropy(network, "binary") or two:
        yield (
            output.path,
            f"`{loss_name(network)}` takes the logarithm of outputs between 0 and 1, these are "
            f"`{output.name}`: take sigmoid, or give the loss from_logits: true"
            + (" and leave the output linear" if output.name != "linear" else ""),
        )


def _promised_logits(network: Network) -> Iterator[Finding]:
    output, loss = network.output, network.loss
    if output and loss and from_logits(network) and output.name in PROBABILITIES:
        yield (
            network.at(loss, "from_logits"),
            (
                f"`{loss.name}` applies the activation itself, and the outputs have "
                f"`{output.name}` already: leave out from_logits, or make the output linear"
            ),
        )


def _exclusive(network: Network) -> Iterator[Finding]:
    output, loss = network.output, network.loss
    if not output or not loss or from_logits(network) or output.name in PROBABILITIES:
        return
    if is_crossentropy(network, "sparse", "categorical"):
        yield (
            output.path,
            f"`{loss.name}` takes the logarithm of probabilities, these outputs are "
            f"`{output.name}`: take softmax, or give the loss from_logits: true"
            + (" and leave the output linear" if output.name != "linear" else ""),
        )


def _sigmoid_of_classes(network: Network) -> Iterator[Finding]:
    output = network.output
    several = network.units is not None and network.units > 1 and not from_logits(network)
    exclusive = is_crossentropy(network, "sparse", "categorical", "crossentropy")
    if output and output.name in SIGMOIDS and several and exclusive:
        yield (
            output.path,
            (
                f"`{loss_name(network)}` is for classes that exclude each other, and these "
                "outputs don't add up to 1: take softmax"
            ),
        )


def _hinge(network: Network) -> Iterator[Finding]:
    output = network.output
    one_sided = output and output.name in (*PROBABILITIES, *NEVER_NEGATIVE)
    if output and one_sided and family(network.config.training.loss) == "hinge":
        yield (
            output.path,
            (
                f"`{loss_name(network)}` wants outputs of -1 and less for one class, `"
                f"{output.name}` gives none below 0: leave the output linear, or take tanh"
            ),
        )


def _poisson(network: Network) -> Iterator[Finding]:
    output, loss = network.output, network.loss
    signed = output and output.name not in (*PROBABILITIES, *NEVER_NEGATIVE)
    if output and signed and loss and loss.name.lower() == "poisson":
        yield (
            output.path,
            (
                f"`{loss.name}` takes the logarithm of the outputs, `{output.name}` may be "
                "negative: take softplus or exponential"
            ),
        )


def _dead_output(network: Network) -> Iterator[Finding]:
    output = network.output
    if not output or output.name not in ("relu", "relu6") or not network.blocks:
        return
    layer = network.blocks[-1].layer
    bias = layer.get("bias_initializer")
    name = getattr(bias, "name", bias)
    starts = name in _ZEROS or not layer.get("use_bias")
    if starts and network.units == 1 and network.is_of_numbers:
        yield (
            output.path,
            (
                "a single ReLU output that starts below 0 for every row never learns: start its "
                "bias at about the targets' mean (bias_initializer: {Constant: {value: ...}}), or "
                "take softplus"
            ),
        )


def _squeezed_logits(network: Network) -> Iterator[Finding]:
    output = network.output
    if not output or not from_logits(network):
        return
    if output.name in (*NEVER_NEGATIVE, "tanh", "hardtanh", "softsign"):
        low, high = RANGES.get(output.name, (0.0, math.inf))
        least = 1 / (1 + math.exp(-low))
        most = 1 / (1 + math.exp(-high))
        binary = is_crossentropy(network, "binary")
        reach = f": a probability lies between {least:.2f} and {most:.2f}" if binary else ""
        yield output.path, f"logits from `{output.name}`{reach}; make the output linear"


RULES = (
    Rule(
        "N001",
        "error",
        "Softmax divides by the sum over the units, so that one unit alone is always 1. Nothing "
        "before it can change the output, and the gradient is 0.",
        BISHOP,
        "Sigmoid for one output; softmax with a unit for each class.",
        _lone_softmax,
    ),
    Rule(
        "N002",
        "error",
        "The loss takes the logarithm of the output and of 1 minus it, after cutting both to what "
        "lies between 0 and 1. Outputs beyond get no gradient, and labels beyond give losses "
        "below 0.",
        OUTPUT,
        "`activation: sigmoid`, or a linear output and `from_logits: true`.",
        _binary,
    ),
    Rule(
        "N003",
        "error",
        "With `from_logits: true` the loss applies sigmoid or softmax itself. Applied twice, the "
        "probabilities can't come near 0 and 1, and the loss can't come near 0.",
        PROBABILISTIC,
        "A linear output with `from_logits: true`, or the activation without it.",
        _promised_logits,
    ),
    Rule(
        "N004",
        "error",
        "The loss divides the outputs by their sum, cuts them to what lies between 0 and 1 and "
        "takes the logarithm. Of outputs that are negative or 0 nothing is left to learn from.",
        PROBABILISTIC,
        "`activation: softmax`, or a linear output and `from_logits: true`.",
        _exclusive,
    ),
    Rule(
        "N005",
        "warning",
        "Sigmoid treats each class as a question of its own, so that the outputs of a row don't "
        "add up to 1. The loss then divides by their sum, and what is predicted is not what was "
        "trained.",
        OUTPUT,
        "Softmax where a row has one class; BinaryCrossentropy where it may have several.",
        _sigmoid_of_classes,
    ),
    Rule(
        "N006",
        "warning",
        "A hinge loss is 0 only for outputs beyond 1 on the label's side, -1 or 1. Outputs that "
        "are never negative leave one of the classes at a loss of 1 or more.",
        "https://keras.io/api/losses/hinge_losses/",
        "A linear output, or tanh.",
        _hinge,
    ),
    Rule(
        "N007",
        "error",
        "The loss takes the logarithm of the output as it is. The first negative output makes it, "
        "and then all weights, NaN.",
        PROBABILISTIC,
        "`activation: softplus` or `exponential`.",
        _poisson,
    ),
    Rule(
        "N019",
        "hint",
        "A ReLU whose input is negative for every row gives 0 and has no gradient. A hidden layer "
        "has others to go on with, a single output has none.",
        OUTPUT,
        "`bias_initializer: {Constant: {value: MEAN OF THE TARGETS}}`, or softplus.",
        _dead_output,
    ),
    Rule(
        "N020",
        "warning",
        "Logits are any numbers. An activation that bounds them keeps the probabilities away from "
        "0 or from 1.",
        PROBABILISTIC,
        "A linear output.",
        _squeezed_logits,
    ),
)
