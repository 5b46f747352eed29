"""A study in, its best trial's config out, in the words and with the comments of the first one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna import Study

from tftrain import config, templates
from tftrain.config import Config, text
from tftrain.config.dump import yaml_text
from tftrain.config.text import Node, Scalar
from tftrain.errors import ConfigError, Mark, Problem, TftrainError
from tftrain.sweep import study as studies

_COMMENT = "# {objective} {value:.6g}: trial {number} of the study {study}.\n"
_OF_FILES = ("data.source", "data.split.", "code.")
_ALIKE = ("name", "sweep")  # what a config may say or not
_LINE = re.compile(r"\r\n|\r|\n")


def write(study: Study, path: str | Path) -> Path:
    """Writes the config of a study's best trial as a config of the user's own.

    Args:
        study: that has a complete trial.
        path: the file to write, or a folder for `STUDY.yaml` in it.

    Returns:
        The file.

    Raises:
        ConfigError: when no trial is complete.
        RunError: when there is such a file already, or it can't be written.
    """
    best = studies.best(study)
    if best is None:
        message = "no trial of this study is complete"
        raise ConfigError(Problem(Mark(study.study_name), "C035", message))
    file = templates.inside(path, study.study_name)
    templates.require_new(file)
    about = {"study": study.study_name, "number": best.number, "value": best.trial.value}
    objective = study.user_attrs[studies.DEFINITION]["objective"].partition(" ")[2]
    head = _COMMENT.format(objective=objective, **about)
    return templates.create(file, head + _text(study.user_attrs, best.trial.params))


def _text(kept: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """The user's own text with other values, where that comes to the same; else all values."""
    with tempfile.TemporaryDirectory() as folder:
        changes = [f"{path}={_written(value)}" for path, value in params.items()]
        file = Path(folder) / "config.yaml"
        file.write_text(kept[studies.CONFIG], "utf-8", newline="")
        wanted = config.recorded(file, changes)[0]
        own: str = kept[studies.TEXT]
        try:
            own = _with_paths(own, wanted)
            for place, value in _differences(wanted, _load(file, own)):
                own = _replaced(own, place, value)
            if not _differences(wanted, _load(file, own)):
                return own
        except (TftrainError, LookupError):  # it extends another, or leaves the key to its default
            pass
    return config.resolved(wanted.model_copy(update={"sweep": None}))


def _written(value: Any) -> str:
    """A value as an override has it; a choice is text of YAML already."""
    return value if isinstance(value, str) else repr(value)


def _with_paths(own: str, wanted: Config) -> str:
    """The text with whole paths of files: it may be written to another folder."""
    root = text.read(own.encode(), "")
    for place, value in config.plain(wanted).items():
        there = isinstance(value, str) and place.startswith(_OF_FILES) and _node(root, place)
        own = _replaced(own, place, value) if there else own
    return own


def _load(file: Path, written: str) -> Config:
    file.write_text(written, "utf-8", newline="")
    return config.load(file)[0]


def _differences(wanted: Config, found: Config) -> list[tuple[str, Any]]:
    """The paths whose values are other than wanted, with those."""
    want, have = config.plain(wanted), config.plain(found)
    return [
        (path, value)
        for path, value in want.items()
        if (path not in have or have[path] != value) and not path.startswith(_ALIKE)
    ] + [(path, None) for path in have if path not in want and not path.startswith(_ALIKE)]


def _replaced(written: str, path: str, value: Any) -> str:
    """The text with one value in place of another.

    Raises:
        LookupError: when it doesn't stand there as a value on one line.
    """
    node = _node(text.read(written.encode(), ""), path)
    if not isinstance(node, Scalar) or node.mark.line is None or node.mark.column is None:
        raise LookupError(path)
    lines = re.split(r"(?<=\n)", written)
    line, column = lines[node.mark.line - 1], node.mark.column - 1
    token = _token(line[column:])
    if token is None or text.plain(text.read(token.encode(), "")) != node.value:
        raise LookupError(path)
    shown = yaml_text(value).strip().removesuffix("\n...").strip()
    lines[node.mark.line - 1] = line[:column] + shown + line[column + len(token) :]
    return "".join(lines)


def _token(rest: str) -> str | None:
    """The scalar that a line goes on with."""
    found = re.match(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\s,\]}#][^\n,\]}#]*", rest)
    return found[0].rstrip() if found else None


def _node(root: Node, path: str) -> Node | None:
    """What a dotted path leads to; a key may hold dots itself."""
    node: Node | None = root
    words = path.split(".")
    while words and node is not None:
        for size in range(len(words), 0, -1):
            part = ".".join(words[:size])
            found = text.child(node, int(part) if part.isdecimal() else part)
            if found is not None:
                break
        node, words = found, words[size:]
    return node
