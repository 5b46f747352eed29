"""The command `explain`: what its words and options ask for, one call each, printing."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tftrain.console import RUNS, AllowCode, Json, RunsDir, configs, emit, emit_json

if TYPE_CHECKING:
    from tftrain.explain.subject import Subject

    Finding = Callable[[], Subject]

Picture = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw it too: a .svg or .png file.")
]


def explain(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="An expression, such as '(w*x + b - y)**2 / 2'; or a CONFIG with changes, or a "
            "RUN; or one of: example NAME, activation NAME, loss NAME, entropy.",
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
    row: Annotated[
        int | None,
        typer.Option("--example", metavar="N", help="Of a network: the training row; 0 without."),
    ] = None,
    linear: Annotated[
        bool, typer.Option("--linear", help="What a network's linear layers collapse to.")
    ] = False,
    cost: Annotated[
        bool,
        typer.Option("--cost", help="Measure a network's forward-mode against reverse-mode."),
    ] = False,
    runs_dir: RunsDir = RUNS,
    allow_code: AllowCode = False,
    picture: Picture = None,
    as_json: Json = False,
) -> None:
    """Explain derivatives step by step: of an expression, a network; or a function by its curve."""
    words = arguments or []
    if words[:1] in (["activation"], ["loss"], ["entropy"]):
        return _fact(words, p, q, picture, as_json=as_json)
    if words[:1] == ["example"]:
        return _example(words[1:], step, picture, tape=not no_tape, as_json=as_json)
    if picture is not None:
        _require_picture(picture)
    asked = linear or cost or row is not None
    if words and (asked or (not at and _is_network(words[0], runs_dir))):
        if linear + cost + (row is not None) > 1:
            raise typer.BadParameter("one of --example, --linear, --cost", param_hint="'WHAT'")
        find = partial(_subject, words, runs_dir, allow_code=allow_code)
        if linear:
            return _linear(find, picture, as_json=as_json)
        if cost:
            return _cost(find, picture, as_json=as_json)
        return _network(find, row or 0, picture, as_json=as_json)
    if len(words) != 1:
        _expected("one expression, in quotes, a CONFIG or a RUN")
    return _expression(words[0], at or [], step, picture, tape=not no_tape, as_json=as_json)


def _fact(
    words: list[str], p: str | None, q: str | None, picture: Path | None, *, as_json: bool
) -> None:
    from tftrain.explain import curves, drawing, facts

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


def _require_picture(picture: Path) -> None:
    from tftrain.explain import drawing

    drawing.require(picture)


def _is_network(word: str, runs_dir: Path) -> bool:
    """Whether a word is a config or a run, and no expression."""
    from tftrain import files

    here = any(files.is_folder(one) for one in (Path(word), runs_dir / word))
    return here or word.endswith((".yaml", ".yml")) or os.path.isfile(word)  # noqa: PTH113 - long ones


def _subject(words: list[str], runs_dir: Path, *, allow_code: bool) -> Subject:
    from tftrain import files
    from tftrain.explain import subject

    folder = any(files.is_folder(one) for one in (Path(words[0]), runs_dir / words[0]))
    file = words[0].endswith((".yaml", ".yml")) or os.path.isfile(words[0])  # noqa: PTH113 - as above
    if folder or not file:
        if len(words) > 1:
            raise typer.BadParameter("a run takes no changes", param_hint="'WHAT'")
        return subject.of_run(runs_dir, words[0], allow_code=allow_code)
    paths, changes = configs(words, several=False, runs_dir=runs_dir)
    return subject.of_config(paths[0], changes, allow_code=allow_code)


def _network(find: Finding, row: int, picture: Path | None, *, as_json: bool) -> None:
    from tftrain.explain import subject

    found = find()
    from tftrain.explain import drawing, example, network_drawing

    if picture is not None:
        network_drawing.require_small(found)
    with subject.told(found):
        one = example.explain(found, row)
    if picture is not None:
        drawing.save(network_drawing.figure(found, one), picture)
    if as_json:
        emit_json(one.plain())
    else:
        emit(*example.told(one))
    if one.check.wrong:
        raise typer.Exit(1)


def _linear(find: Finding, picture: Path | None, *, as_json: bool) -> None:
    if picture is not None:
        raise typer.BadParameter("not with --linear", param_hint="'--picture'")
    found = find()
    from tftrain.explain import linear

    collapsed = linear.collapse(found)
    if as_json:
        emit_json([one.plain() for one in collapsed])
    else:
        emit(*linear.told(found, collapsed))
    if not all(one.exact for one in collapsed):
        raise typer.Exit(1)


def _cost(find: Finding, picture: Path | None, *, as_json: bool) -> None:
    from tftrain.explain import subject

    found = find()
    from tftrain.explain import cost, drawing

    with subject.told(found):
        one = cost.measure(found)
    if picture is not None:
        drawing.save(cost.figure(one), picture)
    if as_json:
        emit_json(one.plain())
    else:
        emit(*cost.told(one))


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

    found = derivation.derive(text, at, steps=steps or agreement.STEPS, tape=tape)
    if picture is not None:
        drawing.save(drawing.graph(found), picture)
    if as_json:
        emit_json(found.plain())
    else:
        emit(*derivation.told(found))
    if found.disagree:
        raise typer.Exit(1)
