"""A layer in, what the rules ask of it out: its kind, its activation, its width."""

from __future__ import annotations

from typing import Any

from tftrain.config.resolve import Resolved

SIGMOIDS = ("sigmoid", "hardsigmoid", "sparsesigmoid")
SOFTMAXES = ("softmax", "sparsemax")
PROBABILITIES = (*SIGMOIDS, *SOFTMAXES)
SATURATING = (*SIGMOIDS, "tanh", "hardtanh", "softsign")
NEVER_NEGATIVE = ("relu", "relu6", "softplus", "exponential", "squareplus", "sparseplus")
# What an activation gives, where that is bounded on both sides.
RANGES = {
    **dict.fromkeys(PROBABILITIES, (0.0, 1.0)),
    **dict.fromkeys(("tanh", "hardtanh", "softsign"), (-1.0, 1.0)),
    "relu6": (0.0, 6.0),
}
DROPOUTS = (
    "Dropout",
    "AlphaDropout",
    "GaussianDropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
)
NOISES = (*DROPOUTS, "GaussianNoise")
SCALERS = (
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "Normalization",
    "RMSNormalization",
    "Rescaling",
    "UnitNormalization",
)
MAPS = (
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "EinsumDense",
    "SeparableConv1D",
    "SeparableConv2D",
)
ACTIVATIONS = ("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax")
_WRAPPERS = ("SpectralNormalization", "TimeDistributed")
KEEPS_VALUES = (
    "ActivityRegularization",
    "Flatten",
    "Identity",
    "InputLayer",
    "Permute",
    "Reshape",
)
# Linear once the network is trained: noise is gone, and BatchNormalization's numbers are fixed.
LINEAR = (
    *KEEPS_VALUES,
    *NOISES,
    "BatchNormalization",
    "Normalization",
    "RepeatVector",
    "Rescaling",
    *(f"{name}{axes}D" for name in ("ZeroPadding", "Cropping", "UpSampling") for axes in (1, 2, 3)),
    *(
        f"{name}Pooling{axes}D"
        for name in ("Average", "GlobalAverage", "AdaptiveAverage")
        for axes in (1, 2, 3)
    ),
)
KEEPS_SHAPE = (*ACTIVATIONS, *NOISES, *SCALERS, "ActivityRegularization", "Identity")


def inner(layer: Resolved) -> Resolved:
    """The layer inside a wrapper that changes nothing of its kind."""
    while layer.entry.definition in _WRAPPERS and isinstance(layer.get("layer"), Resolved):
        layer = layer.get("layer")
    return layer


def activation_of(layer: Resolved) -> str | None:
    """What a layer does to its values at last, `linear` for nothing, None where unknown."""
    kind = layer.entry.definition
    if kind in ACTIVATIONS and kind != "Activation":
        slope = kind == "ReLU" and layer.get("negative_slope")
        return "leakyrelu" if slope else kind.lower()
    if kind in MAPS or kind == "Activation" or "recurrent_initializer" in layer.entry.arguments:
        return _named(layer.get("activation"))
    return None


def _named(activation: Any) -> str:
    if activation is None:
        return "linear"
    if isinstance(activation, Resolved):
        if activation.kind == "layer":
            return activation_of(activation) or activation.name.lower()
        activation = activation.name
    return str(activation).replace("_", "").lower()


def is_recurrent(layer: Resolved) -> bool:
    """Whether a layer goes along a sequence step by step."""
    return "recurrent_initializer" in layer.entry.arguments or layer.name in (
        "Bidirectional",
        "RNN",
    )


def number(one: Resolved, argument: str) -> float | None:
    """An argument that is a number: what else Keras would make of it, it says itself."""
    value = one.get(argument)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def units_of(layer: Resolved) -> int | None:
    """The width of a layer's output, where the layer itself tells."""
    size = layer.get("units") or layer.get("filters")
    return size if isinstance(size, int) and not isinstance(size, bool) else None


def has_weights(layer: Resolved) -> bool:
    """Whether a layer begins a block: it multiplies, looks up or remembers."""
    known = layer.entry.arguments
    tables = "kernel_initializer" in known or "embeddings_initializer" in known
    return layer.entry.definition in MAPS or tables or is_recurrent(layer)
