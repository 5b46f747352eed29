"""Layers and the shape of one row in, the network's table out: each layer's output, parameters.

What no rule tells stays open; what Keras would refuse ends the table. Nothing of Keras is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tftrain.config.resolve import Resolved
from tftrain.config.shapes import common
from tftrain.config.shapes.arguments import Fault, Misfit, NoRows, Output, Refusal, Shape, Unknown
from tftrain.config.shapes.rules import RULES, WITHOUT_RULE

__all__ = ["RULES", "WITHOUT_RULE", "Fault", "Row", "Shape", "trace"]

# What these do depends on the steps that a layer before them masks.
_MIND_MASKS = (
    *("BatchNormalization", "Bidirectional", "Pipeline", "RNN", "Softmax", "TimeDistributed"),
    *("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
)
# Layers that take whole numbers, as bins are, for what they are; and those that pass them on.
_TAKE_WHOLE = ("CategoryEncoding", "Embedding")
_KEEP_WHOLE = ("Flatten", "Identity", "Permute", "Reshape")
_MOST_AXES = 6


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


def trace(layers: Sequence[Resolved], inputs: Shape | None) -> tuple[list[Row], Fault | None]:
    """The network as a table.

    Args:
        layers: in their order.
        inputs: one row's shape, without the batch; None where it isn't known.

    Returns:
        A Row for each layer, up to the one that Keras would refuse, and what is wrong with that.
    """
    table: list[Row] = []
    shape = inputs
    masked = whole = False
    for place, layer in enumerate(layers):
        kind = layer.entry.definition
        output: tuple[Shape | None, int | None] = (None, None)
        try:
            if kind == "InputLayer":
                output = _input(layer, inputs, place)
            elif (
                shape is None
                or (masked and kind in _MIND_MASKS)
                or (whole and kind not in (*_TAKE_WHOLE, *_KEEP_WHOLE))
            ):
                _whatever_comes(layer)
            else:
                output = _output(layer, shape)
        except Unknown:
            pass  # the row stays open
        except Misfit as misfit:
            return table, misfit.fault
        table.append(Row(layer, *output))
        shape = output[0]
        masked = masked or kind == "Masking" or bool(layer.get("mask_zero"))
        whole = layer.get("output_mode") == "int" or (whole and kind in _KEEP_WHOLE)
    return table, None


def _whatever_comes(layer: Resolved) -> None:
    """Refuses a layer that no rows fit: it is tried with rows of any number of axes."""
    for axes in range(_MOST_AXES + 1):
        try:
            _output(layer, (None,) * axes)
        except Unknown:
            continue
        except Misfit as misfit:
            if misfit.always:
                raise


def _output(layer: Resolved, shape: Shape) -> Output:
    """The shape and the parameters of one layer, which may stand inside another."""
    rule = RULES.get(layer.entry.definition)
    try:
        common.check(layer)
        if rule is None:
            raise Unknown
        after, parameters = rule(layer, shape, _output)
    except Refusal as refusal:
        alone = refusal.code == "K004" or isinstance(refusal, NoRows)
        start = f"`{layer.name}`" if alone else f"doesn't fit rows of shape {shape}"
        raise Misfit(Fault(layer.path, refusal.code, f"{start}: {refusal}"), refusal) from None
    if not common.is_usual(layer) or any(size is not None and size < 1 for size in after):
        raise Unknown  # of nothing, Keras and TensorFlow think differently
    extra = layer.get("lora_rank") or layer.get("quantization_config")
    return after, None if extra else parameters


def _input(layer: Resolved, inputs: Shape | None, place: int) -> Output:
    """What the data's rows are, said again."""
    if place:
        raise _input_fault(layer, "stands first, or not at all")
    batch_shape, shape = layer.get("batch_shape"), layer.get("shape")
    whole = isinstance(batch_shape, list) and batch_shape[:1] == [None]
    known = batch_shape[1:] if whole else shape
    odd = set(layer.arguments) - {"shape", "batch_shape", "name"}
    if inputs is None or odd or not isinstance(known, list) or (shape and batch_shape):
        raise Unknown
    if not _fits(known, inputs):
        raise _input_fault(layer, f"takes rows of shape {tuple(known)}; the data's are {inputs}")
    return inputs, 0


def _input_fault(layer: Resolved, message: str) -> Misfit:
    return Misfit(Fault(layer.path, "K005", message), Refusal(message))


def _fits(known: Iterable[Any], inputs: Shape) -> bool:
    sizes = list(known)
    return len(sizes) == len(inputs) and all(
        size in (None, wanted) for wanted, size in zip(sizes, inputs, strict=True)
    )
