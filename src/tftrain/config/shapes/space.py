"""Layers that slide over steps, heights and widths, or crop, pad and stretch them: their rules."""

from __future__ import annotations

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    Output,
    Refusal,
    Shape,
    Size,
    Unknown,
    WrongAxes,
    channels_first,
    joined,
    pairs,
    refused,
    rows,
    sizes,
    split,
    times,
    total,
    whole,
    word,
)


def convolution(layer: Resolved, shape: Shape, directions: int) -> Output:
    """A kernel for each filter over the channels of its group."""
    filters, groups = whole(layer, "filters"), whole(layer, "groups")
    if filters % groups:
        raise refused("filters", f"a multiple of the {groups} groups", filters)
    space, channels = _slid(layer, shape, directions, causal=directions == 1)
    if channels is not None and channels % groups:
        raise Refusal(f"its {groups} groups can't share {channels} channels")
    kernel = times(*sizes(layer, "kernel_size", directions), channels, filters)
    part = None if kernel is None else kernel // groups
    return _computed(layer, space, filters), total(part, _bias(layer, filters))


def separable(layer: Resolved, shape: Shape, directions: int) -> Output:
    """A kernel for each channel, then a mix of the channels."""
    filters, multiplier = whole(layer, "filters"), whole(layer, "depth_multiplier")
    space, channels = _slid(layer, shape, directions, apart=True)
    deep = times(channels, multiplier)
    depthwise = times(*sizes(layer, "kernel_size", directions), deep)
    parameters = total(depthwise, times(deep, filters), _bias(layer, filters))
    return _computed(layer, space, filters), parameters


def depthwise(layer: Resolved, shape: Shape, directions: int) -> Output:
    """A kernel, or several, for each channel."""
    multiplier = whole(layer, "depth_multiplier")
    space, channels = _slid(layer, shape, directions, apart=True)
    deep = times(channels, multiplier)
    kernel = times(*sizes(layer, "kernel_size", directions), deep)
    return _computed(layer, space, deep), total(kernel, _bias(layer, deep))


def transposed(layer: Resolved, shape: Shape, directions: int) -> Output:
    """A convolution's opposite: each stop becomes a stride's width."""
    filters = whole(layer, "filters")
    kernel, strides, dilation = _kernel(layer, directions)
    valid = word(layer, "padding", ("valid", "same")) == "valid"
    given = layer.get("output_padding") is not None
    extra = sizes(layer, "output_padding", directions, 0) if given else (0,) * directions
    if any(more >= stride for more, stride in zip(extra, strides, strict=True)):
        raise refused("output_padding", f"less than the strides {strides}", extra)
    space, channels = split(layer, shape, directions)
    after: list[Size] = []
    for size, width, stride, gap, more in zip(space, kernel, strides, dilation, extra, strict=True):
        reach = (width - 1) * gap + 1
        last = reach if valid else reach % 2
        if given and not last + more:
            raise Refusal("an even kernel with `padding: same` needs an `output_padding` above 0")
        if not given:
            last = max(reach, stride) if valid else stride
        after.append(None if size is None else (size - 1) * stride + last + more)
    parameters = total(times(*kernel, channels, filters), _bias(layer, filters))
    return _computed(layer, tuple(after), filters), parameters


def pooling(layer: Resolved, shape: Shape, directions: int) -> Output:
    """One number for each stop of the pool."""
    if "pool_mode" in layer.arguments:
        raise Refusal("its name is its `pool_mode`", "K004")
    pool = sizes(layer, "pool_size", directions)
    strides = pool if layer.get("strides") is None else sizes(layer, "strides", directions)
    padding = word(layer, "padding", ("valid", "same"), exactly=True)
    space, channels = split(layer, shape, directions)
    return _computed(layer, _stops(space, list(pool), strides, padding, "pool"), channels), 0


def global_pooling(layer: Resolved, shape: Shape, directions: int) -> Output:
    """One number for each channel."""
    _, channels = split(layer, shape, directions)
    ones = (1,) * directions
    return (joined(layer, ones, channels) if layer.get("keepdims") else (channels,)), 0


def adaptive_pooling(layer: Resolved, shape: Shape, directions: int) -> Output:
    """So many stops, however large the pool must be."""
    size = sizes(layer, "output_size", directions)
    try:
        _, channels = split(layer, shape, directions)
    except WrongAxes:
        raise Unknown from None  # Keras doesn't look
    return _computed(layer, size, channels), 0


def cropping(layer: Resolved, shape: Shape, directions: int) -> Output:
    """Less on either side."""
    cut = [sum(pair) for pair in pairs(layer, "cropping", directions)]
    space, channels = split(layer, shape, directions)
    if any(size is not None and size <= less for size, less in zip(space, cut, strict=True)):
        raise Refusal(f"it crops {tuple(cut)}, and nothing is left")
    left = tuple(total(size, -less) for size, less in zip(space, cut, strict=True))
    return joined(layer, left, channels), 0


def padding(layer: Resolved, shape: Shape, directions: int) -> Output:
    """More on either side."""
    added = [sum(pair) for pair in pairs(layer, "padding", directions)]
    space, channels = split(layer, shape, directions)
    after = tuple(total(size, more) for size, more in zip(space, added, strict=True))
    return joined(layer, after, channels), 0


def up_sampling(layer: Resolved, shape: Shape, directions: int) -> Output:
    """Each number several times."""
    if layer.get("interpolation") not in (None, "nearest", "bilinear"):
        raise Unknown
    whole_only = directions == 1
    factors = (whole(layer, "size"),) if whole_only else sizes(layer, "size", directions)
    space, channels = split(layer, shape, directions)
    after = tuple(times(size, factor) for size, factor in zip(space, factors, strict=True))
    return joined(layer, after, channels), 0


def conv_lstm(layer: Resolved, shape: Shape, directions: int) -> Output:
    """An LSTM whose four gates are convolutions, of the rows and of the state."""
    filters = whole(layer, "filters")
    named = ("(steps, channels)", "(height, width, channels)", "(depth, height, width, channels)")
    rows(shape, f"(time, {named[directions - 1][1:]}")
    space, channels = _slid(layer, shape[1:], directions)
    kernel = times(*sizes(layer, "kernel_size", directions), total(channels, filters))
    parameters = times(total(kernel, bool(layer.get("use_bias"))), 4, filters)
    return steps(layer, shape, _computed(layer, space, filters)), parameters


def steps(layer: Resolved, shape: Shape, output: Shape) -> Shape:
    """A recurrent layer's output: of every step, or of the last."""
    if layer.get("stateful") is True:
        raise Refusal("`stateful` needs batches of one size, and the last may be shorter")
    if layer.get("return_state") or layer.get("use_cudnn") is True:
        raise Unknown
    return (shape[0], *output) if layer.get("return_sequences") else output


def _computed(layer: Resolved, space: Shape, channels: Size) -> Shape:
    """What a kernel gives; channels first, or half the bits, are not for every device."""
    if channels_first(layer) or "16" in str(layer.get("dtype")):
        raise Unknown
    return (*space, channels)


def _slid(
    layer: Resolved, shape: Shape, directions: int, *, causal: bool = False, apart: bool = False
) -> tuple[Shape, Size]:
    """Where a kernel stands as it slides over the rows, and their channels.

    `apart` is for a kernel of its own for each channel, which TensorFlow moves evenly.
    """
    kernel, strides, dilation = _kernel(layer, directions, apart=apart)
    padding = word(layer, "padding", ("valid", "same", "causal")[: 2 + causal])
    if apart and len(set(strides)) > 1:
        if max(dilation) > 1:
            raise Unknown  # TensorFlow does this another way, at times
        raise Refusal(f"its strides {strides} differ, which TensorFlow can't do")
    space, channels = split(layer, shape, directions)
    reach = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True)]
    return _stops(space, reach, strides, padding, "kernel"), channels


def _kernel(
    layer: Resolved, directions: int, *, apart: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    kernel = sizes(layer, "kernel_size", directions)
    strides, dilation = (
        sizes(layer, "strides", directions),
        sizes(layer, "dilation_rate", directions),
    )
    if not apart and max(strides) > 1 and max(dilation) > 1:
        raise Refusal("`strides` and `dilation_rate` can't both be more than 1", "K004")
    return kernel, strides, dilation


def _stops(
    space: Shape, reach: list[int], strides: tuple[int, ...], padding: str, what: str
) -> Shape:
    found: list[Size] = []
    for size, width, stride in zip(space, reach, strides, strict=True):
        if size is not None and padding == "valid" and width > size:
            raise Refusal(f"its {what}, {tuple(reach)}, is larger; or give `padding: same`")
        margin = 1 if padding != "valid" else width
        found.append(None if size is None else (size - margin) // stride + 1)
    return tuple(found)


def _bias(layer: Resolved, width: Size) -> Size:
    return width if layer.get("use_bias") else 0
