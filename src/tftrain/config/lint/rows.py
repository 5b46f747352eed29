"""A network and what is known of its rows in, why it may learn them badly out."""

from __future__ import annotations

from collections.abc import Iterator

from tftrain.config.data import kind_of
from tftrain.config.lint.facts import UNEQUAL
from tftrain.config.lint.layers import SATURATING, SCALERS, is_recurrent
from tftrain.config.lint.network import Finding, Network, Rule
from tftrain.config.resolve import Resolved

_FLAT_FROM, _LARGE_INPUT = 5, 10
_SCALE = (
    "`data.scaling: standardize`, of a table no `scaling: none` in `data.columns`; or a Rescaling "
    "or Normalization layer first."
)
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
                f"5: {_scaled_by(network)}"
            ),
        )


def _unscaled_other(network: Network) -> Iterator[Finding]:
    found = _unscaled(network)
    if found and not _saturating_first(network) and found[1] > _LARGE_INPUT:
        yield (
            ("data", "source"),
            (
                f"inputs of up to {found[1]:g} come in as they are: {_scaled_by(network)}, and "
                "learning rates fit that are usual"
            ),
        )


def _scaled_by(network: Network) -> str:
    """Which key scales inputs: a table's are scaled column by column, if nobody says otherwise."""
    data = network.config.data
    if kind_of(data.source) == "table" and data.series is None:
        return "leave `scaling: none` out of data.columns"
    return "set data.scaling to standardize"


def _beyond(network: Network) -> Iterator[Finding]:
    magnitude = network.facts.magnitude
    inner = (layer for layer in network.layers if layer.entry.definition != "InputLayer")
    first = next(inner, None)
    if magnitude is None or first is None or first.entry.definition != "Embedding":
        return
    known = first.get("input_dim")
    if isinstance(known, int) and magnitude >= known:
        yield (
            network.at(first, "input_dim"),
            (
                f"numbers up to {magnitude:.0f} come in, and an Embedding of {known} knows those "
                f"up to {known - 1}: take {magnitude + 1:.0f}, or of a text's words fewer by "
                "max_tokens"
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
        _SCALE,
        _unscaled_saturating,
    ),
    Rule(
        "N071",
        "hint",
        "The gradient of a weight grows with its input. Inputs around 0 of about the same size "
        "let one learning rate suit all weights.",
        _EFFICIENT,
        _SCALE,
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
    Rule(
        "N073",
        "error",
        "An Embedding has a vector for each number below `input_dim`, and none for others. "
        "TensorFlow refuses the first batch that holds one.",
        "https://keras.io/api/layers/core_layers/embedding/",
        "`input_dim` of the largest number and one more; of words at least the column's "
        "`max_tokens`.",
        _beyond,
    ),
)
