"""The installed Keras's source in, every public object with its arguments out; nothing is imported.

What was read is kept for each version of Keras in the user's cache folder.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tftrain import files
from tftrain.errors import StorageError

PACKAGES = {
    "layer": "layers",
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "loss": "losses",
    "metric": "metrics",
    "optimizer": "optimizers",
    "optimizer map": "optimizers",
    "schedule": "optimizers.schedules",
    "callback": "callbacks",
}
KINDS = tuple(PACKAGES)
_BASES = {
    "layer": "Layer",
    "initializer": "Initializer",
    "regularizer": "Regularizer",
    "constraint": "Constraint",
    "loss": "Loss",
    "metric": "Metric",
    "optimizer": "Optimizer",
    "schedule": "LearningRateSchedule",
    "callback": "Callback",
}
_OWN = ("optimizers", "losses")  # tftrain's modules of objects beside Keras's
_OWN_PACKAGE = "tftrain"
BASES = frozenset(_BASES.values())
_FUNCTIONS = ("activation", "loss", "metric")
_NOT_OBJECTS = ("get", "serialize", "deserialize")
_NO_SHORT_NAMES = ("layer", "optimizer map", "schedule", "callback")
_SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z`\"(])")
_LIST = re.compile(r"\b(?:one of|either)\b[^.]*", re.IGNORECASE)
# What can be one of several texts, where nothing but them is named: not `"epoch"` or an integer.
_TEXT = r"(?:`?[\"'][\w-]+[\"'`]+|`?None`?)"
_SEVERAL = re.compile(
    r"(?:\b(?:can be|(?:values|options|methods) are|values:)|^(?:string,)?) ?"
    rf"({_TEXT}(?>(?:(?:,| or| and|, or|, and) {_TEXT})+)(?!,? (?:or|and)\b))",
    re.IGNORECASE,
)
_CHECKED_ELSEWHERE = (("metric", "name"),)  # in `checks`, which asks more of it than a text
_NONE_AS_TEXT = ("reduction",)  # Keras takes `none` for None
_QUOTED = re.compile(r"[\"']([\w-]+)[\"'`]")  # Keras's quotes don't all close
_BY_DEFAULT = {"bool": ("bool",), "int": ("int", "float"), "float": ("int", "float")}
_BEFORE_TYPE = re.compile(r"^(?:\(?optional\)?\.?\s+)?(?:an?\s+)?`?", re.IGNORECASE)
# not `integer or tuple`, but `integer or None`
_ALONE = r"\b`?(?!,? (?:or (?!`?None)|and\b|tuple\b|list\b|value,? or\b)|/| /)"
_TYPES = (
    (re.compile(r"bool(?:ean)?" + _ALONE, re.IGNORECASE), ("bool",)),
    (re.compile(r"(?:\S*(?:positive|negative) )?int(?:eger)?" + _ALONE, re.IGNORECASE), ("int",)),
    (
        re.compile(
            r"(?:(?:python |\S*(?:positive|negative) )?float(?:ing point)?|python int(?:eger)?)"
            + _ALONE,
            re.IGNORECASE,
        ),
        ("int", "float"),
    ),
    (re.compile(r"(?:string|str)" + _ALONE, re.IGNORECASE), ("str",)),
)


@dataclass(frozen=True)
class Argument:
    """One argument of a Keras object.

    Args:
        required: whether it must be given.
        default: Keras's, as plain values, or as Python text where it is something else.
        description: the first sentence of what Keras's docstring says of it.
        types: which of `bool`, `int`, `float` and `str` it takes; empty where nothing tells.
        choices: the texts it takes, where the docstring lists them.
    """

    required: bool
    default: Any
    description: str
    types: tuple[str, ...]
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One public object of Keras.

    Args:
        name: Keras's.
        definition: the name it is defined by, where `name` is another for it: `Conv2D` of
            `Convolution2D`.
        is_class: or else a function.
        description: the first line of its docstring.
        arguments: by name, its bases' too where it passes them on.
        registered: what an object of one's own is called in Keras's registry, `package>name`.
    """

    name: str
    definition: str
    is_class: bool
    description: str
    arguments: Mapping[str, Argument]
    registered: str | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether it is of a config's own code: neither Keras's nor tftrain's."""
        own = f"{_OWN_PACKAGE}>"
        return self.registered is not None and not self.registered.startswith(own)


@dataclass(frozen=True)
class Catalog:
    """What a version of Keras has.

    Args:
        version: Keras's.
        objects: entries by kind and name.
        short: by kind, the other names Keras accepts, such as `adam`, and whose they are.
    """

    version: str
    objects: Mapping[str, Mapping[str, Entry]]
    short: Mapping[str, Mapping[str, str]]

    def find(self, kind: str, name: str) -> Entry | None:
        """The object of a kind that a name or a short name stands for."""
        named = self.objects[kind]
        return named.get(name) or named.get(self.short[kind].get(name, ""))

    def names(self, kinds: Iterable[str]) -> list[str]:
        """The names of the objects of some kinds."""
        return [name for kind in kinds for name in self.objects[kind]]

    def extended(self, own: Iterable[tuple[str, Entry]]) -> Catalog:
        """With objects of one's own, each with its kind: by their names and registered names."""
        objects = {kind: dict(self.objects[kind]) for kind in KINDS}
        short = {kind: dict(self.short[kind]) for kind in KINDS}
        for kind, one in own:
            objects[kind][one.name] = one
            short[kind][str(one.registered)] = one.name
        return Catalog(self.version, objects, short)


@functools.cache
def load() -> Catalog:
    """The installed Keras's objects and tftrain's, from the cache where that is there and whole."""
    root = folder_of_keras()
    folder = files.cache_folder()
    path = folder / f"keras-{_version(root)}-{_reader()}.json"
    with contextlib.suppress(OSError, ValueError):
        sum_, _, content = path.read_bytes().partition(b"\n")
        if sum_ == _checksum(content):
            return _from_json(json.loads(content))
    catalog = read(root).extended(_own(root))
    content = json.dumps(asdict(catalog), separators=(",", ":")).encode()
    with contextlib.suppress(OSError, StorageError):  # without a cache it only takes longer
        folder.mkdir(parents=True, exist_ok=True)
        files.write(path, _checksum(content) + b"\n" + content)
    return catalog


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def read(root: Path) -> Catalog:
    """The catalog of the Keras in the folder `root`, from its source files."""
    from tftrain.config.keras_source import KerasSource

    source = KerasSource(root)
    objects: dict[str, dict[str, Entry]] = {}
    short: dict[str, dict[str, str]] = {}
    for kind, package in PACKAGES.items():
        objects[kind] = {
            found.name: entry_of(kind, found)
            for found in source.public(f"keras.{package}")
            if _is_of(kind, found)
        }
        known = {} if kind in _NO_SHORT_NAMES else source.short_names(f"keras.src.{package}")
        short[kind] = {
            other: name
            for other, name in known.items()
            if other != name and name in objects[kind] and other not in objects[kind]
        }
    short["layer"]["Input"] = "InputLayer"
    return Catalog(source.version(), objects, short)


def _own(root: Path) -> Iterator[tuple[str, Entry]]:
    """The objects of tftrain beside Keras's, each with its kind."""
    from tftrain.config.keras_source import KerasSource

    source = KerasSource(root)
    for path in _own_files():
        source.add(path.stem, ast.parse(path.read_bytes()))
        for node, _ in source.decorated(path.stem, "register_keras_serializable"):
            found = source.find(path.stem, node.name)
            for kind in kinds_of(found):
                registered = f"{_OWN_PACKAGE}>{found.name}"
                yield kind, replace(entry_of(kind, found), registered=registered)


def _own_files() -> list[Path]:
    return [Path(__file__).parents[1] / f"{name}.py" for name in _OWN]


def _is_of(kind: str, found: Any) -> bool:
    if found.name in _NOT_OBJECTS:
        return False
    if not found.is_class:
        return kind in _FUNCTIONS
    if kind == "optimizer map":
        return bool(found.name == "OptimizerMap")
    return kind in _BASES and _BASES[kind] in found.ancestors[1:]


def kinds_of(found: Any) -> tuple[str, ...]:
    """The kinds of object that a class or a function can be, by the class's bases."""
    if not found.is_class:
        return _FUNCTIONS
    bases = found.ancestors[1:]
    return tuple(kind for kind, base in _BASES.items() if base in bases)[:1]


def entry_of(kind: str, found: Any) -> Entry:
    """What is to be known of a class or a function.

    A loss's or a metric's function takes labels and outputs, which no config gives.
    """
    labels = not found.is_class and kind != "activation"
    given = found.parameters[1:] if labels else found.parameters
    arguments = {
        parameter.name: Argument(
            parameter.required,
            parameter.default,
            _SENTENCE.split(parameter.description, maxsplit=1)[0],
            ()
            if (kind, parameter.name) in _CHECKED_ELSEWHERE
            else _types(parameter.description, parameter.default),
            _choices(parameter.name, parameter.description, parameter.default),
        )
        for parameter in given
    }
    definition = found.ancestors[0] if found.is_class else found.name
    return Entry(found.name, definition, found.is_class, found.summary, arguments)


def _types(description: str, default: Any) -> tuple[str, ...]:
    """What the docstring's first words say, if the default doesn't contradict; else the default."""
    text = _BEFORE_TYPE.sub("", description)
    found = next((types for pattern, types in _TYPES if pattern.match(text)), ())
    if default is None or type(default).__name__ in found:
        return found
    return _BY_DEFAULT.get(type(default).__name__, ()) if not found else ()


def _choices(name: str, description: str, default: Any) -> tuple[str, ...]:
    """The quoted texts that the docstring lists as all there are, if the default is among them."""
    listed = _LIST.search(description) or _SEVERAL.search(description)
    words = listed[0] if listed else ""
    choices = tuple(dict.fromkeys(_QUOTED.findall(words)))
    if choices and name in _NONE_AS_TEXT:
        choices = (*choices, "none")
    return choices if default in (None, *choices) else ()


def folder_of_keras() -> Path:
    """Where the installed Keras's source files are."""
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'keras'")
    return Path(spec.origin).parent


def _reader() -> str:
    """Tells one way of reading from another: what another version of tftrain read is of no use."""
    here = Path(__file__)
    read_by = (here, here.with_name("keras_source.py"), *_own_files())
    code = b"".join(path.read_bytes() for path in read_by)
    return hashlib.blake2b(code, digest_size=6).hexdigest()


def _version(root: Path) -> str:
    """The version by a look at one line: the cache's name must be known before anything is read."""
    text = (root / "src" / "version.py").read_text("utf-8")
    found = re.search(r"__version__ = [\"']([\w.+-]+)[\"']", text)
    return found[1] if found else "unknown"


def _from_json(data: Any) -> Catalog:
    objects = {
        kind: {name: _entry_from_json(entry) for name, entry in data["objects"][kind].items()}
        for kind in KINDS
    }
    return Catalog(data["version"], objects, {kind: dict(data["short"][kind]) for kind in KINDS})


def _entry_from_json(data: Any) -> Entry:
    arguments = {
        name: Argument(
            values["required"],
            values["default"],
            values["description"],
            tuple(values["types"]),
            tuple(values["choices"]),
        )
        for name, values in data["arguments"].items()
    }
    keys = ("name", "definition", "is_class", "description", "registered")
    known = {key: data[key] for key in keys}
    return Entry(**known, arguments=arguments)
