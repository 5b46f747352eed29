"""Writes docs/reference.md and docs/lint.md from the code that they describe.

    python docs/make_reference.py

Config keys, commands, run files, exit and error codes; the lint's rules. Every word in the tables
stands in the code. A test compares the pages with what this script makes. TensorFlow isn't
imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tftrain import config, errors, pages, runs
from tftrain.cli import app
from tftrain.config import columns, data, lint, schema, sweep

PAGE = Path(__file__).with_name("reference.md")
LINT_PAGE = Path(__file__).with_name("lint.md")
SECTIONS = {
    "": schema.Config,
    "data": data.Data,
    "data.columns.NAME": columns.Column,
    "data.columns.NAME.number": columns.Number,
    "data.columns.NAME.category": columns.Category,
    "data.columns.NAME.text": columns.Text,
    "data.series": columns.Series,
    "data.split": data.Split,
    "model": schema.Model,
    "training": schema.Training,
    "lint": schema.Lint,
    "sweep": sweep.Sweep,
    "source, validation or test as files": data.Arrays,
    "data.scaling.rescale": data.Rescale,
}
# What a user calls the types that are more than their parts.
TYPES = (
    (schema.KerasObject, "Keras object"),
    (schema.KerasObjects, "list of Keras objects"),
    (data.Source, "name or files"),
    (data.Part, "fraction, name or files"),
    (data.Scaling, "`standardize`, `rescale`, `none` or mapping"),
    (data.NpyFile, ".npy file"),
    (data.Label, "label"),
    (columns.Column, "column kind"),
    (int, "whole number"),
    (float, "number"),
    (str, "text"),
    (bool, "true or false"),
)
CONTAINERS: dict[Any, tuple[str, int]] = {
    tuple: ("list of {}s", 0),
    dict: ("mapping of names to {}s", 1),
}
BOUNDS = {
    "ge": "at least",
    "gt": "more than",
    "le": "at most",
    "lt": "less than",
    "min_length": "length at least",
    "pattern": "matches",
}
KERAS_OBJECT = """\
A **Keras object** is its name, or a mapping of its name to its arguments, at any depth:
`Dropout`, `{Dropout: {rate: 0.5}}`. Names and arguments are Keras's own, so Keras's documentation
is their reference."""
OVERRIDES = """\
Any key can be set on the command line by its dotted path and a YAML value: `training.epochs=5`,
`model.layers.0.Dense.units=50`. Later ones win, and all of them beat the file.

- In a list, a number counts from 0. A Keras name, or the one that `name:` gives, stands for the one
  entry that has it, and what follows are its arguments: `model.layers.Dropout.rate=0.3`.
- `training.callbacks+=TerminateOnNaN` adds to the end of a list; of `+=[A, B]` each item.
- `data.columns.zip=category` says what a column is. A column's name may hold dots where the file
  has that name already; another goes into the file, or whole: `data.columns={x.box: drop}`.
- `training.callbacks=null` takes an optional key away, so that its default is in force;
  `training.callbacks.EarlyStopping=null` takes an entry out of a list, `data.columns.zip=null` a
  column out of those spoken of. Within the arguments of a Keras object `null` is a value: Keras's
  `None`."""
EXTENDS = """\
`extends: base.yaml` at the top lays a config over another, which may itself extend one; at most ten
in a row. Sections (`data`, `data.split`, `model`, `training`, `lint`) merge key by key. Any other
value replaces the base's whole: a list, and a Keras object with all its arguments. Paths count from
the file that they stand in.

`${env:NAME}` in a value is taken from the environment; `${env:NAME:default}` has a default where
the variable isn't set. Alone it is read as YAML, so that it may be a number; within a longer text,
or in quotes, it stays a text, and inside `{}` or `[]` it needs the quotes. `$${` is the text `${`.
The run's `config.resolved.yaml` has the values."""
LINT = """\
What an experienced colleague would say of a network. An **error** is told where the result would be
meaningless, a **warning** where something is probably not meant, a **hint** where there is a better
way. A rule is silent where it would have to guess.

A config that breaks a rule on purpose says so, best with the reason:

```yaml
lint: {ignore: [N024]}  # the textbook's network
```"""
ERRORS = """\
An error reads `PATH:LINE:COLUMN: error[CODE]: MESSAGE`. All that can be found at once is told at
once. A code leads to its page: what it is, why it matters, a wrong and a right example."""
CODES_PAGE = "../src/tftrain/codes.md"


def reference() -> str:
    """The whole page."""
    parts = [
        "# Reference",
        "<!-- Made by docs/make_reference.py: change the code that it reads, then run it. -->",
        "## The config",
        OVERRIDES,
        EXTENDS,
        KERAS_OBJECT,
        *(part for path, section in SECTIONS.items() for part in _section(path, section)),
        "## The command line",
        *_commands(),
        "## The run directory",
        "`NAME-N` in the folder of all runs; N counts up. A smoke run is `NAME-smoke-N`.",
        _table(["file", "holds"], ([f"`{name}`", text] for name, text in runs.FILES.items())),
        "## Exit codes",
        _table(["code", "means"], ([str(code), text] for code, text in errors.EXIT_CODES.items())),
        "## Error codes",
        ERRORS,
        _table(["code", "means"], _codes()),
    ]
    return "\n\n".join(parts) + "\n"


def _codes() -> Iterator[list[str]]:
    """Every code, linked to its page where that is a section of codes.md, and what it means."""
    written = pages.sections()
    for code, text in errors.CODES.items():
        page = f"{CODES_PAGE}#{code.lower()}" if code in written else None
        page = LINT_PAGE.name if code in schema.LINT_CODES else page
        yield [f"[`{code}`]({page})" if page else f"`{code}`", text]


def lint_page() -> str:
    """The lint's rules: what is found, what to write instead, and why."""
    rows = (
        [
            f"`{rule.code}`",
            rule.severity,
            rule.title,
            rule.change,
            rule.reason,
            _linked(rule.reference),
        ]
        for rule in lint.RULES
    )
    parts = [
        "# The lint",
        "<!-- Made by docs/make_reference.py: change the code that it reads, then run it. -->",
        LINT,
        _table(["code", "severity", "found", "instead", "why", "reference"], rows),
    ]
    return "\n\n".join(parts) + "\n"


def _linked(reference: str) -> str:
    """Addresses and the project's own pages as links."""
    own = re.sub(r"docs/([\w/-]+\.md)", r"[\1](\1)", reference)
    return re.sub(r"https://[^\s;,]+", r"<\g<0>>", own)


def _section(path: str, section: type[BaseModel]) -> Iterator[str]:
    """A heading, the section's sentence, and a row for each of its keys."""
    yield f"### {f'`{path}`' if path in _PATHS else path.capitalize() or 'At the top'}"
    yield section.__doc__ or ""
    hints = get_type_hints(section, include_extras=True)
    rows = (_key(name, field, hints[name]) for name, field in section.model_fields.items())
    yield _table(["key", "type", "default", "bounds", "meaning"], rows)


_PATHS = [path for path in SECTIONS if " " not in path and path]


def _key(name: str, field: FieldInfo, hint: Any) -> list[str]:
    description = field.description
    if description is None:  # a section speaks for itself
        forms = [one for one in get_args(field.annotation) if one is not NoneType]
        description = f"{(forms or [field.annotation])[0].__doc__} See below."
    bounds = dict.fromkeys(_bounds([*field.metadata, hint]))
    return [f"`{name}`", _words(hint), _default(field), ", ".join(bounds), description]


def _words(hint: Any) -> str:
    """A type in the user's words."""
    for known, words in TYPES:
        if hint == known:
            return words
    parts = [part for part in get_args(hint) if part is not NoneType]
    origin = get_origin(hint)
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in parts)
    if origin is Annotated:
        return _words(parts[0])
    if origin in (Union, UnionType):
        return " or ".join(map(_words, parts))
    if origin in CONTAINERS:
        words, item = CONTAINERS[origin]
        return words.format(_words(parts[item]))
    if not issubclass(hint, BaseModel):
        raise TypeError(f"no words for {hint}: add them to TYPES")
    return "mapping"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "" if "if not given" in (field.description or "") else "required"
    return "none" if value is None else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """A default as it would be written in a config."""
    if isinstance(value, config.Spec):
        return value.name
    if isinstance(value, BaseModel):
        pairs = (f"{name}: {_yaml(item)}" for name, item in value)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bounds(parts: Iterable[Any]) -> Iterator[str]:
    """`at least 1`, from wherever in a type it stands."""
    for part in parts:
        for name, words in BOUNDS.items():
            limit = getattr(part, name, None)
            if limit is not None and not isinstance(part, FieldInfo):
                yield f"{words} `{limit}`" if isinstance(limit, str) else f"{words} {limit}"
        inner = part.metadata if isinstance(part, FieldInfo) else get_args(part)
        if get_origin(part) is not Literal:
            yield from _bounds(inner)


def _commands() -> Iterator[str]:
    """A heading, a usage line, the help and the parameters of every command."""
    for name, command in typer.main.get_command(app).commands.items():
        yield f"### `tftrain {name}`"
        shown = [param.metavar for param in command.params if param.param_type_name == "argument"]
        yield f"`tftrain {' '.join([name, *shown, '[OPTIONS]'])}`"
        yield command.help
        rows = (_parameter(param) for param in command.params if not param.hidden)
        yield _table(["parameter", "default", "meaning"], rows)


def _parameter(param: Any) -> list[str]:
    flag = getattr(param, "is_flag", False)
    if param.param_type_name == "argument":
        shown = param.metavar
    else:
        value = "" if flag else f" {param.metavar or param.name.upper()}"
        shown = f"{', '.join(param.opts)}{value}"
    default = "required" if param.required else ""
    if not flag and param.default is not None:
        default = f"`{param.default}`"
    variable = f" Also by `{param.envvar}` in the environment." if param.envvar else ""
    return [f"`{shown}`", default, f"{param.help}{variable}"]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for path, text in ((PAGE, reference()), (LINT_PAGE, lint_page())):
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path)
