"""A running training in, its State out, and the other way round, to the bit."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tftrain import files
from tftrain.backend import keras
from tftrain.checkpoint import State
from tftrain.training.engine import Engine

# What Keras's callbacks change as they watch; the rest of them is their arguments.
_CHANGED = (
    (
        keras.callbacks.EarlyStopping,
        ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    ),
    (keras.callbacks.ReduceLROnPlateau, ("wait", "best", "cooldown_counter")),
    (
        keras.callbacks.ModelCheckpoint,
        ("best", "_current_epoch", "_batches_seen_since_last_saving", "_last_batch_seen"),
    ),
    (keras.callbacks.SwapEMAWeights, ("_ema_weights_in_model",)),
    (keras.callbacks.TensorBoard, ("_global_train_batch", "_global_test_batch")),
)
_OWN = "get_state"
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
    return State(epoch, ended, engine.values(), [kept(one) for one in callbacks], rollbacks)


def misfit(engine: Engine, callbacks: Sequence[Any], state: State) -> str | None:
    """What of a state is not of this training (a name, a shape, a type), or None."""
    wanted = engine.variables
    if set(wanted) != set(state.variables):
        odd = sorted(set(wanted) ^ set(state.variables))
        return f"variables of another training: {', '.join(odd[:3])}"
    for name, variable in wanted.items():
        array = state.variables[name]
        if tuple(variable.shape) != array.shape or str(array.dtype) != _dtype(variable):
            found = f"{array.dtype}{array.shape}"
            return f"`{name}`: expected {_dtype(variable)}{tuple(variable.shape)}, got {found}"
    theirs = len(callbacks) == len(state.callbacks) and all(
        set(mine) <= _names(one) and (_OWN in mine) == _offers(one)
        for one, mine in zip(callbacks, state.callbacks, strict=True)
    )
    return None if theirs else "what callbacks keep is of other callbacks"


def restore(engine: Engine, callbacks: Sequence[Any], state: State) -> None:
    """Makes the training what it was; `misfit` must have found nothing."""
    restore_variables(engine, state)
    for callback, mine in zip(callbacks, state.callbacks, strict=True):
        put_back(callback, mine)
    engine.network.stop_training = state.ended


def put_back(callback: Any, mine: Mapping[str, Any]) -> None:
    """Makes a callback what it was."""
    for name in mine:
        if name != _OWN:
            setattr(callback, name, mine[name])
    if _OWN in mine:
        callback.set_state(copy.deepcopy(mine[_OWN]))


def restore_variables(engine: Engine, state: State) -> None:
    """Makes the network and its optimizer what they were."""
    engine.put(state.variables)


def ready_files(callbacks: Iterable[Any], epochs: int) -> None:
    """Readies what callbacks have written for going on after so many epochs, or for the first.

    A CSVLogger goes on in the file it has begun; a BackupAndRestore must not read what a kill may
    have left torn, and what the checkpoint knows better.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger) and Path(callback.filename).exists():
            _cut(Path(callback.filename), callback.sep, epochs)
            callback.append = True
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            for name in _BACKUP:
                if path := getattr(callback, name, None):
                    Path(path).unlink(missing_ok=True)


def _cut(path: Path, separator: str, epochs: int) -> None:
    """Takes the rows of later epochs, which begin with the epoch's number, off a file's end."""
    lines = path.read_bytes().splitlines(keepends=True)
    while lines and not _is_of(lines[-1], separator, epochs):
        lines.pop()
    files.write(path, b"".join(lines))


def _is_of(line: bytes, separator: str, epochs: int) -> bool:
    first = line.split(separator.encode())[0]
    return line.endswith(b"\n") and not (first.isdigit() and int(first) >= epochs)


def kept(callback: Any) -> dict[str, Any]:
    """What a callback changes as it watches, and what it says itself that it keeps."""
    found = {name: getattr(callback, name) for name in _names(callback) if hasattr(callback, name)}
    return found | ({_OWN: copy.deepcopy(callback.get_state())} if _offers(callback) else {})


def _names(callback: Any) -> set[str]:
    """What may be kept of a callback."""
    changed = [names for kind, names in _CHANGED if isinstance(callback, kind)]
    return {_OWN, *itertools.chain(*changed)}


def _offers(callback: Any) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _dtype(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))
