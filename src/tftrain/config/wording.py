"""Pydantic's faults of a config in, problems in our words at their places out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tftrain import files
from tftrain.config import text
from tftrain.config.data import SUFFIXES
from tftrain.config.schema import Config
from tftrain.config.text import Mapping, Node, Scalar, Source
from tftrain.errors import Mark, Problem, did_you_mean, listed

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "bool": "true or false",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}
_WORDS = {
    "string_too_short": "expected a text of at least {min_length} character, got {got}",
    "finite_number": "expected a finite number, got {got}",
    "too_short": "expected at least {min_length} in the list, got {actual_length}",
    "string_pattern_mismatch": "expected letters, digits, `_`, `-` and `.`, at most 64 and no `-` "
    "or `.` first, got {got}",
}
_TOLD = {
    "spec": "C015",
    "no_spec": "C015",
    "kinds": "C014",
    "range": "C032",
}  # our own, in words already
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def problems(source: Source, error: ValidationError) -> list[Problem]:
    """What pydantic says of a config, but for what only follows from the rest."""
    details = [detail for detail in error.errors() if not echoes(detail)]
    return [_problem(source, detail) for detail in details[: text.MAX_FAULTS]]


def folder_of(mark: Mark) -> Path:
    """Where a path in a config counts from: the file's folder; for an override, this one."""
    return Path() if mark.line is None else Path(mark.source).parent


def echoes(detail: ErrorDetails) -> bool:
    """Whether a fault only follows from others: a list whose items are wrong is called short."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _problem(source: Source, detail: ErrorDetails) -> Problem:
    """Pydantic's words about one fault, turned into ours."""
    kind, path = detail["type"], detail["loc"]
    name = _dotted(source.root, path)
    if kind == "extra_forbidden":
        parent = _fields(path[:-1])
        expected = f"; expected {listed(parent)}" if parent else ": none can stand here"
        where = f" in `{_dotted(source.root, path[:-1])}`" if len(path) > 1 else ""
        key = str(path[-1])
        near = did_you_mean(key, parent) or _elsewhere(key) or expected
        return source.problem(path, "C010", f"unknown key `{key}`{where}{near}", key=True)
    if kind == "missing":
        return source.problem(path[:-1], "C011", f"`{name}` is missing", key=True)
    if kind == "source":
        code, message = _no_source(detail, text.find(source.root, path))
    else:
        code, message = _wrong_value(detail)
    names = list(detail["input"]) if kind in ("spec", "kinds") else []
    if names:  # a second name is one too many; a lone one's arguments are wrong
        path = (*path, names[:2][-1])
    return source.problem(path, code, f"`{name}`: {message}", key=len(names) > 1)


def _no_source(detail: ErrorDetails, mark: Mark) -> tuple[str, str]:
    """The code and the message for a text that names no data, as far as the disk shows."""
    value, sets = detail["input"], detail["ctx"]["choices"]
    path = folder_of(mark) / value
    if os.path.lexists(path):
        return "D002", f"{detail['msg']}, got {text.shown(value)}"
    kinds = "file, folder or bundled set" if sets else "file or folder"
    near = files.beside(path, SUFFIXES, others=sets, folders=True) or f"; {detail['msg']}"
    return "D001", f"no {kinds} is called {text.shown(value)}{near}"


def _wrong_value(detail: ErrorDetails) -> tuple[str, str]:
    """The code and the message for a value that is not what was expected."""
    kind, context = detail["type"], detail.get("ctx", {})
    value, got = detail["input"], text.shown(detail["input"])
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        limit = context[bound]
        shown = f"{limit:g}" if isinstance(limit, float) else limit
        return "C013", f"expected {words} {shown}, got {got}"
    if kind in _WORDS:
        return "C013", _WORDS[kind].format_map({"got": got, **context})
    if kind == "word":
        near = did_you_mean(value, context.get("choices", ())) if isinstance(value, str) else ""
        return "C014", f"{detail['msg']}, got {got}{near}"
    if kind in _TOLD:
        return _TOLD[kind], detail["msg"] + (f", got {got}" if kind == "no_spec" else "")
    expected = _EXPECTED.get(kind.removesuffix("_type"))
    if expected:
        return "C012", f"expected {expected}, got {got}"
    return "C013", f"{detail['msg'][0].lower()}{detail['msg'][1:]}, got {got}"


def _dotted(root: Node, path: tuple[int | str, ...]) -> str:
    """`training.epochs`: the path as an override writes it, without a validator's additions."""
    parts: list[str] = []
    node: Node | None = root
    for part in path:
        child: Node | None = None
        if isinstance(node, Mapping):
            child = node.items.get(str(part))
            if child is None and part in ("name", "mapping", "number"):
                continue
        elif isinstance(node, text.Sequence):
            if not isinstance(part, int):
                continue
            child = node.items[part] if part < len(node.items) else None
        elif isinstance(node, Scalar):
            continue
        parts.append(str(part))
        node = child
    return ".".join(parts)


def _fields(path: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at `path` may have."""
    section: type[BaseModel] = Config
    of_the_user = False
    for part in path:
        field = None if of_the_user else section.model_fields.get(str(part))
        of_the_user = field is not None and get_origin(field.annotation) is dict
        if field is not None:
            section = next(iter(_models(field.annotation)), section)
    return list(section.model_fields)


def _elsewhere(key: str) -> str | None:
    """A hint at another section that has the key."""
    for path in (("data",), ("data", "split"), ("model",), ("training",)):
        if key in _fields(path):
            return f"; did you mean `{'.'.join([*path, key])}`?"
    return None


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]
