"""Pages of one run and of five, whole processes, and their sizes: python benchmarks/report.py.

Then what `fit --report` takes beside `fit`, on the main job.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measure import (
    DIGITS,
    ROOT,
    compare,
    environment,
    in_turns,
    machine,
    process_seconds,
    rounds_option,
    spread,
)

COUNT = 5
BARS = {1: 3.0, COUNT: 6.0}  # seconds
LARGEST = 2_000_000  # bytes
MORE = 1.10  # that a training may take for a page that nobody has asked for
TFTRAIN = [sys.executable, "-m", "tftrain"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 5)
    rounds = parser.parse_args().rounds
    machine()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        for seed in range(COUNT):
            fit(runs, f"training.seed={seed}")
        names = [f"digits-{number}" for number in range(1, COUNT + 1)]
        pages = {count: runs / f"{count}.html" for count in BARS}
        job = [*TFTRAIN, "fit", DIGITS, "training.callbacks=[]", "--runs-dir", folder]
        sides = {
            str(count): partial(
                process_seconds,
                [*TFTRAIN, "report", *names[:count], "-o", str(page), "--runs-dir", folder],
            )
            for count, page in pages.items()
        }
        sides |= {
            "fit": partial(process_seconds, job),
            "fit --report": partial(process_seconds, [*job, "--report"]),
        }
        in_turns(sides, 1)  # files into the system's memory
        seconds = in_turns(sides, rounds)
        for count, page in pages.items():
            print(f"page of {count}: {spread(seconds[str(count)], ' s')}")
            taken, size = statistics.median(seconds[str(count)]), page.stat().st_size
            print(f"bar: <= {BARS[count]:.2f} s  measured: {taken:.2f} s")
            print(f"bar: <= {LARGEST:,} bytes  measured: {size:,} bytes")
    print(f"fit: {spread(seconds['fit'], ' s')}")
    print(f"fit --report: {spread(seconds['fit --report'], ' s')}")
    compare(seconds["fit --report"], seconds["fit"], MORE)


def fit(runs: Path, change: str) -> None:
    command = [*TFTRAIN, "fit", DIGITS, change, "--quiet", "--runs-dir", str(runs)]
    subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=True)


if __name__ == "__main__":
    main()
