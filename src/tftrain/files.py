"""Bytes in, a file that is whole or absent out; arrays in one archive that knows its checksum."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import os
import secrets
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tftrain.errors import Mark, Problem, RunError, StorageError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEMPORARY = ".tmp-"
_SPARE_BYTES = 1024 * 1024
_NO_COMMENT = b"\0\0"
_PREFIX = b"sha256="
_COMMENT_BYTES = len(_PREFIX) + 64
# what an archive that was made to deceive can raise, its checksum right
_FAULTS = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def cache_folder() -> Path:
    """The user's cache folder of tftrain, or the one that `TFTRAIN_CACHE_DIR` names."""
    import platformdirs

    named = os.environ.get("TFTRAIN_CACHE_DIR")
    return Path(named or platformdirs.user_cache_dir("tftrain", appauthor=False)).absolute()


def write(path: Path, content: bytes) -> None:
    """Puts a file in place at once: temporary name, sync, rename, sync of the folder.

    Raises:
        StorageError: when the storage refuses; nothing is left behind and what stood there stays.
    """
    fill(path, lambda temporary: temporary.write_bytes(content))


def fill(path: Path, make: Callable[[Path], object]) -> None:
    """As `write`, for content that some other code writes to a path it is given."""
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}{path.suffix}")
    try:
        make(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(cannot("written", path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def leftovers(folder: Path) -> Iterator[Path]:
    """What writers that were killed have left in a folder; or a writer is still at it."""
    return folder.glob(f"{_TEMPORARY}*")


def sweep(folder: Path) -> None:
    """Removes the leftovers in a folder where nobody else writes."""
    for path in leftovers(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def is_folder(path: Path) -> bool:
    """Whether a folder stands there; False for a name that is too long or may not be looked at."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for such


def matching(name: str) -> list[str]:
    """The files that a path names, in order: itself, or what fits a pattern with `*` or `?`."""
    if os.path.lexists(name):
        return [name]
    return sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - of an absolute path, a text


def require_kind(path: Path, suffixes: Collection[str]) -> None:
    """Sees that a file's name has one of some endings.

    Raises:
        RunError: when it hasn't.
    """
    if not path.name.lower().endswith(tuple(suffixes)):
        message = f"expected a {' or '.join(suffixes)} file"
        raise RunError(Problem(Mark(str(path)), "R003", message))


def require_writable(path: Path, suffixes: Collection[str]) -> None:
    """Sees that a file can be put where the user asks for it.

    Raises:
        RunError: when its kind is none of the suffixes', or its folder can't be written.
    """
    require_kind(path, suffixes)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            if is_folder(path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise RunError(cannot("written", path, error)) from None


def require_space(folder: Path, size: int) -> None:
    """Sees that so many bytes and a little more are free: HDF5 crashes on a full disk.

    Raises:
        StorageError: when they aren't.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError(cannot("written", folder, error)) from None
    if free < size + _SPARE_BYTES:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise StorageError(cannot("written", folder, full))


def read(path: Path) -> bytes:
    """A run's file, whole.

    Raises:
        RunError: when it isn't there or can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(cannot("read", path, error)) from None


def beside(
    path: Path, suffixes: Collection[str], others: Collection[str] = (), *, folders: bool = False
) -> str:
    """`; did you mean `X`?` with the file whose name is nearest to that of a missing one.

    Args:
        path: that is missing.
        suffixes: of the files that would do.
        others: names of no files that would do as well.
        folders: whether a folder would do.
    """
    names = {other: other for other in others}
    ending = "".join(path.suffixes).lower()
    for other in sorted(path.parent.glob("*"), key=lambda one: one.name.lower().endswith(ending)):
        if other.name.lower().endswith(tuple(suffixes)) and other.is_file():
            names[_stem(other, suffixes)] = other.name
        elif folders and is_folder(other):
            names[other.name] = other.name
    near = nearest(_stem(path, suffixes), names)
    return "" if near is None else f"; did you mean `{names[near]}`?"


def _stem(path: Path, suffixes: Collection[str]) -> str:
    """A file's name without its ending, which may be of two parts as `.csv.gz`."""
    endings = [suffix for suffix in suffixes if path.name.lower().endswith(suffix)]
    return path.name[: -max(map(len, endings))] if endings else path.stem


def cannot(verb: str, path: Path, error: OSError) -> Problem:
    """What the storage refuses: `can't be written: No space left on device`."""
    return Problem(Mark(str(path)), "R003", f"can't be {verb}: {error.strerror or error}")


def _sync_folder(folder: Path) -> None:
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Arrays by name as an .npz file whose zip comment is the SHA-256 of the rest of it."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **dict[str, Any](arrays))
    content = buffer.getvalue()
    write(path, content[: -len(_NO_COMMENT)] + _seal(content))


def _seal(content: bytes) -> bytes:
    """The end of the archive instead of its empty comment: the comment's length, and the sum."""
    sum_ = _PREFIX + hashlib.sha256(content).hexdigest().encode()
    return _COMMENT_BYTES.to_bytes(2, "little") + sum_


def read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that `write_arrays` wrote.

    Raises:
        RunError: when the file can't be read or any byte of it has changed.
    """
    import numpy as np

    content = read(path)
    body, sealed = content[: -len(_NO_COMMENT) - _COMMENT_BYTES], content[-_COMMENT_BYTES - 2 :]
    if sealed != _seal(body + _NO_COMMENT):
        raise RunError(Problem(Mark(str(path)), "R002", "damaged: its checksum doesn't match"))
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except _FAULTS as error:
        raise RunError(Problem(Mark(str(path)), "R002", f"not an archive: {error}")) from None
