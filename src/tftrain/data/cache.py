"""Prepared rows in, an entry of the user's cache out; and from it, another time, the same rows.

Small matrices stay in memory and leave nothing behind. A large one is written to the disk as it is
made, and read from there; what else was learnt and counted is laid beside it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tftrain import __version__, files, store
from tftrain.config import Config, kind_of
from tftrain.data import preparation, sources
from tftrain.data.splits import Form, Part, Splits, release
from tftrain.errors import Mark, Problem, StorageError

MEMORY_BYTES = 64 * 1024 * 1024  # matrices above this are files
_FORMAT = 1
_PIECE = 32 * 1024 * 1024  # of a file, hashed by one thread
_SAMPLES, _SAMPLE = 256, 4096  # what is compared of a matrix before it is used
_PARTS = ("train", "weighted", "validation", "test")
_ARRAYS = ("inputs", "labels", "weights", "rows", "numbers")
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FAULTS = (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, EOFError)


@dataclass(frozen=True)
class Key:
    """What prepared rows depend on.

    Args:
        settings: digest of the config's part in them, of the programs', and of the files' sizes.
        paths: the files, in the order they are read in.
        stamps: sizes and times of the files when the key was made.
    """

    settings: str
    paths: tuple[Path, ...]
    stamps: tuple[tuple[int, int], ...]

    def content(self) -> str | None:
        """A digest of what is in the files; None where they changed since the key was made."""
        try:
            with ThreadPoolExecutor(2) as threads:
                pieces = list(threads.map(_piece, *zip(*self._pieces(), strict=True)))
            changed = _stamps(self.paths) != self.stamps
        except OSError:
            return None
        return None if changed else hashlib.sha256(b"".join(pieces)).hexdigest()[:32]

    def _pieces(self) -> Iterator[tuple[Path, int]]:
        for path, (size, _) in zip(self.paths, self.stamps, strict=True):
            yield from ((path, start) for start in range(0, max(1, size), _PIECE))


def key(config: Config) -> Key | None:
    """The key of a config's rows; None where they don't come from tables alone."""
    matched = _tables(config)
    if matched is None:
        return None
    paths = tuple(Path(path) for one in matched.values() for path in one)
    try:
        stamps = _stamps(paths)
    except OSError:
        return None
    section = config.data.model_dump(mode="json", exclude={"source"})
    for name in matched:
        section["split"].pop(name, None)  # where a file lies doesn't matter
    settings = {
        "format": _FORMAT,
        "programs": [__version__, _reader(), version("duckdb"), version("numpy")],
        "data": section,
        "files": {name: [Path(path).suffixes for path in one] for name, one in matched.items()},
        "sizes": [size for size, _ in stamps],
        "loss": repr(config.training.loss),
        "class_weight": repr(config.training.class_weight),
        "seed": config.seed,
        "folds": config.training.folds is not None,
    }
    written = json.dumps(settings, sort_keys=True).encode()
    return Key(hashlib.sha256(written).hexdigest()[:16], paths, stamps)


def table_bytes(config: Config) -> int:
    """How large the files are that a config's rows come from, where they are tables."""
    matched = _tables(config) or {}
    try:
        return sum(size for one in matched.values() for size, _ in _stamps(map(Path, one)))
    except OSError:
        return 0


def _tables(config: Config) -> dict[str, list[str]] | None:
    """The files of a config's rows, by their key; None where they aren't tables alone."""
    named = sources.files(config.data)
    patterns = {name: one for name, one in named.items() if isinstance(one, str)}
    if len(patterns) < len(named) or any(kind_of(one) != "table" for one in patterns.values()):
        return None
    if any(column.kind == "image" for column in config.data.columns.values()):
        return None
    return {name: files.matching(one) for name, one in patterns.items()}


def find(wanted: Key | None) -> Splits | None:
    """The rows that an earlier run has kept; an entry that is damaged is removed.

    The files' content is looked at only where an entry of the same settings and sizes exists.
    """
    if wanted is None or not any(store.folder().glob(f"{wanted.settings}-*/{store.MANIFEST}")):
        return None
    content = wanted.content()
    entry = store.folder() / f"{wanted.settings}-{content}"
    if content is None or not (entry / store.MANIFEST).exists():
        return None
    try:
        splits = _read(entry)
    except _FAULTS:
        store.remove(entry)
        return None
    store.touch(entry)
    return splits


@dataclass
class Room:
    """Where the matrices of a job are put; what isn't kept is removed when the room is left.

    Args:
        wanted: the key of the job's rows, None where they are not to be kept.
    """

    wanted: Key | None = None
    _content: Future[str | None] | None = None
    _folder: Path | None = None
    _count: int = 0
    _notes: list[Problem] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            store.remove(self._folder)  # on most systems a mapped file lives on without its name

    def matrix(
        self, rows: int, width: int, blocks: Iterator[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Blocks of rows as one matrix, (rows, width), in memory or on the disk.

        Raises:
            StorageError: when the disk is full.
        """
        size = 4 * rows * width
        if size <= MEMORY_BYTES:
            matrix = np.empty((rows, width), np.float32)
            start = 0
            for block in blocks:
                matrix[start : start + len(block)] = block
                start += len(block)
            return matrix
        folder = self._place(size)
        files.require_space(folder, size)
        try:
            return self._mapped(folder, (rows, width), blocks)
        except OSError as error:
            raise StorageError(files.cannot("written", folder, error)) from None

    def keep(self, splits: Splits, source: str) -> Splits:
        """Makes an entry of rows some of which are on the disk.

        Returns:
            The rows, with a note where they couldn't be kept.

        Raises:
            StorageError: when the disk is full.
        """
        if self._folder is not None and self.wanted is not None and not self._notes:
            try:
                self._finish(self._folder, splits, self.wanted, source)
            except OSError as error:
                problem = files.cannot("written", store.folder(), error)
                if error.errno in _FULL:
                    raise StorageError(problem) from None
                self._notes.append(_not_kept(problem))
        return replace(splits, notes=(*splits.notes, *self._notes)) if self._notes else splits

    def _finish(self, folder: Path, splits: Splits, wanted: Key, source: str) -> None:
        _write(folder, splits, source)
        content = self._content.result() if self._content else None
        if content is not None:
            store.finish(folder, f"{wanted.settings}-{content}")
            self._folder = None

    def _place(self, size: int) -> Path:
        if self._folder is None:
            try:
                self._folder = store.begin(size)
            except OSError as error:
                problem = files.cannot("written", store.folder(), error)
                if error.errno in _FULL:
                    raise StorageError(problem) from None
                self._notes.append(_not_kept(problem))
                self._folder = Path(tempfile.mkdtemp(prefix="tftrain-"))
            if self.wanted is not None and not self._notes:
                thread = ThreadPoolExecutor(1)
                self._content = thread.submit(self.wanted.content)  # while the matrix is made
                thread.shutdown(wait=False)
        return self._folder

    def _mapped(
        self, folder: Path, shape: tuple[int, int], blocks: Iterator[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Not synced: after a crash of the system, sizes and samples tell what isn't whole."""
        path = folder / f"matrix-{self._count}.npy"
        self._count += 1
        with path.open("wb+") as file:
            npy.write_array_header_1_0(
                file, {"descr": "<f4", "fortran_order": False, "shape": shape}
            )
            start = file.tell()
            for block in blocks:
                file.write(block.data)
            file.flush()
            return np.memmap(file, np.dtype("<f4"), "r", start, shape)


def _not_kept(problem: Problem) -> Problem:
    message = f"{problem.message}; the prepared rows are in a temporary file, for this run only"
    return Problem(problem.mark, problem.code, message, "warning")


def _write(folder: Path, splits: Splits, source: str) -> None:
    """Lays everything beside the matrices: each array once, whoever has it."""
    arrays: dict[str, dict[str, Any]] = {}
    seen: dict[int, str] = {}

    def kept(array: NDArray[Any] | None) -> str | None:
        if array is None:
            return None
        if id(array) not in seen:
            name = seen[id(array)] = _name_of(array, folder) or f"array-{len(seen)}.npy"
            arrays[name] = _described(folder / name, array)
        return seen[id(array)]

    parts = {
        name: {key: kept(getattr(part, key)) for key in _ARRAYS}
        for name in _PARTS
        if (part := getattr(splits, name)) is not None
    }
    learnt = {name: kept(array) for name, array in splits.preparation.arrays().items()}
    manifest = {
        "source": source,
        "rows": sum(len(part) for part in splits.parts().values()),
        "parts": parts,
        "preparation": learnt,
        "classes": splits.form.classes,
        "fingerprint": splits.fingerprint,
        "notes": [asdict(note) for note in splits.notes],
        "arrays": arrays,
    }
    content = json.dumps(manifest).encode()
    (folder / store.MANIFEST).write_bytes(_sum(content) + b"\n" + content)


def _name_of(array: NDArray[Any], folder: Path) -> str | None:
    """The name of the matrix that lies in the folder already."""
    path = Path(str(getattr(array, "filename", "")))
    own = isinstance(array, np.memmap) and path.parent.resolve() == folder.resolve()
    return path.name if own else None


def _described(path: Path, array: NDArray[Any]) -> dict[str, Any]:
    if path.exists():
        return {"size": path.stat().st_size, "samples": _samples(path)}
    np.save(path, array, allow_pickle=False)
    return {"digest": _digest(array)}


def _read(entry: Path) -> Splits:
    """The rows of an entry.

    Raises:
        OSError, ValueError, KeyError, TypeError, IndexError: when it is not whole.
    """
    sum_, _, content = (entry / store.MANIFEST).read_bytes().partition(b"\n")
    if sum_ != _sum(content):
        raise ValueError("the manifest is damaged")
    manifest: dict[str, Any] = json.loads(content)
    arrays = {name: _array(entry / name, said) for name, said in manifest["arrays"].items()}
    learnt = preparation.from_arrays(
        {name: arrays[file] for name, file in manifest["preparation"].items()}
    )
    parts = {}
    for name, part in manifest["parts"].items():
        of_part: dict[str, Any] = {key: file and arrays[file] for key, file in part.items()}
        parts[name] = Part(**of_part, scaling=learnt.scaling)
    train, classes = parts["train"], manifest["classes"]
    known = None if classes is None else tuple(classes)
    return Splits(
        train=train,
        weighted=parts["weighted"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        form=Form(train.shape, train.labels.shape[1:], known, learnt.target),
        preparation=learnt,
        fingerprint=manifest["fingerprint"],
        notes=tuple(_note(plain) for plain in manifest["notes"]),
    )


def _note(plain: Mapping[str, Any]) -> Problem:
    return Problem(**{**plain, "mark": Mark(**plain["mark"])})


def _array(path: Path, said: Mapping[str, Any]) -> NDArray[Any]:
    if "samples" in said:
        if path.stat().st_size != said["size"] or _samples(path) != said["samples"]:
            raise ValueError("the matrix is damaged")
        mapped = npy.open_memmap(path, mode="r")
        release(mapped)
        return mapped
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    if _digest(array) != said["digest"]:
        raise ValueError("an array is damaged")
    return array


def _samples(path: Path) -> str:
    """A digest of the header and of some places of a large file: all of it would take too long."""
    digest = hashlib.sha256()
    last = max(0, path.stat().st_size - _SAMPLE)
    with path.open("rb") as file:
        for place in range(_SAMPLES):
            file.seek(last * place // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _digest(array: NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _sum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _stamps(paths: Iterable[Path]) -> tuple[tuple[int, int], ...]:
    return tuple((told.st_size, told.st_mtime_ns) for told in (path.stat() for path in paths))


def _piece(path: Path, start: int) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        left = _PIECE
        while left and (read := file.read(min(left, 1024 * 1024))):
            digest.update(read)
            left -= len(read)
    return digest.digest()


def _reader() -> str:
    """Tells one way of preparing from another: what other code has made is of no use."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
    return hashlib.sha256(code).hexdigest()[:16]
