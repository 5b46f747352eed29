"""A network in, where its Dropout or BatchNormalization does harm, or nothing, out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tftrain.config.lint.layers import DROPOUTS, NOISES, inner, number
from tftrain.config.lint.network import Finding, Network, Rule, named
from tftrain.config.resolve import Resolved

_HIGH_RATE = 0.7
_DROPOUT = "Srivastava et al. (2014), Dropout, JMLR 15"
_BATCH_NORMALIZATION = "Ioffe and Szegedy (2015), Batch Normalization, ICML"
_DISHARMONY = (
    "Li et al. (2019), Understanding the Disharmony between Dropout and Batch Normalization"
)


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


RULES = (
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
        _DISHARMONY,
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
        "N039",
        "hint",
        "Dropout makes the variance of its outputs larger in training than in use. "
        "BatchNormalization learns the one and is given the other.",
        _DISHARMONY,
        "Dropout after the last BatchNormalization.",
        _dropout_before_normalization,
    ),
)
