"""The command line: parse, one call, print. Each command imports what it needs, and no more."""

from __future__ import annotations

import enum
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tftrain import explaining, housekeeping, scoring, sweeping
from tftrain.console import (
    NEWEST,
    RUNS,
    AllowCode,
    Json,
    Require,
    Resume,
    Resuming,
    RunsDir,
    TimeLimit,
    configs,
    emit,
    emit_json,
    exit_unless_met,
    limit,
    reader_left,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tftrain.errors import Stopped
    from tftrain.prepare import Asked
    from tftrain.runs import Run
    from tftrain.terminal import Check

app = typer.Typer(
    name="tftrain",
    help="One YAML file in, one reproducible Keras training run out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Form(enum.StrEnum):
    """How `check` prints."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def _version(value: bool) -> None:
    if value:
        from tftrain import __version__

        typer.echo(f"tftrain {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


@app.command(cls=Resuming)
def fit(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG [KEY=VALUE]...",
            help="The YAML file, and changes to it: training.epochs=5",
        ),
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(help="Name of the run directory.")] = None,
    runs_dir: RunsDir = RUNS,
    resume: Resume = None,
    newest: Annotated[bool, typer.Option(NEWEST, hidden=True)] = False,
    time_limit: TimeLimit = None,
    require: Require = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="At most 2 epochs and 256 rows; then check the run.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write the run's page too, as `tftrain report` does.")
    ] = False,
    allow_code: AllowCode = False,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no more than what must be said.")
    ] = False,
) -> None:
    """Train a network; print its metrics and, last, its run directory."""
    from tftrain import fit as job
    from tftrain import spread, terminal
    from tftrain.errors import Stopped

    if report and smoke:
        raise typer.BadParameter("not with --smoke", param_hint="'--report'")
    if time_limit is not None:
        limit(time_limit)
    begins = resume is None and not newest
    paths, changes = configs(arguments, needed=begins, several=False, runs_dir=runs_dir)
    settings: dict[str, Any] = {
        "runs_dir": runs_dir,
        "require": require or (),
        "allow_code": allow_code,
        "meanwhile": job.begin_import,
    }
    try:
        if begins:
            changes += [f"name={json.dumps(name)}"] if name else []
            asked = job.prepare(paths[0], changes, smoke=smoke, **settings)
        else:
            fresh = {"--name": name, "--smoke": smoke}
            asked = _resumed(paths, changes, None if newest else resume, fresh=fresh, **settings)
        run = job.fit(asked, terminal.progress(quiet=quiet))
    except Stopped as stopped:
        if stopped.exit_code:
            raise
        return _stopped(stopped, require or (), as_json=as_json)
    checks = _checked(run) if smoke else []
    if report:
        _report(run)
    if as_json:
        _emit_run(run.folder, run.summary, checks)
    else:
        emit(*checks, terminal.metrics_table(run.summary["metrics"]))
        emit(*spread.said(run.summary), terminal.summary_line(run.summary), run.folder)
    exit_unless_met(asked.requirements, run.summary["metrics"])
    if not all(one.passed for one in checks):
        raise typer.Exit(1)
    return None


def _stopped(stopped: Stopped, require: Sequence[str], *, as_json: bool) -> None:
    """Shows a run that the time limit ended, if one was open; what is required wasn't measured."""
    from tftrain import runs

    tell(stopped)
    if stopped.run is not None:
        if as_json:
            _emit_run(stopped.run, runs.summary_of(stopped.run))
        else:
            emit(stopped.run)
    tell(*(f"not measured: {one}" for one in require))
    if require:
        raise typer.Exit(1)


def _emit_run(folder: Path, summary: Mapping[str, Any], checks: Sequence[Check] = ()) -> None:
    shown = [{"name": one.name, "passed": one.passed, "detail": one.detail} for one in checks]
    emit_json({"run": str(folder), **summary, "checks": shown})


def _resumed(
    paths: list[Path],
    changes: list[str],
    run: str | None,
    *,
    fresh: dict[str, Any],
    **settings: Any,
) -> Asked:
    from tftrain import resume

    for option, value in fresh.items():
        if value:
            raise typer.BadParameter("is for a new run", param_hint=f"'{option}'")
    return resume.prepare(paths[0] if paths else None, changes, name=run, **settings)


@app.command()
def check(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="CONFIG... [KEY=VALUE]...", help="YAML files, changes to them."),
    ] = None,
    *,
    data: Annotated[bool, typer.Option("--data", help="Read the data too.")] = False,
    build: Annotated[
        bool | None,
        typer.Option(
            "--build/--no-build",
            help="Let Keras build the network too, and compare; or never. Without either, Keras is "
            "asked where tftrain's own rules don't know a layer.",
        ),
    ] = None,
    allow_code: AllowCode = False,
    show: Annotated[bool, typer.Option("--show", help="Print the values in force.")] = False,
    origin: Annotated[
        bool, typer.Option("--origin", help="With --show: and where each came from.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="How to print.")] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings.")] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="CODE", help="Explain an error, a warning or a hint.")
    ] = None,
) -> None:
    """Say everything that is wrong with a config, and what is unwise, before TensorFlow loads."""
    from tftrain import check as job

    if explain is not None:
        return emit(job.explain(explain))
    if as_json and form is Form.GITHUB:
        raise typer.BadParameter("not with --format github", param_hint="'--json'")
    paths, overrides = configs(arguments)
    reports = {
        path: job.check(path, overrides, data=data, build=build, allow_code=allow_code)
        for path in paths
    }
    if as_json or form is Form.JSON:
        emit_json(job.plain(reports, show=show, origins=origin))
    elif form is Form.GITHUB:
        emit(*job.annotated(reports))
    elif show or origin:
        emit(*job.effective(reports, origins=origin))
        tell(*job.told(reports))
    else:
        emit(*job.lines(reports, excerpts=sys.stdout.isatty()))
    if code := job.exit_code(reports, strict=strict):
        raise typer.Exit(code)
    return None


@app.command()
def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's directory or name.")],
    data: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Rows of the same kind as the run's; - for JSON lines from stdin."
        ),
    ],
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Where predictions go: a .csv, .parquet, .jsonl, .ndjson or .npz file; - for JSON "
            "lines to stdout, as is the rule for rows from stdin.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Copy a column of the input too. Repeatable."),
    ] = None,
    runs_dir: RunsDir = RUNS,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Write predictions for new rows: row number, class and probability, or the number."""
    from tftrain import predict as job
    from tftrain import recorded, runs

    if output is None and data != job.STREAM:
        raise typer.BadParameter("expected a file", param_hint="'--output' / '-o'")
    target = output or job.STREAM
    folder, summary = runs.find(runs_dir, run)
    job.require_paths(data, target)
    try:
        found = recorded.read(folder, summary, allow_code=allow_code)
        made = job.predict(found, data, target, keep or ())
    except BrokenPipeError:
        raise reader_left() from None
    if target == job.STREAM:
        tell(*made.notes, f"{made.rows} rows")
    elif as_json:
        emit_json({"run": str(folder), "output": target, **made.plain()})
    else:
        tell(*made.notes)
        emit(f"{made.rows} rows", target)


def _report(run: Run) -> None:
    from tftrain import reporting

    reporting.after(run.folder, tell)


def _checked(run: Run) -> list[Check]:
    from tftrain.smoke import check

    return check(run)


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "eval": scoring.evaluate,
    "compare": scoring.compare,
    "report": scoring.report,
    "doctor": housekeeping.doctor,
    "schema": housekeeping.schema,
    "init": housekeeping.init,
    "runs": scoring.list_runs,
    "cache": housekeeping.cache,
    "sweep": sweeping.sweep,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.command("explain")(explaining.explain)
