"""`training.epochs=5` in, the tree of nodes changed: the command line's last word on a config."""

from __future__ import annotations

from dataclasses import replace

from tftrain.config import text
from tftrain.config.text import Mapping, Node, Scalar, Sequence
from tftrain.errors import ConfigError, Mark, Problem

_LONGEST_INDEX = 10


def mark(override: str) -> Mark:
    """What an override is called in messages."""
    return Mark(f"override '{override}'")


def apply(root: Node, override: str) -> None:
    """Puts one override into the tree.

    Args:
        root: the config's tree, changed in place.
        override: a dotted path, `=`, and a value in YAML: `model.layers.0.Dense.units=50`.
            A number counts into a list; a part that is missing is made.

    Raises:
        ConfigError: when it isn't of that form, or the path leads through a plain value.
    """
    at = mark(override)
    path, equals, value = override.partition("=")
    parts = path.strip().split(".")
    if not equals or not all(parts) or len(parts) > text.MAX_DEPTH:
        message = "expected PATH=VALUE, such as training.epochs=5"
        raise ConfigError(Problem(at, "C008", message))
    node = _read(value, at)
    parent = root
    for part in parts[:-1]:
        parent = _step(parent, part, at)
    _put(parent, parts[-1], node, at)


def _read(value: str, mark: Mark) -> Node:
    """The value, every place in it the override's: a line and a column would say nothing."""
    try:
        node = text.read(value.strip().encode(errors="surrogateescape"), mark.source)
    except ConfigError as error:
        raise ConfigError(replace(problem, mark=mark) for problem in error.problems) from None
    _stamp(node, mark)
    return node


def _stamp(node: Node, mark: Mark) -> None:
    """A place inside an override is the override."""
    node.mark = mark
    if isinstance(node, Mapping):
        node.key_marks = dict.fromkeys(node.key_marks, mark)
        for item in node.items.values():
            _stamp(item, mark)
    elif isinstance(node, Sequence):
        for item in node.items:
            _stamp(item, mark)


def _step(parent: Node, part: str, mark: Mark) -> Node:
    """The child named `part`, made where it is missing or only a Keras object's name."""
    child: Node
    if isinstance(parent, Mapping):
        child = parent.items.get(part, Scalar(None, mark))
    elif isinstance(parent, Sequence):
        child = parent.items[_index(parent, part, mark)]
    else:
        raise ConfigError(Problem(mark, "C009", f"`{part}` is not in a mapping or a list"))
    if isinstance(child, Scalar):
        arguments = {child.value: Mapping({}, {}, mark)} if isinstance(child.value, str) else {}
        child = Mapping(dict(arguments), dict.fromkeys(arguments, mark), mark)
        _put(parent, part, child, mark)
    return child


def _put(parent: Node, part: str, node: Node, mark: Mark) -> None:
    if isinstance(parent, Mapping):
        parent.items[part] = node
        parent.key_marks[part] = mark
    elif isinstance(parent, Sequence):
        parent.items[_index(parent, part, mark)] = node
    else:
        raise ConfigError(Problem(mark, "C009", f"`{part}` is not in a mapping or a list"))


def _index(parent: Sequence, part: str, mark: Mark) -> int:
    if part.isdecimal() and len(part) < _LONGEST_INDEX and int(part) < len(parent.items):
        return int(part)
    message = f"`{part}`: expected a number from 0 to {len(parent.items) - 1}, a place in the list"
    raise ConfigError(Problem(mark, "C009", message))
