"""What there is to say of a run in, the sections of its page out, in the order to be read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tftrain import config, findings, predictions, runs, scoreboard, terminal
from tftrain.data import Part
from tftrain.errors import one_line
from tftrain.report.facts import Facts
from tftrain.report.pictures import Picture
from tftrain.scoreboard import Block, short
from tftrain.scores import Example
from tftrain.terminal import number

_ENSEMBLE = "Several of these side by side; what is given is the mean of their predictions."
_MOST_CLASSES = 40
SIGNS = {"better": "✓", "worse": "✗", "undecided": "≈"}
_SPREAD = ("best", "median", "worst", "mean", "deviation")
_TITLES = {  # of the scoreboard's tables
    "metrics": "Metrics",
    "entropy": "Entropy",
    "calibration": "Calibration",
    "points": "Thresholds",
    "classes": "Classes",
    "residuals": "Residuals",
}
_HEADLINE = {"epochs_run": int, "monitor": str, "best_epoch": int, "best_value": float, "kept": str}
_MOST_NOTES, _WIDEST = 50, 400  # that are shown; characters of one


@dataclass(frozen=True)
class Seen:
    """A row that is an image.

    Args:
        source: a `data:` address.
        words: what it is and was taken for, a line each.
    """

    source: str
    words: tuple[str, ...]

    @property
    def described(self) -> str:
        """For whoever doesn't see it."""
        return ", ".join(self.words)


@dataclass(frozen=True)
class Section:
    """A part of a page; whatever it has not is left out.

    Args:
        name: of letters and `-`; the section's address in the page.
        title: its heading.
        verdicts: how good (`better`, `worse`, `undecided`), a sign for it, and a sentence.
        words: sentences.
        notes: what should be known besides.
        pictures: of it, drawn.
        tables: with a caption each.
        galleries: rows that are images, with a caption each.
        code: lines to be copied, with a caption each.
        sums: whether the last row of a table is a sum.
    """

    name: str
    title: str
    verdicts: Sequence[tuple[str, str, str]] = ()
    words: Sequence[str] = ()
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[tuple[str, Block]] = ()
    galleries: Sequence[tuple[str, Sequence[Seen]]] = ()
    code: Sequence[tuple[str, str]] = ()
    sums: bool = False

    @property
    def holds(self) -> bool:
        """Whether there is anything in it."""
        held = (self.verdicts, self.words, self.notes, self.pictures, self.tables)
        return any((*held, self.galleries, self.code))


def of_run(facts: Facts, pictures: Iterable[Picture]) -> list[Section]:
    """The sections of one run's page that hold something.

    Args:
        facts: from `facts.gather`.
        pictures: of it.
    """
    drawn: dict[str, list[Picture]] = {}
    for one in pictures:
        drawn.setdefault(one.section, []).append(one)
    makers: Sequence[Callable[[Facts], Section]] = (
        *(_verdict, _curves, _scores, _examples, _networks),
        *(_network, _data, _config, _environment, _repeat),
    )
    made = (make(facts) for make in makers)
    every = [replace(one, pictures=drawn.get(one.name, ())) for one in made]
    return [one for one in every if one.holds]


def _verdict(facts: Facts) -> Section:
    summary, found = facts.summary, facts.assessment
    verdicts = (
        [(one.outcome, SIGNS[one.outcome], one.words) for one in found.verdicts] if found else []
    )
    words = []
    if summary["state"] != runs.FINISHED:
        reason = f": {summary['reason']}" if isinstance(summary.get("reason"), str) else ""
        on = "" if summary["state"] == runs.RUNNING else runs.going_on(facts.folder, summary)
        verdicts.append(("worse", SIGNS["worse"], _cut(f"{summary['state']}{reason}{on}")))
    if found is not None:
        main = next(one for one in found.metrics if one.name == found.main)
        ends = main.interval
        reach = f" (95 %: {number(ends.low)} to {number(ends.high)})" if ends else ""
        words.append(f"{main.name} {number(main.value)}{reach} on {found.rows:,} {found.part} rows")
    if _is_told(summary):
        words.append(_cut(terminal.summary_line(summary)))
    notes = [*(found.notes if found else ()), *(facts.assessed.notes if facts.assessed else ())]
    lack = [f"not scored: {facts.lack}"] if facts.lack else []
    return Section("verdict", "Verdict", verdicts, words, [*map(_cut, [*lack, *notes])])


def _is_told(summary: Mapping[str, Any]) -> bool:
    """Whether a summary, perhaps a stranger's, says which epoch was best and how long it took."""
    seconds = summary.get("seconds", {})
    known = all(isinstance(seconds.get(name), int | float) for name in ("training", "total"))
    return known and all(isinstance(summary.get(name), kind) for name, kind in _HEADLINE.items())


def _cut(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."


def _curves(facts: Facts) -> Section:
    lack = () if facts.history else (f"no epochs are recorded: there is no {runs.METRICS}",)
    return Section("curves", "Learning curves", notes=lack)


def _scores(facts: Facts) -> Section:
    if facts.assessed is None:
        return Section("scores", "Scores")
    if facts.assessment is None:
        split = next(iter(facts.summary["metrics"]), "")
        rows = [[_cut(name), number(one)] for name, one in facts.assessed.metrics.items()]
        return Section(
            "scores", "Scores", tables=[("Metrics", Block("metrics", [split, ""], rows))]
        )
    blocks = scoreboard.blocks(facts.assessment, facts.assessed.metrics)
    shown = [(_TITLES[one.name], one) for one in blocks if one.name in _TITLES]
    return Section("scores", "Scores", tables=shown)


def _examples(facts: Facts) -> Section:
    found = facts.assessment
    if not found or not found.worst:
        return Section("examples", "Examples")
    sides = {"The worst, by loss": found.worst, "The most certain": found.most_certain}
    notes = [_cut(facts.seen.note)] if facts.seen.note else []
    if facts.seen.pictures:
        shown = [(title, _gallery(facts, some)) for title, some in sides.items()]
        return Section("examples", "Examples", galleries=shown)
    tables = [(title, _rows(facts, some)) for title, some in sides.items()]
    return Section("examples", "Examples", tables=tables, notes=notes)


def _gallery(facts: Facts, some: Sequence[Example]) -> list[Seen]:
    made = []
    for one, cells in zip(some, scoreboard.examples("", some).rows, strict=True):
        picture = facts.seen.pictures.get(one.row)
        if picture is not None:
            words = [f"row {cells[0]}", f"is {cells[1]}", f"taken for {cells[2]}"]
            words += [f"probability {cells[3]}"] if one.probability is not None else []
            words += [f"loss {cells[-1]}"]
            address = "data:image/png;base64," + base64.b64encode(picture).decode()
            made.append(Seen(address, tuple(words)))
    return made


def _rows(facts: Facts, some: Sequence[Example]) -> Block:
    block = scoreboard.examples("", some)
    cells, blank = facts.seen.cells or {}, [""] * len(facts.seen.names)
    rows = [
        [*shown, *cells.get(one.row, blank)] for one, shown in zip(some, block.rows, strict=True)
    ]
    return Block("examples", ["row", *block.header[1:], *map(short, facts.seen.names)], rows)


def _networks(facts: Facts) -> Section:
    one = facts.population
    if one is None:
        return Section("networks", "Networks")
    title = "Folds" if one.kept is None else "Restarts"
    rows = [
        [part, short(name), *map(number, values)]
        for part, metrics in one.figures.items()
        for name, values in metrics.items()
    ]
    table = Block("spread", ["rows", "metric", *_SPREAD], rows)
    return Section(
        "networks", title, words=one.said, tables=[(f"All {len(one.seeds)} networks", table)]
    )


def _network(facts: Facts) -> Section:
    rows = [[_cut(cell) for cell in row] for row in findings.network_rows(facts.layers)]
    table = Block("network", findings.NETWORK, rows)
    words = [_ENSEMBLE] if facts.summary.get("kept") == "ensemble" else []
    return Section("network", "Network", words=words, tables=[("Layers", table)], sums=True)


def _data(facts: Facts) -> Section:
    summary, data = facts.summary, facts.config.data
    told = {
        "source": data.source if isinstance(data.source, str) else _json(data.source.model_dump()),
        "target": data.target,
        "inputs of a row": _shape(summary.get("inputs")),
        "fingerprint": summary.get("fingerprint"),
    }
    rows = [[name, _cut(str(value))] for name, value in told.items() if value is not None]
    rows += [
        [f"{short(name)} rows", f"{count:,}"] for name, count in summary.get("rows", {}).items()
    ]
    tables = [("Rows", Block("data", ["", ""], rows)), *_labels(facts)]
    notes = summary.get("notes", [])
    notes = notes[:_MOST_NOTES] if isinstance(notes, list) else []
    words = [*map(_cut, facts.data)]
    return Section(
        "data", "Data", words=words, tables=tables, notes=[_cut(str(one)) for one in notes]
    )


def _labels(facts: Facts) -> Iterator[tuple[str, Block]]:
    """Rows by class, or where the target's numbers lie, of each part; where they could be read."""
    splits = facts.assessed.splits if facts.assessed else None
    if splits is None:
        return
    parts, classes = splits.parts(), splits.form.classes

    def truth(part: Part) -> np.ndarray[Any, Any]:
        return predictions.truth(splits.form, part.labels)

    if classes is None:
        rows = [
            [name, *(number(float(ask(truth(part)))) for ask in (np.mean, np.std, np.min, np.max))]
            for name, part in parts.items()
        ]
        yield "Targets", Block("targets", ["", "mean", "deviation", "smallest", "largest"], rows)
    elif len(classes) <= _MOST_CLASSES:
        counts = [np.bincount(truth(part), minlength=len(classes)) for part in parts.values()]
        rows = [
            [short(name), *(f"{int(one[place]):,}" for one in counts)]
            for place, name in enumerate(classes)
        ]
        yield "Classes", Block("classes", ["class", *parts], rows)


def _config(facts: Facts) -> Section:
    origin = facts.origin
    named = f"began as the template {origin.template}" if origin.template else "of no template"
    head = ["key", "template" if origin.template else "default", "in force"]
    rows = [[_cut(cell) for cell in row] for row in origin.changes]
    title = (
        "Differences from the template" if origin.template else "Values that are not the default"
    )
    if not origin.template:
        head, rows = [head[0], head[2]], [[row[0], row[2]] for row in rows]
    words = [named if rows else f"{named}, and nothing was changed"]
    text = config.resolved(facts.config)
    tables = [(title, Block("changes", head, rows))] if rows else []
    return Section(
        "config", "Config", words=words, tables=tables, code=[("Every value in force", text)]
    )


def _environment(facts: Facts) -> Section:
    told = {name: value for name, value in facts.environment.items() if name != "command"}
    rows = [[short(name), _cut(_json(value))] for name, value in told.items()]
    seconds = facts.summary.get("seconds", {})
    spent = [[short(name), number(value)] for name, value in seconds.items()]
    tables = [("Surroundings", Block("environment", ["", ""], rows))] if rows else []
    tables += [("Seconds", Block("seconds", ["stage", "seconds"], spent))] if spent else []
    return Section("environment", "Environment", tables=tables)


def _repeat(facts: Facts) -> Section:
    leave = " --allow-code" if facts.summary.get(runs.CODE) else ""
    path, folder = (runs.quoted(one) for one in (facts.folder / runs.RESOLVED, facts.folder))
    repeat = f"tftrain fit {path}{leave}\ntftrain eval {folder}{leave}"
    words = ["With the same versions and threads on the same machine the bits are the same."]
    began = facts.environment.get("command")
    code = [("Repeat and score it", repeat)]
    code += [("The command that began it", _cut(began))] if isinstance(began, str) else []
    return Section("repeat", "Repeat", words=words, code=code)


def _shape(sizes: Sequence[int] | None) -> str | None:
    return None if sizes is None else " x ".join(map(str, sizes))


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
