"""A figure in, SVG for the middle of a page out: colours by name, identifiers of its own."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tftrain.report.colours import LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

_TAG = re.compile(r"<[^>]+>")  # within text and attributes, `<` and `>` are written out
_HEAD = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_ASIDE = re.compile(
    r'<!--.*?-->|<metadata>.*?</metadata>|<style type="text/css">.*?</style>', re.DOTALL
)
_NAMED = re.compile(r'(\bid="|href="#|url\(#)')
_COLOUR = re.compile("|".join(LIGHT.values()))
_VARIABLES = {value: f"var(--{name})" for name, value in LIGHT.items()}
_SIZE = re.compile(r' (?:width|height)="[\d.]+pt"| xmlns:xlink="[^"]*"| version="[^"]*"')
_SETTINGS: Any = {
    "text.parse_math": False,  # a `$` in a name is a `$`
    "axes.formatter.use_mathtext": False,
    "svg.hashsalt": "tftrain",  # the same identifiers each time
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["muted"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.facecolor": LIGHT["paper"],
    "figure.facecolor": LIGHT["paper"],
    "grid.color": LIGHT["line"],
    "legend.edgecolor": LIGHT["line"],
    "legend.facecolor": LIGHT["paper"],
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
}


@contextmanager
def settings() -> Iterator[None]:
    """What figures are made and written under."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that matplotlib's fonts lack, a browser's have
        yield


def svg(figure: Figure, name: str, description: str) -> str:
    """A figure as an `<svg>` element.

    Args:
        figure: made under `settings`, as this call is.
        name: of letters and `-`, unlike those of the page's other figures.
        description: what whoever doesn't see it is told; as HTML.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    content = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)  # `savefig` draws everything once more before
    canvas.print_svg(content, metadata={"Date": None})
    body = _ASIDE.sub("", _HEAD.sub("", content.getvalue()))
    first, _, rest = body.partition(">")
    label = f' role="img" aria-label="{description}"'
    return f"{_SIZE.sub('', first)}{label}>{_TAG.sub(_own(name), rest)}".strip()


def _own(name: str) -> Callable[[re.Match[str]], str]:
    def changed(tag: re.Match[str]) -> str:
        text = _NAMED.sub(rf"\g<1>{name}-", tag[0])
        return _COLOUR.sub(lambda found: _VARIABLES[found[0]], text)

    return changed
