"""An activation, a loss or probabilities in, what is to be said and drawn of them out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tftrain.explain import curves
from tftrain.explain.backward import symbols
from tftrain.explain.curves import SLOPE, Points
from tftrain.explain.expression import number

if TYPE_CHECKING:
    from tftrain.explain.functions import Function

_POINTS = 121
_WIDTH = 80


@dataclass(frozen=True)
class Fact:
    """A page of text, curves, and the same for programs.

    Args:
        title: of the picture.
        lines: above the curve.
        axis: what the curves are over.
        curves: places and values, by name.
        plain: for JSON.
    """

    title: str
    lines: tuple[str, ...]
    axis: str
    curves: Mapping[str, Points]
    plain: Mapping[str, Any]

    def told(self) -> list[str]:
        """The page for a terminal; of several curves those of values, whose sizes are alike."""
        few = {name: one for name, one in self.curves.items() if not name.startswith(SLOPE)}
        return [*self.lines, "", curves.plot(self.curves if len(few) == 1 else few)]


def function(kind: str, name: str) -> Fact:
    """What is to be said of an activation or a loss.

    Raises:
        TftrainError: C031 for an unknown name, E004 where SymPy is missing.
    """
    sympy = symbols()
    from tftrain.explain import functions

    one = functions.named(kind, name)
    variables = "z" if kind == "activation" else "y, f"
    formula, slope = sympy.text(one.formula), sympy.text(one.derivative)
    lines = (
        f"{one.keras}({variables}) = {formula}",
        f"d/d{one.by} = {slope}",
        f"Keras: keras.{'activations' if kind == 'activation' else 'losses'}.{one.keras}"
        + (f", also {', '.join(one.also)}" if one.also else ""),
        *textwrap.wrap(one.use, _WIDTH),
    )
    plain = {"keras": one.keras, "formula": formula, "derivative": slope, "use": one.use}
    return Fact(one.keras, lines, str(one.by), _sampled(one), plain | {"also": one.also})


def _sampled(one: Function) -> dict[str, Points]:
    """The function and its derivative, for each case of the other variables."""
    low, high = one.over
    places = [low + (high - low) * place / (_POINTS - 1) for place in range(_POINTS)]
    found: dict[str, Points] = {}
    for others in one.curves:
        case = ", ".join(f"{name} = {number(value)}" for name, value in others.items())
        ending = f" for {case}" if case else ""
        found[f"value{ending}"] = places, [one.at(place, others) for place in places]
        slope = one.derivative
        found[f"{SLOPE}{ending}"] = places, [one.at(place, others, slope) for place in places]
    return found


def entropy(p: str, q: str | None) -> Fact:
    """What is to be said of probabilities.

    Raises:
        TftrainError: E002 for what is no distribution, E004 where SymPy is missing.
    """
    from tftrain.explain import entropy as job

    sympy = symbols()
    found = job.of(p, q)
    slope = sympy.text(sympy.coin_slope())
    lines = (
        *found.told(),
        "",
        "of a coin: H(p) = -p log2 p - (1-p) log2(1-p), largest, 1 bit, at p = 0.5",
        f"dH/dp = {slope}, 0 at p = 0.5",
    )
    places, bits = job.curve()
    drawn: dict[str, Points] = {"H(p) in bits": (places, bits)}
    if len(found.p) == 2:  # noqa: PLR2004 - a coin's two sides
        drawn = {f"p = {number(found.p[0])}": ([found.p[0]], [found.bits])} | drawn
    return Fact("entropy of a coin", lines, "p", drawn, found.plain() | {"derivative": slope})
