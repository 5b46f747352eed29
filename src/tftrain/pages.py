"""A code of an error in, the page that explains it out: what, why, a wrong and a right example.

The pages stand in `codes.md`; those of codes that are explained elsewhere are handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tftrain.errors import CODES, Mark, Problem, TftrainError, did_you_mean

_FILE = Path(__file__).with_name("codes.md")
_SECTION = re.compile(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```\w*\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_NONE: Mapping[str, str] = MappingProxyType({})


def page(code: str, others: Mapping[str, str] = _NONE) -> str:
    """What `tftrain check --explain CODE` prints.

    Args:
        code: in capitals or not, such as `C010`.
        others: pages that don't stand in `codes.md`, Markdown by code, such as the lint's.

    Returns:
        The page as text for a terminal: the code and what it means, then its page.

    Raises:
        TftrainError: when there is no such code.
    """
    written = {**sections(), **others}
    known = code.strip().upper()
    if known not in written:
        near = did_you_mean(code, written) or "; the reference lists all codes"
        raise TftrainError(Problem(Mark(code), "C031", f"no code is called so{near}"))
    title = f"{known}: {CODES[known]}\n\n" if known in CODES else ""
    return title + _BLOCK.sub(_indented, written[known]).rstrip()


def sections(file: Path = _FILE) -> dict[str, str]:
    """The pages of a file such as `codes.md`, Markdown by code."""
    return {code: body.strip() + "\n" for code, body in _SECTION.findall(file.read_text("utf-8"))}


def _indented(block: re.Match[str]) -> str:
    """A block of code without its fence."""
    return "".join(f"    {line}" for line in block[1].splitlines(keepends=True))
