"""How often the 95 % intervals of `tftrain eval` hold the truth.

    python benchmarks/coverage_of_intervals.py

Data sets are drawn from known distributions; the truth is what two million rows of each give. A
figure of 500 sets is itself good to 2 percent points, 19 times of 20; of 2,000 sets to 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tftrain.predictions import Predictions
from tftrain.scores.measures import measure
from tftrain.scores.resample import Resampled

SETS, ROWS, BAR = 2000, 200, (0.93, 0.97)
_TRUTH_ROWS = 2_000_000
Random = np.random.Generator


def binary(random: Random, rows: int) -> Predictions:
    """Logits of two normal distributions; probabilities are a little too sure."""
    labels = random.choice(2, rows, p=(0.6, 0.4)).astype(np.int32)
    logits = random.normal(size=rows) + 2.0 * labels - 1.0
    outputs = (1 / (1 + np.exp(-2.5 * logits))).astype(np.float32)
    return Predictions("binary", outputs, labels, np.arange(rows), rows)


def multiclass(random: Random, rows: int) -> Predictions:
    """Four classes of unequal size."""
    labels = random.choice(4, rows, p=(0.4, 0.3, 0.2, 0.1)).astype(np.int32)
    logits = random.normal(size=(rows, 4)) + 1.5 * np.eye(4)[labels]
    powers = np.exp(logits)
    outputs = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions("multiclass", outputs, labels, np.arange(rows), rows)


def regression(random: Random, rows: int) -> Predictions:
    """Targets and errors that are normal."""
    truth = random.normal(5.0, 1.0, rows)
    return _numbers(truth, random.normal(0.0, 0.5, rows))


def heavy(random: Random, rows: int) -> Predictions:
    """Positive, skewed targets; errors grow with them and have heavy tails."""
    truth = np.exp(random.normal(1.0, 0.5, rows))
    return _numbers(truth, 0.2 * truth * random.standard_t(8, rows))


def _numbers(truth: NDArray[np.float64], errors: NDArray[np.float64]) -> Predictions:
    labels, outputs = truth.astype(np.float32), (truth + errors).astype(np.float32)
    return Predictions("regression", outputs, labels, np.arange(len(truth)), len(truth))


KINDS = {
    "binary": (binary, 2),
    "multiclass": (multiclass, 4),
    "regression": (regression, 0),
    "heavy": (heavy, 0),
}


def coverage(
    kind: str, sets: int = SETS, rows: int = ROWS, seed: int = 0, resamples: int | None = None
) -> dict[str, float]:
    """Of each figure, the share of data sets whose interval holds the truth."""
    draw, classes = KINDS[kind]
    truth = measure(draw(np.random.default_rng([seed, 0]), _TRUTH_ROWS), classes).values
    held: dict[str, list[bool]] = {}
    for name, low, high in _intervals(kind, sets, rows, seed, resamples):
        held.setdefault(name, []).append(low <= truth[name] <= high)
    return {name: float(np.mean(one)) for name, one in held.items()}


def _intervals(
    kind: str, sets: int, rows: int, seed: int, resamples: int | None
) -> Iterator[tuple[str, float, float]]:
    draw, classes = KINDS[kind]
    for number in range(sets):
        drawn = draw(np.random.default_rng([seed, 1 + number]), rows)
        measured = measure(drawn, classes)
        resampled = Resampled({kind: measured}, rows, number, resamples)
        for name in measured.values:
            if "/" not in name and (interval := resampled.interval(kind, name)):
                yield name, interval.low, interval.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=SETS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    asked = parser.parse_args()
    print(f"{asked.sets} data sets of {asked.rows} rows; the bar is {BAR[0]:.0%} to {BAR[1]:.0%}")
    for kind in asked.kinds:
        started = time.perf_counter()
        found = coverage(kind, asked.sets, asked.rows, asked.seed)
        for name, share in found.items():
            outside = "" if BAR[0] <= share <= BAR[1] else "  OUTSIDE"
            print(f"{kind:11} {name:32} {share:.1%}{outside}")
        print(f"{kind:11} {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
