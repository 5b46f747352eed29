"""What can be said of Keras's objects without Keras; the catalog's JSON Schema says the same."""

from __future__ import annotations

import pytest

from tftrain import config
from tftrain.errors import ConfigError

CONFIG = """\
data: {{source: digits, classes: [0, 1]}}
model:
  layers:
    - {layer}
training: {{loss: {loss}, optimizer: {optimizer}, epochs: 2}}
"""
RIGHT = {"layer": "Dense: {units: 1}", "loss": "bce", "optimizer": "adam"}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            {"layer": "Dense: {units: 1, kernel_initializer: ''}"},
            "4:45: error[K001]: Keras has no initializer called ``",
        ),
        (
            {"layer": "Dense: {units: {a: 1}}"},
            "4:22: error[K007]: `units`: expected a whole number, got a mapping",
        ),
        (
            {"optimizer": "{SGD: {learning_rate: [0.1]}, }"},
            None,  # Keras says what it thinks of a list
        ),
        ({"layer": "accuracy"}, "4:7: error[K001]: Keras has no layer called `accuracy`"),
        ({"loss": "accuracy"}, "5:18: error[K001]: Keras has no loss called `accuracy`"),
        ({"optimizer": "ce"}, "5:34: error[K001]: Keras has no optimizer called `ce`"),
        ({"loss": "crossentropy"}, None),
    ],
)
def test_a_value_is_told_where_it_stands(written, told, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.format(**(RIGHT | written)))
    if told is None:
        config.load(path)
        return
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    assert str(raised.value).startswith(f"{path}:{told}")


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ({"layer": "{Dens: {kernel_regularizer: {L3: {}}, bias_regularizer: L4}}"}, 3),
        ({"layer": "{Dense: {unit: 1, units: x}, name: a}"}, 3),
        ({"layer": "{Dense: , units: 1}"}, 1),
        ({"layer": "Dense: {units: x, kernel_regularizer: {L1: {l: 1}, L2: {}}}"}, 3),
        ({"loss": "{BinaryCrossentropy: {axi: 1, from_logits: 1}, name: a}"}, 3),
        ({"optimizer": "{name: a, SGD: {learning_rat: 1}}"}, 2),
    ],
)
def test_a_fault_of_an_object_hides_no_other_of_it(written, codes, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.format(**(RIGHT | written)))
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    assert len(raised.value.problems) == codes, raised.value
