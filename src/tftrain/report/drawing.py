"""Numbers of a run in, a panel of a picture out: axes, lines, cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tftrain.explain import drawing
from tftrain.report.colours import DEEPEST, LIGHT, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.2, 2.9  # inches, of a picture that stands beside others
_WIDE = 5.0  # inches, above which a matrix stands alone
_MOST_POINTS = 600  # of a curve
_DASHES = ("-", "--", ":", "-.")
_FEW = 3  # points that make no line to be seen


@dataclass(frozen=True)
class Line:
    """A curve.

    Args:
        name: as the legend has it; may be any text.
        x: its places.
        y: its values; NaN where there is none.
        colour: by name.
        dash: as matplotlib writes it.
        thin: whether it stands behind the others and has no name.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str = SERIES[0]
    dash: str = "-"
    thin: bool = False


def numbered(place: int) -> tuple[str, str]:
    """The colour and the dash of one of several curves, unlike those of the others."""
    return SERIES[place % len(SERIES)], _DASHES[place // len(SERIES) % len(_DASHES)]


def panel(
    title: str, x: str, y: str = "", size: tuple[float, float] = (WIDTH, HEIGHT)
) -> tuple[Figure, Any]:
    """An empty picture of some inches, and its axes."""
    figure, (axes,) = drawing.new(*size)
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def lines(axes: Any, curves: Sequence[Line]) -> None:
    """Draws curves."""
    for one in curves:
        step = max(1, math.ceil(len(one.x) / _MOST_POINTS))
        few = len(one.x) <= _FEW and not one.thin and one.dash == "-"
        axes.plot(
            [*one.x[:-1:step], *one.x[-1:]],
            [*one.y[:-1:step], *one.y[-1:]],
            one.dash,
            color=LIGHT[one.colour],
            alpha=0.45 if one.thin else None,
            linewidth=0.7 if one.thin else 1.6,
            marker="." if few else None,
            markersize=6,
            # matplotlib leaves a name out that begins with `_`: with a space before it, it doesn't
            label=f" {one.name}" if one.name.startswith("_") else one.name or None,
        )
    axes.grid(visible=True)


def legend(axes: Any, place: str = "best") -> None:
    """Says which curve is which, where there is more than one or one has a name."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8, loc=place)


def mark_epoch(axes: Any, epoch: int | None, epochs: Sequence[float]) -> None:
    """A dashed line at an epoch that there is, with its number for the legend."""
    if epoch is not None and epochs and epochs[0] <= epoch <= epochs[-1]:
        axes.axvline(
            epoch, color=LIGHT["muted"], linestyle="--", linewidth=1, label=f"best epoch {epoch}"
        )


def over_epochs(axes: Any) -> None:
    """Ticks at whole numbers only, across; and which curve is which."""
    from matplotlib.ticker import MaxNLocator

    legend(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def diagonal(axes: Any, low: float, high: float) -> None:
    """Where both are equal."""
    axes.plot([low, high], [low, high], ":", color=LIGHT["muted"], linewidth=1)


def cells(
    title: str, counts: Sequence[Sequence[int]], names: Sequence[str], *, written: bool
) -> Figure:
    """A matrix, each cell as dark as its share of its row."""
    from matplotlib.patches import Rectangle

    side = max(HEIGHT, min(7.0, 1.2 + 0.28 * len(names)))
    width = WIDTH if side < _WIDE else 1.1 * side
    figure, axes = panel(title, "predicted", "true", (width, side))
    for row, line in enumerate(counts):
        total = sum(line) or 1
        for column, count in enumerate(line):
            if count:
                cell = Rectangle((column - 0.5, row - 0.5), 1, 1, linewidth=0)
                cell.set_facecolor(LIGHT["blue" if row == column else "red"])
                cell.set_alpha(DEEPEST * count / total)
                axes.add_patch(cell)
            if written:
                axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    long = max(map(len, names)) * len(names) > 24  # noqa: PLR2004 - letters that fit side by side
    turned: Mapping[str, Any] = {"rotation": 90} if long else {}
    axes.set_xticks(range(len(names)), names, fontsize=8, **turned)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    return figure
