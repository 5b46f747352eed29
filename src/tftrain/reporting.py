"""Runs' names in, a page of them on the disk out, and their pictures if asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tftrain import comparison, files, runs
from tftrain.errors import first_line
from tftrain.explain import drawing
from tftrain.report import facts, history, inline, page, pictures, sections, several
from tftrain.report.pictures import Picture
from tftrain.report.sections import Section

SUFFIXES = (".html", ".htm")
Say = Callable[[str], object]


@dataclass(frozen=True)
class Wanted:
    """What is to be written.

    Args:
        output: the page; None for `report.html` in the run's folder.
        split: whose rows are scored; None for the test rows, or else those of validation.
        png: whether the pictures are to be written too, beside the page.
        allow_code: whether a run's own Python files may run, should it have kept no predictions.
    """

    output: Path | None = None
    split: str | None = None
    png: bool = False
    allow_code: bool = False


def report(runs_dir: Path, names: Sequence[str], wanted: Wanted, say: Say) -> list[Path]:
    """Writes a page of one run, or of several beside each other.

    Args:
        runs_dir: where runs are.
        names: of the runs, or their directories.
        wanted: what is to be written.
        say: is told what takes longer.

    Returns:
        The page's path, and those of pictures.

    Raises:
        RunError: when there is no such run, a file of it is damaged, or the page can't be written.
        ConfigError: when a run's config is not valid here.
    """
    found = [runs.in_any_state(runs_dir, name) for name in names]
    path = wanted.output or found[0][0] / runs.REPORT
    files.require_writable(path, SUFFIXES)
    with inline.settings():
        if len(found) == 1:
            title, kind, made, drawn = _of_one(*found[0], wanted, say)
        else:
            title, kind, made, drawn = _of_several(runs_dir, names, wanted)
        files.write(path, page.html(title, kind, made))
        return [path, *(_png(path, one) for one in (drawn if wanted.png else ()))]


def after(folder: Path, say: Say) -> None:
    """Writes the page of a run that was just trained; whatever comes of it, the run is there."""
    try:
        (path,) = report(folder.parent, [str(folder)], Wanted(allow_code=True), say)
    except Exception as error:  # noqa: BLE001 - no picture is worth the failure of a training
        say(f"no report: {first_line(error)}")
    else:
        say(f"report: {path}")


def _of_one(
    folder: Path, summary: dict[str, Any], wanted: Wanted, say: Say
) -> tuple[str, str, list[Section], list[Picture]]:
    found = facts.gather(folder, summary, wanted.split, allow_code=wanted.allow_code, say=say)
    drawn = pictures.unlike(pictures.of_run(found))
    return found.folder.resolve().name, "a run of tftrain", sections.of_run(found, drawn), drawn


def _of_several(
    runs_dir: Path, names: Sequence[str], wanted: Wanted
) -> tuple[str, str, list[Section], list[Picture]]:
    folders = [runs.find(runs_dir, name) for name in names]
    split = wanted.split or several.split(folders)
    found = comparison.compare(runs_dir, names, split)
    told = [history.read(folder) for folder, _ in folders]
    drawn = pictures.unlike(pictures.of_runs(found.runs, told))
    made = several.sections_of(found, [summary for _, summary in folders], drawn)
    return ", ".join(found.runs), f"{len(names)} runs of tftrain compared", made, drawn


def _png(page_path: Path, one: Picture) -> Path:
    path = page_path.with_name(f"{page_path.stem}-{one.name}.png")
    drawing.save(one.figure, path)
    return path
