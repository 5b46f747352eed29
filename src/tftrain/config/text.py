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
from typing import TYPE_CHECKING, NoReturn, Union

import yaml

from tftrain.errors import ConfigError, Mark, Problem

if TYPE_CHECKING:
    from tftrain.config.own_code import Code

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_NODES = 20_000
MAX_DIGITS = 300
MAX_FAULTS = 1_000  # of one kind that are told: each looks for the nearest name
_WIDEST = 60

Plain = Union[None, bool, int, float, str, list["Plain"], dict[str, "Plain"]]  # noqa: UP007 - `|` takes no forward reference
Place = tuple[str | int, ...]

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# what YAML forbids, and what YAML 1.1 takes for the end of a line and no editor does
UNWANTED = re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern + "|[\x85\u2028\u2029\ufeff]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_SIMPLE_KEY = "while scanning a simple key"
_STANDARD_TAG = "tag:yaml.org,2002:"
# libyaml's words for what happens most, in ours; with `{line}` those of the place where it began
_CLEARER = {
    "could not find expected ':'": "expected `KEY: VALUE`, with a space after the colon",
    "mapping values are not allowed in this context": "a `:` where none can stand: quote the "
    "text, or mend the indentation",
    "did not find expected key": "expected a key of the mapping that begins on line {line}: "
    "mend the indentation, or quote the text",
    "did not find expected '-' indicator": "expected `-` and an item of the list that begins on "
    "line {line}, or less indentation",
    "did not find expected node content": "expected a value",
    "did not find expected <document start>": "expected nothing after the end of the document",
    "block sequence entries are not allowed in this context": "a list can't begin here: put its "
    "`-` on a line of its own",
    "found a tab character that violates indentation": "a tab: indent with spaces",
    "did not find expected ',' or ']'": "the list that begins on line {line} isn't closed: "
    "expected `,` or `]`",
    "did not find expected ',' or '}'": "the mapping that begins on line {line} isn't closed: "
    "expected `,` or `}}`",
    "found unexpected end of stream": "the quote that opens on line {line} isn't closed",
}
_IN_FLOW = (
    "`${` can't stand inside `{}` or `[]`: quote it if it is a text, else write the mapping or the "
    "list with a line for each value"
)
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass
class Scalar:
    """A value that holds no others.

    Args:
        value: what it is in force.
        mark: where it was written.
        quoted: whether it was written as a text, whatever it looks like.
        variables: the environment's variables that `value` was taken from.
    """

    value: bool | int | float | str | None
    mark: Mark
    quoted: bool = False
    variables: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class Source:
    """A config as it was written: for messages that come later, and for the run's own copy.

    Args:
        raw: the file's bytes.
        root: the tree of nodes: bases, environment and overrides worked in.
        code: the Python files that it names, read.
        code_allowed: whether the user lets them run.
    """

    raw: bytes
    root: Node
    code: tuple[Code, ...] = ()
    code_allowed: bool = False

    def problem(self, path: Place, code: str, message: str, *, key: bool = False) -> Problem:
        """A fault at the place where the value at `path` (or its key) was written.

        Of a value from the environment the text in the file says little: the message names the
        variable.
        """
        node = _nearest(self.root, path)
        if isinstance(node, Scalar) and node.variables and not key:
            message += f" (from the environment: {', '.join(node.variables)})"
        return Problem(find(self.root, path, key=key), code, message)


def read(text: bytes, source: str) -> Node:
    """The tree of one YAML document.

    Args:
        text: the file's bytes, UTF-8, at most 256 KiB.
        source: what to call it in messages.

    Raises:
        ConfigError: with every fault found; after a syntax error nothing more is read.
    """
    root, problems = read_on(text, source)
    if problems:
        raise ConfigError(problems)
    return root


def read_on(text: bytes, source: str) -> tuple[Node, list[Problem]]:
    """As `read`, where more can be said of a faulty document: the tree and its faults.

    Raises:
        ConfigError: when the faults leave holes in the tree.
    """
    if len(text) > MAX_BYTES:
        _fail(Mark(source), "C006", f"larger than {MAX_BYTES // 1024} KiB")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _end_of(error.object[: error.start].decode("utf-8"), source)
        _fail(
            mark,
            "C005",
            f"not UTF-8: byte 0x{error.object[error.start]:02x}; save the file as UTF-8",
        )
    if unwanted := UNWANTED.search(decoded):
        mark = _end_of(decoded[: unwanted.start()], source)
        name = f"U+{ord(unwanted[0]):04X}"
        _fail(mark, "C005", f"the character {name}: write it as an escape, in double quotes")
    return _Composer(source).compose(decoded)


def plain(node: Node) -> Plain:
    """The node's value as Python's own types."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(item) for key, item in node.items.items()}


def scalars(node: Node) -> Iterator[Scalar]:
    """Every value in a tree that holds no others, in their order."""
    if isinstance(node, Scalar):
        yield node
        return
    for item in node.items if isinstance(node, Sequence) else node.items.values():
        yield from scalars(item)


def shown(value: object) -> str:
    """A wrong value, short enough for a line."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    words = str(value).lower() if isinstance(value, bool) else repr(value)
    return words if len(words) <= _WIDEST else f"{words[: _WIDEST - 3]}..."


def find(root: Node, path: Place, *, key: bool = False) -> Mark:
    """Where the value at `path` was written (with `key`, its key); the nearest parent if nowhere.

    Parts of the path that name nothing in the tree are passed over, so that a validator's own
    additions to a path do no harm.
    """
    node, mark = root, root.mark
    for part in path:
        below = child(node, part)
        if below is not None:
            mark = below.mark
            if key and isinstance(node, Mapping):
                mark = node.key_marks[str(part)]
            node = below
    return mark


def child(node: Node | None, part: str | int) -> Node | None:
    """What a part of a path names in a node."""
    if isinstance(node, Mapping):
        return node.items.get(str(part))
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None


def _nearest(root: Node, path: Place) -> Node:
    node = root
    for part in path:
        node = child(node, part) or node
    return node


def scalar(text: str) -> bool | int | float | str | None:
    """A plain scalar's value by YAML 1.2's core schema.

    Raises:
        ValueError: for a whole number of more than 300 digits.
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        if len(text) > 2 * MAX_DIGITS:  # before the conversion, which may be slow or refused
            raise ValueError(text)
        number = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if abs(number) >= 10**MAX_DIGITS:
            raise ValueError(text)
        return number
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
        self.holes = False

    def compose(self, text: str) -> tuple[Node, list[Problem]]:
        documents = 0
        for event in self._events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    _fail(self._mark(event), "C001", "a second document: expected one")
            elif isinstance(event, yaml.AliasEvent):
                self._add_alias(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.stack.pop()
                self.keys.pop()
            elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
                self._add(event)
        if self.holes:
            raise ConfigError(self.problems)
        return self.root or Scalar(None, Mark(self.source, 1, 1)), self.problems

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark, message = self._syntax(error, text)
            if "nesting depth" in (error.problem or ""):  # libyaml's own limit, met reading ahead
                _fail(mark, "C006", _TOO_DEEP)
            self._fail_after(mark, message)
        except yaml.reader.ReaderError as error:
            self._fail_after(Mark(self.source), f"not valid YAML: {error.reason}")

    def _syntax(self, error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, str]:
        """Where a syntax error stands and what to say of it."""
        mark, began = error.problem_mark or error.context_mark, error.context_mark
        if mark is None:
            return Mark(self.source), f"not valid YAML: {error.problem}"
        line = "".join(_LINE_END.split(text)[mark.line : mark.line + 1])
        if began and line[max(mark.column - 1, 0) :].startswith("${"):
            return Mark(self.source, mark.line + 1, mark.column), f"not valid YAML: {_IN_FLOW}"
        about = " ".join(part for part in (error.problem, error.context) if part)
        if clearer := _CLEARER.get(error.problem or ""):
            about = clearer.format(line=began.line + 1 if began else mark.line + 1)
            if began and (about.startswith("the quote") or error.context == _SIMPLE_KEY):
                mark = began
        elif error.problem == "found character that cannot start any token":
            letter = _LINE_END.split(text)[mark.line][mark.column : mark.column + 1]
            about = f"{letter!r} can't begin a value: quote it"
            if letter == "\t":
                about = "a tab: indent with spaces"
        place = Mark(self.source, mark.line + 1, mark.column + 1)
        end = _end_of(text, self.source)
        if mark.line + 1 > (end.line or 0):  # libyaml ends every text with a line end of its own
            place = end
        return place, f"not valid YAML: {about}"

    def _fail_after(self, mark: Mark, message: str) -> NoReturn:
        raise ConfigError([*self.problems, Problem(mark, "C001", message)]) from None

    def _add_alias(self, event: yaml.AliasEvent) -> None:
        mark, message = self._mark(event), f"alias `*{event.anchor}`: write the value out"
        self.problems.append(Problem(mark, "C003", message))
        self.holes = True
        self._place(Scalar(None, mark), f"*{event.anchor}")

    def _add(self, event: _Start) -> None:
        mark = self._mark(event)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            _fail(mark, "C006", f"more than {MAX_NODES:,} values")
        if event.tag is not None:
            tag = event.tag.replace(_STANDARD_TAG, "!!")
            self.problems.append(Problem(mark, "C004", f"tag `{tag}`: leave it out"))
        node = self._node(event, mark)
        self._place(node, getattr(event, "value", ""))
        if not isinstance(node, Scalar):
            self.stack.append(node)
            self.keys.append(None)
            if len(self.stack) > MAX_DEPTH:
                _fail(mark, "C006", _TOO_DEEP)

    def _node(self, event: _Start, mark: Mark) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return Mapping({}, {}, mark)
        if isinstance(event, yaml.CollectionStartEvent):
            return Sequence([], mark)
        if event.style:
            return Scalar(event.value, mark, quoted=True)
        try:
            return Scalar(scalar(event.value), mark)
        except ValueError:
            message = f"a number of more than {MAX_DIGITS} digits"
            self.problems.append(Problem(mark, "C012", message))
            self.holes = True
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


def _end_of(before: str, source: str) -> Mark:
    lines = _LINE_END.split(before)
    return Mark(source, len(lines), len(lines[-1]) + 1)


def _fail(mark: Mark, code: str, message: str) -> NoReturn:
    raise ConfigError(Problem(mark, code, message))
