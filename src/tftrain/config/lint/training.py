"""Rules on how a network is trained, and on the rows it is trained with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tftrain.config.lint.network import (
    SATURATING,
    SCALERS,
    Finding,
    Network,
    Rule,
    inner,
    number,
)
from tftrain.config.lint.network import is_recurrent as recurrent
from tftrain.config.resolve import Resolved

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
_MANY_EPOCHS, _VERY_MANY_EPOCHS, _XLA_EPOCHS = 50, 100, 200
_LARGE, _VERY_LARGE = 10_000, 100_000
_UNEQUAL = 5
_FLAT_FROM, _LARGE_INPUT = 5, 10
_EARLY = "Course notes: overfitting, early stopping"
_BACKPROPAGATION = "Course notes: standard and accumulated backpropagation"
_EFFICIENT = "LeCun et al. (1998), Efficient BackProp, section 4.3"
_SCHEDULES = "https://keras.io/api/optimizers/learning_rate_schedules/"
_CALLBACKS = "https://keras.io/api/callbacks/reduce_lr_on_plateau/"


def _endless_patience(network: Network) -> Iterator[Finding]:
    epochs = network.config.training.epochs
    for one in network.callback("EarlyStopping", "ReduceLROnPlateau"):
        patience = number(one, "patience")
        begins = number(one, "start_from_epoch") or 0
        if patience is not None and patience + begins >= epochs:
            does = "stops anything" if one.name == "EarlyStopping" else "lowers the learning rate"
            after = f" from epoch {begins:g}" if begins else ""
            yield (
                network.at(one, "patience"),
                (
                    f"patience {patience:g}{after} in {epochs} epochs: {one.name} never {does}; "
                    f"take about {max(1, epochs // 10)}"
                ),
            )


def _last_weights(network: Network) -> Iterator[Finding]:
    for one in network.callback("EarlyStopping"):
        if not one.get("restore_best_weights"):
            yield (
                network.at(one, "restore_best_weights"),
                (
                    f"the weights kept are those of {one.get('patience')} epochs after the "
                    "best: set restore_best_weights to true"
                ),
            )


def _stops_first(network: Network) -> Iterator[Finding]:
    stops = [number(one, "patience") for one in network.callback("EarlyStopping")]
    for one in network.callback("ReduceLROnPlateau"):
        patience = number(one, "patience")
        known = [stop for stop in stops if stop is not None]
        if known and patience is not None and min(known) <= patience:
            yield (
                network.at(one, "patience"),
                (
                    f"EarlyStopping stops after {min(known):g} epochs without progress, before "
                    f"{patience:g} are over: take less patience here than there"
                ),
            )


def _watches_training(network: Network) -> Iterator[Finding]:
    if not network.is_validated:
        return
    for one in network.callback("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"):
        saves = one.name != "ModelCheckpoint" or one.get("save_best_only")
        monitor = str(one.get("monitor"))
        if saves and not monitor.startswith("val_") and monitor != "learning_rate":
            yield (
                network.at(one, "monitor"),
                (
                    f"`{monitor}` is of the training rows, where overfitting can't be seen: watch "
                    f"`val_{monitor}`"
                ),
            )


def _not_validated(network: Network) -> Iterator[Finding]:
    epochs = network.config.training.epochs
    if not network.is_validated and epochs >= _MANY_EPOCHS:
        yield (
            ("data", "split"),
            (
                f"{epochs} epochs and no rows that tell when to stop: set data.split.validation to "
                "0.2 or so"
            ),
        )


def _not_stopped(network: Network) -> Iterator[Finding]:
    epochs = network.config.training.epochs
    stopped = any(network.callback("EarlyStopping"))
    if network.is_validated and not stopped and epochs >= _VERY_MANY_EPOCHS:
        yield (
            ("training", "epochs"),
            (
                f"{epochs} epochs to the end, whatever the validation rows say: add EarlyStopping "
                "with restore_best_weights: true"
            ),
        )


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
        if rate < 0 or (rate == 0 and not warmed):
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


def _too_large_a_batch(network: Network) -> Iterator[Finding]:
    size, rows = network.config.training.batch_size, network.facts.rows
    if isinstance(size, int) and rows and size > rows:
        yield (
            ("training", "batch_size"),
            (
                f"batches of {size} of {rows} training rows: an epoch is one update; write full if "
                "that is meant"
            ),
        )


def _one_by_one(network: Network) -> Iterator[Finding]:
    rows = network.facts.rows
    if network.config.training.batch_size == 1 and rows and rows > _LARGE:
        yield (
            ("training", "batch_size"),
            (
                f"{rows:,} updates an epoch, one row each: batches of 32 to 256 take a fraction of "
                "the time"
            ),
        )


def _all_at_once(network: Network) -> Iterator[Finding]:
    rows = network.facts.rows
    if network.config.training.batch_size == "full" and rows and rows > _VERY_LARGE:
        yield (
            ("training", "batch_size"),
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


def _unscaled(network: Network) -> tuple[Resolved, float] | None:
    """The first layer with weights, and how large its inputs are, if nothing scales them."""
    magnitude = network.facts.magnitude
    if magnitude is None or not network.blocks:
        return None
    block = network.blocks[0]
    before = {layer.name for layer in network.between(0, block.place)}
    if before & set(SCALERS) or block.layer.get("embeddings_initializer"):
        return None
    return network.layers[block.place], magnitude


def _saturating_first(network: Network) -> bool:
    block = network.blocks[0]
    return block.activation in SATURATING or recurrent(block.layer)


def _unscaled_saturating(network: Network) -> Iterator[Finding]:
    found = _unscaled(network)
    if found and _saturating_first(network) and found[1] > _FLAT_FROM:
        layer, magnitude = found
        name = network.blocks[0].activation
        yield (
            network.at(layer, "activation"),
            (
                f"inputs of up to {magnitude:g} come in as they are, and `{name}` is flat beyond "
                "5: set data.scaling to standardize"
            ),
        )


def _unscaled_other(network: Network) -> Iterator[Finding]:
    found = _unscaled(network)
    if found and not _saturating_first(network) and found[1] > _LARGE_INPUT:
        yield (
            ("data", "source"),
            (
                f"inputs of up to {found[1]:g} come in as they are: with data.scaling: standardize "
                "learning rates fit that are usual"
            ),
        )


def _unequal(network: Network) -> Iterator[Finding]:
    data, imbalance = network.config.data, network.facts.imbalance
    weighted = network.config.training.class_weight is not None or data.sample_weight is not None
    weighted |= getattr(data.source, "sample_weight", None) is not None
    if imbalance and imbalance >= _UNEQUAL and not weighted:
        yield (
            ("data", "classes") if data.classes else ("data", "source"),
            (
                f"{imbalance:.0f} rows of the largest class for each of the smallest, which a "
                "network may ignore: set training.class_weight to balanced, and watch Recall or AUC"
            ),
        )


RULES = (
    Rule(
        "N050",
        "warning",
        "Patience counts epochs without progress. With as much of it as there are epochs, the "
        "callback never does anything.",
        _EARLY,
        "A patience of about a tenth of the epochs.",
        _endless_patience,
    ),
    Rule(
        "N051",
        "warning",
        "Early stopping waits some epochs after the best one, and Keras leaves the weights of the "
        "last. The ones wanted are those with the lowest validation error.",
        f"{_EARLY}; Prechelt (1998), Early Stopping - But When?",
        "`restore_best_weights: true`.",
        _last_weights,
    ),
    Rule(
        "N052",
        "warning",
        "Both callbacks count the same epochs without progress. Where stopping comes first, the "
        "lower learning rate is never tried.",
        _CALLBACKS,
        "Half of EarlyStopping's patience for ReduceLROnPlateau.",
        _stops_first,
    ),
    Rule(
        "N053",
        "warning",
        "The loss of the training rows falls as long as training goes on. Overfitting shows where "
        "that of the validation rows rises.",
        _EARLY,
        "`monitor: val_loss`.",
        _watches_training,
    ),
    Rule(
        "N054",
        "hint",
        "Without rows kept aside nothing shows when the network begins to learn by heart. The "
        "number of epochs is then a guess.",
        _EARLY,
        "`data.split: {train: 0.6, validation: 0.2, test: 0.2}`, and EarlyStopping.",
        _not_validated,
    ),
    Rule(
        "N055",
        "hint",
        "The validation error often rises long before the last of many epochs. Early stopping "
        "saves the time, and keeps the best weights.",
        _EARLY,
        "`EarlyStopping: {patience: 10, restore_best_weights: true}`.",
        _not_stopped,
    ),
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
    Rule(
        "N070",
        "warning",
        "Sigmoid and tanh are flat beyond 5 or so, and a sum of large inputs lies far beyond. "
        "There the gradient is almost 0, and much of what tells rows apart is lost.",
        _EFFICIENT,
        "`data.scaling: standardize`, or a Rescaling or Normalization layer first.",
        _unscaled_saturating,
    ),
    Rule(
        "N071",
        "hint",
        "The gradient of a weight grows with its input. Inputs around 0 of about the same size "
        "let one learning rate suit all weights.",
        _EFFICIENT,
        "`data.scaling: standardize`, or a Rescaling or Normalization layer first.",
        _unscaled_other,
    ),
    Rule(
        "N072",
        "warning",
        "Where one class is rare, a network that never predicts it has a good accuracy. Weights "
        "make each class count the same.",
        "He and Garcia (2009), Learning from Imbalanced Data; docs/how-to/class-imbalance.md",
        "`class_weight: balanced`, and Recall, Precision or AUC as metrics.",
        _unequal,
    ),
)
