"""The commands beside the way of the data: doctor, schema, init, cache."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tftrain.console import AllowCode, Json, configs, emit, emit_json, tell


def doctor(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG [KEY=VALUE]...",
            help="The YAML file, and changes to it; training.epochs=50 tries more than 10 epochs.",
        ),
    ] = None,
    *,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Train a config twice, kill and resume a third training: does all end with the same bits?"""
    from tftrain import doctor as job

    paths, changes = configs(arguments, several=False)
    try:
        found = job.examine(paths[0], changes, tell, allow_code=allow_code)
    except job.Failed as failed:
        tell(failed.said)
        raise typer.Exit(failed.exit_code) from None
    if as_json:
        emit_json(found.plain())
    else:
        emit(found)
    if not found.passed:
        raise typer.Exit(1)


def schema() -> None:
    """Print the config's JSON Schema, for editors."""
    from tftrain.config.json_schema import json_schema

    emit(json.dumps(json_schema(), indent=1))


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
        emit(terminal.table(["template", "what it shows"], known, right=False))
    else:
        emit(templates.write(template, path))


def _draft(source: str, target: str | None, path: str) -> None:
    from tftrain.draft import draft

    written, aim = draft(source, target, path)
    emit(aim.said(), written)


def cache(
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove what wasn't used for so long: 12h, 30d, 2w."),
    ] = None,
) -> None:
    """List the prepared rows of large tables that are kept for the next run, or remove them."""
    from tftrain import spans, store, terminal

    if not clear and older_than is None:
        found = store.entries()
        if not found:
            typer.echo(f"nothing in {store.folder()}", err=True)
        return emit(terminal.cache_table(found))
    try:
        count, size = store.clear(None if older_than is None else spans.seconds(older_than))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--older-than'") from None
    return emit(f"{count} removed, {terminal.size(size)}")
