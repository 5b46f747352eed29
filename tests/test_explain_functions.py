"""`tftrain explain activation`, `loss`, `entropy`: formulas against Keras, SciPy and the notes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from tftrain.errors import TftrainError
from tftrain.explain import entropy, facts
from tftrain.explain.functions import ACTIVATIONS, LOSSES, named

PLACES = (-3.2, -1.3, -0.4, 0.3, 0.9, 2.6, 7.1)  # no kink among them
CLOSE = {"rel": 1e-6, "abs": 1e-12}  # Keras has some constants in float32, such as a slope of 0.2
CLASSES = ("categorical_crossentropy", "sparse_categorical_crossentropy")


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("one", ACTIVATIONS, ids=lambda one: one.keras)
def test_an_activation_is_that_of_keras(one):
    from tftrain.backend import keras, tf

    function = getattr(keras.activations, one.keras)
    others = one.curves[0]
    for place in PLACES:
        z = tf.constant([[place, *others.values()]], "float64")
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = function(z)[0, 0]
        slope = float(tape.gradient(value, z)[0, 0])
        assert one.at(place, others) == pytest.approx(float(value), **CLOSE)
        assert one.at(place, others, one.derivative) == pytest.approx(slope, **CLOSE)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("one", LOSSES, ids=lambda one: one.keras)
def test_a_loss_is_that_of_keras(one):
    from tftrain.backend import keras, tf

    function = getattr(keras.losses, one.keras)
    low, high = one.over
    for others in one.curves:
        label = next(iter(others.values()), 0)
        for share in (0.13, 0.31, 0.58, 0.83):
            place = low + share * (high - low)
            f = tf.constant([[place]], "float64")
            with tf.GradientTape() as tape:
                tape.watch(f)
                if one.keras in CLASSES:
                    sparse = one.keras.startswith("sparse")
                    y = tf.constant([0] if sparse else [[1.0, 0.0]])
                    value = function(y, tf.concat([f, 1 - f], 1))
                else:
                    value = function(tf.constant([[label]], "float64"), f)
            slope = float(tape.gradient(value, f)[0, 0])
            # Keras keeps logarithms from 0 by 1e-7
            assert one.at(place, others) == pytest.approx(float(value[0]), rel=2e-5, abs=1e-6)
            if one.keras not in CLASSES:  # whose gradient Keras takes of the normalised outputs
                assert one.at(place, others, one.derivative) == pytest.approx(slope, rel=1e-4)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("one", [*ACTIVATIONS, *LOSSES], ids=lambda one: one.keras)
def test_other_names_are_keras_s_own(one):
    from tftrain.backend import keras

    package = keras.activations if one in ACTIVATIONS else keras.losses
    get = package.get
    for name in one.also:
        if name == "celu":
            continue  # another function, the same where alpha is 1
        found = get(name)
        known = getattr(found, "fn", found) or type(found)
        assert known is getattr(package, one.keras), name


@pytest.mark.parametrize(
    ("kind", "name", "lines"),
    [
        ("activation", "ReLU", ["relu(z) = max(0, z)", "d/dz = step(z)"]),
        ("activation", "sigmoid", ["sigmoid(z) = 1/(1 + exp(-z))"]),
        (
            "loss",
            "BinaryCrossentropy",
            ["binary_crossentropy(y, f) = -y*log(f) - (1 - y)*log(1 - f)"],
        ),
        ("loss", "mse", ["mean_squared_error(y, f) = (f - y)**2", "d/df = 2*f - 2*y"]),
    ],
)
def test_the_formula_and_its_derivative_are_written_plainly(kind, name, lines):
    told = facts.function(kind, name).told()
    assert told[: len(lines)] == lines


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("activation", "sigmoyd", "did you mean `sigmoid`?"),
        ("loss", "Hubert", "did you mean `Huber`?"),
        ("loss", "xx", "; there are binary_crossentropy, "),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(kind, name, said):
    with pytest.raises(TftrainError) as raised:
        named(kind, name)
    assert "error[C031]" in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("p", [[0.3, 0.7], [0.2, 0.3, 0.5], [0.125] * 8, [1.0, 0.0]])
def test_entropy_is_that_of_scipy_and_cross_entropy_is_never_below(p):
    q = np.roll(p, 1)
    found = entropy.of(",".join(map(str, p)), ",".join(map(str, q)))
    assert found.bits == pytest.approx(stats.entropy(p, base=2), abs=1e-12)
    assert found.cross_bits - found.bits == pytest.approx(stats.entropy(p, q, base=2), abs=1e-12)
    assert found.cross_bits >= found.bits


def test_n_equal_events_take_log2_n_bits_and_a_coin_most_at_one_half():
    assert entropy.of(",".join(["0.125"] * 8), None).bits == 3
    assert entropy.of("0.5", None).bits == 1
    places, bits = entropy.curve()
    assert (max(bits), places[bits.index(max(bits))]) == (1, 0.5)
    assert entropy.of("0.3", None).bits == pytest.approx(
        -0.3 * math.log2(0.3) - 0.7 * math.log2(0.7)
    )


@pytest.mark.parametrize(
    ("p", "q", "said"),
    [
        ("0.3,0.3", None, "add up to 1, not to 0.6"),
        ("1.2", None, "from 0 to 1"),
        ("half", None, "expected numbers"),
        ("nan", None, "from 0 to 1"),
        ("0.5", "0.2,0.3,0.5", "expected as many probabilities as --p has, 2, got 3"),
    ],
)
def test_what_is_no_distribution_is_told(p, q, said):
    with pytest.raises(TftrainError) as raised:
        entropy.of(p, q)
    assert "error[E002]: expected" in str(raised.value)
    assert said in str(raised.value)


def test_the_commands_are_light_and_draw(tftrain, tmp_path):
    code, stdout, said = tftrain("explain", "loss", "mae", "--picture", "mae.svg")
    assert (code, said) == (0, "")
    assert stdout.startswith("mean_absolute_error(y, f) = abs(f - y)\nd/df = sign(f - y)\n")
    assert (tmp_path / "mae.svg").exists()
    code, stdout, said = tftrain("explain", "entropy", "--p", "0.3", "--json")
    assert json.loads(stdout)["entropy"] == pytest.approx(0.8812908992)
    for wrong in (["entropy"], ["loss"], ["activation", "relu", "tanh"]):
        code, stdout, said = tftrain("explain", *wrong)
        assert (code, stdout) == (2, "")
        assert "expected" in said
