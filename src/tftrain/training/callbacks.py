"""Config.training.callbacks in, Keras callbacks out, set up so that none of their traps springs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tftrain import checkpoint
from tftrain.backend import keras
from tftrain.config import (
    CALLBACK_PATHS,
    Config,
    Place,
    Source,
    Spec,
    Training,
    collect,
    higher_is_better,
)
from tftrain.errors import (
    ConfigError,
    Problem,
    Stopped,
    TftrainError,
    TrainingError,
    first_line,
)
from tftrain.objects import make

_MONITORING = ("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "OrbaxCheckpoint")
_PACKAGES = {"TensorBoard": "tensorboard", "OrbaxCheckpoint": "orbax"}
_BATCH_METHODS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)


def build(config: Config, source: Source, folder: Path) -> list[Any]:
    """The callbacks, in order.

    Args:
        config: names them.
        source: for the place of a fault.
        folder: the run directory, where relative paths lie.

    Raises:
        ConfigError: with every callback that is wrong.
    """
    problems: list[Problem] = []
    made = []
    for place, spec in enumerate(config.training.callbacks):
        path = ("training", "callbacks", place)
        package = _PACKAGES.get(spec.name)
        if package and find_spec(package) is None:
            message = f"`{spec.name}` needs the package {package}, which is not installed"
            problems.append(source.problem(path, "K004", message))
            continue
        at = _in_folder(_with_mode(spec, config.training), folder)
        callback = collect(problems, partial(make, "callback", at, path, source))
        if callback is not None:
            made.append(_guarded(_adapted(callback), spec.name, path, source))
    if problems:
        raise ConfigError(problems)
    return made


def restored(callbacks: Iterable[Any]) -> tuple[str, int] | None:
    """What EarlyStopping watched and the epoch, from 1, whose weights it put back; or None."""
    stopping = [
        callback
        for callback in callbacks
        if isinstance(callback, keras.callbacks.EarlyStopping)
        and callback.restore_best_weights
        and callback.best_weights is not None
    ]
    return (str(stopping[-1].monitor), int(stopping[-1].best_epoch) + 1) if stopping else None


def wanting_batches(callbacks: Iterable[Any]) -> list[str]:
    """The names of those that must be called for every batch."""
    return [type(callback).__name__ for callback in callbacks if _wants_batches(callback)]


def _wants_batches(callback: Any) -> bool:
    if getattr(callback, "save_freq", None) == "epoch":
        return False  # ModelCheckpoint and BackupAndRestore count batches only for other values
    base = keras.callbacks.Callback
    for method in _BATCH_METHODS:
        function = getattr(callback, method)
        if getattr(function, "__func__", None) is not getattr(base, method):
            return True
    return False


def _with_mode(spec: Spec, training: Training) -> Spec:
    """Says whether more is better: Keras's own guess fails for some metrics."""
    monitor = spec.arguments.get("monitor", "val_loss")
    if spec.name not in _MONITORING or "mode" in spec.arguments or not isinstance(monitor, str):
        return spec
    mode = "max" if higher_is_better(training, monitor) else "min"
    return Spec(spec.name, {**spec.arguments, "mode": mode})


def _in_folder(spec: Spec, folder: Path) -> Spec:
    arguments = dict(spec.arguments)
    if spec.name == "TensorBoard":
        arguments.setdefault("log_dir", "logs")
    for name in CALLBACK_PATHS:
        if isinstance(arguments.get(name), str):
            arguments[name] = str(folder / arguments[name])
    return Spec(spec.name, arguments)


def _adapted(callback: Any) -> Any:
    """Lets LearningRateScheduler take a Keras schedule, counted in epochs; compares in NumPy."""
    schedule = getattr(callback, "schedule", None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        callback.schedule = lambda epoch, _rate: float(schedule(epoch))
    choose = getattr(callback, "_set_monitor_op", None)
    if choose is not None:
        callback._set_monitor_op = lambda: _compare_quickly(callback, choose)  # noqa: SLF001 - as below
    return callback


def _compare_quickly(callback: Any, choose: Callable[[], None]) -> None:
    """Compares two numbers as Keras does, in float32, but without TensorFlow.

    Keras chooses the comparison in a method that has no public name, once the model is there.
    """
    choose()
    compare = np.less if callback.monitor_op is keras.ops.less else np.greater
    callback.monitor_op = lambda one, other: bool(compare(np.float32(one), np.float32(other)))


def _guarded(callback: Any, name: str, path: Place, source: Source) -> Any:
    """Gives the callback's faults a place in the config, and its words a place beside progress."""

    def guard(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                with redirect_stdout(sys.stderr):
                    result = method(*arguments, **named)
                if method.__name__ == "get_state":
                    checkpoint.require_plain(result)
            except (TftrainError, Stopped):
                raise
            except (Exception, SystemExit) as error:
                message = f"`{name}` failed: {first_line(error)}"
                raise TrainingError(source.problem(path, "T003", message)) from error
            return result

        return call

    for method in dir(keras.callbacks.Callback):
        own = getattr(callback, method)
        overridden = getattr(own, "__func__", None) is not getattr(keras.callbacks.Callback, method)
        if overridden and (method.startswith("on_") or method == "set_model"):
            setattr(callback, method, guard(own))
    for method in ("get_state", "set_state"):
        if hasattr(callback, method):
            setattr(callback, method, guard(getattr(callback, method)))
    return callback
