"""The colours of pages and pictures, each for light and for dark surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tftrain.explain.drawing import BACKWARD, FORWARD

# By name; in pictures the light one stands for both, so no two may be alike.
LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "muted": "#57606a",
        "line": "#d0d7de",
        "blue": FORWARD,
        "red": BACKWARD,
        "green": "#1a7431",
        "ochre": "#8a5a00",
        "violet": "#7a3fa0",
        "teal": "#0b6b7a",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#15181c",
        "ink": "#e6e8eb",
        "muted": "#a3adb8",
        "line": "#3a424b",
        "blue": "#7db4f0",
        "red": "#ff8f85",
        "green": "#6fd08c",
        "ochre": "#e3b341",
        "violet": "#cf9ff0",
        "teal": "#5fc9d8",
    }
)
SERIES = ("blue", "red", "green", "ochre", "violet", "teal")  # of curves, one after another
DEEPEST = 0.45  # how much of a colour lies behind text at most
