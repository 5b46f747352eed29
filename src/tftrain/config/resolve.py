"""A Spec in, the catalog's entry for it and for every object inside it out, or what is wrong.

What is known of Keras's objects without Keras stands here, once: which kind of object an argument
takes, which objects tftrain refuses, what a function's arguments are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tftrain.config import catalog
from tftrain.config.catalog import Argument, Catalog, Entry
from tftrain.config.losses import ACCURACY, by_shapes
from tftrain.config.schema import Model, Spec, Training
from tftrain.config.text import MAX_FAULTS, Place, Source
from tftrain.errors import ConfigError, Problem, did_you_mean, listed

REFUSED = {
    "TFSMLayer": "it runs a program from a file",
    "Lambda": "it runs Python code",
    "JaxLayer": "it runs Python code",
    "FlaxLayer": "it runs Python code",
    "TorchModuleWrapper": "it runs Python code",
    "LambdaCallback": "it runs Python code",
    "CallbackList": "name the callbacks themselves, one by one",
    "RemoteMonitor": "it sends what it sees to a server; CSVLogger writes it to a file",
    "Mean": "it averages one thing and compares no outputs with labels",
    "Sum": "it adds up one thing and compares no outputs with labels",
}
# What kind of object an argument takes, by the end of its name; the first that fits.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "exclude_layers": (),  # Muon's: patterns of names
    "initializer": ("initializer",),
    "regularizer": ("regularizer",),
    "constraint": ("constraint",),
    "activation": ("activation", "layer"),
    "layer": ("layer",),
    "layers": ("layer",),
    "cell": ("layer",),
    "cells": ("layer",),
    "optimizer": ("optimizer",),
    "then": ("optimizer",),
    "optimizer_map": ("optimizer map",),
    "learning_rate": ("schedule",),
    "schedule": ("schedule",),
    "fn": ("loss", "metric"),
}
VOCABULARY = "vocabulary"
_METRIC_ARGUMENTS = ("name", "dtype")  # of a function among the metrics, as Keras wraps it
_ANYTHING = Argument(required=False, default=None, description="", types=(), choices=())
_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}


@dataclass(frozen=True)
class Resolved:
    """A Keras object as the catalog knows it, not yet made.

    Args:
        kind: `layer`, `loss`, ...
        entry: the catalog's.
        arguments: those given, by name; an object in them is a Resolved itself, a list is a list.
        path: where it stands in the config.
    """

    kind: str
    entry: Entry
    arguments: Mapping[str, Any]
    path: Place

    @property
    def name(self) -> str:
        """Keras's name of the object."""
        return self.entry.name

    @property
    def package(self) -> str:
        """The module of `keras` that exports it."""
        return catalog.PACKAGES[self.kind]

    @property
    def takes(self) -> tuple[str, ...]:
        """The arguments it can be given."""
        wrapped = self.kind == "metric" and not self.entry.is_class
        return (*self.entry.arguments, *(_METRIC_ARGUMENTS if wrapped else ()))

    def get(self, argument: str) -> Any:
        """An argument's value: as given, or Keras's default."""
        if argument in self.arguments:
            return self.arguments[argument]
        known = self.entry.arguments.get(argument)
        return None if known is None else known.default


def known(source: Source) -> Catalog:
    """Keras's objects, and those that the config's own code registers."""
    own = [entry for one in source.code for entry in one.objects]
    return catalog.load().extended(own) if own else catalog.load()


def is_own(kind: str, spec: Spec, source: Source) -> bool:
    """Whether a spec names an object of the config's own code, of which little is known."""
    entry = known(source).find(kind, spec.name) if source.code else None
    return entry is not None and entry.is_foreign


def resolve(kind: str, spec: Spec, path: Place, source: Source) -> Resolved:
    """What a spec names.

    Args:
        kind: `layer`, `loss`, `metric`, `optimizer`, `callback` or one that stands in arguments.
        spec: its name and arguments.
        path: where the spec stands in the config.
        source: for the place of a fault.

    Raises:
        ConfigError: with every unknown name, every argument that is unknown or missing, and every
            value that its argument doesn't take.
    """
    return _Resolver(source).resolve((kind,), spec, path)


def faults(model: Model | None, training: Training | None, source: Source) -> list[Problem]:
    """What is wrong with the Keras objects of a config, sections that aren't valid left out."""
    resolver = _Resolver(source)
    problems: list[Problem] = []
    for kind, spec, path in _objects(model, training):
        if len(problems) >= MAX_FAULTS:
            break
        if by_shapes(kind, spec):
            problems += resolver.unknown(spec, path, ("name",))
        else:
            collect(problems, partial(resolver.resolve, (kind,), spec, path))
    return problems


def _objects(model: Model | None, training: Training | None) -> Iterator[tuple[str, Spec, Place]]:
    for place, spec in enumerate(model.layers if model else ()):
        yield "layer", spec, ("model", "layers", place)
    if training:
        yield "loss", training.loss, ("training", "loss")
        yield "optimizer", training.optimizer, ("training", "optimizer")
        for section, place, _ in training.metric_names():
            yield "metric", getattr(training, section)[place], ("training", section, place)
        for place, spec in enumerate(training.callbacks):
            yield "callback", spec, ("training", "callbacks", place)


def resolve_layers(model: Model, source: Source) -> list[Resolved]:
    """The network's layers.

    Raises:
        ConfigError: when one of them isn't Keras's.
    """
    specs = enumerate(model.layers)
    return [resolve("layer", spec, ("model", "layers", place), source) for place, spec in specs]


def collect(problems: list[Problem], construct: Callable[[], Any]) -> Any:
    """What `construct` makes; where it raises a ConfigError, None, and its problems are kept."""
    try:
        return construct()
    except ConfigError as error:
        problems += error.problems
        return None


class _Resolver:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.catalog = known(source)

    def resolve(self, kinds: tuple[str, ...], spec: Spec, path: Place) -> Resolved:
        for kind in kinds:
            entry = self.catalog.find(kind, spec.name)
            if entry is None:
                continue
            if entry.name in REFUSED:
                message = f"`{entry.name}`: {REFUSED[entry.name]}"
                raise ConfigError(self.source.problem(path, "K001", message))
            if entry.is_class:
                accepted = accepted_by(self.catalog, kind, entry)
                return self._object(kind, entry, spec, path, accepted)
            return self._function(kind, entry, spec, path)
        names = self.catalog.names(kinds) + list(ACCURACY if "metric" in kinds else ())
        word = spec.name.rpartition(">")[2]  # of one's own, `package>Name`
        capital = word[:1].isupper()  # of `relu` and `ReLU`, the one written alike: the last
        near = did_you_mean(word, sorted(names, key=lambda name: name[:1].isupper() == capital))
        message = f"Keras has no {' or '.join(kinds)} called `{spec.name}`{near}"
        problems = [self.source.problem(path, "K001", message)]
        for name, value in spec.arguments.items():  # the objects in them may be wrong as well
            collect(problems, partial(self._value, name, value, (*path, spec.name, name), None))
        raise ConfigError(problems)

    def _object(
        self,
        kind: str,
        entry: Entry,
        spec: Spec,
        path: Place,
        accepted: Mapping[str, Argument],
    ) -> Resolved:
        """The object, once every argument given is one it takes and none is missing."""
        own = (*path, spec.name)
        problems = self.unknown(spec, path, accepted)
        needed = [name for name, argument in entry.arguments.items() if argument.required]
        missing = [f"`{name}`" for name in needed if name not in spec.arguments]
        if missing:
            message = f"`{spec.name}` needs {' and '.join(missing)}"
            problems.append(self.source.problem(path, "K003", message))
        arguments = {
            name: collect(
                problems, partial(self._value, name, value, (*own, name), accepted.get(name))
            )
            for name, value in spec.arguments.items()
        }
        if problems:
            raise ConfigError(problems)
        return Resolved(kind, entry, arguments, path)

    def _function(self, kind: str, entry: Entry, spec: Spec, path: Place) -> Resolved:
        """A function as it is; with arguments, the class of its name where that takes them."""
        twin_kind, twin = class_of(self.catalog, kind, entry)
        taken = twin.arguments if twin else {}
        accepted = accepted_by(self.catalog, kind, entry)
        needed = any(argument.required for argument in entry.arguments.values())
        if twin and (spec.arguments or needed) and set(spec.arguments) <= set(taken):
            return self._object(twin_kind, twin, spec, path, accepted)
        return self._object(kind, entry, spec, path, accepted)

    def unknown(self, spec: Spec, path: Place, accepted: Iterable[str]) -> list[Problem]:
        """The arguments given that are none of the accepted ones."""
        problems = []
        for argument in list(spec.arguments)[:MAX_FAULTS]:
            if argument not in accepted:
                near = did_you_mean(argument, accepted)
                near = near or f"; it takes {listed(accepted) or 'none'}"
                message = f"`{spec.name}` has no argument `{argument}`{near}"
                place = (*path, spec.name, argument)
                problems.append(self.source.problem(place, "K002", message, key=True))
        return problems

    def _value(self, name: str, value: Any, path: Place, argument: Argument | None) -> Any:
        """An argument's value, the objects in it resolved."""
        kinds = kinds_in(name)
        if isinstance(value, tuple):
            return self._each(((place, name, item) for place, item in enumerate(value)), path)
        if isinstance(value, str) and kinds:
            return self.resolve(kinds, Spec(value, {}), path)
        plain = argument is not None and argument.types and not kinds
        if plain or not isinstance(value, Mapping):
            self._check(name, value, path, argument)
            floats = argument is not None and isinstance(argument.default, float)
            return float(value) if floats and type(value) is int else value  # as Keras insists
        if name == "optimizer_map" and "OptimizerMap" not in value:  # patterns to optimizers
            items = self._each(((key, "optimizer", item) for key, item in value.items()), path)
            return dict(zip(value, items, strict=True))
        spec = _as_spec(value)
        if spec is None and (kinds or "class_name" in value):  # Keras would make what that names
            message = f"`{name}`: expected a Keras name or a mapping of it to its arguments"
            problems = [self.source.problem(path, "C015", message)]
            if inner := _as_spec(known_in(self.catalog, value, kinds)):
                collect(problems, partial(self.resolve, kinds, inner, path))
            raise ConfigError(problems)
        if spec is not None and (kinds or spec.name in self.catalog.names(catalog.KINDS)):
            return self.resolve(kinds or catalog.KINDS, spec, path)
        items = self._each(((key, key, item) for key, item in value.items()), path)
        return dict(zip(value, items, strict=True))

    def _each(self, items: Iterable[tuple[Any, str, Any]], path: Place) -> list[Any]:
        """The values of a list or a mapping, from the place, the name and the value of each."""
        problems: list[Problem] = []
        made = [
            collect(problems, partial(self._value, name, value, (*path, place), None))
            for place, name, value in items
        ]
        if problems:
            raise ConfigError(problems)
        return made

    def _check(self, name: str, value: Any, path: Place, argument: Argument | None) -> None:
        """A value of the type, and among the words, that Keras's docstring tells."""
        if name == VOCABULARY and isinstance(value, str):  # Keras would open that file
            opened = f"`{name}`: expected a list of its words or numbers, got {value!r}"
            raise ConfigError(self.source.problem(path, "K007", opened))
        if argument is None or value is None:
            return
        wanted = argument.types
        fits = type(value) in [_TYPES[one] for one in wanted]
        message = None
        if wanted and not fits:
            got = "a mapping" if isinstance(value, Mapping) else repr(value)
            message = f"`{name}`: expected {_WORDS[wanted[-1]]}, got {got}"
        elif argument.choices and str(value).casefold() not in argument.choices:
            near = did_you_mean(str(value), argument.choices)
            message = f"`{name}`: expected {' or '.join(argument.choices)}, got {value!r}{near}"
        if message:
            raise ConfigError(self.source.problem(path, "K007", message))


def known_in(known: Catalog, value: Mapping[str, Any], kinds: Iterable[str]) -> dict[str, Any]:
    """Of several names in one mapping, the first that is Keras's and has arguments, if any."""
    for name, arguments in value.items():
        if isinstance(arguments, Mapping) and any(known.find(kind, name) for kind in kinds):
            return {name: arguments}
    return {}


def class_of(known: Catalog, kind: str, entry: Entry) -> tuple[str, Entry | None]:
    """The class that does what a function does: one that anyone can load, `Activation` not."""
    kind = "layer" if kind == "activation" else kind
    wanted = entry.name.replace("_", "")
    classes = known.objects[kind].values()
    found = (one for one in classes if one.is_class and one.name.lower() == wanted)
    return kind, next(found, None)


def accepted_by(known: Catalog, kind: str, entry: Entry) -> Mapping[str, Argument]:
    """The arguments that an object of a kind can be given in a config."""
    if entry.is_class:
        return entry.arguments
    own = {} if kind == "loss" else dict(entry.arguments)
    if kind == "metric":
        own |= dict.fromkeys(_METRIC_ARGUMENTS, _ANYTHING)
    _, twin = class_of(known, kind, entry)
    return own | dict(twin.arguments if twin else {})


def kinds_in(argument: str) -> tuple[str, ...]:
    """The kinds of object that an argument of that name takes."""
    return next((kinds for end, kinds in ARGUMENTS.items() if _ends(argument, end)), ())


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f"_{end}")


def _as_spec(value: Mapping[str, Any]) -> Spec | None:
    if len(value) != 1:
        return None
    ((name, arguments),) = value.items()
    if arguments is None or isinstance(arguments, Mapping):
        return Spec(name, arguments or {})
    return None
