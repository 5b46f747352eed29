"""A derivation in, a picture of its graph out: values above the edges, derivatives below them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tftrain import files
from tftrain.explain.expression import number, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tftrain.explain.derivation import Derivation
    from tftrain.explain.graph import Graph

SUFFIXES = (".svg", ".png")
FORWARD, BACKWARD = "#1f5fa8", "#b3261e"
_COLUMN, _ROW = 2.1, 0.95  # inches
_BEND = -0.2  # how far up an edge over several columns bows, for each unit of its length


def require(picture: Path) -> None:
    """Sees that a picture can be written there, before there is one.

    Raises:
        RunError: when it can't; DataError for another suffix.
    """
    files.require_writable(picture, SUFFIXES)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as SVG or PNG, the same bytes each time.

    Raises:
        StorageError: when it can't be written.
    """
    import matplotlib as mpl

    form = path.suffix.lower().removeprefix(".")
    stamp = {"Date": None} if form == "svg" else {"Software": None}
    with mpl.rc_context({"svg.hashsalt": "tftrain", "svg.fonttype": "none"}):
        files.fill(path, lambda to: figure.savefig(to, format=form, metadata=stamp, dpi=150))


def new(width: float, height: float, *, panels: int = 1) -> tuple[Figure, Any]:
    """A figure of that many inches, and the axes of its panels, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def graph(one: Derivation) -> Figure:
    """The graph, inputs to the left, the result to the right."""
    places = _places(one.graph)
    columns = 1 + max(x for x, _ in places.values())
    rows = 1 + max(y for _, y in places.values())
    figure, (axes,) = new(_COLUMN * columns + 0.6, _ROW * rows + 0.9)
    slopes = {each.node: each.value for each in one.derivatives}
    ways = {(each.node, way.through): way for each in one.derivatives for way in each.products}
    for node in one.graph.nodes:
        for name in node.inputs:
            way = ways[name, node.name]
            slope = slopes[node.name] * way.value
            told = number(one.values[name]), number(slope)
            _edge(axes, places[name], places[node.name], *told, short=name in one.graph.inputs)
    for node in one.graph.nodes:
        label = node.name if node.term is None else f"{node.name} = {written(node.term)}"
        if node is one.graph.output:
            label += f"\n= {number(one.values[node.name])}"
        _box(axes, places[node.name], label, operation=node.term is not None)
    axes.set_title("forward: values (above)", color=FORWARD, loc="left", fontsize=9)
    title = f"backward: what d{one.graph.output.name} passes on (below)"
    axes.set_title(title, color=BACKWARD, loc="right", fontsize=9)
    axes.set_xlim(-0.45, columns - 0.5)
    axes.set_ylim(rows - 0.4, -0.8)
    axes.axis("off")
    return figure


def _places(graph: Graph) -> dict[str, tuple[float, float]]:
    """A column for each node, right of all it is computed from, and a row in the tree's order."""
    column: dict[str, int] = {}
    for node in graph.nodes:
        column[node.name] = 1 + max((column[one] for one in node.inputs), default=-1)
    for node in graph.nodes:  # an input stands right before the first that takes it
        users = graph.users(node.name)
        if node.term is None and users:
            column[node.name] = min(column[user.name] for user in users) - 1
    nodes = {node.name: node for node in graph.nodes}
    row: dict[str, float] = {}
    free = [0]

    def place(name: str) -> float:
        if name not in row:
            row[name] = 0.0  # against a second visit; every graph here has no cycle
            rows = [place(one) for one in nodes[name].inputs]
            row[name] = sum(rows) / len(rows) if rows else float(free[0])
            free[0] += not rows
        return row[name]

    place(graph.output.name)
    return _apart({name: (float(column[name]), row[name]) for name in row})


def _apart(places: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Moves nodes of a column down until none lies on another."""
    taken: dict[float, float] = {}
    found = {}
    for name, (x, y) in sorted(places.items(), key=lambda item: item[1]):
        row = max(y, taken.get(x, -1.0) + 0.8)
        taken[x] = row
        found[name] = (x, row)
    return found


def _edge(
    axes: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    value: str,
    slope: str,
    *,
    short: bool,
) -> None:
    bend = 0.0 if end[0] - start[0] <= 1 else _BEND  # past what lies between
    ends = {"shrinkA": 12 if short else 30, "shrinkB": 32}
    style = {"arrowstyle": "-|>", "color": "#666666", "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", end, start, arrowprops=style | ends)
    across, down = _COLUMN * (end[0] - start[0]), _ROW * (end[1] - start[1])
    x = 0.5 * (start[0] + end[0] - bend * down / _COLUMN)
    y = 0.5 * (start[1] + end[1] + bend * across / _ROW)
    background = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85}
    put: Callable[..., Any] = axes.text
    put(x, y - 0.06, value, color=FORWARD, ha="center", va="bottom", fontsize=8, bbox=background)
    put(x, y + 0.06, slope, color=BACKWARD, ha="center", va="top", fontsize=8, bbox=background)


def _box(axes: Any, place: tuple[float, float], label: str, *, operation: bool) -> None:
    shape = "round,pad=0.35" if operation else "circle,pad=0.35"
    box = {"boxstyle": shape, "facecolor": "white", "edgecolor": "#333333"}
    # names may hold `_` and operations `**`: none of it is mathtext
    axes.text(*place, label, ha="center", va="center", fontsize=9, bbox=box, parse_math=False)
