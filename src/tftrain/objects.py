"""A Spec in, the Keras object it names out, or the place in the config where Keras refuses it.

What can be named, and with which arguments, is the catalog's to say; here it is made.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tftrain import losses, optimizers  # noqa: F401 - they register what the catalog knows
from tftrain.backend import keras
from tftrain.config import Place, Resolved, Source, Spec, resolve
from tftrain.errors import ConfigError
from tftrain.foreign import words


@keras.saving.register_keras_serializable("tftrain")
class Activation:
    """An activation function with arguments of its own, in a form that Keras can save.

    Args:
        name: of a function in `keras.activations`, or of one's own in Keras's registry.
        arguments: of that function, by name.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self.name = name
        self.arguments = dict(arguments)

    def __call__(self, inputs: Any) -> Any:
        """The function's value, of the inputs' shape."""
        own = keras.saving.get_registered_object(self.name)
        function = own or getattr(keras.activations, self.name)
        return function(inputs, **self.arguments)

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
    return build(resolve(kind, spec, path, source), source, **defaults)


def build(one: Resolved, source: Source, **defaults: Any) -> Any:
    """The Keras object of what is resolved; see `make`."""
    target = _target(one)
    given = {name: value for name, value in defaults.items() if name in one.takes}
    given |= {name: _value(value, source) for name, value in one.arguments.items()}
    if one.entry.is_class:
        return _guarded(partial(target, **given), one, source)
    if one.kind == "activation" and given:
        return Activation(one.entry.registered or one.name, given)
    if one.kind == "metric" and given:
        return _guarded(partial(keras.metrics.MeanMetricWrapper, target, **given), one, source)
    return target


def _target(one: Resolved) -> Any:
    """The class or the function: Keras's, or what tftrain or the config's code has registered."""
    if one.entry.registered is not None:
        return keras.saving.get_registered_object(one.entry.registered)
    package = functools.reduce(getattr, one.package.split("."), keras)
    return getattr(package, one.name)


def _value(value: Any, source: Source) -> Any:
    """A value with the objects in it made."""
    if isinstance(value, Resolved):
        return build(value, source)
    if isinstance(value, list):
        return [_value(item, source) for item in value]
    if isinstance(value, Mapping):
        return {key: _value(item, source) for key, item in value.items()}
    return value


def _guarded(construct: Callable[[], Any], one: Resolved, source: Source) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return construct()
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes; all of it is the user's
        message = f"`{one.name}`: {words(error, source)}"
        raise ConfigError(source.problem(one.path, "K004", message)) from None
