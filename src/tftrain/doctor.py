"""A config in, out whether its training repeats on this machine, and goes on after a kill.

The trainings are processes of their own, in a folder that is gone afterwards; no TensorFlow here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tftrain import checkpoint, config, environment, files, prepare, runs, stopping
from tftrain.errors import ConfigError, RunError, counted
from tftrain.terminal import Check

EPOCHS = 10
COMMAND = (sys.executable, "-P", "-m", "tftrain", "fit")
_LEAST = 2  # an epoch to keep and one to go on with
_ATTEMPTS = 5
_POLL_SECONDS = 0.001
_TIMES = ("seconds",)  # what is another in each run, of an epoch's row
_TOLD = ("tftrain", "python", "tensorflow", "keras", "numpy", "threads", "cores", "machine")


class Failed(Exception):  # noqa: N818 - what `fit` has told is told on, with its exit code
    """A training did not come to its end.

    Args:
        exit_code: of its process.
        said: its stderr.
    """

    def __init__(self, exit_code: int, said: str) -> None:
        self.exit_code = exit_code
        self.said = said or f"a training ended with exit code {exit_code}"
        super().__init__(self.said.splitlines()[-1])


@dataclass(frozen=True)
class Found:
    """What the doctor has seen.

    Args:
        checks: `repeats` and `resumes`.
        epochs: of each training.
        environment: what it was seen with: versions, threads, cores, kind of processor.
    """

    checks: Sequence[Check]
    epochs: int
    environment: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether both held."""
        return all(check.passed for check in self.checks)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        checks = [vars(check) for check in self.checks]
        return {"epochs": self.epochs, "environment": dict(self.environment), "checks": checks}

    def __str__(self) -> str:
        seen = dict(self.environment)
        threads, cores = seen.pop("threads"), seen.pop("cores")
        machine = seen.pop("machine")
        versions = ", ".join(f"{name} {version}" for name, version in seen.items())
        used = f"{counted(threads, 'thread')} on {counted(cores, 'core')} of {machine}"
        return "\n".join([*map(str, self.checks), f"seen with {versions}; {used}"])


@dataclass(frozen=True)
class _Asked:
    """What follows `fit`: a config with changes, and options."""

    config: Sequence[str]
    options: Sequence[str]

    def anew(self, runs_dir: Path) -> list[str]:
        return [*self.config, *self.options, "--runs-dir", str(runs_dir)]

    def on(self, run: Path) -> list[str]:
        return ["--resume", str(run), *self.options]


def examine(
    path: Path,
    overrides: Sequence[str],
    say: Callable[[str], None],
    *,
    allow_code: bool = False,
) -> Found:
    """Trains a config twice, and a third time with a kill half way.

    Args:
        path: the YAML file.
        overrides: `PATH=VALUE` each.
        say: is told of every step.
        allow_code: whether the Python files that the config names may run.

    Raises:
        ConfigError, DataError, RunError: what `fit` would raise before it imports TensorFlow.
        Failed: when the first training doesn't come to its end.
        Stopped: by a signal; nothing is left behind.
    """
    with tempfile.TemporaryDirectory(prefix="tftrain-doctor-") as name:
        folder = Path(name)
        asked = prepare.prepare(path, overrides, runs_dir=folder, allow_code=allow_code)
        epochs, wanted = _epochs(asked.config, asked.source), asked.config.training.epochs
        shorter = _shorter(asked.config, epochs) if epochs < wanted else []
        del asked  # with its rows: each training reads them itself
        if epochs < wanted:
            say(f"{epochs} of {wanted} epochs are tried; training.epochs={wanted} tries them all")
        changes = [*overrides, f"training.epochs={epochs}", "training.checkpoint={every: 1}"]
        changes += shorter
        with stopping.deferred():
            options = ["--quiet", *(["--allow-code"] if allow_code else [])]
            return _examined(_Asked([str(path), *changes], options), epochs, folder, say)


def _examined(ask: _Asked, epochs: int, folder: Path, say: Callable[[str], None]) -> Found:
    say("1 of 4: training")
    first = _trained(ask, folder / "first")
    say("2 of 4: training again")
    repeats = _tried("repeats", lambda: _repeats(first, _trained(ask, folder / "second")))
    if repeats.passed:
        resumes = _tried("resumes", lambda: _resumes(first, ask, folder, say))
    else:
        resumes = Check("resumes", False, "not tried: a training that doesn't repeat tells nothing")
    surroundings = json.loads(files.read(first.run / runs.ENVIRONMENT))
    surroundings["cores"] = environment.cores()
    return Found([repeats, resumes], epochs, {name: surroundings[name] for name in _TOLD})


def _shorter(settings: config.Config, epochs: int) -> list[str]:
    """The overrides that make a search without gradients one of so few epochs."""
    optimizer = settings.training.optimizer
    arguments = config.shortened(optimizer, epochs).arguments.items()
    path = f"training.optimizer.{optimizer.name}"
    changed = {name: one for name, one in arguments if one != optimizer.arguments.get(name)}
    return [f"{path}.{name}={one}" for name, one in changed.items()]


def _epochs(settings: config.Config, source: config.Source) -> int:
    """How many are tried: a few, unless the user has asked for another number.

    Raises:
        ConfigError: when they leave nothing to be killed in between.
    """
    place, epochs = ("training", "epochs"), settings.training.epochs
    if epochs < _LEAST:
        message = f"`training.epochs`: expected at least {_LEAST}: one to keep, one to go on with"
        raise ConfigError(source.problem(place, "C013", message))
    asked = config.origins(settings, source)[place].startswith("override")
    return epochs if asked else min(EPOCHS, epochs)


@dataclass(frozen=True)
class _Outcome:
    """What a training came to; `parts` is what must be the same in another of its kind."""

    run: Path
    epochs: int
    fingerprint: str
    parts: Mapping[str, Any]

    def differences(self, other: _Outcome) -> list[str]:
        """What is not the same; where the rows are others, nothing else can be."""
        if self.fingerprint != other.fingerprint:
            return ["other rows, or in another order: have the data changed meanwhile?"]
        return [
            _difference(name, part, other.parts[name])
            for name, part in self.parts.items()
            if not _same(part, other.parts[name])
        ]


def _repeats(first: _Outcome, second: _Outcome) -> Check:
    if found := first.differences(second):
        return Check("repeats", False, f"not the same twice: {'; '.join(found)}")
    length = counted(first.epochs, "epoch")
    same = f"weights, optimizer and callbacks, {length} of history, metrics"
    return Check("repeats", True, f"{same}: twice the same, to the bit")


def _resumes(first: _Outcome, ask: _Asked, folder: Path, say: Callable[[str], None]) -> Check:
    if first.epochs < _LEAST:
        return Check("resumes", False, "not tried: training ended after epoch 1")
    say("3 of 4: training again, to be killed half way")
    for attempt in range(_ATTEMPTS):
        # sooner each time: a quick training may be over before it is caught
        aim = max(first.epochs >> (attempt + 1), 1)
        run, epoch = _killed(ask, folder / f"killed-{attempt}", aim)
        if epoch < first.epochs:
            say(f"4 of 4: going on after epoch {epoch}")
            _finish(ask.on(run))
            return _compared(first, _outcome(run), epoch)
    detail = f"undecided: over before it could be killed, {_ATTEMPTS} times; try more epochs"
    return Check("resumes", False, detail)


def _compared(first: _Outcome, resumed: _Outcome, epoch: int) -> Check:
    killed = f"killed after epoch {epoch} of {first.epochs} and gone on with"
    if found := first.differences(resumed):
        return Check("resumes", False, f"{killed}: not the same: {'; '.join(found)}")
    return Check("resumes", True, f"{killed}: the same, to the bit")


def _tried(name: str, check: Callable[[], Check]) -> Check:
    """A training that fails where the first one did not is a finding."""
    try:
        return check()
    except (Failed, RunError) as error:
        return Check(name, False, str(error))


def _trained(ask: _Asked, runs_dir: Path) -> _Outcome:
    _finish(ask.anew(runs_dir))
    (path,) = runs_dir.glob(f"*/{runs.SUMMARY}")
    return _outcome(path.parent)


def _outcome(run: Path) -> _Outcome:
    summary = runs.summary_of(run)
    kept = checkpoint.read(run / runs.CHECKPOINT)
    callbacks = {f"callback {place}": one for place, one in enumerate(kept.state.callbacks)}
    history = [{key: row[key] for key in row if key not in _TIMES} for row in kept.history]
    best = {key: summary[key] for key in ("epochs_run", "monitor", "best_epoch", "best_value")}
    parts = {
        "history": {f"epoch {place}": row for place, row in enumerate(history, 1)},
        "weights.npz": files.read_arrays(run / runs.WEIGHTS),
        "checkpoint.npz": {**kept.state.variables, **callbacks},
        "metrics": {**summary["metrics"], **best},
    }
    return _Outcome(run, kept.state.epoch, summary["fingerprint"], parts)


def _difference(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """`weights.npz: 3 of 6 differ, first dense/kernel`."""
    names = dict.fromkeys([*one, *other])
    odd = [
        key for key in names if not (key in one and key in other and _same(one[key], other[key]))
    ]
    return f"{name}: {len(odd)} of {len(names)} differ, first {odd[0]}"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the bit, NaN and NaN too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        form = (one.dtype, one.shape) == (other.dtype, other.shape)
        return form and one.tobytes() == other.tobytes()
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)


def _finish(arguments: Sequence[str]) -> None:
    """Lets a training come to its end.

    Raises:
        Failed: when it comes to another one.
    """
    with _started(arguments) as (child, said):
        while child.poll() is None:
            stopping.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.05)
        _require_done(child, said)


def _killed(ask: _Asked, runs_dir: Path, aim: int) -> tuple[Path, int]:
    """Kills a training once a checkpoint of some epoch stands there.

    Returns:
        The run, and the epoch of the checkpoint that it has left.

    Raises:
        Failed: when it fails before.
    """
    with _started(ask.anew(runs_dir)) as (child, said):
        run = _awaited(child, runs_dir, aim)
        if run is None:
            _require_done(child, said)
    (path,) = runs_dir.glob(f"*/{runs.CHECKPOINT}")
    return path.parent, checkpoint.read(path).state.epoch


def _awaited(child: subprocess.Popen[bytes], runs_dir: Path, aim: int) -> Path | None:
    """The run once its checkpoint has come so far, the process halted; None if that is over."""
    seen = None
    while child.poll() is None:
        stopping.check()
        for path in runs_dir.glob(f"*/{runs.CHECKPOINT}"):
            changed = path.stat().st_mtime_ns
            if changed != seen:
                _halt(child)
                if checkpoint.read(path).state.epoch >= aim:
                    return path.parent
                _let_go(child)
            seen = changed
        time.sleep(_POLL_SECONDS)
    return None


def _halt(child: subprocess.Popen[bytes]) -> None:
    """Stands a process still while its files are looked at, where the system can."""
    if os.name != "nt":
        child.send_signal(signal.SIGSTOP)


def _let_go(child: subprocess.Popen[bytes]) -> None:
    if os.name != "nt":
        child.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def _started(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """A `tftrain fit` and what it says on stderr; killed when it is no longer wanted."""
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(  # noqa: S603 - this Python, and what the user has asked for
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            yield child, said
        finally:
            child.kill()
            child.wait()


def _require_done(child: subprocess.Popen[bytes], said: Any) -> None:
    stopping.check()  # Ctrl-C reaches the child as well
    if child.returncode:
        said.seek(0)
        code = child.returncode if child.returncode > 0 else 128 - child.returncode
        raise Failed(code, said.read().decode(errors="replace").strip())
