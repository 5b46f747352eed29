"""A running training in, its State out, and the other way round, to the bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tftrain import files
from tftrain.backend import keras
from tftrain.checkpoint import State
from tftrain.training.engine import Engine

# What these change as they watch; the rest of them is their arguments.
_KEPT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
        "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
        "ModelCheckpoint": ("best", "epochs_since_last_save", "_current_epoch"),
        "SwapEMAWeights": ("_ema_weights_in_model",),
        "TensorBoard": ("_global_train_batch", "_global_test_batch"),
    }
)


_BACKUP = (
    "_weights_path",
    "_training_metadata_path",
    "_prev_weights_path",
    "_prev_training_metadata_path",
)


def capture(engine: Engine, callbacks: Sequence[Any], epoch: int, rollbacks: int = 0) -> State:
    """The state as it is now.

    Args:
        engine: holds the network.
        callbacks: Keras's, or others that have `get_state`.
        epoch: how many epochs are done.
        rollbacks: how often a loss that was not finite has led back.
    """
    ended = bool(engine.network.stop_training)
    return State(epoch, ended, engine.values(), [_kept(one) for one in callbacks], rollbacks)


def misfit(engine: Engine, state: State) -> str | None:
    """What of a state is not of this network and its optimizer (a name, a shape, a type)."""
    wanted = engine.variables
    if set(wanted) != set(state.variables):
        odd = sorted(set(wanted) ^ set(state.variables))
        return f"variables of another training: {', '.join(odd[:3])}"
    for name, variable in wanted.items():
        array = state.variables[name]
        if tuple(variable.shape) != array.shape or str(array.dtype) != _dtype(variable):
            found = f"{array.dtype}{array.shape}"
            return f"`{name}`: expected {_dtype(variable)}{tuple(variable.shape)}, got {found}"
    return None


def restore(engine: Engine, callbacks: Sequence[Any], state: State) -> None:
    """Makes the training what it was; `misfit` must have found nothing."""
    restore_variables(engine, state)
    for callback, kept in zip(callbacks, state.callbacks, strict=True):
        if hasattr(callback, "set_state") and hasattr(callback, "get_state"):
            callback.set_state(kept["state"])
            continue
        for name, value in kept.items():
            setattr(callback, name, value)
    engine.network.stop_training = state.ended


def restore_variables(engine: Engine, state: State) -> None:
    """Makes the network and its optimizer what they were."""
    for name, variable in engine.variables.items():
        variable.assign(state.variables[name])


def continue_files(callbacks: Iterable[Any], epochs: int) -> None:
    """Readies what callbacks have written for going on after so many epochs.

    A CSVLogger goes on in the file it has begun; a BackupAndRestore must not read what a kill may
    have left torn, and what the checkpoint knows better.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger):
            _cut(Path(callback.filename), callback.sep, epochs)
            callback.append = True
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            for name in _BACKUP:
                if path := getattr(callback, name, None):
                    Path(path).unlink(missing_ok=True)


def _cut(path: Path, separator: str, epochs: int) -> None:
    """Takes the rows of later epochs, which begin with the epoch's number, off a file's end."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    while lines and not _is_of(lines[-1], separator, epochs):
        lines.pop()
    if path.exists():
        files.write(path, b"".join(lines))


def _is_of(line: bytes, separator: str, epochs: int) -> bool:
    first = line.split(separator.encode())[0]
    return line.endswith(b"\n") and not (first.isdigit() and int(first) >= epochs)


def _dtype(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))


def _kept(callback: Any) -> dict[str, Any]:
    if hasattr(callback, "get_state") and hasattr(callback, "set_state"):
        return {"state": callback.get_state()}
    return {
        name: getattr(callback, name)
        for kind in type(callback).__mro__
        for name in _KEPT.get(kind.__name__, ())
        if hasattr(callback, name)
    }
