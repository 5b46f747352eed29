"""YAML text in, a tree of nodes out, each with the place where it was written.

YAML 1.2's core scalars (`1e-3` is a number, `no` is a string), and nothing that surprises or
costs: no aliases, no tags, no duplicate keys, limits on size, depth and number of nodes. The tree
is built here from the parser's events, because PyYAML's own constructor follows YAML 1.1, keeps
the last of two equal keys in silence, and recurses as deep as a stranger's file tells it to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, Union

import yaml

from tftrain.errors import ConfigError, Mark, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_NODES = 20_000

Plain = Union[None, bool, int, float, str, list["Plain"], dict[str, "Plain"]]  # noqa: UP007 - `|` takes no forward reference
Place = tuple[str | int, ...]

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass
class Scalar:
    """A value that holds no others."""

    value: bool | int | float | str | None
    mark: Mark


@dataclass
class Sequence:
    """A list of nodes."""

    items: list[Node]
    mark: Mark


@dataclass
class Mapping:
    """Nodes by the text of their keys, and where each key stands."""

    items: dict[str, Node]
    key_marks: dict[str, Mark]
    mark: Mark


Node = Scalar | Sequence | Mapping
_Start = yaml.ScalarEvent | yaml.CollectionStartEvent


def read(text: bytes, source: str) -> Node:
    """The tree of one YAML document.

    Args:
        text: the file's bytes, UTF-8, at most 256 KiB.
        source: what to call it in messages.

    Raises:
        ConfigError: with every fault found; after a syntax error nothing more is read.
    """
    if len(text) > MAX_BYTES:
        _fail(Mark(source), "C006", f"larger than {MAX_BYTES // 1024} KiB")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = text[: error.start].decode("utf-8")
        mark = Mark(source, good.count("\n") + 1, len(good) - (good.rfind("\n") + 1) + 1)
        _fail(mark, "C005", f"not UTF-8: byte 0x{text[error.start]:02x}")
    return _Composer(source).compose(decoded)


def plain(node: Node) -> Plain:
    """The node's value as Python's own types."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(item) for key, item in node.items.items()}


def find(root: Node, path: Place, *, key: bool = False) -> Mark:
    """Where the value at `path` was written (with `key`, its key); the nearest parent if nowhere.

    Parts of the path that name nothing in the tree are passed over, so that a validator's own
    additions to a path do no harm.
    """
    node, mark = root, root.mark
    for part in path:
        if isinstance(node, Mapping) and part in node.items:
            mark = node.key_marks[str(part)] if key else node.items[str(part)].mark
            node = node.items[str(part)]
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            mark = node.mark
    return mark


def scalar(text: str) -> bool | int | float | str | None:
    """A plain scalar's value by YAML 1.2's core schema.

    Raises:
        ValueError: for a whole number of more digits than Python reads.
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


class _Composer:
    """One document's events, turned into nodes without recursion."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.stack: list[Sequence | Mapping] = []
        self.keys: list[tuple[str, Mark] | None] = []
        self.root: Node | None = None
        self.nodes = 0

    def compose(self, text: str) -> Node:
        documents = 0
        for event in self._events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    _fail(self._mark(event), "C001", "a second document: expected one")
            elif isinstance(event, yaml.AliasEvent):
                _fail(self._mark(event), "C003", f"alias `*{event.anchor}`: write the value out")
            elif isinstance(event, yaml.CollectionEndEvent):
                self.stack.pop()
                self.keys.pop()
            elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
                self._add(event)
        if self.problems:
            raise ConfigError(self.problems)
        return self.root or Scalar(None, Mark(self.source, 1, 1))

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Mark(self.source, mark.line + 1, mark.column + 1) if mark else Mark(self.source)
            about = " ".join(part for part in (error.problem, error.context) if part)
            self._fail_after(place, f"not valid YAML: {about}")
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            column = len(before) - (before.rfind("\n") + 1) + 1
            place = Mark(self.source, before.count("\n") + 1, column)
            self._fail_after(place, f"not valid YAML: {error.reason}")

    def _fail_after(self, mark: Mark, message: str) -> NoReturn:
        raise ConfigError([*self.problems, Problem(mark, "C001", message)]) from None

    def _add(self, event: _Start) -> None:
        mark = self._mark(event)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            _fail(mark, "C006", f"more than {MAX_NODES:,} values")
        if event.tag is not None:
            self.problems.append(Problem(mark, "C004", f"tag `{event.tag}`: tags aren't read"))
        node = self._node(event, mark)
        self._place(node, getattr(event, "value", ""))
        if not isinstance(node, Scalar):
            self.stack.append(node)
            self.keys.append(None)
            if len(self.stack) > MAX_DEPTH:
                _fail(mark, "C006", f"nested deeper than {MAX_DEPTH} levels")

    def _node(self, event: _Start, mark: Mark) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return Mapping({}, {}, mark)
        if isinstance(event, yaml.CollectionStartEvent):
            return Sequence([], mark)
        if event.style:
            return Scalar(event.value, mark)
        try:
            return Scalar(scalar(event.value), mark)
        except ValueError:
            self.problems.append(Problem(mark, "C012", "a number of too many digits"))
            return Scalar(0, mark)

    def _place(self, node: Node, written: str) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (key := self.keys[-1]) is None:
            if not isinstance(node, Scalar):
                _fail(node.mark, "C012", "a key must be a name, not a list or a mapping")
            self.keys[-1] = (written, node.mark)
        else:
            self.keys[-1] = None
            name, mark = key
            if name in parent.items:
                first = parent.key_marks[name].line
                problem = Problem(mark, "C002", f"key `{name}` given twice; first on line {first}")
                self.problems.append(problem)
                return
            parent.items[name] = node
            parent.key_marks[name] = mark

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        if start is None:
            return Mark(self.source)
        return Mark(self.source, start.line + 1, start.column + 1)


def _fail(mark: Mark, code: str, message: str) -> NoReturn:
    raise ConfigError(Problem(mark, code, message))
