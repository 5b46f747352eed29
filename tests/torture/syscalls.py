"""Every system call of a writer killed or failed by strace: the old file or the new one, whole.

python tests/torture/syscalls.py
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import common
import numpy as np

from tftrain import checkpoint, files, runs
from tftrain.checkpoint import Checkpoint, Keeper, State
from tftrain.errors import RunError, StorageError

FAULTS = ("signal=KILL", "error=ENOSPC", "error=EIO")
CALLS = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,close,unlink,unlinkat"
CALLS += ",fstat,newfstatat,stat,lseek,ioctl,fcntl,mmap,munmap,brk"
MEMORY = ("mmap", "munmap", "brk")  # which no storage fails, and Python doesn't survive without
REFUSED = 3
_MARKS = ("BEGIN", "END")
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")


def old_and_new() -> tuple[Checkpoint, Checkpoint]:
    def of(epoch: int) -> Checkpoint:
        variables = {"network/0/w": np.full((200, 300), epoch, np.float32)}
        state = State(epoch, False, variables, [{"wait": epoch, "best": np.float32(0.5).item()}])
        return Checkpoint(
            state, [{"epoch": one + 1, "loss": 1.0} for one in range(epoch)], 1.0, "c"
        )

    return of(1), of(2)


def write(path: Path) -> int:
    """What the process under strace does: between two marks, one checkpoint over another."""
    _, new = old_and_new()
    keeper = Keeper(1, 9)
    _mark(_MARKS[0])
    try:
        keeper.keep(path, new)
    except StorageError:
        return REFUSED
    finally:
        _mark(_MARKS[1])
    return 0


def _mark(name: str) -> None:
    Path(f"/{name}").exists()


def traced(folder: Path, *options: str) -> tuple[int, str]:
    """The writer's exit code under strace, and the trace."""
    log = folder / "trace"
    command = ["strace", "-f", "-qq", "-o", str(log), *options, sys.executable, __file__, "write"]
    done = subprocess.run(
        [*command, str(folder / runs.CHECKPOINT)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, log.read_text()


def available() -> str | None:
    """Why strace can't be used, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = ["strace", "-o", "/dev/null", "-e", "inject=getpid:retval=1", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() or "ptrace is not allowed" if done.returncode else None


def calls(folder: Path) -> list[tuple[str, int]]:
    """Each system call between the marks: its name, and the how manieth of that name it is."""
    prepare(folder)
    _, trace = traced(folder, "-e", f"trace={CALLS}")
    counted, found, within = Counter(), [], False
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        counted[call[1]] += 1
        if '"/BEGIN"' in call[2] or '"/END"' in call[2]:
            within = '"/BEGIN"' in call[2]
        elif within:
            found.append((call[1], counted[call[1]]))
    return found


def prepare(folder: Path) -> None:
    """The old checkpoint, and a run around it."""
    checkpoint.write(folder / runs.CHECKPOINT, old_and_new()[0])


def hurt(folder: Path, call: tuple[str, int], fault: str) -> tuple[str, list[str]]:
    """What stands there after one call was hurt, and what is wrong with that."""
    name, when = call
    prepare(folder)
    code, _ = traced(folder, "-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={when}")
    faults = []
    try:
        epoch = checkpoint.read(folder / runs.CHECKPOINT).state.epoch
    except RunError as error:
        return "neither", [str(error)]
    lock = runs.reopen(folder).lock
    if left := [path.name for path in files.leftovers(folder)]:
        faults.append(f"left {left}")
    if lock:
        lock.release()
    if code == 0 and epoch != 2:
        faults.append("told as written, and not there")
    if code not in (0, REFUSED, -signal.SIGKILL, 128 + signal.SIGKILL):
        faults.append(f"exit code {code}")
    return "old" if epoch == 1 else "new", faults


def main(step: int = 1) -> bool:
    """Hurts every call, or every so many."""
    if reason := available():
        print(f"left out: {reason}")
        return True
    figures, faulty = Counter(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = calls(folder)
        figures["system calls of one write"] = len(found)
        jobs = [
            (call, fault)
            for call in found
            for fault in (FAULTS[:1] if call[0] in MEMORY else FAULTS)
        ][::step]
        for call, fault in jobs:
            stands, faults = hurt(folder, call, fault)
            figures[f"{fault}: the {stands} one stands"] += 1
            faulty += bool(faults)
            for one in faults:
                print(*call, fault, one)
    return common.report(f"{len(jobs)} system calls hurt", figures, good=not faulty)


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        sys.exit(write(Path(sys.argv[2])))
    sys.exit(not main(common.count(1)))
