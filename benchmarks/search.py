"""Search without gradients against the gradient fit, whole processes: python benchmarks/search.py.

The digits 0 and 1, the shipped configs; each prints its test accuracy too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from measure import DIGITS, ROOT, compare, in_turns, machine, process_seconds, rounds_option, spread

BAR = 3.0
GRADIENTS = "digits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 5)
    rounds = parser.parse_args().rounds
    machine()
    configs = {
        name: str(ROOT / "configs" / f"{name}.yaml")
        for name in ("digits_genetic", "digits_annealing")
    }
    with tempfile.TemporaryDirectory() as runs:
        fit = [sys.executable, "-m", "tftrain", "fit", "--runs-dir", runs]
        sides = {
            name: partial(process_seconds, [*fit, path])
            for name, path in {GRADIENTS: DIGITS, **configs}.items()
        }
        in_turns(sides, 1)  # files into the system's memory
        seconds = in_turns(sides, rounds)
        for name, taken in seconds.items():
            summary = json.loads((Path(runs) / f"{name}-1" / "summary.json").read_text("utf-8"))
            accuracy = summary["metrics"]["test"]["accuracy"]
            print(f"{name}: {spread(taken, ' s')}, test accuracy {accuracy:.4f}")
            if name != GRADIENTS:
                compare(taken, seconds[GRADIENTS], BAR)


if __name__ == "__main__":
    main()
