"""How many workers in, so many processes for one study out, and what became of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGINT, Signals

from tftrain import environment, stopping
from tftrain.errors import Mark, Problem, Stopped, TrainingError
from tftrain.sweep.plan import Plan
from tftrain.sweep.storage import Where

_COMMAND = (sys.executable, "-P", "-m", "tftrain", "sweep")
_VARIABLE = "TFTRAIN_SWEEP_STORAGE"  # no command line shows its password
_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 30.0  # for a graph call, and what is to be given back


def run(
    plan: Plan,
    where: Where,
    *,
    runs_dir: Path,
    options: Sequence[str],
    count: int,
    warn: Callable[[str], None],
) -> None:
    """Lets so many workers work until none is left.

    Args:
        plan: of the sweep, whose study is there.
        where: the study's storage.
        runs_dir: where runs go.
        options: of the command line, that the workers need too.
        count: how many.
        warn: gets lines that the user must see.

    Raises:
        Stopped: by a signal or the time limit; the workers have ended then.
        TrainingError: when all have ended by themselves with a fault.
    """
    threads = max(1, environment.cores() // count)
    spared = [] if plan.settings.training.threads else [f"training.threads={threads}"]
    tried = [f"{one.path}={one.written}" for one in plan.parameters]
    command = [
        *_COMMAND,
        *(str(plan.path), *plan.overrides, *spared, *tried),
        *("--study", plan.study, "--runs-dir", str(runs_dir), "--resume", "--worker"),
        *options,
    ]
    surroundings = {**os.environ, _VARIABLE: where.url}
    workers = [
        subprocess.Popen(  # noqa: S603 - ourselves
            command, env=surroundings, stdin=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(count)
    ]
    try:
        _watch(workers, warn)
    except Stopped:
        _end(workers)
        raise
    finally:
        for worker in workers:
            worker.kill()
    if all(worker.returncode for worker in workers):
        message = "every worker ended before the sweep was over; the same command goes on"
        raise TrainingError(Problem(Mark(plan.study), "T004", message))


def _watch(workers: list[subprocess.Popen[bytes]], warn: Callable[[str], None]) -> None:
    left = dict(enumerate(workers, 1))
    while left:
        stopping.check()
        time.sleep(_POLL_SECONDS)
        for number in [number for number, worker in left.items() if worker.poll() is not None]:
            code = left.pop(number).returncode
            if code < 0:
                name = Signals(-code).name
                warn(f"worker {number} was killed by {name}: its trial is tried again")
            elif code:
                warn(f"worker {number} ended with exit code {code}")


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    """Lets them give back what they have begun."""
    for worker in workers:
        if worker.poll() is None:
            worker.terminate() if os.name == "nt" else worker.send_signal(SIGINT)
    until = time.monotonic() + _PATIENCE_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
