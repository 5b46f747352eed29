"""A network and rows in, one Epoch after another out; whoever iterates saves and prints them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tftrain.backend import keras
from tftrain.checkpoint import State
from tftrain.config import Training, search_epochs
from tftrain.data import Part
from tftrain.training import callbacks as keras_callbacks
from tftrain.training import faults, search, state
from tftrain.training.callbacks import restored
from tftrain.training.engine import Engine, Hooks, Order, logged, order_of, steps
from tftrain.training.loop import Logs, Refused
from tftrain.training.search import Searching
from tftrain.training.state import misfit

__all__ = [
    "Engine",
    "Epoch",
    "Job",
    "Logs",
    "NonFinite",
    "Refused",
    "learn",
    "logged",
    "misfit",
    "restored",
    "trace",
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
        where: `: in batch 3 the outputs of layer 2 (`dense_1`) are the first`, or nothing.
    """

    def __init__(self, epoch: int, what: str, where: str) -> None:
        self.epoch = epoch
        self.what = what
        super().__init__(f"{what} is not finite in epoch {epoch}{where}")


@dataclass
class Job:
    """One training, from its first epoch, or the one after a checkpoint, to its last.

    Args:
        engine: runs the epochs.
        training: how many, how large, and in which order.
        train: the rows to learn from, weights included.
        validation: the rows to watch, or None.
        seed: the order of every epoch follows from it.
        callbacks: Keras's.
        say: gets a line that the user should see once.
        advance: gets how many epochs are done, fractions too, now and then.
        begin: where to go on, None for the beginning.
        logs: of the last epoch before that, which callbacks get in the end where no other follows.
        state: after the last epoch that was sound, at first that of the beginning.
        over: whether the last epoch is done and callbacks have had their last word.
        search: runs the first epochs, or all, where the optimizer searches without gradients.
    """

    engine: Engine
    training: Training
    train: Part
    validation: Part | None
    seed: int
    callbacks: list[Any]
    say: Callable[[str], None]
    advance: Callable[[float], None] | None = None
    begin: State | None = None
    logs: Logs = field(default_factory=dict)
    state: State = field(init=False)
    over: bool = field(default=False, init=False)
    search: Searching | None = field(init=False)

    def __post_init__(self) -> None:
        self.engine.network.stop_training = False
        self.search = search.of(self.engine, self.train, self.seed)
        self.state = self.begin or state.capture(self.engine, self.callbacks, 0)

    def searches(self) -> bool:
        """Whether the next epoch searches without gradients."""
        return self.state.epoch < search_epochs(self.training)

    def rewind(self) -> None:
        """Gives the network the weights of the last sound epoch, where an epoch was cut short."""
        if not self.over:
            state.restore_variables(self.engine, self.state)


def trace(engine: Engine, part: Part, seed: int) -> None:
    """Makes the graphs of training, so that what Keras refuses is known before the first epoch.

    Raises:
        Exception: Keras raises what it likes.
    """
    searching = search.of(engine, part, seed)
    if searching is None or searching.optimizer.then:
        engine.trace(part)
    if searching is not None:
        searching.trace()


def learn(engine: Engine, batch: Part, steps: int) -> None:
    """So many updates, generations or steps of a search, on all of a few rows."""
    searching = search.of(engine, batch, 0)
    if searching is None:
        engine.train(batch, np.tile(np.arange(len(batch)), steps))
    else:
        searching.run(engine.rows(batch), steps)


def train(job: Job) -> Generator[Epoch]:
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
    state.ready_files(job.callbacks, job.state.epoch)
    calls.on_train_begin()
    if job.begin:
        state.restore(job.engine, job.callbacks, job.begin)
    logs = job.logs
    if job.searches() and job.search and job.search.remark:
        job.say(job.search.remark)
    try:
        for epoch in _epochs(job, calls, hooks):
            logs = epoch.logs
            yield epoch
    except (Exception, GeneratorExit):
        with suppress(Exception):  # what ended the training is told, not what ending it raises
            calls.on_train_end(logs)
        raise
    network.optimizer.finalize_variable_values(network.trainable_weights)
    calls.on_train_end(logs)
    job.over = True


def _epochs(job: Job, calls: Any, hooks: tuple[Hooks, Hooks] | None) -> Iterator[Epoch]:
    while job.state.epoch < job.training.epochs and not job.state.ended:
        try:
            epoch = _epoch(job, calls, hooks)
        except NonFinite as error:
            _roll_back(job, error)
            continue
        job.state = _now(job, epoch.number)
        yield epoch


def _now(job: Job, epoch: int, more: int = 0) -> State:
    rollbacks = job.state.rollbacks + more
    return state.capture(job.engine, job.callbacks, epoch, rollbacks)


def _epoch(job: Job, calls: Any, hooks: tuple[Hooks, Hooks] | None) -> Epoch:
    network, rows, epoch = job.engine.network, len(job.train), job.state.epoch
    started = time.perf_counter()
    calls.on_epoch_begin(epoch)
    order = order_of(job.seed, epoch, rows) if job.training.shuffle else np.arange(rows)
    logs = _pass(job, order, hooks and hooks[0], _advance(job, epoch))
    if job.validation is not None:
        calls.on_test_begin()
        watched = job.engine.evaluate(job.validation, hooks and hooks[1])
        calls.on_test_end(watched)
        logs |= {f"val_{name}": value for name, value in watched.items()}
    _check_finite(job, epoch + 1, logs, order)
    rate = 0.0 if job.searches() else _rate(network)
    calls.on_epoch_end(epoch, logs)
    return Epoch(epoch + 1, logs, rate, time.perf_counter() - started)


def _pass(
    job: Job, order: Order, hooks: Hooks | None, advance: Callable[[float], None] | None
) -> Logs:
    """One epoch's updates; of a search the logs are of the best network that it found."""
    if job.search is None or not job.searches():
        return job.engine.train(job.train, order, hooks, advance)
    if hooks:
        hooks.begin(0)
    job.search.epoch(order, advance)
    logs = job.engine.evaluate(job.train)
    if hooks:
        hooks.end(0, dict(logs))
    return logs


def _roll_back(job: Job, error: NonFinite) -> None:
    """Goes back to the last sound epoch with a smaller learning rate, where the config says so.

    Raises:
        NonFinite: where it doesn't, or no longer.
    """
    asked = job.training.on_nan
    if asked is None or not asked.rollback or job.state.rollbacks >= asked.max_rollbacks:
        raise error
    for optimizer in _optimizers(job.engine.network):
        optimizer.learning_rate = float(optimizer.learning_rate) * asked.learning_rate_factor
    rate = _rate(job.engine.network)
    job.say(f"{error}: back to epoch {error.epoch - 1}, on with a learning rate of {rate:g}")
    job.state = _now(job, error.epoch - 1, 1)


def _optimizers(network: Any) -> list[Any]:
    """The optimizer; of a MultiOptimizer those in it, the default last."""
    return list(getattr(network.optimizer, "optimizers", [network.optimizer]))


def _rate(network: Any) -> float:
    """The learning rate in force."""
    return float(_optimizers(network)[-1].learning_rate)


def _advance(job: Job, done: int) -> Callable[[float], None] | None:
    advance = job.advance
    return advance and (lambda share: advance(done + share))


def _hooks(job: Job, calls: Any) -> tuple[Hooks, Hooks] | None:
    wanting = keras_callbacks.wanting_batches(job.callbacks)
    if not wanting:
        return None
    searched = search_epochs(job.training)
    epochs = f"; each of the {searched} epochs of search is one batch" if searched else ""
    job.say(
        f"{' and '.join(wanting)} must see every batch: training goes one batch at a time{epochs}"
    )
    return (
        Hooks(calls.on_train_batch_begin, calls.on_train_batch_end),
        Hooks(calls.on_test_batch_begin, calls.on_test_batch_end),
    )


def _check_finite(job: Job, epoch: int, logs: Logs, order: Order) -> None:
    """Ends an epoch that is not sound with the state before it.

    Raises:
        NonFinite: then.
    """
    unsound = next(
        (name for name in ("loss", "val_loss") if not math.isfinite(logs.get(name, 0))), None
    )
    if unsound is None and not job.engine.is_finite():
        unsound = "a weight"
    if unsound is None:
        return
    where = ""
    if not job.searches():
        where = faults.first(job.engine, job.train, order, job.state)
    state.restore(job.engine, job.callbacks, job.state)
    raise NonFinite(epoch, unsound, where)
