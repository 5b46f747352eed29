"""What a summary says of a training of several networks in, how far its networks lie apart out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tftrain import runs, spread
from tftrain.errors import Mark, Problem, RunError

_FIGURES = ("best", "median", "worst", "mean", "std")
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Population:
    """The networks of a training of several networks.

    Args:
        kept: the number of the one that was kept; None where it was none of them.
        said: what their metrics come to in words.
        figures: best, median, worst, mean and deviation, by part and metric.
        seeds: of each network.
    """

    kept: int | None
    said: tuple[str, ...]
    figures: Mapping[str, Mapping[str, tuple[float, ...]]]
    seeds: tuple[int, ...]


def of(folder: Path, summary: Mapping[str, Any]) -> Population | None:
    """What a summary, perhaps a stranger's, says of a population; None where there was none.

    Raises:
        RunError: when that has not the form that a run gives it.
    """
    told = summary.get("population")
    if told is None:
        return None
    try:
        figures = {
            part: {str(name): _figures(one) for name, one in told[part].items()}
            for part in _PARTS
            if part in told
        }
        seeds = tuple(int(one["seed"]) for one in told["members"])
        kept = int(told["kept"]) if "kept" in told else None
        return Population(kept, tuple(spread.said(summary)), figures, seeds)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        problem = Problem(
            Mark(str(folder / runs.SUMMARY)), "R002", "damaged: `population` is wrong"
        )
        raise RunError(problem) from None


def _figures(one: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(float(one[name]) for name in _FIGURES)
