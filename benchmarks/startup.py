"""How long tftrain takes to start, against importing TensorFlow: python benchmarks/startup.py.

`--help`, `runs` and `check` need no TensorFlow; `check` reads Keras's source where its cache is
empty. A smoke run trains, checks itself and ends.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
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
BASE = "import tensorflow"
HELP, SMOKE, CHECK, UNCACHED = "--help", "fit --smoke", "check", "check, no cache"
SOME, NONE = f"runs, {RUNS} runs", "runs, none"
BARS = {HELP: 0.08, SOME: 0.08, NONE: 0.08, CHECK: 0.12, UNCACHED: 0.5, SMOKE: 1.6}
WITHOUT_CACHE = f"""
import sys, tempfile
import platformdirs
platformdirs.user_cache_dir = lambda *_, **__: tempfile.mkdtemp()
sys.argv = ["tftrain", "check", {DIGITS!r}]
from tftrain.__main__ import main
main()
"""


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
            HELP: tftrain("--help"),
            SOME: tftrain("runs", "--runs-dir", str(runs)),
            NONE: tftrain("runs", "--runs-dir", str(folder)),
            CHECK: tftrain("check", DIGITS),
            UNCACHED: [sys.executable, "-c", WITHOUT_CACHE],
            SMOKE: tftrain("fit", DIGITS, "--smoke", "--runs-dir", str(empty)),
        }
        sides = {name: partial(process_seconds, command) for name, command in commands.items()}
        in_turns(sides, 1)  # files into the system's memory
        seconds = in_turns(sides, rounds)
    print(f"{BASE}: {spread(seconds[BASE], ' s')}")
    for name, bar in BARS.items():
        print(f"tftrain {name}: {spread(seconds[name], ' s')}")
        compare(seconds[name], seconds[BASE], bar)


def fill(runs: Path) -> None:
    """One true run, and copies of it."""
    first = tftrain("fit", DIGITS, "training.epochs=2", "--runs-dir", str(runs))
    subprocess.run(first, cwd=ROOT, env=environment(), capture_output=True, check=True)
    for number in range(2, RUNS + 1):
        shutil.copytree(runs / "digits-1", runs / f"digits-{number}")


if __name__ == "__main__":
    main()
