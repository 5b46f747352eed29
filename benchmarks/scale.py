"""Millions of rows, against reading them with pandas: python benchmarks/scale.py TABLE.csv.

The table has a column `label` of 0 and 1, all others are numbers. pandas is no dependency of
tftrain: install it where tftrain isn't, as in `python -m venv pandas; pandas/bin/pip install
pandas`, and name that Python with `--pandas pandas/bin/python`. Memory is measured where /proc is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import (
    DIGITS,
    ROOT,
    compare,
    environment,
    in_turns,
    machine,
    process_seconds,
    rounds_option,
    spread,
    tftrain,
)
from memory import gb, started, status

READ = """
import sys, time
import pandas
begun = time.perf_counter()
pandas.read_csv(sys.argv[1])
print(time.perf_counter() - begun, pandas.__version__)
"""
BAR, MEMORY_BAR, CACHED_BAR = 2.0, 1.5, 3.0
GIGABYTE = 10**9
STAGES = ("data", "training")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="a CSV file")
    parser.add_argument("--larger", type=Path, help="another, whose memory is measured too")
    parser.add_argument("--pandas", default="python3", help="a Python that has pandas")
    rounds_option(parser, 3)
    asked = parser.parse_args()
    machine()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TFTRAIN_CACHE_DIR"] = str(Path(folder, "cache"))
        config = write(Path(folder), asked.table)
        against_pandas(config, asked.table, asked.pandas, asked.rounds)
        cached(config, asked.rounds)
        for table in filter(None, (asked.table, asked.larger)):
            memory(write(Path(folder), table), table)


def write(folder: Path, table: Path) -> Path:
    """A config whose network is small: what is measured is how rows come to it."""
    dense = [{"units": 32, "activation": "relu"}, {"units": 1, "activation": "sigmoid"}]
    config = {
        "data": {"source": str(table.resolve()), "target": "label"},
        "model": {"layers": [{"Dense": one} for one in dense]},
        "training": {
            "loss": "BinaryCrossentropy",
            "metrics": ["accuracy"],
            "epochs": 1,
            "batch_size": 4096,
        },
    }
    path = folder / f"{table.stem}.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def against_pandas(config: Path, table: Path, python: str, rounds: int) -> None:
    """Whole processes, and within them tftrain's own stages and the call of read_csv.

    The processors' seconds are told too: on a busy machine they vary less.
    """
    inside: dict[str, list[float]] = {"ours": [], "theirs": []}
    busy: dict[str, list[float]] = {"ours": [], "theirs": []}

    def ours() -> float:
        clear()
        before = processor_seconds()
        seconds, summary = fitted(config)
        busy["ours"].append(processor_seconds() - before)
        inside["ours"].append(sum(summary["seconds"][stage] for stage in STAGES))
        return seconds

    versions = set()

    def theirs() -> float:
        begun, before = time.perf_counter(), processor_seconds()
        command = [python, "-c", READ, str(table)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        busy["theirs"].append(processor_seconds() - before)
        seconds, version = done.stdout.split()
        versions.add(version)
        inside["theirs"].append(float(seconds))
        return time.perf_counter() - begun

    sides: dict[str, Callable[[], float]] = {"ours": ours, "theirs": theirs}
    in_turns(sides, 1)  # the file into the system's memory
    for warmed in (*inside.values(), *busy.values()):
        warmed.clear()
    whole = in_turns(sides, rounds)
    for what, seconds in (("stages against the call", inside), ("whole processes", whole)):
        print(f"prepare and train an epoch, {what}: {spread(seconds['ours'], ' s')}")
        print(f"  read_csv of pandas {', '.join(versions)}: {spread(seconds['theirs'], ' s')}")
        compare(seconds["ours"], seconds["theirs"], BAR)
    for side, taken in busy.items():
        print(f"seconds of processors, {side}: {spread(taken, ' s')}", flush=True)


def cached(config: Path, rounds: int) -> None:
    """What a second run takes before its first epoch, beyond what digits take."""

    def before(path: Path | str) -> Callable[[], float]:
        def seconds() -> float:
            whole, summary = fitted(path, "training.epochs=1")
            last = sum(summary["seconds"][stage] for stage in ("training", "saving", "evaluation"))
            return whole - last

        return seconds

    sides = {"table": before(config), "digits": before(DIGITS)}
    in_turns(sides, 1)
    seconds = in_turns(sides, rounds)
    for name, values in seconds.items():
        print(f"before the first epoch, {name}: {spread(values, ' s')}")
    more = [one - other for one, other in zip(*seconds.values(), strict=True)]
    print(f"bar: <= {CACHED_BAR:.2f} s more  measured: {spread(more, ' s')}", flush=True)


def memory(config: Path, table: Path) -> None:
    """The most memory of a run that prepares, beyond that of TensorFlow imported."""
    clear()
    base, most = status(started()), {"VmHWM": 0, "RssAnon": 0, "RssFile": 0}
    with tempfile.TemporaryDirectory() as runs:
        command = tftrain("fit", str(config), "--runs-dir", runs, "--quiet")
        with subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL
        ) as job:
            while job.poll() is None:
                now = status(Path(f"/proc/{job.pid}/status").read_text(encoding="ascii"))
                most = {name: max(value, now.get(name, 0)) for name, value in most.items()}
                time.sleep(0.01)
    grown = {name: value - base[name] for name, value in most.items()}
    print(
        f"memory, {table.name}: {gb(grown['RssAnon'])} anonymous, {gb(grown['RssFile'])} of files"
    )
    print(f"bar: <= {MEMORY_BAR:.2f} GB  measured: {grown['VmHWM'] / GIGABYTE:.3f} GB", flush=True)


def processor_seconds() -> float:
    """What all child processes have taken that have ended."""
    taken = os.times()
    return taken.children_user + taken.children_system


def clear() -> None:
    process_seconds(tftrain("cache", "--clear"))


def fitted(config: Path | str, *changes: str) -> tuple[float, dict[str, Any]]:
    """The seconds that `tftrain fit` takes, and its run's summary."""
    with tempfile.TemporaryDirectory() as runs:
        command = tftrain("fit", str(config), *changes, "--runs-dir", runs, "--quiet")
        seconds = process_seconds(command)
        (path,) = Path(runs).glob("*/summary.json")
        return seconds, json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
