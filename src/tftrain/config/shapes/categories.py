"""Layers that put numbers into bins and make rows of 0 and 1 of them: their rules."""

from __future__ import annotations

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    NoRows,
    Output,
    Refusal,
    Shape,
    Unknown,
    refused,
    whole,
    word,
)

_ROWS_OF = ("one_hot", "multi_hot", "count")


def discretization(layer: Resolved, shape: Shape) -> Output:
    """For each number its bin, or a row of 0 and 1, that of its bin 1."""
    mode = word(layer, "output_mode", ("int", *_ROWS_OF), exactly=True)
    boundaries, bins = layer.get("bin_boundaries"), layer.get("num_bins")
    _not_sparse(layer, mode)
    if bins is not None and boundaries is not None:
        raise Refusal("`bin_boundaries` or `num_bins`, not both", "K004")
    if boundaries is None:
        raise Refusal("it needs `bin_boundaries`: bins of its own it has to learn first", "K004")
    if not isinstance(boundaries, list) or not boundaries or not _rising(boundaries):
        raise Unknown
    return _encoded(layer, shape, mode, len(boundaries) + 1)


def category_encoding(layer: Resolved, shape: Shape) -> Output:
    """For each number, or all of a row, a row of 0 and 1 or of counts."""
    tokens = whole(layer, "num_tokens")
    mode = word(layer, "output_mode", (*_ROWS_OF, "binary"), exactly=True)
    return _encoded(layer, shape, "multi_hot" if mode == "binary" else mode, tokens)


def hashing(layer: Resolved, shape: Shape) -> Output:
    """For each number one of the bins, which has nothing to do with its size."""
    if isinstance(layer.get("num_bins"), float):
        raise Unknown  # it works, up to its shape
    bins = whole(layer, "num_bins")
    mode = word(layer, "output_mode", ("int", *_ROWS_OF), exactly=True)
    _not_sparse(layer, mode)
    if mode != "int" or set(layer.arguments) - {"num_bins", "output_mode", "name"}:
        raise Unknown
    return _encoded(layer, shape, mode, bins)


def integer_lookup(layer: Resolved, _shape: Shape) -> Output:
    """The place of each number in a vocabulary, which Keras would have to learn if not given."""
    if layer.get("vocabulary") is None:
        raise Refusal("it needs a `vocabulary`: one of its own it has to learn first", "K004")
    raise Unknown


def of_texts(layer: Resolved, _shape: Shape) -> Output:
    """Layers that look up texts, which rows can't be."""
    if layer.get("invert"):
        raise Unknown
    raise NoRows("it takes texts, and rows are numbers")


def _encoded(layer: Resolved, shape: Shape, mode: str, depth: int) -> Output:
    if layer.get("sparse"):
        raise Unknown
    if mode == "int":
        return shape, 0
    if mode == "one_hot":
        return (*(shape[:-1] if shape[-1:] == (1,) else shape), depth), 0
    if len(shape) != 1:
        raise Unknown
    return (depth,), 0


def _not_sparse(layer: Resolved, mode: str) -> None:
    if layer.get("sparse") is True and mode == "int":
        raise refused("sparse", "false, with `output_mode: int`", True)


def _rising(values: list[object]) -> bool:
    numbers = [one for one in values if isinstance(one, (int, float))]
    return len(numbers) == len(values) and sorted(numbers) == numbers
