"""Points in, a curve out: as lines of text, or as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tftrain.explain import drawing
from tftrain.explain.expression import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Points = tuple[Sequence[float], Sequence[float | None]]
_WIDTH, _HEIGHT = 61, 15
_SIGNS = "*.o+"
SLOPE = "derivative"  # what the names of such curves begin with


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
    """The same as a figure; with several curves, those of derivatives stand beside the others."""
    values = {name: one for name, one in curves.items() if not name.startswith(SLOPE)}
    slopes = {name: one for name, one in curves.items() if name.startswith(SLOPE)}
    panels = [values, slopes] if len(values) > 1 and slopes else [curves]
    made, first = drawing.new(5.5 * len(panels), 4, panels=len(panels))
    for axes, shown in zip(first, panels, strict=True):
        _draw(axes, shown, axis)
    made.suptitle(title, fontsize=10)
    return made


def _draw(axes: Any, curves: Mapping[str, Points], axis: str) -> None:
    for place, (name, (xs, ys)) in enumerate(curves.items()):
        shown = [float("nan") if y is None else y for y in ys]
        look = "o" if len(xs) == 1 else "-" if place % 2 == 0 else "--"
        axes.plot(xs, shown, look, label=name, zorder=3 if len(xs) == 1 else 2)
    axes.set_xlabel(axis)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
