"""Things to time in, ratios out: measured in turns, so that a busy machine is busy for each."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DIGITS = str(ROOT / "configs" / "digits.yaml")
IMPORT_TENSORFLOW = [sys.executable, "-c", "import tensorflow"]


def tftrain(*arguments: str) -> list[str]:
    """The command line that a user types, of the installation this Python belongs to."""
    script = shutil.which("tftrain", path=sysconfig.get_path("scripts"))
    return [script or "tftrain", *arguments]


def environment() -> dict[str, str]:
    """This process's, but byte code is kept: an installed program has it compiled already."""
    kept = dict(os.environ)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def process_seconds(command: Sequence[str]) -> float:
    """The time a fresh process takes, from its start to its end."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        sys.exit(f"ended with {done.returncode}: {' '.join(command)}")
    return seconds


def in_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each side by its name, A B C A B C ...

    Args:
        sides: what to measure; each call returns the seconds that count.
        rounds: how often; what comes before them must have warmed up caches and traces.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measured in sides.items():
            seconds[name].append(measured())
    return seconds


def compare(ours: list[float], theirs: list[float], bar: float) -> None:
    """Prints the ratio of each turn's two figures, and the bar."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(f"  ratio {spread(ratios)}")
    print(f"bar: <= {bar:.2f}  measured: {statistics.median(ratios):.3f}", flush=True)


def spread(values: Sequence[float], unit: str = "") -> str:
    """The median with the smallest and the largest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.4g}{unit} ({low:.4g} to {high:.4g}, {len(values)} times)"


def machine() -> None:
    """Prints what the figures depend on: ratios of a machine that does other work vary more."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{os.cpu_count()} cores{load}, Python {sys.version.split()[0]}", flush=True)


def count(text: str) -> int:
    """An option's value that is a number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def rounds_option(parser: Any, default: int) -> None:
    """Adds `--rounds N`."""
    parser.add_argument("--rounds", type=count, default=default, help="measurements of each")
