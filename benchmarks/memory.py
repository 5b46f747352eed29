"""Memory that training on a file larger than memory takes (Linux): python benchmarks/memory.py.

Writes a file of random rows, trains one epoch on it by `tftrain fit` in a fresh process, and
watches that process's own memory; pages of the file that the system keeps are not counted, as it
can take them back. `--bits` compares the weights of training from memory and chunk by chunk.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import ROOT, environment, machine, tftrain
from numpy.lib import format as npy

COLUMNS = 1024
BLOCK = 16_384
GIGABYTE = 10**9
BAR = 1.0
LAYERS = [
    {"Dense": {"units": 16, "activation": "relu"}},
    {"Dense": {"units": 1, "activation": "sigmoid"}},
]
TRAINING = {"loss": "BinaryCrossentropy", "metrics": ["accuracy"], "batch_size": 256}
STARTED = """
from tftrain import backend
backend.start(0, 1)
print(open("/proc/self/status").read())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0, help="size of the file")
    parser.add_argument("--bits", action="store_true", help="compare weights on a small file")
    asked = parser.parse_args()
    machine()
    with tempfile.TemporaryDirectory() as folder:
        if asked.bits:
            bits(Path(folder))
        elif Path("/proc/self/status").exists():
            memory(Path(folder), asked.gigabytes)
        else:
            print("memory is measured where /proc is: on Linux")


def memory(folder: Path, gigabytes: float) -> None:
    rows = max(100, int(gigabytes * GIGABYTE) // (4 * COLUMNS))
    config = write(folder, rows)
    size = (folder / "x.npy").stat().st_size
    print(f"{rows:,} rows of {COLUMNS:,} float32: {size / GIGABYTE:.2f} GB")
    baseline = status(started())
    taken, peak = watched(tftrain("fit", str(config), "--runs-dir", str(folder / "runs")))
    growth = peak["RssAnon"] - baseline["RssAnon"]
    print(f"TensorFlow imported: {gb(baseline['RssAnon'])} anonymous")
    print(f"peak: {gb(peak['RssAnon'])} anonymous, {gb(peak['VmHWM'])} with pages of files")
    epoch = epoch_seconds(folder / "runs")
    share = size * 0.8  # what an epoch reads: the training and the validation rows
    print(f"{epoch:.2f} s an epoch, {share / epoch / GIGABYTE:.2f} GB/s; {taken:.1f} s in all")
    print(f"bar: <= {BAR:.2f} GB  measured: {growth / GIGABYTE:.3f} GB of growth")


def write(folder: Path, rows: int) -> Path:
    """The rows, their labels and a config; returns its path."""
    random = np.random.default_rng(0)
    with (folder / "x.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
        npy.write_array_header_1_0(file, header)
        for start in range(0, rows, BLOCK):
            file.write(random.random((min(BLOCK, rows - start), COLUMNS), np.float32).tobytes())
    np.save(folder / "y.npy", random.integers(0, 2, rows))
    config = {
        "data": {"source": {"x": "x.npy", "y": "y.npy"}},
        "model": {"layers": LAYERS},
        "training": {"epochs": 1, **TRAINING},
    }
    path = folder / "memory.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def started() -> str:
    """/proc's account of a process that has imported TensorFlow as tftrain does, and no more."""
    command = [sys.executable, "-c", STARTED]
    done = subprocess.run(command, env=environment(), capture_output=True, check=True, text=True)
    return done.stdout


def status(text: str) -> dict[str, int]:
    """Bytes by name, of the lines that are in kB."""
    lines = (line.removesuffix(" kB").split() for line in text.splitlines() if line.endswith(" kB"))
    return {name.removesuffix(":"): int(size) * 1024 for name, size in lines}


def watched(command: list[str]) -> tuple[float, dict[str, int]]:
    """The seconds a process takes and the most memory of each kind it ever has."""
    most: dict[str, int] = {"RssAnon": 0, "VmHWM": 0}
    begun = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as job:
        while job.poll() is None:
            now = status(Path(f"/proc/{job.pid}/status").read_text(encoding="ascii"))
            most = {name: max(value, now.get(name, 0)) for name, value in most.items()}
            time.sleep(0.01)
    return time.perf_counter() - begun, most


def epoch_seconds(runs: Path) -> float:
    (metrics,) = runs.glob("*/metrics.csv")
    with metrics.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file))["seconds"])


def gb(count: int) -> str:
    return f"{count / GIGABYTE:.3f} GB"


def bits(folder: Path) -> None:
    """Trains three epochs both ways; a config can't ask for either, the engine's arguments can."""
    weights = [trained(folder, memory_bytes=size) for size in (2**30, 0)]
    worst = max(float(abs(one - other).max()) for one, other in zip(*weights, strict=True))
    print("largest difference of a weight, from memory and chunk by chunk:")
    print(f"bar: <= 0  measured: {worst:g}")


def trained(folder: Path, memory_bytes: int) -> list[Any]:
    from tftrain import backend, fit, model, training

    asked = fit.prepare(write(folder, 5_000), ["training.epochs=3"], runs_dir=folder)
    backend.start(asked.config.seed, asked.config.training.threads or 1)
    splits = asked.splits
    network = model.build(asked.config, asked.source, splits.form)
    size = asked.config.training.batch_size
    engine = training.Engine(
        network,
        batch_size=size,
        evaluation_batch_size=size,
        memory_bytes=memory_bytes,
        chunk_bytes=2 * size * splits.train.row_bytes,
    )
    job = training.Job(
        engine=engine,
        training=asked.config.training,
        train=splits.weighted,
        validation=splits.validation,
        seed=asked.config.seed,
        callbacks=[],
        say=print,
    )
    for _ in training.train(job):
        pass
    return list(network.get_weights())


if __name__ == "__main__":
    main()
