"""Runs in, how they differ out: figures, on the same rows, config, surroundings; no TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tftrain import predictions, recorded, runs
from tftrain.errors import Mark, Problem, RunError, did_you_mean
from tftrain.predictions import Predictions
from tftrain.recorded import Recorded
from tftrain.scores import Metric, Verdict, compare_predictions

_PARTS = ("validation", "test")
_NOT_COMPARED = ("command", "resumed")  # of the surroundings
Values = Mapping[str, tuple[str | None, ...]]


@dataclass(frozen=True)
class Test:
    """A run against the first one, on the same rows.

    Args:
        run: its name.
        verdict: in the main metric, by the bootstrap of the difference.
        p_value: McNemar's, exact, of both being right equally often; None for numbers.
    """

    run: str
    verdict: Verdict
    p_value: float | None


@dataclass(frozen=True)
class Compared:
    """How runs differ.

    Args:
        split: whose rows are scored.
        runs: their names; the first is what the others are held against.
        metrics: by name, one for each run, None where it hasn't it.
        tests: of each further run that was scored on the same rows.
        config: values that differ by their paths, one for each run, as JSON; None where absent.
        environment: likewise.
        notes: what should be known beside this.
    """

    split: str
    runs: tuple[str, ...]
    metrics: Mapping[str, tuple[Metric | None, ...]]
    tests: tuple[Test, ...]
    config: Values
    environment: Values
    notes: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(runs_dir: Path, names: Sequence[str], split: str = "test") -> Compared:
    """How finished runs differ.

    Args:
        runs_dir: where runs are.
        names: of the runs, or their directories.
        split: `validation` or `test`.

    Raises:
        RunError: when there is no such run, or it kept no such predictions.
        ConfigError: when a run's config is not valid here.
    """
    folders = [runs.find(runs_dir, name) for name in names]
    # no network is made of these: their own code has nothing to run in
    found = [recorded.read(*one, allow_code=True) for one in folders]
    made = [_predictions(one, split) for one in found]
    shown = _names([one.folder for one in found])
    alike = [
        _same_rows(found[0], one, made[0][0], rows)
        for one, (rows, _) in zip(found, made, strict=True)
    ]
    notes = [
        f"{name} was not scored on the same rows as {shown[0]}: no paired test"
        for name, same in zip(shown, alike, strict=True)
        if not same
    ]
    classes = [one.form.classes or () for one in found]
    metrics, verdicts = compare_predictions(
        dict(zip(shown, (rows for rows, _ in made), strict=True)),
        dict(zip(shown, classes, strict=True)),
        made[0][1],
        [name for name, same in zip(shown, alike, strict=True) if same],
    )
    tests = tuple(Test(run, *one) for run, one in verdicts.items())
    return Compared(
        split,
        tuple(shown),
        metrics,
        tests,
        _differing([dict(_flat(_settings(one))) for one in found]),
        _differing([dict(_flat(_environment(one.folder))) for one in found]),
        tuple(notes),
    )


def _predictions(run: Recorded, split: str) -> tuple[Predictions, np.ndarray[Any, Any]]:
    mark = Mark(str(run.folder))
    if split not in _PARTS:
        near = did_you_mean(split, _PARTS) or f"; expected {' or '.join(_PARTS)}"
        raise RunError(Problem(mark, "R001", f"runs keep no predictions of `{split}`{near}"))
    saved = predictions.read(run.folder, run.form, run.config.training.loss)
    rows = saved.parts.get(split) if saved else None
    if saved is None or rows is None:
        message = f"it kept no predictions of {split} rows: {runs.PREDICTIONS} holds them"
        raise RunError(Problem(mark, "R001", message))
    if not np.isfinite(rows.outputs).all():
        raise RunError(Problem(mark, "R001", "some of its predictions are no finite numbers"))
    return rows, saved.learnt


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names; their paths where two are of one name."""
    names = [folder.name for folder in folders]
    return (
        names if len(set(names)) == len(names) else [f"{n}. {f}" for n, f in enumerate(folders, 1)]
    )


def _same_rows(first: Recorded, other: Recorded, ours: Predictions, theirs: Predictions) -> bool:
    """Whether two runs were scored on the same rows of the same data, labelled alike."""
    if (first.form.classes, first.config.data.source) != (
        other.form.classes,
        other.config.data.source,
    ):
        return False
    same = np.array_equal(ours.rows, theirs.rows) and ours.labels.shape == theirs.labels.shape
    return same and np.allclose(ours.labels, theirs.labels, rtol=1e-4)


def _settings(run: Recorded) -> dict[str, Any]:
    return run.config.model_dump(mode="json", exclude={"name"})


def _environment(folder: Path) -> dict[str, Any]:
    found = recorded.environment(folder)
    return {name: value for name, value in found.items() if name not in _NOT_COMPARED}


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Values by their dotted paths, as JSON."""
    if not isinstance(value, dict | list) or not value:
        yield path, json.dumps(value, ensure_ascii=False)
        return
    for name, one in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _flat(one, f"{path}.{name}" if path else str(name))


def _differing(sides: Sequence[Mapping[str, str]]) -> Values:
    names = dict.fromkeys(name for side in sides for name in side)
    values = {name: tuple(side.get(name) for side in sides) for name in names}
    return {name: several for name, several in values.items() if len(set(several)) > 1}
