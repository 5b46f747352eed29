"""What a training of several networks is asked for in, its population out; what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tftrain import ensemble, evaluate, model, runs, spread
from tftrain.checkpoint import State
from tftrain.predictions import Predictions
from tftrain.prepare import Asked
from tftrain.runs import Run
from tftrain.training import Engine, Job, Logs
from tftrain.training import callbacks as keras_callbacks
from tftrain.training import population as populations
from tftrain.training.members import Lesson, Member
from tftrain.training.population import Population

Say = Callable[[str], None]


@dataclass(frozen=True)
class Kept:
    """What a training ends with.

    Args:
        engine: of the network that is kept.
        job: the training that its history is of.
        told: what the summary says besides.
        scores: of splits by their names, on whose rows other networks were asked.
        made: what these predict of such rows.
    """

    engine: Engine
    job: Job | Population
    told: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Logs] = field(default_factory=dict)
    made: Mapping[str, Predictions] = field(default_factory=dict)


def lessons(asked: Asked, engine: Engine) -> list[Lesson]:
    """What each network learns: the same rows, from seeds that are counted up."""
    seed, count = asked.config.training_seed, asked.config.training.restarts or 1
    return [Lesson((seed + one) % 2**32, asked.splits, engine) for one in range(count)]


def population(
    asked: Asked, learnt: Sequence[Lesson], run: Run, say: Say, begin: State | None = None
) -> Population:
    """The networks, from their first epoch or from the checkpoint on.

    Args:
        asked: from `prepare`.
        learnt: what each of them learns.
        run: in whose folder callbacks lie.
        say: gets a line that the user should see.
        begin: where they go on.
    """
    settings, source = asked.config, asked.source
    return Population(
        learnt,
        settings.training,
        callbacks=lambda: keras_callbacks.build(settings, source, run.folder),
        first=populations.first_values(
            lambda one: model.layered(settings, source, one.splits.form)
        ),
        say=say,
        begin=begin,
    )


def choose(asked: Asked, job: Population, run: Run, say: Say) -> Kept:
    """Keeps the best network, or all of them as one, and writes every one's history."""
    scores = populations.scores(job)
    best = job.keep_best(scores)
    seconds = [row["seconds"] for row in run.history]
    run.history = [
        {**row, "seconds": spent} for row, spent in zip(best.history, seconds, strict=False)
    ]
    told = recorded(asked, job, scores, run)
    told["kept"] = best.number
    if asked.config.training.keep != "ensemble":
        return Kept(job.engine, job, {"population": told})
    sound = [member for member in job.members if not member.failed]
    if len(sound) == 1:
        say("one network alone is left: it is kept as it is")
        return Kept(job.engine, job, {"population": told})
    engine = _as_one(asked, job, sound)
    parameters = int(engine.network.count_params())
    found = {"population": told, "kept": "ensemble", "parameters": parameters}
    return Kept(engine, job, found)


def recorded(
    asked: Asked, job: Population, scores: Sequence[Mapping[str, Logs]], run: Run
) -> dict[str, Any]:
    """Writes the history of all networks.

    Returns:
        What a summary says of them.
    """
    run.write(runs.MEMBERS, spread.table([member.history for member in job.members]))
    told = [
        {
            "seed": member.lesson.seed,
            "epochs_run": len(member.history),
            "failed": member.failed,
            "metrics": one,
        }
        for one, member in zip(scores, job.members, strict=True)
    ]
    found: dict[str, Any] = {"together": job.reason is None, "reason": job.reason, "members": told}
    sound = [one for one, member in zip(scores, job.members, strict=True) if not member.failed]
    for name in scores[0]:
        found[name] = spread.figures(asked.config.training, [one[name] for one in sound])
    return found


def _as_one(asked: Asked, job: Population, members: Sequence[Member]) -> Engine:
    """Several networks as one."""
    settings, splits = asked.config, asked.splits
    weights = []
    for member in members:
        job.enter(member)
        weights.append(model.weights_by_name(member.lesson.engine.network))
    network = ensemble.build(settings, asked.source, splits.form, len(weights))
    model.set_weights_by_name(network, ensemble.together(weights))
    return evaluate.engine_of(network, settings, len(splits.train))
