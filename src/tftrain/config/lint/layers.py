"""Rules on the layers: what activations, first weights, Dropout and normalisation do together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from tftrain.config.lint.network import (
    DROPOUTS,
    NEVER_NEGATIVE,
    NOISES,
    SATURATING,
    SCALERS,
    SIGMOIDS,
    SOFTMAXES,
    Block,
    Finding,
    Network,
    Rule,
    inner,
    named,
    number,
    together,
    units_of,
)
from tftrain.config.resolve import Resolved

_DEEP_SATURATING = 3
_DEEP_RELU = 5
_SATURATED = 4.0
_HIGH_RATE = 0.7
_MANY = 10
_DROPOUT = "Srivastava et al. (2014), Dropout, JMLR 15"
_HIDDEN = "Course notes: choosing the hidden layers' activation"
_WHY = "Course notes: why activations at all"
_BATCH_NORMALIZATION = "Ioffe and Szegedy (2015), Batch Normalization, ICML"
_GLOROT = "Glorot and Bengio (2010), Understanding the difficulty of training deep networks"


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


def _moments(initializer: Any) -> tuple[float, float] | None:
    """The mean and the mean square of first weights, where the layer's width doesn't decide."""
    if not isinstance(initializer, Resolved):
        return None
    name = initializer.entry.definition
    if name == "RandomUniform":
        low, high = number(initializer, "minval"), number(initializer, "maxval")
        if low is not None and high is not None:
            return (low + high) / 2, (low * low + low * high + high * high) / 3
    if name in ("RandomNormal", "TruncatedNormal"):
        mean, deviation = number(initializer, "mean"), number(initializer, "stddev")
        if mean is not None and deviation is not None:
            return mean, mean * mean + deviation * deviation
    constant = _constant(initializer)
    return None if constant is None else (constant, constant * constant)


def _constant(initializer: Any) -> float | None:
    """The one value of all first weights, None where they differ."""
    name = initializer.name if isinstance(initializer, Resolved) else initializer
    if str(name).lower() in ("zeros", "ones"):
        return float(str(name).lower() == "ones")
    if isinstance(initializer, Resolved) and str(name).lower() == "constant":
        return number(initializer, "value")
    return None


def _saturated(network: Network) -> Iterator[Finding]:
    mean, square = 0.0, 1.0  # of the values that come in
    if network.facts.magnitude not in (None, 1):
        square = (network.facts.magnitude or 0) ** 2 / 3
    for block in network.blocks:
        moments = _moments(block.layer.get("kernel_initializer"))
        fan_in = _fan_in(network, block)
        bounded = block.activation in (*SATURATING, *SOFTMAXES)
        if moments and fan_in and bounded:
            size = math.sqrt(fan_in * moments[1] * square + (fan_in * moments[0] * mean) ** 2)
            if size > _SATURATED:
                yield (
                    network.at(network.layers[block.place], "kernel_initializer"),
                    (
                        f"{named(network, block.place)} adds up {fan_in} inputs by such weights: "
                        f"sums of about {size:.0f} at first, where `{block.activation}` is flat; "
                        "leave the initializer out, or take smaller weights around 0"
                    ),
                )
        mean, square = (0.5, 0.33) if block.activation in SIGMOIDS else (0.0, 1.0)


def _fan_in(network: Network, block: Block) -> int | None:
    """How many inputs a unit of a Dense layer adds up."""
    return network.width(block.place - 1) if block.layer.entry.definition == "Dense" else None


def _starts_alike(block: Block) -> bool:
    return (units_of(block.layer) or 0) > 1 and _constant(
        block.layer.get("kernel_initializer")
    ) is not None


def _never_different(network: Network) -> Iterator[Finding]:
    for block in network.hidden:
        if not _starts_alike(block):
            continue
        reason = _stuck(network, block)
        if reason:
            place = network.at(network.layers[block.place], "kernel_initializer")
            yield place, f"{reason}: leave the initializer out, it is GlorotUniform then"


def _stuck(network: Network, block: Block) -> str | None:
    """Why the units of a block whose weights are all the same stay so."""
    follower = network.blocks[network.blocks.index(block) + 1]
    noisy = any(layer.name in NOISES for layer in network.between(block.place, follower.place))
    kernel, bias = block.layer.get("kernel_initializer"), block.layer.get("bias_initializer")
    biased = bool(block.layer.get("use_bias")) and _constant(bias) != 0
    if _constant(kernel) == 0 and block.activation in ("relu", "relu6") and not biased:
        return f"{named(network, block.place)} gives 0 under relu, whose gradient there is 0"
    alike = _constant(bias) is not None or not block.layer.get("use_bias")
    follows = _constant(follower.layer.get("kernel_initializer")) is not None
    if alike and follows and not noisy:
        pair = together(network, [block.place, follower.place])
        return f"{pair} begin with one value for all weights, and the units stay alike"
    return None


def _starting_alike(network: Network) -> Iterator[Finding]:
    for block in network.hidden:
        if _starts_alike(block) and not _stuck(network, block):
            yield (
                network.at(network.layers[block.place], "kernel_initializer"),
                (
                    f"all units of {named(network, block.place)} begin alike: take random weights, "
                    "or leave the initializer out"
                ),
            )


def _frozen(network: Network) -> Iterator[Finding]:
    kept = [block.layer for block in network.blocks if block.layer.get("trainable") is not False]
    others = (inner(layer) for layer in network.layers)
    if kept or any(layer.name in ("PReLU", *SCALERS) for layer in others):
        return
    if network.blocks:
        first = network.blocks[0].layer
        yield network.at(first, "trainable"), "no layer is trained: leave out `trainable: false`"
    elif network.parameters == 0 or all(
        layer.name in (*NOISES, "Flatten", "Activation", "ReLU", "Softmax", "Reshape")
        for layer in network.layers
    ):
        yield ("model", "layers"), "no layer has weights: add a Dense layer"


def _noise_at_the_end(network: Network) -> Iterator[Finding]:
    if not network.blocks:
        return
    for place in network.blocks[-1].others:
        layer = network.layers[place]
        if inner(layer).name in NOISES:
            message = f"{named(network, place)} after the output layer spoils the outputs"
            yield layer.path, f"{message} that the loss sees: put it before the output layer"


def _before_regression(network: Network) -> Iterator[Finding]:
    if network.facts.target != "numbers" or not network.hidden:
        return
    for place in network.hidden[-1].others[::-1]:
        layer = inner(network.layers[place])
        if layer.name in DROPOUTS:
            yield (
                network.layers[place].path,
                (
                    f"{named(network, place)} right before the output of a regression: the size of "
                    "the sums differs between training and use; put it further up, or leave it out"
                ),
            )
            return
        if layer.name not in ("Flatten", "Reshape"):
            return


def _rates(network: Network) -> Iterator[tuple[int, Resolved, float]]:
    for place, wrapped in enumerate(network.layers):
        layer = inner(wrapped)
        rate = number(layer, "rate")
        if layer.name in DROPOUTS and rate is not None:
            yield place, wrapped, rate


def _drops_all(network: Network) -> Iterator[Finding]:
    for place, layer, rate in _rates(network):
        if rate == 1:
            message = f"{named(network, place)} with rate 1 lets nothing through: take 0.2 to 0.5"
            yield network.at(layer, "rate"), message


def _extreme_rate(network: Network) -> Iterator[Finding]:
    for place, layer, rate in _rates(network):
        if rate == 0:
            message = f"{named(network, place)} with rate 0 does nothing: leave it out"
            yield network.at(layer, "rate"), message
        elif _HIGH_RATE < rate < 1:
            message = (
                f"{named(network, place)} drops {rate:.0%} of its inputs: usual are 0.2 to 0.5"
            )
            yield network.at(layer, "rate"), message


def _of_rows(network: Network) -> Iterator[int]:
    """The places of BatchNormalization over rows of one axis: nothing but the batch to average."""
    for place, layer in enumerate(network.layers):
        shape = network.shape(place - 1)
        flat = shape is not None and len(shape) == 1
        if layer.entry.definition == "BatchNormalization" and flat:
            yield place


def _one_row(network: Network) -> Iterator[Finding]:
    if network.batch == 1:
        for place in _of_rows(network):
            yield (
                network.layers[place].path,
                (
                    "over a batch of one row every value is its own mean, and becomes 0: take a "
                    "larger batch_size, or LayerNormalization"
                ),
            )


def _remainder(network: Network) -> Iterator[Finding]:
    rows, batch = network.facts.rows, network.batch
    if rows and batch and batch > 1 and rows % batch == 1:
        for place in _of_rows(network):
            yield (
                network.layers[place].path,
                (
                    f"{rows} training rows in batches of {batch} leave a last one of a single row, "
                    f"which becomes 0 here: take another batch_size, such as {_better(rows, batch)}"
                ),
            )


def _better(rows: int, batch: int) -> int:
    """The next larger batch whose last one isn't lonely."""
    return next(size for size in range(batch + 1, batch + rows + 2) if rows % size != 1)


def _spare_bias(network: Network) -> Iterator[Finding]:
    for place, (one, other) in enumerate(pairwise(network.layers)):
        layer = inner(one)
        biased = bool(layer.get("use_bias")) and layer.get("activation") is None
        if other.entry.definition == "BatchNormalization" and other.get("center") and biased:
            yield (
                network.at(one, "use_bias"),
                (
                    f"{named(network, place)} has a bias that BatchNormalization subtracts: give "
                    "it use_bias: false"
                ),
            )


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


def _dropout_before_normalization(network: Network) -> Iterator[Finding]:
    norms = [
        place
        for place, layer in enumerate(network.layers)
        if layer.entry.definition == "BatchNormalization"
    ]
    for place, layer, _ in _rates(network):
        if norms and place < norms[-1]:
            yield (
                layer.path,
                (
                    f"{named(network, place)} changes the variance that BatchNormalization behind "
                    "it learns: put Dropout after the last BatchNormalization"
                ),
            )
            return


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


def _overfitting(network: Network) -> Iterator[Finding]:
    parameters, rows = network.parameters, network.facts.rows
    if not parameters or not rows or parameters <= _MANY * rows:
        return
    if any(network.callback("EarlyStopping")) or network.optimizer.get("weight_decay"):
        return
    if not any(map(_regularises, network.layers)):
        yield (
            ("model", "layers"),
            (
                f"{parameters:,} parameters for {rows:,} training rows, and nothing against "
                "overfitting: add EarlyStopping, Dropout or a kernel_regularizer, or take fewer "
                "units"
            ),
        )


def _regularises(wrapped: Resolved) -> bool:
    layer = inner(wrapped)
    penalties = (
        value
        for name, value in layer.arguments.items()
        if name.endswith("regularizer") or name in ("dropout", "recurrent_dropout")
    )
    by_name = layer.name in (*NOISES, "ActivityRegularization") or layer.name.startswith("Random")
    return by_name or any(penalties)


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
        _GLOROT,
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
        "N027",
        "warning",
        "The more inputs a unit adds up, the smaller its weights must be, or the sum lies where "
        "the activation is flat. There the gradient is almost 0 and learning begins late.",
        f"{_GLOROT}; course notes: standard backpropagation, whose weights start in (0, 1)",
        "No `kernel_initializer` (GlorotUniform), or one that knows the layer's width.",
        _saturated,
    ),
    Rule(
        "N028",
        "error",
        "Units with the same weights before and behind them get the same gradient, so that a layer "
        "of them is worth one unit. Weights of 0 under ReLU get none at all.",
        "Goodfellow, Bengio and Courville (2016), Deep Learning, section 8.4",
        "No `kernel_initializer` (GlorotUniform).",
        _never_different,
    ),
    Rule(
        "N029",
        "warning",
        "Units that begin alike differ only by what lies behind them. They take long to part.",
        "Goodfellow, Bengio and Courville (2016), Deep Learning, section 8.4",
        "No `kernel_initializer` (GlorotUniform).",
        _starting_alike,
    ),
    Rule(
        "N030",
        "error",
        "Training changes weights of layers that are trainable. Without one, every epoch is the "
        "same.",
        "https://keras.io/guides/transfer_learning/",
        "A layer with weights, and without `trainable: false`.",
        _frozen,
    ),
    Rule(
        "N031",
        "warning",
        "Noise on the outputs is an error that no weight can mend. The loss of the training rows "
        "then tells how strong the noise is.",
        _DROPOUT,
        "Dropout between hidden layers, or before the output layer.",
        _noise_at_the_end,
    ),
    Rule(
        "N032",
        "hint",
        "Dropout keeps the mean of what it lets through and makes its variance larger, in training "
        "only. Classes are decided by which output is largest; a number is off by the difference.",
        "Li et al. (2019), Understanding the Disharmony between Dropout and Batch Normalization",
        "Dropout further up, a `kernel_regularizer`, or early stopping.",
        _before_regression,
    ),
    Rule(
        "N033",
        "error",
        "At rate 1 all values are 0 in training. Nothing before the layer gets a gradient.",
        _DROPOUT,
        "`rate: 0.2` to `rate: 0.5`: the fraction to drop, not to keep.",
        _drops_all,
    ),
    Rule(
        "N034",
        "warning",
        "The rate is the fraction that is dropped, and 0.2 to 0.5 is what was found to work. Rates "
        "near 1 are often meant as the fraction to keep, and 0 does nothing.",
        _DROPOUT,
        "`rate: 0.2` to `rate: 0.5`.",
        _extreme_rate,
    ),
    Rule(
        "N035",
        "error",
        "BatchNormalization subtracts the batch's mean, and of one row that is the row. Every row "
        "then looks the same to what is behind.",
        _BATCH_NORMALIZATION,
        "A `batch_size` of 16 or more, or LayerNormalization.",
        _one_row,
    ),
    Rule(
        "N036",
        "warning",
        "The last batch of an epoch holds what is left over. One row alone is normalised to 0, "
        "teaches its label for nothing, and enters the moving mean with variance 0.",
        _BATCH_NORMALIZATION,
        "A `batch_size` that leaves more than one row.",
        _remainder,
    ),
    Rule(
        "N037",
        "hint",
        "BatchNormalization subtracts the mean, and with it whatever the bias has added. Its own "
        "`beta` takes the bias's place.",
        _BATCH_NORMALIZATION,
        "`use_bias: false`.",
        _spare_bias,
    ),
    Rule(
        "N038",
        "warning",
        "The second activation sees only what the first lets through: sigmoid of a number between "
        "0 and 1 lies between 0.5 and 0.73. The outputs can't become sure.",
        "Course notes: choosing the output layer's activation",
        "One activation, in the layer or as a layer.",
        _two_activations,
    ),
    Rule(
        "N039",
        "hint",
        "Dropout makes the variance of its outputs larger in training than in use. "
        "BatchNormalization learns the one and is given the other.",
        "Li et al. (2019), Understanding the Disharmony between Dropout and Batch Normalization",
        "Dropout after the last BatchNormalization.",
        _dropout_before_normalization,
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
    Rule(
        "N041",
        "warning",
        "A network with many more parameters than rows can learn the rows by heart. Early stopping "
        "or a penalty in the cost keeps it from doing so.",
        "Course notes: overfitting, early stopping, regularisation",
        "EarlyStopping with `restore_best_weights: true`, Dropout, `kernel_regularizer: L2`.",
        _overfitting,
    ),
)
