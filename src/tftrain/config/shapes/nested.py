"""Recurrent layers, and layers that hold others: their rules."""

from __future__ import annotations

from collections.abc import Callable

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    Misfit,
    Output,
    Refusal,
    Shape,
    Size,
    Unknown,
    refused,
    rows,
    times,
    total,
    whole,
)
from tftrain.config.shapes.space import steps

CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell")
RECURRENT = ("GRU", "LSTM", "RNN", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
# Layers with a kernel, and the argument that is its last size.
_LAST = {
    "Dense": "units",
    "Embedding": "output_dim",
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), "filters"),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), "depth_multiplier"),
}
# Layers that find out by themselves that rows have other axes than they take.
_CHECKED = ("Conv", "Depthwise", "Separable")


def recurrent(layer: Resolved, shape: Shape) -> Output:
    """A layer that is one cell."""
    parameters = _cell(layer, shape[-1] if shape else None)
    rows(shape, "(steps, features)")
    return steps(layer, shape, (whole(layer, "units"),)), parameters


def rnn(layer: Resolved, shape: Shape) -> Output:
    """One cell, or several one after the other."""
    cell = layer.get("cell")
    if isinstance(cell, Resolved) and cell.entry.definition == "StackedRNNCells":
        cell = cell.get("cells")
    cells = cell if isinstance(cell, list) else [cell]
    if not cells or not all(
        isinstance(one, Resolved) and one.entry.definition in CELLS for one in cells
    ):
        raise Unknown
    if len(shape) > 2:  # noqa: PLR2004 - (steps, features)
        raise Unknown
    rows(shape, "(steps, features)")
    parameters: list[Size] = []
    features = shape[-1]
    for one in cells:
        parameters.append(_cell(one, features))
        features = whole(one, "units")
    return steps(layer, shape, (features,)), total(*parameters)


def bidirectional(layer: Resolved, shape: Shape, inner: Callable[..., Output]) -> Output:
    """A recurrent layer and its copy that goes backwards."""
    one = _inner(layer, "layer")
    merge = layer.get("merge_mode")
    if merge not in ("sum", "mul", "ave", "concat", None):
        raise refused("merge_mode", "sum, mul, ave, concat or null", merge)
    if one.entry.definition not in RECURRENT:
        raise refused("layer", f"one of {', '.join(RECURRENT)}", one.name)
    if one.get("go_backwards"):
        raise Refusal("its layer may not go backwards itself", "K004")
    if merge is None or layer.get("backward_layer") is not None:
        raise Unknown
    output, parameters = inner(one, shape)
    if merge == "concat":
        output = (*output[:-1], times(output[-1], 2))
    return output, times(parameters, 2)


def time_distributed(layer: Resolved, shape: Shape, inner: Callable[..., Output]) -> Output:
    """The layer inside on each step, without Keras's check of its number of axes."""
    one = _inner(layer, "layer")
    if one.entry.definition in ("InputLayer", "Pipeline"):
        raise Unknown
    if len(shape) < 2:  # noqa: PLR2004 - (steps, features)
        raise Refusal("it takes rows of shape (steps, ...); put a Reshape before it")
    try:
        output, parameters = inner(one, shape[1:])
    except Misfit as misfit:
        if misfit.wrong_axes and not one.entry.definition.startswith(_CHECKED):
            raise Unknown from None
        raise
    return (shape[0], *output), parameters


def spectral(layer: Resolved, shape: Shape, inner: Callable[..., Output]) -> Output:
    """The layer inside, and a vector as long as its kernel's last axis."""
    one = _inner(layer, "layer")
    whole(layer, "power_iterations")
    if one.entry.definition not in _LAST:
        raise Unknown
    output, parameters = inner(one, shape)
    return output, total(parameters, whole(one, _LAST[one.entry.definition]))


def pipeline(layer: Resolved, shape: Shape, inner: Callable[..., Output]) -> Output:
    """The layers inside, one after the other."""
    layers = layer.get("layers")
    if not isinstance(layers, list) or not all(isinstance(one, Resolved) for one in layers):
        raise Unknown
    parameters: Size = 0
    for one in layers:
        shape, more = inner(one, shape)
        parameters = total(parameters, more)
    return shape, parameters


def _inner(layer: Resolved, argument: str) -> Resolved:
    one = layer.get(argument)
    if not isinstance(one, Resolved) or one.kind != "layer":
        raise Unknown
    return one


def _cell(layer: Resolved, features: Size) -> Size:
    """A cell's parameters, or those of the layer that is one cell."""
    units = whole(layer, "units")
    kind = layer.entry.definition.removesuffix("Cell")
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[kind]
    biases = bool(layer.get("use_bias")) * (2 if kind == "GRU" and layer.get("reset_after") else 1)
    return times(total(features, units, biases), units, gates)
