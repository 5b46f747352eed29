"""`accuracy>=0.99` in, whether a run's metrics meet it out."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed

_OPERATORS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|==|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Requirement:
    """A bound that a metric must keep.

    Args:
        metric: of the test split, or with `val_` before it of the validation split.
        sign: `>=`, `<=`, `>`, `<` or `==`.
        bound: the number to compare with.
    """

    metric: str
    sign: str
    bound: float

    def met(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metrics keep the bound; NaN and a metric that isn't there keep none."""
        value = metrics.get(self.metric, math.nan)
        return bool(_OPERATORS[self.sign](value, self.bound))

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.bound}"


def parse(
    texts: Iterable[str], names: Iterable[str] | None = None, several: Iterable[str] = ()
) -> list[Requirement]:
    """The requirements that `--require` options state.

    Args:
        texts: `METRIC>=X` each.
        names: of the metrics there will be; any will do if not given.
        several: of those that may be several numbers, `name_0`, `name_1`, ..., nobody knows yet.

    Raises:
        ConfigError: for every text that is of another form or names another metric.
    """
    known, open_ended = list(names or ()), list(several)
    requirements, problems = [], []
    for text in texts:
        mark = Mark(f"--require '{text}'")
        match = _FORM.fullmatch(text)
        bound = number_of(match[3]) if match else None
        if match is None or bound is None:
            message = "expected METRIC>=NUMBER, such as accuracy>=0.99"
            problems.append(Problem(mark, "C030", message))
        elif names is not None and match[1] not in known and not _may_be_one(match[1], open_ended):
            names_them = f"; expected one of {listed(known)}" if known else ": none is measured"
            near = did_you_mean(match[1], known) or names_them
            problems.append(Problem(mark, "C030", f"no metric `{match[1]}`{near}"))
        else:
            requirements.append(Requirement(match[1], match[2], bound))
    if problems:
        raise ConfigError(problems)
    return requirements


def _may_be_one(name: str, several: Iterable[str]) -> bool:
    metric, _, number = name.rpartition("_")
    return number.isdigit() and metric in several


def names(metrics: Mapping[str, Mapping[str, float]], split: str) -> list[str]:
    """What bounds on one split may name, by the metrics of all: validation's with `val_`."""
    prefix = "val_" if split == "validation" else ""
    return [*dict.fromkeys(prefix + name for values in metrics.values() for name in values)]


def named(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Metrics by split, under the names that requirements use: validation's with `val_`."""
    names: dict[str, float] = {}
    for split, values in metrics.items():
        prefix = "val_" if split == "validation" else ""
        if split != "train" or len(metrics) == 1:
            names |= {prefix + name: value for name, value in values.items()}
    return names


def number_of(text: str) -> float | None:
    """The number that a text says; None where it says none, or NaN."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number
