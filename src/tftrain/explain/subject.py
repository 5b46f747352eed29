"""A config or a run in, its network in float64 and the rows to explain it by out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tftrain import files, prepare, recorded, runs, stopping
from tftrain.config import Config, Source
from tftrain.data import Form, Part, Splits
from tftrain.errors import ConfigError, Mark, Problem, TftrainError

_COPIES = 8  # of all parameters: weights, gradients, the optimizer's, those that are moved
_LARGEST_BYTES = 64 * 1024 * 1024  # of rows that are explained at once


@dataclass(frozen=True)
class Subject:
    """What is explained.

    Args:
        title: the config's or the run's path.
        config: the values in force.
        source: where each was written.
        part: the training rows, weighted as in training.
        network: a compiled `keras.Sequential` that computes in float64 if all its layers can: that
            of the config as it begins, or a run's as it was kept.
    """

    title: str
    config: Config
    source: Source
    part: Part
    network: Any

    def rows(self, first: int, most: int) -> tuple[Any, Any, Any]:
        """Some training rows from one on, at most so many and so much.

        Args:
            first: the position of a row in the training part, from 0.
            most: how many rows.

        Returns:
            Tensors of inputs in float64, of labels as the loss takes them, and of weights or None.

        Raises:
            TftrainError: C031 when there is no such row.
        """
        from tftrain.backend import tf

        if not 0 <= first < len(self.part):
            message = f"no such training row: expected 0 to {len(self.part) - 1}"
            raise TftrainError(Problem(Mark(f"--example {first}"), "C031", message))
        most = max(1, min(most, _LARGEST_BYTES // (2 * max(1, self.part.row_bytes))))
        positions = np.arange(first, min(first + most, len(self.part)))
        inputs, labels, weights = self.part.take(positions)
        if labels.ndim == 1 and self.network.output_shape[1:] == (1,):
            labels = labels[:, None]  # as the engine hands them over
        if labels.dtype.kind == "f":
            labels = labels.astype("float64")
        given = None if weights is None else tf.constant(weights, "float64")
        return tf.constant(inputs, "float64"), tf.constant(labels), given


def of_config(path: Path, changes: Sequence[str], *, allow_code: bool) -> Subject:
    """A config's network, as training begins with it.

    Raises:
        ConfigError, DataError: with every fault, as `fit` tells them.
    """
    with tempfile.TemporaryDirectory() as nowhere:  # no run is made
        asked = prepare.prepare(path, changes, runs_dir=Path(nowhere), allow_code=allow_code)
    settings, source, splits = asked.config, asked.source, asked.splits
    network = _built(settings, source, splits.form)
    return _subject(str(path), settings, source, splits, network)


def of_run(runs_dir: Path, name: str, *, allow_code: bool) -> Subject:
    """A finished run's network, with the weights that were kept.

    Raises:
        RunError: when there is no such run, it is damaged, or its data have changed.
    """
    folder, summary = runs.find(runs_dir, name)
    found = recorded.read(folder, summary, allow_code=allow_code)
    if found.networks > 1:
        message = f"keeps {found.networks} networks as one; expected a run or config of one network"
        raise TftrainError(Problem(Mark(str(folder)), "R001", message))
    splits = found.splits()
    from tftrain import model

    network = _built(found.config, found.source, found.form)
    misfit = model.set_weights_by_name(network, dict(found.weights))
    if misfit:
        raise TftrainError(Problem(Mark(str(folder / runs.WEIGHTS)), "R002", misfit))
    return _subject(str(folder), found.config, found.source, splits, network)


def _built(settings: Config, source: Source, form: Form) -> Any:
    with stopping.at_once():
        from tftrain import backend, foreign, model

        backend.start(settings.seed, settings.training.threads or 1)
        foreign.run(source)
        return model.build(settings, source, form)


def _subject(title: str, settings: Config, source: Source, splits: Splits, network: Any) -> Subject:
    _require_memory(network, source)
    twin = _twin(network, settings, source, splits.form)
    return Subject(title, settings, source, splits.weighted, twin)


def _require_memory(network: Any, source: Source) -> None:
    """Refuses a network of which the copies in float64 don't fit beside it."""
    size, room = _COPIES * 8 * network.count_params(), files.machine_memory()
    if room is not None and size > room:
        message = f"to explain it takes some {size:,} bytes; this machine has {room:,}"
        raise ConfigError(source.problem(("model", "layers"), "K009", message, key=True))


def _twin(network: Any, settings: Config, source: Source, form: Form) -> Any:
    """The same network, with the same numbers, in float64.

    Some metrics take float32 only, and are left out; of a layer that does so the network itself is
    taken, which built.
    """
    from tftrain import model
    from tftrain.backend import keras

    try:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        no_metrics = {"metrics": (), "weighted_metrics": ()}
        training = settings.training.model_copy(update=no_metrics)
        bare = settings.model_copy(update={"training": training})
        twin = model.build(bare, source, form)
    except ConfigError:
        return network
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    for layer, other in zip(twin.layers, network.layers, strict=True):
        for variable, known in zip(layer.variables, other.variables, strict=True):
            variable.assign(known.numpy())
    return twin


@contextmanager
def told(subject: Subject) -> Iterator[None]:
    """What Keras or a config's own code refuses, as one line."""
    from tftrain import foreign

    try:
        yield
    except TftrainError:
        raise
    except Exception as error:  # noqa: BLE001 - they raise what they like
        message = f"can't be explained: {foreign.words(error, subject.source)}"
        problem = subject.source.problem(("model", "layers"), "K005", message, key=True)
        raise ConfigError(problem) from None


def outputs(network: Any, inputs: Any, watch: Callable[[Any], object] | None = None) -> list[Any]:
    """What each layer makes of rows, as in prediction.

    Args:
        network: a `keras.Sequential`.
        inputs: a tensor of rows.
        watch: is told of each output before the next layer takes it.
    """
    found = []
    for layer in network.layers:
        inputs = layer(inputs, training=False)
        if watch is not None:
            watch(inputs)
        found.append(inputs)
    return found
