"""What the torture scripts share: fits to be hurt, and all that a finished run came to."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tftrain import checkpoint, files, runs
from tftrain.__main__ import main
from tftrain.errors import RunError

CONFIGS = Path(__file__).parents[2] / "configs"
DIGITS = CONFIGS / "digits.yaml"
FRAGILE = """
name: fragile
data: {source: digits, classes: [0, 1]}
model:
  layers:
    - Dense: {units: 16, activation: relu}
    - BatchNormalization: {}
    - Dropout: {rate: 0.3}
    - Dense: {units: 1, activation: sigmoid}
training:
  loss: BinaryCrossentropy
  optimizer: {Adam: {learning_rate: 0.001}}
  metrics: [accuracy]
  epochs: 45
  checkpoint: {every: 1}
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 6, restore_best_weights: true}
    - ReduceLROnPlateau: {monitor: val_loss, factor: 0.5, patience: 2}
lint: {ignore: [N039, N052, N070, N071]}
"""
AT_ONCE = 2
_PATIENCE = 240  # seconds
_OF_THE_DAY = {"started", "finished", "process", "name", "seconds"}


@dataclasses.dataclass
class Outcome:
    """How a process ended, what it said on stderr, and how long it took after a signal."""

    code: int
    said: str
    seconds: float = 0.0

    @property
    def lines(self) -> list[str]:
        """What it said besides the epochs."""
        return [line for line in self.said.splitlines() if not line.startswith("epoch ")]

    @property
    def first_epoch(self) -> int | None:
        """The first epoch that was trained, from 1."""
        begun = (line for line in self.said.splitlines() if line.startswith("epoch "))
        line = next(begun, None)
        return None if line is None else int(line.split("/")[0].removeprefix("epoch "))


class Fit:
    """A fit in a process of its own; what it says on stderr goes to a file.

    Args:
        arguments: of the command line.
        cwd: where it runs.
        warm: fork it from a process that has imported TensorFlow, and has but one thread.
    """

    def __init__(self, arguments: list[str], cwd: Path, *, warm: bool) -> None:
        handle, self._said = tempfile.mkstemp(dir=cwd, prefix="said-")
        if warm:
            self._process = _nursery().Process(target=_fit, args=(arguments, cwd, self._said))
            self._process.start()
        else:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tftrain", *arguments],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=handle,
            )
        os.close(handle)
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, once there is one."""
        return self._process.poll() if self._is_new else self._process.exitcode

    @property
    def _is_new(self) -> bool:
        return isinstance(self._process, subprocess.Popen)

    def send_signal(self, number: int) -> None:
        """Sends a signal to a process that may have ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def epochs(self) -> int:
        """How many epochs it has told of."""
        said = b"\n" + Path(self._said).read_bytes()
        return said.count(b"\nepoch ")

    def ended(self, since: float | None = None) -> Outcome:
        """Waits for its end."""
        self._process.wait(_PATIENCE) if self._is_new else self._process.join(_PATIENCE)
        seconds = time.perf_counter() - (since or time.perf_counter())
        return Outcome(self.poll(), Path(self._said).read_text(), seconds)


def _nursery():
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else NumPy has a second thread
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tftrain.evaluate", "tftrain.exported", "tftrain.fit"])
    return context


def _fit(arguments: list[str], cwd: Path, said: str) -> None:
    os.chdir(cwd)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), 2)
    sys.argv = ["tftrain", *arguments]
    main()


def fit(*arguments: object, runs_dir: Path | str = "runs", cwd: Path, warm: bool = False) -> Fit:
    """Begins a fit."""
    return Fit(["fit", *map(str, arguments), "--runs-dir", str(runs_dir)], cwd, warm=warm)


def run(
    *arguments: object, runs_dir: Path | str = "runs", cwd: Path, warm: bool = False
) -> Outcome:
    """A fit from its beginning to its end."""
    return fit(*arguments, runs_dir=runs_dir, cwd=cwd, warm=warm).ended()


def until(condition, process: Fit) -> bool:
    """Waits until something is so; False where the process ends before."""
    while not condition():
        if process.poll() is not None:
            return bool(condition())
        time.sleep(0.001)
    return True


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of one's own, with the fragile config in it."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        (path / "fragile.yaml").write_text(FRAGILE)
        yield path


def several(tried, count: int) -> list:
    """What each of so many tries came to, two at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(tried, range(count)))


def kept_epoch(path: Path) -> int:
    """The epoch of a run's checkpoint, 0 where there is none.

    Raises:
        RunError: when it is damaged.
    """
    kept = path / runs.CHECKPOINT
    return checkpoint.read(kept).state.epoch if kept.exists() else 0


def run_state(path: Path) -> str | None:
    """What a run's summary says; None where there is none yet."""
    there = (path / runs.SUMMARY).exists()
    return json.loads((path / runs.SUMMARY).read_bytes())["state"] if there else None


def corrupt(path: Path) -> list[str]:
    """What of a run's files can't be read, whatever has been done to whoever wrote it."""
    found = []
    for name in (runs.SPLIT, runs.WEIGHTS, runs.CHECKPOINT):
        if (path / name).exists():
            try:
                files.read_arrays(path / name)
            except RunError as error:
                found.append(str(error))
    for name in (runs.SUMMARY, runs.ENVIRONMENT):
        if (path / name).exists():
            try:
                json.loads((path / name).read_bytes())
            except ValueError as error:
                found.append(f"{path / name}: {error}")
    return found


def result(path: Path) -> dict[str, str]:
    """Digests of all that a finished run came to, but of times, names and process."""
    summary = json.loads((path / runs.SUMMARY).read_bytes())
    kept = checkpoint.read(path / runs.CHECKPOINT)
    state = kept.state
    with (path / runs.METRICS).open(newline="") as file:
        history = [{**row, "seconds": None} for row in csv.DictReader(file)]
    told = [{**row, "seconds": None} for row in kept.history]
    return {
        "weights": _digest(files.read_arrays(path / runs.WEIGHTS)),
        "split": _digest(files.read_arrays(path / runs.SPLIT)),
        "variables": _digest(state.variables),
        "callbacks": _digest([state.epoch, state.ended, state.rollbacks, state.callbacks]),
        "history": _digest([history, told, kept.config]),
        "config": _digest((path / runs.RESOLVED).read_bytes()),
        "summary": _digest({key: summary[key] for key in summary if key not in _OF_THE_DAY}),
    }


def predictions(folders: list[Path]) -> dict[Path, str]:
    """The digest of each run's predictions for its test rows, all from one new process."""
    with ProcessPoolExecutor(1, _nursery()) as pool:
        return dict(zip(folders, pool.map(_predict, folders), strict=True))


def _predict(path: Path) -> str:
    from tftrain import evaluate

    summary = runs.summary_of(path)
    trained = evaluate.load(path, summary)
    outputs = list(trained.engine.predict(trained.rows("test", None)))
    return _digest(outputs)


def _digest(value) -> str:
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest, value) -> None:
    if isinstance(value, dict):
        for key in sorted(value):
            digest.update(f"{key}:".encode())
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)}[".encode())
        for item in value:
            _feed(digest, item)
    elif hasattr(value, "tobytes") and hasattr(value, "shape"):
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    else:
        digest.update(repr(value).encode())


def report(title: str, figures: Counter | dict[str, object], *, good: bool) -> bool:
    """Prints figures, one a line, and whether they are as they must be."""
    print(f"{title}: {'ok' if good else 'NOT OK'}")
    for name, figure in figures.items():
        print(f"  {name}: {figure}")
    sys.stdout.flush()
    return good


def count(default: int) -> int:
    """How many tries the command line asks for."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else default
