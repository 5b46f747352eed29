"""A trained network and its preparation in, a Keras model that takes raw rows out.

It needs nothing of tftrain: Keras's own layers and operations hold all that was learnt.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from tftrain.backend import keras
from tftrain.config import Config, outputs, squashing
from tftrain.data import Preparation
from tftrain.data.scaling import Scaling
from tftrain.data.table import siphash
from tftrain.data.table.columns import (
    Category,
    Columns,
    Date,
    Hashed,
    Number,
    Prepared,
    Text,
    inverse,
)
from tftrain.data.target import TargetScaling

_OTHER = "[not seen in training]"


def exportable(network: Any, config: Config, preparation: Preparation) -> Any:
    """The network for others: raw inputs in, predictions (no logits, the target's units) out.

    Args:
        network: the trained network.
        config: whose loss says whether its outputs are logits.
        preparation: becomes layers before and behind it.

    Returns:
        A `keras.Model`. For tables it takes a dictionary of columns, (rows, 1) each: texts for
        categories and texts, 32-bit numbers otherwise, dates as days since 1970; for images any
        size. It shares the network's layers, and needs nothing of tftrain but for an activation
        with arguments that Keras itself can't save.
    """
    if preparation.columns is not None:
        inputs, out = _columns(preparation.columns)
        layers = []
    else:
        shape, layers = network.input_shape[1:], _scaling(preparation.scaling)
        if preparation.pixels is not None:
            height, width, channels = preparation.pixels
            shape = (None, None, channels)
            layers = [keras.layers.Resizing(height, width, antialias=True), *layers]
        inputs = out = keras.Input(shape)
    alone = isinstance(network, keras.Sequential)  # of an ensemble, all stays together
    body = network.layers if alone else [network]
    for layer in [*layers, *body, *_behind(network, config, preparation.target)]:
        out = layer(out, training=False) if _at_random(layer) else layer(out)
    with warnings.catch_warnings():  # of a name that Keras doesn't allow for an input
        warnings.simplefilter("ignore", UserWarning)
        return keras.Model(inputs, out, name=config.name)


def _at_random(layer: Any) -> bool:
    """Whether a layer changes its inputs at random unless it is told that this is no training.

    Keras's augmentation does: `model(inputs)` would augment, and only `model.predict` would not.
    """
    training = inspect.signature(layer.call).parameters.get("training")
    several = isinstance(layer, keras.Model)  # which hands it on
    return training is not None and (several or training.default is True)


def _behind(network: Any, config: Config, target: TargetScaling | None) -> list[Any]:
    loss = config.training.loss
    if outputs(loss) == "logits":
        return [keras.layers.Activation(squashing(loss, network.output_shape[-1]))]
    if target is None:
        return []
    scale, offset = target.deviation.tolist(), target.mean.tolist()
    layers = [keras.layers.Rescaling(scale, offset)]
    if target.log:
        layers += [keras.layers.Activation("exponential"), keras.layers.Rescaling(1.0, -1.0)]
    return layers


def _scaling(scaling: Scaling) -> list[Any]:
    if scaling.first is None or scaling.second is None:
        return []
    if scaling.kind == "rescale":
        return [keras.layers.Rescaling(scaling.second.tolist(), scaling.first.tolist())]
    axis = -1 if scaling.first.ndim else None
    numbers = {"mean": scaling.first, "variance": scaling.second}
    return [keras.layers.Normalization(axis=axis, **numbers)]


def _columns(columns: Columns) -> tuple[dict[str, Any], Any]:
    """An input for each column by its name, and all that they become side by side."""
    inputs: dict[str, Any] = {}
    features: list[Any] = []
    for place, column in enumerate(columns.columns):
        dtype = "string" if isinstance(column, Category | Hashed | Text) else "float32"
        name = column.name if column.name and "/" not in column.name else f"column_{place}"
        inputs[column.name] = keras.Input((1,), dtype=dtype, name=name)
        features += _features(column, inputs[column.name])
    together = features[0] if len(features) == 1 else keras.layers.Concatenate()(features)
    return inputs, together


def _features(column: Prepared, given: Any) -> list[Any]:
    """What `put` of the column does, in Keras's layers and operations."""
    match column:
        case Number():
            return _number(column, given)
        case Date():
            return _date(column, given)
        case Category():
            return [_category(column, given)]
        case Hashed():
            hashing = keras.layers.Hashing(column.bins, salt=siphash.SALT, output_mode="one_hot")
            return [hashing(given)]
        case Text():
            return [_text(column, given)]


def _number(column: Number, given: Any) -> list[Any]:
    ops = keras.ops
    missing = ops.isnan(given)
    numbers = ops.where(missing, column.fill, given)
    if column.boundaries:
        bins = keras.layers.Discretization(list(column.boundaries), output_mode="one_hot")
        features = [bins(numbers)]
    else:
        features = [(numbers - column.first) * inverse(column.second)]
    return [*features, ops.cast(missing, "float32")] if column.indicator else features


def _date(column: Date, given: Any) -> list[Any]:
    ops = keras.ops
    days = ops.where(ops.isnan(given), column.fill, given)
    features = [(days - column.first) * inverse(column.second)]
    for cycle in column.cycles:
        angle = ops.mod(days, cycle) * (2 * 3.141592653589793 / cycle)
        features += [ops.sin(angle), ops.cos(angle)]
    return features


def _category(column: Category, given: Any) -> Any:
    lookup = keras.layers.StringLookup(
        vocabulary=list(column.vocabulary), oov_token=_OTHER, output_mode="one_hot"
    )
    return lookup(given)


def _text(column: Text, given: Any) -> Any:
    """Its shape is said again: of texts (rows, 1) Keras 3.15 takes it to be (rows, 1, words)."""
    vectorized = keras.layers.TextVectorization(**column.vectorizer.arguments())(given)
    shaped = keras.ops.reshape(vectorized, (-1, column.width))
    return keras.ops.cast(shaped, "float32")
