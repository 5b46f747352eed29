"""What commands share: options and arguments, how they are read, lines to stdout and stderr."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from tftrain.errors import ConfigError, Mark, Problem, harmless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tftrain.require import Requirement

_RUNS_VARIABLE = "TFTRAIN_RUNS_DIR"
RunsDir = Annotated[Path, typer.Option("--runs-dir", envvar=_RUNS_VARIABLE, help="Where runs are.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AllowCode = Annotated[
    bool,
    typer.Option("--allow-code", help="Let the Python files run that the config's `code` names."),
]
RUNS = Path("runs")
NEWEST = "--newest"  # how `--resume` without a run is passed on


Resume = Annotated[
    str | None,
    typer.Option(
        metavar="[RUN]",
        help="Go on with a run, whose config need not be given again; without RUN, with the "
        "newest unfinished one of CONFIG.",
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(metavar="SPAN", help="Stop after that long, to go on later: 90s, 30m, 2h."),
]


Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC>=X",
        help="Exit with 1 unless the test split's metric (or val_METRIC) keeps the bound. "
        "Repeatable; >=, <=, >, < or ==.",
    ),
]


class Resuming(TyperCommand):
    """Lets `--resume` stand without a run: for the newest one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Writes a bare `--resume` as `--newest`."""
        runs_dir = _runs_dir(args)
        return super().parse_args(
            ctx,
            [
                NEWEST if one == "--resume" and not _is_run(args[place + 1 :], runs_dir) else one
                for place, one in enumerate(args)
            ],
        )


def _runs_dir(args: list[str]) -> str:
    option = "--runs-dir"
    for place, one in enumerate(args):
        if one == option:
            return "".join(args[place + 1 : place + 2])
        if one.startswith(f"{option}="):
            return one.removeprefix(f"{option}=")
    return os.environ.get(_RUNS_VARIABLE) or str(RUNS)


def _is_run(following: list[str], runs_dir: str) -> bool:
    """Whether what follows `--resume` is its run: a folder, or no option, change or config."""
    value = following[0] if following else "-"
    if value.startswith("-"):
        return False
    if any(map(os.path.isdir, (value, os.path.join(runs_dir, value)))):  # noqa: PTH118
        return True
    return not ("=" in value or value.endswith((".yaml", ".yml")))


def configs(
    arguments: list[str] | None,
    *,
    needed: bool = True,
    several: bool = True,
    runs_dir: Path = RUNS,
) -> tuple[list[Path], list[str]]:
    """Files, and changes to them: what has a `=` in it and is no file.

    Raises:
        ConfigError: when one is a run's directory, or the name of one.
    """
    given = arguments or []
    changes = [
        one
        for one in given
        if "=" in one and not os.path.isfile(one)  # noqa: PTH113 - Path.is_file raises for a long one
    ]
    paths = [Path(one) for one in given if one not in changes]
    if needed and not paths:
        raise typer.BadParameter("expected a CONFIG", param_hint="'CONFIG'")
    if len(paths) > 1 and not several:
        raise typer.BadParameter(f"expected one CONFIG, got also {paths[1]}", param_hint="'CONFIG'")
    for path in paths:
        _require_no_run(path, runs_dir)
    return paths, changes


def _require_no_run(path: Path, runs_dir: Path) -> None:
    from tftrain import files, runs

    folder = next((one for one in (path, runs_dir / path) if files.is_folder(one)), path)
    if not os.path.isfile(path) and os.path.lexists(folder / runs.SUMMARY):  # noqa: PTH113
        resumed = f"`tftrain fit --resume {runs.quoted(folder)}` goes on with it"
        message = f"is a run: {resumed}, and its config is {folder / runs.RESOLVED}"
        raise ConfigError(Problem(Mark(str(path)), "C007", message))


def limit(span: str) -> None:
    """Ends the job after a span of time, to go on later."""
    from tftrain import spans, stopping

    try:
        stopping.limit(span, spans.seconds(span))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--time-limit'") from None


def emit(*lines: object) -> None:
    """Prints to stdout, which may be closed early, or full."""
    try:
        for line in lines:
            typer.echo(harmless(str(line)))
    except BrokenPipeError:
        raise reader_left() from None
    except OSError as error:
        from tftrain import files
        from tftrain.errors import StorageError

        raise StorageError(files.cannot("written", Path("stdout"), error)) from None


def reader_left() -> typer.Exit:
    """Whoever read stdout went away; nothing is left to flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(128 + 13)  # as a shell reports SIGPIPE


def tell(*lines: object) -> None:
    """Prints to stderr."""
    for line in lines:
        typer.echo(harmless(str(line)), err=True)


def emit_json(value: Any) -> None:
    """Prints to stdout as JSON, NaN and infinity as null."""
    from tftrain import runs

    emit(json.dumps(runs.finite(value), indent=2))


def exit_unless_met(
    requirements: Sequence[Requirement], metrics: Mapping[str, Mapping[str, float]]
) -> None:
    """Ends with 1, and says why, where metrics by split don't keep a bound."""
    if not requirements:
        return
    from tftrain import require

    values = require.named(metrics)
    missed = [one for one in requirements if not one.met(values)]
    for one in missed:
        tell(f"not met: {one}: {one.metric} is {values.get(one.metric)}")
    if missed:
        raise typer.Exit(1)
