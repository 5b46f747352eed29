"""A network in, why its training may stop at another epoch than the best out."""

from __future__ import annotations

from collections.abc import Iterator

from tftrain.config.lint.layers import number
from tftrain.config.lint.network import Finding, Network, Rule

_MANY_EPOCHS, _VERY_MANY_EPOCHS = 50, 100
_EARLY = "Course notes: overfitting, early stopping"
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
)
