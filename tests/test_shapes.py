"""`config.shapes.trace`, which knows no Keras, against what the really built Keras does."""

from __future__ import annotations

import random

import pytest

from tftrain import config
from tftrain.config import Source, catalog, resolve, shapes, spec_of
from tftrain.config.text import read
from tftrain.errors import ConfigError

pytestmark = [
    pytest.mark.usefixtures("tensorflow"),
    pytest.mark.filterwarnings("ignore"),  # Keras warns of a softmax of one number, and goes on
]

SOURCE = Source(b"", read(b"{}", "test.yaml"))
# What another device than this could compute.
OF_THE_DEVICE = ("UNIMPLEMENTED", "only supports NHWC", "Current CPU implementations", "NCHW")


def layers_of(specs):
    return [
        resolve("layer", spec_of(spec), ("model", "layers", place), SOURCE)
        for place, spec in enumerate(specs)
    ]


def traced(inputs, *specs):
    return shapes.trace(layers_of(specs), inputs)


def kept(inputs, specs):
    """What Keras makes of it: shape and parameters of each layer, and where and why it refuses."""
    from tftrain import objects
    from tftrain.backend import keras, tf

    rows = []
    symbol, values = keras.Input(inputs), tf.zeros((1, *inputs))
    for layer in layers_of(specs):
        try:
            made = objects.build(layer, SOURCE)
            if layer.name == "InputLayer":
                keras.Sequential([made] if not rows else [keras.Input(inputs), made])
                if made.batch_shape[1:] != inputs:
                    return rows, "other rows than the data's"
                rows.append((inputs, 0))
                continue
            symbol = keras.Sequential([keras.Input(symbol.shape[1:]), made]).outputs[0]
            if values is not None:
                made(values, training=True)
                values = made(values, training=False)
        except Exception as error:  # noqa: BLE001 - Keras raises what it likes
            if not any(words in str(error) for words in OF_THE_DEVICE):
                return rows, str(error)
            values = None  # the layer fits, and what follows can be told from its shape
        rows.append((tuple(symbol.shape[1:]), made.count_params()))
        if values is not None and tuple(values.shape[1:]) != rows[-1][0]:
            rows[-1] = ("in doubt", None)
            values = None
    return rows, None


def compare(inputs, specs):
    """The table and Keras agree wherever both know; returns what the table knew."""
    table, fault = traced(inputs, *specs)
    rows, reason = kept(inputs, specs)
    told = f"{inputs} {specs}: {fault} | {reason}"
    for row, (shape, parameters) in zip(table, rows, strict=False):
        if row.shape is not None:
            assert row.shape == shape, told
        if row.parameters is not None:
            assert row.parameters == parameters, told
    if fault:
        assert reason is not None, told
        assert fault.path[2] == len(table) == len(rows), told
    elif reason is not None:
        assert table[len(rows)].shape is None, told
    else:
        assert len(table) == len(rows), told
    return table, fault


FLAT, STEPS, IMAGE, VOLUME = (6,), (7, 4), (6, 5, 4), (5, 4, 6, 2)
FIRST = {"data_format": "channels_first"}
EINSUM = {"equation": "abc,cd->abd", "output_shape": [7, 3]}
GRU = {"GRU": {"units": 3, "return_sequences": True}}
FITTING = [
    (FLAT, {"InputLayer": {"shape": [6]}}),
    (FLAT, {"Input": {"batch_shape": [None, 6]}}),
    (FLAT, {"Dense": {"units": 3}}),
    (IMAGE, {"Dense": {"units": 3, "use_bias": False, "activation": "relu"}}),
    (IMAGE, {"Conv2D": {"filters": 3, "kernel_size": [2, 3], "use_bias": False}}),
    (IMAGE, {"Convolution2D": {"filters": 4, "kernel_size": 2, "groups": 2, "strides": [2, 1]}}),
    (IMAGE, {"Conv2D": {"filters": 3, "kernel_size": 9, "padding": "SAME", "strides": 4}}),
    (IMAGE, {"Conv2D": {"filters": 3, "kernel_size": 3, "dilation_rate": 2}}),
    (STEPS, {"Conv1D": {"filters": 3, "kernel_size": 9, "padding": "causal", "strides": 3}}),
    (STEPS, {"Conv1D": {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 4}}),
    (VOLUME, {"Conv3D": {"filters": 3, "kernel_size": [3, 2, 4], "strides": 2}}),
    (STEPS, {"Conv1DTranspose": {"filters": 3, "kernel_size": 2, "strides": 3}}),
    (IMAGE, {"Conv2DTranspose": {"filters": 3, "kernel_size": 3, "strides": 2}}),
    (IMAGE, {"Conv2DTranspose": {"filters": 3, "kernel_size": 4, "padding": "same", "strides": 3}}),
    (
        IMAGE,
        {
            "Conv2DTranspose": {
                "filters": 3,
                "kernel_size": [3, 4],
                "strides": [2, 3],
                "padding": "same",
                "output_padding": [0, 2],
            }
        },
    ),
    (IMAGE, {"Conv2DTranspose": {"filters": 3, "kernel_size": 3, "dilation_rate": 2}}),
    (
        VOLUME,
        {"Conv3DTranspose": {"filters": 3, "kernel_size": 2, "strides": 2, "output_padding": 1}},
    ),
    (STEPS, {"SeparableConv1D": {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}}),
    (IMAGE, {"SeparableConv2D": {"filters": 3, "kernel_size": 3, "strides": 2, "use_bias": False}}),
    (STEPS, {"DepthwiseConv1D": {"kernel_size": 3, "dilation_rate": 2}}),
    (IMAGE, {"DepthwiseConv2D": {"kernel_size": [2, 3], "depth_multiplier": 3}}),
    (STEPS, {"MaxPooling1D": {}}),
    (STEPS, {"MaxPool1D": {"pool_size": 3, "strides": 1, "padding": "same"}}),
    (IMAGE, {"AveragePooling2D": {"pool_size": [4, 2], "strides": [1, 3]}}),
    (VOLUME, {"MaxPooling3D": {"pool_size": 3, "padding": "same"}}),
    (STEPS, {"GlobalMaxPooling1D": {"keepdims": True}}),
    (IMAGE, {"GlobalAveragePooling2D": FIRST}),
    (VOLUME, {"GlobalAvgPool3D": {"keepdims": True, **FIRST}}),
    (STEPS, {"AdaptiveAveragePooling1D": {"output_size": 3}}),
    (IMAGE, {"AdaptiveMaxPooling2D": {"output_size": [9, 2]}}),
    (IMAGE, "Flatten"),
    (FLAT, {"Flatten": FIRST}),
    (IMAGE, {"Reshape": {"target_shape": [-1, 8]}}),
    (IMAGE, {"Reshape": {"target_shape": [2, 3, 20]}}),
    ((1,), {"Reshape": {"target_shape": []}}),
    (IMAGE, {"Permute": {"dims": [3, 1, 2]}}),
    (FLAT, {"RepeatVector": {"n": 3}}),
    (STEPS, {"Cropping1D": {"cropping": 3}}),
    (STEPS, {"Cropping1D": {"cropping": [0, 6]}}),
    (IMAGE, {"Cropping2D": {"cropping": [[1, 2], 2]}}),
    (VOLUME, "Cropping3D"),
    (STEPS, {"ZeroPadding1D": {"padding": [2, 0]}}),
    (IMAGE, {"ZeroPadding2D": {"padding": [[1, 2], [0, 4]], **FIRST}}),
    (VOLUME, {"ZeroPadding3D": {"padding": 2}}),
    (STEPS, {"UpSampling1D": {"size": 3}}),
    (IMAGE, {"UpSampling2D": {"size": [2, 3], "interpolation": "bilinear"}}),
    (VOLUME, {"UpSampling3D": FIRST}),
    (FLAT, {"Dropout": {"rate": 1}}),
    (IMAGE, {"SpatialDropout2D": {"rate": 0.2}}),
    (STEPS, {"AlphaDropout": {"rate": 0.2}}),
    (FLAT, {"GaussianDropout": {"rate": 0.2}}),
    (FLAT, {"GaussianNoise": {"stddev": 1.0}}),
    (FLAT, {"Activation": {"activation": "softmax"}}),
    (FLAT, {"Activation": {"activation": {"leaky_relu": {"negative_slope": 0.1}}}}),
    (FLAT, {"Dense": {"units": 2, "activation": {"ReLU": {"max_value": 6}}}}),
    (FLAT, "ELU"),
    (FLAT, {"LeakyReLU": {"negative_slope": 0}}),
    (FLAT, {"ReLU": {"max_value": 1.5, "threshold": 0.1}}),
    (IMAGE, {"Softmax": {"axis": [1, -2]}}),
    (IMAGE, "PReLU"),
    (IMAGE, {"PReLU": {"shared_axes": [1, 2]}}),
    (IMAGE, {"PReLU": {"shared_axes": 0}}),
    (IMAGE, "BatchNormalization"),
    (IMAGE, {"BatchNormalization": {"axis": 1, "scale": False, "renorm": True}}),
    (IMAGE, {"LayerNormalization": {"axis": [3, 1]}}),
    (IMAGE, {"LayerNormalization": {"axis": -2, "center": False, "scale": False}}),
    (IMAGE, {"GroupNormalization": {"groups": 2}}),
    (IMAGE, {"GroupNormalization": {"groups": -1, "axis": -2, "center": False}}),
    (FLAT, {"GroupNormalization": {"groups": 3}}),
    (IMAGE, {"UnitNormalization": {"axis": [1, 2]}}),
    (IMAGE, {"RMSNormalization": {"axis": [3, 2]}}),
    (FLAT, {"SpectralNormalization": {"layer": {"Dense": {"units": 3}}}}),
    (
        IMAGE,
        {"SpectralNormalization": {"layer": {"Conv2D": {"filters": 3, "kernel_size": 2}}}},
    ),
    (
        IMAGE,
        {
            "SpectralNormalization": {
                "layer": {"DepthwiseConv2D": {"kernel_size": 2, "depth_multiplier": 3}}
            }
        },
    ),
    (STEPS, {"Embedding": {"input_dim": 9, "output_dim": 3, "mask_zero": True}}),
    (STEPS, {"SimpleRNN": {"units": 3, "use_bias": False}}),
    (STEPS, {"SimpleRNN": {"units": 3, "unroll": True}}),
    (STEPS, {"GRU": {"units": 3, "reset_after": False}}),
    (STEPS, GRU),
    (STEPS, {"LSTM": {"units": 3, "go_backwards": True}}),
    (STEPS, {"LSTM": {"units": 3, "use_bias": False, "return_sequences": True}}),
    (STEPS, {"RNN": {"cell": {"LSTMCell": {"units": 3}}}}),
    (STEPS, {"RNN": {"cell": [{"GRUCell": {"units": 3}}, {"SimpleRNNCell": {"units": 2}}]}}),
    (STEPS, {"RNN": {"cell": {"StackedRNNCells": {"cells": [{"GRUCell": {"units": 3}}]}}}}),
    (STEPS, {"Bidirectional": {"layer": GRU}}),
    (STEPS, {"Bidirectional": {"layer": {"LSTM": {"units": 2}}, "merge_mode": "ave"}}),
    (STEPS, {"Bidirectional": {"layer": {"RNN": {"cell": {"GRUCell": {"units": 2}}}}}}),
    (STEPS, {"TimeDistributed": {"layer": {"Dense": {"units": 3}}}}),
    (VOLUME, {"TimeDistributed": {"layer": {"Conv2D": {"filters": 3, "kernel_size": 2}}}}),
    (IMAGE, {"TimeDistributed": {"layer": {"TimeDistributed": {"layer": "BatchNormalization"}}}}),
    (IMAGE, {"ConvLSTM1D": {"filters": 3, "kernel_size": 2, "strides": 2}}),
    (
        VOLUME,
        {
            "ConvLSTM2D": {
                "filters": 3,
                "kernel_size": 3,
                "padding": "same",
                "return_sequences": True,
            }
        },
    ),
    (FLAT, {"Rescaling": {"scale": 0.1}}),
    (IMAGE, {"Rescaling": {"scale": [1.0, 2.0, 3.0, 4.0], "offset": -1}}),
    (STEPS, "Normalization"),
    (STEPS, {"Normalization": {"axis": None}}),
    (IMAGE, {"Normalization": {"axis": [1, -1]}}),
    (STEPS, {"Normalization": {"mean": [1.0, 2, 3, 4], "variance": [1.0, 1, 1, 1]}}),
    (IMAGE, {"Resizing": {"height": 3, "width": 9}}),
    (IMAGE, {"Resizing": {"height": 3, "width": 9, **FIRST}}),
    (IMAGE, {"CenterCrop": {"height": 9, "width": 2}}),
    (IMAGE, "RandomFlip"),
    (IMAGE, {"RandomRotation": {"factor": 0.1}}),
    (IMAGE, {"RandomZoom": {"height_factor": 0.1}}),
    (IMAGE, {"Discretization": {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}}),
    ((4, 1), {"Discretization": {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}}),
    (STEPS, {"CategoryEncoding": {"num_tokens": 3, "output_mode": "one_hot"}}),
    (FLAT, {"CategoryEncoding": {"num_tokens": 3}}),
    (FLAT, "Identity"),
    (STEPS, "Masking"),
    (STEPS, {"EinsumDense": {**EINSUM, "bias_axes": "d"}}),
    (STEPS, {"EinsumDense": {"equation": "...x,xy->...y", "output_shape": 3}}),
    (STEPS, {"EinsumDense": {"equation": "ab...,bc->ac...", "output_shape": 3}}),
    (STEPS, {"ReversibleEmbedding": {"input_dim": 9, "output_dim": 3, "tie_weights": False}}),
    (FLAT, {"Discretization": {"bin_boundaries": [0.0, 1.0]}}),
    (FLAT, {"Hashing": {"num_bins": 3}}),
    (STEPS, {"STFTSpectrogram": {"frame_length": 4}}),
    (STEPS, {"STFTSpectrogram": {"frame_length": 4, "mode": "stft", "expand_dims": True}}),
    (STEPS, {"STFTSpectrogram": {"frame_length": 8, "mode": "real", "padding": "same"}}),
    ((8,), {"MelSpectrogram": {"fft_length": 4, "sequence_stride": 2, "num_mel_bins": 3}}),
    (IMAGE, {"RandomShear": {"x_factor": [0.1, 0.3], "fill_mode": "nearest"}}),
    ((6, 5, 3), {"RandomHue": {"factor": 0.1}}),
    (FLAT, {"ActivityRegularization": {"l2": 0.1}}),
    (FLAT, {"Pipeline": {"layers": [{"Dense": {"units": 3}}, {"Dense": {"units": 2}}]}}),
]


@pytest.mark.parametrize(("inputs", "spec"), FITTING, ids=str)
def test_a_layer_that_fits_has_the_shape_and_parameters_that_keras_gives(inputs, spec):
    ((row,), fault) = compare(inputs, [spec])
    assert fault is None
    assert row.shape is not None
    assert row.parameters is not None


UNPADDED = {"output_padding": 0}
CONV = {"filters": 4, "kernel_size": 3}
REFUSED = [
    (FLAT, {"InputLayer": {"shape": [5]}}, "takes rows of shape (5,); the data's are (6,)"),
    (FLAT, {"Conv2D": CONV}, "put a Reshape to (height, width, channels) before it"),
    (VOLUME, {"Conv2D": CONV}, "rows of shape (5, 4, 6, 2): it takes rows of shape (height, wid"),
    (IMAGE, {"Conv2D": {**CONV, "kernel_size": 6}}, "its kernel, (6, 6), is larger"),
    (IMAGE, {"Conv2D": {**CONV, "kernel_size": 0}}, "`Conv2D`: `kernel_size`: expected a whole"),
    (
        IMAGE,
        {"Conv2D": {**CONV, "kernel_size": [3]}},
        "`kernel_size`: expected a whole number or 2",
    ),
    (IMAGE, {"Conv2D": {**CONV, "strides": 2, "dilation_rate": 2}}, "can't both be more than 1"),
    (IMAGE, {"Conv2D": {**CONV, "groups": 3}}, "a multiple of the 3 groups, got 4"),
    ((6, 5, 3), {"Conv2D": {**CONV, "groups": 2}}, "its 2 groups can't share 3 channels"),
    (IMAGE, {"Conv2D": {**CONV, "filters": 0}}, "`filters`: expected a whole number, at least 1"),
    (IMAGE, {"Conv2DTranspose": {**CONV, "output_padding": 1}}, "less than the strides (1, 1)"),
    (
        IMAGE,
        {"Conv2DTranspose": {"filters": 3, "kernel_size": 2, "padding": "same", **UNPADDED}},
        "an even kernel with `padding: same` needs",
    ),
    (IMAGE, {"DepthwiseConv2D": {"kernel_size": 2, "strides": [1, 2]}}, "strides (1, 2) differ"),
    (STEPS, {"MaxPooling2D": {}}, "it takes rows of shape (height, width, channels); put"),
    (STEPS, {"MaxPooling1D": {"pool_size": 8}}, "its pool, (8,), is larger"),
    (STEPS, {"MaxPooling1D": {"strides": 0}}, "`strides`: expected a whole number"),
    (FLAT, {"GlobalMaxPooling1D": {}}, "it takes rows of shape (steps, channels)"),
    (IMAGE, {"Reshape": {"target_shape": [7, -1]}}, "hold 120 numbers; (7, -1) needs a multiple"),
    (IMAGE, {"Reshape": {"target_shape": [7, 2]}}, "they hold 120 numbers; (7, 2) needs 14"),
    (IMAGE, {"Reshape": {"target_shape": [-1, -1]}}, "at most one of them -1"),
    (IMAGE, {"Reshape": {"target_shape": 120}}, "a list of whole numbers, got 120"),
    (IMAGE, {"Permute": {"dims": [2, 1]}}, "needs rows of 2 axes"),
    (IMAGE, {"Permute": {"dims": [0, 1, 2]}}, "each axis once, the first of them 1"),
    (IMAGE, {"Permute": {"dims": [1, 2, "3"]}}, "each axis once, the first of them 1"),
    (STEPS, {"RepeatVector": {"n": 2}}, "it takes rows of shape (features,)"),
    (STEPS, {"Cropping1D": {"cropping": [4, 3]}}, "it crops (7,), and nothing is left"),
    (IMAGE, {"ZeroPadding2D": {"padding": -1}}, "`padding`: expected"),
    (FLAT, {"Dropout": {"rate": 1.5}}, "a number between 0 and 1, got 1.5"),
    (STEPS, {"SpatialDropout2D": {"rate": 0.5}}, "it takes rows of shape (height, width"),
    (FLAT, {"LeakyReLU": {"negative_slope": -1}}, "a number, at least 0, got -1"),
    (FLAT, {"Softmax": {"axis": 2}}, "these have axes 1 to 1, `axis` is 2"),
    (STEPS, {"PReLU": {"shared_axes": [3]}}, "these have axes 1 to 2, `shared_axes` is [3]"),
    (IMAGE, {"BatchNormalization": {"axis": 4}}, "these have axes 1 to 3, `axis` is 4"),
    (IMAGE, {"LayerNormalization": {"axis": 0}}, "`axis` 0 is the batch's"),
    (IMAGE, "GroupNormalization", "4 channels can't be shared by 32 groups"),
    (STEPS, {"Normalization": {"mean": 1.0}}, "`mean` and `variance` go together"),
    (FLAT, {"LSTM": {"units": 3}}, "it takes rows of shape (steps, features); put a Reshape"),
    (STEPS, {"LSTM": {"units": -3}}, "`units`: expected a whole number, at least 1, got -3"),
    (FLAT, {"RNN": {"cell": {"GRUCell": {"units": 2}}}}, "rows of shape (steps, features)"),
    (STEPS, {"Bidirectional": {"layer": {"Dense": {"units": 2}}}}, "expected one of GRU, LSTM"),
    (
        STEPS,
        {"Bidirectional": {"layer": {"GRU": {"units": 2, "go_backwards": True}}}},
        "its layer may not go backwards itself",
    ),
    (FLAT, {"TimeDistributed": {"layer": {"Dense": {"units": 2}}}}, "of shape (steps, ...)"),
    (STEPS, {"TimeDistributed": {"layer": {"Conv2D": CONV}}}, "fit rows of shape (4,): it takes"),
    (IMAGE, {"ConvLSTM2D": CONV}, "it takes rows of shape (time, height, width, channels)"),
    (FLAT, {"Resizing": {"height": 2, "width": 2}}, "it takes rows of shape (height, width, ch"),
    (FLAT, "RandomFlip", "it takes rows of shape (height, width, channels); put a Reshape"),
    (FLAT, "Add", "`Add`: it takes several inputs"),
    (FLAT, {"Pipeline": {"layers": [{"Conv1D": CONV}]}}, "rows of shape (steps, channels)"),
    (STEPS, {"MultiHeadAttention": {"num_heads": 2, "key_dim": 2}}, "it takes several inputs"),
    (FLAT, {"GRUCell": {"units": 2}}, "a cell works inside of an RNN"),
    (FLAT, {"Wrapper": {"layer": "Flatten"}}, "name the layer inside alone"),
    (FLAT, "StringLookup", "it takes texts, and rows are numbers"),
    (FLAT, "IntegerLookup", "it needs a `vocabulary`"),
    (FLAT, {"Discretization": {"num_bins": 3}}, "it needs `bin_boundaries`"),
    (FLAT, {"Hashing": {"num_bins": 3, "sparse": True}}, "false, with `output_mode: int`"),
    (STEPS, {"MaxPooling1D": {"pool_mode": "max"}}, "its name is its `pool_mode`"),
    (STEPS, {"LSTM": {"units": 3, "stateful": True}}, "`stateful` needs batches of one size"),
    (FLAT, {"GaussianDropout": {"rate": 1}}, "less than 1, by which it divides"),
    (FLAT, {"ActivityRegularization": {"l1": [2, 2]}}, "`l1`: expected a number, at least 0"),
    (FLAT, {"Dense": {"units": 3, "bias_initializer": 0}}, "the name of a Keras initializer"),
    (FLAT, {"ActivityRegularization": {"activity_regularizer": "l2"}}, "it is one by itself"),
    (STEPS, {"EinsumDense": {**EINSUM, "equation": "ab->b"}}, "`equation`: expected `ab,bc->ac`"),
    (STEPS, {"EinsumDense": {**EINSUM, "equation": "abc,cd->abe"}}, "stands on one side alone"),
    (STEPS, {"EinsumDense": {**EINSUM, "output_shape": [3, 3]}}, "axis `b` has size 7, and 3 in"),
    (STEPS, {"EinsumDense": {**EINSUM, "bias_axes": "z"}}, "expected letters of abd"),
    (FLAT, {"EinsumDense": EINSUM}, "its equation needs 2 axes a row"),
    (STEPS, "STFTSpectrogram", "its frames of 256 are longer"),
    (STEPS, {"STFTSpectrogram": {"fft_length": 2}}, "`fft_length`: expected at least"),
    (FLAT, "MelSpectrogram", "half of its `fft_length`, 1024, must be less than the 6 steps"),
    (IMAGE, {"RandomContrast": {"factor": -0.3}}, "a number from 0 to 1, or two of them"),
    (IMAGE, {"RandomGrayscale": {"factor": 2}}, "a number from 0 to 1"),
    (IMAGE, {"RandomFlip": {"factor": 0.1}}, "it takes no `factor`"),
]


@pytest.mark.parametrize(("inputs", "spec", "message"), REFUSED, ids=str)
def test_a_layer_that_keras_refuses_is_told_with_what_it_needs(inputs, spec, message):
    table, fault = compare(inputs, [spec])
    assert not table
    assert message in fault.message


# Keras takes them and means something else, or nothing here tells what.
OPEN = [
    (FLAT, {"Dense": {"units": 4, "activation": "glu"}}),
    (FLAT, {"Dense": {"units": 4, "activation": {"PReLU": {}}}}),
    (STEPS, {"AdaptiveMaxPooling2D": {"output_size": 2}}),
    (IMAGE, {"TimeDistributed": {"layer": "GlobalMaxPooling2D"}}),
    (STEPS, {"Resizing": {"height": 2, "width": 2}}),
    (STEPS, {"CategoryEncoding": {"num_tokens": 3}}),
    (IMAGE, {"RandomCrop": {"height": 2, "width": 2}}),
    (IMAGE, {"RMSNormalization": {"axis": 1}}),
    (STEPS, {"Rescaling": {"scale": [1.0, 2.0]}}),
    (IMAGE, {"Conv2D": {"filters": 3, "kernel_size": 3, **FIRST}}),
    (IMAGE, {"MaxPooling2D": FIRST}),
    (IMAGE, {"MaxPooling2D": {"dtype": "float16"}}),
    (FLAT, {"PReLU": {"trainable": None}}),
    (FLAT, {"Dense": {"units": 4, "bias_initializer": "Orthogonal"}}),
    (FLAT, {"Dense": {"units": 4, "activation": {"softmax": {"axis": 1}}}}),
    (FLAT, {"Dense": {"units": 4, "activity_regularizer": "OrthogonalRegularizer"}}),
    (FLAT, {"Dense": {"units": 4, "activity_regularizer": "l2", "dtype": "float16"}}),
    (IMAGE, {"RandomHue": {"factor": 0.1}}),
]


@pytest.mark.parametrize(("inputs", "spec"), OPEN, ids=str)
def test_what_is_not_certain_stays_open_and_so_does_what_follows(inputs, spec):
    table, fault = traced(inputs, spec, {"Dense": {"units": 1}})
    assert fault is None
    assert [(row.shape, row.parameters) for row in table] == [(None, None)] * 2


@pytest.mark.parametrize("spec", [{"Conv2D": {**CONV, "strides": 0}}, "Add"], ids=str)
def test_what_no_rows_can_mend_is_told_where_they_are_not_known(spec):
    table, fault = traced(None, "Flatten", spec)
    assert [row.shape for row in table] == [None]
    assert fault.path == ("model", "layers", 1)
    assert traced(None, {"Conv2D": CONV}, "Flatten")[1] is None


def test_a_text_is_no_size_though_keras_takes_it_for_one_that_is_open():
    _, fault = traced(FLAT, {"Reshape": {"target_shape": [2, "3"]}})
    assert "whole numbers, at most one of them -1" in fault.message


def test_bins_are_whole_numbers_which_not_every_layer_takes():
    bins = {"Discretization": {"bin_boundaries": [0.0, 1.0]}}
    embedding = {"Embedding": {"input_dim": 3, "output_dim": 2}}
    table, _ = compare(FLAT, [bins, embedding, "Flatten", {"Dense": {"units": 1}}])
    assert [row.shape for row in table] == [(6,), (6, 2), (12,), (1,)]
    table, _ = traced(FLAT, bins, "Flatten", "BatchNormalization")
    assert [row.shape for row in table] == [(6,), (6,), None]


def test_lora_leaves_the_shape_and_opens_the_parameters():
    ((row,), _) = compare(FLAT, [{"Dense": {"units": 4, "lora_rank": 2}}])
    assert (row.shape, row.parameters) == ((4,), None)


def test_a_size_that_is_not_known_yet_opens_only_what_depends_on_it():
    table, fault = traced((None,), {"Dense": {"units": 3}}, {"Dense": {"units": 1}})
    assert fault is None
    assert [(row.shape, row.parameters) for row in table] == [((3,), None), ((1,), 4)]
    image = [{"Conv2D": CONV}, "MaxPooling2D", "BatchNormalization", "Flatten"]
    table, fault = traced((None, 8, 1), *image, {"Dense": {"units": 1}})
    assert fault is None
    assert [row.shape for row in table] == [(None, 6, 4), (None, 3, 4), (None, 3, 4), (None,), (1,)]


def test_a_fault_ends_the_table_and_has_the_place_of_the_layer_inside():
    inner = {"TimeDistributed": {"layer": {"Conv2D": CONV}}}
    table, fault = traced(STEPS, "Masking", inner)
    assert table[0].shape == STEPS
    assert table[1].shape is None  # what is masked, it may take otherwise
    table, fault = traced(STEPS, "Identity", inner, "Flatten")
    assert [row.layer.name for row in table] == ["Identity"]
    assert fault.path == ("model", "layers", 1, "TimeDistributed", "layer")
    assert fault.code == "K005"


def test_an_input_layer_stands_first():
    _, fault = compare(FLAT, ["Identity", {"InputLayer": {"shape": [6]}}])
    assert "stands first" in fault.message


def test_every_public_layer_has_a_rule_or_is_known_to_have_none():
    definitions = {entry.definition for entry in catalog.load().objects["layer"].values()}
    ruled = {"InputLayer", *shapes.RULES}
    assert not ruled & set(shapes.WITHOUT_RULE)
    assert definitions == ruled | set(shapes.WITHOUT_RULE)


def shipped():
    from pathlib import Path

    return sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_every_shipped_config_is_traced_whole(path):
    from tftrain import data, model

    read_config, source = config.load(path)
    form = data.load(read_config, source).form
    network = model.build(read_config, source, form)
    table, fault = traced(form.inputs, *read_config.model.layers)
    assert fault is None
    assert [row.shape for row in table] == [layer.output.shape[1:] for layer in network.layers]
    assert sum(row.parameters for row in table) == network.count_params()


BINS = ("int", "one_hot")


def one_of(rng, *values):
    return rng.choice(values)


def several(rng, count, *values):
    """A number for all directions, or one for each; at times one too many."""
    if rng.random() < 0.6:
        return one_of(rng, *values)
    return [one_of(rng, *values) for _ in range(count + (rng.random() < 0.05))]


def convolution(rng, kind, n):
    arguments = {
        "kernel_size": several(rng, n, 1, 2, 2, 3, 3, 5, 0 if rng.random() < 0.1 else 1),
        "strides": several(rng, n, 1, 1, 1, 2, 3),
        "padding": one_of(rng, "valid", "same", "same", "causal" if n == 1 else "valid"),
        "use_bias": rng.random() < 0.7,
    }
    if "Depthwise" not in kind:
        arguments["filters"] = one_of(rng, 1, 2, 3, 4, 6)
    if "Transpose" in kind:
        if rng.random() < 0.4:
            arguments["output_padding"] = several(rng, n, 0, 0, 1)
    elif rng.random() < 0.3:
        arguments["dilation_rate"] = several(rng, n, 1, 2)
    if kind == "Conv" and rng.random() < 0.3:
        arguments["groups"] = one_of(rng, 1, 2, 3)
    if kind in ("SeparableConv", "DepthwiseConv"):
        arguments["depth_multiplier"] = one_of(rng, 1, 2, 3)
    return arguments


def spatial(rng, n):
    """A layer for rows of `n` directions."""
    name = one_of(
        rng,
        *("Conv", "Conv", "ConvTranspose", "MaxPooling", "AveragePooling", "GlobalMaxPooling"),
        *("GlobalAveragePooling", "Cropping", "ZeroPadding", "UpSampling", "SpatialDropout"),
        *("SeparableConv", "DepthwiseConv", "AdaptiveMaxPooling", "AdaptiveAveragePooling"),
    )
    if name in ("SeparableConv", "DepthwiseConv"):
        n = min(n, 2)
    full = f"Conv{n}DTranspose" if name == "ConvTranspose" else f"{name}{n}D"
    pair = [[one_of(rng, 0, 1, 2), one_of(rng, 0, 0, 1, 3)] for _ in range(n)]
    size = one_of(rng, 0, 1, 2) if rng.random() < 0.4 else pair[0] if n == 1 else pair
    arguments = {
        "Cropping": {"cropping": size},
        "ZeroPadding": {"padding": size},
        "UpSampling": {"size": several(rng, n, 1, 2, 3)},
        "SpatialDropout": {"rate": one_of(rng, 0.2, 0.5, 1.2)},
    }.get(name)
    if arguments is None and name.startswith("Adaptive"):
        arguments = {"output_size": several(rng, n, 1, 2, 4)}
    if arguments is None and name.startswith("Global"):
        arguments = {"keepdims": rng.random() < 0.3}
    if arguments is None and name.endswith("Pooling"):
        padding = one_of(rng, "valid", "same")
        arguments = {"pool_size": several(rng, n, 1, 2, 2, 3), "padding": padding}
        if rng.random() < 0.4:
            arguments["strides"] = several(rng, n, 1, 2, 3)
    return {full: convolution(rng, name, n) if arguments is None else arguments}


def recurrent(rng):
    units, sequences = one_of(rng, 1, 2, 3), rng.random() < 0.5
    cells = [{one_of(rng, "GRUCell", "LSTMCell", "SimpleRNNCell"): {"units": units}}]
    cells += [{"GRUCell": {"units": 2, "use_bias": False}}] * (rng.random() < 0.3)
    common = {"return_sequences": sequences}
    one = one_of(
        rng,
        {"LSTM": {"units": units, "use_bias": rng.random() < 0.8, **common}},
        {"GRU": {"units": units, "reset_after": rng.random() < 0.5, **common}},
        {"SimpleRNN": {"units": units, **common}},
        {"RNN": {"cell": cells, **common}},
    )
    if rng.random() < 0.3:
        return {"Bidirectional": {"layer": one, "merge_mode": one_of(rng, "concat", "sum", "mul")}}
    return one


def anywhere(rng, rank):
    axis = one_of(rng, -1, -1, 1, rank, rank - 1, -rank, rank + 1 if rng.random() < 0.2 else -1)
    return one_of(
        rng,
        {"Dense": {"units": one_of(rng, 1, 2, 3, 4, 6), "use_bias": rng.random() < 0.7}},
        {"Dense": {"units": one_of(rng, 2, 4), "activation": one_of(rng, "relu", "softmax")}},
        {"Dropout": {"rate": one_of(rng, 0, 0.5, 1.5 if rng.random() < 0.2 else 0.2)}},
        "Flatten",
        "Identity",
        {"Activation": {"activation": one_of(rng, "tanh", "gelu", "softplus")}},
        {"PReLU": {"shared_axes": one_of(rng, None, [1], [rank], [axis])}},
        {"Softmax": {"axis": axis}},
        {"BatchNormalization": {"axis": axis, "center": rng.random() < 0.5}},
        {"LayerNormalization": {"axis": one_of(rng, axis, [1, -1], [-1, -2])}},
        {"RMSNormalization": {"axis": axis}},
        {"GroupNormalization": {"groups": one_of(rng, -1, 1, 2, 3, 32), "axis": axis}},
        {"UnitNormalization": {"axis": axis}},
        {"Normalization": {"axis": one_of(rng, axis, None)}},
        {"Rescaling": {"scale": 0.5}},
        {"Embedding": {"input_dim": 5, "output_dim": 2}},
        {"RepeatVector": {"n": one_of(rng, 1, 3)}},
        {"Reshape": {"target_shape": one_of(rng, [-1, 2], [-1, 4, 1], [2, 3], [3, -1, 2, 2])}},
        {"Permute": {"dims": rng.sample(range(1, rank + 1), rank)}},
        {"Resizing": {"height": 4, "width": 3}},
        {"CenterCrop": {"height": 2, "width": one_of(rng, 2, 9)}},
        "RandomFlip",
        {"RandomContrast": {"factor": 0.1}},
        {"SpectralNormalization": {"layer": {"Dense": {"units": 2}}}},
        {"CategoryEncoding": {"num_tokens": 2, "output_mode": one_of(rng, "one_hot", "count")}},
        {"Discretization": {"bin_boundaries": [0.0, 1.0], "output_mode": one_of(rng, *BINS)}},
        "Masking",
    )


def network(seed):
    """A network whose layers suit the rows that come in, mostly."""
    rng = random.Random(seed)  # noqa: S311 - no secrets
    rank = rng.randint(1, 4)
    inputs = tuple(one_of(rng, 1, 2, 3, 4, 6, 8) for _ in range(rank))
    specs = []
    table = []
    for _ in range(rng.randint(1, 6)):
        shape = table[-1].shape if table else inputs
        rank = len(shape) if shape else rank
        if rng.random() < 0.1:
            rank = rng.randint(1, 4)
        choices = [anywhere(rng, rank), anywhere(rng, rank)]
        if rank > 1:
            choices += [spatial(rng, rank - 1)] * 2
        if rank == 2:
            choices += [recurrent(rng)]
        if rank > 2:
            inner = one_of(rng, anywhere(rng, rank - 1), spatial(rng, rank - 2))
            choices += [{"TimeDistributed": {"layer": inner}}]
        specs.append(one_of(rng, *choices))
        try:
            table, fault = traced(inputs, *specs)
        except ConfigError:  # a value that the catalog knows to be wrong
            specs.pop()
            continue
        if fault or table[-1].shape is None:
            break
    return inputs, specs


GROUPS, EACH = 10, 40


@pytest.mark.parametrize("group", range(GROUPS))
def test_generated_networks_are_traced_as_keras_builds_them(group):
    known = faults = 0
    for seed in range(group * EACH, (group + 1) * EACH):
        table, fault = compare(*network(seed))
        known += any(row.shape is not None for row in table)
        faults += fault is not None
    assert known > EACH // 3
    assert faults > EACH // 10
