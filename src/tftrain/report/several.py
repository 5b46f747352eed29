"""A comparison of runs in, the sections of their page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tftrain import scoreboard
from tftrain.comparison import Compared
from tftrain.report.pictures import Picture
from tftrain.report.sections import SIGNS, Section
from tftrain.scoreboard import Block, short
from tftrain.terminal import number

_TITLES = {"metrics": "Metrics", "config": "Config", "environment": "Environment"}


def split(found: Sequence[tuple[Path, Mapping[str, Any]]]) -> str:
    """The rows that all runs can be compared on: those of test, where each has some."""
    return "test" if all("test" in summary["metrics"] for _, summary in found) else "validation"


def sections_of(
    found: Compared, summaries: Sequence[Mapping[str, Any]], drawn: Sequence[Picture]
) -> list[Section]:
    """The sections of a page of several runs."""
    said = zip(found.tests, scoreboard.tested(found), strict=True)
    verdicts = [(one.verdict.outcome, SIGNS[one.verdict.outcome], words) for one, words in said]
    words = [f"Each run is held against the first, {found.runs[0]}, on the {found.split} rows."]
    tables = {block.name: block for block in scoreboard.differences(found)}
    parts = [
        Section(
            "verdict", "Verdict", verdicts, words, found.notes, tables=[_runs(found, summaries)]
        ),
        Section("curves", "Learning curves", pictures=drawn),
    ]
    for name, title in _TITLES.items():
        block = tables[name]
        lack = () if block.rows else ("no difference",)
        caption = (
            f"On the {found.split} rows" if name == "metrics" else f"Differences of the {name}"
        )
        parts.append(Section(name, title, words=lack, tables=[(caption, block)]))
    return parts


def _runs(found: Compared, summaries: Sequence[Mapping[str, Any]]) -> tuple[str, Block]:
    header = ["run", "epochs", "best epoch", "parameters", "training rows", "seconds"]
    rows = [
        [
            short(name),
            *(_count(one.get(key)) for key in ("epochs_run", "best_epoch", "parameters")),
            _count(one["rows"]["train"]),
            number(one["seconds"].get("total")),
        ]
        for name, one in zip(found.runs, summaries, strict=True)
    ]
    return "Runs", Block("runs", header, rows)


def _count(value: object) -> str:
    return f"{value:,}" if type(value) is int else "-"
