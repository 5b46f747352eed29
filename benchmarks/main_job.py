"""The notes' job, 100 epochs on 0 and 1, as whole processes: python benchmarks/main_job.py.

tftrain validates every epoch, computes accuracy and AUC, tests at the end and leaves a run
directory; the notes' script does none of that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial

from measure import (
    DIGITS,
    ROOT,
    compare,
    in_turns,
    machine,
    process_seconds,
    rounds_option,
    spread,
    tftrain,
)

BAR = 0.50
SCRIPT = [sys.executable, str(ROOT / "benchmarks" / "notes_script.py")]
OURS = "tftrain fit"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 5)
    rounds = parser.parse_args().rounds
    machine()
    with tempfile.TemporaryDirectory() as runs:
        no_stopping = ("training.callbacks=[]", "--runs-dir", runs)
        commands = {
            OURS: tftrain("fit", DIGITS, *no_stopping),
            "notes' script on the training rows alone": [*SCRIPT, "--training-rows"],
            "notes' script": SCRIPT,
        }
        sides = {name: partial(process_seconds, command) for name, command in commands.items()}
        in_turns(sides, 1)  # files into the system's memory
        seconds = in_turns(sides, rounds)
    ours = seconds.pop(OURS)
    print(f"{OURS}: {spread(ours, ' s')}")
    for name, theirs in seconds.items():
        print(f"{name}: {spread(theirs, ' s')}")
        compare(ours, theirs, BAR)


if __name__ == "__main__":
    main()
