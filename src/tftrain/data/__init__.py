"""Config.data in, Splits out: rows read, checked, labelled, split and scaled; no TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Arrays, Config, Data, Source, family, kind_of
from tftrain.data import arrays, cache, dealing, labels, learning, sources, table
from tftrain.data.cache import table_bytes
from tftrain.data.facts import facts
from tftrain.data.fresh import Fresh, Note, examine
from tftrain.data.labels import Encoding, Labels
from tftrain.data.preparation import Preparation
from tftrain.data.preparation import from_arrays as preparation_of
from tftrain.data.raw import Raw
from tftrain.data.splits import Form, Part, Splits, gather
from tftrain.data.table.refusals import guarded
from tftrain.errors import DataError, Mark, Problem, listed

__all__ = [
    "SMOKE_ROWS",
    "Encoding",
    "Form",
    "Fresh",
    "Look",
    "Note",
    "Part",
    "Preparation",
    "Splits",
    "facts",
    "folds",
    "load",
    "load_part",
    "preparation_of",
    "prepares",
    "table_bytes",
    "unlabelled",
]

SMOKE_ROWS = 256
_HASHED_BYTES = 256 * 1024 * 1024


Look = Callable[[Mapping[str, Raw], Splits], None]


def load(config: Config, source: Source, look: Look | None = None) -> Splits:
    """All the rows of a job.

    Args:
        config: names the source and says how to split, label and prepare it.
        source: for the place of a fault.
        look: gets to see the rows of each file as they came, by its key, and all their parts.

    Raises:
        DataError: when rows are missing, unreadable, not numbers, or not what the loss can take.
        StorageError: when there is no room for a large table's prepared rows.
    """
    wanted = cache.key(config)
    if look is None and (kept := cache.find(wanted)) is not None:
        return kept
    with cache.Room(wanted) as room, _opened(config, source) as raws:
        splits = _joined(config, source, raws, room)
        if look is not None:
            look(raws, splits)
        return room.keep(splits, str(config.data.source))


def folds(config: Config, source: Source) -> list[Splits]:
    """The rows of a job, split anew for each fold: in one of them each is a test row.

    Args:
        config: as of `load`; `training.folds` is given.
        source: for the place of a fault.

    Raises:
        DataError, StorageError: as `load`; also where a fold lacks a class.
    """
    with _opened(config, source) as every:
        raws = {name: raw for name, raw in every.items() if name != "test"}  # not of the folds
        found = []
        for fold in range(config.training.folds or 0):
            with cache.Room() as room:
                found.append(_joined(config, source, raws, room, fold))
        return found


@contextmanager
def _opened(config: Config, source: Source) -> Iterator[dict[str, Raw]]:
    """All files of a job, by their key."""
    raws = sources.every(config, source)
    try:
        with guarded(str(config.data.source)):
            yield raws
    finally:
        for raw in raws.values():
            if raw.table is not None:
                raw.table.close()


def _joined(
    config: Config,
    source: Source,
    files: Mapping[str, Raw],
    room: cache.Room,
    fold: int | None = None,
) -> Splits:
    """The rows of all files, split and prepared."""
    raws = dict(files)
    raw = raws.pop("source")
    labelled = labels.learn(sources.labels_of(raw, config), raw.names, config, source)
    rows = dealing.parts(config, raw, labelled, raws, fold)
    dealing.require(raw, labelled, rows, source, fold)
    preparation = learning.learn(config, raw, labelled, rows["train"], source)
    raw = learning.prepared(raw, preparation, room)
    labelled = learning.scaled(labelled, preparation)
    parts = {name: _part(raw, labelled, chosen, preparation) for name, chosen in rows.items()}
    for name, other in raws.items():
        with sources.named_in(source, ("data", "split", name)):
            parts[name] = _other_part(config, other, labelled.encoding, preparation, room)
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
        form=Form(
            train.shape, train.labels.shape[1:], labelled.encoding.classes, preparation.target
        ),
        preparation=preparation,
        fingerprint=_fingerprint(parts.values()),
        notes=tuple(note for one in (raw, *raws.values()) for note in one.told()),
    )


def load_part(
    config: Config, file: str | Arrays, encoding: Encoding, preparation: Preparation
) -> Part:
    """The rows of another file, labelled and prepared as the training rows were.

    Raises:
        DataError: as `load`, and for labels that the training rows don't have.
    """
    named = (config.data.target, config.data.sample_weight)
    raw = _other(config, file, preparation, also=[name for name in named if name is not None])
    with cache.Room() as room:
        part = _other_part(config, raw, encoding, preparation, room)
    return replace(part, notes=raw.told())


def prepares(data: Data, preparation: Preparation) -> bool:
    """Whether a preparation is of the kind that rows of such data go through."""
    kind = "arrays" if isinstance(data.source, Arrays) else kind_of(data.source)
    listed_images = any(column.kind == "image" for column in data.columns.values())
    columns = kind == "table" and data.series is None and not listed_images
    pixels = kind == "images" or listed_images
    got = preparation.columns is not None, preparation.pixels is not None
    return got == (columns, pixels)


def unlabelled(
    config: Config, file: str, preparation: Preparation, keep: Sequence[str] = ()
) -> Fresh:
    """The rows of another file without regard to labels, for prediction.

    Args:
        config: of the run.
        file: of the same kind as the source.
        preparation: what its rows go through.
        keep: columns that are copied beside the predictions.

    Raises:
        DataError: as `load`, and for columns that aren't there.
    """
    raw = _other(config, file, preparation, keep=keep, labelled=False)
    if keep and raw.table is None:
        raise DataError(Problem(Mark(file), "D003", _unkept(config, keep[0])))
    return examine(raw, preparation, config.data, keep)


def _unkept(config: Config, name: str) -> str:
    """Why no column can be copied beside the predictions."""
    if config.data.series is not None:
        return f"`{name}` can't be kept of a series: a prediction is of a window, not of a row"
    if kind_of(config.data.source) == "table":
        return f"`{name}` can't be kept of a table of images: predictions name the files"
    return f"no columns: `{name}` can only be kept of a table"


def _other(
    config: Config,
    file: str | Arrays,
    preparation: Preparation,
    *,
    also: Sequence[str] = (),
    keep: Sequence[str] = (),
    labelled: bool = True,
) -> Raw:
    """Another source than the one that was learnt from; it isn't split."""
    _same_kind(config, file)
    types = wanted = None
    if preparation.columns is not None:
        types = preparation.columns.types
        wanted = table.Wanted([*preparation.columns.names(), *also], keep)
    return sources.other(
        file,
        config.data,
        types=types,
        wanted=wanted,
        pixels=preparation.pixels,
        labelled=labelled,
    )


def _same_kind(config: Config, file: str | Arrays) -> None:
    """Sees that rows of a table aren't taken for rows of arrays, which may be as many numbers."""
    source = config.data.source
    trained, given = (
        "arrays" if kind_of(one) == "bundled" else kind_of(one) for one in (source, file)
    )
    pictures = any(column.kind == "image" for column in config.data.columns.values())
    if given != trained and not (given == "images" and pictures):
        words = {
            "table": "a table",
            "arrays": "an .npz or .npy file",
            "images": "a folder of images",
        }
        got = "a folder" if given == "images" else words[given]
        message = f"expected {words[trained]}, as this network was trained on, got {got}"
        raise DataError(Problem(Mark(file if isinstance(file, str) else file.x), "D004", message))


def _other_part(
    config: Config, raw: Raw, encoding: Encoding, preparation: Preparation, room: cache.Room
) -> Part:
    mark = Mark(raw.source)
    written = sources.labels_of(raw, config)
    flat = written.reshape(-1) if written.shape[1:] == (1,) else written
    raw = learning.prepared(raw, preparation, room)
    if encoding.classes is None or flat.ndim > 1:
        if flat.dtype.kind in "US" or raw.names is not None:
            message = "y: expected numbers, as the training rows have, got texts"
            raise DataError(Problem(mark, "D006", message))
        if fault := labels.no_probability(flat, family(config.training.loss)):
            raise DataError(Problem(mark, "D006", f"y: {fault}"))
        everything = np.arange(len(flat))
        numbers = labels.Labels(flat.astype(np.float32), everything, everything, encoding)
        return _part(raw, learning.scaled(numbers, preparation), everything, preparation)
    _require_known(raw, config, encoding.classes)
    texts = labels.as_texts(flat, raw.names)
    labelled = labels.apply(texts, encoding)
    if config.data.classes is None and len(labelled.rows) < len(flat):
        row = int(np.setdiff1d(np.arange(len(flat)), labelled.rows)[0])
        known = listed(encoding.classes)
        message = f"y: row {row} (counted from 0) has the label `{texts[row]}`; expected {known}"
        raise DataError(Problem(mark, "D006", message))
    if not len(labelled.rows):
        raise DataError(Problem(mark, "D007", f"no row is of {listed(encoding.classes)}"))
    return _part(raw, labelled, np.arange(len(labelled.rows)), preparation)


def _require_known(raw: Raw, config: Config, classes: Sequence[str]) -> None:
    """Sees that no folder of images is of a class that training doesn't know."""
    if raw.pixels is None or raw.names is None or config.data.classes is not None:
        return
    problems = [
        Problem(
            Mark(str(Path(raw.source, name))),
            "D006",
            f"a folder of no class of the training rows: expected {listed(classes)}",
        )
        for name in raw.names
        if name not in classes
    ]
    if raw.table is None and problems:
        raise DataError(problems)


def _part(raw: Raw, labelled: Labels, chosen: NDArray[np.int64], preparation: Preparation) -> Part:
    rows = labelled.rows[chosen]
    weights = _weights(raw, rows)
    values = labelled.values[chosen]
    return Part(raw.inputs, values, weights, rows, preparation.scaling, raw.numbers)


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
