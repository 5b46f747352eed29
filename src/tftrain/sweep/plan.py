"""What is asked for in, a sweep's plan out, known to be good without TensorFlow and Optuna."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tftrain import config
from tftrain.config import Config, Source, ranges
from tftrain.config.ranges import Choice, Range, RangeError, Values
from tftrain.config.sweep import DIRECTIONS, PRUNERS, SAMPLERS, Sweep
from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed

_FIXED = ("name", "extends", "code", "lint", "sweep", "training.threads")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_LARGEST_GRID = 10_000


@dataclass(frozen=True)
class Parameter:
    """One thing to try values of.

    Args:
        path: as an override has it.
        values: what may be tried.
        written: these, as the user wrote them.
        mark: where.
    """

    path: str
    values: Values
    written: str
    mark: Mark

    def override(self, value: object) -> str:
        """The change to the config that puts a value in."""
        return f"{self.path}={value if isinstance(value, str) else repr(value)}"


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
            if path not in fixed and not path.startswith(_FIXED)
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
    parameters = _parameters(source, section, [one for one in changes if one not in overrides])
    found = config.collect(problems, lambda: list(parameters)) or []
    problems += [one for each in found for one in _faults(path, overrides, settings, each)]
    objective = asked.objective or section.objective or _default_objective(settings)
    problems += _objective_faults(settings, source, asked, objective)
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


def points(values: Values) -> Sequence[Any]:
    """All values that there are, of those that can be counted."""
    if isinstance(values, Choice):
        return values.options
    return range(int(values.low), int(values.high) + 1, values.step) if values.whole else ()


def _parameters(source: Source, section: Sweep, changes: Sequence[str]) -> Iterator[Parameter]:
    """What is to be tried, by the config's section and then the command line, which wins.

    Raises:
        ConfigError: for a text that describes no values.
    """
    written = dict(section.parameters)
    marks = {path: source.problem(("sweep", "parameters", path), "", "").mark for path in written}
    for change in changes:
        path, _, values = change.partition("=")
        written[path.strip()] = values
        marks[path.strip()] = Mark(f"sweep '{change}'")
    for path, values in written.items():
        try:
            yield Parameter(path, ranges.parse(values), values.strip(), marks[path])
        except RangeError as fault:
            raise ConfigError(Problem(marks[path], "C032", f"`{values}`: {fault}")) from None


def _faults(
    path: Path, overrides: Sequence[str], settings: Config, parameter: Parameter
) -> Iterator[Problem]:
    """What is wrong with a config that has one of the parameter's outermost values."""
    if any(parameter.path == one or parameter.path.startswith(f"{one}.") for one in _FIXED):
        message = f"`{parameter.path}` can't be swept"
        yield Problem(parameter.mark, "C033", message)
        return
    known = config.plain(settings)
    seen: set[str] = set()
    for value in parameter.values.extremes:
        override = parameter.override(value)
        problems: list[Problem] = []
        config.collect(problems, lambda: config.load(path, [*overrides, override]))  # noqa: B023
        for problem in problems:
            near = "" if parameter.path in known else did_you_mean(parameter.path, known)
            told = "did you mean" in problem.message
            message = problem.message + ("" if told else near)
            if message not in seen:
                seen.add(message)
                yield replace(problem, mark=parameter.mark, message=message)


def _default_objective(settings: Config) -> str:
    return "val_loss" if settings.data.split.validation != 0 else "loss"


def _objective_faults(
    settings: Config, source: Source, asked: Asked, objective: str
) -> Iterator[Problem]:
    """An objective that nobody logs."""
    logged, several = settings.training.log_names(), settings.training.several()
    validated = settings.data.split.validation != 0
    names = [*(f"val_{name}" for name in logged if validated), *logged]
    metric, _, number = objective.removeprefix("val_").rpartition("_")
    one_of_several = number.isdigit() and metric in several
    if objective in names or (one_of_several and (validated or not objective.startswith("val_"))):
        return
    near = did_you_mean(objective, names) or f"; expected one of {listed(names)}"
    message = f"nothing called `{objective}` is logged{near}"
    if not validated and objective.removeprefix("val_") in logged:
        message = f"`{objective}` needs rows to validate on: data.split.validation is 0"
    at = source.problem(("sweep", "objective"), "C033", message)
    if asked.objective:
        at = replace(at, mark=Mark(f"--objective '{objective}'"))
    yield at


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
