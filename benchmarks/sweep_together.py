"""A sweep as one population against as many fits in one process: python benchmarks/sweep_together.py.

The digits 0 and 1, 32 learning rates and seeds. Each side is a whole process that leaves 32 run
directories; the sweep's keeps its study besides.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measure import DIGITS, compare, in_turns, machine, process_seconds, rounds_option, spread

BAR = 0.15
RATE = "training.optimizer.RMSprop.learning_rate"
RATES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2)
SEEDS = range(4)
FITS = """
import sys
from pathlib import Path
from tftrain.fit import fit, prepare
from tftrain.terminal import Silent

config, runs, *changes = sys.argv[1:]
for change in changes:
    fit(prepare(Path(config), change.split(), runs_dir=Path(runs)), Silent())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 3)
    rounds = parser.parse_args().rounds
    machine()
    sides = {"one population": partial(seconds, sweep), "one after another": partial(seconds, fits)}
    in_turns({"": sides["one population"]}, 1)  # files into the system's memory
    measured = in_turns(sides, rounds)
    for name, taken in measured.items():
        print(f"{len(RATES) * len(SEEDS)} trainings, {name}: {spread(taken, ' s')}")
    compare(measured["one population"], measured["one after another"], BAR)


def seconds(command: Callable[[str], list[str]]) -> float:
    """The time a whole process takes that trains all."""
    with tempfile.TemporaryDirectory() as runs:
        taken = process_seconds(command(runs))
        made = len(list(Path(runs).glob("*/model.keras")))
        if made != len(RATES) * len(SEEDS):
            sys.exit(f"{made} runs are finished")
    return taken


def sweep(runs: str) -> list[str]:
    tried = [f"{RATE}=choice({', '.join(map(str, RATES))})", f"training.seed=int(0, {SEEDS[-1]})"]
    command = [sys.executable, "-m", "tftrain", "sweep", DIGITS, *tried]
    return [*command, "--sampler", "grid", "--quiet", "--runs-dir", runs]


def fits(runs: str) -> list[str]:
    changes = [f"{RATE}={rate} training.seed={seed}" for rate in RATES for seed in SEEDS]
    return [sys.executable, "-c", FITS, DIGITS, runs, *changes]


if __name__ == "__main__":
    main()
