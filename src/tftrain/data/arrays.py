"""The name of a source in, its arrays out: scikit-learn's bundled sets, .npz and .npy files."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import lzma
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tftrain import files
from tftrain.config import DATASETS, SUFFIXES, Arrays, Data, ends_in, headers
from tftrain.config.headers import Header
from tftrain.data.raw import Raw
from tftrain.data.splits import release
from tftrain.errors import DataError, Mark, Problem, did_you_mean, listed

BLOCK_BYTES = 64 * 1024 * 1024
MAPPED_BYTES = 128 * 1024 * 1024  # files above this stay on the disk
_TOO_LARGE = 16 * 1024**3
_BOMB_BYTES, _BOMB_RATIO = 1024**3, 200  # more than that from less than that part of it
_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def read(source: str | Arrays, data: Data, *, labelled: bool = True) -> Raw:
    """The arrays of a source.

    Args:
        source: a bundled set's name, an .npz file, or .npy files.
        data: names the arrays inside an .npz file.
        labelled: whether labels and weights are wanted too.

    Raises:
        DataError: when a file can't be read or an array isn't numbers of a usable shape.
    """
    if isinstance(source, Arrays):
        raw = _npy_files(source)
    elif ends_in(source, ".npz"):
        raw = _npz(Path(source), data, labelled=labelled)
    elif ends_in(source, ".npy"):
        raw = Raw(_npy(Path(source)), None, None, None, source)
    elif source in DATASETS:
        return _digits() if source == "digits" else _bundled(source)
    else:
        raise DataError(Problem(Mark(source), "D002", "expected an .npz or .npy file"))
    _check(raw)
    return raw


def blocks(inputs: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Runs of row numbers, each of about 64 MiB as the 64-bit numbers that sums are made of."""
    numbers = int(np.prod(inputs.shape[1:], dtype=np.int64))
    step = max(1, BLOCK_BYTES // max(1, 8 * numbers))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _digits() -> Raw:
    """Scikit-learn's digits, read from its file: importing scikit-learn takes a second."""
    package = importlib.util.find_spec("sklearn")
    folder = Path(package.origin or "").parent if package else Path()
    try:
        with gzip.open(folder / "datasets" / "data" / "digits.csv.gz", "rt") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    except OSError:
        return _bundled("digits")
    names = tuple(str(digit) for digit in range(10))
    return Raw(table[:, :-1], table[:, -1].astype(np.int64), None, names, "digits")


def _bundled(name: str) -> Raw:
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(**options)
    classes = bunch.get("target_names") if name not in ("diabetes", "linnerud") else None
    names = None if classes is None else tuple(str(label) for label in classes)
    return Raw(bunch.data, bunch.target, None, names, name)


def _npy_files(source: Arrays) -> Raw:
    found: dict[str, NDArray[Any]] = {}
    problems: list[Problem] = []
    for name in ("x", "y", "sample_weight"):
        file = getattr(source, name)
        if file is None:
            continue
        try:
            found[name] = _npy(Path(file))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    # labels and weights are small, and wanted in memory
    labels, weights = (
        np.array(found[name]) if name in found else None for name in ("y", "sample_weight")
    )
    return Raw(found["x"], labels, weights, None, source.x)


def _npy(path: Path) -> NDArray[Any]:
    with _told(path):
        size = _size(path)
        with path.open("rb") as file:
            _check_header(file, size)
            file.seek(0)
            if size <= MAPPED_BYTES:
                return npy.read_array(file, allow_pickle=False)
        return npy.open_memmap(path, mode="r")


def _size(path: Path) -> int:
    """The bytes of what is a file: a pipe would be waited for, and a device may have no end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ValueError("expected a file, got a pipe or a device")
    return status.st_size


def _npz(path: Path, data: Data, *, labelled: bool) -> Raw:
    labels = weights = None
    with _told(path), _archive(path) as archive:
        inputs = _member(archive, data.x, path)
        if labelled and _holds(archive, data.y):
            labels = _member(archive, data.y, path)
        if labelled and data.sample_weight is not None:
            weights = _member(archive, data.sample_weight, path)
    return Raw(inputs, labels, weights, None, str(path))


def _archive(path: Path) -> zipfile.ZipFile:
    _size(path)
    return zipfile.ZipFile(path)


def _holds(archive: zipfile.ZipFile, name: str) -> bool:
    return f"{name}.npy" in archive.namelist()


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    if not _holds(archive, name):
        members = [member.removesuffix(".npy") for member in archive.namelist()]
        near = did_you_mean(name, members) or f"; it holds {listed(members) or 'none'}"
        raise DataError(Problem(Mark(str(path)), "D003", f"no array called `{name}`{near}"))
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > min(_TOO_LARGE, files.machine_memory() or _TOO_LARGE):
        raise ValueError(f"`{name}` takes {member.file_size:,} bytes of memory: use an .npy file")
    if member.file_size > _BOMB_BYTES and member.file_size > _BOMB_RATIO * member.compress_size:
        raise ValueError(f"`{name}` unpacks to {member.file_size:,} bytes: is it a zip bomb?")
    with archive.open(member.filename) as file:
        _check_header(file, member.file_size)
    with archive.open(member.filename) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


def _check_header(file: IO[bytes], size: int) -> None:
    """Compares what an array's header promises with what is there, before memory is taken."""
    start = file.read(len(npy.MAGIC_PREFIX) + 2)
    if not start.startswith(npy.MAGIC_PREFIX):
        raise ValueError("not an array as NumPy saves it" if start else "it is empty")
    version = npy.read_magic(io.BytesIO(start))
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = reader(file)
    promised = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError(headers.HOLDS_OBJECTS)
    there = size - file.tell()
    if promised > there:
        raise ValueError(f"an array promises {promised:,} bytes, of at most {there:,} there")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Whatever a file can make its readers raise, as one line that names it."""
    try:
        yield
    except _FAULTS as error:
        raise DataError(_unreadable(path, error)) from None


def _unreadable(path: Path, error: Exception) -> Problem:
    if isinstance(error, FileNotFoundError):
        near = files.beside(path, SUFFIXES)
        return Problem(Mark(str(path)), "D001", f"no such file{near}")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    reason = reason or type(error).__name__
    if files.is_folder(path):  # which Windows calls a lack of permission
        reason = "it is a folder"
    return Problem(Mark(str(path)), "D002", f"can't be read: {reason}")


def _check(raw: Raw) -> None:
    """Shapes that fit each other, dtypes that are numbers, no NaN and no infinity."""
    weights = raw.weights
    if weights is not None and weights.shape[1:] == (1,):
        weights = weights[:, 0]
    named = (("x", raw.inputs), ("y", raw.labels), ("sample_weight", weights))
    problems = [
        Problem(Mark(raw.source), code, f"{name}: {message}")
        for name, array in named
        if array is not None
        for code, message in _faults(name, array, raw.inputs)
    ]
    if problems:
        raise DataError(problems)


def _faults(name: str, array: NDArray[Any], inputs: NDArray[Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with one array, as a code and a message."""
    header = Header(array.shape, str(array.dtype), array.dtype.kind)
    if fault := headers.fault(name, header, inputs.shape):
        yield fault
    elif array.dtype.kind == "f":
        yield from _not_finite(array)
    if name == "sample_weight" and array.dtype.kind in "if":
        if (array < 0).any():
            row = int(np.argwhere(array < 0)[0][0])
            yield "D006", f"row {row} (counted from 0) is negative"
        elif not array.any():
            yield "D006", "every row weighs 0: nothing is learnt"


def _not_finite(array: NDArray[Any]) -> Iterator[tuple[str, str]]:
    """The first place that holds no number, rows and columns counted from 0."""
    for rows in blocks(array, np.arange(len(array))):
        block = array[rows[0] : rows[-1] + 1]
        with np.errstate(over="ignore"):
            finite = np.isfinite(block.astype(np.float32, copy=False))
        if not finite.all():  # ten times quicker than to look for places at once
            bad = np.argwhere(~finite)
            place = (bad[0][0] + rows[0], *bad[0][1:])
            row = f"row {place[0]}"
            if len(place) > 1:
                row += f", column {', '.join(str(part) for part in place[1:])}"
            value = block[tuple(bad[0])]
            large = ", too large for 32 bits" if np.isfinite(value) else ""
            yield "D005", f"{row} (counted from 0) is {value}{large}; leave out or fill such rows"
            return
        release(array)
