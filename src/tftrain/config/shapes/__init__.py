"""Layers and the shape of one row in, the network's table out: each layer's output, parameters.

What no rule tells stays open; what Keras would refuse ends the table. Nothing of Keras is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    Fault,
    Misfit,
    Output,
    Refusal,
    Shape,
    Unknown,
    WrongAxes,
)
from tftrain.config.shapes.rules import RULES, WITHOUT_RULE

__all__ = ["RULES", "WITHOUT_RULE", "Fault", "Row", "Shape", "trace"]

_DTYPES = (
    None,
    *("float16", "bfloat16", "float32", "float64"),
    *("mixed_float16", "mixed_bfloat16"),
)
# Layers that do as activations what they do alone, and have no weights.
_ACTIVATIONS = ("Activation", "ELU", "Identity", "LeakyReLU", "ReLU", "Softmax")
# What these do depends on the steps that a layer before them masks.
_MIND_MASKS = (
    *("Bidirectional", "Pipeline", "RNN", "Softmax", "TimeDistributed"),
    *("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
)


@dataclass(frozen=True)
class Row:
    """One line of the network's table.

    Args:
        layer: which one.
        shape: of one row's output, without the batch; None where no rule tells.
        parameters: the number of its weights' values, those not trained too; None where unknown.
    """

    layer: Resolved
    shape: Shape | None
    parameters: int | None


def trace(layers: Sequence[Resolved], inputs: Shape) -> tuple[list[Row], Fault | None]:
    """The network as a table.

    Args:
        layers: in their order.
        inputs: one row's shape, without the batch.

    Returns:
        A Row for each layer, up to the one that Keras would refuse, and what is wrong with that.
    """
    table: list[Row] = []
    shape: Shape | None = inputs
    masked = False
    for place, layer in enumerate(layers):
        output: tuple[Shape | None, int | None] = (None, None)
        try:
            if layer.entry.definition == "InputLayer":
                output = _input(layer, inputs, place)
            elif shape is not None and not (masked and layer.entry.definition in _MIND_MASKS):
                output = _output(layer, shape)
        except Unknown:
            pass  # the row stays open
        except Misfit as misfit:
            return table, misfit.fault
        table.append(Row(layer, *output))
        shape = output[0]
        masked = masked or layer.entry.definition == "Masking" or bool(layer.get("mask_zero"))
    return table, None


def _output(layer: Resolved, shape: Shape) -> Output:
    """The shape and the parameters of one layer, which may stand inside another."""
    rule = RULES.get(layer.entry.definition)
    if rule is None or not _usual(layer):
        raise Unknown
    try:
        after, parameters = rule(layer, shape, _output)
    except Refusal as refusal:
        start = (
            f"`{layer.name}`" if refusal.code == "K004" else f"doesn't fit rows of shape {shape}"
        )
        fault = Fault(layer.path, refusal.code, f"{start}: {refusal}")
        raise Misfit(fault, wrong_axes=isinstance(refusal, WrongAxes)) from None
    if any(size is not None and size < 1 for size in after):
        raise Unknown  # Keras and TensorFlow don't agree about nothing
    extra = layer.get("lora_rank") or layer.get("quantization_config")
    return after, None if extra else parameters


def _usual(layer: Resolved) -> bool:
    """Whether nothing that the rules don't know of changes a layer's weights or outputs."""
    dtype = layer.get("dtype")
    activations = [value for name, value in layer.arguments.items() if name.endswith("activation")]
    return (
        (isinstance(dtype, str | None) and dtype in _DTYPES)
        and layer.get("weights") is None
        and not any(map(_changes_shape, activations))
    )


def _changes_shape(activation: Any) -> bool:
    if not isinstance(activation, Resolved):
        return False
    if activation.kind == "activation":
        return activation.entry.definition == "glu"
    inner = activation.get("activation")
    return activation.entry.definition not in _ACTIVATIONS or _changes_shape(inner)


def _input(layer: Resolved, inputs: Shape, place: int) -> Output:
    """What the data's rows are, said again."""
    message = _input_fault(layer, inputs) if place == 0 else "stands first, or not at all"
    if message:
        raise Misfit(Fault(layer.path, "K005", message))
    return inputs, 0


def _input_fault(layer: Resolved, inputs: Shape) -> str | None:
    batch_shape, shape = layer.get("batch_shape"), layer.get("shape")
    known = batch_shape[1:] if isinstance(batch_shape, list) else shape
    if not isinstance(known, list) or set(layer.arguments) - {"shape", "batch_shape", "name"}:
        raise Unknown
    if _fits(known, inputs):
        return None
    return f"takes rows of shape {tuple(known)}; the data's are {inputs}"


def _fits(known: Iterable[Any], inputs: Shape) -> bool:
    sizes = list(known)
    return len(sizes) == len(inputs) and all(
        size in (None, wanted) for wanted, size in zip(sizes, inputs, strict=True)
    )
