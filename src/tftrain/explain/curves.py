"""Points in, a curve out: as lines of text, or as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tftrain.explain import drawing
from tftrain.explain.expression import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Points = tuple[Sequence[float], Sequence[float | None]]
_WIDTH, _HEIGHT = 61, 15
_SIGNS = "*.o+"


def plot(curves: Mapping[str, Points]) -> str:
    """Curves drawn with letters; the first lies above the others.

    Args:
        curves: places and values of each, by its name; None where it has no value.
    """
    known = [(x, y) for xs, ys in curves.values() for x, y in zip(xs, ys, strict=True)]
    values = [y for _, y in known if y is not None]
    low, high = min(values), max(values)
    left, right = min(x for x, _ in known), max(x for x, _ in known)
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for sign, (xs, ys) in reversed(list(zip(_SIGNS, curves.values(), strict=False))):
        for x, y in zip(xs, ys, strict=True):
            if y is not None:
                row = round((high - y) / ((high - low) or 1) * (_HEIGHT - 1))
                grid[row][round((x - left) / (right - left) * (_WIDTH - 1))] = sign
    edge = {0: f"{high:.3g}", _HEIGHT - 1: f"{low:.3g}"}
    width = max(map(len, edge.values()))
    lines = [f"{edge.get(row, ''):>{width}} |{''.join(grid[row])}" for row in range(_HEIGHT)]
    ends = f"{number(left)}{number(right):>{_WIDTH - len(number(left))}}"
    legend = "   ".join(f"{sign} {name}" for sign, name in zip(_SIGNS, curves, strict=False))
    axis = " " * width
    return "\n".join(
        line.rstrip() for line in [*lines, f"{axis} +{'-' * _WIDTH}", f"{axis}  {ends}", legend]
    )


def figure(curves: Mapping[str, Points], title: str, axis: str) -> Figure:
    """The same as a figure."""
    made, axes = drawing.new(6, 4)
    for place, (name, (xs, ys)) in enumerate(curves.items()):
        shown = [float("nan") if y is None else y for y in ys]
        axes.plot(xs, shown, label=name, linestyle="-" if place % 2 == 0 else "--")
    axes.set_title(title, parse_math=False, fontsize=10)
    axes.set_xlabel(axis)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return made
