"""What a sweep is to try in, its parameters out, or all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tftrain import config
from tftrain.config import Config, Source, ranges
from tftrain.config.ranges import Choice, RangeError, Values
from tftrain.config.sweep import Sweep
from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed

FIXED = ("name", "extends", "code", "lint", "sweep", "training.threads")


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


def parameters(source: Source, section: Sweep, changes: Sequence[str] = ()) -> Iterator[Parameter]:
    """What is to be tried, by the config's section and then the command line, which wins.

    Args:
        source: where the section was written.
        section: the config's.
        changes: `PATH=log(1e-4, 1e-1)` and the like.

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


def faults(
    path: Path, overrides: Sequence[str], settings: Config, parameter: Parameter
) -> Iterator[Problem]:
    """What is wrong with a config that has one of the parameter's outermost values.

    Args:
        path: the config's file.
        overrides: that hold for all trials.
        settings: the config without anything tried.
        parameter: to be tried.
    """
    if any(parameter.path == one or parameter.path.startswith(f"{one}.") for one in FIXED):
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


def default_objective(settings: Config) -> str:
    """What is to be best where nobody says."""
    return "val_loss" if settings.data.split.validation != 0 else "loss"


def objective_faults(
    settings: Config, source: Source, objective: str, *, optioned: bool = False
) -> Iterator[Problem]:
    """An objective that nobody logs.

    Args:
        settings: the config without anything tried.
        source: where it was written.
        objective: a name in the logs.
        optioned: whether the command line named it.
    """
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
    if optioned:
        at = replace(at, mark=Mark(f"--objective '{objective}'"))
    yield at


def points(values: Values) -> Sequence[Any]:
    """All values that there are, of those that can be counted."""
    if isinstance(values, Choice):
        return values.options
    return range(int(values.low), int(values.high) + 1, values.step) if values.whole else ()


def section_faults(
    path: Path, overrides: Sequence[str], settings: Config, source: Source
) -> Iterator[Problem]:
    """All that is wrong with a config's section `sweep`, besides its form."""
    if settings.sweep is None:
        return
    for parameter in parameters(source, settings.sweep):
        yield from faults(path, overrides, settings, parameter)
    if settings.sweep.objective is not None:
        yield from objective_faults(settings, source, settings.sweep.objective)
