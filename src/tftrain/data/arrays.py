"""The name of a source in, its arrays out: scikit-learn's bundled sets, .npz and .npy files."""

from __future__ import annotations

import gzip
import importlib.util
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tftrain.config import Arrays, Data
from tftrain.errors import DataError, Mark, Problem, did_you_mean

BLOCK_BYTES = 64 * 1024 * 1024
MAPPED_BYTES = 512 * 1024 * 1024  # files above this stay on the disk
_TOO_LARGE = 16 * 1024**3


@dataclass(frozen=True)
class Raw:
    """A source's arrays, as they came.

    Args:
        inputs: (rows, ...), any real dtype, perhaps memory-mapped.
        labels: (rows,) or (rows, k), numbers or texts; None where there are none.
        weights: (rows,) or None.
        names: the classes' names by label, for sets that come with them.
        source: what to call it in messages.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any] | None
    weights: NDArray[Any] | None
    names: tuple[str, ...] | None
    source: str


def read(source: str | Arrays, data: Data) -> Raw:
    """The arrays of a source.

    Args:
        source: a bundled set's name, an .npz file, or .npy files.
        data: names the arrays inside an .npz file.

    Raises:
        DataError: when a file can't be read or an array isn't numbers of a usable shape.
    """
    if isinstance(source, Arrays):
        raw = _npy_files(source)
    elif source.endswith(".npz"):
        raw = _npz(Path(source), data)
    elif source.endswith(".npy"):
        raw = Raw(_npy(Path(source)), None, None, None, source)
    else:
        return _digits() if source == "digits" else _bundled(source)
    _check(raw)
    return raw


def blocks(inputs: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Runs of row numbers, each of about 64 MiB of the array."""
    row_bytes = max(1, inputs.dtype.itemsize * int(np.prod(inputs.shape[1:], dtype=np.int64)))
    step = max(1, BLOCK_BYTES // row_bytes)
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


def _npy_files(files: Arrays) -> Raw:
    labels = None if files.y is None else np.array(_npy(Path(files.y)))
    weights = None if files.sample_weight is None else np.array(_npy(Path(files.sample_weight)))
    return Raw(_npy(Path(files.x)), labels, weights, None, files.x)


def _npy(path: Path) -> NDArray[Any]:
    try:
        mapped = path.stat().st_size > MAPPED_BYTES
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(_unreadable(path, error)) from None
    if not isinstance(array, np.ndarray):
        raise DataError(_unreadable(path, ValueError("not a .npy file")))
    return array


def _npz(path: Path, data: Data) -> Raw:
    try:
        with zipfile.ZipFile(path) as archive:
            inputs = _member(archive, data.x, path)
            labels = _member(archive, data.y, path) if _holds(archive, data.y) else None
            weights = None
            if data.sample_weight is not None:
                weights = _member(archive, data.sample_weight, path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(_unreadable(path, error)) from None
    return Raw(inputs, labels, weights, None, str(path))


def _holds(archive: zipfile.ZipFile, name: str) -> bool:
    return f"{name}.npy" in archive.namelist()


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    if not _holds(archive, name):
        members = [member.removesuffix(".npy") for member in archive.namelist()]
        near = did_you_mean(name, members) or f"; it holds {', '.join(members) or 'none'}"
        raise DataError(Problem(Mark(str(path)), "D003", f"no array called `{name}`{near}"))
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        _refuse_bomb(file, member.file_size, name)
    with archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


def _refuse_bomb(file: IO[bytes], size: int, name: str) -> None:
    """Reads an array's header and compares what it promises with what is there."""
    version = npy.read_magic(file)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = reader(file)
    promised = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError(f"`{name}` holds Python objects, not numbers")
    if promised > size or promised > _TOO_LARGE:
        raise ValueError(f"`{name}` promises {promised:,} bytes and holds {size:,}")


def _unreadable(path: Path, error: Exception) -> Problem:
    if isinstance(error, FileNotFoundError):
        near = did_you_mean(path.name, [other.name for other in path.parent.glob("*.np[yz]")])
        return Problem(Mark(str(path)), "D001", f"no such file{near}")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    reason = "it holds Python objects, not numbers" if "pickle" in str(error) else reason
    return Problem(Mark(str(path)), "D002", f"can't be read: {reason}")


def _check(raw: Raw) -> None:
    """Shapes that fit each other, dtypes that are numbers, no NaN and no infinity."""
    problems = []
    mark = Mark(raw.source)
    if raw.inputs.ndim < 2:  # noqa: PLR2004 - rows of something
        shape = raw.inputs.shape
        problems.append(Problem(mark, "D004", f"x: expected (rows, columns, ...), got {shape}"))
    for name, array in (("x", raw.inputs), ("y", raw.labels), ("sample_weight", raw.weights)):
        if array is None:
            continue
        if array.dtype.kind not in "biuf" + ("US" if name == "y" else ""):
            message = f"{name}: expected numbers, got {array.dtype}"
            problems.append(Problem(mark, "D004", message))
        elif array.ndim == 0 or len(array) != len(raw.inputs):
            rows = len(array) if array.ndim else "no"
            message = f"{name}: {rows} rows, but x has {len(raw.inputs)}"
            problems.append(Problem(mark, "D004", message))
        elif array.dtype.kind == "f":
            problems += _not_finite(mark, name, array)
    if raw.labels is not None and raw.labels.ndim > 2:  # noqa: PLR2004 - (rows, k) at most
        message = f"y: expected (rows,) or (rows, k), got {raw.labels.shape}"
        problems.append(Problem(mark, "D004", message))
    if not len(raw.inputs):
        problems.append(Problem(mark, "D007", "x: no rows"))
    if problems:
        raise DataError(problems)


def _not_finite(mark: Mark, name: str, array: NDArray[Any]) -> Iterator[Problem]:
    """The first place that holds no number, rows and columns counted from 0."""
    for rows in blocks(array, np.arange(len(array))):
        block = array[rows[0] : rows[-1] + 1]
        bad = np.argwhere(~np.isfinite(block))
        if len(bad):
            place = (bad[0][0] + rows[0], *bad[0][1:])
            row = f"row {place[0]}"
            if len(place) > 1:
                row += f", column {', '.join(str(part) for part in place[1:])}"
            value = block[tuple(bad[0])]
            message = f"{name}: {row} (counted from 0) is {value}; leave out or fill such rows"
            yield Problem(mark, "D005", message)
            return
