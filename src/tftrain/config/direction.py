"""What is monitored in, out whether more of it is better: by the metric's class."""

from __future__ import annotations

from tftrain.config.schema import Training

_HIGHER_IS_BETTER = (
    "accuracy",
    "auc",
    "correlation",
    "iou",
    "precision",
    "recall",
    "score",
    "sensitivity",
    "similarity",
    "specificity",
    "truenegatives",
    "truepositives",
)


def higher_is_better(training: Training, monitor: str) -> bool:
    """Whether a larger value of what is monitored is the better one, by the metric's class."""
    logged = monitor.removeprefix("val_")
    metric, _, number = logged.rpartition("_")
    wanted = (logged, metric) if number.isdigit() else (logged,)  # one number of several
    for section, place, name in training.metric_names():
        if name in wanted:
            metric = getattr(training, section)[place].name.replace("_", "").lower()
            return metric == "acc" or any(word in metric for word in _HIGHER_IS_BETTER)
    return False
