"""What checkpoints cost: seconds of training with them and, but for the last, without, in turns.

python tests/torture/cost.py [15]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import common

from tftrain import runs
from tftrain.__main__ import main
from tftrain.checkpoint import Keeper

BAR = 1.10
FEW = "training.checkpoint.every=1h"


def run(told: Path, arguments: list[str]) -> None:
    """What the process does: a fit that tells the seconds of each checkpoint it wrote."""
    keep, taken = Keeper.keep, []

    def timed(self, path, kept):
        begun = time.perf_counter()
        keep(self, path, kept)
        taken.append(time.perf_counter() - begun)
        told.write_text(json.dumps(taken))

    Keeper.keep = timed
    sys.argv = ["tftrain", "fit", str(common.DIGITS), "--quiet", *arguments]
    main()


def seconds(folder: Path, number: int, *changes: str) -> tuple[float, list[float]]:
    """Of training, and of each checkpoint in it."""
    path = folder / f"runs-{number}{''.join(changes)}" / "digits-1"
    told = folder / "told.json"
    command = [sys.executable, __file__, "run", str(told), *changes, "--runs-dir", str(path.parent)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    taken = json.loads(told.read_text())
    return float(runs.summary_of(path)["seconds"]["training"]), taken


def measure(count: int) -> bool:
    """Trains in turns, and prints the medians."""
    often, few, ratios, shares, numbers = [], [], [], [], []
    with common.folder() as folder:
        for number in range(count):
            both = {}
            for changes in ((), (FEW,)) if number % 2 else ((FEW,), ()):
                both[changes] = seconds(folder, number, *changes)
            (all_in_all, taken), (without, _) = both[()], both[FEW,]
            often.append(all_in_all)
            few.append(without)
            ratios.append(all_in_all / without)
            shares.append(sum(taken[:-1]) / all_in_all)
            numbers.append(len(taken))
    ratio = statistics.median(ratios)
    figures = {
        "seconds of training by default, median and least": _two(often),
        "with one checkpoint at the end": _two(few),
        "median ratio": round(ratio, 3),
        "checkpoints by default, median": statistics.median(numbers),
        "their share of training but for the last one's, median": _two(shares)[0],
        "pairs": count,
    }
    return common.report("cost of checkpoints on digits.yaml", figures, good=ratio <= BAR)


def _two(numbers: list[float]) -> tuple[float, float]:
    return round(statistics.median(numbers), 4), round(min(numbers), 4)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(Path(sys.argv[2]), sys.argv[3:])
    sys.exit(not measure(common.count(15)))
