"""`${env:NAME}` in a tree's texts in, values from the environment out: scalars, never more."""

from __future__ import annotations

import os
import re
from typing import NoReturn

from tftrain.config import text
from tftrain.config.text import Node, Scalar
from tftrain.errors import ConfigError, Problem, did_you_mean

_REFERENCE = r"\$\{env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:(?P<default>[^{}]*))?\}"
_WHOLE = re.compile(_REFERENCE)
_PIECE = re.compile(rf"(?P<escape>\$\$\{{)|{_REFERENCE}|(?P<other>\$\{{[^{{}}]*\}}?)")
_GUESSES = 10  # a hint takes time, and a file may have thousands of references


def fill(root: Node) -> list[tuple[Scalar, Problem]]:
    """Replaces the references in every value, in place; keys are left as they are.

    `${env:NAME}` alone is read as a YAML scalar, so that it may be a number; within a longer text,
    or quoted, it is put in as text. `${env:NAME:default}` has the default where the variable isn't
    set, and `$${` is the text `${`. What comes from the environment is not looked into again.

    Args:
        root: the tree.

    Returns:
        Each value that can't be given, left as it was written, and why not.

    Raises:
        ConfigError: when more than 256 KiB would come in.
    """
    faults: list[tuple[Scalar, Problem]] = []
    room = text.MAX_BYTES
    for node in text.scalars(root):
        if not isinstance(node.value, str) or "${" not in node.value:
            continue
        try:
            room -= _fill_one(node, room, guess=len(faults) < _GUESSES)
        except _TooMuchError:
            raise
        except ConfigError as error:
            faults += [(node, problem) for problem in error.problems]
    return faults


def unescape(root: Node) -> list[tuple[Scalar, Problem]]:
    """Undoes `escaped` in every value, in place; the environment isn't looked at.

    Returns:
        Each value that refers to it, left as it was written, and that it may not.
    """
    faults: list[tuple[Scalar, Problem]] = []
    for node in text.scalars(root):
        if not isinstance(node.value, str) or "${" not in node.value:
            continue
        found = _PIECE.finditer(node.value)
        if piece := next((piece for piece in found if not piece["escape"]), None):
            message = f"`{piece[0]}`: the config of a run takes nothing from the environment"
            faults.append((node, Problem(node.mark, "C041", message)))
        else:
            node.value = node.value.replace("$${", "${")
    return faults


def fill_or_fail(root: Node) -> None:
    """As `fill`.

    Raises:
        ConfigError: when a value can't be given.
    """
    faults = fill(root)
    if faults:
        raise ConfigError(problem for _, problem in faults)


def escaped(value: str) -> str:
    """A text written so that it is read as itself."""
    return value.replace("${", "$${")


class _TooMuchError(ConfigError):
    """No fault of one value: nothing more is read."""


def _fill_one(node: Scalar, room: int, *, guess: bool) -> int:
    """Gives one value; how many characters came in, of those that there is room for."""
    written, end, put = str(node.value), 0, 0
    variables: dict[str, None] = {}
    parts: list[str] = []
    for piece in _PIECE.finditer(written):
        value = _value(piece, node, guess=guess)
        put += len(value)
        if put > room:
            message = f"more than {text.MAX_BYTES // 1024} KiB from the environment"
            raise _TooMuchError(Problem(node.mark, "C006", message))
        if piece["name"] and piece["name"] in os.environ:
            variables[piece["name"]] = None
        parts += written[end : piece.start()], value
        end = piece.end()
    value = "".join([*parts, written[end:]])
    if not node.quoted and _WHOLE.fullmatch(written):
        try:
            node.value = text.scalar(value.strip())
        except ValueError:
            _fail(node, "C012", f"`{written}`: a number of more than {text.MAX_DIGITS} digits")
    else:
        node.value = value
    node.variables = tuple(variables)
    return put


def _value(piece: re.Match[str], node: Scalar, *, guess: bool) -> str:
    """What stands for one reference."""
    name = piece["name"]
    if piece["escape"]:
        return "${"
    if piece["other"]:
        form = "expected ${env:NAME} or ${env:NAME:default}; for the text itself write $${"
        _fail(node, "C041", f"`{piece['other']}`: {form}")
    if name not in os.environ:
        if piece["default"] is not None:
            return str(piece["default"])
        near = did_you_mean(name, os.environ) if guess else ""
        _fail(node, "C041", f"no variable `{name}` in the environment, and no default{near}")
    value = os.environ[name]
    if unwanted := text.UNWANTED.search(value):
        _fail(node, "C005", f"the variable `{name}` holds the character U+{ord(unwanted[0]):04X}")
    return value


def _fail(node: Scalar, code: str, message: str) -> NoReturn:
    raise ConfigError(Problem(node.mark, code, message))
