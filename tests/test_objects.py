"""Every public object of the installed Keras by its name, against what plain Keras makes."""

from __future__ import annotations

import inspect
import json
import textwrap

import numpy as np
import pytest

from conftest import MODULES
from tftrain.config import Source, spec_of
from tftrain.config.text import plain, read
from tftrain.errors import ConfigError

pytestmark = pytest.mark.usefixtures("tensorflow")

BASES = {
    "Layer",
    "Initializer",
    "Regularizer",
    "Constraint",
    "Loss",
    "Metric",
    "Optimizer",
    "LearningRateSchedule",
    "Callback",
}
NOT_OBJECTS = {"get", "serialize", "deserialize"}
# What takes tensors at once, or describes them, and has no place in a list of layers.
FUNCTIONAL = {
    *("Input", "InputSpec", "add", "average", "concatenate", "dot", "maximum", "minimum"),
    *("multiply", "subtract"),
}
PART_OF = {"OptimizerMap": "MultiOptimizer's argument"}
REFUSED = {
    "CallbackList": "one by one",
    "FlaxLayer": "Python code",
    "JaxLayer": "Python code",
    "Lambda": "Python code",
    "LambdaCallback": "Python code",
    "Mean": "compares no outputs",
    "RemoteMonitor": "a server",
    "Sum": "compares no outputs",
    "TFSMLayer": "a program from a file",
    "TorchModuleWrapper": "Python code",
}
# Functions that Keras's losses can't call by their name alone; the class has a default.
CLASS_INSTEAD = {"categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy"}
NEEDS_PACKAGE = {"OrbaxCheckpoint": "orbax"}

RATE = {"rate": 0.25}
FACTOR = {"factor": 0.2}
UNITS = {"units": 3}
WRAPPED = {"layer": {"Dense": {"units": 3}}}
POOL = {"pool_size": 2}
SIZE = {"output_size": 2}
HEIGHT_WIDTH = {"height": 4, "width": 5}
EMBEDDING = {"input_dim": 5, "output_dim": 3}
CLASSES = {"num_classes": 2}
CLASS_IDS = {"num_classes": 2, "target_class_ids": [0]}
DECAY = {"initial_learning_rate": 0.1, "decay_steps": 10}
# By name: what it can't be made without.
ARGUMENTS = {
    "Activation": {"activation": "relu"},
    "AlphaDropout": RATE,
    "BackupAndRestore": {"backup_dir": "backup"},
    "Bidirectional": {"layer": {"LSTM": UNITS}},
    "CSVLogger": {"filename": "log.csv"},
    "CategoryEncoding": {"num_tokens": 4},
    "CenterCrop": HEIGHT_WIDTH,
    "CosineDecay": DECAY,
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    "Dense": UNITS,
    "DepthwiseConv1D": {"kernel_size": 2},
    "DepthwiseConv2D": {"kernel_size": [2, 1]},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "Dot": {"axes": 1},
    "Dropout": RATE,
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": EMBEDDING,
    "ExponentialDecay": {**DECAY, "decay_rate": 0.9},
    "GRU": UNITS,
    "GRUCell": UNITS,
    "GaussianDropout": RATE,
    "GaussianNoise": {"stddev": 0.1},
    "GroupQueryAttention": {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
    "HashedCrossing": {"num_bins": 4},
    "Hashing": {"num_bins": 4},
    "InputLayer": {"shape": [4]},
    "InverseTimeDecay": {**DECAY, "decay_rate": 0.9},
    "IoU": CLASS_IDS,
    "LSTM": UNITS,
    "LSTMCell": UNITS,
    "LearningRateScheduler": {"schedule": {"CosineDecay": DECAY}},
    "LossScaleOptimizer": {"inner_optimizer": "Adam"},
    "MaxNumBoundingBoxes": {"max_number": 4},
    "MeanIoU": CLASSES,
    "MeanMetricWrapper": {"fn": "mean_squared_error"},
    "ModelCheckpoint": {"filepath": "best.keras"},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "MultiOptimizer": {"optimizer_map": {"OptimizerMap": {"default_optimizer": "Adam"}}},
    "OneHotIoU": CLASS_IDS,
    "OneHotMeanIoU": CLASSES,
    "OrbaxCheckpoint": {"directory": "checkpoints"},
    "Permute": {"dims": [2, 1]},
    "PiecewiseConstantDecay": {"boundaries": [10], "values": [0.1, 0.01]},
    "Pipeline": {"layers": ["RandomGrayscale"]},
    "PolynomialDecay": DECAY,
    "PrecisionAtRecall": {"recall": 0.5},
    "RNN": {"cell": {"LSTMCell": UNITS}},
    "RandomCrop": HEIGHT_WIDTH,
    "RandomPosterization": {"factor": [2, 4]},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": [-0.1, 0.2]},
    "RandomZoom": {"height_factor": [0.1, 0.2]},
    "RecallAtPrecision": {"precision": 0.5},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 0.5},
    "Reshape": {"target_shape": [2, 2]},
    "Resizing": HEIGHT_WIDTH,
    "ReversibleEmbedding": EMBEDDING,
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SimpleRNN": UNITS,
    "SimpleRNNCell": UNITS,
    "SpatialDropout1D": RATE,
    "SpatialDropout2D": RATE,
    "SpatialDropout3D": RATE,
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "SpectralNormalization": WRAPPED,
    "StackedRNNCells": {"cells": [{"LSTMCell": UNITS}, {"GRUCell": {"units": 2}}]},
    "TimeDistributed": WRAPPED,
    "threshold": {"threshold": 1.0, "default_value": -1.0},
    "Wrapper": WRAPPED,
}
ARGUMENTS |= {f"Adaptive{kind}Pooling{n}D": SIZE for kind in ("Average", "Max") for n in (1, 2, 3)}
ARGUMENTS |= {f"{name}{n}D": POOL for name in ("AveragePooling", "AvgPool") for n in (1, 2, 3)}
ARGUMENTS |= {
    f"{name}{n}D{end}": {"filters": 2, "kernel_size": [2] * n}
    for name in ("Conv", "Convolution")
    for n in (1, 2, 3)
    for end in ("", "Transpose")
}
ARGUMENTS |= {f"ConvLSTM{n}D": {"filters": 2, "kernel_size": [2] * n} for n in (1, 2, 3)}
ARGUMENTS |= {
    f"Separable{name}{n}D": {"filters": 2, "kernel_size": [2] * n}
    for name in ("Conv", "Convolution")
    for n in (1, 2)
}
ARGUMENTS |= {
    f"Random{name}": FACTOR
    for name in (
        *("Brightness", "ColorDegeneration", "Contrast", "Hue", "Rotation"),
        *("Saturation", "Sharpness"),
    )
}


def module_of(kind):
    from tftrain.backend import keras

    module = keras
    for part in MODULES[kind].split("."):
        module = getattr(module, part)
    return module


def public(kind):
    """The names of what Keras documents of a kind, besides what makes no object."""
    module = module_of(kind)
    names = (name for name in dir(module) if not name.startswith("_"))
    skipped = BASES | NOT_OBJECTS | FUNCTIONAL | set(PART_OF)
    return [
        name
        for name in names
        if name not in skipped and not inspect.ismodule(getattr(module, name))
    ]


def source_of(text):
    raw = textwrap.dedent(text).encode()
    return Source(raw, read(raw, "test.yaml"))


def made(kind, written):
    """What tftrain makes of an object as it is written in a config."""
    from tftrain import objects

    return objects.make(kind, spec_of(written), (), source_of("{}"))


def told(kind, text):
    """What is said of an object that can't be made."""
    from tftrain import objects

    source = source_of(text)
    with pytest.raises(ConfigError) as raised:
        objects.make(kind, spec_of(plain(source.root)), (), source)
    return [str(problem) for problem in raised.value.problems]


def described(thing):
    """An object as its class and its arguments, comparable, names that Keras counts left out."""
    if inspect.isfunction(thing) or inspect.isclass(thing):
        return thing
    if hasattr(thing, "get_config"):
        return type(thing), normal(thing.get_config())
    return type(thing), normal(vars(thing))


def normal(config):
    if isinstance(config, dict):
        hidden = ("name", "seed", "shared_object_id")
        return {key: normal(value) for key, value in config.items() if key not in hidden}
    if isinstance(config, list | tuple):
        return [normal(item) for item in config]
    if isinstance(config, np.ndarray):
        return config.tolist()
    if isinstance(config, str | int | float | None):
        return config
    return described(config) if hasattr(config, "get_config") else type(config)


def plainly(kind, name, arguments):
    """The object as a Python script makes it."""
    from tftrain import objects

    target = getattr(module_of(kind), name)
    if inspect.isfunction(target):
        return objects.Activation(name, arguments) if arguments else target
    return target(**{key: nested(value) for key, value in arguments.items()})


def nested(value):
    """The objects in `ARGUMENTS`, made by hand."""
    from tftrain.backend import keras

    by_hand = {
        "Adam": keras.optimizers.Adam,
        "CosineDecay": keras.optimizers.schedules.CosineDecay,
        "Dense": keras.layers.Dense,
        "GRUCell": keras.layers.GRUCell,
        "LSTM": keras.layers.LSTM,
        "LSTMCell": keras.layers.LSTMCell,
        "OptimizerMap": keras.optimizers.OptimizerMap,
        "RandomGrayscale": keras.layers.RandomGrayscale,
        "mean_squared_error": keras.losses.mean_squared_error,
    }
    if isinstance(value, list):
        return [nested(item) for item in value]
    if isinstance(value, str):
        found = by_hand.get(value, value)
        return found() if inspect.isclass(found) else found
    if isinstance(value, dict):
        ((name, arguments),) = value.items()
        return by_hand[name](**{key: nested(item) for key, item in arguments.items()})
    return value


@pytest.mark.parametrize("kind", MODULES)
def test_every_public_object_is_what_plain_keras_makes(kind):
    """A newer Keras's object that needs arguments fails here, until it is in the table."""
    names = public(kind)
    assert names
    for name in names:
        arguments = ARGUMENTS.get(name, {})
        written = {name: arguments} if arguments else name
        if name in REFUSED:
            (line,) = told(kind, f"{name}: {{}}")
            assert f"error[K001]: `{name}`: " in line
            assert REFUSED[name] in line
        elif name in NEEDS_PACKAGE:
            (line,) = told(kind, json.dumps({name: arguments}))
            assert NEEDS_PACKAGE[name] in line
        else:
            by_hand = plainly(kind, CLASS_INSTEAD.get(name, name), arguments)
            ours, theirs = made(kind, written), by_hand
            assert described(ours) == described(theirs), name


def test_no_table_names_what_keras_does_not_have():
    every = {name for kind in MODULES for name in public(kind)}
    from tftrain.backend import keras

    assert set(REFUSED) | set(NEEDS_PACKAGE) | set(ARGUMENTS) <= every
    assert all(hasattr(keras.optimizers, name) for name in PART_OF)


def test_the_comparison_notices_other_arguments():
    one = made("layer", {"Dense": {"units": 3, "kernel_initializer": {"HeNormal": {"seed": 1}}}})
    other = made("layer", {"Dense": {"units": 3, "kernel_initializer": {"Constant": {"value": 1}}}})
    assert described(one) != described(other)
    assert described(one) != described(made("layer", {"Dense": {"units": 4}}))
    thresholds = [made("metric", {"Precision": {"thresholds": [n]}}) for n in (0.5, 0.6)]
    assert described(thresholds[0]) != described(thresholds[1])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("optimizer", name) for name in ("adam", "adamw", "sgd", "rmsprop", "nadam", "lion")),
        *(("loss", name) for name in ("mse", "mae", "mape", "msle", "bce", "kld", "MSE", "KLD")),
        *(("metric", name) for name in ("mse", "mae", "mape", "msle", "bce", "MAE", "BCE")),
        *(("activation", name) for name in ("relu", "swish", "hard_swish", "linear")),
        *(("initializer", name) for name in ("zeros", "he_normal", "glorot_uniform")),
        *(("regularizer", name) for name in ("l1", "l2")),
        *(("constraint", name) for name in ("max_norm", "non_neg")),
    ],
)
def test_short_names_are_those_of_keras(kind, name):
    assert described(made(kind, name)) == described(module_of(kind).get(name))


def test_a_metric_by_its_short_name_is_a_new_one_each_time():
    assert made("metric", "mse") is not made("metric", "mse")


def test_a_whole_number_will_do_where_keras_insists_on_a_float():
    whole = made("optimizer", {"SGD": {"learning_rate": 1, "momentum": 0}})
    assert described(whole) == described(module_of("optimizer").SGD(1.0, 0.0))


def dense(**arguments):
    return {"Dense": {"units": 3, **arguments}}


def nested_objects():
    """What is written, and the same by hand."""
    from tftrain.backend import keras

    layers, optimizers = keras.layers, keras.optimizers
    schedules = optimizers.schedules
    decay = {"ExponentialDecay": {**DECAY, "decay_rate": 0.9}}
    lstm = {"LSTM": {"units": 3}}
    return {
        "bidirectional": (
            {
                "Bidirectional": {
                    "layer": lstm,
                    "backward_layer": {"LSTM": {"units": 3, "go_backwards": True}},
                }
            },
            layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True)),
        ),
        "time distributed, by name": (
            {"TimeDistributed": {"layer": "Flatten"}},
            layers.TimeDistributed(layers.Flatten()),
        ),
        "time distributed, two deep": (
            {"TimeDistributed": {"layer": {"TimeDistributed": {"layer": dense(activation="elu")}}}},
            layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3, "elu"))),
        ),
        "cells": (
            {"RNN": {"cell": [{"LSTMCell": UNITS}, {"GRUCell": UNITS}], "return_sequences": True}},
            layers.RNN([layers.LSTMCell(3), layers.GRUCell(3)], return_sequences=True),
        ),
        "stacked cells": (
            {"RNN": {"cell": {"StackedRNNCells": {"cells": [{"SimpleRNNCell": UNITS}]}}}},
            layers.RNN(layers.StackedRNNCells([layers.SimpleRNNCell(3)])),
        ),
        "pipeline": (
            {"Pipeline": {"layers": ["RandomInvert", {"RandomFlip": {"mode": "vertical"}}]}},
            layers.Pipeline([layers.RandomInvert(), layers.RandomFlip("vertical")]),
        ),
        "layer as activation": (
            dense(activation={"LeakyReLU": {"negative_slope": 0.2}}),
            layers.Dense(3, activation=layers.LeakyReLU(0.2)),
        ),
        "layer as activation, by name": (
            dense(activation="PReLU"),
            layers.Dense(3, activation=layers.PReLU()),
        ),
        "activation layer": ({"Activation": {"activation": "gelu"}}, layers.Activation("gelu")),
        "initializers": (
            dense(
                kernel_initializer={"VarianceScaling": {"scale": 2.0, "distribution": "uniform"}},
                bias_initializer={"constant": {"value": 0.5}},
            ),
            layers.Dense(
                3,
                kernel_initializer=keras.initializers.VarianceScaling(2.0, distribution="uniform"),
                bias_initializer=keras.initializers.Constant(0.5),
            ),
        ),
        "regularizers": (
            dense(kernel_regularizer={"L1L2": {"l1": 0.1, "l2": 0.2}}, activity_regularizer="l2"),
            layers.Dense(
                3,
                kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
                activity_regularizer=keras.regularizers.L2(),
            ),
        ),
        "constraints": (
            dense(kernel_constraint={"MaxNorm": {"max_value": 3}}, bias_constraint="non_neg"),
            layers.Dense(
                3,
                kernel_constraint=keras.constraints.MaxNorm(3),
                bias_constraint=keras.constraints.NonNeg(),
            ),
        ),
        "orthogonal": (
            dense(kernel_regularizer={"OrthogonalRegularizer": {"mode": "columns"}}),
            layers.Dense(
                3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(mode="columns")
            ),
        ),
        "schedule": (
            {"SGD": {"learning_rate": decay, "momentum": 0.9}},
            optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.9), 0.9),
        ),
        "loss scale": (
            {"LossScaleOptimizer": {"inner_optimizer": {"Adam": {"learning_rate": decay}}}},
            optimizers.LossScaleOptimizer(
                optimizers.Adam(schedules.ExponentialDecay(0.1, 10, 0.9))
            ),
        ),
        "loss scale, by short name": (
            {"LossScaleOptimizer": {"inner_optimizer": "sgd"}},
            optimizers.LossScaleOptimizer(optimizers.SGD()),
        ),
        "several optimizers": (
            {
                "MultiOptimizer": {
                    "optimizer_map": {
                        "OptimizerMap": {
                            "default_optimizer": {"Adam": {"learning_rate": 0.1}},
                            "optimizer_map": {"dense/.*": "SGD"},
                        }
                    }
                }
            },
            optimizers.MultiOptimizer(
                optimizers.OptimizerMap(optimizers.Adam(0.1), {"dense/.*": optimizers.SGD()})
            ),
        ),
        "patterns of layers": (
            {"Muon": {"exclude_layers": ["dense_1", "embedding"]}},
            optimizers.Muon(exclude_layers=["dense_1", "embedding"]),
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("bidirectional", "time distributed, by name", "time distributed, two deep", "cells"),
        *("stacked cells", "pipeline", "layer as activation", "layer as activation, by name"),
        *("activation layer", "initializers", "regularizers", "constraints", "orthogonal"),
        *("schedule", "loss scale", "loss scale, by short name", "several optimizers"),
        "patterns of layers",
    ],
)
def test_nested_objects_are_what_plain_keras_makes(name):
    written, by_hand = nested_objects()[name]
    ((outer, _),) = written.items()
    kind = "optimizer" if hasattr(module_of("optimizer"), outer) else "layer"
    assert described(made(kind, written)) == described(by_hand)


VALUES = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("leaky_relu", {"negative_slope": 0.1}),
        ("relu", {"max_value": 2.0, "threshold": 0.5}),
        ("elu", {"alpha": 0.3}),
        ("softmax", {"axis": 0}),
        ("celu", {"alpha": 0.5}),
        ("gelu", {"approximate": True}),
        ("glu", {"axis": 0}),
        ("hard_shrink", {"threshold": 0.7}),
        ("log_softmax", {"axis": 0}),
        ("squareplus", {"b": 2}),
        ("threshold", {"threshold": 1.0, "default_value": -1.0}),
    ],
)
def test_activations_with_arguments_call_keras_with_them(name, arguments):
    from tftrain.backend import keras

    activation = made("activation", {name: arguments})
    expected = getattr(keras.activations, name)(VALUES, **arguments)
    np.testing.assert_array_equal(activation(VALUES), expected)
    layer = keras.layers.Activation(activation)
    again = keras.layers.Activation.from_config(layer.get_config())
    np.testing.assert_array_equal(again(VALUES), expected)


def test_functions_with_arguments_are_the_class_that_takes_them():
    from tftrain.backend import keras

    loss = made("loss", {"binary_crossentropy": {"from_logits": True, "label_smoothing": 0.1}})
    by_hand = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    assert described(loss) == described(by_hand)
    metric = made("metric", {"top_k_categorical_accuracy": {"k": 2, "name": "second"}})
    assert described(metric) == described(keras.metrics.TopKCategoricalAccuracy(k=2))
    assert metric.name == "second"
    wrapped = made("metric", {"huber": {"delta": 2.0}})
    by_hand = keras.metrics.MeanMetricWrapper(keras.losses.huber, delta=2.0)
    labels, outputs = VALUES[:, :1], VALUES[:, 1:2] ** 2
    assert float(wrapped(labels, outputs)) == float(by_hand(labels, outputs))
    assert float(wrapped(labels, outputs)) != float(
        made("metric", {"huber": {}})(labels, outputs).numpy().mean()
    )


ERRORS = {
    "unknown name": (
        "layer",
        "Dens: {units: 3}",
        ["1:1: error[K001]: Keras has no layer called `Dens`; did you mean `Dense`?"],
    ),
    "unknown argument": (
        "layer",
        """
        Dense:
          units: 3
          activaton: relu
        """,
        ["4:3: error[K002]: `Dense` has no argument `activaton`; did you mean `activation`?"],
    ),
    "missing argument": (
        "layer",
        "Conv2D: {padding: same}",
        ["1:1: error[K003]: `Conv2D` needs `filters` and `kernel_size`"],
    ),
    "refused value": (
        "layer",
        "Dropout: {rate: 2}",
        ["1:1: error[K004]: `Dropout`: Invalid value received for argument `rate`."],
    ),
    "name at depth": (
        "layer",
        "Bidirectional: {layer: {LSTN: {units: 3}}}",
        ["error[K001]: Keras has no layer called `LSTN`; did you mean `LSTM`?"],
    ),
    "activation at depth": (
        "layer",
        "TimeDistributed: {layer: {Dense: {units: 3, activation: rellu}}}",
        [
            "1:57: error[K001]: Keras has no activation or layer called `rellu`",
        ],
    ),
    "argument of an activation": (
        "layer",
        "Dense: {units: 3, activation: {leaky_relu: {slope: 0.1}}}",
        ["1:45: error[K002]: `leaky_relu` has no argument `slope`"],
    ),
    "argument of a loss's function": (
        "loss",
        "binary_crossentropy: {logits: true}",
        ["1:23: error[K002]: `binary_crossentropy` has no argument `logits`"],
    ),
    "value at depth": (
        "optimizer",
        "Adam: {learning_rate: {PiecewiseConstantDecay: {boundaries: [1], values: [1]}}}",
        ["error[K004]: `PiecewiseConstantDecay`: "],
    ),
    "missing argument of a function": (
        "layer",
        "Activation: {activation: {threshold: {threshold: 1.0}}}",
        ["error[K003]: `threshold` needs `default_value`"],
    ),
    "missing at depth": (
        "optimizer",
        "SGD: {learning_rate: {ExponentialDecay: {decay_steps: 3}}}",
        ["error[K003]: `ExponentialDecay` needs `initial_learning_rate` and `decay_rate`"],
    ),
    "neither name nor mapping": (
        "layer",
        "Dense: {units: 3, kernel_regularizer: {L2: 0.01}}",
        ["1:39: error[C015]: `kernel_regularizer`: expected a Keras name or a mapping of it"],
    ),
    "Keras's own form": (
        "layer",
        "Dense: {units: 3, dtype: {class_name: Lambda, config: {}}}",
        ["1:26: error[C015]: `dtype`: expected a Keras name or a mapping of it"],
    ),
    "refused at depth": (
        "layer",
        "TimeDistributed: {layer: {Lambda: {function: print}}}",
        ["error[K001]: `Lambda`: it runs Python code"],
    ),
    "several at once": (
        "layer",
        """
        RNN:
          retun_state: true
          cell:
            - LSTMCell: {unit: 3}
            - GRUCel
            - GRUCell: {units: 3, activation: tahn}
        """,
        [
            "3:3: error[K002]: `RNN` has no argument `retun_state`; did you mean `return_state`?",
            "5:18: error[K002]: `LSTMCell` has no argument `unit`; did you mean `units`?",
            "5:7: error[K003]: `LSTMCell` needs `units`",
            "6:7: error[K001]: Keras has no layer called `GRUCel`; did you mean `GRUCell`?",
            "7:39: error[K001]: Keras has no activation or layer called `tahn`",
        ],
    ),
    "several in a map": (
        "optimizer",
        """
        MultiOptimizer:
          optimizer_map:
            OptimizerMap:
              default_optimizer: Adm
              optimizer_map: {dense: SGE}
        """,
        [
            "5:26: error[K001]: Keras has no optimizer called `Adm`; did you mean `Adam`?",
            "6:30: error[K001]: Keras has no optimizer called `SGE`; did you mean `SGD`?",
        ],
    ),
    "a class's own affair": (
        "layer",
        "Conv2D: {filters: 2, kernel_size: 3, rank: 2}",
        ["1:38: error[K002]: `Conv2D` has no argument `rank`"],
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_fault_has_its_place_and_the_nearest_name(name):
    kind, text, expected = ERRORS[name]
    lines = told(kind, text)
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith("test.yaml:")
        assert start in line, lines


@pytest.mark.parametrize(
    ("kind", "misspelt", "nearest"),
    [
        ("metric", "BinaryAcuracy", "BinaryAccuracy"),
        ("metric", "binary_acuracy", "binary_accuracy"),
        ("layer", "ReLu6", "ReLU"),
        ("initializer", "glorot_normel", "glorot_normal"),
        ("optimizer", "addam", "Adam"),
        ("callback", "EarlyStoping", "EarlyStopping"),
    ],
)
def test_the_nearest_name_is_one_written_alike(kind, misspelt, nearest):
    (line,) = told(kind, f"{misspelt}: {{}}")
    assert line.endswith(f"called `{misspelt}`; did you mean `{nearest}`?")
