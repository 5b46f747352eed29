"""What a training with restarts is asked for in, its population out; the best kept in a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tftrain import model, runs, spread, training
from tftrain.checkpoint import State
from tftrain.prepare import Asked
from tftrain.runs import Run
from tftrain.training import Engine
from tftrain.training import callbacks as keras_callbacks
from tftrain.training import population as populations
from tftrain.training.population import Population

Say = Callable[[str], None]


def population(asked: Asked, engine: Engine, run: Run, say: Say) -> Population:
    """The networks, from their first epoch or from the checkpoint on.

    Args:
        asked: from `prepare`.
        engine: of one network, its training graph traced.
        run: in whose folder callbacks lie.
        say: gets a line that the user should see.
    """
    settings, source, splits = asked.config, asked.source, asked.splits
    count = settings.training.restarts or 1
    seeds = [(settings.training_seed + number) % 2**32 for number in range(count)]
    values = populations.first_values(engine, lambda: model.layered(settings, source, splits.form))
    return Population(
        engine,
        settings.training,
        train=splits.weighted,
        validation=splits.validation,
        seeds=seeds,
        callbacks=lambda: keras_callbacks.build(settings, source, run.folder),
        first=lambda number: values(seeds[number]),
        say=say,
        begin=asked.checkpoint.state if asked.checkpoint else None,
    )


def misfit(asked: Asked, engine: Engine, built: Sequence[Any], state: State) -> str | None:
    """What of a state is not of this training, of one network or of many; or None."""
    members = asked.config.training.restarts
    if members is None:
        return training.misfit(engine, built, state)
    return populations.misfit(engine, built, members, state)


def choose(asked: Asked, job: Population, run: Run, say: Say) -> dict[str, Any]:
    """Keeps the best network, and writes every one's history.

    Returns:
        What a summary says of all of them, under `population`.
    """
    scores = populations.scores(job, asked.splits)
    best = job.keep_best(scores)
    seconds = [row["seconds"] for row in run.history]
    run.history = [
        {**row, "seconds": spent} for row, spent in zip(best.history, seconds, strict=False)
    ]
    run.write(runs.MEMBERS, spread.table([member.history for member in job.members]))
    told = [
        {
            "seed": member.seed,
            "epochs_run": len(member.history),
            "failed": member.failed,
            "metrics": one,
        }
        for one, member in zip(scores, job.members, strict=True)
    ]
    found: dict[str, Any] = {
        "together": job.reason is None,
        "reason": job.reason,
        "kept": best.number,
        "members": told,
    }
    sound = [one for one, member in zip(scores, job.members, strict=True) if not member.failed]
    for name in asked.splits.parts():
        found[name] = spread.figures(asked.config.training, [one[name] for one in sound])
    for line in spread.said(found):
        say(line)
    return {"population": found}
