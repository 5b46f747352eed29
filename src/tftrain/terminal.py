"""Results as text: progress on stderr, tables for stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tftrain import spread
from tftrain.errors import counted, one_line

if TYPE_CHECKING:
    from tftrain.store import Entry
    from tftrain.training import Epoch

_WIDEST = 400


class Silent:
    """No progress, and nothing said but what must be."""

    def begin(self, epochs: int) -> None:
        """Nothing is shown."""

    def advance(self, epochs: float) -> None:
        """Nothing is shown."""

    def epoch(self, epoch: Epoch) -> None:
        """Nothing is shown."""

    def end(self) -> None:
        """Nothing is shown."""

    def say(self, line: str) -> None:
        """Nothing is shown."""

    def warn(self, line: str) -> None:
        """Prints the line."""
        print(one_line(line), file=sys.stderr, flush=True)  # noqa: T201 - this is where it goes out


class Lines(Silent):
    """A plain line an epoch, for logs and pipes."""

    def __init__(self) -> None:
        self._epochs = 0

    def begin(self, epochs: int) -> None:
        """Remembers how many epochs there can be."""
        self._epochs = epochs

    def epoch(self, epoch: Epoch) -> None:
        """Prints `epoch 3/100  loss 0.1234  val_loss 0.1300`."""
        number = f"{epoch.number:>{len(str(self._epochs))}}"
        self.say(f"epoch {number}/{self._epochs}  {_logs(epoch)}")

    def say(self, line: str) -> None:
        """Prints the line."""
        self.warn(line)


class Bar(Silent):
    """A bar that fills, with the time left, the newest losses and, where there is room, metrics."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    def begin(self, epochs: int) -> None:
        """Shows the empty bar."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        width = len(f"epoch {epochs}/{epochs}")
        self._progress = Progress(
            TextColumn(
                "epoch {task.fields[done]}/{task.total}", table_column=Column(min_width=width)
            ),
            BarColumn(10, table_column=Column(min_width=10)),
            TimeRemainingColumn(compact=True, table_column=Column(min_width=5)),
            TextColumn(
                "{task.fields[logs]}", markup=False, table_column=Column(no_wrap=True, ratio=1)
            ),
            console=self._console,
            expand=True,
        )
        self._task = self._progress.add_task("", total=epochs, done=0, logs="")
        self._progress.start()

    def advance(self, epochs: float) -> None:
        """Fills the bar so far; it is drawn ten times a second at most."""
        self._progress.update(self._task, completed=epochs)

    def epoch(self, epoch: Epoch) -> None:
        """Fills the bar by one epoch, and shows what it came to."""
        logs = _logs(epoch, first=("loss", "val_loss"))
        self._progress.update(self._task, completed=epoch.number, done=epoch.number, logs=logs)

    def end(self) -> None:
        """Leaves the bar as it is."""
        self._progress.stop()

    def say(self, line: str) -> None:
        """Prints the line above the bar."""
        self._console.print(one_line(line), highlight=False, markup=False)


def progress(*, quiet: bool) -> Silent:
    """The progress that fits stderr: a bar on a terminal, lines elsewhere, nothing if quiet."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Args:
        name: what.
        passed: whether it held.
        detail: the figures.
    """

    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok' if self.passed else 'FAILED':6}  {self.name}: {self.detail}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = True) -> str:
    """Columns two spaces apart: the first to the left, the others, if they are numbers, right."""
    lines = [list(map(str, header)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right and place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


_KEPT = {
    "best": "its weights are kept",
    "last": "the last weights are kept",
    "ensemble": "all networks are kept as one",
}


def metrics_table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """A row a metric, a column a split."""
    names = list(dict.fromkeys(name for split in metrics.values() for name in split))
    rows = [[name, *(number(split.get(name)) for split in metrics.values())] for name in names]
    return table(["", *metrics], rows)


def summary_line(summary: Mapping[str, Any]) -> str:
    """The best epoch, by what and how good; whose weights were kept; how long it took."""
    seconds = summary["seconds"]
    best, run = summary["best_epoch"], summary["epochs_run"]
    took = f"{seconds['training']:.1f} s of training, {seconds['total']:.1f} s in all"
    if spread.crossvalidated(summary):
        return f"{counted(run, 'epoch')} on all rows; {took}"
    by, kept = f"{summary['monitor']} {number(summary['best_value'])}", _KEPT[summary["kept"]]
    return f"best epoch {best} of {run} by {by}; {kept}; {took}"


def runs_table(found: Sequence[tuple[Path, Mapping[str, Any]]]) -> str:
    """A row a run: name, state, best epoch, test metrics (else validation's), seconds."""
    rows = []
    for folder, summary in found:
        metrics = summary.get("metrics", {})
        main = metrics.get("test") or metrics.get("validation") or metrics.get("train") or {}
        shown = "  ".join(f"{name} {number(value)}" for name, value in main.items())
        seconds = summary.get("seconds", {}).get("total")
        best, state = summary.get("best_epoch", "-"), summary.get("state")
        total = "-" if seconds is None else f"{seconds:.1f}"
        rows.append([_cell(one) for one in (folder.name, state, best, total, shown)])
    return table(["run", "state", "best epoch", "seconds", "metrics"], rows)


def _cell(value: object) -> str:
    """A value of a stranger's file, as short as a table can bear."""
    text = one_line(str(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def cache_table(found: Sequence[Entry]) -> str:
    """A row an entry: source, rows, size, when it was last used; then all their size."""
    rows = [
        [one_line(one.source), f"{one.rows:,}", size(one.size), _moment(one.used)] for one in found
    ]
    total = ["all", "", size(sum(one.size for one in found)), ""]
    return table(["source", "rows", "size", "last used"], [*rows, total])


def size(count: int) -> str:
    """Bytes as a person reads them: `240 MB`, `1.9 GB`."""
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= least:
            return f"{count / least:.{1 if unit == 'GB' else 0}f} {unit}"
    return f"{count} bytes"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def number(value: float | None) -> str:
    """Four places, or four digits where places say little: `0.9861`, `1.234e-05`, `2859.0`."""
    if value is None:
        return "-"
    if value and not 1e-3 <= abs(value) < 1e5:  # noqa: PLR2004 - where plain digits stop helping
        return f"{value:.3e}"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.1f}"  # noqa: PLR2004 - as above


def _logs(epoch: Epoch, first: Sequence[str] = ()) -> str:
    names = dict.fromkeys([*(name for name in first if name in epoch.logs), *epoch.logs])
    return "  ".join(f"{name} {number(epoch.logs[name])}" for name in names)
