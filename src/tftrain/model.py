"""Config.model and the data's shape in, a compiled `keras.Sequential` out."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from tftrain.backend import keras, tf
from tftrain.config import (
    Config,
    Place,
    Source,
    Spec,
    by_shapes,
    collect,
    family,
    is_own,
    outputs,
    outputs_fault,
    resolve,
    snake_case,
)
from tftrain.data import Form
from tftrain.data.target import TargetScaling
from tftrain.errors import ConfigError, Problem
from tftrain.foreign import words
from tftrain.objects import build as made
from tftrain.objects import make

Shape = tuple[int | None, ...]
_NAME = "network"
_TRIED_ROWS = 3  # of one row, shapes that don't fit can be stretched


def build(config: Config, source: Source, form: Form) -> Any:
    """The network, built and compiled.

    Args:
        config: the layers, the loss, the metrics, the optimizer.
        source: for the place of a fault.
        form: the inputs it takes and the labels its outputs must fit.

    Returns:
        A `keras.Sequential` whose layers are named by their class, as Keras names them.

    Raises:
        ConfigError: with every Keras object that is wrong; then, if none is, with the layer that
            doesn't fit the one before, or outputs that don't fit the labels.
    """
    problems: list[Problem] = []
    layers = _layers(config, source, problems)
    collect(problems, partial(_loss, config, source))
    collect(problems, partial(_optimizer, config, source))
    _metrics(config, source, problems, None)
    if problems:
        raise ConfigError(problems)
    network = _assemble(layers, form.inputs, source)
    _check_output(config, source, network.output_shape[1:], form)
    metrics = compiled(network, config, source, form)
    _try_layers(network, config, source, form)
    _try(network, metrics, config, source, form)
    return network


def compiled(network: Any, config: Config, source: Source, form: Form) -> dict[str, list[Any]]:
    """Gives a network the loss, the metrics and the optimizer that a config asks for.

    Returns:
        The metrics by section.

    Raises:
        ConfigError: when Keras refuses one of them.
    """
    metrics = _metrics(config, source, [], (network.output_shape, (None, *form.labels)))
    if form.target is not None:
        for metric in itertools.chain.from_iterable(metrics.values()):
            _in_units(metric, form.target)
    loss, optimizer = _loss(config, source), _optimizer(config, source)
    try:
        network.compile(optimizer=optimizer, loss=loss, jit_compile=False, **metrics)
        network.optimizer.build(network.trainable_variables)
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes
        message = f"`{config.training.optimizer.name}`: {words(error, source)}"
        raise ConfigError(source.problem(("training", "optimizer"), "K004", message)) from None
    return metrics


def layered(config: Config, source: Source, form: Form, name: str = _NAME) -> Any:
    """The layers of a network that `build` has built, made anew: with other first weights.

    Returns:
        A `keras.Sequential` of that name that isn't compiled.
    """
    return _assemble(_layers(config, source, []), form.inputs, source, name)


def weights_by_name(network: Any) -> dict[str, Any]:
    """Every weight that predictions depend on, NumPy arrays by `network/layer/weight`."""
    return {name: variable.numpy() for name, variable in _variables(network).items()}


def set_weights_by_name(network: Any, arrays: Mapping[str, Any]) -> str | None:
    """Puts weights in place.

    Returns:
        What doesn't fit (a name, a shape, a type), or None.
    """
    wanted = _variables(network)
    if set(wanted) != set(arrays):
        odd = sorted(set(wanted) ^ set(arrays))
        return f"weights of another network: {', '.join(odd[:3])}"
    for name, variable in wanted.items():
        array = arrays[name]
        if tuple(variable.shape) != array.shape or variable.dtype != str(array.dtype):
            found = f"{array.dtype}{array.shape}"
            return f"`{name}`: expected {variable.dtype}{tuple(variable.shape)}, got {found}"
    for name, variable in wanted.items():
        variable.assign(arrays[name])
    return None


def _variables(network: Any) -> dict[str, Any]:
    """The weights by path; nothing keeps two layers inside a third from having the same name."""
    counts: Counter[str] = Counter()
    named = {}
    for variable in network.weights:
        count = counts[variable.path]
        counts[variable.path] += 1
        named[f"{variable.path}_{count}" if count else variable.path] = variable
    return named


def _layers(config: Config, source: Source, problems: list[Problem]) -> list[Any]:
    """The layers, named as Keras would in a process that made nothing else before."""
    counts: Counter[str] = Counter()
    layers = []
    for place, spec in enumerate(config.model.layers):
        path = ("model", "layers", place)
        layer = collect(problems, partial(resolve, "layer", spec, path, source))
        if layer is None:
            continue
        name = snake_case(layer.entry.definition)
        numbered = f"{name}_{counts[name]}" if counts[name] else name
        counts[name] += "name" not in spec.arguments
        layers.append(collect(problems, partial(made, layer, source, name=numbered)))
    return layers


def _assemble(layers: list[Any], shape: tuple[int, ...], source: Source, name: str = _NAME) -> Any:
    if isinstance(layers[0], keras.layers.InputLayer) and layers[0].batch_shape[1:] != shape:
        message = f"takes rows of shape {layers[0].batch_shape[1:]}; the data's are {shape}"
        raise ConfigError(source.problem(("model", "layers", 0), "K005", message))
    if not isinstance(layers[0], keras.layers.InputLayer):
        layers = [keras.Input(shape, name="input"), *layers]
        offset = 1
    else:
        offset = 0
    with suppress(Exception):  # which layer it was is found below
        network = keras.Sequential(layers, name=name)
        if network.output_shape:  # it has none, and raises, where Keras gave up without a word
            return network
    network, before = keras.Sequential(name=name), shape
    for place, layer in enumerate(layers):
        try:
            network.add(layer)
            before = network.output_shape[1:] if place else shape
        except Exception as error:  # noqa: BLE001 - Keras raises what it likes
            message = f"doesn't fit rows of shape {before}: {words(error, source)}"
            path = ("model", "layers", max(0, place - offset))
            raise ConfigError(source.problem(path, "K005", message)) from None
    return network


def _optimizer(config: Config, source: Source) -> Any:
    return make("optimizer", config.training.optimizer, ("training", "optimizer"), source)


def _loss(config: Config, source: Source) -> Any:
    spec = config.training.loss
    if by_shapes("loss", spec):
        return spec.name  # Keras chooses by the shapes, and by this word only
    return make("loss", spec, ("training", "loss"), source)


def _metrics(
    config: Config,
    source: Source,
    problems: list[Problem],
    shapes: tuple[Shape, Shape] | None,
) -> dict[str, list[Any]]:
    """The metrics by section, each under the name it has in the logs."""
    made: dict[str, list[Any]] = {"metrics": [], "weighted_metrics": []}
    logits = outputs(config.training.loss) == "logits"
    for section, place, name in config.training.metric_names():
        spec = getattr(config.training, section)[place]
        if by_shapes("metric", spec):
            if shapes is not None:
                made[section].append(_accuracy(config, name, *shapes))
            continue
        defaults = {"name": name, "from_logits": logits}
        path = ("training", section, place)
        metric = collect(problems, partial(make, "metric", spec, path, source, **defaults))
        made[section].append(metric)
    return made


def _accuracy(config: Config, name: str, output: Shape, labels: Shape) -> Any:
    """The accuracy that fits the loss; Keras itself cuts logits at 0.5."""
    loss = config.training.loss
    if family(loss) in ("binary", "hinge") or output[-1] == 1:
        threshold = 0.5 if outputs(loss) == "probabilities" else 0.0
        return keras.metrics.BinaryAccuracy(name=name, threshold=threshold)
    if family(loss) == "sparse" or len(labels) < len(output):
        return keras.metrics.SparseCategoricalAccuracy(name=name)
    return keras.metrics.CategoricalAccuracy(name=name)


def _in_units(metric: Any, target: TargetScaling) -> None:
    """Lets a metric see targets and outputs in the target's own units."""
    update = metric.update_state

    def restored(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return update(_restore(y_true, target), _restore(y_pred, target), sample_weight)

    metric.update_state = restored


def _restore(numbers: Any, target: TargetScaling) -> Any:
    """`TargetScaling.restore`, in a graph."""
    numbers = tf.cast(numbers, "float32") * target.deviation + target.mean
    return tf.exp(numbers) - 1 if target.log else numbers


def _check_output(config: Config, source: Source, output: Shape, form: Form) -> None:
    """Outputs and labels of shapes that mean the same: Keras stretches one over the other."""
    classes = len(form.classes or ())
    loss = config.training.loss
    own = is_own("loss", loss, source)
    message = outputs_fault(loss, output, classes, form.labels, own=own)
    if message:
        path = ("model", "layers", len(config.model.layers) - 1)
        raise ConfigError(source.problem(path, "K005", message))


def _try_layers(network: Any, config: Config, source: Source, form: Form) -> None:
    """Every layer on rows of zeros: what each can't compute."""
    outputs = tf.zeros((_TRIED_ROWS, *form.inputs))
    kept = [(variable, variable.numpy()) for variable in network.non_trainable_variables]
    first = len(config.model.layers) - len(network.layers)  # Keras keeps no Input among them
    for place, layer in enumerate(network.layers, first):
        try:
            layer(outputs, training=True)
            outputs = layer(outputs, training=False)
        except Exception as error:  # noqa: BLE001 - Keras raises what it likes
            message = f"can't compute rows of shape {outputs.shape[1:]}: {words(error, source)}"
            path = ("model", "layers", place)
            raise ConfigError(source.problem(path, "K005", message)) from None
    for variable, value in kept:  # the states of random numbers, means, what a row left behind
        variable.assign(value)


def _try(
    network: Any, metrics: dict[str, list[Any]], config: Config, source: Source, form: Form
) -> None:
    """A step without updates on rows of zeros: what the loss and the metrics refuse, all of it.

    It also builds the metrics, so that a graph traced later holds them all.
    """
    inputs = tf.zeros((_TRIED_ROWS, *form.inputs))
    outputs = network(inputs, training=False)
    numbers = "int32" if form.classes and not form.labels else "float32"
    shape = (1,) if outputs.shape[1:] == (1,) else form.labels  # as the engine hands them over
    labels = tf.zeros((_TRIED_ROWS, *shape), numbers)
    problems: list[Problem] = []

    def attempt(path: Place, spec: Spec, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - Keras raises what it likes
            message = f"`{spec.name}` can't take these labels and outputs: {words(error, source)}"
            problems.append(source.problem(path, "K006", message))

    loss = config.training.loss
    attempt(("training", "loss"), loss, lambda: network.compute_loss(None, labels, outputs))
    for section, place, _ in config.training.metric_names():
        spec, metric = getattr(config.training, section)[place], metrics[section][place]
        attempt(("training", section, place), spec, partial(metric.update_state, labels, outputs))
    if problems:
        raise ConfigError(problems)
    try:
        network.test_step((inputs, labels))
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes
        message = f"can't compute rows of shape {form.inputs}: {words(error, source)}"
        raise ConfigError(source.problem(("model", "layers"), "K005", message)) from None
    network.reset_metrics()
