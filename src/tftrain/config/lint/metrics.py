"""A network in, which of its metrics don't fit its outputs, loss or target out."""

from __future__ import annotations

from collections.abc import Iterator

from tftrain.config.lint.network import Finding, Metric, Network, Rule
from tftrain.config.losses import outputs

_OF_CLASSES = (
    "accuracy",
    "auc",
    "binaryaccuracy",
    "binaryiou",
    "categoricalaccuracy",
    "f1score",
    "falsenegatives",
    "falsepositives",
    "fbetascore",
    "iou",
    "meaniou",
    "precision",
    "precisionatrecall",
    "recall",
    "recallatprecision",
    "sensitivityatspecificity",
    "sparsecategoricalaccuracy",
    "sparsetopkcategoricalaccuracy",
    "specificityatsensitivity",
    "topkcategoricalaccuracy",
    "truenegatives",
    "truepositives",
)
_F_SCORES = ("f1score", "fbetascore")
_CUTTING = (
    "binaryaccuracy",
    "binaryiou",
    "falsenegatives",
    "falsepositives",
    "precision",
    "recall",
    "truenegatives",
    "truepositives",
)
_OF_THE_LARGEST = (
    "categoricalaccuracy",
    "sparsecategoricalaccuracy",
    "sparsetopkcategoricalaccuracy",
    "topkcategoricalaccuracy",
)
_ACCURACIES = "https://keras.io/api/metrics/accuracy_metrics/"
_HALF = 0.5


def _named(metric: Metric) -> str:
    return metric.name.replace("_", "").lower()


def _on_numbers(network: Network) -> Iterator[Finding]:
    if network.facts.target != "numbers" or not network.is_of_numbers:
        return
    for metric in network.metrics:
        if _named(metric) in _OF_CLASSES:
            message = f"`{metric.name}` is of classes, the targets are numbers"
            yield metric.path, f"{message}: take MeanAbsoluteError or R2Score"


def _f_score(network: Network) -> Iterator[Finding]:
    for metric in network.metrics:
        one = metric.resolved
        if one is None or _named(metric) not in _F_SCORES or network.units != 1:
            continue
        if one.get("threshold") is None:
            yield (
                metric.path,
                (
                    f"`{metric.name}` without a threshold takes the largest output for class 1, "
                    "and of one output that is every row: give it threshold: 0.5"
                ),
            )


def _cut_logits(network: Network) -> Iterator[Finding]:
    kind = outputs(network.config.training.loss)
    if kind == "probabilities":
        return
    for metric in network.metrics:
        one = metric.resolved
        if one is None or _named(metric) not in (*_CUTTING, *_F_SCORES):
            continue
        name = "thresholds" if "thresholds" in one.entry.arguments else "threshold"
        threshold = one.get(name)
        if _named(metric) in _CUTTING and threshold is None:
            threshold = _HALF
        if threshold == _HALF:
            takes_zero = _named(metric) not in _F_SCORES
            change = f"give it {name}: 0" if takes_zero else "leave from_logits out, take sigmoid"
            yield (
                network.at(one, name),
                f"`{metric.name}` cuts the outputs at 0.5, and of {kind} the middle is 0: {change}",
            )


def _tells_nothing(network: Network) -> Iterator[Finding]:
    for metric in network.metrics:
        if metric.resolved and metric.resolved.name == "Accuracy":
            yield (
                metric.path,
                (
                    "`Accuracy` counts outputs that equal the label to the last digit: write "
                    "`accuracy`, which cuts or takes the largest first"
                ),
            )
        elif network.units == 1 and _named(metric) in _OF_THE_LARGEST:
            yield (
                metric.path,
                (
                    f"`{metric.name}` looks for the largest output, and there is one only: write "
                    "`accuracy`"
                ),
            )


RULES = (
    Rule(
        "N015",
        "error",
        "Accuracy and its kin count classes that were hit. Of a number that is near but not equal "
        "they say nothing.",
        "https://keras.io/api/metrics/regression_metrics/",
        "`MeanAbsoluteError`, `RootMeanSquaredError` or `R2Score`.",
        _on_numbers,
    ),
    Rule(
        "N016",
        "error",
        "Without a threshold the largest output of a row counts as positive. Of one output that "
        "is every row, so that recall is 1 and the score that of always saying yes.",
        "https://keras.io/api/metrics/fscore_metrics/",
        "`F1Score: {threshold: 0.5}`.",
        _f_score,
    ),
    Rule(
        "N017",
        "warning",
        "A logit, or a hinge's margin, of 0 stands for a probability of one half. A metric that "
        "cuts at 0.5 counts rows between 0 and 0.5 as class 0; `accuracy` knows better.",
        "https://github.com/tensorflow/tensorflow/issues/41413",
        "The threshold 0, or sigmoid at the output and a loss without `from_logits`.",
        _cut_logits,
    ),
    Rule(
        "N018",
        "error",
        "`Accuracy` compares outputs with labels digit by digit, and metrics that take the largest "
        "output need more than one. The number is the same whatever the network learns.",
        _ACCURACIES,
        "`accuracy`: tftrain chooses the kind that fits.",
        _tells_nothing,
    ),
)
