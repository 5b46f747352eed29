"""Bins of texts, against Keras's own Hashing layer."""

from __future__ import annotations

import hashlib

import pytest

from tftrain.data.table import siphash

pytestmark = pytest.mark.usefixtures("tensorflow")
TEXTS = ["", "a", "ab", "abcdefg", "abcdefgh", "Zürich", "日本", "x" * 100, "[UNK]", "0", "nan"]
TEXTS += [hashlib.sha256(str(number).encode()).hexdigest()[: number % 40] for number in range(300)]


def test_bins_are_those_of_keras():
    from tftrain.backend import keras, tf

    for bins in (2, 7, 64, 1000):
        layer = keras.layers.Hashing(bins, salt=siphash.SALT)
        expected = layer(tf.constant(TEXTS)).numpy().tolist()
        assert siphash.bins_of(TEXTS, bins).tolist() == expected
