"""Sections in, an HTML page out: one file that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tftrain import __version__
from tftrain.report import inline
from tftrain.report.colours import DARK, LIGHT
from tftrain.report.pictures import Picture
from tftrain.report.sections import Section

_TEMPLATE = "page.html.j2"


def html(title: str, kind: str, sections: Sequence[Section]) -> bytes:
    """The page.

    Args:
        title: of the page; may be any text.
        kind: what is on it.
        sections: in their order; their pictures are written here.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    surroundings = Environment(
        loader=PackageLoader("tftrain.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    surroundings.filters["svg"] = _svg
    made = surroundings.get_template(_TEMPLATE).render(
        title=title, kind=kind, sections=sections, light=LIGHT, dark=DARK, version=__version__
    )
    return made.encode(errors="backslashreplace")


def _svg(picture: Picture) -> object:
    from markupsafe import Markup

    drawn = inline.svg(picture.figure, picture.name, escape(picture.description))
    return Markup(drawn)  # noqa: S704 - matplotlib has escaped every text in it
