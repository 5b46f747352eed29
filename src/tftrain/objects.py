"""A Spec in, the Keras object it names out, or the place in the config where it is wrong.

Only Keras's own public classes and functions can be named, and none that runs foreign programs.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from tftrain.backend import keras
from tftrain.config import Source, Spec, spec_of
from tftrain.config.text import Place
from tftrain.errors import ConfigError, Problem, did_you_mean

_MODULES: dict[str, Any] = {
    "layer": keras.layers,
    "activation": keras.activations,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "loss": keras.losses,
    "metric": keras.metrics,
    "optimizer": keras.optimizers,
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
    "schedule": keras.optimizers.schedules.LearningRateSchedule,
    "callback": keras.callbacks.Callback,
}
_FUNCTIONS = ("activation", "loss", "metric")
_NOT_OBJECTS = ("get", "serialize", "deserialize")
_REFUSED = {
    "TFSMLayer": "it runs a program from a file",
    "Lambda": "it runs Python code",
    "JaxLayer": "it runs Python code",
    "FlaxLayer": "it runs Python code",
    "TorchModuleWrapper": "it runs Python code",
}
# What kind of object an argument takes, by the end of its name.
_ARGUMENTS = {
    "initializer": ("initializer",),
    "regularizer": ("regularizer",),
    "constraint": ("constraint",),
    "activation": ("activation", "layer"),
    "layer": ("layer",),
    "layers": ("layer",),
    "cell": ("layer",),
    "cells": ("layer",),
    "optimizer": ("optimizer",),
    "learning_rate": ("schedule",),
    "schedule": ("schedule",),
}
_NAMED = ("initializer", "regularizer", "constraint", "activation")
_LONGEST = 240


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
        if is_class or (kind in _FUNCTIONS and inspect.isfunction(value)):
            found[name] = value
    return found


def first_line(error: BaseException) -> str:
    """What an exception says, as one line of bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


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
        return _function(target, kind, spec, path, source)
    near = did_you_mean(spec.name, [name for kind in kinds for name in names(kind)])
    message = f"Keras has no {' or '.join(kinds)} called `{spec.name}`{near}"
    raise ConfigError(source.problem(path, "K001", message))


@functools.cache
def _short_names(kind: str) -> dict[str, Any]:
    """Keras's short names: `adam`, `mse`."""
    if kind == "optimizer":
        return {name.lower(): value for name, value in names(kind).items()}
    if kind not in ("loss", "metric"):
        return {}
    short = ("mse", "mae", "mape", "msle", "bce", "kld")
    return {name: _MODULES[kind].get(name) for name in (*short, *map(str.upper, short[:4]))}


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


def _function(target: Any, kind: str, spec: Spec, path: Place, source: Source) -> Any:
    """A function as it is, or, for an activation with arguments, what calls it with them."""
    if not spec.arguments:
        return target
    accepted = list(inspect.signature(target).parameters)[1:] if kind == "activation" else []
    unknown = [argument for argument in spec.arguments if argument not in accepted]
    if unknown:
        own = (*path, spec.name)
        raise ConfigError(_unknown(spec.name, name, accepted, own, source) for name in unknown)
    layers = {name.lower(): layer for name, layer in names("layer").items()}
    twin = layers.get(spec.name.replace("_", ""))  # anyone can load a layer, `Activation` not
    if twin is not None and set(spec.arguments) <= set(_parameters(twin)[0]):
        return _instance(twin, spec, path, source, {})
    return Activation(spec.name, spec.arguments)


def _parameters(target: type) -> tuple[list[str], list[str]]:
    """The arguments a class takes, its bases' too where it passes them on, and those it needs."""
    accepted: dict[str, inspect.Parameter] = {}
    for base in target.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
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
    kinds = next((kinds for end, kinds in _ARGUMENTS.items() if _ends(name, end)), None)
    if isinstance(value, tuple):
        made = [_value(name, item, (*path, place), source) for place, item in enumerate(value)]
        return made if kinds else tuple(made)
    if isinstance(value, str) and kinds and kinds[0] in _NAMED:
        return _make(kinds, spec_of(value), path, source, {})
    if isinstance(value, Mapping):
        spec = _as_spec(value)
        if spec is not None and (kinds or any(spec.name in names(kind) for kind in _MODULES)):
            return _make(kinds or tuple(_MODULES), spec, path, source, {})
        return {key: _value(key, item, (*path, key), source) for key, item in value.items()}
    return value


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
