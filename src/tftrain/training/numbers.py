"""Places of numbers in a network's layers in, variables that graphs read there instead out.

A layer's rate, or a regularizer's strength, is a Python number that a graph takes in as it is
traced. Here it becomes a variable, which can hold another number for each of many networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tftrain.backend import keras
from tftrain.training.engine import NUMBER, Engine
from tftrain.training.stacked import Unstackable

Place = tuple[int, str, str]  # a layer of the config, its argument, a regularizer's, or nothing


def install(engine: Engine, places: Iterable[Place], offset: int) -> None:
    """Puts variables in the place of numbers, before a graph is traced.

    Args:
        engine: of the network; gets the variables in `numbers`.
        places: of the numbers.
        offset: how many entries of the config's layers are before the network's first.

    Raises:
        Unstackable: when a layer has no such number, or another use for it.
    """
    strengths: dict[tuple[int, str], dict[str, Any]] = {}
    for place in places:
        number, argument, inner = place
        layer = engine.network.layers[number - offset]
        variable = keras.Variable(0.5, trainable=False, dtype="float32", name=argument)
        engine.numbers[name(place).removeprefix(NUMBER)] = variable
        if inner:
            strengths.setdefault((number - offset, argument), {})[inner] = variable
        else:
            layer.call = _dropping(layer, variable)
    for (number, argument), found in strengths.items():
        layer = engine.network.layers[number]
        regularizer = getattr(layer, argument)
        held = [one for one in layer.trainable_weights if one.regularizer is regularizer]
        if not held:
            raise Unstackable(f"`{layer.name}` has a use of its own for its {argument}")
        for weight in held:
            weight.regularizer = _penalty(found, regularizer)


def name(place: Place) -> str:
    """What the variable of a number is called among `Engine.variables`."""
    return NUMBER + ".".join(str(part) for part in place if part != "")


def write(network: Any, numbers: Mapping[Place, float], offset: int) -> None:
    """Gives the layers themselves the numbers, which are saved with them."""
    for (number, argument, inner), value in numbers.items():
        layer = network.layers[number - offset]
        if not inner:
            setattr(layer, argument, value)
            continue
        regularizer = getattr(layer, argument)
        kept = getattr(regularizer, inner)  # Keras's L1 has a tensor
        setattr(regularizer, inner, value if isinstance(kept, float) else keras.ops.full((), value))


def _dropping(layer: Any, rate: Any) -> Callable[..., Any]:
    """What a `Dropout` does, with a rate that isn't known yet; the same units are dropped."""

    def call(inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        spatial = getattr(layer, "_get_noise_shape", None)
        sizes = keras.ops.shape(inputs)
        shape = spatial(inputs) if spatial else layer.noise_shape or sizes
        shape = [size if one is None else one for one, size in zip(shape, sizes, strict=True)]
        drawn = keras.random.uniform(shape, dtype=inputs.dtype, seed=layer.seed_generator)
        share = keras.ops.cast(rate, inputs.dtype)
        return keras.ops.where(drawn >= share, inputs * (1 / (1 - share)), 0)

    return call


def _penalty(strengths: Mapping[str, Any], regularizer: Any) -> Callable[[Any], Any]:
    """What `L1`, `L2` and `L1L2` do, with strengths that aren't known yet."""
    both = {one: getattr(regularizer, one, None) for one in ("l1", "l2")} | dict(strengths)

    def penalty(weight: Any) -> Any:
        ops, sums = keras.ops, []
        if both["l1"] is not None:
            sums.append(ops.cast(both["l1"], weight.dtype) * ops.sum(ops.absolute(weight)))
        if both["l2"] is not None:
            sums.append(ops.cast(both["l2"], weight.dtype) * ops.sum(ops.square(weight)))
        return sum(sums[1:], sums[0])

    return penalty
