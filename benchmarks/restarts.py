"""Many networks in one graph against one, whole processes: python benchmarks/restarts.py.

The digits 0 and 1, 100 epochs without early stopping, so that all take as many steps; then the
seconds an epoch by the number of networks.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from measure import DIGITS, compare, in_turns, machine, process_seconds, rounds_option, spread

BAR = 2.5
AGAINST_SEPARATE = 0.05
COUNT = 32
GROWTH = (8, 32, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 3)
    rounds = parser.parse_args().rounds
    machine()
    with tempfile.TemporaryDirectory() as runs:
        fit = [sys.executable, "-m", "tftrain", "fit", str(DIGITS), "--quiet", "--runs-dir", runs]
        fit += ["training.callbacks=[]"]
        sides = {"1": partial(process_seconds, [*fit, "--name", "one"])}
        for count in GROWTH:
            many = [*fit, "--name", f"many{count}", f"training.restarts={count}"]
            sides[str(count)] = partial(process_seconds, many)
        in_turns({"1": sides["1"]}, 1)  # files into the system's memory
        seconds = in_turns(sides, rounds)
        for name, taken in seconds.items():
            print(
                f"{name} networks: {spread(taken, ' s')}, {epoch(Path(runs), name):.4f} s an epoch"
            )
        compare(seconds[str(COUNT)], seconds["1"], BAR)
        separate = COUNT * statistics.median(seconds["1"])
        share = statistics.median(seconds[str(COUNT)]) / separate
        print(f"against {COUNT} fits one after another: {share:.3f}, at most {AGAINST_SEPARATE}")


def epoch(runs: Path, name: str) -> float:
    """The median seconds of an epoch, of the last run."""
    folder = max(runs.glob(f"{'one' if name == '1' else f'many{name}'}-*"), key=number)
    rows = (folder / "metrics.csv").read_text("utf-8").splitlines()
    place = rows[0].split(",").index("seconds")

    return statistics.median(float(row.split(",")[place]) for row in rows[1:])


def number(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


if __name__ == "__main__":
    main()
