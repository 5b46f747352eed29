"""The command `sweep`: many trainings, the best of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tftrain.console import (
    RUNS,
    AllowCode,
    Json,
    RunsDir,
    TimeLimit,
    configs,
    emit,
    emit_json,
    limit,
    tell,
)

if TYPE_CHECKING:
    from optuna import Study

    from tftrain.sweep.plan import Plan
    from tftrain.sweep.storage import Where

Storage = Annotated[
    str | None,
    typer.Option(
        envvar="TFTRAIN_SWEEP_STORAGE",
        show_envvar=True,
        help="Where studies are kept: a sqlite file, or the URL of a database for several "
        "machines; sweeps.sqlite3 beside the runs if not given.",
    ),
]


def sweep(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG [KEY=VALUE]... [KEY=log(1e-4,1e-1)]...",
            help="The YAML file, changes to it, and what to try: uniform, log, int, logint, "
            "choice. With --best the study, and a file for its best config.",
        ),
    ] = None,
    *,
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials.")] = None,
    time_limit: TimeLimit = None,
    objective: Annotated[
        str | None, typer.Option(help="What is to be best, such as val_loss or val_accuracy.")
    ] = None,
    direction: Annotated[str | None, typer.Option(help="min or max, where it isn't known.")] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, random or grid.")] = None,
    pruner: Annotated[str | None, typer.Option(help="none, median or hyperband.")] = None,
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="Names the study and its runs.")
    ] = None,
    storage: Storage = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes on this machine, for one study.")
    ] = 1,
    together: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Trials that differ in numbers only train side by side: so many at most; 32, or a "
            "worker's share, if not given.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="The study must be there.")] = False,
    worker: Annotated[bool, typer.Option("--worker", hidden=True)] = False,
    best: Annotated[
        bool, typer.Option("--best", help="Write the best config of a STUDY, to PATH if given.")
    ] = False,
    heartbeat: Annotated[
        str,
        typer.Option(
            metavar="SPAN",
            help="From one sign of life of a worker to the next; after five that are missed its "
            "trial is tried again.",
        ),
    ] = "60s",
    runs_dir: RunsDir = RUNS,
    allow_code: AllowCode = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No line a trial.")] = False,
) -> None:
    """Search for the best settings: try values, print a table and, last, the best run."""
    from tftrain.sweep import job, plan
    from tftrain.sweep import storage as storages

    storages.require_optuna()
    where = storages.where(storage, runs_dir)
    if best:
        return _write_best(arguments, where, as_json=as_json)
    paths, changes = configs(arguments, several=False, runs_dir=runs_dir)
    if time_limit is not None:
        limit(time_limit)
    asked = plan.Asked(objective, direction, sampler, pruner, trials, study)
    made = plan.plan(
        paths[0], changes, asked, timed=worker or time_limit is not None, allow_code=allow_code
    )
    options = _options(made, heartbeat, allow_code=allow_code, quiet=quiet)
    say = _nothing if quiet else tell
    setting = job.Setting(
        *(where, runs_dir, _seconds(heartbeat), workers, together, options, resume),
        say=say,
        warn=tell,
    )
    with storages.quiet(), storages.told(where):
        done, stopped = job.sweep(made, setting)
        if not worker:
            _show(done, made.objective, runs_dir, as_json=as_json)
    if stopped is not None and not worker:
        tell(f"stopped by {stopped.reason}; the same command goes on with {made.study}")
    if stopped is not None and stopped.exit_code:
        raise typer.Exit(stopped.exit_code)
    return None


def _nothing(line: str) -> None:
    pass


def _seconds(span: str) -> int:
    from tftrain import spans

    try:
        return spans.seconds(span)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--heartbeat'") from None


def _options(made: Plan, heartbeat: str, *, allow_code: bool, quiet: bool) -> list[str]:
    """What the workers' command lines say besides config and parameters."""
    given = {
        "--objective": made.objective,
        "--direction": "max" if made.maximize else "min",
        "--sampler": made.sampler,
        "--pruner": made.pruner,
        "--trials": made.trials and str(made.trials),
        "--heartbeat": heartbeat,
    }
    flags = {"--allow-code": allow_code, "--quiet": quiet}
    valued = [part for name, value in given.items() if value for part in (name, value)]
    return [*valued, *(name for name, set_ in flags.items() if set_)]


def _show(study: Study, objective: str, runs_dir: Path, *, as_json: bool) -> None:
    from tftrain.sweep import results
    from tftrain.sweep import study as studies

    if as_json:
        return emit_json(results.plain(study, objective))
    emit(results.text(study, objective))
    found = studies.best(study)
    if found is not None:
        emit("", f"best: trial {found.number}  {results.described(found.trial.params)}")
        emit(runs_dir / str(found.noted.get("run")))
    return None


def _write_best(arguments: list[str] | None, where: Where, *, as_json: bool) -> None:
    from tftrain.sweep import job
    from tftrain.sweep import storage as storages

    if not arguments or len(arguments) > 2:  # noqa: PLR2004 - a study, a file
        raise typer.BadParameter("expected a STUDY, and perhaps a PATH", param_hint="'--best'")
    name, *path = arguments
    with storages.quiet(), job.opened(where, name) as study:
        from tftrain.sweep import best

        file = best.write(study, path[0] if path else ".")
    if as_json:
        emit_json({"study": name, "config": str(file)})
    else:
        emit(file)
