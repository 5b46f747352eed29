"""What can be said of data: one sentence each, under a section, with how much it matters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from tftrain.config import Place, Source
from tftrain.errors import Problem

Section = Literal["columns", "split", "duplicates", "leaks", "labels"]
SECTIONS: tuple[Section, ...] = ("columns", "split", "duplicates", "leaks", "labels")


@dataclass(frozen=True)
class Remark:
    """One finding.

    Args:
        section: what it is about.
        severity: a warning is probably a mistake; a note is to be known; ok was looked at.
        message: what was found, and what to do about it.
        code: of a warning, one of `errors.CODES`.
        path: of a warning, the place in the config that it is about.
    """

    section: Section
    severity: Literal["ok", "note", "warning"]
    message: str
    code: str | None = None
    path: Place = ()

    def problem(self, source: Source) -> Problem | None:
        """The warning as a problem with its place in the config; None for what is none."""
        if self.code is None:
            return None
        return replace(source.problem(self.path, self.code, self.message), severity="warning")

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "section": self.section,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
        }


def ok(section: Section, message: str) -> Remark:
    """What was looked at and found in order."""
    return Remark(section, "ok", message)


def note(section: Section, message: str) -> Remark:
    """What is to be known, and may well be right."""
    return Remark(section, "note", message)
