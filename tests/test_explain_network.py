"""`tftrain explain CONFIG|RUN`: wrong gradients are found and right ones pass; --linear, --cost."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from conftest import ROOT
from tftrain.errors import ConfigError, RunError, TftrainError
from tftrain.explain import subject

pytestmark = pytest.mark.usefixtures("tensorflow")

DIGITS = ROOT / "configs" / "digits.yaml"
SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))
CODE = '''
import keras
import tensorflow as tf


@tf.custom_gradient
def square(x):
    return x * x, lambda upstream: 2.0 * x * upstream


@tf.custom_gradient
def wrong_square(x):
    return x * x, lambda upstream: 2.01 * x * upstream


@keras.saving.register_keras_serializable(package="planted")
class Squared(keras.layers.Dense):
    """Right."""

    def call(self, inputs):
        return square(super().call(inputs))


@keras.saving.register_keras_serializable(package="planted")
class WronglySquared(keras.layers.Dense):
    """Its gradient is 0.5 % too large."""

    def call(self, inputs):
        return wrong_square(super().call(inputs))


@tf.custom_gradient
def relu_of_any_slope(x):
    return tf.nn.relu(x), lambda upstream: upstream


@keras.saving.register_keras_serializable(package="planted")
class NeverFlat(keras.layers.Dense):
    """Its gradient doesn't know that ReLU is flat below 0."""

    def call(self, inputs):
        return relu_of_any_slope(super().call(inputs))


@keras.saving.register_keras_serializable(package="planted")
class Single(keras.layers.Dense):
    """Computes in float32, whatever it is told."""

    def call(self, inputs):
        return tf.cast(tf.cast(super().call(inputs), "float32") * 2.0, "float32")


@keras.saving.register_keras_serializable(package="planted")
def wrong_loss(y_true, y_pred):
    return keras.ops.mean(wrong_square(y_pred - keras.ops.cast(y_true, y_pred.dtype)), axis=-1)
'''
HEAD = "code: [planted.py]\ndata: {source: digits, classes: [0, 1], scaling: standardize}\n"


def of(path, *changes, allow_code=False):
    return subject.of_config(path, ["training.threads=2", *changes], allow_code=allow_code)


def layers(*text):
    return f"model.layers=[{', '.join(text)}]"


def checked(one, rows=8):
    from tftrain.explain import gradients

    return gradients.check(one.network, one.rows(0, rows), seed=0)


@pytest.fixture
def planted(tmp_path):
    """Makes a config with own code; returns its path."""

    def put(layer="Dense", loss="BinaryCrossentropy"):
        (tmp_path / "planted.py").write_text(CODE)
        path = tmp_path / "planted.yaml"
        path.write_text(
            f"{HEAD}model: {{layers: [{{{layer}: {{units: 5}}}}, "
            f"{{Dense: {{units: 1, activation: sigmoid}}}}]}}\n"
            f"training: {{loss: {loss}, epochs: 2}}\n"
        )
        return path

    return put


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_gradients_of_every_shipped_config_are_right(path):
    check = checked(of(path))
    assert max(one.largest for one in check.variables) < 1e-5
    assert (check.precision.bar, check.wrong) == (1e-5, ())


def test_a_planted_wrong_gradient_is_found_and_a_right_one_is_not(planted):
    right = checked(of(planted("Squared"), allow_code=True))
    assert max(one.largest for one in right.variables) < 1e-6
    wrong = checked(of(planted("WronglySquared"), allow_code=True))
    names = [one.name.split("/")[-2:] for one in wrong.wrong]
    assert names == [["wrongly_squared", "kernel"], ["wrongly_squared", "bias"]]
    assert all(abs(one.largest - 0.005) < 1e-4 for one in wrong.wrong)
    kinked = checked(of(planted("NeverFlat"), allow_code=True))
    assert len(kinked.wrong) == 2
    loss = checked(of(planted(loss="wrong_loss"), allow_code=True))
    assert len(loss.wrong) == len(loss.variables) == 4


def test_layers_that_are_less_exact_are_no_false_alarm(planted):
    from tftrain.explain import example, gradients

    own = of(planted("Single"), allow_code=True)
    turned = of(  # a layer that Keras can't build in float64
        DIGITS,
        layers(
            "{Reshape: {target_shape: [8, 8, 1]}}",
            "{RandomRotation: {factor: 0.1}}",
            "Flatten",
            "{Dense: {units: 1, activation: sigmoid}}",
        ),
    )
    for one in (own, turned):
        check = checked(one)
        assert (check.precision, check.wrong) == (gradients.SINGLE, ())
    half = of(
        DIGITS,
        layers("{Dense: {units: 3, dtype: bfloat16}}", "{Dense: {units: 1, activation: sigmoid}}"),
    )
    found = example.explain(half, 0)
    assert (found.check.precision, found.check.wrong) == (gradients.HALF, ())
    assert example.told(found)[-1].endswith("too coarse to check a gradient by")


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_kinks_are_no_false_alarm(scale):
    """With weights of 0 every unit stands at its kink, for every row."""
    one = of(
        DIGITS,
        layers(
            "{Dense: {units: 6, activation: relu}}",
            "{Dense: {units: 4}}",
            "ReLU",
            "{Dense: {units: 1, activation: sigmoid}}",
        ),
        "data.scaling=standardize",
    )
    for variable in one.network.layers[1].trainable_variables:
        variable.assign(scale * variable.numpy())
    check = checked(one)
    assert check.wrong == ()
    assert any(found.kinks.any() for found in check.variables) == (scale == 0)


def test_the_loss_is_that_of_training_and_the_network_is_left_as_it_was():
    """Dropout, batch statistics and regularizers count; random numbers begin anew each time."""
    one = of(
        DIGITS,
        layers(
            "{Dense: {units: 9, activation: tanh, kernel_regularizer: {L2: {l2: 0.1}}}}",
            "BatchNormalization",
            "{Dropout: {rate: 0.5}}",
            "{Dense: {units: 1, activation: sigmoid}}",
        ),
        "data.scaling=standardize",
    )
    before = [variable.numpy() for variable in one.network.variables]
    first, second = checked(one), checked(one)
    assert first.wrong == second.wrong == ()
    assert first.loss == second.loss
    penalty = 0.1 * np.square(one.network.layers[0].kernel.numpy()).sum()
    assert first.loss > penalty
    after = [variable.numpy() for variable in one.network.variables]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_large_networks_are_sampled(monkeypatch):
    from tftrain.explain import example, gradients

    monkeypatch.setattr(gradients, "ALL", 100)
    monkeypatch.setattr(gradients, "SAMPLE", 20)
    one = of(DIGITS)
    found = example.explain(one, 0)
    assert [len(each.places) for each in found.check.variables] == [20, 20, 20, 15, 15, 1]
    assert found.check.wrong == ()
    again = checked(one)
    pairs = zip(found.check.variables, again.variables, strict=True)
    assert all(np.array_equal(a.places, b.places) for a, b in pairs)
    assert "a sample of each variable's entries" in "\n".join(example.told(found))


def test_a_row_goes_through_the_layers_as_by_hand():
    from tftrain.explain import example

    one = of(
        DIGITS,
        layers(
            "{Dense: {units: 12, activation: relu}}", "{Dense: {units: 1, activation: sigmoid}}"
        ),
        "training.optimizer={SGD: {learning_rate: 0.1}}",
        "data.scaling=standardize",
    )
    dense = one.network.layers[0]
    dense.bias.assign([-1e3] * 3 + [0.0] * 9)  # three that no row wakes up
    found = example.explain(one, 5)
    w1, b1, w2, b2 = (variable.numpy() for variable in one.network.trainable_variables)
    x, y, _ = (None if each is None else each.numpy() for each in one.rows(5, 1))
    a1 = np.maximum(x @ w1 + b1, 0)
    a2 = 1 / (1 + np.exp(-(a1 @ w2 + b2)))
    error = (a2 - y)[0, 0]
    first, second = found.layers
    assert first.output == pytest.approx(np.linalg.norm(a1))
    assert first.gradient == pytest.approx(np.linalg.norm(error * w2))
    assert second.gradient == pytest.approx(abs(error / (a2 * (1 - a2)))[0, 0], rel=1e-4)
    assert second.weights == pytest.approx(abs(error) * np.sqrt(np.square(a1).sum() + 1))
    assert (first.dead, first.zero) == (0.25, np.mean(a1 == 0))
    assert first.saturated is None
    step = found.steps[-1]
    assert step.name == "network/dense_1/bias[0]"
    assert step.gradient == pytest.approx(error)
    assert step.after == pytest.approx(b2[0] - 0.1 * error)
    assert step.optimizer == pytest.approx(step.after)  # SGD does just that
    assert found.losses[0] == pytest.approx(found.losses[1])
    assert found.losses[0] < found.loss
    assert found.loss == pytest.approx(-np.log(a2 if y == 1 else 1 - a2)[0, 0])


def test_one_linear_neuron_after_another_collapses_as_in_the_notes():
    from tftrain.explain import linear

    one = of(
        ROOT / "configs" / "linear_regression.yaml",
        layers("{Dense: {units: 1}}", "{Dropout: {rate: 0.2}}", "{Dense: {units: 1}}"),
    )
    one.network.layers[0].bias.assign([0.7])
    one.network.layers[2].bias.assign([-0.4])
    (found,) = linear.collapse(one)
    w1, b1, w2, b2 = (variable.numpy() for variable in one.network.trainable_variables)
    assert found.kernel == pytest.approx(w1 @ w2)
    assert found.bias == pytest.approx(w2[0] * b1 + b2)
    assert (found.exact, found.then) == (True, "linear")
    assert "13 numbers become 11" in linear.told(one, [found])


def test_only_linear_layers_collapse_and_the_check_can_fail():
    from tftrain.explain import linear

    one = of(DIGITS)
    assert linear.collapse(one) == []
    assert linear.told(one, [])[0].endswith("(dense: sigmoid, dense_1: sigmoid, dense_2: sigmoid)")
    linear_then = of(
        DIGITS,
        layers(
            "{Dense: {units: 3}}",
            "{Dense: {units: 2, activation: relu}}",
            "{Dense: {units: 1, activation: sigmoid}}",
        ),
    )
    (found,) = linear.collapse(linear_then)
    assert (found.layers, found.then, found.exact) == (("dense", "dense_1"), "relu", True)
    other = replace(found, error=1e-8)
    assert "FAILED: another output on 216 rows, up to 1.0e-08" in linear.told(one, [other])


def test_forward_mode_gives_the_same_derivatives_by_a_pass_for_each_parameter():
    from tftrain.explain import cost

    found = cost.measure(of(DIGITS, layers("{Dense: {units: 1, activation: sigmoid}}")))
    assert (found.parameters, found.passes, len(found.so_far)) == (65, 65, 65)
    assert found.nodes > 5
    assert found.difference < 1e-12
    assert "O(N * P)" in "\n".join(cost.told(found))


def test_pictures_are_drawn_of_small_networks_only(tmp_path):
    from tftrain.explain import cost, drawing, example, network_drawing

    small = of(
        DIGITS,
        layers(
            "{Dense: {units: 3}}",
            "Dropout: {rate: 0.1}",
            "{Dense: {units: 1, activation: sigmoid}}",
        ),
    )
    network_drawing.require_small(small)
    made = network_drawing.figure(small, example.explain(small, 0))
    drawing.save(made, tmp_path / "network.svg")
    assert ">dropout<" in (tmp_path / "network.svg").read_text("utf-8")
    drawing.save(cost.figure(cost.measure(small)), tmp_path / "cost.png")
    assert (tmp_path / "cost.png").stat().st_size > 1000
    for wide in (
        of(
            DIGITS,
            layers("{Dense: {units: 101}}", "{Dense: {units: 1}}"),
            "training.loss=MeanSquaredError",
            "training.metrics=[]",
        ),
        of(ROOT / "configs" / "digits_cnn.yaml"),
    ):
        with pytest.raises(TftrainError) as raised:
            network_drawing.require_small(wide)
        assert "--picture: error[C013]: draws " in str(raised.value)


def test_a_run_is_explained_with_its_kept_weights(tmp_path):
    from tftrain.fit import fit, prepare
    from tftrain.terminal import Silent

    changes = ["training.threads=2", "training.epochs=2"]
    run = fit(prepare(DIGITS, changes, runs_dir=tmp_path), Silent())
    found = subject.of_run(tmp_path, "digits-1", allow_code=False)
    kept = np.load(run.folder / "weights.npz")
    kernel = found.network.layers[0].kernel.numpy()
    assert np.array_equal(kernel, kept["network/dense/kernel"])
    assert kernel.dtype == np.float64
    with pytest.raises(RunError, match="no such run"):
        subject.of_run(tmp_path, "digits-2", allow_code=False)


def test_a_network_too_large_for_float64_is_refused(monkeypatch):
    monkeypatch.setattr(subject.files, "machine_memory", lambda: 129_983)
    with pytest.raises(ConfigError) as raised:
        of(DIGITS)
    assert "error[K009]: to explain it takes some 129,984 bytes" in str(raised.value)


def test_rows_that_are_not_there_and_code_without_leave_are_told(planted):
    with pytest.raises(TftrainError) as raised:
        of(DIGITS).rows(9999, 1)
    assert "--example 9999: error[C031]: no such training row: expected 0 to 215" in str(
        raised.value
    )
    with pytest.raises(ConfigError) as refused:
        of(planted("Squared"))
    assert "C052" in str(refused.value)


@pytest.mark.slow
def test_the_command_exits_with_1_for_a_wrong_gradient(planted, tmp_path, warm_tftrain):
    done = warm_tftrain("explain", planted("WronglySquared"), "--allow-code", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 2
    assert failed[0].startswith("FAILED: network/wrongly_squared/kernel[")
    done = warm_tftrain("explain", DIGITS, "--example", 3, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["row"]) == (0, "", 3)
    assert all(one["largest_relative_error"] < 1e-5 for one in found["check"]["variables"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["planted.py", "planted.yaml"]


def test_half_of_a_sample_is_drawn_where_the_gradient_is_not_0(monkeypatch):
    """Rows of mostly zeros would else be checked where nothing can be wrong."""
    from tftrain.explain import gradients

    monkeypatch.setattr(gradients, "ALL", 10)
    monkeypatch.setattr(gradients, "SAMPLE", 20)
    one = of(DIGITS, layers("{Dense: {units: 30}}", "{Dense: {units: 1, activation: sigmoid}}"))
    inputs, labels, weights = one.rows(0, 8)
    sparse = inputs.numpy()
    sparse[:, 2:] = 0.0
    sparse[:, :2] = 1.0
    kernel = gradients.check(one.network, (sparse, labels, weights), seed=0).variables[0]
    assert (len(kernel.places), len(set(kernel.places.tolist()))) == (20, 20)
    assert 10 <= np.count_nonzero(kernel.backward) <= 15
