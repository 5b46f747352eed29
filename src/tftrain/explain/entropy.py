"""Probabilities in, their entropy and cross-entropy out, in bits and in nats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tftrain import terminal
from tftrain.errors import Mark, Problem, TftrainError
from tftrain.explain.expression import number

_SUM = 1e-6  # how far from 1 written probabilities may add up


@dataclass(frozen=True)
class Entropy:
    """What a distribution costs to code.

    Args:
        p: what happens, a probability for each event.
        q: what is believed, or None.
    """

    p: tuple[float, ...]
    q: tuple[float, ...] | None = None

    @property
    def bits(self) -> float:
        """H(P): the shortest mean length of a lossless code."""
        return math.fsum(-one * math.log2(one) for one in self.p if one)

    @property
    def cross_bits(self) -> float | None:
        """H(P, Q): the mean length with a code for Q; infinite where Q excludes what happens."""
        if self.q is None:
            return None
        pairs = [(one, other) for one, other in zip(self.p, self.q, strict=True) if one]
        if any(not other for _, other in pairs):
            return math.inf
        return math.fsum(-one * math.log2(other) for one, other in pairs)

    def plain(self) -> dict[str, Any]:
        """The same for JSON; what is infinite is null there."""
        return {"p": self.p, "q": self.q, **{name: bits for name, bits, _ in self._rows()}}

    def _rows(self) -> list[tuple[str, float, str]]:
        most = f"at most log2 {len(self.p)} = {number(math.log2(len(self.p)))}, where all are equal"
        rows = [("entropy", self.bits, most)]
        if self.cross_bits is not None:
            gap = self.cross_bits - self.bits
            rows.append(("cross_entropy", self.cross_bits, "never below the entropy"))
            rows.append(("kl_divergence", gap, "what the wrong belief costs"))
        return rows

    def told(self) -> list[str]:
        """The same for people."""
        names = {"entropy": "H(P)", "cross_entropy": "H(P,Q)", "kl_divergence": "KL(P||Q)"}
        rows = [
            [names[name], number(bits), number(bits * math.log(2)), note]
            for name, bits, note in self._rows()
        ]
        return [
            "H(P) = -sum P(i) log2 P(i): the expectation under P of -log2 P(x)",
            *["H(P,Q) = -sum P(i) log2 Q(i): the bits to code P with a code made for Q"]
            * (self.q is not None),
            "",
            terminal.table(["", "bits", "nats", ""], rows, right=False),
        ]


def of(p: str, q: str | None) -> Entropy:
    """The entropy of probabilities such as `0.2,0.3,0.5`; one alone is a coin's.

    Raises:
        TftrainError: E002 for what is no distribution.
    """
    first = _distribution("--p", p)
    second = None if q is None else _distribution("--q", q)
    if second is not None and len(first) != len(second):
        message = f"expected as many probabilities as --p has, {len(first)}, got {len(second)}"
        raise TftrainError(Problem(Mark(f"--q {q!r}"), "E002", message))
    return Entropy(first, second)


def _distribution(option: str, text: str) -> tuple[float, ...]:
    mark = Mark(f"{option} {text!r}")
    try:
        values = tuple(float(one) for one in text.split(","))
    except ValueError:
        raise TftrainError(Problem(mark, "E002", "expected numbers with commas between")) from None
    if not all(0 <= one <= 1 for one in values):
        raise TftrainError(Problem(mark, "E002", "expected probabilities from 0 to 1"))
    if len(values) == 1:
        return values[0], 1 - values[0]
    if abs(math.fsum(values) - 1) > _SUM:
        message = f"expected probabilities that add up to 1, not to {number(math.fsum(values))}"
        raise TftrainError(Problem(mark, "E002", message))
    return values


def curve(points: int = 101) -> tuple[Sequence[float], Sequence[float]]:
    """A coin's entropy in bits, for p from 0 to 1."""
    places = [place / (points - 1) for place in range(points)]
    return places, [Entropy((place, 1 - place)).bits for place in places]
