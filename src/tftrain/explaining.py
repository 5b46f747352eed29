"""The command `explain`: what its words and options ask for, one call each, printing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tftrain.console import Json, emit, emit_json

Picture = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw it too: a .svg or .png file.")
]


def explain(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="An expression, such as '(w*x + b - y)**2 / 2'; or one of: example NAME, "
            "activation NAME, loss NAME, entropy.",
        ),
    ] = None,
    *,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="w=2,x=-2", help="The values of an expression's inputs."),
    ] = None,
    step: Annotated[
        list[float] | None,
        typer.Option(
            help="Of an expression's finite differences; 0.1 to 1e-8 without. Repeatable."
        ),
    ] = None,
    no_tape: Annotated[
        bool, typer.Option("--no-tape", help="Don't ask TensorFlow about an expression.")
    ] = False,
    p: Annotated[
        str | None, typer.Option(metavar="0.3", help="Of entropy: a coin's probability, or all.")
    ] = None,
    q: Annotated[
        str | None, typer.Option(metavar="0.5", help="Of entropy: what is believed instead.")
    ] = None,
    picture: Picture = None,
    as_json: Json = False,
) -> None:
    """Explain derivatives step by step: of an expression; or a function, with its curve."""
    words = arguments or []
    if words[:1] in (["activation"], ["loss"], ["entropy"]):
        return _fact(words, p, q, picture, as_json=as_json)
    if words[:1] == ["example"]:
        return _example(words[1:], step, picture, tape=not no_tape, as_json=as_json)
    if len(words) != 1:
        _expected("one expression, in quotes")
    return _expression(words[0], at or [], step, picture, tape=not no_tape, as_json=as_json)


def _fact(
    words: list[str], p: str | None, q: str | None, picture: Path | None, *, as_json: bool
) -> None:
    from tftrain.explain import curves, drawing, facts

    if picture is not None:
        drawing.require(picture)
    if words[0] == "entropy":
        if len(words) > 1 or p is None:
            raise typer.BadParameter("expected entropy --p 0.3", param_hint="'WHAT'")
        found = facts.entropy(p, q)
    elif len(words) != 2:  # noqa: PLR2004 - the kind and the name
        _expected(f"{words[0]} NAME")
    else:
        found = facts.function(*words)
    if picture is not None:
        drawing.save(curves.figure(found.curves, found.title, found.axis), picture)
    if as_json:
        emit_json(found.plain)
    else:
        emit(*found.told())


def _expected(what: str) -> NoReturn:
    raise typer.BadParameter(f"expected {what}", param_hint="'WHAT'")


def _example(
    words: list[str], steps: list[float] | None, picture: Path | None, *, tape: bool, as_json: bool
) -> None:
    from tftrain.errors import Mark, Problem, TftrainError, did_you_mean
    from tftrain.explain.derivation import EXAMPLES

    if not words:
        return emit(*(f"{name}: {text}  --at {at}" for name, (text, at) in EXAMPLES.items()))
    if words[0] not in EXAMPLES:
        near = did_you_mean(words[0], EXAMPLES) or f"; there are {', '.join(EXAMPLES)}"
        raise TftrainError(Problem(Mark(words[0]), "C031", f"no example is called so{near}"))
    text, at = EXAMPLES[words[0]]
    return _expression(text, [at], steps, picture, tape=tape, as_json=as_json)


def _expression(
    text: str,
    at: list[str],
    steps: list[float] | None,
    picture: Path | None,
    *,
    tape: bool,
    as_json: bool,
) -> None:
    from tftrain.explain import agreement, derivation, drawing

    if picture is not None:
        drawing.require(picture)
    found = derivation.derive(text, at, steps=steps or agreement.STEPS, tape=tape)
    if picture is not None:
        drawing.save(drawing.graph(found), picture)
    if as_json:
        emit_json(found.plain())
    else:
        emit(*derivation.told(found))
    if found.disagree:
        raise typer.Exit(1)
