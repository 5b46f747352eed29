"""The command line: parse, one call, print. Each command imports what it needs, and no more."""

from __future__ import annotations

import enum
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tftrain.errors import harmless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tftrain.require import Requirement
    from tftrain.runs import Run
    from tftrain.smoke import Check

app = typer.Typer(
    name="tftrain",
    help="One YAML file in, one reproducible Keras training run out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the config: training.epochs=5"),
]
RunsDir = Annotated[
    Path, typer.Option("--runs-dir", envvar="TFTRAIN_RUNS_DIR", help="Where runs are.")
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC>=X",
        help="Exit with 1 unless the test split's metric (or val_METRIC) keeps the bound. "
        "Repeatable; >=, <=, >, < or ==.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunName = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's directory or name; the newest.")
]
RUNS = Path("runs")


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


@app.command()
def fit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file.")],
    overrides: Overrides = None,
    *,
    name: Annotated[str | None, typer.Option(help="Name of the run directory.")] = None,
    runs_dir: RunsDir = RUNS,
    require: Require = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="At most 2 epochs and 256 rows; then check the run.")
    ] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Train a network; print its metrics and, last, its run directory."""
    from tftrain import fit as job
    from tftrain import terminal

    changes = [*(overrides or []), *([f"name={json.dumps(name)}"] if name else [])]
    asked = job.prepare(
        config,
        changes,
        runs_dir=runs_dir,
        smoke=smoke,
        require=require or (),
        meanwhile=job.begin_import,
    )
    run = job.fit(asked, terminal.progress(quiet=quiet))
    checks = _checked(run) if smoke else []
    if as_json:
        shown = [{"name": one.name, "passed": one.passed, "detail": one.detail} for one in checks]
        _print_json({"run": str(run.folder), **run.summary, "checks": shown})
    else:
        _print(*checks, terminal.metrics_table(run.summary["metrics"]))
        _print(terminal.summary_line(run.summary), run.folder)
    _exit_unless_met(asked.requirements, run.summary["metrics"])
    if not all(one.passed for one in checks):
        raise typer.Exit(1)


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
    show: Annotated[bool, typer.Option("--show", help="Print the values in force.")] = False,
    origin: Annotated[
        bool, typer.Option("--origin", help="With --show: and where each came from.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="How to print.")] = Form.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings.")] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="CODE", help="Explain an error, a warning or a hint.")
    ] = None,
) -> None:
    """Say everything that is wrong with a config, and what is unwise, before TensorFlow loads."""
    from tftrain import check as job

    if explain is not None:
        return _print(job.explain(explain))
    paths, overrides = _configs(arguments or [])
    reports = {path: job.check(path, overrides, data=data, build=build) for path in paths}
    if form is Form.JSON:
        _print_json(job.plain(reports, show=show, origins=origin))
    elif form is Form.GITHUB:
        _print(*job.annotated(reports))
    elif show or origin:
        _print(*job.effective(reports, origins=origin))
        _tell(*job.told(reports))
    else:
        _print(*job.lines(reports, excerpts=sys.stdout.isatty()))
    if code := job.exit_code(reports, strict=strict):
        raise typer.Exit(code)
    return None


def _configs(arguments: list[str]) -> tuple[list[Path], list[str]]:
    """Files, and changes to them: what has a `=` in it and is no file."""
    changes = [
        one
        for one in arguments
        if "=" in one and not os.path.isfile(one)  # noqa: PTH113 - Path.is_file raises for a long one
    ]
    paths = [Path(one) for one in arguments if one not in changes]
    if not paths:
        raise typer.BadParameter("expected a CONFIG", param_hint="'CONFIG'")
    return paths, changes


@app.command()
def schema() -> None:
    """Print the config's JSON Schema, for editors."""
    from tftrain.config.json_schema import json_schema

    _print(json.dumps(json_schema(), indent=1))


@app.command()
def init(
    template: Annotated[
        str | None, typer.Argument(metavar="[TEMPLATE]", help="One of those listed without it.")
    ] = None,
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", help="The file to write, or a folder.")
    ] = ".",
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="DATA", help="A table: write a config for it to PATH."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="With --from: what to predict; else it is guessed."),
    ] = None,
) -> None:
    """List the templates, or write one, or a config for a table, as a config of your own."""
    from tftrain import templates, terminal

    if source is not None:
        if path != ".":
            raise typer.BadParameter("with --from: one path, no template", param_hint="'PATH'")
        path = template or "."  # without a template, the first argument is the path
        _draft(source, target, path)
    elif target is not None:
        raise typer.BadParameter("needs --from", param_hint="'--target'")
    elif template is None:
        known = [[name, purpose] for name, purpose in templates.templates()]
        _print(terminal.table(["template", "what it shows"], known, right=False))
    else:
        _print(templates.write(template, path))


def _draft(source: str, target: str | None, path: str) -> None:
    from tftrain.draft import draft

    written, aim = draft(source, target, path)
    _print(aim.said(), written)


@app.command("eval")
def evaluate(
    run: RunName = None,
    *,
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Other rows with labels, of the same kind as the run's."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    runs_dir: RunsDir = RUNS,
    require: Require = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished run on its test split, or on other data."""
    from tftrain import predict, recorded, runs
    from tftrain import require as requirement

    folder, summary = runs.find(runs_dir, run)
    if data is not None:
        predict.require_source(data)
    part = "data" if data else split
    requirements = requirement.parse(require or (), requirement.names(summary["metrics"], part))
    found = recorded.read(folder, summary)
    rows = found.rows(split, data)
    from tftrain import evaluate as job

    metrics = {part: job.score(job.revive(found), rows, data or str(folder))}
    _print_metrics(folder, metrics, as_json=as_json)
    _exit_unless_met(requirements, metrics)


def _print_metrics(
    folder: Path, metrics: Mapping[str, Mapping[str, float]], *, as_json: bool
) -> None:
    from tftrain import terminal

    if as_json:
        _print_json({"run": str(folder), "metrics": metrics})
    else:
        _print(terminal.metrics_table(metrics), folder)


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
        made = job.predict(recorded.read(folder, summary), data, target, keep or ())
    except BrokenPipeError:
        raise _reader_left() from None
    if target == job.STREAM:
        _tell(*made.notes, f"{made.rows} rows")
    elif as_json:
        _print_json({"run": str(folder), "output": target, **made.plain()})
    else:
        _tell(*made.notes)
        _print(f"{made.rows} rows", target)


@app.command("runs")
def list_runs(*, runs_dir: RunsDir = RUNS, as_json: Json = False) -> None:
    """List the runs, newest first."""
    from tftrain import runs, terminal

    found = runs.summaries(runs_dir)
    if not found:
        _tell(f"no runs in {runs_dir}")
    if as_json:
        _print_json([{"run": str(folder), **summary} for folder, summary in found])
    else:
        _print(terminal.runs_table(found))


@app.command()
def cache(
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove what wasn't used for so long: 12h, 30d, 2w."),
    ] = None,
) -> None:
    """List the prepared rows of large tables that are kept for the next run, or remove them."""
    from tftrain import store, terminal

    if not clear and older_than is None:
        found = store.entries()
        if not found:
            typer.echo(f"nothing in {store.folder()}", err=True)
        return _print(terminal.cache_table(found))
    try:
        count, size = store.clear(None if older_than is None else store.seconds(older_than))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--older-than'") from None
    return _print(f"{count} removed, {terminal.size(size)}")


def _checked(run: Run) -> list[Check]:
    from tftrain.smoke import check

    return check(run)


def _exit_unless_met(
    requirements: Sequence[Requirement], metrics: Mapping[str, Mapping[str, float]]
) -> None:
    if not requirements:
        return
    from tftrain import require

    values = require.named(metrics)
    missed = [one for one in requirements if not one.met(values)]
    for one in missed:
        _tell(f"not met: {one}: {one.metric} is {values.get(one.metric)}")
    if missed:
        raise typer.Exit(1)


def _print(*lines: object) -> None:
    try:
        for line in lines:
            typer.echo(harmless(str(line)))
    except BrokenPipeError:
        raise _reader_left() from None
    except OSError as error:
        from tftrain import files
        from tftrain.errors import StorageError

        raise StorageError(files.cannot("written", Path("stdout"), error)) from None


def _reader_left() -> typer.Exit:
    """Whoever read stdout went away; nothing is left to flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(128 + 13)  # as a shell reports SIGPIPE


def _tell(*lines: object) -> None:
    for line in lines:
        typer.echo(harmless(str(line)), err=True)


def _print_json(value: Any) -> None:
    from tftrain import runs

    _print(json.dumps(runs.finite(value), indent=2))
