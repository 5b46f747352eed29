"""SIGINT and SIGTERM at random moments of a fit: one line, the right exit code, and resumable.

python tests/torture/signals.py [50]
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import common

from tftrain import runs

BOTH = (signal.SIGINT, signal.SIGTERM)
_EPOCHS = 97  # that digits.yaml takes
_SAVING_SECONDS = 0.2
_PARTS = ("beginning", "any", "beginning", "training", "training", "saving")
_COMPARED = 5  # every so many is gone on with to its end


@dataclass
class Stopped:
    """One fit that was asked to end."""

    path: Path
    stage: str
    seconds: float
    faults: list[str] = field(default_factory=list)


def left_alone(folder: Path) -> tuple[float, float, dict[str, str]]:
    """Seconds until the run's directory is there, and from then on; what the run came to."""
    begun = time.perf_counter()
    process = common.fit(common.DIGITS, runs_dir="alone", cwd=folder)
    path = folder / "alone" / "digits-1"
    common.until(path.exists, process)
    before = time.perf_counter() - begun
    outcome = process.ended(begun)
    assert outcome.code == 0, outcome.said
    return before, outcome.seconds - before, common.result(path)


def tried(folder: Path, alone, number: int, wanted: signal.Signals, *, twice: bool) -> Stopped:
    """Signals a fit in some part of its life, and perhaps goes on with it."""
    before, after, result = alone
    chance = random.Random(number)
    path = folder / f"{wanted.name}-{number}-{twice}" / "digits-1"
    process = common.fit(common.DIGITS, runs_dir=path.parent, cwd=folder)
    _wait(process, path, _PARTS[number % len(_PARTS)], (before, after), chance)
    stage = _stage(path)
    sent = time.perf_counter()
    process.send_signal(wanted)
    if twice:
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(chance.choice(BOTH))
    outcome = process.ended(sent)
    one = Stopped(path, stage, outcome.seconds)
    _look(one, outcome, wanted, twice=twice)
    if number % _COMPARED == 0 or twice:
        _go_on(one, folder, result)
    return one


def _wait(process: common.Fit, path: Path, part: str, seconds: tuple[float, float], chance) -> None:
    """Waits for a moment of a part of a fit's life."""
    before, after = seconds
    if part == "beginning":
        time.sleep(chance.uniform(0, before))
    elif part == "any" and common.until(path.exists, process):
        time.sleep(chance.uniform(0, after))
    elif part == "training":
        epochs = chance.randrange(_EPOCHS)
        common.until(lambda: process.epochs() > epochs, process)
    elif part == "saving" and common.until((path / runs.WEIGHTS).exists, process):
        time.sleep(chance.uniform(0, _SAVING_SECONDS))


def _stage(path: Path) -> str:
    if not path.exists():
        return "before its run"
    if not (path / runs.SUMMARY).exists():
        return "while its run began"
    return "while it saved" if (path / runs.WEIGHTS).exists() else "while it trained"


def _look(one: Stopped, outcome: common.Outcome, wanted: signal.Signals, *, twice: bool) -> None:
    lines = outcome.lines
    if outcome.code == 0:
        one.stage = "when its work was done"
        return
    if outcome.code == -wanted or (twice and -outcome.code in BOTH):
        one.stage += ", at once"
        one.faults += [f"said {lines}"] if lines else []
    elif twice and outcome.code - 128 in BOTH:
        one.faults += ["a traceback"] if "Traceback" in outcome.said else []
    else:
        begun = common.run_state(one.path) not in (None, runs.FINISHED)
        said = f"stopped by {wanted.name}"
        said += f"; `tftrain fit --resume {one.path}` goes on" if begun else ""
        if outcome.code != 128 + wanted or lines != [said]:
            one.faults.append(f"exit code {outcome.code}: {outcome.said[-2000:]}")
        if begun and runs.summary_of(one.path)["state"] != runs.STOPPED:
            one.faults.append("its state")
    if one.path.exists():
        one.faults += common.corrupt(one.path)


def _go_on(one: Stopped, folder: Path, result: dict[str, str]) -> None:
    if one.path.exists() and common.run_state(one.path) != runs.FINISHED:
        done = common.run(common.DIGITS, "--resume", one.path, cwd=folder, warm=True)
        if done.code:
            one.faults.append(f"resumed: exit code {done.code}: {done.said[-300:]}")
            return
        found = common.result(one.path)
        one.faults += [f"other {name}" for name in found if found[name] != result[name]]


def limited(folder: Path, result: dict[str, str]) -> list[str]:
    """What is wrong with a fit that has two seconds."""
    path = folder / "limited" / "digits-1"
    slow = ("training.checkpoint.every=1", "--time-limit", "2s")
    while not path.exists() or common.run_state(path) != runs.FINISHED:
        more = ("--resume", path) if path.exists() else ()
        done = common.run(common.DIGITS, *slow, *more, runs_dir=path.parent, cwd=folder)
        state = common.run_state(path) if path.exists() else "no run"
        if done.code or state not in (runs.STOPPED, runs.FINISHED):
            return [f"--time-limit 2s: exit code {done.code}, {state}: {done.said[-300:]}"]
        slow = ("training.checkpoint.every=1", "--time-limit", "60s")
    found = common.result(path)
    return [
        f"--time-limit: other {name}"
        for name in found
        if found[name] != result[name]
        if name != "config"
    ]


def main(count: int) -> bool:
    with common.folder() as folder:
        alone = left_alone(folder)
        jobs = [(number, wanted, False) for number in range(count) for wanted in BOTH]
        jobs += [(number, BOTH[number % 2], True) for number in range(count // 5)]

        def one(place: int) -> Stopped:
            number, wanted, twice = jobs[place]
            found = tried(folder, alone, number, wanted, twice=twice)
            for fault in found.faults:
                print(found.path.parent.name, found.stage, fault, sep="; ", flush=True)
            return found

        every = common.several(one, len(jobs))
        faults = limited(folder, alone[2])
    figures = Counter(f"signalled {found.stage}" for found in every)
    seconds = sorted(found.seconds for found in every)
    figures["with a fault"] = sum(bool(found.faults) for found in every)
    shown = {
        **figures,
        "seconds from the signal to the end, median": round(seconds[len(seconds) // 2], 3),
        "and at most": round(seconds[-1], 3),
        "that one": max(every, key=lambda found: found.seconds).stage,
        "--time-limit 2s": faults or "stopped, exit code 0, equal in the end",
    }
    good = not faults and not figures["with a fault"]
    return common.report(f"{count} SIGINT, {count} SIGTERM, {count // 5} twice", shown, good=good)


if __name__ == "__main__":
    sys.exit(not main(common.count(50)))
