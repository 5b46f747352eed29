"""A network and what is known of its rows in, why it may learn them badly out."""

from __future__ import annotations

from collections.abc import Iterator

from tftrain.config.lint.facts import UNEQUAL
from tftrain.config.lint.layers import SATURATING, SCALERS, is_recurrent
from tftrain.config.lint.network import Finding, Network, Rule
from tftrain.config.resolve import Resolved

_FLAT_FROM, _LARGE_INPUT = 5, 10
_EFFICIENT = "LeCun et al. (1998), Efficient BackProp, section 4.3"


def _unscaled(network: Network) -> tuple[Resolved, float] | None:
    """The first layer with weights, and how large its inputs are, if nothing scales them."""
    magnitude = network.facts.magnitude
    if magnitude is None or not network.blocks:
        return None
    block = network.blocks[0]
    before = {layer.name for layer in network.between(0, block.place)}
    if before & set(SCALERS) or block.layer.get("embeddings_initializer"):
        return None
    return network.layers[block.place], magnitude


def _saturating_first(network: Network) -> bool:
    block = network.blocks[0]
    return block.activation in SATURATING or is_recurrent(block.layer)


def _unscaled_saturating(network: Network) -> Iterator[Finding]:
    found = _unscaled(network)
    if found and _saturating_first(network) and found[1] > _FLAT_FROM:
        layer, magnitude = found
        name = network.blocks[0].activation
        yield (
            network.at(layer, "activation"),
            (
                f"inputs of up to {magnitude:g} come in as they are, and `{name}` is flat beyond "
                "5: set data.scaling to standardize"
            ),
        )


def _unscaled_other(network: Network) -> Iterator[Finding]:
    found = _unscaled(network)
    if found and not _saturating_first(network) and found[1] > _LARGE_INPUT:
        yield (
            ("data", "source"),
            (
                f"inputs of up to {found[1]:g} come in as they are: with data.scaling: standardize "
                "learning rates fit that are usual"
            ),
        )


def _unequal(network: Network) -> Iterator[Finding]:
    data, imbalance = network.config.data, network.facts.imbalance
    weighted = network.config.training.class_weight is not None or data.sample_weight is not None
    weighted |= getattr(data.source, "sample_weight", None) is not None
    if imbalance and imbalance >= UNEQUAL and not weighted:
        yield (
            ("data", "classes") if data.classes else ("data", "source"),
            (
                f"{imbalance:.0f} rows of the largest class for each of the smallest, which a "
                "network may ignore: set training.class_weight to balanced, and watch Recall or AUC"
            ),
        )


RULES = (
    Rule(
        "N070",
        "warning",
        "Sigmoid and tanh are flat beyond 5 or so, and a sum of large inputs lies far beyond. "
        "There the gradient is almost 0, and much of what tells rows apart is lost.",
        _EFFICIENT,
        "`data.scaling: standardize`, or a Rescaling or Normalization layer first.",
        _unscaled_saturating,
    ),
    Rule(
        "N071",
        "hint",
        "The gradient of a weight grows with its input. Inputs around 0 of about the same size "
        "let one learning rate suit all weights.",
        _EFFICIENT,
        "`data.scaling: standardize`, or a Rescaling or Normalization layer first.",
        _unscaled_other,
    ),
    Rule(
        "N072",
        "warning",
        "Where one class is rare, a network that never predicts it has a good accuracy. Weights "
        "make each class count the same.",
        "He and Garcia (2009), Learning from Imbalanced Data; docs/how-to/class-imbalance.md",
        "`class_weight: balanced`, and Recall, Precision or AUC as metrics.",
        _unequal,
    ),
)
