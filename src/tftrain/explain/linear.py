"""A network in, out what its linear layers collapse to: one map, with its weights.

`(x W1 + b1) W2 + b2` is `x (W1 W2) + (b1 W2 + b2)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.backend import keras
from tftrain.errors import counted
from tftrain.explain.subject import Subject, outputs

Numbers = NDArray[np.float64]
_ROWS = 256
_EXACT = 1e-9
_SHOWN = 8
_SILENT = ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization")


@dataclass(frozen=True)
class Collapse:
    """A run of layers that is one linear map.

    Args:
        layers: their names.
        kernel: the map's weights, (inputs, outputs).
        bias: its bias, (outputs,).
        then: the activation that the last of the layers applies after it; `linear` for none.
        parameters: how many numbers the layers have.
        error: the largest difference between the map and the layers, relative to their outputs.
        rows: on how many rows.
    """

    layers: tuple[str, ...]
    kernel: Numbers
    bias: Numbers
    then: str
    parameters: int
    error: float
    rows: int

    @property
    def exact(self) -> bool:
        """Whether the map gives what the layers give."""
        return self.error <= _EXACT

    def plain(self) -> dict[str, Any]:
        """The same for JSON, with all weights."""
        arrays = {"kernel": self.kernel.tolist(), "bias": self.bias.tolist()}
        return {**vars(self), **arrays}


def collapse(subject: Subject) -> list[Collapse]:
    """What each run of linear Dense layers collapses to; only runs of two and more."""
    network = subject.network
    inputs = subject.rows(0, _ROWS)[0]
    made = [inputs, *outputs(network, inputs)]
    found, begin = [], 0
    while begin < len(network.layers):
        end = _end(network.layers, begin)
        dense = [one for one in network.layers[begin:end] if _is_dense(one)]
        if len(dense) > 1:
            found.append(_one(dense, np.asarray(made[begin]), np.asarray(made[end])))
        begin = max(end, begin + 1)
    return found


def _end(layers: list[Any], begin: int) -> int:
    """Where a run of layers ends of which only the last Dense may have an activation."""
    end = begin
    while end < len(layers) and (_is_dense(layers[end]) or type(layers[end]).__name__ in _SILENT):
        end += 1
        if (
            _is_dense(layers[end - 1])
            and layers[end - 1].activation is not keras.activations.linear
        ):
            break
    return end


def _is_dense(layer: Any) -> bool:
    return type(layer) is keras.layers.Dense and not layer.lora_enabled


def _one(dense: list[Any], before: Numbers, after: Numbers) -> Collapse:
    kernel, bias = np.eye(before.shape[-1]), np.zeros(before.shape[-1])
    for layer in dense:
        weights = np.asarray(layer.kernel.numpy(), "float64")
        kernel, bias = kernel @ weights, bias @ weights
        if layer.use_bias:
            bias = bias + layer.bias.numpy()
    activation = dense[-1].activation
    mapped = np.asarray(activation(keras.ops.convert_to_tensor(before @ kernel + bias)))
    scale = max(1.0, float(np.abs(after).max(initial=0.0)))
    return Collapse(
        tuple(one.name for one in dense),
        kernel,
        bias,
        getattr(activation, "__name__", type(activation).__name__),
        sum(one.count_params() for one in dense),
        float(np.abs(mapped - after).max(initial=0.0)) / scale,
        len(before),
    )


def told(subject: Subject, found: list[Collapse]) -> list[str]:
    """The same as a person reads it."""
    if not found:
        between = [
            f"{layer.name}: {getattr(getattr(layer, 'activation', None), '__name__', 'no Dense')}"
            for layer in subject.network.layers
        ]
        return [f"{subject.title}: no linear Dense layers in a row ({', '.join(between)})"]
    return [line for one in found for line in _told(subject.title, one)]


def _told(title: str, one: Collapse) -> list[str]:
    inputs, outputs_ = one.kernel.shape
    after = "" if one.then == "linear" else f", then {one.then}"
    maps = f"a = W x + b{after}"
    if one.kernel.size == 1:
        maps = f"a = {one.kernel[0, 0]:.6g} x + {one.bias[0]:.6g}{after}"
    verdict = "the same" if one.exact else "FAILED: another"
    return [
        f"{title}: {', '.join(one.layers)} collapse to one linear map, {maps}",
        f"W ({inputs} inputs, {outputs_} outputs):",
        *_matrix(one.kernel.T),
        "b:",
        *_matrix(one.bias[None]),
        f"{one.parameters:,} numbers become {one.kernel.size + one.bias.size:,}",
        f"{verdict} output on {counted(one.rows, 'row')}, up to {one.error:.1e}",
    ]


def _matrix(array: Numbers) -> list[str]:
    """Its first rows and columns; JSON has all."""
    lines = [
        "  "
        + " ".join(f"{number:>12.6g}" for number in row[:_SHOWN])
        + " ..." * (len(row) > _SHOWN)
        for row in array[:_SHOWN]
    ]
    return lines + ["  ..."] * (len(array) > _SHOWN)
