"""What a training is asked for in, its run directory out: a new one, or one that goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tftrain import config, copies, environment, files, runs
from tftrain.checkpoint import Checkpoint
from tftrain.environment import Git
from tftrain.errors import RunError
from tftrain.prepare import Asked
from tftrain.runs import Run

_BITS = ("tensorflow", "keras", "numpy", "machine", "onednn")  # what the last bits depend on

_OF_AN_END = (  # what only an end writes into a summary
    *("reason", "finished", "resumable", "metrics", "seconds"),
    *("epochs_run", "monitor", "best_epoch", "best_value", "kept", "population"),
)


def run(asked: Asked, network: Any, git: Git, versions: Mapping[str, str]) -> tuple[Run, list[str]]:
    """The run's directory with all that is known before the first epoch, or none.

    Args:
        asked: from `prepare`, or from `resume.prepare` for a run that is gone on with.
        network: of which the parameters are counted.
        git: as asked when the job began.
        versions: of TensorFlow, Keras and NumPy.

    Returns:
        The run, and a line where it goes on in other surroundings than it began in.

    Raises:
        StorageError: when it can't be written.
    """
    settings = asked.config
    surroundings = environment.describe(dict(versions), settings.training.threads, git)
    if asked.run is not None and asked.checkpoint is not None:
        return asked.run, _go_on(asked, asked.run, asked.checkpoint, surroundings)
    name = f"{settings.name}-smoke" if asked.smoke else settings.name
    opened = asked.run or runs.claim(asked.runs_dir, name)
    try:
        _describe(asked, opened, network, surroundings)
    except Exception:
        if asked.run is None:
            opened.discard()
        raise
    return opened, []


def now() -> str:
    """This moment, as a run records it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _go_on(
    asked: Asked, run: Run, checkpoint: Checkpoint, surroundings: dict[str, Any]
) -> list[str]:
    """Makes the run what it was at its checkpoint."""
    run.history = [dict(row) for row in checkpoint.history]
    for name in _OF_AN_END:
        run.summary.pop(name, None)
    settings = copies.named(asked.config, run.summary.get("code", []))
    run.write(runs.RESOLVED, config.resolved(settings))
    run.write_metrics()
    begun = _environment(run)
    others = [name for name in _BITS if name in begun and begun[name] != surroundings[name]]
    resumed = [*begun.get("resumed", []), {"epoch": len(run.history), "at": now(), **surroundings}]
    run.write(runs.ENVIRONMENT, json.dumps(begun | {"resumed": resumed}, indent=2) + "\n")
    run.update(state=runs.RUNNING, process=os.getpid(), epochs=asked.config.training.epochs)
    return [
        f"{name} was {begun[name]} when this run began, and is {surroundings[name]} now: its last "
        "bits may come out otherwise"
        for name in others
    ]


def _environment(run: Run) -> dict[str, Any]:
    """What the run recorded of its surroundings; nothing where that can't be read."""
    try:
        found = json.loads(files.read(run.folder / runs.ENVIRONMENT))
    except (RunError, ValueError, RecursionError):
        return {}
    sound = isinstance(found, dict) and isinstance(found.get("resumed", []), list)
    return found if sound else {}


def _describe(asked: Asked, run: Run, network: Any, surroundings: dict[str, Any]) -> None:
    settings, splits = asked.config, asked.splits
    run.summary.clear()  # of one that begins again
    run.write(runs.CONFIG, asked.source.raw)
    code = copies.keep(run, asked.source.code)
    run.write(runs.RESOLVED, config.resolved(copies.named(settings, code)))
    run.write(runs.ENVIRONMENT, json.dumps(surroundings, indent=2) + "\n")
    rows = {name: part.row_numbers for name, part in splits.parts().items()}
    files.write_arrays(run.folder / runs.SPLIT, rows)
    run.update(
        format_version=runs.FORMAT_VERSION,
        name=run.folder.name,
        state=runs.RUNNING,
        smoke=asked.smoke,
        started=now(),
        process=os.getpid(),
        parameters=int(network.count_params()),
        inputs=list(splits.form.inputs),
        labels=list(splits.form.labels),
        classes=splits.form.classes and list(splits.form.classes),
        rows={name: len(part) for name, part in splits.parts().items()},
        fingerprint=splits.fingerprint,
        notes=[str(note) for note in splits.notes],
        code=code,
        epochs=settings.training.epochs,
    )
