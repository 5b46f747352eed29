"""Arguments that many layers have: what Keras refuses of them, and what the rules don't know of."""

from __future__ import annotations

from typing import Any

from tftrain.config.catalog import Argument
from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import Refusal, refused

_DTYPES = (
    None,
    *("float16", "bfloat16", "float32", "float64"),
    *("mixed_float16", "mixed_bfloat16"),
)
# Layers that do as activations what they do alone, and have no weights.
_ACTIVATIONS = ("Activation", "ELU", "Identity", "LeakyReLU", "ReLU", "Softmax")
# What an argument names, by the end of its name: one object, never a number or a list.
_OBJECTS = ("activation", "initializer", "regularizer", "constraint")
# Weights of two axes and more, as Orthogonal wants them.
_MATRICES = ("kernel", "recurrent", "embeddings")
# Arguments of initializers and activations that may be below 0.
_ANY_NUMBER = ("mean", "minval", "maxval", "value", "default_value")
_AXES = ("axis", "input_axes", "output_axes")


def check(layer: Resolved) -> None:
    """Refuses what no layer takes."""
    for name, value in layer.arguments.items():
        end = name.rpartition("_")[2]
        if end in _OBJECTS and not isinstance(value, Resolved | None):
            raise refused(name, f"the name of a Keras {end}", value)
    if layer.entry.definition == "ActivityRegularization" and layer.get("activity_regularizer"):
        raise Refusal("it is one by itself: `l1` and `l2`, no `activity_regularizer`", "K004")


def is_usual(layer: Resolved) -> bool:
    """Whether nothing that the rules don't know of changes a layer's weights or outputs."""
    dtype, seed, known = layer.get("dtype"), layer.get("seed"), layer.entry.arguments
    return (
        (isinstance(dtype, str | None) and dtype in _DTYPES)
        and (seed is None or type(seed) is int)
        and not (dtype not in (None, "float32") and _is_regularized(layer))
        and layer.get("weights") is None
        and all(_goes_with_any(*given, known[given[0]]) for given in layer.arguments.items())
    )


def _is_regularized(layer: Resolved) -> bool:
    """Whether it adds to the loss, which other numbers than the loss's own don't always go with."""
    named = any(layer.get(name) is not None for name in layer.arguments if "regularizer" in name)
    return named or layer.entry.definition == "ActivityRegularization"


def _goes_with_any(name: str, value: Any, known: Argument) -> bool:
    """Whether it is of its type, and an object goes with weights and rows of any shape."""
    role, _, end = name.rpartition("_")
    if not isinstance(value, Resolved) or end not in _OBJECTS:
        return known.types != ("bool",) or type(value) is bool or value == known.default
    definition = value.entry.definition
    odd = definition in ("STFT", "Identity", "OrthogonalRegularizer")
    odd = odd or (definition == "Orthogonal" and role not in _MATRICES)
    return not odd and not _changes_shape(value) and _has_plain_numbers(value)


def _has_plain_numbers(one: Resolved) -> bool:
    return all(_is_plain_number(one, name, value) for name, value in one.arguments.items())


def _is_plain_number(one: Resolved, name: str, value: Any) -> bool:
    if name in _AXES:  # a constraint is for later; the last axis is always there
        return type(value) is int and (one.kind == "constraint" or (name, value) == ("axis", -1))
    numbers = (int,) if name == "seed" else (int, float)
    return type(value) in numbers and (value >= 0 or name in _ANY_NUMBER)


def _changes_shape(one: Resolved) -> bool:
    if one.kind != "layer":
        return one.entry.definition == "glu"
    inner = one.get("activation")
    nested = isinstance(inner, Resolved) and _changes_shape(inner)
    return one.entry.definition not in _ACTIVATIONS or nested
