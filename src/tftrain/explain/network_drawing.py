"""A small network and one row in, a picture of its units and weights out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tftrain.errors import Mark, Problem, TftrainError
from tftrain.explain import drawing
from tftrain.explain.example import Example
from tftrain.explain.subject import Subject, outputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_UNITS = 100
_MOST_LAYERS = 12
_NUMBERED = 40  # units up to which values are written into them


def require_small(subject: Subject) -> None:
    """Sees that a network can be drawn.

    Raises:
        TftrainError: C013 when it has too many units, or rows of more than one axis.
    """
    shapes = _shapes(subject.network)
    if any(len(shape) != 1 for shape in shapes):
        said = "draws layers of one axis only, such as Dense"
    elif max(shape[0] for shape in shapes) > _MOST_UNITS or len(shapes) > _MOST_LAYERS:
        said = f"draws at most {_MOST_LAYERS} layers of at most {_MOST_UNITS} units"
    else:
        return
    raise TftrainError(Problem(Mark("--picture"), "C013", said))


def _shapes(network: Any) -> list[tuple[int, ...]]:
    return [
        tuple(one[1:]) for one in (network.input_shape, *(x.output.shape for x in network.layers))
    ]


def figure(subject: Subject, one: Example) -> Figure:
    """Units as circles, as dark as their outputs; weights as lines, red where negative."""
    from matplotlib.collections import LineCollection

    network = subject.network
    inputs = subject.rows(one.row, 1)[0]
    values = [np.asarray(made)[0] for made in (inputs, *outputs(network, inputs))]
    most = max(map(len, values))
    made, (axes,) = drawing.new(2.2 * len(values) + 1, min(12.0, 0.32 * most + 1.5))
    places = [_column(number, len(value), most) for number, value in enumerate(values)]
    for layer, left, right in zip(network.layers, places, places[1:], strict=False):
        ends, weights = _lines(layer, left, right)
        scale = np.abs(weights).max(initial=0.0) or 1.0
        colors = [
            (0.70, 0.15, 0.12, abs(w) / scale) if w < 0 else (0.12, 0.37, 0.66, abs(w) / scale)
            for w in weights
        ]
        axes.add_collection(LineCollection(ends, colors=colors, linewidths=0.9, zorder=1))
    _units(axes, places, values, write=sum(map(len, values)) <= _NUMBERED)
    names = ["input", *(layer.name for layer in network.layers)]
    top = 0.5 * most + 0.4
    for number, name in enumerate(names):
        slope = "" if not number else f"\n|dJ/da| {one.layers[number - 1].gradient:.3g}"
        axes.text(number, top, f"{name}{slope}", ha="center", va="bottom", fontsize=8)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_ylim(-0.5 * most - 0.4, top + 1.2)
    axes.axis("off")
    return made


def _column(number: int, units: int, most: int) -> np.ndarray[Any, Any]:
    """The places of a layer's units, further apart where there are few."""
    heights = (0.5 * (units - 1) - np.arange(units)) * min(3.0, most / units)
    return np.stack([np.full(units, float(number)), heights], 1)


def _lines(layer: Any, left: Any, right: Any) -> tuple[list[Any], np.ndarray[Any, Any]]:
    """A line for each weight; of a layer without a kernel, from each unit to its own."""
    kernel = getattr(layer, "kernel", None)
    if kernel is not None and tuple(kernel.shape) == (len(left), len(right)):
        weights = kernel.numpy()
        pairs = [(a, b) for a in range(len(left)) for b in range(len(right))]
        return [(left[a], right[b]) for a, b in pairs], weights.ravel()
    pairs = list(zip(left, right, strict=False))
    return pairs, np.ones(len(pairs))


def _units(axes: Any, places: list[Any], values: list[Any], *, write: bool) -> None:
    for where, found in zip(places, values, strict=True):
        size = np.abs(found).max(initial=0.0) or 1.0
        shades = [str(1 - 0.6 * abs(value) / size) for value in found]
        axes.scatter(*where.T, s=420 if write else 40, c=shades, edgecolors="#333333", zorder=2)
        for (x, y), value in zip(where, found, strict=True) if write else ():
            axes.text(x, y, f"{value:.2g}", ha="center", va="center", fontsize=7, zorder=3)
