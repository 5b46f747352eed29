"""The Python files that a config names in, what they register with Keras out; nothing is run.

Their bytes are read once: what is checked here is what is run and kept, if the user allows it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from tftrain import files
from tftrain.config import catalog, text, wording
from tftrain.config.catalog import Entry
from tftrain.config.losses import BY_SHAPES
from tftrain.config.text import Mapping, Scalar, Sequence, Source
from tftrain.errors import ConfigError, Mark, Problem, listed

MAX_BYTES = 1024 * 1024
MAX_FILES = 100
_KEY = "code"
_SUFFIX = ".py"
_DECORATOR = "register_keras_serializable"
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PACKAGE = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Code:
    """One Python file, read.

    Args:
        path: absolute.
        shown: as messages call it.
        content: its bytes.
        objects: what it registers, each with its kind; a function is of several.
    """

    path: Path
    shown: str
    content: bytes
    objects: tuple[tuple[str, Entry], ...]

    @property
    def text(self) -> str:
        """The content as Python reads it."""
        return self.content.decode("utf-8-sig")


def read(root: Mapping) -> tuple[tuple[Code, ...], list[Problem]]:
    """The files under a config's `code`, whose paths become absolute, and what is wrong with them.

    Args:
        root: the config's tree; paths count from the file that they are written in.
    """
    node = root.items.get(_KEY)
    written = node.items if isinstance(node, Sequence) else []
    found: list[Code] = []
    problems: list[Problem] = []
    if len(written) > MAX_FILES:
        message = f"`{_KEY}`: more than {MAX_FILES} files"
        return (), [Problem(written[MAX_FILES].mark, "C050", message)]
    for item in written:
        if isinstance(item, Scalar) and isinstance(item.value, str) and item.value:
            path = wording.folder_of(item.mark) / item.value
            item.value = str(path.absolute())
            try:
                found.append(_code(path, item.mark, found))
            except ConfigError as error:
                problems += error.problems
    return tuple(found), problems


def permit(source: Source, *, allowed: bool) -> Source:
    """The config with leave to run its Python files; as it is where it names none.

    Raises:
        ConfigError: when it names some and the user didn't allow it.
    """
    if source.code and not allowed:
        raise ConfigError(refusal(source))
    return replace(source, code_allowed=True)


def refusal(source: Source) -> Problem:
    """That a config's files would have to run."""
    named = listed(one.shown for one in source.code)
    message = f"this would run {named}: read it, then `--allow-code` lets it run"
    return source.problem((_KEY,), "C052", message, key=True)


def _code(path: Path, mark: Mark, before: list[Code]) -> Code:
    content = _bytes(path, mark)
    tree = _parsed(content, str(path))
    try:
        objects = list(_registered(tree, str(path)))
    except RuntimeError:  # too deep a recursion, or no order of the bases
        _fail(mark, f"{path}: its classes' bases, or its defaults, go in a circle")
    if not objects:
        _fail(
            mark,
            f"{path} registers nothing that a config can name: expected "
            f'`@keras.saving.{_DECORATOR}(package="...")` on a function, or on a class with one of '
            "Keras's as its base",
        )
    first = {entry.name: one.shown for one in before for _, entry in one.objects}
    for _, entry in objects:
        if entry.name in first:
            message = f"{path}: `{entry.name}` is registered in {first[entry.name]} already"
            raise ConfigError(Problem(mark, "C051", message))
    return Code(path.absolute(), str(path), content, tuple(objects))


def _bytes(path: Path, mark: Mark) -> bytes:
    """The file's content; nothing but a file is opened, as a pipe would be waited for."""
    if path.suffix != _SUFFIX:
        _fail(mark, f"expected a {_SUFFIX} file, got {text.shown(str(path))}")
    try:
        if not path.exists():
            _fail(mark, f"{path}: no such file{files.beside(path, (_SUFFIX,))}")
        if not path.is_file():
            _fail(mark, f"{path}: can't be read: it is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        _fail(mark, f"{path}: can't be read: {error.strerror or error}")
    except ValueError as error:  # no path may hold a NUL
        _fail(mark, f"{path}: can't be read: {error}")
    if len(content) > MAX_BYTES:
        _fail(mark, f"{path}: larger than {MAX_BYTES // 1024} KiB")
    return content


def _parsed(content: bytes, shown: str) -> ast.Module:
    """The file's syntax tree, of what Python can compile."""
    try:
        decoded = content.decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(decoded)
            compile(tree, shown, "exec", dont_inherit=True)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace").removeprefix("\ufeff")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not UTF-8: byte 0x{content[error.start]:02x}; save the file as UTF-8"
        raise ConfigError(Problem(Mark(shown, line, column), "C050", message)) from None
    except SyntaxError as error:
        mark = Mark(shown, error.lineno or 1, max(error.offset or 1, 1))
        raise ConfigError(Problem(mark, "C050", f"not valid Python: {error.msg}")) from None
    except ValueError as error:
        message = f"not valid Python: {error}"
        raise ConfigError(Problem(Mark(shown, 1, 1), "C050", message)) from None
    except (RecursionError, MemoryError):
        message = "not valid Python: nested too deep"
        raise ConfigError(Problem(Mark(shown, 1, 1), "C050", message)) from None
    return tree


def _registered(tree: ast.Module, shown: str) -> Iterator[tuple[str, Entry]]:
    from tftrain.config.keras_source import KerasSource

    source = KerasSource(catalog.folder_of_keras())
    source.add("own", tree)
    known = _keras_names()
    for node, given in source.decorated("own", _DECORATOR):
        package, name = given.get("package", "Custom"), given.get("name") or node.name
        mark = Mark(shown, node.lineno, node.col_offset + 1)
        for word, form in ((package, _PACKAGE), (name, _NAME)):
            if not isinstance(word, str) or not form.fullmatch(word):
                message = f"registered as {text.shown(word)}: expected a name of letters and digits"
                raise ConfigError(Problem(mark, "C051", message))
        if _folded(name) in known:
            message = f"`{name}` is Keras's `{known[_folded(name)]}`: take another name"
            raise ConfigError(Problem(mark, "C051", message))
        found = source.find("own", node.name)
        if found.is_class and not source.has_method("own", node.name, "get_config"):
            message = f"`{name}` has no `get_config`: Keras registers no class without one"
            raise ConfigError(Problem(mark, "C051", message))
        for kind in catalog.kinds_of(found):
            entry = catalog.entry_of(kind, found)
            if kind == "metric" and entry.is_class and "name" not in entry.arguments:
                message = f"`{name}`: a metric's `__init__` takes `name`, which it has in the logs"
                raise ConfigError(Problem(mark, "C051", message))
            registered = f"{package}>{name}"
            yield kind, replace(entry, name=name, definition=name, registered=registered)


def _keras_names() -> dict[str, str]:
    """Every name that means something of Keras's, by its letters."""
    known = catalog.load()
    short = [name for kind in catalog.KINDS for name in known.short[kind]]
    words = [word for words in BY_SHAPES.values() for word in words]
    names = [*words, *catalog.BASES, *short, *known.names(catalog.KINDS)]
    return {_folded(name): name for name in names}


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()


def _fail(mark: Mark, message: str) -> NoReturn:
    raise ConfigError(Problem(mark, "C050", f"`{_KEY}`: {message}"))
