"""Config.data in, Splits out: rows read, checked, labelled, split and scaled; no TensorFlow."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Arrays, Config, FixedScaling, Source, family, headers
from tftrain.data import arrays, labels, scaling
from tftrain.data.arrays import Raw
from tftrain.data.facts import facts
from tftrain.data.labels import Encoding, Labels
from tftrain.data.scaling import Scaling
from tftrain.data.scaling import from_arrays as scaling_of
from tftrain.data.split import split
from tftrain.data.splits import Form, Part, Splits, gather
from tftrain.errors import DataError, Mark, Problem, listed

__all__ = [
    "SMOKE_ROWS",
    "Encoding",
    "Form",
    "Part",
    "Scaling",
    "Splits",
    "facts",
    "load",
    "load_inputs",
    "load_part",
    "scaling_of",
]

SMOKE_ROWS = 256
_HASHED_BYTES = 256 * 1024 * 1024


def load(config: Config, source: Source) -> Splits:
    """All the rows of a job.

    Args:
        config: names the source and says how to split, label and scale it.
        source: for the place of a fault.

    Raises:
        DataError: when rows are missing, unreadable, not numbers, or not what the loss can take.
    """
    raws = _read(config, source)
    raw = raws.pop("source")
    labelled = labels.learn(_labels(raw, config), raw.names, config, source)
    rows = _split_rows(config, labelled, source)
    scale = _scaling(config, raw, labelled.rows[rows["train"]])
    parts = {name: _part(raw, labelled, chosen, scale) for name, chosen in rows.items()}
    for name, other in raws.items():
        with _named_in(source, ("data", "split", name)):
            parts[name] = _other_part(config, other, labelled.encoding, scale)
            _same_shape(parts["train"], parts[name], other)
    weights = labels.class_weights(_of(labelled, rows["train"]), config, source)
    train = parts["train"]
    weighted = train
    if weights is not None:
        weighted = _weighted(train, labelled.groups[rows["train"]], weights)
    return Splits(
        train=train,
        weighted=weighted,
        validation=parts.get("validation"),
        test=parts.get("test"),
        form=Form(train.shape, train.labels.shape[1:], labelled.encoding.classes),
        scaling=scale,
        fingerprint=_fingerprint(parts.values()),
    )


def load_part(config: Config, file: str | Arrays, encoding: Encoding, scale: Scaling) -> Part:
    """The rows of another file, labelled and scaled as the training rows were.

    Raises:
        DataError: as `load`, and for labels that the training rows don't have.
    """
    return _other_part(config, arrays.read(file, config.data), encoding, scale)


def _other_part(config: Config, raw: Raw, encoding: Encoding, scale: Scaling) -> Part:
    mark = Mark(raw.source)
    written = _labels(raw, config)
    flat = written.reshape(-1) if written.shape[1:] == (1,) else written
    if encoding.classes is None or flat.ndim > 1:
        if flat.dtype.kind in "US":
            message = f"y: expected numbers, as the training rows have, got {flat.dtype}"
            raise DataError(Problem(mark, "D006", message))
        if fault := labels.no_probability(flat, family(config.training.loss)):
            raise DataError(Problem(mark, "D006", f"y: {fault}"))
        everything = np.arange(len(flat))
        values = flat.astype(np.float32)
        return Part(raw.inputs, values, _weights(raw, everything), everything, scale)
    texts = labels.as_texts(flat, raw.names)
    labelled = labels.apply(texts, encoding)
    if config.data.classes is None and len(labelled.rows) < len(flat):
        row = int(np.setdiff1d(np.arange(len(flat)), labelled.rows)[0])
        known = listed(encoding.classes)
        message = f"y: row {row} (counted from 0) has the label `{texts[row]}`; expected {known}"
        raise DataError(Problem(mark, "D006", message))
    if not len(labelled.rows):
        raise DataError(Problem(mark, "D007", f"no row is of {listed(encoding.classes)}"))
    return _part(raw, labelled, np.arange(len(labelled.rows)), scale)


def load_inputs(config: Config, file: str, scale: Scaling) -> Part:
    """The rows of a file without regard to labels, for prediction."""
    raw = arrays.read(file, config.data, labelled=False)
    rows = np.arange(len(raw.inputs))
    return Part(raw.inputs, np.zeros(len(rows), np.float32), None, rows, scale)


def _read(config: Config, source: Source) -> dict[str, Raw]:
    """The arrays of every file that the config names, by its key."""
    split = config.data.split
    files: dict[tuple[str, ...], str | Arrays] = {("data", "source"): config.data.source}
    for name, part in (("validation", split.validation), ("test", split.test)):
        if not isinstance(part, float):
            files["data", "split", name] = part
    raws: dict[str, Raw] = {}
    problems: list[Problem] = []
    for path, file in files.items():
        try:
            with _named_in(source, path):
                raws[path[-1]] = arrays.read(file, config.data)
                _labels(raws[path[-1]], config)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return raws


@contextlib.contextmanager
def _named_in(source: Source, path: tuple[str, ...]) -> Iterator[None]:
    """Faults of a file, told at the place of the config that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(
            source.problem(path, problem.code, f"{problem.mark}: {problem.message}")
            for problem in error.problems
        ) from None


def _labels(raw: Raw, config: Config) -> NDArray[Any]:
    if raw.labels is None:
        message = headers.no_labels(raw.source, config.data)
        raise DataError(Problem(Mark(raw.source), "D003", message))
    return raw.labels


def _split_rows(config: Config, labelled: Labels, source: Source) -> dict[str, NDArray[np.int64]]:
    """For each part that is a fraction, places in the labelled rows."""
    asked = config.data.split
    fractions = {"train": asked.train, "validation": asked.validation, "test": asked.test}
    shares = {
        name: part for name, part in fractions.items() if isinstance(part, float) and part > 0
    }
    pieces = split(labelled.groups, list(shares.values()), config.seed)
    rows = dict(zip(shares, pieces, strict=True))
    problems = [
        source.problem(("data", "split", name), "D007", message)
        for name, chosen in rows.items()
        if (message := _lacking(labelled, chosen, name))
    ]
    if problems:
        raise DataError(problems)
    return rows


def _lacking(labelled: Labels, chosen: NDArray[np.int64], name: str) -> str | None:
    """What a part has none of."""
    if not len(chosen):
        return f"no rows for the {name} split: the source has {len(labelled.rows)}"
    missing = np.setdiff1d(labelled.groups, labelled.groups[chosen])
    if not len(missing):
        return None
    classes = labelled.encoding.classes or ("",)
    rows = int((labelled.groups == missing[0]).sum())
    return f"no row of class `{classes[missing[0]]}` for the {name} split: the source has {rows}"


def _scaling(config: Config, raw: Raw, rows: NDArray[np.int64]) -> Scaling:
    asked = config.data.scaling
    if asked is None:
        return Scaling()
    if isinstance(asked, FixedScaling):
        return scaling.fixed(asked.rescale.scale, asked.rescale.offset)
    return scaling.learn(asked, _row_blocks(raw, rows))


def _row_blocks(raw: Raw, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    for block in arrays.blocks(raw.inputs, rows):
        yield gather(raw.inputs, block)


def _part(raw: Raw, labelled: Labels, chosen: NDArray[np.int64], scale: Scaling) -> Part:
    rows = labelled.rows[chosen]
    return Part(raw.inputs, labelled.values[chosen], _weights(raw, rows), rows, scale)


def _weights(raw: Raw, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
    return None if raw.weights is None else raw.weights.reshape(-1)[rows].astype(np.float32)


def _weighted(part: Part, groups: NDArray[np.int64], weights: NDArray[np.float32]) -> Part:
    """Each row's weight times that of its class."""
    by_row = weights[groups]
    return replace(part, weights=by_row if part.weights is None else part.weights * by_row)


def _of(labelled: Labels, chosen: NDArray[np.int64]) -> Labels:
    return replace(labelled, values=labelled.values[chosen], groups=labelled.groups[chosen])


def _same_shape(train: Part, other: Part, raw: Raw) -> None:
    for name, ours, theirs in (
        ("x", train.shape, other.shape),
        ("y", train.labels.shape[1:], other.labels.shape[1:]),
    ):
        if ours != theirs:
            message = f"{name}: rows of shape {theirs}, but those of the training file are {ours}"
            raise DataError(Problem(Mark(raw.source), "D004", message))


def _fingerprint(parts: Collection[Part]) -> str:
    """A digest of the labels, the rows and (all, or where they are many, some of) the inputs."""
    digest = hashlib.blake2b(digest_size=16)
    step = max(1, sum(len(part) * part.row_bytes for part in parts) // _HASHED_BYTES)
    for part in parts:
        digest.update(f"{part.inputs.dtype}{part.inputs.shape}".encode())
        for array in (part.rows, part.labels, part.weights):
            if array is None:
                continue
            digest.update(np.ascontiguousarray(array).data)
        for rows in arrays.blocks(part.inputs, part.rows[::step]):
            digest.update(np.ascontiguousarray(gather(part.inputs, rows)).data)
    return digest.hexdigest()
