"""The command `explain`: what its words and options ask for, one call each, printing."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tftrain.console import RUNS, AllowCode, Json, RunsDir, configs, emit, emit_json

if TYPE_CHECKING:
    from tftrain.explain.subject import Subject

    Finding = Callable[[], Subject]

_OPTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "expression": frozenset({"--at", "--step", "--no-tape"}),
        "example": frozenset({"--step", "--no-tape"}),
        "activation": frozenset(),
        "loss": frozenset(),
        "entropy": frozenset({"--p", "--q"}),
        "network": frozenset({"--example", "--linear", "--cost", "--allow-code"}),
    }
)
_NAMES = {"expression": "an expression", "network": "a network", "example": "an example"}
_WORDS = ("example", "activation", "loss", "entropy")
_RUN = re.compile(r"[A-Za-z][\w.-]*-\d+", re.ASCII)  # with no values given, no difference
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
    if not words:
        _expected("an expression in quotes, a CONFIG, a RUN, example, activation, loss or entropy")
    kind = _kind(words, at, runs_dir, network=linear or cost or row is not None)
    given = {"--at": at, "--step": step, "--no-tape": no_tape, "--p": p, "--q": q}
    given |= {"--example": row is not None, "--linear": linear, "--cost": cost}
    _require_fitting(kind, {**given, "--allow-code": allow_code})
    if picture is not None:
        _require_picture(picture)
    if kind == "network":
        find = partial(_subject, words, runs_dir, allow_code=allow_code)
        job = _linear if linear else _cost if cost else partial(_network, row or 0)
        job(find, picture, as_json=as_json)
    elif kind in ("activation", "loss", "entropy"):
        _fact(words, p, q, picture, as_json=as_json)
    else:
        text, place = _example(words[1:]) if kind == "example" else (words[0], at or [])
        _expression(text, place, step, picture, tape=not no_tape, as_json=as_json)


def _kind(words: list[str], at: list[str] | None, runs_dir: Path, *, network: bool) -> str:
    """What is to be explained, by its first word."""
    if words[0] in _WORDS:
        return words[0]
    if network or _is_config(words[0]) or (not at and _is_run(words[0], runs_dir)):
        return "network"
    if len(words) > 1:
        _expected(f"one expression, in quotes, got also {words[1]!r}")
    return "expression"


def _require_fitting(kind: str, given: Mapping[str, object]) -> None:
    """Sees that options are for what is explained."""
    for option, value in given.items():
        if value and option not in _OPTIONS[kind]:
            raise typer.BadParameter(
                f"is not for {_NAMES.get(kind, kind)}", param_hint=f"'{option}'"
            )
    steps = given["--step"]
    if isinstance(steps, list) and not all(0 < one < math.inf for one in steps):
        raise typer.BadParameter("expected numbers above 0", param_hint="'--step'")
    if len([one for one in ("--example", "--linear", "--cost") if given[one]]) > 1:
        _expected("one of --example, --linear, --cost")


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


def _is_config(word: str) -> bool:
    return word.endswith((".yaml", ".yml")) or os.path.isfile(word)  # noqa: PTH113 - for long words


def _is_run(word: str, runs_dir: Path) -> bool:
    """Whether a word is a run's folder or looks like one's name."""
    from tftrain import files

    here = any(files.is_folder(one) for one in (Path(word), runs_dir / word))
    return here or _RUN.fullmatch(word) is not None


def _subject(words: list[str], runs_dir: Path, *, allow_code: bool) -> Subject:
    from tftrain.explain import subject

    if not _is_config(words[0]):
        if len(words) > 1:
            raise typer.BadParameter("a run takes no changes", param_hint="'WHAT'")
        return subject.of_run(runs_dir, words[0], allow_code=allow_code)
    paths, changes = configs(words, several=False, runs_dir=runs_dir)
    return subject.of_config(paths[0], changes, allow_code=allow_code)


def _network(row: int, find: Finding, picture: Path | None, *, as_json: bool) -> None:
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


def _example(words: list[str]) -> tuple[str, list[str]]:
    """An example's text and place; all of them are listed where none is named."""
    from tftrain.errors import Mark, Problem, TftrainError, did_you_mean
    from tftrain.explain.derivation import EXAMPLES

    if not words:
        emit(*(f"{name}: '{text}' --at {at}" for name, (text, at) in EXAMPLES.items()))
        raise typer.Exit
    if words[0] not in EXAMPLES:
        near = did_you_mean(words[0], EXAMPLES) or f"; there are {', '.join(EXAMPLES)}"
        raise TftrainError(Problem(Mark(words[0]), "C031", f"no example is called so{near}"))
    text, at = EXAMPLES[words[0]]
    return text, [at]


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
