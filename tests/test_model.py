"""`model.build` and what it says of a network that doesn't fit; the network for others."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from tftrain.config import Config, Source
from tftrain.config.text import plain, read
from tftrain.data import Form
from tftrain.errors import ConfigError

pytestmark = pytest.mark.usefixtures("tensorflow")

CLASSES = ("0", "1", "2")
BINARY = Form((4,), (), ("0", "1"))
SPARSE = Form((4,), (), CLASSES)
CATEGORICAL = Form((4,), (3,), CLASSES)
NUMBER = Form((4,), (), None)
NUMBERS = Form((4,), (2,), None)
SERIES = Form((5, 4), (), ("0", "1"))


def read_config(text):
    raw = textwrap.dedent(text).encode()
    root = read(raw, "test.yaml")
    sections = {"name": "test", "data": {"source": "digits"}, **plain(root)}
    sections["training"].setdefault("epochs", 1)
    return Config.model_validate(sections), Source(raw, root)


def build(form, layers, loss, **training):
    """The network of layers and a loss, as `{Name: arguments}`."""
    from tftrain import model

    written = {"loss": loss, "epochs": 1, **training}
    sections = {"data": {"source": "digits"}, "model": {"layers": layers}, "training": written}
    config = Config.model_validate({"name": "test", **sections})
    return model.build(config, Source(b"", read(b"{}", "test.yaml")), form), config


def told(form, text):
    """What is said of a config that can't be built."""
    from tftrain import model

    config, source = read_config(text)
    with pytest.raises(ConfigError) as raised:
        model.build(config, source, form)
    return [str(problem) for problem in raised.value.problems]


def dense(units, activation=None, **arguments):
    return {"Dense": {"units": units, "activation": activation, **arguments}}


def test_a_layer_that_does_not_fit_is_told_with_keras_reason():
    (line,) = told(
        NUMBER,
        """
        model:
          layers:
            - Dense: {units: 3}
            - Conv2D: {filters: 2, kernel_size: 3}
            - Dense: {units: 1}
        training: {loss: mse}
        """,
    )
    assert line.startswith("test.yaml:5:7: error[K005]: doesn't fit rows of shape (3,): ")
    assert "expected min_ndim=4, found ndim=2" in line


ON_THE_WAY = [
    ("Wrapper: {layer: Flatten}", "4:7", "no defined output shape"),
    ("RandomCrop: {height: 2, width: 2}", "6:7", "can't compute rows of shape (16,): "),
    ("Dropout: {rate: 0.5, noise_shape: [2, 2]}", "4:7", "compute rows of shape (4, 4, 1): "),
]


@pytest.mark.parametrize(("layer", "place", "message"), ON_THE_WAY)
def test_what_keras_only_finds_on_rows_is_told_as_well(layer, place, message):
    (line,) = told(
        Form((4, 4, 1), (), None),
        f"""
        model:
          layers:
            - {layer}
            - Flatten
            - Dense: {{units: 1}}
        training: {{loss: mse}}
        """,
    )
    assert line.startswith(f"test.yaml:{place}: error[K005]: ")
    assert message in line


def test_trying_a_network_leaves_no_traces():
    layers = ["BatchNormalization", {"Dropout": {"rate": 0.5, "seed": 3}}, dense(1)]
    network, _ = build(NUMBER, layers, "mse")
    moving_mean, moving_variance = network.layers[0].weights[2:]
    assert not moving_mean.numpy().any()
    assert (moving_variance.numpy() == 1).all()
    assert network.layers[1].seed_generator.state.numpy().tolist() == [3, 0]


def test_everything_that_keras_refuses_is_told_at_once():
    lines = told(
        NUMBER,
        """
        model:
          layers:
            - Dense: {unit: 3}
            - Dropout: {rate: 2}
        training:
          loss: MeanSquareError
          optimizer: {Adam: {learning_rat: 1}}
          metrics: [MeanAbsoluteErrors]
        """,
    )
    places = [line.partition("error")[0] for line in lines]
    codes = [line.partition("[")[2][:4] for line in lines]
    assert codes == ["K002", "K003", "K004", "K001", "K002", "K001"]
    assert places[0] == "test.yaml:4:15: "
    assert places[-1] == "test.yaml:9:13: "


def test_an_input_of_another_shape_than_the_data_is_told():
    (line,) = told(
        NUMBER,
        """
        model: {layers: [{Input: {shape: [5]}}, {Dense: {units: 1}}]}
        training: {loss: mse}
        """,
    )
    assert "2:18: error[K005]: takes rows of shape (5,); the data's are (4,)" in line


MISFITS = {
    "binary": (BINARY, "BinaryCrossentropy", 2, "(1,), as the labels"),
    "hinge": (BINARY, "Hinge", 2, "(1,), as the labels"),
    "sparse": (SPARSE, "SparseCategoricalCrossentropy", 2, "(3,), one for each class"),
    "generalized": (SPARSE, "CategoricalGeneralizedCrossEntropy", 2, "(3,), one for each class"),
    "categorical": (CATEGORICAL, "CategoricalCrossentropy", 2, "(3,), as the labels"),
    "crossentropy, sparse": (SPARSE, "crossentropy", 2, "(3,), one for each class"),
    "crossentropy, categorical": (CATEGORICAL, "crossentropy", 2, "(3,), as the labels"),
    "number": (NUMBER, "MeanSquaredError", 3, "(1,), as the labels"),
    "numbers": (NUMBERS, "Huber", 1, "(2,), as the labels"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_outputs_that_do_not_fit_the_labels_are_told(name):
    form, loss, units, expected = MISFITS[name]
    layers = f"model: {{layers: [Flatten, {{Dense: {{units: {units}}}}}]}}"
    (line,) = told(form, f"{layers}\ntraining: {{loss: {loss}}}\n")
    start = f"test.yaml:1:27: error[K005]: the network's outputs have shape ({units},) a row"
    assert line == f"{start}; expected {expected}"


@pytest.mark.parametrize("name", MISFITS)
def test_outputs_that_fit_the_labels_are_built(name):
    form, loss, _, expected = MISFITS[name]
    network, _ = build(form, [dense(int(expected[1]))], loss)
    assert network.output_shape == (None, int(expected[1]))


def test_an_optimizer_that_cannot_take_the_network_is_told():
    (line,) = told(
        NUMBER,
        """
        model: {layers: [{Dense: {units: 1}}]}
        training:
          loss: mse
          optimizer:
            MultiOptimizer:
              optimizer_map:
                OptimizerMap:
                  default_optimizer: {LossScaleOptimizer: {inner_optimizer: SGD}}
        """,
    )
    assert "error[K004]: `MultiOptimizer`: LossScaleOptimizer cannot be used inside" in line


def test_layers_are_named_as_in_a_process_that_made_nothing_else():
    from tftrain import backend

    layers = [dense(3), "Dropout", dense(2), {"Convolution1D": {}}, dense(2, name="mine"), dense(1)]
    layers[1], layers[3] = {"Dropout": {"rate": 0.1}}, "LayerNormalization"
    names = []
    for _ in range(2):
        network, _ = build(NUMBER, layers, "mse")
        names.append([layer.name for layer in network.layers])
        backend.keras.layers.Dense(1)
    expected = ["dense", "dropout", "dense_1", "layer_normalization", "mine", "dense_2"]
    assert names == [expected, expected]


def test_an_alias_is_named_by_its_class():
    layers = [{"Convolution1D": {"filters": 2, "kernel_size": 2}}, "GlobalAvgPool1D", dense(1)]
    network, _ = build(SERIES, layers, "BinaryCrossentropy")
    assert [layer.name for layer in network.layers] == [
        "conv1d",
        "global_average_pooling1d",
        "dense",
    ]


RECURRENT = [
    {"Bidirectional": {"layer": {"LSTM": {"units": 2, "return_sequences": True}}}},
    {"RNN": {"cell": [{"GRUCell": {"units": 2}}, {"GRUCell": {"units": 2}}]}},
    dense(1, "sigmoid"),
]


def test_weights_have_the_same_names_in_a_network_made_later():
    from tftrain import backend, model

    backend.start(seed=0, threads=2)
    first, _ = build(SERIES, RECURRENT, "BinaryCrossentropy")
    arrays = model.weights_by_name(first)
    assert len(arrays) == len(first.weights)
    backend.start(seed=1, threads=2)
    second, _ = build(SERIES, RECURRENT, "BinaryCrossentropy")
    rows = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    assert not np.array_equal(first(rows), second(rows))
    assert model.set_weights_by_name(second, arrays) is None
    np.testing.assert_array_equal(first(rows), second(rows))


def test_no_weight_is_lost_where_inner_layers_share_a_name():
    from tftrain import model

    cell = {"SimpleRNNCell": {"units": 2, "name": "cell"}}
    network, _ = build(SERIES, [{"RNN": {"cell": [cell, cell]}}, dense(1)], "Hinge")
    assert len({variable.path for variable in network.weights}) < len(network.weights)
    arrays = model.weights_by_name(network)
    assert len(arrays) == len(network.weights)
    changed = {name: array + place for place, (name, array) in enumerate(arrays.items())}
    assert model.set_weights_by_name(network, changed) is None
    for weight, array in zip(network.get_weights(), changed.values(), strict=True):
        np.testing.assert_array_equal(weight, array)


def test_weights_that_do_not_fit_are_told_and_nothing_is_changed():
    from tftrain import model

    network, _ = build(NUMBER, [dense(3), dense(1)], "mse")
    arrays = model.weights_by_name(network)
    kernel = arrays["network/dense/kernel"]
    misfits = {
        "weights of another network: network/dense_2/kernel": {
            **arrays,
            "network/dense_2/kernel": kernel,
        },
        "`network/dense/kernel`: expected float32(4, 3), got float32(3, 4)": {
            **arrays,
            "network/dense/kernel": kernel.T,
        },
        "`network/dense/kernel`: expected float32(4, 3), got float64(4, 3)": {
            **arrays,
            "network/dense/kernel": kernel.astype(np.float64),
        },
    }
    for expected, wrong in misfits.items():
        changed = {
            name: array + 1 if name == "network/dense/bias" else array
            for name, array in wrong.items()
        }
        assert model.set_weights_by_name(network, changed) == expected
    del arrays["network/dense_1/bias"]
    assert (
        model.set_weights_by_name(network, arrays)
        == "weights of another network: network/dense_1/bias"
    )
    np.testing.assert_array_equal(network.get_weights()[1], np.zeros(3))


LOGITS = {"from_logits": True}
ACCURACIES = {
    "probabilities": (BINARY, 1, "sigmoid", "BinaryCrossentropy", ("BinaryAccuracy", 0.5)),
    "logits": (BINARY, 1, None, {"BinaryCrossentropy": LOGITS}, ("BinaryAccuracy", 0.0)),
    "function of logits": (BINARY, 1, None, {"bce": LOGITS}, ("BinaryAccuracy", 0.0)),
    "margins": (BINARY, 1, "tanh", "Hinge", ("BinaryAccuracy", 0.0)),
    "sparse": (
        SPARSE,
        3,
        "softmax",
        "SparseCategoricalCrossentropy",
        ("SparseCategoricalAccuracy",),
    ),
    "one-hot": (CATEGORICAL, 3, "softmax", "CategoricalCrossentropy", ("CategoricalAccuracy",)),
    "crossentropy": (SPARSE, 3, "softmax", "ce", ("SparseCategoricalAccuracy",)),
}


@pytest.mark.parametrize("name", ACCURACIES)
def test_accuracy_is_the_one_that_fits_the_loss(name):
    form, units, activation, loss, (expected, *threshold) = ACCURACIES[name]
    network, _ = build(form, [dense(units, activation)], loss, metrics=["accuracy"])
    (metric,) = network.metrics[1].metrics
    assert type(metric).__name__ == expected
    assert metric.name == "accuracy"
    assert metric.get_config().get("threshold", 0.5) == (threshold or [0.5])[0]


def test_metrics_take_logits_where_the_loss_does():
    metrics = ["AUC", "BinaryCrossentropy", {"bce": {"name": "own", "from_logits": False}}]
    loss = {"BinaryCrossentropy": LOGITS}
    network, _ = build(BINARY, [dense(1)], loss, metrics=metrics)
    found = {metric.name: metric for metric in network.metrics[1].metrics}
    assert found["auc"]._from_logits  # noqa: SLF001 - nothing public tells
    assert found["binary_crossentropy"].get_config()["from_logits"]
    assert not found["own"].get_config()["from_logits"]
    plain_loss, _ = build(BINARY, [dense(1, "sigmoid")], "BinaryCrossentropy", metrics=metrics[:2])
    assert not any(
        metric.get_config().get("from_logits") for metric in plain_loss.metrics[1].metrics
    )


def test_a_metric_is_logged_under_the_name_it_was_asked_by():
    metrics = ["mse", "MeanAbsoluteError", {"bce": {"name": "mine"}}, "mean_squared_error"]
    network, config = build(NUMBER, [dense(1, "sigmoid")], "mse", metrics=metrics)
    names = [metric.name for metric in network.metrics[1].metrics]
    assert names == config.training.log_names()[1:]
    assert names == ["mse", "mean_absolute_error", "mine", "mean_squared_error"]


MONITORS = """
name: test
data: {source: digits, classes: [0, 1, 2], one_hot: true}
model: {layers: [{Dense: {units: 3, activation: softmax}}]}
training:
  loss: CategoricalCrossentropy
  metrics: [F1Score, {FBetaScore: {average: macro}}]
  epochs: 1
  callbacks:
    - EarlyStopping: {monitor: MONITOR}
"""


def trained(tmp_path, monitor, required=()):
    from tftrain import fit
    from tftrain.terminal import Silent

    path = tmp_path / "test.yaml"
    path.write_text(MONITORS.replace("MONITOR", monitor))
    runs = tmp_path / "runs"
    asked = fit.prepare(path, ["training.threads=2"], runs_dir=runs, require=required)
    return fit.fit(asked, Silent())


@pytest.mark.parametrize("monitor", ["val_f1_score_0", "f1_score_2", "val_fbeta_score"])
def test_one_number_of_a_metric_can_be_watched(tmp_path, monitor):
    run = trained(tmp_path, monitor.replace("fbeta", "f_beta"), ["f1_score_1>0"])
    assert run.summary["monitor"] in run.history[-1]


@pytest.mark.parametrize("monitor", ["val_f1_score", "val_f1_score_3"])
def test_a_number_that_a_metric_does_not_have_leaves_no_run(tmp_path, monitor):
    with pytest.raises(ConfigError) as raised:
        trained(tmp_path, monitor, ["f1_score>0.5"])
    monitored, required = map(str, raised.value.problems)
    place = f"{tmp_path / 'test.yaml'}:10:32: error[C021]: "
    assert monitored.startswith(
        f"{place}nothing called `{monitor}` is logged; did you mean `val_f1"
    )
    assert "error[C030]: no metric `f1_score`; did you mean `f1_score_" in required
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("monitor", ["val_f_beta_score_0", "val_loss_0", "val_f1_score_x"])
def test_what_no_metric_can_be_is_told_without_keras(tmp_path, monitor):
    from tftrain import config

    path = tmp_path / "test.yaml"
    path.write_text(MONITORS.replace("MONITOR", monitor))
    with pytest.raises(ConfigError, match=f"10:32: error.C021.: nothing called `{monitor}`"):
        config.load(path)
