"""The model for others: raw rows in, predictions out, and nothing of tftrain needed."""

from __future__ import annotations

import numpy as np
import pytest

from test_model import BINARY, LOGITS, NUMBER, SPARSE, build, dense
from tftrain.data import Form, Preparation
from tftrain.data.scaling import Scaling

pytestmark = pytest.mark.usefixtures("tensorflow")


@pytest.mark.parametrize(
    ("loss", "form", "units", "function"),
    [
        ({"BinaryCrossentropy": LOGITS}, BINARY, 1, "sigmoid"),
        ({"SparseCategoricalCrossentropy": LOGITS}, SPARSE, 3, "softmax"),
        ("MeanSquaredError", NUMBER, 1, "linear"),
    ],
)
def test_the_network_for_others_takes_raw_rows_and_gives_no_logits(loss, form, units, function):
    from tftrain.backend import keras
    from tftrain.exported import exportable

    network, config = build(form, [dense(units)], loss)
    rows = np.random.default_rng(0).normal(3, 2, size=(50, 4)).astype(np.float32)
    mean, variance = rows.mean(axis=0), rows.var(axis=0)
    scaling = Scaling("standardize", mean, variance)
    others = exportable(network, config, Preparation(scaling))
    expected = getattr(keras.activations, function)(network(scaling.apply(rows)))
    np.testing.assert_allclose(others(rows), expected, rtol=0, atol=1e-6)


def test_the_network_for_others_can_be_loaded_with_any_activation(tmp_path):
    from tftrain.backend import keras
    from tftrain.exported import exportable

    layers = [dense(3, {"celu": {"alpha": 0.5}}), dense(2, {"LeakyReLU": {}}), dense(1)]
    network, config = build(NUMBER, layers, "mse")
    path = tmp_path / "model.keras"
    exportable(network, config, Preparation()).save(path)
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(keras.models.load_model(path)(rows), network(rows))


def test_augmentation_is_for_training_only():
    from tftrain.backend import keras
    from tftrain.exported import exportable

    images = Form((8, 8, 1), (), ("a", "b"))
    layers = [
        {"RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3}},
        {"RandomContrast": {"factor": 0.5}},
        "Flatten",
        dense(1, "sigmoid"),
    ]
    network, config = build(images, layers, "BinaryCrossentropy")
    rows = np.random.default_rng(0).normal(size=(20, 8, 8, 1)).astype(np.float32)
    others = exportable(network, config, Preparation())
    expected = network.predict_step((keras.ops.convert_to_tensor(rows),))
    np.testing.assert_allclose(others(rows), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(others(rows), others(rows))
