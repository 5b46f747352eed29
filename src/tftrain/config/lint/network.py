"""A config in, what a rule looks at out: layers in blocks, activations, what is known of the data.

A block is a layer with weights and what follows it up to the next one. What isn't known is None,
and a rule that needs it stays silent.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tftrain.config.lint.facts import Facts
from tftrain.config.lint.layers import (
    ACTIVATIONS,
    KEEPS_SHAPE,
    KEEPS_VALUES,
    LINEAR,
    MAPS,
    NOISES,
    activation_of,
    has_weights,
    inner,
    units_of,
)
from tftrain.config.losses import ACCURACY, by_shapes, family
from tftrain.config.resolve import Resolved, resolve
from tftrain.config.schema import Config, Model, Spec, Training
from tftrain.config.text import Place, Source
from tftrain.errors import CODES, Severity

Shape = tuple[int | None, ...]
Finding = tuple[Place, str]


@dataclass(frozen=True)
class Rule:
    """A rule of thumb.

    Args:
        code: `N001` and on, one of `CODES`.
        severity: an error where the result would be meaningless, a warning where it is probably
            not meant, a hint for better practice.
        reason: why, in two sentences.
        reference: a paper, a Keras page, or a topic of the course notes.
        change: what to write instead.
        find: each place of a network that breaks the rule, and what is wrong there.
    """

    code: str
    severity: Severity
    reason: str
    reference: str
    change: str
    find: Callable[[Network], Iterator[Finding]]

    @property
    def title(self) -> str:
        """What the code stands for."""
        return CODES[self.code]


@dataclass(frozen=True)
class Metric:
    """A metric of the config.

    Args:
        name: Keras's name of it, or the word that shapes decide (`accuracy`).
        resolved: None of such a word.
        path: where it stands.
    """

    name: str
    resolved: Resolved | None
    path: Place


@dataclass(frozen=True)
class Applied:
    """An activation at its place in the network.

    Args:
        name: in small letters without `_`: `relu`, `leakyrelu`.
        place: the number of the layer that applies it.
        path: where it is written.
    """

    name: str
    place: int
    path: Place


@dataclass
class Block:
    """A layer with weights, and what follows it up to the next one.

    Args:
        place: the layer's number.
        layer: it, without a wrapper.
        activations: what is applied to its outputs, in order; linear ones left out.
        others: the numbers of the layers that follow and are no activations.
        linear: whether all of it is one linear map once the network is trained.
    """

    place: int
    layer: Resolved
    activations: list[Applied] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    linear: bool = True

    @property
    def activation(self) -> str:
        """The last activation's name, `linear` without one."""
        return self.activations[-1].name if self.activations else "linear"

    @property
    def is_map(self) -> bool:
        """Whether it is Dense, a convolution or the like: neither recurrent nor a table."""
        return self.layer.entry.definition in MAPS


@dataclass(frozen=True)
class Network:
    """What a rule looks at.

    Args:
        config: the values in force.
        source: where each was written.
        facts: what is known of the data.
        layers: the config's, resolved.
        optimizer: likewise.
        loss: likewise; None for a word that shapes decide.
        metrics: likewise.
        callbacks: likewise.
        shapes: for each layer one row's shape behind it, and its parameters; empty if unknown.
    """

    config: Config
    source: Source
    facts: Facts
    layers: tuple[Resolved, ...]
    optimizer: Resolved
    loss: Resolved | None
    metrics: tuple[Metric, ...]
    callbacks: tuple[Resolved, ...]
    shapes: Sequence[tuple[Shape | None, int | None]] = ()

    def at(self, one: Resolved, argument: str | None = None) -> Place:
        """The path of an object's argument, or of the object where that isn't written."""
        if argument not in one.arguments:
            return one.path
        return (*one.path, self._written(one.path), str(argument))

    def _written(self, path: Place) -> str:
        """The name that the user wrote for the object at a path, which may be a short one."""
        value: Any = self.config
        for part in path:
            if isinstance(value, Config | Model | Training):
                value = getattr(value, str(part))
            else:
                value = value.arguments if isinstance(value, Spec) else value[part]
        return value.name if isinstance(value, Spec) else str(next(iter(value)))

    def shape(self, place: int) -> Shape | None:
        """One row's shape behind a layer; that of the inputs at -1."""
        if place < 0:
            return self.facts.inputs
        if place < len(self.shapes):
            return self.shapes[place][0]
        layer, before = inner(self.layers[place]), self.shape(place - 1)
        if layer.entry.definition == "Dense":
            return (*(before or (None,))[:-1], units_of(layer))
        if layer.entry.definition == "Flatten" and before and None not in before:
            return (math.prod(size or 1 for size in before),)
        return before if layer.entry.definition in KEEPS_SHAPE else None

    def width(self, place: int) -> int | None:
        """The last axis behind a layer: its units, channels or features."""
        shape = self.shape(place)
        return shape[-1] if shape else None

    @functools.cached_property
    def parameters(self) -> int | None:
        """Of all the layers."""
        every = [number for _, number in self.shapes if number is not None]
        return sum(every) if self.shapes and len(every) == len(self.layers) else None

    @functools.cached_property
    def blocks(self) -> list[Block]:
        """The layers with weights, each with what follows it."""
        blocks: list[Block] = []
        for place, wrapped in enumerate(self.layers):
            layer = inner(wrapped)
            if has_weights(layer):
                blocks.append(Block(place, layer, linear=layer.entry.definition in MAPS))
            elif blocks and layer.entry.definition not in ACTIVATIONS:
                blocks[-1].others.append(place)
                blocks[-1].linear &= layer.entry.definition in LINEAR
            name = activation_of(layer)
            if blocks and name not in (None, "linear"):
                path = self.at(wrapped, "activation") if wrapped is layer else wrapped.path
                blocks[-1].activations.append(Applied(str(name), place, path))
                blocks[-1].linear = False
        return blocks

    @property
    def hidden(self) -> list[Block]:
        """All blocks but the last."""
        return self.blocks[:-1]

    @functools.cached_property
    def output(self) -> Applied | None:
        """The activation of the network's outputs, `linear` for none, None where unknown."""
        for place in range(len(self.layers) - 1, -1, -1):
            layer = inner(self.layers[place])
            name = activation_of(layer)
            if name == "linear" and layer.entry.definition in ACTIVATIONS:
                continue
            if name is not None:
                path = self.at(self.layers[place], "activation")
                return Applied(name, place, path)
            if layer.entry.definition not in (*KEEPS_VALUES, *NOISES):
                return None
        return None

    @property
    def units(self) -> int | None:
        """The number of outputs."""
        return self.width(len(self.layers) - 1)

    def between(self, first: int, last: int) -> Iterator[Resolved]:
        """The layers from one place to before another."""
        return (inner(layer) for layer in self.layers[max(0, first) : last])

    def callback(self, *names: str) -> Iterator[Resolved]:
        """The callbacks of these names."""
        return (one for one in self.callbacks if one.name in names)

    @property
    def has_own_loss(self) -> bool:
        """Whether the loss is of the config's own code."""
        return self.loss is not None and self.loss.entry.is_foreign

    @property
    def is_of_numbers(self) -> bool:
        """Whether the loss is one of Keras's for numbers; of one's own nothing is known."""
        return family(self.config.training.loss) == "numbers" and not self.has_own_loss

    @property
    def batch(self) -> int | None:
        """Rows an update."""
        size = self.config.training.batch_size
        return self.facts.rows if size == "full" else int(size)

    @property
    def steps(self) -> int | None:
        """Batches an epoch."""
        rows, batch = self.facts.rows, self.batch
        return None if rows is None or not batch else math.ceil(rows / batch)

    @property
    def is_validated(self) -> bool:
        """Whether there are rows to validate on."""
        return self.config.data.split.validation != 0


def network(
    config: Config,
    source: Source,
    facts: Facts,
    shapes: Sequence[tuple[Shape | None, int | None]] = (),
) -> Network:
    """What the rules look at.

    Args:
        config: the values in force.
        source: where each was written.
        facts: what is known of the data.
        shapes: for each layer one row's shape behind it, and its parameters, None where unknown.

    Raises:
        ConfigError: when an object of the config isn't one of Keras's.
    """

    def of(kind: str, spec: Spec, *path: str | int) -> Resolved:
        return resolve(kind, spec, path, source)

    training = config.training
    metrics = []
    for section, place, _ in training.metric_names():
        spec, path = getattr(training, section)[place], ("training", section, place)
        known = None if by_shapes("metric", spec) else of("metric", spec, *path)
        word = "accuracy" if spec.name in ACCURACY else spec.name
        metrics.append(Metric(known.name if known else word, known, path))
    return Network(
        config,
        source,
        facts,
        tuple(
            of("layer", one, "model", "layers", at) for at, one in enumerate(config.model.layers)
        ),
        _following_gradients(of("optimizer", training.optimizer, "training", "optimizer")),
        None if by_shapes("loss", training.loss) else of("loss", training.loss, "training", "loss"),
        tuple(metrics),
        tuple(
            of("callback", one, "training", "callbacks", at)
            for at, one in enumerate(training.callbacks)
        ),
        shapes,
    )


def _following_gradients(optimizer: Resolved) -> Resolved:
    """The optimizer; of a search that ends with gradient steps the one that makes them."""
    then = optimizer.get("then")
    return then if isinstance(then, Resolved) else optimizer


def named(network: Network, place: int) -> str:
    """A layer as a message calls it: `layer 2 (Dense 15)`."""
    layer = inner(network.layers[place])
    size = units_of(layer) or ""
    return f"layer {place + 1} ({f'{layer.name} {size}'.strip()})"


def together(network: Network, places: Sequence[int]) -> str:
    """Several layers as a message calls them."""
    shown = [named(network, place) for place in places]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
