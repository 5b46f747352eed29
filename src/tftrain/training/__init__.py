"""A network and rows in, one Epoch after another out; whoever iterates saves and prints them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tftrain.backend import keras
from tftrain.config import Training
from tftrain.data import Part
from tftrain.training import callbacks as keras_callbacks
from tftrain.training.callbacks import higher_is_better, restored
from tftrain.training.engine import Engine, Hooks, Logs, Refused, logged, order_of, steps

__all__ = [
    "Engine",
    "Epoch",
    "Job",
    "Logs",
    "NonFinite",
    "Refused",
    "higher_is_better",
    "logged",
    "restored",
    "train",
]


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Args:
        number: counted from 1.
        logs: losses and metrics by name, validation's with `val_` before it.
        learning_rate: in force at the epoch's end.
        seconds: the epoch's duration, validation included.
    """

    number: int
    logs: Logs
    learning_rate: float
    seconds: float


class NonFinite(Exception):  # noqa: N818 - an outcome of training that the job reports
    """The loss or a weight is NaN or infinite; the network has the last finite weights again.

    Args:
        epoch: the one it happened in, counted from 1.
        what: `loss`, `val_loss` or `a weight`.
    """

    def __init__(self, epoch: int, what: str) -> None:
        self.epoch = epoch
        self.what = what
        super().__init__(f"{what} in epoch {epoch}")


@dataclass
class Job:
    """One training, from its first epoch to its last.

    Args:
        engine: runs the epochs.
        training: how many, how large, and in which order.
        train: the rows to learn from, weights included.
        validation: the rows to watch, or None.
        seed: the order of every epoch follows from it.
        callbacks: Keras's.
        say: gets a line that the user should see once.
        advance: gets how many epochs are done, fractions too, now and then.
        last_good: the weights after the last epoch that was sound, at first those of the network.
    """

    engine: Engine
    training: Training
    train: Part
    validation: Part | None
    seed: int
    callbacks: list[Any]
    say: Callable[[str], None]
    advance: Callable[[float], None] | None = None
    last_good: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.last_good = self.engine.network.get_weights()


def train(job: Job) -> Iterator[Epoch]:
    """Trains, epoch by epoch, as Keras's `fit` does.

    Weights, optimizer and logs are bit for bit those of `keras.Model.fit` given the same batches.
    Callbacks that want every batch are called for every batch, at the price of `fit`'s pace.

    Raises:
        NonFinite: at the end of the first epoch whose loss or weights are not finite.
        Refused: when TensorFlow can't compute a batch.
    """
    network, rows = job.engine.network, len(job.train)
    calls = keras.callbacks.CallbackList(
        job.callbacks,
        add_history=True,
        model=network,
        verbose=0,
        epochs=job.training.epochs,
        steps=steps(rows, job.engine.batch_size),
    )
    hooks = _hooks(job, calls)
    network.stop_training = False
    calls.on_train_begin()
    logs: Logs = {}
    try:
        for epoch in _epochs(job, calls, hooks):
            logs = epoch.logs
            yield epoch
    except Exception:
        with suppress(Exception):  # what ended the training is told, not what ending it raises
            calls.on_train_end(logs)
        raise
    network.optimizer.finalize_variable_values(network.trainable_weights)
    calls.on_train_end(logs)
    job.last_good = network.get_weights()


def _epochs(job: Job, calls: Any, hooks: tuple[Hooks, Hooks] | None) -> Iterator[Epoch]:
    network, rows = job.engine.network, len(job.train)
    for epoch in range(job.training.epochs):
        started = time.perf_counter()
        calls.on_epoch_begin(epoch)
        order = order_of(job.seed, epoch, rows) if job.training.shuffle else np.arange(rows)
        logs = job.engine.train(job.train, order, hooks and hooks[0], _advance(job, epoch))
        if job.validation is not None:
            calls.on_test_begin()
            watched = job.engine.evaluate(job.validation, hooks and hooks[1])
            calls.on_test_end(watched)
            logs |= {f"val_{name}": value for name, value in watched.items()}
        _check_finite(job, epoch + 1, logs)
        rate = _rate(network.optimizer)
        calls.on_epoch_end(epoch, logs)
        yield Epoch(epoch + 1, logs, rate, time.perf_counter() - started)
        if network.stop_training:
            break


def _rate(optimizer: Any) -> float:
    """The learning rate in force; of a MultiOptimizer, its default's."""
    return float(getattr(optimizer, "optimizers", [optimizer])[-1].learning_rate)


def _advance(job: Job, done: int) -> Callable[[float], None] | None:
    advance = job.advance
    return advance and (lambda share: advance(done + share))


def _hooks(job: Job, calls: Any) -> tuple[Hooks, Hooks] | None:
    wanting = keras_callbacks.wanting_batches(job.callbacks)
    if not wanting:
        return None
    job.say(f"{' and '.join(wanting)} must see every batch: training goes one batch at a time")
    return (
        Hooks(calls.on_train_batch_begin, calls.on_train_batch_end),
        Hooks(calls.on_test_batch_begin, calls.on_test_batch_end),
    )


def _check_finite(job: Job, epoch: int, logs: Logs) -> None:
    """Keeps the weights of the last epoch that was sound; at the first unsound one, ends."""
    weights = job.engine.network.get_weights()
    unsound = next(
        (name for name in ("loss", "val_loss") if not math.isfinite(logs.get(name, 0))), None
    )
    if unsound is None and not all(np.isfinite(weight).all() for weight in weights):
        unsound = "a weight"
    if unsound is not None:
        job.engine.network.set_weights(job.last_good)
        raise NonFinite(epoch, unsound)
    job.last_good = weights
