"""What a training is asked for in; the networks, the training, and what it keeps in the end out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tftrain import config, evaluate, folds, foreign, model, restarts, runs, training
from tftrain import require as requirement
from tftrain.errors import ConfigError, Mark, Problem, RunError
from tftrain.folds import Again, CrossValidation
from tftrain.prepare import Asked
from tftrain.restarts import Kept, Say
from tftrain.runs import Run
from tftrain.training import Engine, Job, callbacks, population
from tftrain.training.members import Lesson
from tftrain.training.population import Population

Training = Job | Population | CrossValidation


@dataclass(frozen=True)
class Built:
    """What can be trained.

    Args:
        engine: of the network for all rows.
        lessons: what each network learns, where there are several.
        again: the training that follows those of folds.
    """

    engine: Engine
    lessons: list[Lesson] = field(default_factory=list)
    again: Again | None = None


def build(asked: Asked) -> Built:
    """The networks and what runs them, once everything that Keras can refuse has been tried.

    Raises:
        ConfigError: when Keras refuses what the config asks for.
        RunError: when the checkpoint to go on from is of another training.
    """
    foreign.run(asked.source)
    engine = engine_of(asked)
    built = Built(engine)
    if asked.config.training.restarts is not None:
        built = Built(engine, restarts.lessons(asked, engine))
    elif asked.folds:
        built = Built(engine, _of_folds(asked, engine), folds.again(asked, engine))
    _require_own(asked, built)
    return built


def begin(
    asked: Asked, built: Built, run: Run, say: Say, advance: Callable[[float], None]
) -> Training:
    """The training, before its first epoch or at its checkpoint.

    Args:
        asked: from `prepare`.
        built: what is trained.
        run: in whose folder callbacks lie.
        say: gets a line that the user should see.
        advance: gets how many epochs are done, now and then.
    """
    state = asked.checkpoint.state if asked.checkpoint else None
    if built.again is not None:
        return _cross_validation(asked, built.lessons, built.again, run, say)
    if built.lessons:
        return restarts.population(asked, built.lessons, run, say, state)
    settings, splits = asked.config, asked.splits
    return Job(
        engine=built.engine,
        training=settings.training,
        train=splits.weighted,
        validation=splits.validation,
        seed=settings.training_seed,
        callbacks=callbacks.build(settings, asked.source, run.folder),
        say=say,
        advance=advance,
        begin=state,
        logs=run.last_logs(),
    )


def end(asked: Asked, job: Training, run: Run, *, say: Say, train: Callable[[Job], None]) -> Kept:
    """What a training that is over ends with.

    Args:
        asked: from `prepare`.
        job: the training.
        run: gets every network's history.
        say: gets a line that the user should see.
        train: carries a training out that follows.
    """
    if isinstance(job, Job):
        return Kept(job.engine, job)
    if isinstance(job, Population):
        return restarts.choose(asked, job, run, say)
    return folds.finish(asked, job, run, say=say, train=train)


def _cross_validation(
    asked: Asked, learnt: Sequence[Lesson], then: Again, run: Run, say: Say
) -> CrossValidation:
    """The folds and what follows; that begins anew where the folds have more epochs than before."""
    held = refit = None
    if asked.checkpoint:
        held, refit = folds.parted(asked.checkpoint.state, len(learnt))
    job = restarts.population(asked, learnt, run, say, held)
    if held and not held.ended and held.epoch < asked.config.training.epochs:
        refit = None
    return CrossValidation(job, then, refit)


def engine_of(asked: Asked, adapt: Callable[[Engine], None] | None = None) -> Engine:
    """The network and what runs it, once everything that Keras can refuse of it has been tried.

    Args:
        asked: from `prepare`.
        adapt: changes the network for others, whose graph is not this one's: none is traced here.

    Raises:
        ConfigError: when Keras refuses what the config asks for.
    """
    settings, source, splits = asked.config, asked.source, asked.splits
    problems: list[Problem] = []
    network = config.collect(problems, lambda: model.build(settings, source, splits.form))
    config.collect(problems, lambda: callbacks.build(settings, source, asked.runs_dir))
    if network is not None:
        names = training.logged(network)
        watched = config.monitors(settings.data, settings.training, names)
        problems += [source.problem(*fault) for fault in watched]
        bounds = map(str, asked.requirements)
        config.collect(problems, lambda: requirement.parse(bounds, asked.metric_names(names)))
    if problems:
        raise ConfigError(problems)
    engine = evaluate.engine_of(network, settings, len(splits.train))
    if adapt is not None:
        adapt(engine)
        return engine
    try:
        training.trace(engine, splits.weighted, settings.seed)
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes
        message = f"this network can't be trained: {foreign.words(error, source)}"
        raise ConfigError(source.problem(("model", "layers"), "K005", message, key=True)) from None
    return engine


def _of_folds(asked: Asked, engine: Engine) -> list[Lesson]:
    try:
        return folds.lessons(asked, engine)
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - Keras raises what it likes
        source = asked.source
        message = f"the network of a fold can't be trained: {foreign.words(error, source)}"
        raise ConfigError(source.problem(("training", "folds"), "K005", message)) from None


def _require_own(asked: Asked, built: Built) -> None:
    """Sees that the checkpoint to go on from, where there is one, is of this training."""
    if asked.run is None or asked.checkpoint is None:
        return
    state = asked.checkpoint.state
    own = callbacks.build(asked.config, asked.source, asked.runs_dir)
    if built.again is not None:
        misfit = folds.misfit(asked, built.lessons, built.again, state)
    elif built.lessons:
        misfit = population.misfit(built.lessons, own, state)
    else:
        misfit = training.misfit(built.engine, own, state)
    if misfit:
        mark = Mark(str(asked.run.folder / runs.CHECKPOINT))
        raise RunError(Problem(mark, "R002", misfit))
