"""A stranger's archive in, its arrays out: nothing is unpickled or allocated on trust."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SUFFIX = ".npy"
_PARTS = ("", ".", "..")
_KINDS = "biufcSUV"  # numbers, texts, and the bytes of types that NumPy doesn't know
# what bytes that were made to deceive can raise in zipfile and NumPy
_FAULTS = (
    *(OSError, ValueError, TypeError, LookupError, SyntaxError, EOFError, RuntimeError),
    *(MemoryError, ArithmeticError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def arrays(file: IO[bytes], size: int) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file whose entries are stored as they are.

    Args:
        file: of that archive and nothing else.
        size: its bytes, which all arrays together can't have more of.

    Raises:
        ValueError: with what is wrong with it; memory is taken only for bytes that are there.
    """
    with _as_values(), zipfile.ZipFile(file) as archive:
        names = _names(archive.infolist())
        if sum(member.file_size for member in archive.infolist()) > size:
            raise ValueError("its entries promise more bytes than it has")
        return {name: _array(archive, member) for name, member in names.items()}


@contextmanager
def _as_values() -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _names(members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries by the names of their arrays."""
    names: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        shown = f"entry `{member.orig_filename[:80]}`"
        name = member.orig_filename.removesuffix(_SUFFIX)
        plain = name.isprintable() and not {"\\", ":"} & {*name}
        if name == member.orig_filename or not plain or {*_PARTS} & {*name.split("/")}:
            raise ValueError(f"{shown}: expected a plain name that ends in {_SUFFIX}")
        if name in names:
            raise ValueError(f"{shown} twice")
        packed = member.compress_type != zipfile.ZIP_STORED
        if packed or member.compress_size != member.file_size or member.flag_bits & 1:
            raise ValueError(f"{shown}: expected it stored as it is, not packed or encrypted")
        names[name] = member
    return names


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    from numpy.lib import format as npy

    with archive.open(member) as file:
        shape, dtype = _header(file)
        promised = math.prod(shape) * dtype.itemsize
        there = member.file_size - file.tell()
    if dtype.kind not in _KINDS or dtype.names or min(shape, default=0) < 0:
        raise ValueError(f"entry `{member.filename}`: expected numbers, got {str(dtype)[:40]}")
    if promised != there:
        message = f"its header promises {_bytes(promised)}, there are {_bytes(there)}"
        raise ValueError(f"entry `{member.filename}`: {message}")
    with archive.open(member) as file:
        found: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return found


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _bytes(count: int) -> str:
    return f"{count:,} bytes" if count < 2**63 else "more bytes than any machine has"
