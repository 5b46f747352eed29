"""Storage that fails under a fit: full, read-only, gone, no handles left, files too long.

python tests/torture/disk.py [20 [no file descriptors]]

Every second fit, and all that go on, are forked from a process that has imported TensorFlow: most
of their cost.
"""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import common

STORAGE = 3
_ROOMY = "16m"


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def may_mount() -> bool:
    """Whether this process may mount: else what needs that is left out."""
    with common.folder() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if done.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
    return done.returncode == 0


@contextmanager
def disk(place: Path, size: str):
    """A small disk of its own."""
    place.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
    try:
        yield place
    finally:
        while subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode:
            time.sleep(0.1)


def fill(place: Path) -> Path:
    """A file that takes all that is left."""
    filler = place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def filled(place: Path, _process: common.Fit) -> Callable[[], object]:
    filler = fill(place)
    return filler.unlink


def _is_read_only(place: Path) -> bool:
    command = ["mount", "-o", "remount,bind,ro", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def read_only(place: Path, _process: common.Fit) -> Callable[[], object]:
    mount("--bind", place, place)
    while not _is_read_only(place):  # refused while a file is open for writing in the new mount
        time.sleep(0.001)
    return lambda: subprocess.run(["umount", str(place)], check=True)


def removed(place: Path, _process: common.Fit) -> Callable[[], object]:
    for path in place.glob("fragile-*"):
        while path.exists():  # a file written meanwhile makes one attempt fail
            shutil.rmtree(path, ignore_errors=True)
    return lambda: None


def no_handles(_place: Path, process: common.Fit) -> Callable[[], object]:
    with suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, 3))
    return lambda: None


def no_long_files(_place: Path, process: common.Fit) -> Callable[[], object]:
    with suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (9000, 9000))
    return lambda: None


MOUNTING = {"disk full from some moment on": filled, "read-only from some moment on": read_only}
OTHERS = {
    "folder removed": removed,
    "no file descriptors": no_handles,
    "no file longer than 9000 bytes": no_long_files,
}


def hurt(folder: Path, name: str, number: int, alone) -> tuple[str, list[str]]:
    """How a fit fares whose storage fails at some moment, and what is wrong with that."""
    chance = random.Random(number)
    place = folder / f"{name}-{number}".replace(" ", "-")
    with disk(place, _ROOMY) if name in MOUNTING else nullcontext(place):
        path = place / "fragile-1"
        process = common.fit("fragile.yaml", runs_dir=place, cwd=folder, warm=number % 2 == 1)
        common.until(path.exists, process)
        time.sleep(chance.uniform(0, alone[0]))
        mend = (MOUNTING | OTHERS)[name](place, process)
        outcome = process.ended()
        faults = told(outcome, place)
        mend()
        return look(outcome, path, folder, alone[1], faults)


def small(folder: Path, number: int, count: int, alone) -> tuple[str, list[str]]:
    """The same of a disk that is too small from the beginning, by more or less."""
    place = folder / f"small-{number}"
    size = 4096 * round(1 + number * alone[2] / 4096 / count)
    with disk(place, str(size)):
        outcome = common.run("fragile.yaml", runs_dir=place, cwd=folder)
        faults = told(outcome, place)
        mount("-o", f"remount,size={_ROOMY}", place)
        return look(outcome, place / "fragile-1", folder, alone[1], faults)


def told(outcome: common.Outcome, place: Path) -> list[str]:
    """What is wrong with what was said: one line about the storage, exit code 3."""
    if outcome.code == 0:
        return []
    lines = outcome.lines
    good = len(lines) == 1 and "error[R003]" in lines[0] and "Traceback" not in outcome.said
    if outcome.code == STORAGE and good:
        return []
    if outcome.code == 2 and good and not any(place.glob("*-1")):  # before there was a run
        return []
    return [f"exit code {outcome.code}: {outcome.said[-1500:]}"]


def look(
    outcome: common.Outcome, path: Path, folder: Path, result: dict[str, str], faults: list[str]
) -> tuple[str, list[str]]:
    """What is left, and whether the run can go on once the storage is well again."""
    if outcome.code == 0:
        return "had ended", faults
    if not path.exists():
        return "no run is left", faults
    faults += common.corrupt(path)
    kept = common.kept_epoch(path)
    done = common.run("fragile.yaml", "--resume", path, cwd=folder, warm=True)
    if done.code:
        return "not resumed", [*faults, f"resumed: exit code {done.code}: {done.said[-300:]}"]
    if done.first_epoch not in (None, kept + 1):
        faults.append(f"checkpoint of epoch {kept}, resumed with {done.first_epoch}")
    found = common.result(path)
    faults += [f"other {name}" for name in found if found[name] != result[name]]
    faults += [f"left {one.name}" for one in path.glob(".tmp-*")]
    return "resumed to the same end", faults


def main(count: int, only: str = "") -> bool:
    mounting = may_mount()
    figures, faulty = Counter(), 0
    with common.folder() as folder:
        process = common.fit("fragile.yaml", runs_dir="alone", cwd=folder)
        path = folder / "alone" / "fragile-1"
        common.until(path.exists, process)
        begun = time.perf_counter()
        assert process.ended().code == 0
        seconds = time.perf_counter() - begun
        size = sum(max(1, -(-one.stat().st_size // 4096)) * 4096 for one in path.iterdir())
        alone = (seconds, common.result(path), 1.5 * size + 1024 * 1024)
        names = [name for name in MOUNTING | OTHERS if only in name]
        names = [name for name in names if mounting or name in OTHERS]
        jobs = [(name, number) for name in names for number in range(max(2, count // 2))]
        jobs += (
            [("small disk", number) for number in range(count // 2)]
            if mounting and not only
            else []
        )
        if not mounting:
            print("left out, as this process may not mount: small, full and read-only disks")

        def one(place: int) -> tuple[str, str, list[str]]:
            name, number = jobs[place]
            if name == "small disk":
                return name, *small(folder, number, count // 2, alone)
            return name, *hurt(folder, name, number, alone)

        for name, became, faults in common.several(one, len(jobs)):
            figures[f"{name}: {became}"] += 1
            faulty += bool(faults)
            for fault in faults:
                print(name, fault, sep="; ", flush=True)
    figures["with a fault"] = faulty
    return common.report(f"{len(jobs)} fits whose storage failed", figures, good=not faulty)


if __name__ == "__main__":
    sys.exit(not main(common.count(20), " ".join(sys.argv[2:])))
