"""For each of Keras's layers: the shape and the parameters that follow from a row's shape.

A rule is a small function for a family of layers, found by the layer's name in `RULES`. It follows
the layer's `build`, `compute_output_shape` and `call` in keras/src/layers, and refuses what one of
them refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tftrain.config.resolve import Resolved
from tftrain.config.shapes import categories, einsum, images, layers, nested, sounds, space
from tftrain.config.shapes.arguments import Output, Shape

# A layer, the shape of its rows, and the rule of rules: for the layers inside it.
Rule = Callable[[Resolved, Shape, Callable[[Resolved, Shape], Output]], Output]
_Plain = Callable[[Resolved, Shape], Output]


def _alone(rule: _Plain) -> Rule:
    """A rule of a layer with none inside."""
    return lambda layer, shape, _inner: rule(layer, shape)


def _family(name: str, rule: Callable[..., Output], most: int = 3) -> dict[str, Rule]:
    """The layers of one family for 1 to `most` directions: `MaxPooling1D`, ..."""
    return {name.format(n): _alone(partial(rule, directions=n)) for n in range(1, most + 1)}


_ALONE: Mapping[_Plain, tuple[str, ...]] = {
    layers.same: ("Activation", "ELU", "Identity"),
    layers.masking: ("Masking",),
    layers.penalty: ("ActivityRegularization",),
    layers.activation: ("LeakyReLU", "ReLU"),
    layers.softmax: ("Softmax", "UnitNormalization"),
    layers.prelu: ("PReLU",),
    layers.noise: ("AlphaDropout", "Dropout", "GaussianDropout"),
    layers.dense: ("Dense",),
    layers.embedding: ("Embedding",),
    layers.reversible: ("ReversibleEmbedding",),
    layers.flatten: ("Flatten",),
    einsum.einsum: ("EinsumDense",),
    sounds.mel: ("MelSpectrogram",),
    sounds.stft: ("STFTSpectrogram",),
    layers.reshape: ("Reshape",),
    layers.permute: ("Permute",),
    layers.repeat: ("RepeatVector",),
    layers.batch_normalization: ("BatchNormalization",),
    layers.layer_normalization: ("LayerNormalization",),
    layers.rms_normalization: ("RMSNormalization",),
    layers.group_normalization: ("GroupNormalization",),
    layers.normalization: ("Normalization",),
    layers.rescaling: ("Rescaling",),
    categories.discretization: ("Discretization",),
    categories.category_encoding: ("CategoryEncoding",),
    categories.hashing: ("Hashing",),
    categories.integer_lookup: ("IntegerLookup",),
    categories.of_texts: ("StringLookup", "TextVectorization"),
    images.varied: images.VARYING,
    images.grey: ("RandomGrayscale",),
    images.resized: ("CenterCrop", "Resizing"),
    images.cropped: ("RandomCrop",),
    images.chosen: images.CHOSEN,
    nested.recurrent: ("GRU", "LSTM", "SimpleRNN"),
    nested.rnn: ("RNN",),
    layers.joining: (
        *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"),
        *("AdditiveAttention", "Attention", "GroupedQueryAttention", "MultiHeadAttention"),
        "HashedCrossing",
    ),
    layers.cell: (*nested.CELLS, "StackedRNNCells"),
    layers.wrapper: ("Wrapper",),
}
RULES: Mapping[str, Rule] = {
    **{name: _alone(rule) for rule, names in _ALONE.items() for name in names},
    "GaussianNoise": _alone(partial(layers.noise, argument="stddev")),
    **_family("SpatialDropout{}D", layers.noise),
    **_family("Conv{}D", space.convolution),
    **_family("Conv{}DTranspose", space.transposed),
    **_family("SeparableConv{}D", space.separable, 2),
    **_family("DepthwiseConv{}D", space.depthwise, 2),
    **_family("MaxPooling{}D", space.pooling),
    **_family("AveragePooling{}D", space.pooling),
    **_family("GlobalMaxPooling{}D", space.global_pooling),
    **_family("GlobalAveragePooling{}D", space.global_pooling),
    **_family("AdaptiveMaxPooling{}D", space.adaptive_pooling),
    **_family("AdaptiveAveragePooling{}D", space.adaptive_pooling),
    **_family("Cropping{}D", space.cropping),
    **_family("ZeroPadding{}D", space.padding),
    **_family("UpSampling{}D", space.up_sampling),
    **_family("ConvLSTM{}D", space.conv_lstm),
    "Bidirectional": nested.bidirectional,
    "TimeDistributed": nested.time_distributed,
    "SpectralNormalization": nested.spectral,
    "Pipeline": nested.pipeline,
}
WITHOUT_RULE = (
    *("ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "MaxNumBoundingBoxes"),
    *("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"),  # refused
)
