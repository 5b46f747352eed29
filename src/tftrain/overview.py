"""A profile of data in, the sections that a person reads of it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from tftrain import terminal
from tftrain.data.profile import Profile
from tftrain.data.profile.remarks import SECTIONS
from tftrain.data.profile.statistics import Statistics, shown
from tftrain.errors import counted, one_line

_MOST_COLUMNS = 60
_MOST_CLASSES = 30


def lines(profile: Profile) -> Iterator[str]:
    """Section by section: its table, then what there is to say, and how much of it in the end."""
    for section in SECTIONS:
        remarks = [one for one in profile.remarks if one.section == section]
        if not remarks:
            continue
        yield section.capitalize()
        if section == "columns":
            yield from _columns(profile)
        elif section == "split":
            yield from _split(profile)
        for one in remarks:
            code = f"[{one.code}]" if one.code else ""
            yield one_line(f"  {one.severity}{code}: {one.message}")
        yield ""
    found = Counter(one.severity for one in profile.remarks)
    warnings, notes = counted(found["warning"], "warning"), counted(found["note"], "note")
    yield one_line(f"{profile.source}: {warnings}, {notes}, {found['ok']} ok")
    yield ""


def _columns(profile: Profile) -> Iterator[str]:
    header = ["column", "kind", "missing", "distinct", "values", "example", "becomes"]
    rows = [_column(one, profile.dropped) for one in profile.columns[:_MOST_COLUMNS]]
    yield _indented(terminal.table(header, rows, right=False))
    if len(profile.columns) > _MOST_COLUMNS:
        yield f"  ... and {len(profile.columns) - _MOST_COLUMNS} more columns"


def _column(one: Statistics, dropped: Mapping[str, str]) -> list[str]:
    becomes = counted(one.width, "input") if one.width else "-"
    if one.name in dropped:
        becomes = f"dropped, {dropped[one.name]}"
    elif one.kind in ("target", "group", "time", "weight"):
        becomes = f"the {one.kind}"
    cells = [
        shown(one.name),
        one.kind,
        f"{one.missing:,}" if one.missing else "-",
        f"{'' if one.exact else 'about '}{one.distinct:,}",
        one.values(),
        "-" if one.example is None else shown(one.example),
        becomes,
    ]
    return [one_line(cell) for cell in cells]


def _split(profile: Profile) -> Iterator[str]:
    if not profile.counts:
        return
    few = sorted(profile.counts, key=lambda name: sum(profile.counts[name].values()))
    kept = [name for name in profile.counts if name in few[:_MOST_CLASSES]]
    rows = [
        [
            one_line(shown(name)),
            *(f"{rows:,}" for rows in profile.counts[name].values()),
            f"{profile.weights[name]:.4g}",
        ]
        for name in kept
    ]
    yield _indented(terminal.table(["class", *profile.rows, "balanced weight"], rows))
    if len(few) > len(kept):
        yield f"  ... and {len(few) - len(kept)} more classes, of more rows each"


def _indented(table: str) -> str:
    return "\n".join(f"  {line}" for line in table.splitlines())
