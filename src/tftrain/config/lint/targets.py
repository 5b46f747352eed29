"""A network in, where its outputs or its loss don't suit the targets out."""

from __future__ import annotations

from collections.abc import Iterator

from tftrain.config.lint.layers import NEVER_NEGATIVE, PROBABILITIES, RANGES
from tftrain.config.lint.network import Finding, Network, Rule
from tftrain.config.lint.outputs import from_logits, is_crossentropy, loss_name
from tftrain.config.lint.references import BISHOP, OUTPUT, PROBABILISTIC
from tftrain.config.losses import family

_LOSS = ("training", "loss")
_TWO = 2


def _labels(network: Network) -> Iterator[Finding]:
    """What data.labels refuses as well, once the data are read."""
    facts, kind = network.facts, family(network.config.training.loss)
    name = loss_name(network)
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
    if units and classes and units > classes and is_crossentropy(network, "sparse"):
        place = network.blocks[-1].layer if network.blocks else network.layers[-1]
        yield (
            network.at(place, "units"),
            f"{units} outputs for {classes} classes: the rest are learnt to be 0; take {classes}",
        )


def _are_numbers(network: Network) -> bool:
    """Whether outputs are to be the targets; a loss of one's own may want something else."""
    return network.facts.target == "numbers" and not network.has_own_loss


def _out_of_reach(network: Network) -> Iterator[Finding]:
    output, facts = network.output, network.facts
    if not output or not _are_numbers(network) or output.name not in RANGES:
        return
    low, high = RANGES[output.name]
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
    unbounded = output and output.name in NEVER_NEGATIVE and output.name not in RANGES
    if output and unbounded and _are_numbers(network) and (lowest or 0) < 0:
        yield (
            output.path,
            (
                f"`{output.name}` gives no negative number, the targets begin at {lowest:g}: leave "
                "the output linear"
            ),
        )


def _positive_targets(network: Network) -> Iterator[Finding]:
    output, facts = network.output, network.facts
    known = _are_numbers(network) and facts.lowest is not None and facts.lowest >= 0
    if output and known and output.name == "linear" and not from_logits(network):
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
    if many and network.is_of_numbers:
        yield (
            _LOSS,
            (
                f"`{loss_name(network)}` takes the numbers of {facts.classes} classes for "
                "quantities, as if class 2 were twice class 1: take SparseCategoricalCrossentropy"
            ),
        )


def _numbers_for_classes(network: Network) -> Iterator[Finding]:
    facts, output = network.facts, network.output
    if facts.target != "classes" or not network.is_of_numbers:
        return
    if not output or output.name not in PROBABILITIES:
        return
    if facts.classes == _TWO or facts.labels:
        better = "CategoricalCrossentropy" if facts.labels else "BinaryCrossentropy"
        yield _LOSS, f"`{loss_name(network)}` on classes learns slowly: take {better}"


RULES = (
    Rule(
        "N008",
        "error",
        "Each loss for classes takes labels of one form: class numbers, rows of 0 and 1, or 0 and "
        "1 alone. Keras stretches or cuts others without a word.",
        PROBABILISTIC,
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
        BISHOP,
        "`BinaryCrossentropy` for 0 and 1, `CategoricalCrossentropy` for rows of them.",
        _numbers_for_classes,
    ),
)
