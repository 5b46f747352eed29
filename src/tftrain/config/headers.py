"""A config in, what the headers of its data files tell of the rows out: no row is read, no NumPy.

What a header can't be made out to say stays unknown: whoever reads the rows says what is wrong.
"""

from __future__ import annotations

import ast
import contextlib
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from tftrain.config.checks import Fault
from tftrain.config.data import ARRAY_SUFFIXES, Arrays, Data, ends_in
from tftrain.config.lint import Facts, facts_of, training_rows
from tftrain.config.losses import Family, family
from tftrain.config.schema import Config
from tftrain.errors import did_you_mean, listed

HOLDS_OBJECTS = "it holds Python objects; numbers and texts (`.astype(str)`) can be read"
_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # of the header's length, by version
_LONGEST = 10_000  # of a header, as NumPy limits it
_DTYPE = re.compile(r"[<|=](?P<kind>[biufc])(?P<bytes>\d+)")
_WORDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_AXES = {
    "x": (range(2, 33), "(rows, columns, ...)"),
    "y": (range(1, 3), "(rows,) or (rows, k)"),
    "sample_weight": (range(1, 2), "(rows,)"),
}
# what a file that is none, or damaged, can raise
_UNKNOWN = (
    *(ValueError, TypeError, LookupError, SyntaxError, EOFError, RuntimeError, MemoryError),
    *(zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True)
class Header:
    """What an array is, without its numbers.

    Args:
        shape: the array's.
        dtype: as NumPy calls it.
        kind: one letter, as NumPy's.
    """

    shape: tuple[int, ...]
    dtype: str
    kind: str


class _RefusedError(Exception):
    """A code and a message: a file that nobody can read, or without an array that is needed."""


def known(config: Config) -> tuple[Facts, list[Fault]]:
    """What is known of the data without reading them out, and what is wrong with their files."""
    facts, faults = facts_of(config.data), []
    split = config.data.split
    for path, source in {
        ("data", "source"): config.data.source,
        ("data", "split", "validation"): split.validation,
        ("data", "split", "test"): split.test,
    }.items():
        try:
            arrays = _read(source, config.data)
        except _RefusedError as error:
            faults.append((path, *error.args))
            continue
        found = list(_faults(source, arrays))
        faults += [(path, code, message) for code, message in found]
        if path == ("data", "source") and not found and arrays:
            facts = _facts(config, facts, arrays)
    return facts, faults


def fault(name: str, array: Header, inputs: tuple[int, ...]) -> tuple[str, str] | None:
    """What is wrong with one array's shape or kind, as a code and a message.

    Args:
        name: `x`, `y` or `sample_weight`.
        array: what it is.
        inputs: the shape of `x`.
    """
    axes, expected = _AXES[name]
    if array.kind not in "biuf" + ("US" if name == "y" else ""):
        wanted = f"numbers{' or texts' if name == 'y' else ''}"
        return "D004", f"expected {wanted}, got {array.dtype}"
    if len(array.shape) not in axes or 0 in array.shape[1:]:
        return "D004", f"expected {expected}, got {array.shape}"
    if name == "x" and not array.shape[0]:
        return "D007", "no rows"
    if inputs and 0 not in inputs[1:] and array.shape[0] != inputs[0]:
        return "D004", f"{array.shape[0]} rows, but x has {inputs[0]}"
    return None


def no_labels(file: str, data: Data) -> str:
    """What to say of a source without labels."""
    if ends_in(file, ".npy"):
        return "no labels: name their file too, as {x: X.npy, y: y.npy}"
    return f"no labels: expected an array called `{data.y}`"


def _read(source: str | float | Arrays, data: Data) -> dict[str, Header]:
    """The headers of a source's arrays, those that can be made out, by what they are.

    Raises:
        _RefusedError: when a file can't be read, or an array isn't there.
    """
    written: dict[str, str] = {}
    if isinstance(source, Arrays):
        written = source.model_dump(exclude_none=True)
    elif isinstance(source, str) and ends_in(source, ARRAY_SUFFIXES):
        written = {"x": source}
    found: dict[str, Header] = {}
    for name, file in written.items():
        path = Path(file)
        if not path.is_file():  # a pipe would be waited for
            continue
        with _told(path), contextlib.suppress(*_UNKNOWN):
            if ends_in(file, ".npz"):
                return _archive(path, data)
            with path.open("rb") as content:
                found[name] = _header(content, path)
    if written and "y" not in written:
        raise _RefusedError("D003", f"{written['x']}: {no_labels(written['x'], data)}")
    return found


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _RefusedError("D002", f"{path}: can't be read: {error.strerror or error}") from None
    except zipfile.BadZipFile as error:
        raise _RefusedError("D002", f"{path}: can't be read: {error}") from None


def _archive(path: Path, data: Data) -> dict[str, Header]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        members = [member.removesuffix(".npy") for member in archive.namelist()]
        for name, member in (("x", data.x), ("sample_weight", data.sample_weight), ("y", data.y)):
            if member in members:
                with archive.open(f"{member}.npy") as content:
                    found[name] = _header(content, path)
            elif member is not None:
                near = did_you_mean(member, members) or f"; it holds {listed(members) or 'none'}"
                message = (
                    no_labels(path.name, data)
                    if name == "y"
                    else f"no array called `{member}`{near}"
                )
                raise _RefusedError("D003", f"{path}: {message}")
    return found


def _header(file: IO[bytes], path: Path) -> Header:
    """What an array's first bytes say.

    Source: NumPy's manual, "numpy.lib.format", versions 1.0 to 3.0 of the format.

    Raises:
        _RefusedError: when it is one of Python objects.
        ValueError, SyntaxError and others: when they say nothing that can be made out.
    """
    start = file.read(len(_MAGIC) + 2)
    length = int.from_bytes(file.read(_LENGTH_BYTES[start[len(_MAGIC)]]), "little")
    if not start.startswith(_MAGIC) or length > _LONGEST:
        raise ValueError(start)
    written = ast.literal_eval(file.read(length).decode("latin-1").strip())
    shape, described = tuple(map(int, written["shape"])), written["descr"]
    if described == "|O":
        raise _RefusedError("D002", f"{path}: can't be read: {HOLDS_OBJECTS}")
    found = _DTYPE.fullmatch(described) if isinstance(described, str) else None
    if found is None:
        return Header(shape, str(described), str(described)[1:2])
    bits = "" if found["kind"] == "b" else str(8 * int(found["bytes"]))
    return Header(shape, f"{_WORDS[found['kind']]}{bits}", found["kind"])


def _faults(source: object, arrays: Mapping[str, Header]) -> Iterator[tuple[str, str]]:
    """What is wrong with a source's arrays, as codes and messages."""
    file = source.x if isinstance(source, Arrays) else source
    inputs = arrays["x"].shape if "x" in arrays else ()
    for name, array in arrays.items():
        column = name == "sample_weight" and array.shape[1:] == (1,)
        found = fault(name, replace(array, shape=array.shape[:1]) if column else array, inputs)
        if found is not None:
            yield found[0], f"{file}: {name}: {found[1]}"


def _facts(config: Config, facts: Facts, arrays: Mapping[str, Header]) -> Facts:
    """What the config tells, and the shapes and kinds of its source's arrays."""
    data, inputs, labels = config.data, arrays.get("x"), arrays.get("y")
    if inputs is not None:
        rows = training_rows(inputs.shape[0], data) if data.classes is None else None
        facts = replace(facts, inputs=inputs.shape[1:], rows=rows)
    if labels is None or data.classes is not None or data.one_hot:
        return facts
    if labels.shape[1:] not in ((), (1,)):
        return replace(facts, labels=labels.shape[1:])
    return replace(facts, labels=(), target=_target(labels, family(config.training.loss)))


def _target(labels: Header, loss: Family) -> Literal["classes", "numbers"] | None:
    if labels.kind not in "USb" and loss == "numbers":
        return "numbers"
    return None if labels.kind == "f" and loss == "binary" else "classes"  # probabilities, perhaps
