"""A config's file in, one tree out: what it says, laid over the files that it extends."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tftrain import files
from tftrain.config import interpolate, text
from tftrain.config.schema import SECTIONS
from tftrain.config.text import Mapping, Node, Scalar
from tftrain.errors import ConfigError, Mark, Problem

MAX_BASES = 10
_KEY = "extends"


@dataclass(frozen=True)
class Chain:
    """A config's file and its bases, read.

    Args:
        raw: the file's own bytes.
        root: one tree of all of them, each node with its place in the file where it stands.
        files: their names in messages, the file first, then its base, then that one's.
        problems: the faults found on the way.
        whole: whether every base is in the tree: one that can't be read leaves it out.
    """

    raw: bytes
    root: Mapping
    files: tuple[str, ...]
    problems: list[Problem]
    whole: bool = True


def read(path: Path) -> Chain:
    """The tree of a file that may extend another, that one too, and so on.

    Raises:
        ConfigError: when the file itself can't be read or isn't a mapping. Where that befalls a
            base, or it extends itself, the tree ends above it.
    """
    raw = content = _bytes(path, Mark(str(path)), "C007", "")
    chain = [path]
    roots: list[Mapping] = []
    problems: list[Problem] = []
    whole = True
    try:
        while True:
            root, found = text.read_on(content, str(chain[-1]))
            problems += found
            roots.append(_mapping(root, base=bool(roots)))
            extends = roots[-1].items.pop(_KEY, None)
            if extends is None:
                break
            chain.append(_base(extends, chain))
            content = _bytes(chain[-1], extends.mark, "C040", f"`{_KEY}`: {chain[-1]}: ")
    except ConfigError as error:
        problems += error.problems
        if not roots:
            raise ConfigError(problems) from None
        whole = False
    merged = roots.pop()
    while roots:
        merged = merge(merged, roots.pop())
    return Chain(raw, merged, tuple(map(str, chain)), problems, whole)


def alone(path: Path, content: bytes) -> Chain:
    """The tree of what a run recorded, which extends nothing: no other file is opened.

    Raises:
        ConfigError: when it isn't a mapping, or extends something.
    """
    root, found = text.read_on(content, str(path))
    root = _mapping(root, base=False)
    if extends := root.items.get(_KEY):
        message = f"`{_KEY}`: the config of a run stands alone"
        raise ConfigError([*found, Problem(extends.mark, "C040", message)])
    return Chain(content, root, (str(path),), found)


def merge(base: Mapping, over: Mapping, section: tuple[str, ...] = ()) -> Mapping:
    """One mapping laid over another; neither is changed.

    Mappings merge where the config's form has a section: at the top, and at `data`, `data.split`,
    `model` and `training`. Any other value replaces the base's whole: a list, files, and a Keras
    object with all its arguments, since those of another optimizer would be wrong, and those of
    the same one can't be told from it.
    """
    items, marks = dict(base.items), dict(base.key_marks)
    for key, node in over.items.items():
        below, path = items.get(key), (*section, key)
        if path in SECTIONS and isinstance(below, Mapping) and isinstance(node, Mapping):
            items[key] = merge(below, node, path)
        else:
            items[key] = node
        marks[key] = over.key_marks[key]
    return Mapping(items, marks, over.mark)


def _base(extends: Node, chain: list[Path]) -> Path:
    """The file that `extends` names, counted from the folder of the one it stands in."""
    interpolate.fill_or_fail(extends)
    if not isinstance(extends, Scalar) or not isinstance(extends.value, str) or not extends.value:
        message = f"`{_KEY}`: expected a file's name, got {text.shown(text.plain(extends))}"
        raise ConfigError(Problem(extends.mark, "C012", message))
    base = _short(chain[-1].parent / extends.value)
    message = ""
    if _real(base) in map(_real, chain):
        circle = " -> ".join(map(str, [*chain, base]))
        message = f"`{_KEY}` goes in a circle: {circle}"
    elif len(chain) > MAX_BASES:
        message = f"`{_KEY}`: more than {MAX_BASES} files on top of one another"
    if message:
        raise ConfigError(Problem(extends.mark, "C040", message))
    return base


def _short(path: Path) -> Path:
    """A path without `..`, where that is the same file."""
    short = Path(os.path.normpath(path))
    return short if _real(short) == _real(path) else path


def _real(path: Path) -> str:
    """The file that a path leads to: two of one are equal, a path that can't be is itself."""
    return str(path) if "\0" in str(path) else os.path.realpath(path)


def _bytes(path: Path, mark: Mark, code: str, prefix: str) -> bytes:
    """A file's content, or as much of it as is needed to see that it is too large."""
    try:
        with _open(path, base=code == "C040") as file:
            return file.read(text.MAX_BYTES + 1)
    except ValueError as error:  # no path may hold a NUL
        message = f"can't be read: {error}"
    except OSError as error:
        message = f"can't be read: {error.strerror or error}"
        if isinstance(error, FileNotFoundError):
            message = "no such file" + files.beside(path, (".yaml", ".yml"))
        elif isinstance(error, IsADirectoryError | PermissionError) and path.is_dir():
            # Windows calls it a lack of permission
            message = "can't be read: it is a folder"
    raise ConfigError(Problem(mark, code, prefix + message))


def _open(path: Path, *, base: bool) -> BinaryIO:
    if base and path.exists() and not path.is_file() and not path.is_dir():
        raise OSError("it is not a file")  # a pipe would be waited for
    return path.open("rb")


def _mapping(root: Node, *, base: bool) -> Mapping:
    if isinstance(root, Mapping):
        return root
    wanted = "of a config's keys" if base else "with `data`, `model` and `training`"
    message = f"expected a mapping {wanted}, got {text.shown(text.plain(root))}"
    raise ConfigError(Problem(root.mark, "C012", message))
