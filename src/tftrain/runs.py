"""The run directory: claimed once, written whole file by whole file, found again by name.

Every name of a file in a run stands here, and nothing here imports NumPy or TensorFlow.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tftrain import files, summary_form
from tftrain.errors import Mark, Problem, RunError, StorageError, did_you_mean

if TYPE_CHECKING:
    from filelock import BaseFileLock

FORMAT_VERSION = 1
CONFIG = "config.yaml"
RESOLVED = "config.resolved.yaml"
ENVIRONMENT = "environment.json"
SPLIT = "split.npz"
METRICS = "metrics.csv"
MEMBERS = "members.csv"
CHECKPOINT = "checkpoint.npz"
WEIGHTS = "weights.npz"
PREDICTIONS = "predictions.npz"
MODEL = "model.keras"
SUMMARY = "summary.json"
REPORT = "report.html"
CODE = "code"
LOCK = ".lock"
FILES: Mapping[str, str] = MappingProxyType(
    {
        CONFIG: "The config as it was written, comments kept.",
        RESOLVED: "Every value in force, overrides and defaults included. "
        "`tftrain fit` on it repeats the run.",
        ENVIRONMENT: "What the run depends on besides config and data: versions, platform, "
        "threads, git commit, command line.",
        SPLIT: "`train`, `validation`, `test`: the numbers of the rows that went there, "
        "counted from 0.",
        METRICS: "A row an epoch: the loss and the metrics, validation's with `val_` before "
        "them, the learning rate, seconds.",
        MEMBERS: "Of a training with restarts: the same for each network, `member` counted from 0.",
        CHECKPOINT: "All that `tftrain fit --resume` needs to go on: the network's and the "
        "optimizer's variables, seeds, callbacks, history. Sealed like the weights.",
        WEIGHTS: "The kept weights by `layer/weight` and what the scaling learnt. "
        "Its zip comment is a SHA-256 of the rest.",
        PREDICTIONS: "`validation/outputs`, `labels`, `rows` (their numbers), `of` (rows in "
        "all), and `test/...`: probabilities, or numbers in the target's units; at most 100,000 "
        "rows of a part, evenly spread. Sealed like the weights.",
        MODEL: "The network for other programs: raw inputs in, predictions out.",
        REPORT: "What `tftrain report` makes of all this: one page with pictures, for a browser.",
        SUMMARY: "State (`running`, `finished`, `stopped`, `failed`), rows, `notes` on the data, "
        "best epoch, final metrics of each split, seconds of each stage, format version.",
        CODE: "A folder, where the config names Python files: those that ran. Their SHA-256 are in "
        f"`{SUMMARY}`.",
        LOCK: "Held by the process that writes the run, if one does.",
    }
)

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
LINKED = "a link; a run that holds one isn't gone on with"
INTERRUPTED = "interrupted"  # `running`, but nobody is at it any more
_STATES = (RUNNING, FINISHED, STOPPED, FAILED, INTERRUPTED)
_SECONDS_BETWEEN_WRITES = 2.0
_NO_LOGS = ("epoch", "learning_rate", "seconds")  # the columns of metrics.csv besides
_SHOWN = 40  # characters of a value that is none
_GLANCE_SECONDS = 0.3  # whoever lists runs holds a lock for far less


@dataclass
class Run:
    """One run's directory, while it is written.

    Args:
        folder: `runs/NAME-N`.
        summary: what `summary.json` holds.
        history: a row for each epoch, as in `metrics.csv`.
        lock: keeps other writers out as long as this process lives.
    """

    folder: Path
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    lock: BaseFileLock | None = field(default=None, repr=False)
    _written: float = field(default=float("-inf"), init=False, repr=False)

    def write(self, name: str, content: str | bytes) -> None:
        """Puts one of the run's files in place, whole."""
        encoded = content.encode() if isinstance(content, str) else content
        files.write(self.folder / name, encoded)

    def record(self, row: Mapping[str, float]) -> None:
        """Adds an epoch's row, as in `metrics.csv`, which follows every two seconds."""
        self.history.append(dict(row))
        if self.is_due():
            self.write_metrics()

    def is_due(self, beside: int = 1) -> bool:
        """Whether `metrics.csv` is to be brought up to date.

        Args:
            beside: how many runs are written side by side: each follows as much later.
        """
        return time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES * beside

    def last_logs(self) -> dict[str, float]:
        """What was logged of the last epoch; nothing before the first."""
        last = self.history[-1] if self.history else {}
        return {name: value for name, value in last.items() if name not in _NO_LOGS}

    def write_metrics(self) -> None:
        """Brings `metrics.csv` up to date."""
        columns = list(dict.fromkeys(itertools.chain.from_iterable(self.history)))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        self.write(METRICS, text.getvalue())
        self._written = time.monotonic()

    def release(self) -> None:
        """Lets other writers in."""
        if self.lock is not None:
            self.lock.release()

    def discard(self) -> None:
        """Removes the directory of a run that could not begin."""
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def update(self, **values: Any) -> None:
        """Changes the summary and writes it."""
        self.summary |= values
        self.write(SUMMARY, json.dumps(finite(self.summary), indent=2) + "\n")


def check_writable(runs_dir: Path) -> None:
    """Makes the folder of all runs and sees that it can be written.

    Raises:
        RunError: when it can't; better told before TensorFlow is imported than after.
    """
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs_dir):
            pass
    except OSError as error:
        raise RunError(files.cannot("written", runs_dir, error)) from None


def claim(runs_dir: Path, name: str) -> Run:
    """A new directory that no other process has, `NAME-1` or the next free number.

    Raises:
        StorageError: when none can be made.
    """
    taken = [_number(folder.name, name) for folder in runs_dir.glob(f"{name}-*")]
    number = max(taken, default=0) + 1
    while True:
        folder = runs_dir / f"{name}-{number}"
        try:
            files.make_folder(folder)
        except FileExistsError:
            number += 1
        else:
            return _begun(folder)


def _begun(folder: Path) -> Run:
    try:
        return Run(folder, lock=_lock(folder))
    except RunError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def reopen(folder: Path) -> Run:
    """A run that is to be gone on with: nobody else writes it, and nothing torn lies in it.

    Its summary is still to be read: before this, another process may have written it.

    Raises:
        RunError: when another process writes it, or its lock is a link.
        StorageError: when it can't be written.
    """
    lock = _lock(folder, _GLANCE_SECONDS)
    files.sweep(folder)
    return Run(folder, lock=lock)


def _lock(folder: Path, patience: float = 0) -> BaseFileLock:
    from filelock import FileLock, Timeout

    path = folder / LOCK
    if path.is_symlink():
        raise RunError(Problem(Mark(str(path)), "R003", LINKED))
    lock = FileLock(path, timeout=patience, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        message = "another process is writing this run"
        raise RunError(Problem(Mark(str(folder)), "R004", message)) from None
    except OSError as error:
        raise StorageError(files.cannot("written", folder, error)) from None
    return lock


def _is_abandoned(folder: Path) -> bool:
    """Whether nobody writes a run, as far as can be told."""
    if not os.path.lexists(folder / LOCK):
        return True
    try:
        _lock(folder).release()
    except RunError:
        return False
    return True


def require_output(path: Path, sources: Collection[str], suffixes: Collection[str]) -> None:
    """Sees that predictions can go where the user asks, over neither their rows nor a run's files.

    Raises:
        RunError: when they can't.
    """
    files.require_writable(path, suffixes)
    there = os.path.exists(path)  # noqa: PTH110 - which never raises, whatever the name
    if there and any(os.path.exists(one) and path.samefile(one) for one in sources):  # noqa: PTH110
        raise RunError(Problem(Mark(str(path)), "R003", "holds the rows to predict: take another"))
    if path.name in FILES and os.path.exists(path.with_name(SUMMARY)):  # noqa: PTH110
        raise RunError(Problem(Mark(str(path)), "R003", "is a file of a run: take another name"))


def summaries(runs_dir: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every run's folder and summary, newest first; a folder without a sound one is no run."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(runs_dir):
            with contextlib.suppress(RunError):
                summary = summary_form.parsed(files.read(Path(entry.path, SUMMARY)))
                if summary is not None and not summary_form.wrong(summary):
                    found.append((Path(entry.path), _as_it_is(Path(entry.path), summary)))
    return sorted(found, key=lambda run: (str(run[1].get("started")), run[0].name), reverse=True)


def _as_it_is(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """The summary, its state `interrupted` where the process that wrote it is gone."""
    if summary.get("state") == RUNNING and _is_abandoned(folder):
        return summary | {"state": INTERRUPTED}
    return summary


def find(runs_dir: Path, name: str | None) -> tuple[Path, dict[str, Any]]:
    """A finished run's folder and summary.

    Args:
        runs_dir: where runs are.
        name: a run's directory or its name; None for the newest that is no smoke run.

    Raises:
        RunError: when there is none, or it did not finish.
    """
    if name is None:
        for folder, summary in summaries(runs_dir):
            if summary.get("state") == FINISHED and not summary.get("smoke"):
                return folder, _sound(folder, summary)
        message = "no finished run here; `tftrain fit CONFIG` makes one"
        raise RunError(Problem(Mark(str(runs_dir)), "R001", message))
    folder = named(runs_dir, name)
    summary = _as_it_is(folder, summary_of(folder))
    if summary.get("state") != FINISHED:
        message = f"not finished: its state is `{str(summary.get('state'))[:_SHOWN]}`"
        if summary.get("state") != RUNNING:
            message += going_on(folder, summary)
        raise RunError(Problem(Mark(str(folder)), "R001", message))
    with contextlib.suppress(RunError):  # whoever only reads leaves what can't be removed
        _tidy(folder)
    return folder, summary


def in_any_state(runs_dir: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """A run's folder and summary, finished or not: what it holds is sound, but may not be all.

    Raises:
        RunError: when there is none, or what it says is damaged.
    """
    folder = named(runs_dir, name)
    summary = _as_it_is(folder, summary_of(folder))
    if (key := summary_form.wrong(summary)) is not None:
        raise RunError(Problem(Mark(str(folder / SUMMARY)), "R002", f"damaged: `{key}` is wrong"))
    if summary.get("state") not in _STATES:
        message = f"damaged: its state is `{str(summary.get('state'))[:_SHOWN]}`"
        raise RunError(Problem(Mark(str(folder / SUMMARY)), "R002", message))
    return folder, summary


def going_on(folder: Path, summary: Mapping[str, Any]) -> str:
    """`; `tftrain fit --resume RUN` goes on`, as a shell takes it; of a smoke run, nothing."""
    if summary.get("smoke"):
        return ""
    leave = " --allow-code" if summary.get(CODE) else ""
    return f"; `tftrain fit --resume {quoted(folder)}{leave}` goes on"


def quoted(path: Path) -> str:
    """A path as the system's shell takes it."""
    text = str(path)
    if os.name == "nt":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)


def _tidy(folder: Path) -> None:
    if any(files.leftovers(folder)):
        lock = _lock(folder)
        files.sweep(folder)
        lock.release()


def named(runs_dir: Path, name: str) -> Path:
    """A run's folder, by its path or its name.

    Raises:
        RunError: when there is none.
    """
    if not name:  # as an unset variable of a shell
        message = "expected a run's directory or name, got an empty one"
        raise RunError(Problem(Mark(str(runs_dir)), "R001", message))
    folder = Path(name) if files.is_folder(Path(name)) else runs_dir / name
    if not files.is_folder(folder):
        near = did_you_mean(name, [other.name for other, _ in summaries(runs_dir)])
        raise RunError(Problem(Mark(str(folder)), "R001", f"no such run{near}"))
    return folder


def summary_of(folder: Path) -> dict[str, Any]:
    """What a run's summary says.

    Raises:
        RunError: when the folder is no run, or the summary is damaged or a newer tftrain's.
    """
    path = folder / SUMMARY
    if not os.path.lexists(path):
        raise RunError(Problem(Mark(str(folder)), "R001", f"not a run: it has no {SUMMARY}"))
    summary = summary_form.parsed(files.read(path))
    if summary is None:
        raise RunError(Problem(Mark(str(path)), "R002", "damaged: not a JSON object"))
    return _sound(folder, summary)


def _sound(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """The summary, once it is one that this version writes."""
    mark = Mark(str(folder / SUMMARY))
    version = summary.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        shown = json.dumps(version)[:_SHOWN]
        message = f"format version {shown}: this tftrain reads up to {FORMAT_VERSION}"
        raise RunError(Problem(mark, "R002", message))
    key = summary_form.wrong(summary, whole=True) if summary.get("state") == FINISHED else None
    if key is not None:
        raise RunError(Problem(mark, "R002", f"damaged: `{key}` is missing or wrong"))
    return summary


def _number(folder: str, name: str) -> int:
    suffix = folder.removeprefix(f"{name}-")
    return int(suffix) if suffix.isdecimal() else 0


def finite(value: Any) -> Any:
    """The value for JSON, which has no NaN and no infinity: they become null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value
