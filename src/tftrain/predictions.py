"""A network and rows in, what it makes of them beside what is true out; kept with a run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tftrain import files, outputs, runs
from tftrain.config import Spec
from tftrain.data import Form, Part, Splits
from tftrain.errors import Mark, Problem, RunError
from tftrain.outputs import Kind

MOST_ROWS = 100_000  # of a part that are kept
MOST_BYTES = 16 * 1024 * 1024
_FEWEST = 1000  # rows of a larger part that are worth keeping
_STEP_BYTES = 16 * 1024 * 1024  # of the widest layer's outputs
_STEP_ROWS = 8192
_KEPT = ("validation", "test")
_WEIGHTS, _COUNTS, _MEAN = "weights", "train/counts", "train/mean"
_NAMES = ("outputs", "labels", "rows", "of")


class Network(Protocol):
    """What can be asked for outputs: `training.Engine`."""

    network: Any
    evaluation_batch_size: int

    def predict(self, part: Part, batch_size: int | None = None) -> Iterator[NDArray[np.float32]]:
        """The outputs of rows, so many at a time."""


@dataclass(frozen=True)
class Predictions:
    """What a network makes of some rows, and what is true.

    Args:
        kind: what it is asked for.
        outputs: float32; `binary`: the second class's probability, or a margin, (rows,);
            `multiclass`: each class's probability (rows, classes); `regression`: numbers in the
            target's units, (rows,), or (rows, k).
        labels: class numbers, int32 (rows,); or float32 numbers of the outputs' shape and units.
        rows: what the source calls them, int64 (rows,).
        of: how many rows these were taken from, evenly spread.
        margins: whether the outputs are distances from a border at 0.
    """

    kind: Kind
    outputs: NDArray[np.float32]
    labels: NDArray[Any]
    rows: NDArray[np.int64]
    of: int
    margins: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, places: NDArray[Any]) -> Predictions:
        """Those of some rows, by a mask or by places."""
        chosen = self.outputs[places], self.labels[places], self.rows[places]
        return replace(self, outputs=chosen[0], labels=chosen[1], rows=chosen[2])


@dataclass(frozen=True)
class Saved:
    """What a run's file of predictions holds.

    Args:
        parts: predictions by the name of the split.
        learnt: of the training rows: how many there are of each class, int64 (classes,); or the
            mean of the targets in their units, float64 (k,).
    """

    parts: Mapping[str, Predictions]
    learnt: NDArray[Any]


def predict(network: Network, part: Part, form: Form, loss: Spec) -> Predictions | None:
    """What a network makes of a part's rows, all or as many as are kept; None where nothing fits.

    Args:
        network: is asked.
        part: the rows.
        form: the shapes of rows and labels, and the classes.
        loss: says what outputs mean.
    """
    shape = tuple(network.network.output_shape[1:])
    kind = None if None in shape else outputs.kind(form, loss, shape)
    width = int(np.prod([size or 1 for size in shape], dtype=np.int64))
    most = _most(width)
    if kind is None or not len(part) or len(part) > most < _FEWEST:
        return None
    kept = part.thinned(most)
    out = np.concatenate(list(network.predict(kept, step(network))))
    with np.errstate(all="ignore"):  # what isn't finite is told when it is scored
        flat = outputs.numbers(form, out)
        made = Predictions(kind, flat, truth(form, kept.labels), kept.row_numbers, len(part))
        if kind == "regression":
            return replace(made, outputs=flat.reshape(made.labels.shape))
        if outputs.margins(loss):
            return replace(made, outputs=flat[:, 0], margins=True)
        asked = outputs.second if kind == "binary" else outputs.probabilities
        return replace(made, outputs=asked(loss, flat))


def _most(width: int) -> int:
    """How many rows of so many outputs are kept."""
    return min(MOST_ROWS, MOST_BYTES // (8 * (width + 1)))


def joined(several: Sequence[Predictions]) -> Predictions:
    """Predictions of one kind for different rows, by the rows' numbers; at most as many as kept."""
    rows = np.concatenate([one.rows for one in several])
    places = np.argsort(rows, kind="stable")
    most = _most(math.prod(several[0].outputs.shape[1:]))
    if len(places) > most:
        places = places[np.linspace(0, len(places) - 1, most).astype(np.int64)]
    outputs = np.concatenate([one.outputs for one in several])[places]
    labels = np.concatenate([one.labels for one in several])[places]
    of = sum(one.of for one in several)
    return replace(several[0], outputs=outputs, labels=labels, rows=rows[places], of=of)


def made(network: Network, splits: Splits, loss: Spec) -> dict[str, Predictions]:
    """What `keep` keeps of a network, by the splits' names."""
    parts = {name: part for name, part in splits.parts().items() if name in _KEPT}
    found = {name: predict(network, part, splits.form, loss) for name, part in parts.items()}
    return {name: one for name, one in found.items() if one is not None}


def step(network: Network) -> int:
    """Rows at a time: many, as long as the outputs of no layer take much memory."""
    shapes = [layer.output.shape[1:] for layer in network.network.layers]
    widest: int = max(math.prod(size or 1 for size in shape) for shape in shapes)
    return max(network.evaluation_batch_size, min(_STEP_ROWS, _STEP_BYTES // (4 * widest)))


def truth(form: Form, labels: NDArray[Any]) -> NDArray[Any]:
    """Class numbers, int32 (rows,), or numbers in their own units, float32 (rows,) or (rows, k)."""
    if form.classes is not None:
        return (labels.argmax(axis=1) if labels.ndim > 1 else labels).astype(np.int32)
    restored = labels if form.target is None else form.target.restore(labels)
    return restored.reshape(-1) if restored.shape[1:] == (1,) else restored


def learnt(form: Form, labels: NDArray[Any], *, own: bool = False) -> NDArray[Any]:
    """What a guess without inputs knows: rows of each class, or the targets' mean.

    Args:
        form: the labels' shape and classes.
        labels: what the loss gets; or what `truth` makes of these.
        own: whether they are that already.
    """
    labels = labels if own else truth(form, labels)
    if form.classes is not None:
        return np.bincount(labels.clip(0), minlength=len(form.classes)).astype(np.int64)
    return np.atleast_1d(labels.mean(axis=0, dtype=np.float64))


def keep(
    folder: Path,
    network: Network,
    splits: Splits,
    loss: Spec,
    others: Mapping[str, Predictions],
) -> list[str]:
    """Writes a run's predictions; its weights are written before.

    Args:
        folder: the run directory.
        network: with the kept weights.
        splits: whose validation and test rows are kept.
        loss: says what outputs mean.
        others: predictions that are made already, by the name they are kept under.

    Returns:
        A line for each part that is too large to be kept whole.

    Raises:
        StorageError: when they can't be written.
    """
    form, said = splits.form, list[str]()
    arrays: dict[str, NDArray[Any]] = {}
    parts = splits.parts()
    for name in _KEPT:
        made = others.get(name)
        if made is None and name in parts:
            made = predict(network, parts[name], form, loss)
        if made is None:
            continue
        held: list[NDArray[Any]] = [made.outputs, made.labels, made.rows, np.array(made.of)]
        arrays |= {f"{name}/{one}": array for one, array in zip(_NAMES, held, strict=True)}
        if len(made) < made.of:
            count = f"{len(made):,} of {made.of:,} {name} rows, evenly spread"
            said.append(f"{runs.PREDICTIONS} holds {count}")
    if arrays:
        arrays[_COUNTS if form.classes else _MEAN] = learnt(form, splits.train.labels)
        arrays[_WEIGHTS] = _digest(folder)
        files.write_arrays(folder / runs.PREDICTIONS, arrays)
    return said


def read(folder: Path, form: Form, loss: Spec) -> Saved | None:
    """A run's predictions, perhaps a stranger's; None where it has none.

    Args:
        folder: the run directory, its weights known to be sound.
        form: the labels' shape and classes.
        loss: says what outputs mean.

    Raises:
        RunError: when the file is damaged, or holds what this network can't have made.
    """
    path = folder / runs.PREDICTIONS
    if not os.path.lexists(path):
        return None
    arrays = files.read_arrays(path)
    fault, parts = None, dict[str, Predictions]()
    if not np.array_equal(arrays.pop(_WEIGHTS, np.zeros(0)), _digest(folder)):
        fault = "predictions of other weights; without it, `tftrain eval` predicts anew"
    known = arrays.pop(_COUNTS if form.classes else _MEAN, np.zeros(0))
    for name in _KEPT:
        held = [arrays.pop(f"{name}/{one}", None) for one in _NAMES]
        if any(one is not None for one in held):
            found = _part(form, loss, held)
            fault = fault or (None if found else f"the {name} part has another form")
            parts |= {name: found} if found else {}
    if arrays or not parts or not _is_learnt(known, form):
        fault = fault or "it doesn't hold what a run keeps"
    if fault:
        raise RunError(Problem(Mark(str(path)), "R002", f"damaged: {fault}"))
    return Saved(parts, known)


def _part(form: Form, loss: Spec, held: list[NDArray[Any] | None]) -> Predictions | None:
    """One part's predictions, if they are of the form that `predict` gives them."""
    if any(one is None for one in held):
        return None
    out, labels, rows, of = (np.asarray(one) for one in held)
    if rows.dtype != np.int64 or rows.ndim != 1 or of.dtype != np.int64 or of.shape != ():
        return None
    if out.dtype != np.float32 or not 0 < len(rows) <= min(int(of), MOST_ROWS):
        return None
    if form.classes is None:
        shape = rows.shape if form.labels == (1,) else (*rows.shape, *form.labels)
        sound = labels.dtype == np.float32 and labels.shape == shape == out.shape
        sound = sound and bool(np.isfinite(labels).all())
        return Predictions("regression", out, labels, rows, int(of)) if sound else None
    classes, margins = len(form.classes), outputs.margins(loss)
    kind: Kind = "binary" if classes == 2 else "multiclass"  # noqa: PLR2004 - the word's meaning
    shape = rows.shape if kind == "binary" else (*rows.shape, classes)
    numbered = labels.dtype == np.int32 and labels.shape == rows.shape
    if (
        not numbered
        or classes > outputs.MOST_CLASSES
        or out.shape != shape
        or labels.min() < 0
        or labels.max() >= classes
    ):
        return None
    return Predictions(kind, out, labels, rows, int(of), margins)


def _is_learnt(array: NDArray[Any], form: Form) -> bool:
    if form.classes is not None:
        counts = array.dtype == np.int64 and array.shape == (len(form.classes),)
        return counts and array.min() >= 0 and array.sum() > 0
    return array.dtype == np.float64 and array.ndim == 1 and bool(np.isfinite(array).all())


def _digest(folder: Path) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(files.seal_of(folder / runs.WEIGHTS)), np.uint8)
