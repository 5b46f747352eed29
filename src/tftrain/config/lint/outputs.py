"""A network in, where its output, its loss and its targets don't fit together out."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tftrain.config.lint.network import (
    NEVER_NEGATIVE,
    PROBABILITIES,
    SIGMOIDS,
    SOFTMAXES,
    Finding,
    Network,
    Rule,
    inner,
)
from tftrain.config.lint.references import OUTPUT
from tftrain.config.losses import family

_RANGES = {
    **dict.fromkeys(PROBABILITIES, (0.0, 1.0)),
    **dict.fromkeys(("tanh", "hardtanh", "softsign"), (-1.0, 1.0)),
    "relu6": (0.0, 6.0),
}
_LOSS = ("training", "loss")
_TWO = 2
# What a ReLU's bias needs, to start where it learns.
_ZEROS = ("zeros", "Zeros")
_BISHOP = "Bishop (2006), Pattern Recognition and Machine Learning, section 5.2"
_PROBABILISTIC = "https://keras.io/api/losses/probabilistic_losses/"


def _loss_name(network: Network) -> str:
    return network.loss.name if network.loss else network.config.training.loss.name


def _is_crossentropy(network: Network, *families: str) -> bool:
    """Whether the loss is a cross-entropy of one of these families, and no hinge."""
    loss = network.config.training.loss
    return family(loss) in families and "hinge" not in loss.name.lower()


def _from_logits(network: Network) -> bool:
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
    if not output or _from_logits(network) or output.name in PROBABILITIES:
        return
    if _is_crossentropy(network, "binary") or two:
        yield (
            output.path,
            f"`{_loss_name(network)}` takes the logarithm of outputs between 0 and 1, these are "
            f"`{output.name}`: take sigmoid, or give the loss from_logits: true"
            + (" and leave the output linear" if output.name != "linear" else ""),
        )


def _promised_logits(network: Network) -> Iterator[Finding]:
    output, loss = network.output, network.loss
    if output and loss and _from_logits(network) and output.name in PROBABILITIES:
        yield (
            network.at(loss, "from_logits"),
            (
                f"`{loss.name}` applies the activation itself, and the outputs have "
                f"`{output.name}` already: leave out from_logits, or make the output linear"
            ),
        )


def _exclusive(network: Network) -> Iterator[Finding]:
    output, loss = network.output, network.loss
    if not output or not loss or _from_logits(network) or output.name in PROBABILITIES:
        return
    if _is_crossentropy(network, "sparse", "categorical"):
        yield (
            output.path,
            f"`{loss.name}` takes the logarithm of probabilities, these outputs are "
            f"`{output.name}`: take softmax, or give the loss from_logits: true"
            + (" and leave the output linear" if output.name != "linear" else ""),
        )


def _sigmoid_of_classes(network: Network) -> Iterator[Finding]:
    output = network.output
    several = network.units is not None and network.units > 1 and not _from_logits(network)
    exclusive = _is_crossentropy(network, "sparse", "categorical", "crossentropy")
    if output and output.name in SIGMOIDS and several and exclusive:
        yield (
            output.path,
            (
                f"`{_loss_name(network)}` is for classes that exclude each other, and these "
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
                f"`{_loss_name(network)}` wants outputs of -1 and less for one class, `"
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


def _labels(network: Network) -> Iterator[Finding]:
    """What data.labels refuses as well, once the data are read."""
    facts, kind = network.facts, family(network.config.training.loss)
    name = _loss_name(network)
    if kind == "numbers":
        return
    outside = facts.target == "numbers" and facts.highest is not None and facts.highest > 1
    if outside and (kind != "sparse" or facts.labels == ()):
        yield _LOSS, f"`{name}` is for classes, the targets are numbers: take MeanSquaredError"
    elif kind == "sparse" and (facts.labels or network.config.data.one_hot):
        yield (
            _LOSS,
            f"`{name}` takes class numbers, the labels are rows of 0 and 1: take "
            "CategoricalCrossentropy" + (", or data.one_hot: false" * network.config.data.one_hot),
        )
    elif kind == "categorical" and facts.target == "classes" and facts.labels == ():
        yield (
            _LOSS,
            (
                f"`{name}` takes rows of 0 and 1, the labels are class numbers: set data.one_hot "
                "to true, or take SparseCategoricalCrossentropy"
            ),
        )
    elif kind in ("binary", "hinge") and facts.labels == () and (facts.classes or 0) > _TWO:
        yield (
            _LOSS,
            (
                f"`{name}` tells two classes apart, there are {facts.classes}: take "
                "SparseCategoricalCrossentropy and softmax, or two of them by data.classes"
            ),
        )


def _spare_units(network: Network) -> Iterator[Finding]:
    units, classes = network.units, network.facts.classes
    if units and classes and units > classes and _is_crossentropy(network, "sparse"):
        place = network.blocks[-1].layer if network.blocks else network.layers[-1]
        yield (
            network.at(place, "units"),
            f"{units} outputs for {classes} classes: the rest are learnt to be 0; take {classes}",
        )


def _out_of_reach(network: Network) -> Iterator[Finding]:
    output, facts = network.output, network.facts
    if not output or facts.target != "numbers" or output.name not in _RANGES:
        return
    low, high = _RANGES[output.name]
    if facts.lowest is None or facts.highest is None:
        return
    if facts.lowest < low or facts.highest > high:
        yield (
            output.path,
            (
                f"`{output.name}` gives numbers from {low:g} to {high:g}, the targets go from "
                f"{facts.lowest:g} to {facts.highest:g}: leave the output linear"
            ),
        )


def _negative_targets(network: Network) -> Iterator[Finding]:
    output, lowest = network.output, network.facts.lowest
    unbounded = output and output.name in NEVER_NEGATIVE and output.name not in _RANGES
    if output and unbounded and network.facts.target == "numbers" and (lowest or 0) < 0:
        yield (
            output.path,
            (
                f"`{output.name}` gives no negative number, the targets begin at {lowest:g}: leave "
                "the output linear"
            ),
        )


def _positive_targets(network: Network) -> Iterator[Finding]:
    output, facts = network.output, network.facts
    known = facts.target == "numbers" and facts.lowest is not None and facts.lowest >= 0
    if output and known and output.name == "linear" and not _from_logits(network):
        yield (
            output.path,
            (
                f"the targets begin at {facts.lowest:g}, the outputs may be negative: if a target "
                "never is, softplus or relu says so"
            ),
        )


def _numbered_classes(network: Network) -> Iterator[Finding]:
    facts = network.facts
    many = facts.target == "classes" and (facts.classes or 0) > _TWO and facts.labels == ()
    if many and family(network.config.training.loss) == "numbers":
        yield (
            _LOSS,
            (
                f"`{_loss_name(network)}` takes the numbers of {facts.classes} classes for "
                "quantities, as if class 2 were twice class 1: take SparseCategoricalCrossentropy"
            ),
        )


def _numbers_for_classes(network: Network) -> Iterator[Finding]:
    facts, output = network.facts, network.output
    if facts.target != "classes" or family(network.config.training.loss) != "numbers":
        return
    if not output or output.name not in PROBABILITIES:
        return
    if facts.classes == _TWO or facts.labels:
        better = "CategoricalCrossentropy" if facts.labels else "BinaryCrossentropy"
        yield _LOSS, f"`{_loss_name(network)}` on classes learns slowly: take {better}"


def _dead_output(network: Network) -> Iterator[Finding]:
    output = network.output
    if not output or output.name not in ("relu", "relu6") or not network.blocks:
        return
    layer = network.blocks[-1].layer
    bias = layer.get("bias_initializer")
    name = getattr(bias, "name", bias)
    starts = name in _ZEROS or not layer.get("use_bias")
    if starts and network.units == 1 and family(network.config.training.loss) == "numbers":
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
    if not output or not _from_logits(network):
        return
    if output.name in (*NEVER_NEGATIVE, "tanh", "hardtanh", "softsign"):
        low, high = _RANGES.get(output.name, (0.0, math.inf))
        least = 1 / (1 + math.exp(-low))
        most = 1 / (1 + math.exp(-high))
        binary = _is_crossentropy(network, "binary")
        reach = f": a probability lies between {least:.2f} and {most:.2f}" if binary else ""
        yield output.path, f"logits from `{output.name}`{reach}; make the output linear"


RULES = (
    Rule(
        "N001",
        "error",
        "Softmax divides by the sum over the units, so that one unit alone is always 1. Nothing "
        "before it can change the output, and the gradient is 0.",
        _BISHOP,
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
        _PROBABILISTIC,
        "A linear output with `from_logits: true`, or the activation without it.",
        _promised_logits,
    ),
    Rule(
        "N004",
        "error",
        "The loss divides the outputs by their sum, cuts them to what lies between 0 and 1 and "
        "takes the logarithm. Of outputs that are negative or 0 nothing is left to learn from.",
        _PROBABILISTIC,
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
        _PROBABILISTIC,
        "`activation: softplus` or `exponential`.",
        _poisson,
    ),
    Rule(
        "N008",
        "error",
        "Each loss for classes takes labels of one form: class numbers, rows of 0 and 1, or 0 and "
        "1 alone. Keras stretches or cuts others without a word.",
        _PROBABILISTIC,
        "The loss that goes with the labels, or `data.one_hot`.",
        _labels,
    ),
    Rule(
        "N009",
        "warning",
        "An output without a class costs parameters and can only ever be wrong. Often the number "
        "of units is left over from another set of classes.",
        OUTPUT,
        "As many units as classes.",
        _spare_units,
    ),
    Rule(
        "N010",
        "error",
        "A bounded activation can't give a number beyond its bounds. The network then predicts "
        "its bound for every row, where the gradient is 0.",
        OUTPUT,
        "A linear output, or ReLU or softplus for targets that are never negative.",
        _out_of_reach,
    ),
    Rule(
        "N011",
        "warning",
        "ReLU and softplus give no negative number. Every negative target is predicted as 0 at "
        "best.",
        OUTPUT,
        "A linear output.",
        _negative_targets,
    ),
    Rule(
        "N012",
        "hint",
        "A linear output may be negative where no target can be, such as a price. ReLU or "
        "softplus rules that out.",
        OUTPUT,
        "`activation: softplus` or `relu`, if the target can't be negative by its nature.",
        _positive_targets,
    ),
    Rule(
        "N013",
        "warning",
        "A loss for numbers takes class 2 for more than class 1, and its average for class 1. The "
        "order of classes means nothing in most data.",
        OUTPUT,
        "`SparseCategoricalCrossentropy` with softmax and a unit for each class.",
        _numbered_classes,
    ),
    Rule(
        "N014",
        "hint",
        "Behind sigmoid or softmax the gradient of a squared error vanishes where the output is "
        "wrong but sure. That of the cross-entropy is largest there.",
        _BISHOP,
        "`BinaryCrossentropy` for 0 and 1, `CategoricalCrossentropy` for rows of them.",
        _numbers_for_classes,
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
        _PROBABILISTIC,
        "A linear output.",
        _squeezed_logits,
    ),
)
