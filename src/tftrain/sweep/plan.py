"""What is asked for in, a sweep's plan out, known to be good without TensorFlow and Optuna."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tftrain import config, parameters
from tftrain.config import Config, Source, ranges
from tftrain.config.ranges import Range
from tftrain.config.sweep import DIRECTIONS, PRUNERS, SAMPLERS, Sweep
from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed
from tftrain.parameters import Parameter, points

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_LARGEST_GRID = 10_000


@dataclass(frozen=True)
class Asked:
    """What the command line says besides the config; None for what the config's section says.

    Args:
        objective: what is to be best.
        direction: `min` or `max`.
        sampler: `tpe`, `random` or `grid`.
        pruner: `none`, `median` or `hyperband`.
        trials: how many.
        study: what the study and its runs are called; the config's name and `-sweep` if not given.
    """

    objective: str | None = None
    direction: str | None = None
    sampler: str | None = None
    pruner: str | None = None
    trials: int | None = None
    study: str | None = None


@dataclass(frozen=True)
class Plan:
    """A sweep that can begin.

    Args:
        path: the config's file.
        overrides: that hold for all trials.
        settings: the config in force without anything swept.
        source: where its values were written.
        parameters: what to try values of.
        objective: the name in the logs of what is to be best.
        maximize: whether more of it is better.
        sampler, pruner: as in `Asked`.
        trials: how many; None for as many as the time allows.
        study: what the study and its runs are called.
        allow_code: whether the config's Python files may run.
    """

    path: Path
    overrides: tuple[str, ...]
    settings: Config
    source: Source
    parameters: tuple[Parameter, ...]
    objective: str
    maximize: bool
    sampler: str
    pruner: str
    trials: int | None
    study: str
    allow_code: bool = False

    def of_trial(self, values: dict[str, Any]) -> list[str]:
        """The overrides of one trial, by the values of its parameters."""
        tried = [one.override(values[one.path]) for one in self.parameters]
        return [*self.overrides, *tried, f"name={self.study}", "sweep=null"]

    def resolved(self) -> str:
        """The config without anything swept, as YAML that stands alone."""
        return config.resolved(self.settings.model_copy(update={"sweep": None}))

    def definition(self) -> dict[str, Any]:
        """All that makes a study another, by names that can be shown."""
        fixed = {one.path for one in self.parameters} | {"data.source", "training.threads"}
        values = config.plain(self.settings, defaults=False)
        kept = {
            path: value
            for path, value in values.items()
            if path not in fixed and not path.startswith(parameters.FIXED)
        }
        return {
            "parameters": {one.path: one.written for one in self.parameters},
            "objective": f"{'max' if self.maximize else 'min'} {self.objective}",
            "sampler": self.sampler,
            "pruner": self.pruner,
            **kept,
            "seed": self.settings.seed,
        }


def plan(
    path: Path, changes: Sequence[str], asked: Asked, *, timed: bool, allow_code: bool = False
) -> Plan:
    """Reads a config and what is to be tried of it, and checks all that can be known before.

    Args:
        path: the YAML file.
        changes: `PATH=VALUE` for all trials, `PATH=log(1e-4, 1e-1)` and the like to try.
        asked: the command line's options.
        timed: whether a time limit ends the sweep, if no number of trials does.
        allow_code: whether the config's Python files may run.

    Raises:
        ConfigError: with everything that is wrong.
    """
    overrides = [one for one in changes if not ranges.is_call(one.partition("=")[2])]
    settings, source = config.load(path, overrides, data_files=True)
    source = config.permit(source, allowed=allow_code)
    section = settings.sweep or Sweep()
    problems: list[Problem] = []
    swept = [one for one in changes if one not in overrides]
    written = parameters.parameters(source, section, swept)
    found = config.collect(problems, lambda: list(written)) or []
    problems += [
        one for each in found for one in parameters.faults(path, overrides, settings, each)
    ]
    objective = asked.objective or section.objective or parameters.default_objective(settings)
    problems += parameters.objective_faults(
        settings, source, objective, optioned=asked.objective is not None
    )
    sampler, trials = asked.sampler or section.sampler, asked.trials or section.trials
    made = Plan(
        path=path,
        overrides=tuple(overrides),
        settings=settings,
        source=source,
        parameters=tuple(found),
        objective=objective,
        maximize=_maximize(settings, asked.direction or section.direction, objective),
        sampler=sampler,
        pruner=asked.pruner or section.pruner,
        trials=trials,
        study=asked.study or f"{settings.name[:58]}-sweep",
        allow_code=allow_code,
    )
    problems += _option_faults(made, asked.direction)
    if not problems:
        made, problems = _budget(made, timed=timed)
    if problems:
        raise ConfigError(problems)
    return made


def grid_size(parameters: Iterable[Parameter]) -> int:
    """How many combinations there are, where each parameter has a list of values."""
    return math.prod(len(points(one.values)) for one in parameters)


def _maximize(settings: Config, direction: str | None, objective: str) -> bool:
    if direction is not None:
        return direction == "max"
    return config.higher_is_better(settings.training, objective)


def _option_faults(made: Plan, direction: str | None) -> Iterator[Problem]:
    """Words that are none of those known, a name that no run can have."""
    for option, value, words in (
        ("--sampler", made.sampler, SAMPLERS),
        ("--pruner", made.pruner, PRUNERS),
        ("--direction", direction, DIRECTIONS),
    ):
        if value is not None and value not in words:
            near = did_you_mean(value, words) or f"; expected one of {listed(words)}"
            yield Problem(Mark(f"{option} '{value}'"), "C033", f"no {option[2:]} `{value}`{near}")
    if not _NAME.fullmatch(made.study):
        message = "expected letters, digits, `_`, `-` and `.`, at most 64 and no `-` or `.` first"
        yield Problem(Mark(f"--study '{made.study}'"), "C033", message)


def _budget(made: Plan, *, timed: bool) -> tuple[Plan, list[Problem]]:
    """The plan with the number of its trials, as far as there is one."""
    if not made.parameters:
        example = "'training.optimizer.RMSprop.learning_rate=log(1e-4, 1e-1)'"
        message = f"nothing to try: add {example}, or sweep.parameters to the config"
        return made, [Problem(Mark(str(made.path)), "C033", message)]
    if made.sampler == "grid":
        return _grid(made)
    if made.trials is None and not timed:
        message = "expected a number of trials, or a time limit: --trials 50, --time-limit 30m"
        return made, [Problem(Mark("--trials"), "C033", message)]
    return made, []


def _grid(made: Plan) -> tuple[Plan, list[Problem]]:
    """The plan with as many trials as the grid has points, or fewer."""
    problems = [
        Problem(one.mark, "C033", f"a grid needs choice(...) or int(...), got `{one.written}`")
        for one in made.parameters
        if isinstance(one.values, Range) and (not one.values.whole or one.values.log)
    ]
    size = 0 if problems else grid_size(made.parameters)
    if size > _LARGEST_GRID:
        message = f"a grid of {size:,} combinations; expected at most {_LARGEST_GRID:,}"
        problems = [Problem(Mark("--sampler 'grid'"), "C033", message)]
    return replace(made, trials=min(made.trials or size, size)), problems
