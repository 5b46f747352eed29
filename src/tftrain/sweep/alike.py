"""Configs in; which of them networks of one form can be trained by together, and their numbers out.

Together can be what differs in nothing but numbers that each of many networks can have of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tftrain import config
from tftrain.config import Config, checks
from tftrain.config.text import Plain
from tftrain.errors import ConfigError
from tftrain.sweep.plan import Plan

Place = tuple[int, str, str]  # a layer, its argument, that of what the argument names, or nothing
_RATE = re.compile(r"training\.optimizer\.\w+\.learning_rate")
_DROPOUT = re.compile(r"model\.layers\.(\d+)\.(?:Spatial)?Dropout(?:[123]D)?\.(rate)()")
_STRENGTH = re.compile(
    r"model\.layers\.(\d+)\.\w+\.(kernel_regularizer|bias_regularizer|recurrent_regularizer)"
    r"\.(?:L1|L2|L1L2)\.(l1|l2)"
)
_SEED = ("training.seed", "name")


@dataclass(frozen=True)
class Form:
    """What a training is, apart from its numbers.

    Args:
        key: equal for trainings that can be done together; None of one that can't.
        rate: the learning rate, None where it isn't a number in the config.
        numbers: of layers, by their places.
    """

    key: str | None
    rate: float | None
    numbers: Mapping[Place, float]


def form(settings: Config) -> Form:
    """What a training has in common with others, and its own numbers."""
    rate, numbers = None, dict[Place, float]()
    rest = dict[str, Plain]()
    for path, value in config.plain(settings).items():
        place = _place(path, value)
        if place is not None:
            numbers[place] = _number(value)
        elif _RATE.fullmatch(path) and _is_number(value):
            rate = _number(value)
        elif path not in _SEED:
            rest[path] = value
            continue
        rest[path] = None
    key = json.dumps(rest, sort_keys=True) if _has_many(settings) else None
    return Form(key, rate, numbers)


def pays(plan: Plan) -> bool:
    """Whether any of a sweep's trials may differ in numbers only."""
    for parameter in plan.parameters:
        keys = []
        for value in parameter.values.extremes:
            with suppress(ConfigError):  # not with the others' values as they are
                changes = [*plan.overrides, parameter.override(value)]
                keys.append(form(config.load(plan.path, changes)[0]).key)
        known = [key for key in keys if key is not None]
        if len(set(known)) < len(known):
            return True
    return False


def _has_many(settings: Config) -> bool:
    """Whether many networks can be trained by this config side by side."""
    training = settings.training
    if training.restarts is not None or training.folds is not None or training.jit_compile:
        return False
    return not any(checks.several(training.model_copy(update={"restarts": 2})))


def _place(path: str, value: Plain) -> Place | None:
    """Where a number of a layer is, if it is one that each network can have of its own.

    Dropout of nothing or of everything makes another graph.
    """
    dropout, strength = _DROPOUT.fullmatch(path), _STRENGTH.fullmatch(path)
    found = dropout or strength
    if found is None or not _is_number(value):
        return None
    if dropout and not 0 < _number(value) < 1:
        return None
    return (int(found[1]), found[2], found[3]) if _number(value) >= 0 else None


def _is_number(value: Plain) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(_number(value))


def _number(value: Plain) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
