"""Seconds an epoch of tftrain's engine against `keras.Model.fit`: python benchmarks/epochs.py.

One process, the same threads, metrics and validation rows, tracing left out on both sides. `fit`
gets NumPy arrays, as a user gives them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measure import compare, in_turns, machine, rounds_option, spread
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tftrain import fit

Layers = list[dict[str, Any]]
MOST_EPOCHS = 2**31 - 1


@dataclass(frozen=True)
class Case:
    """One network on some rows.

    Args:
        bar: what the ratio should not exceed.
        layers: as in a config.
        ours, theirs: epochs in a block, so that one lasts a second or so.
        shape: of a row of random inputs; None for the digits 0 and 1.
        rows: to train on; a fifth as many watch.
        training: what differs from the config's defaults.
    """

    bar: float
    layers: Layers
    ours: int
    theirs: int
    shape: tuple[int, ...] | None = None
    rows: int = 360
    training: dict[str, Any] = field(default_factory=dict)


def dense(units: int, activation: str) -> dict[str, Any]:
    return {"Dense": {"units": units, "activation": activation}}


def convolution(filters: int) -> dict[str, Any]:
    return {"Conv2D": {"filters": filters, "kernel_size": 3, "activation": "relu"}}


COURSE = [dense(25, "sigmoid"), dense(15, "sigmoid"), dense(1, "sigmoid")]
POOL: dict[str, Any] = {"MaxPooling2D": {}}
CNN = [
    convolution(8),
    POOL,
    convolution(16),
    POOL,
    {"Flatten": {}},
    {"Dropout": {"rate": 0.3}},
    dense(1, "sigmoid"),
]
CASES = {
    "digits": Case(0.05, COURSE, ours=50, theirs=5),
    "mnist": Case(0.60, [dense(128, "relu"), dense(1, "sigmoid")], 1, 1, (784,), 12_665),
    "cnn": Case(1.00, CNN, 1, 1, (28, 28, 1), 2_000),
    "batch-1": Case(0.10, COURSE, ours=10, theirs=1, training={"batch_size": 1}),
    "batch-1-xla": Case(
        0.02, COURSE, ours=50, theirs=1, training={"batch_size": 1, "jit_compile": True}
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES, help="one of the networks")
    rounds_option(parser, 5)
    asked = parser.parse_args()
    from tftrain import backend  # after the options: it imports TensorFlow

    machine()
    for name in [asked.only] if asked.only else CASES:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            job = prepare(case, Path(folder))
        backend.start(job.config.seed, job.config.training.threads or 1)
        sides = {"tftrain": engine(case, job), "model.fit": keras_fit(case, job)}
        in_turns(sides, 2)  # traces; and the engine learns how much fits into one call
        seconds = in_turns(sides, asked.rounds)
        print(f"{name}: {len(job.splits.train)} rows, {len(job.splits.validation or ())} to watch")
        for side, taken in seconds.items():
            print(f"  {side}: {spread(taken, ' s an epoch')}")
        compare(seconds["tftrain"], seconds["model.fit"], case.bar)


def prepare(case: Case, folder: Path) -> fit.Asked:
    """What `tftrain fit` would be asked."""
    inputs, labels = rows_of(case)
    few = case.rows // 5
    np.savez(folder / "training.npz", x=inputs, y=labels)
    np.savez(folder / "validation.npz", x=inputs[:few], y=labels[:few])
    split = {"train": 1.0, "validation": "validation.npz", "test": 0.0}
    config = {
        "data": {"source": "training.npz", "split": split},
        "model": {"layers": case.layers},
        "training": {
            "loss": "BinaryCrossentropy",
            "metrics": ["accuracy", "AUC"],
            "epochs": MOST_EPOCHS,
            **case.training,
        },
    }
    path = folder / "case.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return fit.prepare(path, runs_dir=folder)


def rows_of(case: Case) -> tuple[NDArray[Any], NDArray[Any]]:
    if case.shape is None:
        inputs, labels = load_digits(return_X_y=True)
        kept = labels <= 1
        return inputs[kept], labels[kept]
    random = np.random.default_rng(0)
    inputs = random.random((case.rows, *case.shape), np.float32)
    return inputs, np.arange(case.rows) % 2


def engine(case: Case, asked: fit.Asked) -> Callable[[], float]:
    """Trains a block of epochs by tftrain's engine; returns the seconds of one."""
    from tftrain import evaluate, model, training

    config, splits = asked.config, asked.splits
    network = model.build(config, asked.source, splits.form)
    job = training.Job(
        engine=evaluate.engine_of(network, config, len(splits.train)),
        training=config.training,
        train=splits.weighted,
        validation=splits.validation,
        seed=config.seed,
        callbacks=[],
        say=print,
    )
    epochs = training.train(job)
    return lambda: statistics.median(next(epochs).seconds for _ in range(case.ours))


def keras_fit(case: Case, asked: fit.Asked) -> Callable[[], float]:
    """Trains a block of epochs by `fit`; returns the seconds of one, validation included."""
    from tftrain import model
    from tftrain.backend import keras

    network = model.build(asked.config, asked.source, asked.splits.form)
    network.compile(
        optimizer=keras.optimizers.RMSprop(),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=["accuracy", "AUC"],
    )
    x, y, _ = asked.splits.train.take(slice(None))
    watched = asked.splits.validation.take(slice(None))[:2]
    seconds: list[float] = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, *_: object) -> None:
            seconds.append(-time.perf_counter())

        def on_epoch_end(self, *_: object) -> None:
            seconds[-1] += time.perf_counter()

    def block() -> float:
        seconds.clear()
        network.fit(
            x,
            y,
            validation_data=watched,
            batch_size=asked.config.training.batch_size,
            epochs=case.theirs,
            callbacks=[Watch()],
            verbose=0,
        )
        return statistics.median(seconds)

    return block


if __name__ == "__main__":
    main()
