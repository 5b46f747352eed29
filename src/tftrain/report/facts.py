"""A run directory in, all that its page says out, still without pictures; perhaps a stranger's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tftrain import assess, copies, predictions, recorded, runs, spread
from tftrain.assess import Assessed
from tftrain.config import Config, Source, permit, resolve_layers
from tftrain.config.shapes import trace
from tftrain.errors import ConfigError, DataError, Mark, Problem, RunError, did_you_mean
from tftrain.findings import Layers
from tftrain.recorded import Recorded
from tftrain.report import examples, history, members, origin
from tftrain.report.examples import Seen
from tftrain.report.history import Columns
from tftrain.report.members import Population
from tftrain.report.origin import Origin
from tftrain.scores import Assessment

_PARTS = ("test", "validation")  # that a run keeps predictions of
_DAMAGED = "R002"


@dataclass(frozen=True)
class Facts:
    """What there is to say of one run.

    Args:
        folder: the run directory.
        summary: what `summary.json` says.
        config: the values that were in force.
        layers: name, output's shape and parameters of each.
        history: the epochs.
        networks: the epochs of each network of a training with restarts.
        population: how far those lie apart; None for a training of one.
        origin: the config's template and what was changed.
        environment: what the run depends on besides.
        assessed: how good it is; None where that can't be said.
        lack: why not.
        seen: what its worst and its surest rows hold.
        data: what was learnt of the rows, a line each.
    """

    folder: Path
    summary: Mapping[str, Any]
    config: Config
    layers: Layers
    history: Columns
    networks: tuple[Columns, ...]
    population: Population | None
    origin: Origin
    environment: Mapping[str, Any]
    assessed: Assessed | None
    lack: str
    seen: Seen
    data: tuple[str, ...]

    @property
    def assessment(self) -> Assessment | None:
        """All that is said of its predictions; None where nothing can be."""
        return self.assessed.assessment if self.assessed else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch that was best by what was monitored, as far as it is known."""
        epoch = self.summary.get("best_epoch")
        return epoch if type(epoch) is int else None


def gather(
    folder: Path,
    summary: Mapping[str, Any],
    split: str | None,
    *,
    allow_code: bool,
    say: Callable[[str], object],
) -> Facts:
    """All that there is to say of a run.

    Args:
        folder: the run directory.
        summary: from `runs.in_any_state`.
        split: whose rows are scored; None for the test rows, or else those of validation.
        allow_code: whether the run's own Python files may run, should it be asked for predictions.
        say: is told what takes longer.

    Raises:
        RunError: when a file is damaged, or the run has no such split.
        ConfigError: when the run's config is not valid here.
    """
    found, seen, described = None, Seen({}), tuple[str, ...]()
    lack: str | None = "the run isn't finished: nothing was scored"
    if summary["state"] == runs.FINISHED:
        read = recorded.read(folder, summary, allow_code=True)  # no network is made of this one
        settings, source = read.config, read.source
        described = tuple(read.preparation.described())
        found, lack = _assessed(read, _part(folder, summary, split), allow_code, say)
        if found is not None and found.assessment is not None:
            seen = examples.of(read, found, found.assessment)
    else:
        settings, source = copies.load(folder, summary, allowed=True)
    return Facts(
        folder=folder,
        summary=summary,
        config=settings,
        layers=_layers(settings, source, summary),
        history=history.read(folder),
        networks=history.members(folder),
        population=members.of(folder, summary),
        origin=origin.of(folder, settings),
        environment=recorded.environment(folder),
        assessed=found,
        lack=lack or "",
        seen=seen,
        data=described,
    )


def _part(folder: Path, summary: Mapping[str, Any], split: str | None) -> str:
    there = [name for name in _PARTS if name in summary["rows"]]
    if spread.crossvalidated(summary) and "test" not in there:
        there.append("test")  # each row is one, in its fold
    if split is not None and split not in there:
        near = did_you_mean(split, there) or f"; expected {' or '.join(there)}"
        message = f"this run has no rows of `{split}` to score{near if there else ''}"
        raise RunError(Problem(Mark(str(folder)), "R001", message))
    return split or next(iter(there), "train")


def _assessed(
    run: Recorded, part: str, allow_code: bool, say: Callable[[str], object]
) -> tuple[Assessed | None, str | None]:
    """How good a run is; or why that can't be said, unless a file of it is damaged."""
    if predictions.read(run.folder, run.form, run.config.training.loss) is None:
        say(f"{run.folder}: it kept no predictions, so its network is asked again")
    try:
        leave = replace(run, source=_leave(run.source, allow_code))
        found = assess.of_run(leave, part, say=say)
    except (ConfigError, DataError, RunError) as error:
        if any(one.code == _DAMAGED for one in error.problems):
            raise
        return None, error.problems[0].message
    return found, None


def _leave(source: Source, allowed: bool) -> Source:
    """The config's source, with no leave to run its files but the user's."""
    return permit(source, allowed=True) if allowed else replace(source, code_allowed=False)


def _layers(settings: Config, source: Source, summary: Mapping[str, Any]) -> Layers:
    inputs = summary.get("inputs")
    shape = None if inputs is None else tuple(inputs)
    rows, _ = trace(resolve_layers(settings.model, source), shape)
    return [(row.layer.name, row.shape, row.parameters) for row in rows]
