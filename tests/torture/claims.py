"""Many runs claimed at once; a run that two want to write.

python tests/torture/claims.py [200]
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import common

from tftrain import runs

FITS = 8


def _claim(folder: Path, gate, claimed) -> None:
    gate.wait()
    claimed.put(runs.claim(folder, "many").folder.name)
    gate.wait()


def claims(folder: Path, count: int) -> list[str]:
    """The names that so many processes got, all of them alive until the last has one."""
    light = multiprocessing.get_context("fork")
    gate, claimed = light.Barrier(count), light.Queue()
    every = [light.Process(target=_claim, args=(folder, gate, claimed)) for _ in range(count)]
    for one in every:
        one.start()
    names = [claimed.get(timeout=60) for _ in every]
    for one in every:
        one.join()
    return names


def fits(folder: Path, count: int) -> list[str]:
    """The states of so many real fits that began at once."""
    every = [common.fit("fragile.yaml", "training.epochs=3", cwd=folder) for _ in range(count)]
    for one in every:
        one.ended()
    return [summary["state"] for _, summary in runs.summaries(folder / "runs")]


def second_writer(folder: Path) -> dict[str, object]:
    """How a second writer fares beside the first, and after that one is dead."""
    changes = ("training.epochs=1000000", "training.callbacks=[]")
    first = common.fit("fragile.yaml", *changes, runs_dir="locked", cwd=folder)
    path = folder / "locked" / "fragile-1"
    common.until((path / runs.CHECKPOINT).exists, first)
    begun = time.perf_counter()
    second = common.run("--resume", path, cwd=folder)
    wanted = "another process is writing this run"
    asked = time.perf_counter()
    try:
        runs.reopen(path)
        refused = False
    except runs.RunError:
        refused = True
    waited = time.perf_counter() - asked
    first.send_signal(signal.SIGKILL)
    first.ended()
    third = common.run(
        "--resume", path, "training.epochs=1000000", "--time-limit", "1s", cwd=folder
    )
    return {
        "a second writer is refused": second.code == 2 and wanted in second.said and refused,
        "after, in seconds of the process": round(asked - begun, 2),
        "after, in seconds of the lock": round(waited, 3),
        "a dead writer's lock is free": third.code == 0,
    }


def main(count: int, together: int = FITS) -> bool:
    with common.folder() as folder:
        names = claims(folder, count)
        states = fits(folder, together)
        figures = second_writer(folder)
    kinds = Counter(states)
    good_lock = all(value for value in figures.values() if isinstance(value, bool))
    figures[f"distinct directories of {count} claims"] = len(set(names))
    figures[f"finished of {together} fits at once"] = kinds[runs.FINISHED]
    good = len(set(names)) == count and kinds == {runs.FINISHED: together}
    return common.report("claims and locks", figures, good=good and good_lock)


if __name__ == "__main__":
    sys.exit(not main(common.count(200)))
