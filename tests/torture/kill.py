"""`kill -9` at random moments of a fit, then `--resume`: nothing corrupt, lost or different.

python tests/torture/kill.py [300 [warm [FIRST]]]

With `warm`, fits are forked from a process that has imported TensorFlow: most of their cost. Of a
number the moment follows: those from FIRST on go on where another call has ended.
"""

from __future__ import annotations

import itertools
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import common

from tftrain import runs
from tftrain.errors import RunError

_MISSED = "after its end"
_PARTS = ("any", "training", "training", "training", "training", "training", "saving", "saving")


@dataclass
class Alone:
    """The run left alone, and how long the parts of its life took, from its directory's mkdir."""

    path: Path
    seconds: float
    saving: float
    epochs: int
    result: dict[str, str]


@dataclass
class Tried:
    """One run that was killed, and what became of it."""

    path: Path
    killed: str
    kills: int = 1
    faults: list[str] = field(default_factory=list)


def left_alone(folder: Path) -> Alone:
    """The quicker of two, so that most moments lie before the end of the others."""
    every = [_left_alone(folder, number) for number in (1, 2)]
    assert all(one.result == every[0].result for one in every)
    return min(every, key=lambda one: one.seconds)


def _left_alone(folder: Path, number: int) -> Alone:
    path = folder / f"alone-{number}" / "fragile-1"
    process = common.fit("fragile.yaml", cwd=folder, runs_dir=path.parent)
    common.until(path.exists, process)
    begun = time.perf_counter()
    common.until((path / runs.WEIGHTS).exists, process)
    saving = time.perf_counter() - begun
    outcome = process.ended(begun)
    assert outcome.code == 0, outcome.said
    seconds = outcome.seconds
    return Alone(path, seconds, seconds - saving, process.epochs(), common.result(path))


def tried(folder: Path, alone: Alone, number: int, *, warm: bool) -> Tried:
    """Kills a run once or twice, resumes it, and compares."""
    chance = random.Random(number)
    place = itertools.count(1)
    killed = _MISSED
    while killed == _MISSED:
        path = folder / f"runs-{number}" / f"fragile-{next(place)}"
        process = common.fit("fragile.yaml", runs_dir=path.parent, cwd=folder, warm=warm)
        killed = _kill(process, path, alone, chance, _PARTS[number % len(_PARTS)])
    one = Tried(path, killed)
    _look(one)
    while not _is_over(one.path):
        again = number % 5 == 4 and one.kills == 1
        if not _go_on(one, folder, alone, chance if again else None, warm=warm):
            break
    if _is_over(one.path):
        found = common.result(one.path)
        one.faults += [f"other {name}" for name in found if found[name] != alone.result[name]]
        if any(path.glob(".tmp-*")):
            one.faults.append("a leftover")
    if one.faults or number % 10 == 0:
        print(f"run {number}, killed {killed}:", *one.faults or ["ok"], file=sys.stderr, flush=True)
    return one


def _kill(process: common.Fit, path: Path, alone: Alone, chance, part: str) -> str:
    """Kills a fit at a moment of a part of its run's life; says when that was."""
    if part == "any" and common.until(path.exists, process):
        time.sleep(chance.uniform(0, alone.seconds))
    if part == "training":
        _train(process, alone, chance)
    if part == "saving" and common.until((path / runs.WEIGHTS).exists, process):
        time.sleep(chance.uniform(0, alone.saving))
    process.send_signal(signal.SIGKILL)
    outcome = process.ended()
    if outcome.code == 0:
        return _MISSED
    if not (path / runs.SUMMARY).exists():
        return "before its summary"
    if not (path / runs.CHECKPOINT).exists():
        return "before its first checkpoint"
    return "while it saved" if (path / runs.WEIGHTS).exists() else "while it trained"


def _train(process: common.Fit, alone: Alone, chance) -> None:
    """Waits for a moment that is as likely to lie in one epoch as in another."""
    epochs = chance.randrange(alone.epochs)
    if common.until(lambda: process.epochs() > epochs, process):
        time.sleep(chance.uniform(0, alone.seconds / alone.epochs))


def _look(one: Tried) -> int:
    """The checkpoint's epoch; notes what is corrupt."""
    if found := common.corrupt(one.path):
        one.faults += found
    try:
        return common.kept_epoch(one.path)
    except RunError as error:
        one.faults.append(str(error))
        return 0


def _is_over(path: Path) -> bool:
    return common.run_state(path) == runs.FINISHED


def _go_on(one: Tried, folder: Path, alone: Alone, chance, *, warm: bool) -> bool:
    """Resumes a run, and kills that too if there is a chance to; False where it can't go on."""
    kept = _look(one)
    process = common.fit("fragile.yaml", "--resume", one.path, cwd=folder, warm=warm)
    if chance:
        _train(process, alone, chance)
        process.send_signal(signal.SIGKILL)
        one.kills += 1
    outcome = process.ended()
    if outcome.first_epoch is not None and outcome.first_epoch != kept + 1:
        one.faults.append(f"checkpoint of epoch {kept}, resumed with {outcome.first_epoch}")
    if _look(one) < kept:
        one.faults.append(f"checkpoint of epoch {kept} lost")
    if chance or outcome.code == 0:
        return True
    one.faults.append(f"exit code {outcome.code}: {outcome.said[-300:]}")
    return False


def main(count: int, *, warm: bool = False, first: int = 0) -> bool:
    with common.folder() as folder:
        alone = left_alone(folder)
        every = common.several(
            lambda number: tried(folder, alone, first + number, warm=warm), count
        )
        finished = [one.path for one in every if _is_over(one.path)]
        predicted = common.predictions([alone.path, *finished])
        for one in every:
            if predicted.get(one.path) != predicted[alone.path]:
                one.faults.append("other predictions")
        faulty = [one for one in every if one.faults]
        figures = Counter(f"killed {one.killed}" for one in every)
        figures["kills in all"] = sum(one.kills for one in every)
        figures["equal to the run left alone"] = len(every) - len(faulty)
        figures["not"] = len(faulty)
        for one in faulty:
            print(one.path, one.killed, *one.faults, sep="; ")
        return common.report(f"kill -9, {count} runs", figures, good=not faulty)


if __name__ == "__main__":
    after = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    sys.exit(not main(common.count(300), warm="warm" in sys.argv, first=after))
