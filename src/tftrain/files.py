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
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from tftrain import archive
from tftrain.errors import Mark, Problem, RunError, StorageError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEMPORARY = ".tmp-"
_SPARE_BYTES = 1024 * 1024
_NO_COMMENT = b"\0\0"
_PREFIX = b"sha256="
_COMMENT_BYTES = len(_PREFIX) + 64
_BLOCK_BYTES = 1024 * 1024
_SMALL_BYTES = 16 * _BLOCK_BYTES  # of a run's file that is no array
# Windows replaces no file that somebody has open, as whoever reads or scans it has for a moment
_PATIENCE_SECONDS = 1.0 if os.name == "nt" else 0.0
_PAUSE_SECONDS = 0.01
# what opens neither a link nor waits for a pipe's writer, each where the system has it
_OPENING = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")
)


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
        _replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(cannot("written", path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _replace(temporary: Path, path: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            temporary.replace(path)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def make_folder(folder: Path, *, exist_ok: bool = False) -> None:
    """Makes a folder that a crash of the system leaves where it is.

    Raises:
        FileExistsError: when it is there already, unless that is as well.
        StorageError: when the storage refuses; no folder is made then.
    """
    try:
        folder.mkdir(exist_ok=exist_ok)
        _sync_folder(folder.parent)
    except FileExistsError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise StorageError(cannot("written", folder, error)) from None


def leftovers(folder: Path) -> Iterator[Path]:
    """What writers that were killed have left in a folder or below; or one is still at it."""
    for place, _, names in os.walk(folder):  # which follows no links
        yield from (Path(place, name) for name in names if name.startswith(_TEMPORARY))


def sweep(folder: Path) -> None:
    """Removes the leftovers in a folder, and below, where nobody else writes."""
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


def machine_memory() -> int | None:
    """The machine's memory in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows knows no such question
        return None


@contextlib.contextmanager
def opened(path: Path, most: int | None) -> Iterator[tuple[BinaryIO, int]]:
    """A run's file, open to be read, and its size; the run may be a stranger's.

    Args:
        path: of the file; its folder may be a link, it itself may not.
        most: bytes that it may have; any number if None.

    Raises:
        RunError: when it isn't there, is a link or no plain file, is too large, or can't be read.
    """
    try:
        _require_plain(path.lstat(), most)
        with os.fdopen(os.open(path, _OPENING), "rb") as file:
            status = os.fstat(file.fileno())  # another file may have taken its place
            _require_plain(status, most)
            yield file, status.st_size
    except OSError as error:
        raise RunError(cannot("read", path, error)) from None


def _require_plain(status: os.stat_result, most: int | None) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError("it is a link: a run's files are its own")
    if stat.S_ISDIR(status.st_mode):
        raise OSError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError("expected a file, got a pipe or a device")
    if most is not None and status.st_size > most:
        raise OSError(f"{status.st_size:,} bytes: expected at most {most:,}")


def read(path: Path, most: int = _SMALL_BYTES) -> bytes:
    """A run's file, whole.

    Raises:
        RunError: as `opened`.
    """
    with opened(path, most) as (file, _):
        return file.read(most + 1)[:most]  # it may grow meanwhile


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
    return _sealed_by(hashlib.sha256(content).hexdigest())


def _sealed_by(digest: str) -> bytes:
    return _COMMENT_BYTES.to_bytes(2, "little") + _PREFIX + digest.encode()


def read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that `write_arrays` wrote.

    Raises:
        RunError: as `opened`; when the file is larger than memory; when any byte of it has changed,
            or it holds what no run has.
    """
    with opened(path, machine_memory()) as (file, size):
        if not _is_sealed(file, size):
            raise RunError(Problem(Mark(str(path)), "R002", "damaged: its checksum doesn't match"))
        file.seek(0)
        try:
            return archive.arrays(file, size)
        except ValueError as error:
            message = f"not an archive of arrays: {error}"
            raise RunError(Problem(Mark(str(path)), "R002", message)) from None


def seal_of(path: Path) -> str:
    """The SHA-256 that `write_arrays` put at the end of a file, in hexadecimal; not compared.

    Raises:
        RunError: as `opened`; when there is none.
    """
    with opened(path, machine_memory()) as (file, size):
        file.seek(max(0, size - _COMMENT_BYTES))
        comment = file.read(_COMMENT_BYTES)
    digest = comment.removeprefix(_PREFIX).decode("ascii", "replace")
    if len(comment) != _COMMENT_BYTES or not set(digest) <= set("0123456789abcdef"):
        raise RunError(Problem(Mark(str(path)), "R002", "damaged: it has no checksum"))
    return digest


def _is_sealed(file: IO[bytes], size: int) -> bool:
    """Whether the end of an archive is the checksum of all that is before it."""
    digest, left = hashlib.sha256(), size - len(_NO_COMMENT) - _COMMENT_BYTES
    while left > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
        digest.update(block)
        left -= len(block)
    digest.update(_NO_COMMENT)
    return left == 0 and file.read() == _sealed_by(digest.hexdigest())
