"""What commands share: options and arguments, how they are read, lines to stdout and stderr."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tftrain.errors import harmless

RunsDir = Annotated[
    Path, typer.Option("--runs-dir", envvar="TFTRAIN_RUNS_DIR", help="Where runs are.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AllowCode = Annotated[
    bool,
    typer.Option("--allow-code", help="Let the Python files run that the config's `code` names."),
]
RUNS = Path("runs")


class Resuming(TyperCommand):
    """Lets `--resume` stand without a run: for the newest one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives a bare `--resume` its value."""
        return super().parse_args(
            ctx,
            [
                "--resume=" if one == "--resume" and not _is_run(args[place + 1 :]) else one
                for place, one in enumerate(args)
            ],
        )


def _is_run(following: list[str]) -> bool:
    """Whether what follows `--resume` is its run: no option, no change, no config."""
    value = following[0] if following else "-"
    return not (value.startswith("-") or "=" in value or value.endswith((".yaml", ".yml")))


def configs(
    arguments: list[str] | None, *, needed: bool = True, several: bool = True
) -> tuple[list[Path], list[str]]:
    """Files, and changes to them: what has a `=` in it and is no file."""
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
    return paths, changes


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
