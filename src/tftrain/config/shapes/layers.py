"""Layers of one step, normalization, and preparation: their rules."""

from __future__ import annotations

import math
from typing import Any

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    NoRows,
    Output,
    Refusal,
    Shape,
    Unknown,
    axes,
    between,
    channels_first,
    kept_axes,
    refused,
    rows,
    split,
    times,
    total,
    whole,
)


def same(_layer: Resolved, shape: Shape) -> Output:
    """Rows that go out as they come in."""
    return shape, 0


def masking(layer: Resolved, shape: Shape) -> Output:
    """Rows as they come in, the steps marked that hold nothing but one number."""
    if not _numbers(layer.get("mask_value")) or isinstance(layer.get("mask_value"), list):
        raise Unknown
    return shape, 0


def noise(layer: Resolved, shape: Shape, argument: str = "rate", directions: int = 0) -> Output:
    """Dropout and noise: their rate, and for the spatial ones the rows' directions."""
    rate = between(layer, argument, 0, 1, "a number between 0 and 1")
    if rate == 1 and layer.entry.definition in ("AlphaDropout", "GaussianDropout"):
        raise refused(argument, "less than 1, by which it divides what is left", rate)
    if layer.get("noise_shape") is not None:
        raise Unknown
    if directions:
        split(layer, shape, directions)
    return shape, 0


def activation(layer: Resolved, shape: Shape) -> Output:
    """The layers' own numbers; None is no bound where it is Keras's default."""
    for argument in ("negative_slope", "max_value", "threshold"):
        known = layer.entry.arguments.get(argument)
        if known and not (known.default is None and layer.get(argument) is None):
            between(layer, argument, 0, math.inf, "a number, at least 0")
    return shape, 0


def penalty(layer: Resolved, shape: Shape) -> Output:
    """Rows as they come in, of which the loss takes note."""
    for argument in ("l1", "l2"):
        between(layer, argument, 0, math.inf, "a number, at least 0")
    return shape, 0


def softmax(layer: Resolved, shape: Shape) -> Output:
    """A layer along axes that must be there."""
    axes(layer, shape)
    return shape, 0


def prelu(layer: Resolved, shape: Shape) -> Output:
    """A slope for each number of a row, or one for all along the shared axes."""
    shared = layer.get("shared_axes")
    alpha = list(shape)
    for axis in shared if isinstance(shared, list) else [] if shared is None else [shared]:
        if type(axis) is not int:
            raise Unknown
        if not -len(shape) <= axis - 1 < len(shape):
            raise Refusal(f"these have axes 1 to {len(shape)}, `shared_axes` is {shared}")
        alpha[axis - 1] = 1
    return shape, times(*alpha)


def dense(layer: Resolved, shape: Shape) -> Output:
    """A kernel on the last axis."""
    units = whole(layer, "units")
    if not shape:
        raise Refusal("it takes rows of one number or more")
    return (*shape[:-1], units), times(total(shape[-1], bool(layer.get("use_bias"))), units)


def embedding(layer: Resolved, shape: Shape) -> Output:
    """A vector for each number."""
    numbers, width = whole(layer, "input_dim"), whole(layer, "output_dim")
    return (*shape, width), numbers * width


def reversible(layer: Resolved, shape: Shape) -> Output:
    """An Embedding with a kernel for the way back, unless that is the vectors themselves."""
    if layer.get("reverse_dtype") is not None or layer.get("logit_soft_cap") is not None:
        raise Unknown
    output, vectors = embedding(layer, shape)
    return output, times(vectors, 1 if layer.get("tie_weights") else 2)


def flatten(layer: Resolved, shape: Shape) -> Output:
    """All numbers of a row, in one axis."""
    channels_first(layer)
    return (times(*shape),), 0


def reshape(layer: Resolved, shape: Shape) -> Output:
    """The same numbers in other axes, of which -1 takes what is left."""
    target = layer.get("target_shape")
    if not isinstance(target, list):
        raise refused("target_shape", "a list of whole numbers", target)
    if None in target:
        raise Unknown  # a size that is left open, to Keras
    if any(type(size) is not int or size < -1 for size in target) or target.count(-1) > 1:
        raise refused("target_shape", "whole numbers, at most one of them -1", target)
    size, known = times(*shape), math.prod(size for size in target if size != -1)
    if size is None:
        return tuple(None if one == -1 else one for one in target), 0
    if size != known and (-1 not in target or not known or size % known):
        goal = "a multiple of " if -1 in target else ""
        raise Refusal(f"they hold {size} numbers; {tuple(target)} needs {goal}{known}")
    return tuple(size // known if one == -1 else one for one in target), 0


def permute(layer: Resolved, shape: Shape) -> Output:
    """The axes in another order, counted from 1."""
    order = layer.get("dims")
    wanted = "a list of each axis once, the first of them 1"
    whole_numbers = isinstance(order, list) and all(type(axis) is int for axis in order)
    if not whole_numbers or sorted(order) != list(range(1, len(order) + 1)):
        raise refused("dims", wanted, order)
    if len(order) != len(shape):
        raise Refusal(f"`dims` {order} needs rows of {len(order)} axes")
    return tuple(shape[axis - 1] for axis in order), 0


def repeat(layer: Resolved, shape: Shape) -> Output:
    """The row, `n` times."""
    times_over = whole(layer, "n")
    rows(shape, "(features,)")
    return (times_over, *shape), 0


def batch_normalization(layer: Resolved, shape: Shape) -> Output:
    """Scale, center, mean and variance of an axis; three more with `renorm`."""
    if type(layer.get("axis")) is not int or layer.get("renorm_clipping") is not None:
        raise Unknown
    weights = 2 + bool(layer.get("scale")) + bool(layer.get("center"))
    (axis,) = kept_axes(layer, shape)
    return shape, times(shape[axis - 1], weights + 3 * bool(layer.get("renorm")))


def layer_normalization(layer: Resolved, shape: Shape) -> Output:
    """Scale and center of each number along the axes."""
    weights = bool(layer.get("scale")) + bool(layer.get("center"))
    return shape, times(*(shape[axis - 1] for axis in kept_axes(layer, shape)), weights)


def rms_normalization(layer: Resolved, shape: Shape) -> Output:
    """A scale of each number along the axes, the last ones."""
    found = sorted(kept_axes(layer, shape))
    if found != list(range(len(shape) + 1 - len(found), len(shape) + 1)):
        raise Unknown  # it takes them at times, by luck: its scale isn't spread over other axes
    return shape, times(*(shape[axis - 1] for axis in found))


def group_normalization(layer: Resolved, shape: Shape) -> Output:
    """Scale and center of each channel; the groups share the channels evenly."""
    groups = whole(layer, "groups", -1)
    if groups == 0:
        raise refused("groups", "a whole number, at least 1, or -1", groups)
    if type(layer.get("axis")) is not int:
        raise Unknown
    (axis,) = kept_axes(layer, shape)
    channels = shape[axis - 1]
    if channels is not None and channels % (channels if groups < 0 else groups):
        raise Refusal(f"{channels} channels can't be shared by {groups} groups")
    return shape, times(channels, bool(layer.get("scale")) + bool(layer.get("center")))


def normalization(layer: Resolved, shape: Shape) -> Output:
    """Mean and variance of the axes kept, and a count, unless they are given."""
    mean, variance = layer.get("mean"), layer.get("variance")
    if (mean is None) != (variance is None):
        raise Refusal("`mean` and `variance` go together", "K004")
    kept = [] if layer.get("axis") is None else kept_axes(layer, shape)
    width = times(*(shape[axis - 1] for axis in kept))
    if mean is None:
        return shape, total(times(2, width), 1)
    for value in (mean, variance):
        length = len(value) if isinstance(value, list) else 1
        if not _numbers(value) or length not in (1, width) or len(kept) > 1:
            raise Unknown
    return shape, 0


def rescaling(layer: Resolved, shape: Shape) -> Output:
    """Numbers, or a list of them for the last axis."""
    for value in (layer.get("scale"), layer.get("offset")):
        width = len(value) if isinstance(value, list) else 1
        if not _numbers(value) or (width != 1 and (not shape or width != shape[-1])):
            raise Unknown
    return shape, 0


def joining(_layer: Resolved, _shape: Shape) -> Output:
    """Layers of several inputs, which a list of layers has no place for."""
    raise NoRows("it takes several inputs, and here each layer has one")


def cell(_layer: Resolved, _shape: Shape) -> Output:
    """One step of a recurrent layer."""
    raise NoRows("a cell works inside of an RNN: {RNN: {cell: ...}}")


def wrapper(_layer: Resolved, _shape: Shape) -> Output:
    """The base of Keras's wrappers."""
    raise NoRows("it computes nothing by itself: name the layer inside alone")


def _numbers(value: Any) -> bool:
    return all(type(one) in (int, float) for one in (value if isinstance(value, list) else [value]))
