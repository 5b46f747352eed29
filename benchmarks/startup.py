"""How long tftrain takes to start, against importing TensorFlow: python benchmarks/startup.py.

`--help` and `runs` need no TensorFlow; a smoke run trains, checks itself and ends.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from measure import (
    DIGITS,
    IMPORT_TENSORFLOW,
    ROOT,
    compare,
    environment,
    in_turns,
    machine,
    process_seconds,
    rounds_option,
    spread,
    tftrain,
)

RUNS = 20
LIGHT_BAR, SMOKE_BAR = 0.08, 1.6
BASE = "import tensorflow"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 7)
    rounds = parser.parse_args().rounds
    machine()
    with tempfile.TemporaryDirectory() as folder:
        runs, empty = Path(folder, "runs"), Path(folder, "empty")
        empty.mkdir()
        fill(runs)
        commands = {
            BASE: IMPORT_TENSORFLOW,
            "--help": tftrain("--help"),
            f"runs, {RUNS} runs": tftrain("runs", "--runs-dir", str(runs)),
            "runs, none": tftrain("runs", "--runs-dir", str(empty)),
            "fit --smoke": tftrain("fit", DIGITS, "--smoke", "--runs-dir", str(empty)),
        }
        sides = {name: partial(process_seconds, command) for name, command in commands.items()}
        in_turns(sides, 1)  # files into the system's memory
        for other in empty.iterdir():
            shutil.rmtree(other)
        smoke = {BASE: sides[BASE], "fit --smoke": sides.pop("fit --smoke")}
        show(in_turns(sides, rounds), LIGHT_BAR)
        show(in_turns(smoke, rounds), SMOKE_BAR)


def fill(runs: Path) -> None:
    """One true run, and copies of it."""
    first = tftrain("fit", DIGITS, "training.epochs=2", "--runs-dir", str(runs))
    subprocess.run(first, cwd=ROOT, env=environment(), capture_output=True, check=True)
    for number in range(2, RUNS + 1):
        shutil.copytree(runs / "digits-1", runs / f"digits-{number}")


def show(seconds: dict[str, list[float]], bar: float) -> None:
    print(f"{BASE}: {spread(seconds[BASE], ' s')}")
    for name, ours in seconds.items():
        if name != BASE:
            print(f"tftrain {name}: {spread(ours, ' s')}")
            compare(ours, seconds[BASE], bar)


if __name__ == "__main__":
    main()
