"""A config in, all that is wrong or unwise about it out, and its network as a table.

Rows are read only where the config doesn't tell their shape, and TensorFlow is imported only where
the rules don't know a layer, unless more is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tftrain import config, findings, pages, parameters, stopping
from tftrain.config import Config, Source, headers, kind_of, memory, outputs_fault, resolve_layers
from tftrain.config.lint import EXAMPLES, RULES, Facts, lint, network
from tftrain.config.shapes import Row, trace
from tftrain.errors import ConfigError, DataError, Problem, Severity, one_line

if TYPE_CHECKING:
    from tftrain.data import Look, Splits
    from tftrain.data.profile import Profile


_SMALL_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Report:
    """What there is to say of one config.

    Args:
        problems: errors, warnings and hints by their place.
        table: the network's layers with shapes and parameters, as far as they are known.
        config: the values in force, None where it can't be loaded.
        source: where each was written, likewise.
        asked: why Keras was asked, where nobody wanted that; or empty.
        data: what there is to say of the rows, None where they weren't read for that.
    """

    problems: tuple[Problem, ...]
    table: tuple[Row, ...] = ()
    config: Config | None = None
    source: Source | None = None
    asked: str = ""
    data: Profile | None = None

    def has(self, severity: str) -> bool:
        """Whether there is a problem of a severity."""
        return any(problem.severity == severity for problem in self.problems)

    def verdict(self) -> str:
        """`2 errors, 1 warning`, and why Keras was asked."""
        counted = findings.count(self.problems)
        return f"{counted}; Keras was asked, as {self.asked}" if self.asked else counted

    def lines(self, *, excerpts: bool) -> list[str]:
        """The problems, with what stands there if wanted; the data; the network's table."""
        rows = [(row.layer.name, row.shape, row.parameters) for row in self.table]
        shown = [findings.network_table(rows)] if rows else []
        problems = findings.text(self.problems, excerpts=excerpts)
        if self.data is None:
            return [*problems, *shown]
        from tftrain import overview

        return [*problems, *overview.lines(self.data), *shown]

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

    def plain(self, *, show: bool = False, origins: bool = False) -> dict[str, Any]:
        """Problems, data, table for JSON; the values in force and their origins if wanted."""
        plain: dict[str, Any] = {
            "data": None if self.data is None else self.data.plain(),
            "keras_asked": self.asked or None,
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
        if show or origins:
            plain["effective"] = self.config and self.config.model_dump(mode="json")
        if origins and self.config and self.source:
            places = config.origins(self.config, self.source)
            plain["origins"] = {".".join(map(str, path)): place for path, place in places.items()}
        return plain


def check(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    data: bool = False,
    build: bool | None = None,
    allow_code: bool = False,
) -> Report:
    """Everything that can be said of a config without training.

    Args:
        path: the YAML file.
        overrides: `PATH=VALUE` each.
        data: whether the rows must be there, and are read too.
        build: whether Keras builds the network too, and is compared with what the rules say. None
            for where the rules don't know a layer; then small tables are read as well, if they are
            there, for only they tell how wide their rows become.
        allow_code: whether the config's own Python files may run, for Keras to build it.

    Raises:
        StorageError: when there is no room for a large table's prepared rows.
    """
    wanted = bool(data or build)
    problems: list[Problem] = []
    loaded = _loaded(path, overrides, problems, wanted=wanted)
    if loaded is None:
        return Report(tuple(problems))
    settings, source = loaded
    problems += parameters.section_faults(path, overrides, settings, source)
    runnable = allow_code or not source.code
    if runnable:
        source = config.permit(source, allowed=True)
    elif build:
        problems.append(config.refusal(source))
    seen: list[Profile] = []
    readable = wanted or (build is None and not problems and _small(settings))
    look = _look(settings, seen) if data else None
    splits = _splits(settings, source, problems, look) if readable else None
    problems += [problem for one in seen for problem in one.problems(source)]
    facts = _facts(settings, source, splits, problems)
    table = _network(settings, source, facts, problems)
    unknown = _unknown(table, problems)
    asked = ""
    if unknown and runnable and build is None and facts.inputs is not None:
        splits = splits or _splits(settings, source, problems, None)
        asked = f"no rule knows all of `{unknown.layer.name}`" if splits else ""
    if splits and runnable and (asked or (build and not _too_large(problems))):
        table = _built(settings, source, splits, table, problems)
    elif unknown:
        layer = None if facts.inputs is None else unknown
        severity: Severity = "warning" if build is False else "hint"
        problems.append(_unasked(source, layer, severity, runnable=runnable))
    in_order = sorted(problems, key=partial(_place, str(path)))
    told = tuple(dict.fromkeys(in_order))
    return Report(told, tuple(table), settings, source, asked, seen[0] if seen else None)


def exit_code(reports: Mapping[Path, Report], *, strict: bool) -> int:
    """2 if there are errors, 1 for warnings where these count, 0 otherwise."""
    every = reports.values()
    if any(report.has("error") for report in every):
        return 2
    return int(strict and any(report.has("warning") for report in every))


def lines(reports: Mapping[Path, Report], *, excerpts: bool) -> Iterator[str]:
    """All that is to be read of configs: of each its lines and, last, the verdict."""
    for path, report in reports.items():
        yield from report.lines(excerpts=excerpts)
        yield f"{one_line(str(path))}: {report.verdict()}"


def effective(reports: Mapping[Path, Report], *, origins: bool) -> Iterator[str]:
    """The values in force; of several configs as so many documents of YAML."""
    for path, report in reports.items():
        if len(reports) > 1:
            yield f"--- # {one_line(str(path))}"
        yield from report.effective(origins=origins)


def told(reports: Mapping[Path, Report]) -> Iterator[str]:
    """What is wrong, in lines without excerpts."""
    for report in reports.values():
        yield from findings.text(report.problems, excerpts=False)


def annotated(reports: Mapping[Path, Report]) -> list[str]:
    """Annotations for a pull request, each once: configs may extend the same faulty one."""
    found = dict.fromkeys(line for one in reports.values() for line in one.annotations())
    asked = [findings.notice(path, one.verdict()) for path, one in reports.items() if one.asked]
    return [*found, *asked]


def plain(reports: Mapping[Path, Report], *, show: bool, origins: bool) -> list[dict[str, Any]]:
    """For JSON."""
    return [
        {"config": str(path), **report.plain(show=show, origins=origins)}
        for path, report in reports.items()
    ]


def _loaded(
    path: Path, overrides: Sequence[str], problems: list[Problem], *, wanted: bool
) -> tuple[Config, Source] | None:
    """The config; that a file isn't here is a warning where rows aren't wanted.

    It may well be where the training will be, and is no reason to pass over the network. A name
    that doesn't say what kind of data it is of is an error all the same.
    """
    loaded: tuple[Config, Source] | None = config.collect(
        problems, partial(config.load, path, overrides, data_files=True)
    )
    if {problem.code for problem in problems} != {"D001"}:
        return loaded
    loaded = config.collect([], partial(config.load, path, overrides))
    if loaded is not None and not wanted:
        problems[:] = [replace(problem, severity="warning") for problem in problems]
    return loaded


def _small(settings: Config) -> bool:
    """Whether the rows come from tables that are read before anybody gets impatient."""
    if kind_of(settings.data.source) != "table":
        return False
    from tftrain import data

    return data.table_bytes(settings) <= _SMALL_BYTES


def _unknown(table: Sequence[Row], problems: Sequence[Problem]) -> Row | None:
    """The first layer of which not all is known, if nothing that comes first is wrong."""
    if any(problem.severity != "hint" and problem.code[0] in "DK" for problem in problems):
        return None
    return next((row for row in table if None in (row.shape, row.parameters)), None)


def _too_large(problems: Sequence[Problem]) -> bool:
    return any(problem.code == "K009" for problem in problems)


def _unasked(source: Source, layer: Row | None, severity: Severity, *, runnable: bool) -> Problem:
    """What is left open: whether a layer fits, or the whole network."""
    if layer is None:
        message = "the network isn't checked against these rows, which weren't read: --data does"
        problem = source.problem(("data", "source"), "K010", message)
    else:
        message = f"`{layer.layer.name}`: only Keras knows whether it fits, and wasn't asked"
        if not runnable:
            message += ": that would run the config's code; --allow-code lets it"
        problem = source.problem(layer.layer.path, "K010", message)
    return replace(problem, severity=severity)


def _look(settings: Config, seen: list[Profile]) -> Look:
    """What makes a profile of the rows once they are read."""
    from tftrain.data.profile import profile

    return lambda raws, splits: seen.append(profile(raws, splits, settings))


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
    settings: Config, source: Source, problems: list[Problem], look: Look | None
) -> Splits | None:
    from tftrain import data

    try:
        splits = data.load(settings, source, look)
        if settings.training.folds:
            data.folds(settings, source)
    except DataError as error:
        missing = any(problem.code == "D001" for problem in problems)
        problems += [one for one in error.problems if one.code != "D001" or not missing]
        return None
    return splits


def _network(settings: Config, source: Source, facts: Facts, problems: list[Problem]) -> list[Row]:
    """The network's table; what doesn't fit in it, and what the lint says."""
    layers = resolve_layers(settings.model, source)
    table, fault = trace(layers, facts.inputs)
    if too_large := memory.fault(table, settings, source):
        place, problem = too_large
        table = table[:place]
        problems.append(problem)
    elif fault is not None:
        problems.append(source.problem(fault.path, fault.code, fault.message))
    elif message := _outputs_fault(settings, source, facts, table):
        problems.append(source.problem(layers[-1].path, "K005", message))
    shapes = [(row.shape, row.parameters) for row in table]
    problems += lint(network(settings, source, facts, shapes))
    return table


def _facts(
    settings: Config, source: Source, splits: Splits | None, problems: list[Problem]
) -> Facts:
    """What is known of the data: read, or as the headers of its files tell."""
    if splits is not None:
        from tftrain import data

        return data.facts(settings, splits)
    facts, faults = headers.known(settings)
    told = {problem.mark for problem in problems}  # by who read the rows
    found = [source.problem(*fault) for fault in faults]
    problems += [problem for problem in found if problem.mark not in told]
    return facts


def _outputs_fault(
    settings: Config, source: Source, facts: Facts, table: Sequence[Row]
) -> str | None:
    shape, labels = table[-1].shape, facts.labels
    if shape is None or labels is None:
        return None
    loss = settings.training.loss
    own = config.is_own("loss", loss, source)
    return outputs_fault(loss, shape, facts.classes or 0, labels, own=own)


def _built(
    settings: Config,
    source: Source,
    splits: Splits,
    table: list[Row],
    problems: list[Problem],
) -> list[Row]:
    """The table as Keras builds the network; a difference is a fault of tftrain's own rules."""
    from tftrain import backend, foreign, model

    try:
        backend.start(settings.seed)
        foreign.run(source)
        with stopping.at_once(), warnings.catch_warnings():  # Keras's, which `fit` shows
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
