"""`training.epochs=5` in, the tree of nodes changed: the command line's last word on a config."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn, get_origin

from pydantic import BaseModel

from tftrain.config import interpolate, text
from tftrain.config.schema import SECTIONS
from tftrain.config.text import Mapping, Node, Scalar, Sequence
from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed

_LONGEST_NUMBER = len(str(text.MAX_NODES))


def mark(override: str) -> Mark:
    """What an override is called in messages."""
    return Mark(f"override '{override}'")


def apply(root: Mapping, override: str) -> None:
    """Puts one override into the tree.

    Args:
        root: the config's tree, changed in place.
        override: a dotted path, `=`, and a value in YAML: `model.layers.0.Dense.units=50`.
            In a list a number counts; a Keras object's name, or its `name:`, stands for the one
            entry that has it, and what follows are its arguments: `model.layers.Dense.units=50`.
            A part that is missing is made; one that is there may hold dots itself, as a column's
            name. `+=` adds to the end of a list, each item if the value is a list itself. `null`
            takes an optional key, an entry of the config's own lists, or a column away; within a
            Keras object's arguments it is a value.

    Raises:
        ConfigError: when it isn't of that form, or the path leads nowhere.
    """
    at = mark(override)
    path, equals, value = override.partition("=")
    words = path.removesuffix("+").strip().split(".")
    if not equals or not all(words) or len(words) > text.MAX_DEPTH:
        _fail(at, "C008", "expected PATH=VALUE, such as training.epochs=5")
    if unwanted := text.UNWANTED.search(path):
        _fail(at, "C005", f"the path holds the character U+{ord(unwanted[0]):04X}")
    parts = _parts(root, words)
    if parts == ["extends"]:
        _fail(at, "C009", "`extends` can stand in a file only")
    node = _read(value, at)
    if path.endswith("+"):
        _append(_step(root, parts, at), parts[-1], node, at)
    elif not (isinstance(node, Scalar) and node.value is None and _removed(root, parts, at)):
        _put(_step(root, parts, at), parts[-1], node, at)


def _parts(root: Node, words: list[str]) -> list[str]:
    """The path's parts: of the keys that are there and that it may mean, the longest."""
    parts: list[str] = []
    node: Node | None = root
    while words:
        size = 1
        if isinstance(node, Mapping):
            held = (n for n in range(len(words), 0, -1) if ".".join(words[:n]) in node.items)
            size = next(held, 1)
        parts.append(".".join(words[:size]))
        node, words = text.child(node, parts[-1]), words[size:]
    return parts


def _read(value: str, mark: Mark) -> Node:
    """The value, every place in it the override's: a line and a column would say nothing."""
    try:
        node = text.read(value.strip().encode(errors="surrogateescape"), mark.source)
    except ConfigError as error:
        raise ConfigError(replace(problem, mark=mark) for problem in error.problems) from None
    _stamp(node, mark)
    interpolate.fill_or_fail(node)
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


def _step(root: Node, parts: list[str], mark: Mark) -> Node:
    """What holds the path's last part."""
    node = root
    for part in parts[:-1]:
        node = _child(node, part, mark)
    return node


def _child(parent: Node, part: str, mark: Mark) -> Node:
    """The child named `part`, made where it is missing or only a Keras object's name."""
    if isinstance(parent, Sequence):
        place, name = _entry(parent, part, mark)
        node = _opened(parent.items[place], mark)
        parent.items[place] = node
        return node if name is None else _child(node, name, mark)
    if not isinstance(parent, Mapping):
        _fail(mark, "C009", f"`{part}` is not in a mapping or a list")
    node = _opened(parent.items.get(part, Scalar(None, mark)), mark)
    parent.items[part] = node
    parent.key_marks.setdefault(part, mark)
    return node


def _opened(node: Node, mark: Mark) -> Node:
    """Something that can hold a child: a Keras object's name becomes a mapping of it."""
    if not isinstance(node, Scalar):
        return node
    if not isinstance(node.value, str):
        return Mapping({}, {}, mark)
    return Mapping({node.value: Mapping({}, {}, mark)}, {node.value: node.mark}, node.mark)


def _put(parent: Node, part: str, node: Node, mark: Mark) -> None:
    if isinstance(parent, Sequence):
        place, name = _entry(parent, part, mark)
        if name is None:
            parent.items[place] = node
            return
        parent, part = _child(parent, str(place), mark), name
    if not isinstance(parent, Mapping):
        _fail(mark, "C009", f"`{part}` is not in a mapping or a list")
    parent.items[part] = node
    parent.key_marks[part] = mark


def _append(parent: Node, part: str, node: Node, mark: Mark) -> None:
    """Adds to the list at `part`, made where there is none."""
    if isinstance(parent, Sequence):
        place, _ = _entry(parent, part, mark)
        held: Node | None = parent.items[place]
    else:
        held = text.child(parent, part)
    if held is None or (isinstance(held, Scalar) and held.value is None):
        held = Sequence([], mark)
        _put(parent, part, held, mark)
    if not isinstance(held, Sequence):
        got = text.shown(text.plain(held))
        _fail(mark, "C009", f"`{part}`: expected a list to append to, got {got}")
    held.items += node.items if isinstance(node, Sequence) else [node]


def _removed(root: Mapping, parts: list[str], mark: Mark) -> bool:
    """Whether the path leads to what the config can do without; then it is no longer there."""
    *path, part = parts
    node: Node | None = root
    for name in path:
        node = None if node is None else text.child(node, name)
    form = SECTIONS.get(tuple(path))
    if form is not None:
        optional = _optional(form, part)
        if optional and isinstance(node, Mapping):
            node.items.pop(part, None)
        return optional and (node is None or isinstance(node, Mapping))
    holder = SECTIONS.get(tuple(path[:-1]))
    if holder is not None and isinstance(node, Sequence):
        del node.items[_entry(node, part, mark)[0]]
        return True
    if holder is not None and isinstance(node, Mapping) and _of_names(holder, path[-1]):
        node.items.pop(part, None)
        return True
    return False


def _of_names(form: type[BaseModel], key: str) -> bool:
    """Whether a key holds a mapping of the user's own names, as `data.columns`."""
    field = form.model_fields.get(key)
    return field is not None and get_origin(field.annotation) is dict


def _optional(form: type[BaseModel], key: str) -> bool:
    known = form.model_fields.get(key)
    return known is not None and (key == "name" or not known.is_required())


def _entry(parent: Sequence, part: str, mark: Mark) -> tuple[int, str | None]:
    """The place in a list that a part of a path means; by name, also the key of the arguments."""
    last = len(parent.items) - 1
    if last < 0:
        _fail(mark, "C009", f"`{part}`: the list is empty; `+=` adds to it")
    if part.isdecimal() and len(part) <= _LONGEST_NUMBER and int(part) <= last:
        return int(part), None
    names = [_names(item) for item in parent.items]
    for kind in (1, 0):  # a `name:` is given to be used
        found = [place for place, both in enumerate(names) if both[kind] == part]
        if len(found) == 1:
            return found[0], names[found[0]][0]
        if found:
            places = listed(map(str, found))
            _fail(mark, "C009", f"`{part}` is the name of {places} in the list: give its number")
    known = list(dict.fromkeys(name for both in names for name in both if name))
    named = f", or {listed(known)}" if known and not part.isdecimal() else ""
    near = did_you_mean(part, known) or f": expected a number from 0 to {last}{named}"
    raise ConfigError(Problem(mark, "C009", f"`{part}` is not in the list{near}"))


def _names(item: Node) -> tuple[str | None, str | None]:
    """An entry's Keras name, and the one it was given by `name:`."""
    if isinstance(item, Scalar):
        return (item.value if isinstance(item.value, str) else None), None
    if not isinstance(item, Mapping) or len(item.items) != 1:
        return None, None
    ((keras, arguments),) = item.items.items()
    given = text.child(arguments, "name")
    named = isinstance(given, Scalar) and isinstance(given.value, str)
    return keras, str(given.value) if named and isinstance(given, Scalar) else None


def _fail(mark: Mark, code: str, message: str) -> NoReturn:
    raise ConfigError(Problem(mark, code, message))
