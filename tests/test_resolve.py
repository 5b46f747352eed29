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
