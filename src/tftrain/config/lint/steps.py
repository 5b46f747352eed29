"""A network in, what is unwise about its updates out: learning rates, schedules, batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tftrain.config.lint.layers import inner, number
from tftrain.config.lint.network import Finding, Network, Rule
from tftrain.config.resolve import Resolved
from tftrain.config.search import search_epochs

# The usual learning rates: what papers and Keras's defaults span, with room on both sides.
_RATES: dict[str, tuple[float, float]] = {
    "Adadelta": (0.01, 2.0),
    "Adafactor": (1e-5, 0.1),
    "Adagrad": (1e-4, 1.0),
    "Adam": (1e-6, 0.05),
    "AdamW": (1e-6, 0.05),
    "Adamax": (1e-6, 0.05),
    "Ftrl": (1e-4, 1.0),
    "Lamb": (1e-5, 0.1),
    "Lion": (1e-7, 0.005),
    "Muon": (1e-5, 0.1),
    "Nadam": (1e-6, 0.05),
    "RMSprop": (1e-6, 0.05),
    "SGD": (1e-5, 1.0),
    "ScheduleFreeAdamW": (1e-6, 0.1),
}
_XLA_EPOCHS = 200
_LARGE, _VERY_LARGE = 10_000, 100_000
_BATCH_SIZE = ("training", "batch_size")
_BACKPROPAGATION = "Course notes: standard and accumulated backpropagation"
_SCHEDULES = "https://keras.io/api/optimizers/learning_rate_schedules/"


def _rates(network: Network) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Every learning rate that the config gives, and where."""
    optimizer = network.optimizer
    rate = optimizer.get("learning_rate")
    if not isinstance(rate, Resolved):
        yield from _number(network.at(optimizer, "learning_rate"), rate)
        return
    for argument in ("initial_learning_rate", "warmup_target"):
        yield from _number(network.at(rate, argument), rate.get(argument))
    values = rate.get("values")
    for place, value in enumerate(values if isinstance(values, list) else []):
        yield from _number((*network.at(rate, "values"), place), value)


def _number(
    path: tuple[str | int, ...], value: Any
) -> Iterator[tuple[tuple[str | int, ...], float]]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


def _usual(network: Network) -> tuple[float, float] | None:
    return _RATES.get(network.optimizer.name)


def _not_positive(network: Network) -> Iterator[Finding]:
    warmed = isinstance(network.optimizer.get("learning_rate"), Resolved) and network.optimizer.get(
        "learning_rate"
    ).get("warmup_steps")
    for path, rate in _rates(network):
        if not math.isfinite(rate):
            yield path, f"a learning rate of {rate:g} is no number: take {_default(network)}"
        elif rate < 0 or (rate == 0 and not warmed):
            does = "climbs the loss" if rate < 0 else "changes no weight"
            yield path, f"a learning rate of {rate:g} {does}: take {_default(network)}"


def _default(network: Network) -> str:
    argument = network.optimizer.entry.arguments.get("learning_rate")
    known = argument is not None and isinstance(argument.default, float)
    return f"{argument.default:g}, Keras's default" if known and argument else "a positive one"


def _too_large(network: Network) -> Iterator[Finding]:
    usual = _usual(network)
    for path, rate in _rates(network):
        if usual and rate > usual[1]:
            yield path, _beyond(network, rate, usual, "large", "the loss may jump")


def _too_small(network: Network) -> Iterator[Finding]:
    usual, rates = _usual(network), list(_rates(network))
    largest = max((rate for _, rate in rates), default=0)
    if usual and 0 < largest < usual[0]:
        yield rates[0][0], _beyond(network, largest, usual, "small", "training hardly moves")


def _beyond(network: Network, rate: float, usual: tuple[float, float], how: str, so: str) -> str:
    return (
        f"a learning rate of {rate:g} is {how} for {network.optimizer.name}: usual are "
        f"{usual[0]:g} to {usual[1]:g}; {so}"
    )


def _batch_size(network: Network) -> int | str | None:
    """As the config has it; None where all epochs search without gradients, in no batches."""
    training = network.config.training
    return training.batch_size if search_epochs(training) < training.epochs else None


def _too_large_a_batch(network: Network) -> Iterator[Finding]:
    size, rows = _batch_size(network), network.facts.rows
    if isinstance(size, int) and rows and size > rows:
        yield (
            _BATCH_SIZE,
            (
                f"batches of {size} of {rows} training rows: an epoch is one update; write full if "
                "that is meant"
            ),
        )


def _one_by_one(network: Network) -> Iterator[Finding]:
    rows = network.facts.rows
    if _batch_size(network) == 1 and rows and rows > _LARGE:
        yield (
            _BATCH_SIZE,
            (
                f"{rows:,} updates an epoch, one row each: batches of 32 to 256 take a fraction of "
                "the time"
            ),
        )


def _all_at_once(network: Network) -> Iterator[Finding]:
    rows = network.facts.rows
    if _batch_size(network) == "full" and rows and rows > _VERY_LARGE:
        yield (
            _BATCH_SIZE,
            f"one update after {rows:,} rows: batches of 32 to 256 get to a good solution sooner",
        )


def _ill_timed(network: Network) -> Iterator[Finding]:
    schedule, steps = network.optimizer.get("learning_rate"), network.steps
    if not isinstance(schedule, Resolved) or not steps:
        return
    total = steps * network.config.training.epochs
    updates = f"{steps} updates x {network.config.training.epochs} epochs are {total}"
    boundaries = schedule.get("boundaries")
    for place, boundary in enumerate(boundaries if isinstance(boundaries, list) else []):
        if isinstance(boundary, int | float) and boundary >= total:
            path = (*network.at(schedule, "boundaries"), place)
            yield path, f"{updates}: {boundary:g} is never reached"
    decay = number(schedule, "decay_steps")
    if decay is None:
        return
    ends = schedule.name == "CosineDecay" or (
        schedule.name == "PolynomialDecay" and not schedule.get("cycle")
    )
    until = decay + (number(schedule, "warmup_steps") or 0)
    path = network.at(schedule, "decay_steps")
    if ends and until < 0.8 * total:
        yield path, f"{updates}: from update {until:g} on the rate stays at its lowest"
    elif ends and until > 2 * total:
        yield path, f"{updates}: of {until:g} most are never reached, and the rate stays high"
    elif schedule.get("staircase") and decay >= total:
        yield path, f"{updates}: the first step down, after {decay:g}, is never reached"


def _fixed_schedule(network: Network) -> Iterator[Finding]:
    schedule = network.optimizer.get("learning_rate")
    if isinstance(schedule, Resolved) and schedule.kind == "schedule":
        for one in network.callback("ReduceLROnPlateau", "LearningRateScheduler"):
            yield (
                one.path,
                (
                    f"{one.name} can't set a learning rate that {schedule.name} sets: leave one of "
                    "them out"
                ),
            )


def _same_batches(network: Network) -> Iterator[Finding]:
    several = network.steps is not None and network.steps > 1
    if not network.config.training.shuffle and several:
        yield (
            ("training", "shuffle"),
            (
                "the same batches in the same order in every epoch: leave shuffle out, unless the "
                "order of rows means something"
            ),
        )


def _xla(network: Network) -> Iterator[Finding]:
    training = network.config.training
    if training.jit_compile and training.epochs < _XLA_EPOCHS:
        yield (
            ("training", "jit_compile"),
            (
                f"compiling with XLA takes longer than it saves in {training.epochs} epochs of a "
                "small network: leave it out"
            ),
        )


def _decays_twice(network: Network) -> Iterator[Finding]:
    optimizer = network.optimizer
    decay = number(optimizer, "weight_decay")
    if not decay:
        return
    for wrapped in network.layers:
        layer = inner(wrapped)
        penalty = layer.get("kernel_regularizer")
        if isinstance(penalty, Resolved) and penalty.name.lower() in ("l2", "l1l2"):
            yield (
                network.at(layer, "kernel_regularizer"),
                (
                    f"an L2 penalty, and weight_decay {decay:g} of "
                    f"{optimizer.name}: both shrink the weights; keep one"
                ),
            )
            return


RULES = (
    Rule(
        "N056",
        "error",
        "An update is the learning rate times the negative gradient. At 0 nothing changes, and "
        "below 0 the cost rises.",
        "Course notes: the derivative as a rate of change, the update rule",
        "A positive `learning_rate`.",
        _not_positive,
    ),
    Rule(
        "N057",
        "warning",
        "Adam and its kin step by about the learning rate, whatever the gradient; SGD steps by the "
        "product of both. Steps far above the usual jump over the minimum.",
        "https://keras.io/api/optimizers/; Bengio (2012), Practical Recommendations for "
        "Gradient-Based Training",
        "Keras's default, or ten times less than now.",
        _too_large,
    ),
    Rule(
        "N058",
        "hint",
        "Steps far below the usual take very many epochs to get anywhere. Early stopping may take "
        "that for the end.",
        "https://keras.io/api/optimizers/",
        "Keras's default, or ten times more than now; 1.0 for Adadelta, as in its paper.",
        _too_small,
    ),
    Rule(
        "N059",
        "warning",
        "A batch can't hold more rows than there are. An epoch is a single update then, and few "
        "epochs are few updates.",
        _BACKPROPAGATION,
        "A smaller `batch_size`, or `full`.",
        _too_large_a_batch,
    ),
    Rule(
        "N060",
        "hint",
        "Standard backpropagation updates after every row, and each update costs about as much as "
        "one for 32 rows. On a large set that is most of the time.",
        f"{_BACKPROPAGATION}; docs/how-to/choose-loss-and-activation.md",
        "`batch_size: 32`.",
        _one_by_one,
    ),
    Rule(
        "N061",
        "hint",
        "Accumulated backpropagation reads all rows for one update, and slows down once the error "
        "is low. On very large sets small batches get to a good solution sooner.",
        _BACKPROPAGATION,
        "`batch_size: 128`.",
        _all_at_once,
    ),
    Rule(
        "N062",
        "warning",
        "A schedule counts batches, not epochs. One that ends early leaves the rest of training at "
        "a rate near 0, one that ends late never gets to the small steps.",
        f"{_SCHEDULES}; Loshchilov and Hutter (2017), SGDR",
        "`decay_steps`: training rows / batch size, rounded up, times epochs.",
        _ill_timed,
    ),
    Rule(
        "N063",
        "error",
        "An optimizer made with a schedule refuses to have its learning rate set. Training would "
        "fail when the callback first tries.",
        _SCHEDULES,
        "The schedule alone, or a number as `learning_rate` and the callback.",
        _fixed_schedule,
    ),
    Rule(
        "N064",
        "hint",
        "A new order each epoch makes other batches, whose gradients err in other ways. The same "
        "order repeats the same errors, worst if rows are sorted by class.",
        "Course notes: stochastic gradient descent; Bengio (2012), Practical Recommendations",
        "No `shuffle`, which is true then.",
        _same_batches,
    ),
    Rule(
        "N065",
        "hint",
        "Compiling with XLA takes seconds, for networks with convolutions tens of them. It pays "
        "off from several hundred epochs.",
        "docs/reference.md, `training.jit_compile`",
        "No `jit_compile`.",
        _xla,
    ),
    Rule(
        "N066",
        "hint",
        "Weight decay takes a part of each weight away, the penalty a part by way of the gradient. "
        "Under Adam they aren't the same, and together hard to choose.",
        "Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization",
        "Either `weight_decay` or `kernel_regularizer`.",
        _decays_twice,
    ),
)
