"""What one key of a config says about another: faults that no key shows alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from tftrain.config.schema import Config
from tftrain.config.text import Place
from tftrain.errors import did_you_mean

Fault = tuple[Place, str, str]


def faults(config: Config) -> Iterator[Fault]:
    """Each fault as the path it stands at, its code and what is wrong."""
    yield from _split(config)
    yield from _metrics(config)
    yield from _monitors(config)
    yield from _class_weight(config)


def _split(config: Config) -> Iterator[Fault]:
    split = config.data.split
    fractions = [
        part for part in (split.train, split.validation, split.test) if isinstance(part, float)
    ]
    total = math.fsum(fractions)
    if not math.isclose(total, 1, abs_tol=1e-6):
        message = f"the fractions add up to {total:g}, expected 1"
        yield ("data", "split"), "C020", message


def _metrics(config: Config) -> Iterator[Fault]:
    seen = Counter({"loss": 1})
    for section, place, name in config.training.metric_names():
        seen[name] += 1
        if seen[name] > 1:
            message = f"a second metric called `{name}`: give it another with `name:`"
            yield ("training", section, place), "C022", message


def _monitors(config: Config) -> Iterator[Fault]:
    logged = config.training.log_names()
    validated = [f"val_{name}" for name in logged]
    has_validation = config.data.split.validation != 0
    names = [*logged, *validated] if has_validation else logged
    names.append("learning_rate")
    for place, spec in enumerate(config.training.callbacks):
        monitor = spec.arguments.get("monitor", _default_monitor(spec.name))
        if monitor is None or monitor in names:
            continue
        path: Place = ("training", "callbacks", place, spec.name, "monitor")
        if monitor in validated:
            message = f"`{monitor}` needs rows to validate on: data.split.validation is 0"
        else:
            near = did_you_mean(str(monitor), names) or f"; expected one of {', '.join(names)}"
            message = f"nothing called `{monitor}` is logged{near}"
        yield path, "C021", message


def _default_monitor(callback: str) -> str | None:
    watching = ("EarlyStopping", "ReduceLROnPlateau")
    return "val_loss" if callback in watching else None


def _class_weight(config: Config) -> Iterator[Fault]:
    weights, classes = config.training.class_weight, config.data.classes
    if weights is None or isinstance(weights, str) or classes is None:
        return
    names = [class_name(label) for label in classes]
    for name in weights:
        if name not in names:
            near = did_you_mean(name, names) or f"; expected some of {', '.join(names)}"
            yield ("training", "class_weight", name), "C023", f"no class `{name}`{near}"


def class_name(label: object) -> str:
    """How a label is written in a config, a table and a message."""
    return str(label).lower() if isinstance(label, bool) else str(label)
