"""Checkpoints, weights, predictions with one byte flipped, or cut short: all found when read.

python tests/torture/bytes.py [500]
"""

from __future__ import annotations

import contextlib
import io
import random
import sys
from collections import Counter
from pathlib import Path

import common

from tftrain import assess, recorded, resume, runs
from tftrain.__main__ import _run
from tftrain.errors import RunError


def resumed(path: Path) -> object:
    return resume.prepare(None, ["training.epochs=9"], name=str(path), runs_dir=path.parent)


def revived(path: Path) -> object:
    return recorded.read(path, runs.summary_of(path))


def scored(path: Path) -> object:
    return assess.of_run(revived(path))


READERS = {  # and the command line that reads them
    runs.CHECKPOINT: (resumed, ("fit", "training.epochs=9", "--resume")),
    runs.WEIGHTS: (revived, ("eval",)),
    runs.PREDICTIONS: (scored, ("eval",)),
}


def damages(content: bytes, count: int, chance: random.Random):
    """So many contents with one byte changed, and as many that end too soon."""
    for _ in range(count):
        place, flip = chance.randrange(len(content)), chance.randrange(1, 256)
        changed = bytearray(content)
        changed[place] ^= flip
        yield "flipped", bytes(changed)
    for _ in range(count):
        yield "cut", content[: chance.randrange(len(content))]


def found(path: Path, reader) -> str | None:
    """What is wrong with how a damaged file is told, or None."""
    try:
        reader(path)
    except RunError as error:
        line = str(error)
        good = "\n" not in line and "error[R002]" in line and len(error.problems) == 1
        return None if good and error.exit_code == 2 else f"told as {line!r}"
    except Exception as error:  # noqa: BLE001 - to be told
        return f"raised {error!r}"
    return "not found"


def told(*arguments: str) -> tuple[int, str]:
    """What the command line says of the last damage, in this process."""
    before, sys.argv = sys.argv, ["tftrain", *arguments]
    try:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            return _run(), said.getvalue()
    finally:
        sys.argv = before


def main(count: int) -> bool:
    figures, faulty = Counter(), 0
    with common.folder() as folder:
        done = common.run("fragile.yaml", "training.epochs=2", cwd=folder)
        assert done.code == 0, done.said
        path = folder / "runs" / "fragile-1"
        for name, (reader, command) in READERS.items():
            sound = (path / name).read_bytes()
            reader(path)
            for kind, content in damages(sound, count, random.Random(0)):
                (path / name).write_bytes(content)
                fault = found(path, reader)
                figures[f"{name}: {kind}, {'found' if fault is None else 'NOT FOUND'}"] += 1
                faulty += fault is not None
                if fault:
                    print(name, kind, fault)
            code, said = told(*command, str(path))
            faulty += code != 2 or said.count("\n") != 1 or "R002" not in said
            print(said, end="")
            (path / name).write_bytes(sound)
    return common.report(f"{count} bytes and {count} cuts a file", figures, good=not faulty)


if __name__ == "__main__":
    sys.exit(not main(common.count(500)))
