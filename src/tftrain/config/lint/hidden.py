"""A network in, where its activations are missing, too many or the wrong ones out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

from tftrain.config.lint.layers import NEVER_NEGATIVE, SATURATING, SCALERS, SIGMOIDS, SOFTMAXES
from tftrain.config.lint.network import Block, Finding, Network, Rule, named, together
from tftrain.config.lint.references import GLOROT, OUTPUT

_DEEP_SATURATING = 3
_DEEP_RELU = 5
_HIDDEN = "Course notes: choosing the hidden layers' activation"
_WHY = "Course notes: why activations at all"


def _is_linear(network: Network) -> bool:
    """Whether nothing bends before the last layer with weights."""
    return len(network.blocks) > 1 and all(block.linear for block in network.hidden)


def _one_map(network: Network) -> Iterator[Finding]:
    if not _is_linear(network):
        return
    first, last = network.blocks[0], network.blocks[-1]
    shapes = network.shape(first.place - 1), network.shape(last.place)
    sizes = [math.prod(shape) if shape and None not in shape else None for shape in shapes]  # type: ignore[arg-type]
    shown = f", from {sizes[0]} numbers to {sizes[1]}" if None not in sizes else ""
    places = [block.place for block in network.blocks]
    hidden = together(network, places[:-1])
    has = "have" if len(places) > len("ab") else "has"
    yield (
        network.layers[first.place].path,
        (
            f"{hidden} {has} no activation: with {named(network, places[-1])} that is one linear "
            f"map{shown}; give hidden layers relu"
        ),
    )


def _linear_run(network: Network) -> Iterator[Finding]:
    if _is_linear(network):
        return
    for one, other in pairwise(network.blocks):
        by_channel = one.layer.entry.definition.startswith("Depthwise")
        if one.linear and other.is_map and not by_channel:
            places = [one.place, other.place]
            yield (
                network.layers[one.place].path,
                (
                    f"{together(network, places)} are one linear map, for nothing bends between "
                    f"them: give {named(network, one.place)} an activation, or leave it out"
                ),
            )


def _runs(network: Network, fits: Callable[[Block], bool]) -> Iterator[list[Block]]:
    """Hidden blocks in a row that fit, with no normalisation among them."""
    run: list[Block] = []
    for block in [*network.hidden, None]:
        if block is not None and block.is_map and fits(block):
            run.append(block)
        if block is None or not (block.is_map and fits(block)) or _normalised(network, block):
            yield run
            run = []


def _normalised(network: Network, block: Block) -> bool:
    return any(
        network.layers[place].name in SCALERS and network.layers[place].name != "Rescaling"
        for place in block.others
    )


def _deep_saturating(network: Network) -> Iterator[Finding]:
    for run in _runs(network, lambda block: block.activation in SATURATING):
        if len(run) >= _DEEP_SATURATING:
            places = [block.place for block in run]
            yield (
                run[0].activations[-1].path,
                (
                    f"{together(network, places)}: {len(run)} hidden layers of "
                    f"{' and '.join(dict.fromkeys(block.activation for block in run))} let little "
                    "gradient through to the first: take relu"
                ),
            )


def _hidden_sigmoid(network: Network) -> Iterator[Finding]:
    for run in _runs(network, lambda block: block.activation in SATURATING):
        found = [block for block in run if block.activation in SIGMOIDS]
        if found and len(run) < _DEEP_SATURATING:
            places = [block.place for block in found]
            message = f"sigmoid in {together(network, places)}: relu is cheaper and learns faster"
            yield found[0].activations[-1].path, message


def _deep_relu(network: Network) -> Iterator[Finding]:
    for run in _runs(network, lambda block: block.activation == "relu"):
        if len(run) >= _DEEP_RELU:
            yield (
                run[0].activations[-1].path,
                (
                    f"{len(run)} hidden layers of relu in a row: units may die; put "
                    "BatchNormalization between them, or take leaky_relu, and "
                    "kernel_initializer: HeNormal"
                ),
            )


def _hidden_softmax(network: Network) -> Iterator[Finding]:
    for block in network.hidden:
        for applied in block.activations:
            if applied.name in SOFTMAXES and block.is_map and network.width(applied.place) != 1:
                message = f"{applied.name} in {named(network, block.place)}, a hidden layer"
                yield applied.path, f"{message}: its units share a sum of 1; take relu"


def _two_activations(network: Network) -> Iterator[Finding]:
    squeezed = (*SATURATING, *SOFTMAXES, *NEVER_NEGATIVE)
    for block in network.blocks:
        for one, other in pairwise(block.activations):
            second = (*SATURATING, *SOFTMAXES, "logsoftmax")
            between = set(range(one.place + 1, other.place)) & set(block.others)
            if one.name in squeezed and other.name in second and not between:
                yield (
                    other.path,
                    (
                        f"`{other.name}` on top of `{one.name}`, with no weights between: leave "
                        "one of them out"
                    ),
                )


def _selu(network: Network) -> Iterator[Finding]:
    for block in network.blocks:
        if block.activation != "selu":
            continue
        kernel = block.layer.get("kernel_initializer")
        name = getattr(kernel, "name", str(kernel))
        if "lecun" not in name.lower():
            yield (
                block.activations[-1].path,
                (
                    f"selu in {named(network, block.place)} keeps its promise with "
                    "kernel_initializer: LecunNormal only"
                ),
            )
        for place in block.others:
            if network.layers[place].name == "Dropout":
                yield network.layers[place].path, "behind selu, take AlphaDropout"


RULES = (
    Rule(
        "N021",
        "warning",
        "A linear map of a linear map is a linear map: w2 (w1 x + b1) + b2 = (w2 w1) x + (w2 b1 + "
        "b2). More layers without activation learn nothing that one can't.",
        _WHY,
        "`activation: relu` in the hidden layers, or one layer alone.",
        _one_map,
    ),
    Rule(
        "N022",
        "hint",
        "Two layers with no activation between them are one linear map, of no more rank than the "
        "narrower of them. That may be meant, to save parameters; most often it is forgotten.",
        _WHY,
        "`activation: relu` in the first of the two.",
        _linear_run,
    ),
    Rule(
        "N023",
        "warning",
        "The slope of sigmoid is at most 1/4, that of tanh below 1 but at 0, and backpropagation "
        "multiplies them layer by layer. The first layers of a deep stack hardly learn.",
        GLOROT,
        "`activation: relu`, or BatchNormalization between the layers.",
        _deep_saturating,
    ),
    Rule(
        "N024",
        "hint",
        "ReLU is cheaper than sigmoid and flat on one side only, so that gradients are larger and "
        "the descent is faster. Its outputs are sparse, and sigmoid's are never around 0.",
        _HIDDEN,
        "`activation: relu`; `tanh` where outputs should lie around 0.",
        _hidden_sigmoid,
    ),
    Rule(
        "N025",
        "hint",
        "A ReLU unit whose input is below 0 for every row has no gradient and stays so. The more "
        "layers in a row, the likelier a whole layer is dead from the start.",
        "Lu et al. (2020), Dying ReLU and Initialization; He et al. (2015), Delving Deep into "
        "Rectifiers",
        "BatchNormalization, `leaky_relu`, `kernel_initializer: HeNormal`.",
        _deep_relu,
    ),
    Rule(
        "N026",
        "warning",
        "Softmax makes a layer's outputs add up to 1, so that one unit can only rise where others "
        "fall. It is for the output of classes.",
        _HIDDEN,
        "`activation: relu`.",
        _hidden_softmax,
    ),
    Rule(
        "N038",
        "warning",
        "The second activation sees only what the first lets through: sigmoid of a number between "
        "0 and 1 lies between 0.5 and 0.73. The outputs can't become sure.",
        OUTPUT,
        "One activation, in the layer or as a layer.",
        _two_activations,
    ),
    Rule(
        "N040",
        "hint",
        "SELU keeps mean 0 and variance 1 through many layers if the weights start as "
        "LecunNormal's. Dropout breaks that, AlphaDropout doesn't.",
        "Klambauer et al. (2017), Self-Normalizing Neural Networks",
        "`kernel_initializer: LecunNormal`, `AlphaDropout`.",
        _selu,
    ),
)
