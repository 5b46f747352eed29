"""A config's file in, what a training is asked for out, known to be good without TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tftrain import config, data, environment, runs
from tftrain import require as requirement
from tftrain.checkpoint import Checkpoint
from tftrain.config import Config, Place, Source, lint, memory, resolve_layers
from tftrain.config.shapes import trace
from tftrain.data import Splits
from tftrain.errors import ConfigError, Problem
from tftrain.require import Requirement
from tftrain.runs import Run

SMOKE_EPOCHS = 2
_LARGE_BYTES = 64 * 1024 * 1024  # of tables, which take as long to read as TensorFlow to import


@dataclass(frozen=True)
class Asked:
    """What a training is asked for.

    Args:
        config: the values in force.
        source: where each was written.
        splits: the rows; where there are folds, all as training rows.
        runs_dir: where the run's directory goes.
        smoke: at most 2 epochs and 256 rows.
        warnings: what is probably not meant.
        requirements: bounds on metrics that there will be.
        seconds: how long it took to see that all this is good.
        run: to go on with, None for a new one.
        checkpoint: where to go on, None for the beginning.
        remarks: lines on what is other than it was in the run that is gone on with.
        folds: the rows as each fold splits them.
    """

    config: Config
    source: Source
    splits: Splits
    runs_dir: Path
    smoke: bool = False
    warnings: tuple[Problem, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    seconds: float = 0.0
    run: Run | None = None
    checkpoint: Checkpoint | None = None
    remarks: tuple[str, ...] = ()
    folds: tuple[Splits, ...] = ()

    def metric_names(self, logged: Iterable[str] | None = None) -> list[str]:
        """What `--require` can ask for: the test split's metrics, validation's with `val_`.

        Args:
            logged: the names in the logs; those that the config knows if not given.
        """
        names = self.config.training.log_names() if logged is None else list(logged)
        splits = self.folds[0] if self.folds else self.splits
        tested = names if splits.test is not None else []
        watched = names if splits.validation is not None else []
        return [*tested, *(f"val_{name}" for name in watched)]


def prepare(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    runs_dir: Path,
    smoke: bool = False,
    require: Sequence[str] = (),
    allow_code: bool = False,
    threads: int | None = None,
    meanwhile: Callable[[], object] | None = None,
    load: Callable[..., tuple[Config, Source]] = config.load,
    read: Callable[[Config, Source], Splits] | None = None,
) -> Asked:
    """Reads a config and its data, and checks all that can be checked without TensorFlow.

    Args:
        path: the YAML file.
        overrides: `PATH=VALUE` each.
        runs_dir: where the run's directory goes.
        smoke: at most 2 epochs and 256 rows.
        require: `METRIC>=X` each.
        allow_code: whether the Python files that the config names may run.
        threads: where the config doesn't say; the cores if not given.
        meanwhile: begins what can be done while large tables are read, and returns at once.
        load: reads the file; `config.recorded` for that of a run.
        read: reads the rows; something else where they are there already.

    Raises:
        ConfigError, DataError: with every fault of the config, or else of the data.
        RunError: when runs can't be written there.
    """
    begun = time.perf_counter()
    loaded = partial(load, path, overrides, data_files=True)
    settings, source = _loaded(loaded, require, allow_code=allow_code)
    if meanwhile is not None and data.table_bytes(settings) > _LARGE_BYTES:
        meanwhile()
    splits = (read or data.load)(settings, source)
    folds = data.folds(settings, source) if settings.training.folds else []
    _require_memory(settings, source, splits)
    warnings = _lint(settings, source, folds[0] if folds else splits)
    runs.check_writable(runs_dir)
    changes: dict[str, Any] = {
        "threads": settings.training.threads or threads or environment.cores()
    }
    if smoke:
        changes["epochs"] = min(SMOKE_EPOCHS, settings.training.epochs)
        optimizer = settings.training.optimizer
        changes["optimizer"] = config.shortened(optimizer, changes["epochs"])
        splits = splits.thinned(data.SMOKE_ROWS)
        folds = [fold.thinned(data.SMOKE_ROWS) for fold in folds]
    training = settings.training.model_copy(update=changes)
    settings = settings.model_copy(update={"training": training})
    asked = Asked(settings, source, splits, runs_dir, smoke, tuple(warnings), folds=tuple(folds))
    several = asked.metric_names(settings.training.several())
    requirements = requirement.parse(require, asked.metric_names(), several)
    seconds = time.perf_counter() - begun
    return replace(asked, requirements=tuple(requirements), seconds=seconds)


def _loaded(
    load: Callable[[], tuple[Config, Source]], require: Iterable[str], *, allow_code: bool
) -> tuple[Config, Source]:
    """The config in force; all that is wrong with it, with what is required, and with the run."""
    problems: list[Problem] = []
    config.collect(problems, lambda: requirement.parse(require))
    loaded = config.collect(problems, load)
    if loaded:
        settings, source = loaded
        permitted = config.collect(problems, lambda: config.permit(source, allowed=allow_code))
        problems += [source.problem(*fault) for fault in _own_files(settings)]
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.mark.line is None))
    return settings, permitted


def _require_memory(settings: Config, source: Source, splits: Splits) -> None:
    """Refuses a network that nobody could build here."""
    table, _ = trace(resolve_layers(settings.model, source), splits.form.inputs)
    if too_large := memory.fault(table, settings, source):
        raise ConfigError(too_large[1])


def _lint(settings: Config, source: Source, splits: Splits) -> list[Problem]:
    """What is probably not meant; what can't come to anything meaningful is refused."""
    facts = data.facts(settings, splits)
    found = list(lint.lint(lint.network(settings, source, facts)))
    errors = [problem for problem in found if problem.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return [problem for problem in found if problem.severity == "warning"]


def _own_files(settings: Config) -> Iterator[tuple[Place, str, str]]:
    """Callbacks that would write over what the run itself writes."""
    for place, spec in enumerate(settings.training.callbacks):
        for argument, value in spec.arguments.items():
            first = next(iter(Path(str(value)).parts), "")
            if argument in config.CALLBACK_PATHS and first in runs.FILES:
                message = f"`{value}` is a file of the run itself: take another name"
                yield ("training", "callbacks", place, spec.name, argument), "C014", message
