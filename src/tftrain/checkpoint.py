"""A training at an epoch's end in, `checkpoint.npz` out, and back; without TensorFlow."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import config, files, spans
from tftrain.config import Config
from tftrain.errors import Mark, Problem, RunError

_STATE = "state"
_VARIABLES = "variables/"
_SHARE = 0.05  # of the time, at most, goes into checkpoints that nobody asked for more of
_FIRST_SECONDS = 0.01  # what the first one is taken to cost
# What a run may be asked for otherwise when it goes on: its epochs so far would be the same. Data
# and code may have moved; whether the rows are the same, their fingerprint tells, and of code the
# SHA-256.
FREE = (
    *("name", "lint", "sweep", "code", "data.source"),
    *("training.epochs", "training.checkpoint", "training.on_nan"),
)


@dataclass(frozen=True)
class State:
    """All that the next epoch follows from, besides config and rows.

    Args:
        epoch: how many epochs are done.
        ended: whether a callback has ended the training.
        variables: the network's and the optimizer's, seeds of random numbers among them, by name.
        callbacks: what each callback keeps, in their order; numbers, texts, lists and arrays.
        rollbacks: how often a loss that was not finite has led back.
    """

    epoch: int
    ended: bool
    variables: Mapping[str, NDArray[Any]]
    callbacks: Sequence[Mapping[str, Any]]
    rollbacks: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A training that can be gone on with.

    Args:
        state: at the end of its last epoch.
        history: a row for each epoch, as in `metrics.csv`.
        seconds: of training so far.
        config: `digest` of the config in force.
    """

    state: State
    history: Sequence[Mapping[str, float]]
    seconds: float
    config: str


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Puts a checkpoint in place, whole.

    Raises:
        StorageError: when the storage refuses; the one that stood there stays.
        TypeError: when a callback keeps what is no number, text, list, mapping or array.
    """
    state = checkpoint.state
    arrays = {_VARIABLES + name: array for name, array in state.variables.items()}
    told = {
        "epoch": state.epoch,
        "ended": state.ended,
        "rollbacks": state.rollbacks,
        "callbacks": _packed(state.callbacks, arrays),
        "history": list(checkpoint.history),
        "seconds": checkpoint.seconds,
        "config": checkpoint.config,
    }
    arrays[_STATE] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    files.write_arrays(path, arrays)


def read(path: Path) -> Checkpoint:
    """The checkpoint that `write` wrote.

    Raises:
        RunError: when it can't be read or any byte of it has changed.
    """
    arrays = files.read_arrays(path)
    try:
        told = json.loads(arrays.pop(_STATE).tobytes())
        variables = {
            name.removeprefix(_VARIABLES): array
            for name, array in arrays.items()
            if name.startswith(_VARIABLES)
        }
        state = State(
            int(told["epoch"]),
            bool(told["ended"]),
            variables,
            [dict(one) for one in _unpacked(told["callbacks"], arrays)],
            int(told["rollbacks"]),
        )
        history = [_row(row) for row in told["history"]]
        found = Checkpoint(state, history, float(told["seconds"]), str(told["config"]))
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        found = None
    if found is None or len(found.history) != found.state.epoch:
        raise RunError(Problem(Mark(str(path)), "R002", "damaged: not a checkpoint"))
    return found


def require_plain(kept: Any) -> None:
    """Sees that what a callback keeps can be written.

    Raises:
        TypeError: when it is no number, text, list, mapping of texts, or array.
    """
    _packed(kept, {})


def digest(settings: Config) -> str:
    """The SHA-256 of all values in force but those of `FREE`.

    Defaults don't count: a later version may have keys that this one doesn't know.
    """
    values = config.plain(settings, defaults=False)
    kept = {path: value for path, value in values.items() if not is_free(path)}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def is_free(path: str) -> bool:
    """Whether a value, by its dotted path, may be another when a run goes on."""
    return any(path == one or path.startswith(f"{one}.") for one in FREE)


@dataclass
class Keeper:
    """Says when a checkpoint is due.

    Args:
        every: epochs, or seconds as in `30s`, from one to the next; None for as often as costs
            little.
        epochs: how many there can be; the last one's checkpoint is always due.
        epoch: of the last checkpoint.
    """

    every: int | str | None
    epochs: int
    epoch: int = 0
    _cost: float = field(default=_FIRST_SECONDS, init=False)
    _written: float = field(default_factory=time.monotonic, init=False)

    def due(self, state: State) -> bool:
        """Whether this state should be kept."""
        if state.ended or state.epoch >= self.epochs:
            return True
        if isinstance(self.every, int):
            return state.epoch - self.epoch >= self.every
        wait = self._cost / _SHARE if self.every is None else spans.seconds(self.every)
        return time.monotonic() - self._written >= wait

    def keep(self, path: Path, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, and learns what that costs.

        Raises:
            StorageError: when the storage refuses.
        """
        begun = time.monotonic()
        write(path, checkpoint)
        self.epoch, self._written = checkpoint.state.epoch, time.monotonic()
        self._cost = self._written - begun


def _row(row: Any) -> dict[str, float]:
    """An epoch's row, as `Run.record` gets it."""
    if not all(isinstance(one, int | float) for one in row.values()) or "loss" not in row:
        raise ValueError("no row of metrics.csv")
    return {str(name): value for name, value in row.items()}


def _packed(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value for JSON; arrays go among the others, and their names stand for them."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        name = f"callbacks/{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _packed(item, arrays) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_packed(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"expected numbers, texts, lists, mappings and arrays, got {type(value)}")


def _unpacked(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    return {key: _unpacked(item, arrays) for key, item in value["mapping"].items()}
