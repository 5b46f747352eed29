"""A config in, all that is wrong or unwise about it out, and its network as a table.

Rows are read only where the config doesn't tell their shape, and TensorFlow is imported only where
the rules don't know a layer, unless more is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tftrain import config, findings, pages
from tftrain.config import Config, Source, outputs_fault, resolve
from tftrain.config.lint import EXAMPLES, RULES, Facts, facts_of, lint, network
from tftrain.config.shapes import Row, trace
from tftrain.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from tftrain.data import Splits


@dataclass(frozen=True)
class Report:
    """What there is to say of one config.

    Args:
        problems: errors, warnings and hints by their place.
        table: the network's layers with shapes and parameters, as far as they are known.
        config: the values in force, None where it can't be loaded.
        source: where each was written, likewise.
        asked: why Keras was asked, where nobody wanted that; or empty.
    """

    problems: tuple[Problem, ...]
    table: tuple[Row, ...] = ()
    config: Config | None = None
    source: Source | None = None
    asked: str = ""

    def has(self, severity: str) -> bool:
        """Whether there is a problem of a severity."""
        return any(problem.severity == severity for problem in self.problems)

    def verdict(self) -> str:
        """`2 errors, 1 warning`, and why Keras was asked."""
        counted = findings.count(self.problems)
        return f"{counted}; Keras was asked, as {self.asked}" if self.asked else counted

    def lines(self, *, excerpts: bool) -> list[str]:
        """The problems as lines, with what stands there if wanted, and the network's table."""
        rows = [(row.layer.name, row.shape, row.parameters) for row in self.table]
        shown = [findings.network_table(rows)] if rows else []
        return [*findings.text(self.problems, excerpts=excerpts), *shown]

    def annotations(self) -> list[str]:
        """The problems as annotations on the lines of a pull request."""
        return [findings.annotation(problem) for problem in self.problems]

    def effective(self, *, origins: bool) -> list[str]:
        """The values in force as YAML, with where each came from if wanted; none if faulty."""
        if self.config is None or self.source is None:
            return []
        if origins:
            return [config.with_origins(self.config, self.source)]
        return [config.resolved(self.config)]

    def plain(self) -> dict[str, Any]:
        """Problems and table for JSON."""
        return {
            "problems": [findings.plain(problem) for problem in self.problems],
            "layers": [
                {
                    "layer": row.layer.name,
                    "output_shape": None if row.shape is None else list(row.shape),
                    "parameters": row.parameters,
                }
                for row in self.table
            ],
        }


def check(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    data: bool = False,
    build: bool | None = None,
) -> Report:
    """Everything that can be said of a config without training.

    Args:
        path: the YAML file.
        overrides: `PATH=VALUE` each.
        data: whether the rows must be there, and are read too.
        build: whether Keras builds the network too, and is compared with what the rules say. None
            for where the rules don't know a layer; then rows are read as well, if they are there,
            where the config doesn't tell their shape.
    """
    try:
        settings, source = config.load(path, overrides)
    except ConfigError as error:
        return Report(error.problems)
    problems: list[Problem] = []
    wanted, shape_known = bool(data or build), facts_of(settings.data).inputs is not None
    splits = None
    if wanted or (build is None and not shape_known):
        splits = _splits(settings, source, problems, wanted=wanted)
    table = _network(settings, source, splits, problems)
    unknown = _unknown(table, problems)
    if unknown and build is None and shape_known:
        splits = splits or _splits(settings, source, problems, wanted=True)
    asked = ""
    if splits and unknown and build is None:
        asked = f"no rule knows all of `{unknown.layer.name}`"
    if splits and (build or asked):
        table = _built(settings, source, splits, table, problems)
    elif unknown and build is False:
        problems.append(_unasked(source, unknown if shape_known or splits else None))
    in_order = sorted(problems, key=partial(_place, str(path)))
    return Report(tuple(dict.fromkeys(in_order)), tuple(table), settings, source, asked)


def _unknown(table: Sequence[Row], problems: Sequence[Problem]) -> Row | None:
    """The first layer of which not all is known, if nothing that comes first is wrong."""
    if any(problem.severity == "error" and problem.code[0] in "DK" for problem in problems):
        return None
    return next((row for row in table if None in (row.shape, row.parameters)), None)


def _unasked(source: Source, layer: Row | None) -> Problem:
    """What `--no-build` leaves open: whether a layer fits, or the whole network."""
    if layer is None:
        message = "the network isn't checked against these rows, which weren't read"
        problem = source.problem(("data", "source"), "K009", message)
    else:
        message = f"`{layer.layer.name}`: only Keras knows whether it fits, and wasn't asked"
        problem = source.problem(layer.layer.path, "K009", message)
    return replace(problem, severity="warning")


def _place(path: str, problem: Problem) -> tuple[int, str, int, int]:
    """The file first, then those that it extends, then overrides."""
    mark = problem.mark
    if mark.line is None:
        return 2, "", 0, 0
    return int(mark.source != path), mark.source, mark.line, mark.column or 0


def explain(code: str) -> str:
    """The page of a code: what it means, why, a wrong and a right example.

    Raises:
        TftrainError: when there is no such code.
    """
    examples = pages.sections(EXAMPLES)
    lints = {
        rule.code: f"{rule.reason}\n\n{examples[rule.code]}\n"
        f"Instead: {rule.change}\n\nSource: {rule.reference}\n"
        for rule in RULES
    }
    return pages.page(code, lints)


def _splits(
    settings: Config, source: Source, problems: list[Problem], *, wanted: bool
) -> Splits | None:
    """The rows; unless they are wanted, it is no fault that they aren't here."""
    from tftrain import data

    try:
        return data.load(settings, source)
    except DataError as error:
        problems += error.problems if wanted else map(_missing, error.problems)
        return None


def _missing(problem: Problem) -> Problem:
    """A file that isn't here, as a warning: it may well be where the training will be."""
    if problem.code != "D001":
        return problem
    message = f"the network isn't checked against these rows: {problem.message}"
    return replace(problem, code="K009", message=message, severity="warning")


def _network(
    settings: Config, source: Source, splits: Splits | None, problems: list[Problem]
) -> list[Row]:
    """The network's table; what doesn't fit in it, and what the lint says."""
    facts = _facts(settings, splits)
    specs = enumerate(settings.model.layers)
    layers = [resolve("layer", spec, ("model", "layers", at), source) for at, spec in specs]
    table, fault = trace(layers, facts.inputs)
    if fault is not None:
        problems.append(source.problem(fault.path, fault.code, fault.message))
    elif message := _outputs_fault(settings, facts, table):
        problems.append(source.problem(layers[-1].path, "K005", message))
    shapes = [(row.shape, row.parameters) for row in table]
    problems += lint(network(settings, source, facts, shapes))
    return table


def _facts(settings: Config, splits: Splits | None) -> Facts:
    if splits is None:
        return facts_of(settings.data)
    from tftrain import data

    return data.facts(settings, splits)


def _outputs_fault(settings: Config, facts: Facts, table: Sequence[Row]) -> str | None:
    shape, labels = table[-1].shape, facts.labels
    if shape is None or labels is None:
        return None
    return outputs_fault(settings.training.loss, shape, facts.classes or 0, labels)


def _built(
    settings: Config,
    source: Source,
    splits: Splits,
    table: list[Row],
    problems: list[Problem],
) -> list[Row]:
    """The table as Keras builds the network; a difference is a fault of tftrain's own rules."""
    from tftrain import backend, model

    backend.start(settings.seed)
    try:
        with warnings.catch_warnings():  # Keras's, which `fit` shows
            warnings.simplefilter("ignore")
            built = model.build(settings, source, splits.form)
    except ConfigError as error:
        known = {problem.mark for problem in problems if problem.code.startswith("K")}
        problems += [problem for problem in error.problems if problem.mark not in known]
        return table
    real = iter(built.layers)
    rows = [_real(row, real) for row in table]
    for row, other in zip(table, rows, strict=True):
        if row.shape not in (None, other.shape) or row.parameters not in (None, other.parameters):
            ruled, made = (f"{one.shape}, {one.parameters} parameters" for one in (row, other))
            message = f"`{row.layer.name}`: expected {ruled}, but Keras makes {made}"
            problems.append(source.problem(row.layer.path, "K008", message))
    return rows


def _real(row: Row, layers: Iterator[Any]) -> Row:
    """The row of the layer that Keras made; it keeps none for an Input."""
    if row.layer.entry.definition == "InputLayer":
        return row
    layer = next(layers)
    return Row(row.layer, tuple(layer.output.shape[1:]), int(layer.count_params()))
