"""Layers that prepare and vary images: their rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    Output,
    Refusal,
    Shape,
    Unknown,
    between,
    channels_first,
    refused,
    rows,
    whole,
    word,
)

_COLOURS = 3
_NEVER_READ = ("name", "dtype", "seed", "trainable", "autocast", "activity_regularizer")
_HARMLESS = (*_NEVER_READ, "bounding_box_format", "data_format", "value_range", "fill_value")
_FILLS = ("reflect", "wrap", "constant", "nearest")


@dataclass(frozen=True)
class _Looks:
    """What Keras looks at in one layer's arguments.

    Args:
        factors: bounds of each number, or pair of numbers, by its argument.
        factor: whether the layer takes the argument of that name.
        words: what others can be, by the argument.
        colours: whether images must have three channels.
    """

    factors: Mapping[str, tuple[float, float]]
    factor: bool = True
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    colours: bool = False


_UNIT, _SIGNED = (0.0, 1.0), (-1.0, 1.0)
_BY_PIXEL = {"interpolation": ("nearest", "bilinear")}
_MOVED = {**_BY_PIXEL, "fill_mode": _FILLS}
_LAYERS: Mapping[str, _Looks] = {
    "AutoContrast": _Looks({}, factor=False),
    "CutMix": _Looks({"factor": _UNIT}),
    "MixUp": _Looks({"factor": _SIGNED}),
    "RandomBrightness": _Looks({"factor": _SIGNED}),
    "RandomColorDegeneration": _Looks({"factor": _SIGNED}, colours=True),
    "RandomColorJitter": _Looks(
        {
            "factor": _SIGNED,
            "brightness_factor": _SIGNED,
            "contrast_factor": _UNIT,
            "saturation_factor": _SIGNED,
            "hue_factor": _UNIT,
        },
        colours=True,
    ),
    "RandomContrast": _Looks({"factor": _UNIT}),
    "RandomElasticTransform": _Looks(
        {"factor": _UNIT, "scale": _UNIT}, words={**_BY_PIXEL, "fill_mode": (*_FILLS, "mirror")}
    ),
    "RandomErasing": _Looks({"factor": _UNIT, "scale": _UNIT}),
    "RandomFlip": _Looks({}, factor=False),
    "RandomGaussianBlur": _Looks({"factor": _UNIT, "sigma": _UNIT}),
    "RandomGrayscale": _Looks({"factor": _UNIT}, colours=True),
    "RandomHue": _Looks({"factor": _UNIT}, colours=True),
    "RandomInvert": _Looks({"factor": _UNIT}),
    "RandomPosterization": _Looks({"factor": (1.0, 8.0)}),
    "RandomRotation": _Looks({"factor": _SIGNED}, words=_MOVED),
    "RandomSaturation": _Looks({"factor": _SIGNED}, colours=True),
    "RandomSharpness": _Looks({"factor": _UNIT}),
    "RandomShear": _Looks({"x_factor": _UNIT, "y_factor": _UNIT}, factor=False, words=_MOVED),
    "RandomTranslation": _Looks(
        {"height_factor": _SIGNED, "width_factor": _SIGNED}, factor=False, words=_MOVED
    ),
    "RandomZoom": _Looks(
        {"height_factor": _SIGNED, "width_factor": _SIGNED}, factor=False, words=_MOVED
    ),
    "Solarization": _Looks({"addition_factor": _UNIT, "threshold_factor": _UNIT}, factor=False),
}
# What they do depends on chance, and so does whether they can do it to small images.
_CHOSEN: Mapping[str, _Looks] = {
    "AugMix": _Looks({"factor": _UNIT}, words=_BY_PIXEL),
    "RandAugment": _Looks({"factor": _UNIT}, words=_BY_PIXEL),
    "RandomPerspective": _Looks({"factor": _UNIT}, words=_BY_PIXEL),
}
CHOSEN = tuple(_CHOSEN)
VARYING = tuple(name for name in _LAYERS if name != "RandomGrayscale")


def varied(layer: Resolved, shape: Shape) -> Output:
    """Images that go out as large as they come in."""
    looks = _LAYERS[layer.entry.definition]
    settled = _arguments(layer, looks)
    channels_last = _images(layer, shape)
    if looks.colours and channels_last and shape[-1] != _COLOURS:
        raise Unknown
    if not settled or not channels_last:
        raise Unknown
    return shape, 0


def grey(layer: Resolved, shape: Shape) -> Output:
    """As `varied`, of a factor that is one number."""
    between(layer, "factor", 0, 1, "a number from 0 to 1")
    return varied(layer, shape)


def chosen(layer: Resolved, shape: Shape) -> Output:
    """Images that go out as large as they come in, if at all."""
    _arguments(layer, _CHOSEN[layer.entry.definition])
    _images(layer, shape)
    raise Unknown


def resized(layer: Resolved, shape: Shape) -> Output:
    """Images of another size."""
    _no_factor(layer)
    size = whole(layer, "height"), whole(layer, "width")
    last = _images(layer, shape)
    if set(layer.arguments) - {*_HARMLESS, "height", "width"}:
        raise Unknown
    return ((*size, shape[-1]) if last else (shape[0], *size)), 0


def cropped(layer: Resolved, shape: Shape) -> Output:
    """Images of another size, but only in training: what follows decides whether that fits."""
    whole(layer, "height"), whole(layer, "width")
    _images(layer, shape)
    raise Unknown


def _images(layer: Resolved, shape: Shape) -> bool:
    """Whether rows, which must be images, have their channels last."""
    first = channels_first(layer)
    if len(shape) == 2:  # noqa: PLR2004 - (height, width): Keras takes the rows for one image
        raise Unknown
    rows(shape, "(height, width, channels)")
    return not first


def _arguments(layer: Resolved, looks: _Looks) -> bool:
    """Whether every argument given is one that is looked at here, and as it should be."""
    if not looks.factor:
        _no_factor(layer)
    found = [_is_factor(layer, name, *bounds) for name, bounds in looks.factors.items()]
    for name, words in looks.words.items():
        word(layer, name, words, exactly=True)
    given = set(layer.arguments) - {*_HARMLESS, *looks.factors, *looks.words, "mode"}
    return all(found) and not given and _is_range(layer) and _is_mode(layer)


def _no_factor(layer: Resolved) -> None:
    if layer.get("factor") is not None:
        raise Refusal("it takes no `factor`, though it is listed", "K004")


def _is_factor(layer: Resolved, argument: str, low: float, high: float) -> bool:
    """Whether it is a number, or two of them, within the bounds; of two, Keras lets more pass."""
    value = layer.get(argument)
    if value is None and argument not in layer.arguments:
        return True
    pair = isinstance(value, (list, tuple)) and len(value) == 2  # noqa: PLR2004
    numbers = list(value) if pair else [value]
    if isinstance(value, bool) or any(type(one) not in (int, float) for one in numbers):
        return False
    if pair:
        return all(low <= one <= high for one in numbers)
    if not low <= value <= high:
        raise refused(argument, f"a number from {low:g} to {high:g}, or two of them", value)
    return True


def _is_range(layer: Resolved) -> bool:
    value = layer.get("value_range")
    if value is None:
        return "value_range" not in layer.arguments
    numbers = isinstance(value, (list, tuple)) and all(type(one) in (int, float) for one in value)
    return numbers and len(value) == 2 and value[0] < value[1]  # noqa: PLR2004


def _is_mode(layer: Resolved) -> bool:
    modes = (None, "horizontal", "vertical", "horizontal_and_vertical")
    return layer.get("mode") in modes
