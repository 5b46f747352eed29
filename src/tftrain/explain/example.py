"""A network and one row in, out what each layer makes of it, and one step of training.

Rows before and after that one show which units are dead: 0 for every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tftrain import terminal
from tftrain.backend import tf
from tftrain.errors import counted
from tftrain.explain import gradients
from tftrain.explain.gradients import Check
from tftrain.explain.subject import Subject, outputs

ROWS = 256  # that tell dead units
_FEW = 8
_NEAR = 0.01  # an output that near to an end of its activation is saturated
_ZERO = ("relu", "relu6", "sparse_plus")
_ENDS: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "sparse_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Layer:
    """What one layer makes of the row.

    Args:
        name: Keras's.
        activation: its activation's name, or None.
        shape: of its output for one row.
        output: the Euclidean norm of the output.
        gradient: that of the loss's derivative by the output.
        weights: that of the loss's derivative by its trainable variables; None where it has none.
        zero: the share of outputs that are 0; None where the activation has no such side.
        dead: the share of units that are 0 for every one of the rows; None as above.
        saturated: the share of outputs near an end of the activation; None where it has none.
    """

    name: str
    activation: str | None
    shape: tuple[int, ...]
    output: float
    gradient: float
    weights: float | None
    zero: float | None
    dead: float | None
    saturated: float | None


@dataclass(frozen=True)
class Step:
    """One weight in one step of training.

    Args:
        name: `layer/variable[place]`.
        before: the weight.
        gradient: the loss's derivative by it.
        after: `before - alpha * gradient`.
        optimizer: what the config's optimizer makes of it in its first step.
    """

    name: str
    before: float
    gradient: float
    after: float
    optimizer: float


@dataclass(frozen=True)
class Example:
    """All that is to be said of one row.

    Args:
        title: the config or the run.
        row: its position in the training part.
        label: what the loss takes for it.
        layers: one after another.
        loss: of the row, with whatever regularizers add.
        alpha: the learning rate.
        optimizer: its class's name.
        steps: the weight of each variable whose derivative is largest.
        losses: after a step of gradient descent, and after one of the optimizer's.
        rows: how many tell dead units.
        check: the gradients against finite differences.
        checked: on how many rows.
    """

    title: str
    row: int
    label: list[float]
    layers: tuple[Layer, ...]
    loss: float
    alpha: float
    optimizer: str
    steps: tuple[Step, ...]
    losses: tuple[float, float]
    rows: int
    check: Check
    checked: int

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        checks = [
            {
                "name": one.name,
                "shape": one.shape,
                "checked": len(one.places),
                "largest_relative_error": one.largest,
                "kinks": int(one.kinks.sum()),
            }
            for one in self.check.variables
        ]
        shown = {name: value for name, value in vars(self).items() if name != "check"}
        nested = {
            "layers": [asdict(one) for one in self.layers],
            "steps": [asdict(one) for one in self.steps],
        }
        bar = self.check.precision.bar
        return {**shown, **nested, "check": {"bar": bar, "rows": self.checked, "variables": checks}}


def explain(subject: Subject, row: int) -> Example:
    """What a network makes of one training row.

    Args:
        subject: the network and its rows.
        row: the row's position in the training part, from 0.
    """
    network = subject.network
    rows = subject.rows(row, 1)
    many = subject.rows(0, ROWS)[0]
    made, slopes, loss, gradient = _backward(network, rows)
    everywhere = outputs(network, many)
    layers = tuple(
        _layer(layer, output, slope, every, gradient)
        for layer, output, slope, every in zip(
            network.layers, made, slopes, everywhere, strict=True
        )
    )
    steps, losses, alpha = _steps(network, rows, gradient)
    batch = subject.rows(max(0, min(row, len(subject.part) - gradients.ROWS)), gradients.ROWS)
    return Example(
        subject.title,
        row,
        [float(one) for one in np.ravel(rows[1][0])],
        layers,
        loss,
        alpha,
        type(network.optimizer).__name__,
        steps,
        losses,
        len(many),
        gradients.check(network, batch, subject.config.seed),
        len(batch[0]),
    )


Gradient = dict[int, Any]  # by the variable's identity: names may come twice


def _backward(
    network: Any, rows: tuple[Any, Any, Any]
) -> tuple[list[Any], list[Any], float, Gradient]:
    """Each layer's output, the loss's derivative by it, the loss, and that by each variable."""
    inputs, labels, weights = rows
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        made = outputs(network, inputs, tape.watch)
        loss = network.compute_loss(inputs, labels, made[-1], weights, training=False)
    wanted = [made, [one.value for one in variables]]
    slopes, found = tape.gradient(loss, wanted, unconnected_gradients="zero")
    arrays = (np.asarray(tf.convert_to_tensor(one)) for one in found)
    gradient = {id(one): array for one, array in zip(variables, arrays, strict=True)}
    last = tf.identity(made[-1])  # of a sigmoid's own output Keras's loss goes back to its input
    with tf.GradientTape() as tape:
        tape.watch(last)
        again = network.compute_loss(inputs, labels, last, weights, training=False)
    slope = tf.convert_to_tensor(tape.gradient(again, last, unconnected_gradients="zero"))
    return made, [*slopes[:-1], slope], float(loss), gradient


def _layer(layer: Any, made: Any, slope: Any, everywhere: Any, gradient: Gradient) -> Layer:
    activation = _activation(layer)
    values, all_rows = np.asarray(made[0]), np.asarray(everywhere)
    zero = dead = saturated = None
    if activation in _ZERO:
        zero = float(np.mean(values == 0))
        dead = float(np.mean(np.all(all_rows == 0, axis=tuple(range(all_rows.ndim - 1)))))
    if activation is not None and activation in _ENDS:
        low, high = _ENDS[activation]
        saturated = float(np.mean((values < low + _NEAR) | (values > high - _NEAR)))
    own = [gradient[id(one)] for one in layer.trainable_variables]
    weights = float(np.sqrt(sum(np.sum(np.square(one)) for one in own))) if own else None
    output, back = (float(np.linalg.norm(np.ravel(one))) for one in (made, slope))
    shares = (zero, dead, saturated)
    return Layer(layer.name, activation, values.shape, output, back, weights, *shares)


def _activation(layer: Any) -> str | None:
    """The name of what a layer applies last, or None."""
    known = type(layer).__name__.lower()
    if known in (*_ZERO, *_ENDS):
        return known
    return getattr(getattr(layer, "activation", None), "__name__", None)


def _steps(
    network: Any, rows: tuple[Any, Any, Any], gradient: Gradient
) -> tuple[tuple[Step, ...], tuple[float, float], float]:
    """A step by the bare gradient and one by the optimizer; the weights are put back."""
    variables = network.trainable_variables
    begun = [one.numpy() for one in variables]
    slopes = [gradient[id(one)] for one in variables]
    alpha = float(network.optimizer.learning_rate)
    bare = [one - alpha * slope for one, slope in zip(begun, slopes, strict=True)]
    try:
        _assign(variables, bare)
        descended = _loss(network, rows)
        _assign(variables, begun)
        network.optimizer.apply(list(map(tf.constant, slopes)), variables)
        moved = [one.numpy() for one in variables]
        optimized = _loss(network, rows)
    finally:
        _assign(variables, begun)
    found = []
    for one, was, slope, after, made in zip(variables, begun, slopes, bare, moved, strict=True):
        place = np.unravel_index(int(np.argmax(np.abs(slope))), slope.shape)
        label = f"[{','.join(map(str, place))}]" if place else ""
        values = (float(array[place]) for array in (was, slope, after, made))
        found.append(Step(f"{one.path}{label}", *values))
    return tuple(found[:_FEW]), (descended, optimized), alpha


def _assign(variables: list[Any], values: list[Any]) -> None:
    for one, value in zip(variables, values, strict=True):
        one.assign(value)


def _loss(network: Any, rows: tuple[Any, Any, Any]) -> float:
    inputs, labels, weights = rows
    made = outputs(network, inputs)[-1]
    return float(network.compute_loss(inputs, labels, made, weights, training=False))


def told(one: Example) -> list[str]:
    """The same as a person reads it."""
    label = ", ".join(f"{number:g}" for number in one.label[:_FEW])
    return [
        f"{one.title}: training row {one.row}, label {label}{', ...' * (len(one.label) > _FEW)}",
        "",
        _layers_table(one),
        f"norms are Euclidean; dead: 0 for each of {counted(one.rows, 'row')};",
        f"saturated: within {_NEAR} of an end of the activation",
        "",
        *_training(one),
        "",
        *_gradients(one.check, one.checked),
    ]


def _layers_table(one: Example) -> str:
    header = ["layer", "activation", "output", "|a|", "|dJ/da|", "|dJ/dw|", "zero", "dead"]
    rows = [
        [
            layer.name,
            layer.activation or "",
            "x".join(map(str, layer.shape)),
            terminal.number(layer.output),
            terminal.number(layer.gradient),
            "" if layer.weights is None else terminal.number(layer.weights),
            *map(_share, (layer.zero, layer.dead, layer.saturated)),
        ]
        for layer in one.layers
    ]
    return terminal.table([*header, "saturated"], rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _training(one: Example) -> list[str]:
    rows = [
        [step.name, *map(_signed, (step.before, step.gradient, step.after, step.optimizer))]
        for step in one.steps
    ]
    header = ["w", "before", "dJ/dw", "w - alpha dJ/dw", one.optimizer]
    descended, optimized = one.losses
    return [
        f"one step of training, w := w - alpha dJ/dw, with alpha = {one.alpha:g}",
        terminal.table(header, rows) if rows else "nothing to train",
        f"J = {one.loss:.6g}; after that step {descended:.6g}",
        f"after a step of {one.optimizer} {optimized:.6g}",
    ]


def _signed(value: float) -> str:
    return f"{value:.6g}"


def _gradients(check: Check, rows: int) -> list[str]:
    sampled = any(len(one.places) < np.prod(one.shape, dtype=int) for one in check.variables)
    kind = ", in float64" if check.precision is gradients.DOUBLE else ""
    table = [
        [
            one.name,
            "x".join(map(str, one.shape)) or "1",
            f"{len(one.places):,}",
            "-" if check.precision is gradients.HALF else f"{one.largest:.1e}",
            str(int(one.kinks.sum())),
        ]
        for one in check.variables
    ]
    known = max((one.largest for one in check.variables), default=0.0)
    lines = [
        f"backpropagation against finite differences{kind}, on {counted(rows, 'row')}"
        + (", a sample of each variable's entries" if sampled else ", every entry"),
        terminal.table(["variable", "shape", "checked", "largest error", "kinks"], table),
    ]
    if check.precision is gradients.SINGLE:
        lines.append("a layer or the loss computes in float32: differences are coarse")
    if check.precision is gradients.HALF:
        lines.append("a layer computes in fewer than 32 bits: too coarse to check a gradient by")
    elif not check.wrong:
        lines.append(f"ok: the largest relative error is {known:.1e}, below {check.precision.bar}")
    for one in check.wrong:
        place = np.unravel_index(int(one.places[one.worst]), one.shape)
        lines.append(
            f"FAILED: {one.name}[{','.join(map(str, place))}]: by backpropagation "
            f"{one.backward[one.worst]:.6g}, by differences {one.differences[one.worst]:.6g}"
        )
    return lines
