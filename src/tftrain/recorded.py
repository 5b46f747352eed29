"""A run directory in, what it recorded out: config, preparation, weights; without TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import copies, data, files, runs, spread, summary_form
from tftrain.config import Arrays, Config, Source, memory, resolve_layers
from tftrain.config.shapes import trace
from tftrain.data import Encoding, Form, Fresh, Part, Preparation, Splits
from tftrain.errors import ConfigError, DataError, Mark, Problem, RunError, counted, did_you_mean

_PREPARATION = "preparation/"
_BYTES = 4  # of a number in a row


@dataclass(frozen=True)
class Recorded:
    """A finished run, its network not yet made.

    Args:
        folder: the run directory.
        summary: what `summary.json` says.
        config: the values that were in force.
        source: where they stand in `config.resolved.yaml`.
        form: the shapes of inputs and labels, and the classes.
        preparation: what rows go through, and outputs.
        weights: the network's, by `layer/weight`.
    """

    folder: Path
    summary: Mapping[str, Any]
    config: Config
    source: Source
    form: Form
    preparation: Preparation
    weights: Mapping[str, NDArray[Any]]

    @property
    def networks(self) -> int:
        """How many networks of its config the run keeps: of an ensemble several."""
        if self.config.training.keep != "ensemble":
            return 1
        return len({name.partition("/")[0] for name in self.weights})

    def rows(self, split: str = "test", file: str | None = None) -> Part:
        """The rows of one split, or of another file.

        Raises:
            RunError: when the run has no such split.
            DataError: when the file can't be read or doesn't fit.
        """
        if file is not None:
            return self.part(file)
        parts = self.splits().parts()
        if split not in parts:
            raise self._lacks(split, parts)
        return parts[split]

    def _lacks(self, split: str, parts: Iterable[str]) -> RunError:
        of_folds = spread.crossvalidated(self.summary)
        known = [*parts, "test"] if of_folds else [*parts]
        near = did_you_mean(split, known) or f"; expected {', '.join(known)}"
        message = f"this run has no split `{split}`{near}"
        if of_folds and split == "test":
            message = "each row was tested in its fold, and what was predicted there is gone"
        return RunError(Problem(Mark(str(self.folder)), "R001", message))

    def splits(self) -> Splits:
        """The rows of the run.

        Raises:
            RunError: when the data are no longer those it was trained on.
        """
        splits = data.load(self.config, self.source)
        if splits.fingerprint != self.summary["fingerprint"]:
            message = "the data have changed since this run; `--data FILE` evaluates on others"
            raise RunError(Problem(Mark(str(self.folder)), "D008", message))
        return splits.thinned(data.SMOKE_ROWS) if self.summary.get("smoke") else splits

    def part(self, file: str) -> Part:
        """The rows of another file, prepared as the training rows were."""
        encoding = Encoding(self.form.classes, self.config.data.one_hot)
        part = data.load_part(self.config, file, encoding, self.preparation)
        self._require(file, "x", part.shape, self.form.inputs)
        self._require(file, "y", part.labels.shape[1:], self.form.labels)
        return part

    def unlabelled(self, file: str, keep: Sequence[str] = ()) -> Fresh:
        """The rows of another file without regard to labels."""
        fresh = data.unlabelled(self.config, file, self.preparation, keep)
        if self.preparation.columns is None:
            self._require(file, "x", fresh.raw.inputs.shape[1:], self.form.inputs)
        return fresh

    def cells(
        self, columns: Sequence[str], rows: NDArray[np.int64], split: str, file: str | None = None
    ) -> dict[str, NDArray[np.object_]] | None:
        """What columns of the table hold in some rows, as texts; None where there is no table.

        Args:
            columns: their names; those that aren't learnt from too.
            rows: numbers, as the source calls them, (rows,).
            split: the part that these are of.
            file: that they are of instead.

        Returns:
            By each column's name (rows,); None in place of a text where a cell is empty.

        Raises:
            DataError: when the table can't be read, or has no such column.
        """
        source = file or getattr(self.config.data.split, split, None)
        if not isinstance(source, str):
            source = self.config.data.source
        if isinstance(source, Arrays) or self.preparation.columns is None:
            return None
        fresh = self.unlabelled(source, columns)
        if fresh.raw.table is None:
            raise AssertionError(source)
        try:
            values = fresh.copied(0, fresh.raw.table.rows)
        finally:
            fresh.raw.table.close()
        return {name: _of_rows(fresh, one, rows) for name, one in values.items()}

    def _require(self, file: str, name: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if got != wanted:
            message = f"{name}: rows of shape {got}; this network was trained on {wanted}"
            raise DataError(Problem(Mark(file), "D004", message))


def read(folder: Path, summary: Mapping[str, Any], *, allow_code: bool = False) -> Recorded:
    """What a finished run recorded.

    Nothing in the run directory is executed: `model.keras` isn't opened.

    Args:
        folder: the run directory.
        summary: what `summary.json` says.
        allow_code: whether the run's copies of Python files may run, to make its network.

    Raises:
        RunError: when a file is missing or damaged, or there is code that may not run.
        ConfigError: when the run's config is not valid here.
    """
    settings, source = copies.load(folder, summary, allowed=allow_code)
    weights = files.read_arrays(folder / runs.WEIGHTS)
    learnt = {name: weights.pop(name) for name in [*weights] if name.startswith(_PREPARATION)}
    preparation = _preparation(folder, learnt)
    classes = summary.get("classes")
    form = Form(
        tuple(summary["inputs"]),
        tuple(summary["labels"]),
        None if classes is None else tuple(classes),
        preparation.target,
    )
    found = Recorded(folder, summary, settings, source, form, preparation, weights)
    _require_sense(found)
    return found


def _of_rows(fresh: Fresh, values: NDArray[Any], wanted: NDArray[np.int64]) -> NDArray[np.object_]:
    """The values of the rows of those numbers; None where there is no such row."""
    numbers = np.arange(len(values)) if fresh.raw.numbers is None else fresh.raw.numbers
    order = np.argsort(numbers, kind="stable")
    places = order[np.searchsorted(numbers, wanted, sorter=order).clip(0, len(numbers) - 1)]
    found = np.array(values[places], object)
    found[numbers[places] != wanted] = None
    return found


def environment(folder: Path) -> dict[str, Any]:
    """What a run recorded of its surroundings; nothing where that can't be read."""
    try:
        return summary_form.parsed(files.read(folder / runs.ENVIRONMENT)) or {}
    except RunError:
        return {}


def _preparation(folder: Path, learnt: Mapping[str, NDArray[Any]]) -> Preparation:
    try:
        return data.preparation_of(
            {name.removeprefix(_PREPARATION): array for name, array in learnt.items()}
        )
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        raise _damaged(folder, "what it learnt of preparing rows can't be read") from None


def _require_sense(run: Recorded) -> None:
    """Sees that a run's files belong together and that this machine can hold their network.

    Raises:
        ConfigError: when the network doesn't fit into memory.
        RunError: when what was learnt is of other rows, or the weights of another network.
    """
    inputs, room = run.form.inputs, files.machine_memory()
    if room is not None and _BYTES * math.prod(inputs) > room:
        raise _damaged(run.folder, "rows that are larger than this machine's memory", runs.SUMMARY)
    table, _ = trace(resolve_layers(run.config.model, run.source), inputs)
    if too_large := memory.fault(table, run.config, run.source):
        raise ConfigError(too_large[1])
    odd = run.preparation.misfit(inputs, run.form.labels)
    if odd or not data.prepares(run.config.data, run.preparation):
        raise _damaged(run.folder, f"the {odd or 'preparation'} of other rows")
    if not all(np.isfinite(one).all() for one in run.weights.values() if one.dtype.kind in "fc"):
        raise _damaged(run.folder, "weights that are not finite")
    numbers = [row.parameters for row in table if row.parameters is not None]
    held = sum(array.size for array in run.weights.values())
    expected = sum(numbers) * run.networks
    if run.networks > (run.config.training.restarts or 1):
        raise _damaged(run.folder, f"weights of {run.networks} networks")
    if len(numbers) == len(run.config.model.layers) and expected != held:
        message = f"weights of another network: {counted(held, 'number')}, not {expected:,}"
        raise _damaged(run.folder, message)


def _damaged(folder: Path, message: str, file: str = runs.WEIGHTS) -> RunError:
    return RunError(Problem(Mark(str(folder / file)), "R002", f"damaged: {message}"))


def kept(weights: Mapping[str, NDArray[Any]], preparation: Preparation) -> dict[str, NDArray[Any]]:
    """What `weights.npz` holds: a network's weights and what was learnt of preparing rows."""
    learnt = {_PREPARATION + name: array for name, array in preparation.arrays().items()}
    return {**weights, **learnt}
