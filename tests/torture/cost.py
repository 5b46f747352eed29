"""What checkpoints cost: seconds of training with them and, but for the last, without, in turns.

python tests/torture/cost.py [15]
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import common

from tftrain import runs

BAR = 1.10
FEW = "training.checkpoint.every=1h"


def seconds(folder: Path, number: int, *changes: str) -> float:
    path = folder / f"runs-{number}{''.join(changes)}" / "digits-1"
    done = common.run(common.DIGITS, *changes, runs_dir=path.parent, cwd=folder)
    assert done.code == 0, done.said
    return float(runs.summary_of(path)["seconds"]["training"])


def main(count: int) -> bool:
    with common.folder() as folder:
        pairs = []
        for number in range(count):
            first, second = ((), (FEW,)) if number % 2 else ((FEW,), ())
            taken = {changes: seconds(folder, number, *changes) for changes in (first, second)}
            pairs.append((taken[()], taken[FEW,]))
    ratio = statistics.median(often / few for often, few in pairs)
    figures = {
        "seconds of training, by default": round(statistics.median(often for often, _ in pairs), 3),
        "with one checkpoint": round(statistics.median(few for _, few in pairs), 3),
        "median ratio": round(ratio, 3),
        "of the quickest": round(
            min(often for often, _ in pairs) / min(few for _, few in pairs), 3
        ),
        "pairs": len(pairs),
    }
    return common.report("cost of checkpoints on digits.yaml", figures, good=ratio <= BAR)


if __name__ == "__main__":
    sys.exit(not main(common.count(15)))
