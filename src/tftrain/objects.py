"""A Spec in, the Keras object it names out, or the place in the config where it is wrong.

Only Keras's own public classes and functions can be named, and none that runs foreign programs.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

from tftrain.backend import keras
from tftrain.config import Source, Spec, spec_of
from tftrain.config.text import Place
from tftrain.errors import ConfigError, Problem, did_you_mean, first_line

_MODULES: dict[str, Any] = {
    "layer": keras.layers,
    "activation": keras.activations,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "loss": keras.losses,
    "metric": keras.metrics,
    "optimizer": keras.optimizers,
    "optimizer map": keras.optimizers,
    "schedule": keras.optimizers.schedules,
    "callback": keras.callbacks,
}
_BASES: dict[str, type] = {
    "layer": keras.layers.Layer,
    "initializer": keras.initializers.Initializer,
    "regularizer": keras.regularizers.Regularizer,
    "constraint": keras.constraints.Constraint,
    "loss": keras.losses.Loss,
    "metric": keras.metrics.Metric,
    "optimizer": keras.optimizers.Optimizer,
    "optimizer map": MutableMapping,
    "schedule": keras.optimizers.schedules.LearningRateSchedule,
    "callback": keras.callbacks.Callback,
}
_TENSORS = {"activation": 1, "loss": 2, "metric": 2}  # a function's first arguments, not the user's
_NOT_OBJECTS = ("get", "serialize", "deserialize")
_REFUSED = {
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
# What kind of object an argument takes, by the end of its name.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
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
    "optimizer_map": ("optimizer map",),
    "learning_rate": ("schedule",),
    "schedule": ("schedule",),
    "fn": ("loss", "metric"),
}
_SHORT = ("mse", "mae", "mape", "msle", "bce", "kld", "MSE", "MAE", "MAPE", "MSLE", "BCE", "KLD")


@keras.saving.register_keras_serializable("tftrain")
class Activation:
    """An activation function with arguments of its own, in a form that Keras can save.

    Args:
        name: of a function in `keras.activations`.
        arguments: of that function, by name.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self.name = name
        self.arguments = dict(arguments)

    def __call__(self, inputs: Any) -> Any:
        """The function's value, of the inputs' shape."""
        return getattr(keras.activations, self.name)(inputs, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again."""
        return {"name": self.name, "arguments": self.arguments}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Activation:
        """The object again: what Keras calls to load a model."""
        return cls(**config)


def make(kind: str, spec: Spec, path: Place, source: Source, **defaults: Any) -> Any:
    """The Keras object that a spec names.

    Args:
        kind: `layer`, `loss`, `metric`, `optimizer`, `callback` or one that stands in arguments.
        spec: its name and arguments.
        path: where the spec stands in the config.
        source: for the place of a fault.
        defaults: arguments to add where the object takes them and the spec doesn't give them.

    Raises:
        ConfigError: for an unknown name or argument, or whatever Keras refuses.
    """
    return _make((kind,), spec, path, source, defaults)


@functools.cache
def names(kind: str) -> dict[str, Any]:
    """The public objects of a kind, by name."""
    module, base = _MODULES[kind], _BASES.get(kind)
    found = {}
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_") or name in _NOT_OBJECTS:
            continue
        is_class = inspect.isclass(value) and base and issubclass(value, base) and value is not base
        if is_class or (kind in _TENSORS and inspect.isfunction(value)):
            found[name] = value
    return found


def _make(
    kinds: tuple[str, ...], spec: Spec, path: Place, source: Source, defaults: Mapping[str, Any]
) -> Any:
    for kind in kinds:
        target = names(kind).get(spec.name) or _short_names(kind).get(spec.name)
        if target is None:
            continue
        if spec.name in _REFUSED:
            raise ConfigError(source.problem(path, "K001", f"`{spec.name}`: {_REFUSED[spec.name]}"))
        if inspect.isclass(target):
            return _instance(target, spec, path, source, defaults)
        return _function(target, kind, spec, path, source, defaults=defaults)
    known = [name for kind in kinds for name in names(kind)]
    capital = spec.name[:1].isupper()  # of `relu` and `ReLU`, the one written alike: the last
    near = did_you_mean(spec.name, sorted(known, key=lambda name: name[:1].isupper() == capital))
    message = f"Keras has no {' or '.join(kinds)} called `{spec.name}`{near}"
    raise ConfigError(source.problem(path, "K001", message))


@functools.cache
def _short_names(kind: str) -> dict[str, Any]:
    """Keras's short names: `adam`, `mse`."""
    if kind == "optimizer":
        return {name.lower(): value for name, value in names(kind).items()}
    short: dict[str, Any] = {}
    if kind in ("loss", "metric"):
        for name in _SHORT:
            with suppress(ValueError):  # not every one is both
                found = _MODULES[kind].get(name)
                short[name] = found if inspect.isfunction(found) else type(found)
    return short


def _instance(
    target: type, spec: Spec, path: Place, source: Source, defaults: Mapping[str, Any]
) -> Any:
    own = (*path, spec.name)
    accepted, required = _parameters(target)
    problems = [
        _unknown(spec.name, argument, accepted, own, source)
        for argument in spec.arguments
        if argument not in accepted
    ]
    missing = [name for name in required if name not in spec.arguments and name not in defaults]
    if missing:
        message = f"`{spec.name}` needs {' and '.join(f'`{name}`' for name in missing)}"
        problems.append(source.problem(path, "K003", message))
    arguments = {name: value for name, value in defaults.items() if name in accepted}
    for name, value in spec.arguments.items():
        arguments[name] = collect(problems, partial(_value, name, value, (*own, name), source))
    if problems:
        raise ConfigError(problems)
    return _guarded(lambda: target(**arguments), spec, path, source)


def _unknown(
    name: str, argument: str, accepted: Iterable[str], own: Place, source: Source
) -> Problem:
    near = did_you_mean(argument, accepted) or f"; it takes {', '.join(accepted) or 'none'}"
    message = f"`{name}` has no argument `{argument}`{near}"
    return source.problem((*own, argument), "K002", message, key=True)


def _guarded(construct: Callable[[], Any], spec: Spec, path: Place, source: Source) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return construct()
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes; all of it is the user's
        message = f"`{spec.name}`: {first_line(error)}"
        raise ConfigError(source.problem(path, "K004", message)) from None


def _function(
    target: Any, kind: str, spec: Spec, path: Place, source: Source, *, defaults: Mapping[str, Any]
) -> Any:
    """A function as it is; with arguments, the class of its name, or what calls it with them."""
    parameters = list(inspect.signature(target).parameters.values())[_TENSORS[kind] :]
    own = [parameter.name for parameter in parameters]
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    if kind == "metric":  # as Keras does with a function among the metrics
        own += ["name", "dtype"]
    given = {name: value for name, value in defaults.items() if name in own} | dict(spec.arguments)
    if not given and not needed:
        return target
    twin = _class_of(target, kind)
    taken = _parameters(twin)[0] if twin else []
    accepted = taken if kind == "loss" else list(dict.fromkeys([*own, *taken]))
    unknown = [argument for argument in spec.arguments if argument not in accepted]
    if unknown:
        place = (*path, spec.name)
        raise ConfigError(_unknown(spec.name, name, accepted, place, source) for name in unknown)
    if twin and (spec.arguments or needed) and set(given) <= set(taken):
        return _instance(twin, spec, path, source, defaults)
    missing = [f"`{name}`" for name in needed if name not in given]
    if missing:
        message = f"`{spec.name}` needs {' and '.join(missing)}"
        raise ConfigError(source.problem(path, "K003", message))
    if kind == "activation":
        return Activation(spec.name, spec.arguments)
    wrap = partial(keras.metrics.MeanMetricWrapper, target, **given)
    return _guarded(wrap, spec, path, source)


def _class_of(function: Any, kind: str) -> type | None:
    """The class that does what a function does: one that anyone can load, `Activation` not."""
    wanted = function.__name__.replace("_", "")
    found = names("layer" if kind == "activation" else kind)
    classes = (value for name, value in found.items() if name.lower() == wanted)
    return next((value for value in classes if inspect.isclass(value)), None)


def _parameters(target: type) -> tuple[list[str], list[str]]:
    """The arguments a class takes, its bases' too where it passes them on, and those it needs."""
    accepted: dict[str, inspect.Parameter] = {}
    for base in target.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            # what a base can't do without, the class itself hands to it
            if named and (base is target or parameter.default is not parameter.empty):
                accepted.setdefault(parameter.name, parameter)
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters):
            break
    own = inspect.signature(target).parameters.values()
    required = [
        parameter.name
        for parameter in own
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    return list(accepted), required


def _value(name: str, value: Any, path: Place, source: Source) -> Any:
    """An argument's value, Keras objects in it made."""
    kinds = next((kinds for end, kinds in _ARGUMENTS.items() if _ends(name, end)), ())
    if isinstance(value, tuple):
        return _each(((place, name, item) for place, item in enumerate(value)), path, source)
    if isinstance(value, str) and kinds:
        return _make(kinds, spec_of(value), path, source, {})
    if not isinstance(value, Mapping):
        return value
    if name == "optimizer_map" and "OptimizerMap" not in value:  # its own: patterns to optimizers
        items = _each(((key, "optimizer", item) for key, item in value.items()), path, source)
        return dict(zip(value, items, strict=True))
    spec = _as_spec(value)
    if spec is None and (kinds or "class_name" in value):  # Keras would make whatever that names
        message = f"`{name}`: expected a Keras name or a mapping of it to its arguments"
        raise ConfigError(source.problem(path, "C015", message))
    if spec is not None and (kinds or any(spec.name in names(kind) for kind in _MODULES)):
        return _make(kinds or tuple(_MODULES), spec, path, source, {})
    items = _each(((key, key, item) for key, item in value.items()), path, source)
    return dict(zip(value, items, strict=True))


def _each(items: Iterable[tuple[Any, str, Any]], path: Place, source: Source) -> list[Any]:
    """The values of a list or a mapping, from the place, the name and the value of each."""
    problems: list[Problem] = []
    made = [
        collect(problems, partial(_value, name, value, (*path, place), source))
        for place, name, value in items
    ]
    if problems:
        raise ConfigError(problems)
    return made


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f"_{end}")


def _as_spec(value: Mapping[str, Any]) -> Spec | None:
    if len(value) != 1:
        return None
    ((name, arguments),) = value.items()
    if arguments is None or isinstance(arguments, Mapping):
        return Spec(name, arguments or {})
    return None


def collect(problems: list[Problem], construct: Callable[[], Any]) -> Any:
    """What `construct` makes; where it raises a ConfigError, None, and its problems are kept."""
    try:
        return construct()
    except ConfigError as error:
        problems += error.problems
        return None
