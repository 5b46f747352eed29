"""Rows as they came and as they were split in, what there is to say of them out.

Counts are of all rows; what a column tells of the target is looked at in a sample of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Config, Place, Source
from tftrain.config.lint import unequal
from tftrain.data.labels import FEWEST, balanced
from tftrain.data.profile import duplicates, leaks, oddities
from tftrain.data.profile.duplicates import Hashed
from tftrain.data.profile.remarks import Remark, note, ok
from tftrain.data.profile.statistics import Sample, Statistics, sample, statistics
from tftrain.data.raw import Raw
from tftrain.data.splits import Part, Splits
from tftrain.data.table import Table
from tftrain.errors import Problem, counted, listed

_IN_ORDER = 20  # rows, from which on an order of labels is no chance


@dataclass(frozen=True)
class Profile:
    """What there is to say of a config's rows.

    Args:
        source: what they are called.
        rows: of each part.
        counts: rows of each class in each part, by the class's name; empty for numbers.
        weights: what `class_weight: balanced` would give each class.
        baseline: what a network must beat, by the name of the metric.
        columns: of a table.
        dropped: columns that aren't learnt from, and why.
        remarks: findings.
    """

    source: str
    rows: Mapping[str, int]
    counts: Mapping[str, Mapping[str, int]]
    weights: Mapping[str, float]
    baseline: Mapping[str, float]
    columns: tuple[Statistics, ...]
    dropped: Mapping[str, str]
    remarks: tuple[Remark, ...]

    def problems(self, source: Source) -> list[Problem]:
        """The warnings with their places in the config."""
        made = (remark.problem(source) for remark in self.remarks)
        return [problem for problem in made if problem is not None]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source": self.source,
            "rows": dict(self.rows),
            "classes": {name: dict(counts) for name, counts in self.counts.items()},
            "balanced_weights": dict(self.weights),
            "baseline": dict(self.baseline),
            "columns": [one.plain() for one in self.columns],
            "dropped": dict(self.dropped),
            "findings": [remark.plain() for remark in self.remarks],
        }


def profile(raws: Mapping[str, Raw], splits: Splits, config: Config) -> Profile:
    """Everything that can be said of the rows before a training.

    Args:
        raws: the rows of each file, by the key of the config that names it.
        splits: their parts.
        config: says where they came from.
    """
    parts = splits.parts()
    classes = splits.form.classes
    labels = {name: _labels(part, splits) for name, part in parts.items()}
    counts = _class_counts(labels, classes)
    table, columns = raws["source"].table, splits.preparation.columns
    found: tuple[Statistics, ...] = ()
    likely: float | None = None
    remarks: list[Remark] = []
    if table is not None and columns is not None:
        found = statistics(table, columns, config.data)
        shared = {name: labels[name] for name in parts if name not in raws}
        of_row = _by_row(table, {name: parts[name].rows for name in shared}, shared)
        rows = sample(table, [one.name for one in found if one.width])
        remarks += _of_columns(table, found, rows, config)
        remarks += _leaks(rows, of_row, config, len(classes or ()))
        likely = duplicates.chance(rows)
    remarks += _noticed(raws)
    weights = _balanced(counts)
    remarks += _of_split(raws, labels, counts, weights, config)
    remarks += _doubled(raws, splits, likely)
    remarks += _groups(raws, config)
    baseline, said = _baseline(labels, classes)
    remarks.append(said)
    return Profile(
        source=raws["source"].source,
        rows={name: len(part) for name, part in parts.items()},
        counts=counts,
        weights=weights,
        baseline=baseline,
        columns=found,
        dropped=columns.dropped if columns else {},
        remarks=tuple(one for one in remarks if one.code not in config.lint.ignore),
    )


def _noticed(raws: Mapping[str, Raw]) -> list[Remark]:
    """What was seen when files were read."""
    return [
        Remark(
            "split" if note.code == "D026" else "columns",
            "warning",
            note.message,
            note.code,
            ("data", "source") if name == "source" else ("data", "split", name),
        )
        for name, raw in raws.items()
        for note in raw.told()
    ]


def _labels(part: Part, splits: Splits) -> NDArray[Any]:
    """Class numbers (rows,), or targets in their own units."""
    labels = part.labels
    if splits.form.classes is not None:
        return labels.argmax(axis=1) if labels.ndim > 1 else labels.astype(np.int64)
    restored = splits.form.target.restore(labels) if splits.form.target else labels
    return np.asarray(restored, np.float64)


def _class_counts(
    labels: Mapping[str, NDArray[Any]], classes: tuple[str, ...] | None
) -> dict[str, dict[str, int]]:
    if classes is None:
        return {}
    by_part = {
        name: np.bincount(part.clip(0), minlength=len(classes)) for name, part in labels.items()
    }
    return {
        one: {name: int(counts[number]) for name, counts in by_part.items()}
        for number, one in enumerate(classes)
    }


def _balanced(counts: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """The weight of each class by its training rows."""
    trained = np.array([one["train"] for one in counts.values()], np.int64)
    return dict(zip(counts, balanced(trained).tolist(), strict=True))


def _by_row(
    table: Table, rows: Mapping[str, NDArray[np.int64]], labels: Mapping[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """The label of every row of the table, NaN for those that no part has."""
    of_row = np.full(table.rows, np.nan)
    for name, chosen in rows.items():
        of_row[chosen] = labels[name]
    return of_row


def _of_columns(
    table: Table,
    columns: tuple[Statistics, ...],
    rows: Sample,
    config: Config,
) -> list[Remark]:
    """What is odd about columns, and which rows and dates are suspicious."""
    used = [one for one in columns if one.width]
    places = {one.name: _place(config, one.name) for one in columns}
    remarks = oddities.oddities(table, columns, rows, config.data, places)
    if config.data.group is None:
        remarks += duplicates.bunches(table, used)
    if config.data.time is not None:
        remarks += leaks.later(table, config.data.time)
    return remarks


def _leaks(rows: Sample, of_row: NDArray[np.float64], config: Config, classes: int) -> list[Remark]:
    """What each column tells of the target."""
    known = rows.chosen(~np.isnan(of_row[rows.rows]))
    labels = of_row[known.rows]
    if len(labels) < _IN_ORDER:
        return []
    places = {name: _place(config, name) for name in (*rows.numbers, *rows.codes)}
    among = labels.astype(np.int64) if classes else labels
    return leaks.leaks(known, among, classes, places, str(config.data.target))


def _place(config: Config, name: str) -> Place:
    """Where the config speaks of a column, or of the table."""
    if name in config.data.columns:
        return ("data", "columns", name)
    return ("data", "target") if name == config.data.target else ("data", "source")


def _of_split(
    raws: Mapping[str, Raw],
    labels: Mapping[str, NDArray[Any]],
    counts: Mapping[str, Mapping[str, int]],
    weights: Mapping[str, float],
    config: Config,
) -> list[Remark]:
    remarks: list[Remark] = []
    few = {name: sum(one.values()) for name, one in counts.items()}
    few = {name: rows for name, rows in few.items() if rows < FEWEST}
    if few:
        said = listed(f"`{name}` ({rows})" for name, rows in few.items())
        message = f"classes of fewer than {FEWEST} rows can't be learnt or scored: {said}"
        remarks.append(Remark("split", "warning", message, "D022", _target_place(config)))
    for name in labels:
        lacking = [one for one, by_part in counts.items() if not by_part[name]]
        if lacking and name in raws:
            message = f"the {name} part has no row of {listed(f'`{one}`' for one in lacking)}"
            remarks.append(Remark("split", "warning", message, "D023", ("data", "split", name)))
    remarks += _unequal(counts, weights, config)
    if _sorted(raws["source"].labels):
        how = "by data.time, not shuffled" if config.data.time else "shuffled, so no part lacks any"
        remarks.append(note("split", f"the rows lie in the order of their labels; they are {how}"))
    shown = ", ".join(f"{name} {len(part):,}" for name, part in labels.items())
    return [*remarks, ok("split", f"{sum(map(len, labels.values())):,} rows: {shown}")]


def _target_place(config: Config) -> Place:
    return ("data", "target") if config.data.target is not None else ("data", "source")


def _unequal(
    counts: Mapping[str, Mapping[str, int]], weights: Mapping[str, float], config: Config
) -> list[Remark]:
    trained = {name: one["train"] for name, one in counts.items()}
    if not unequal(trained.values()):
        return []
    rare = min(trained, key=lambda name: trained[name])
    share = trained[rare] / sum(trained.values())
    message = f"`{rare}` is {share:.1%} of the training rows: watch AUC, precision and recall"
    if config.training.class_weight is None:
        message += f"; `class_weight: balanced` would weigh its rows {weights[rare]:.3g}"
    return [note("split", message)]


def _sorted(labels: NDArray[Any] | None) -> bool:
    """Whether all rows of a label lie together, or numbers ascend or descend."""
    if labels is None or len(labels) < _IN_ORDER or labels.size != len(labels):
        return False
    flat = labels.reshape(-1)
    changes = int((flat[1:] != flat[:-1]).sum())
    if changes == 0 or (2 * changes > len(flat) and flat.dtype.kind in "US"):
        return False
    if 2 * changes > len(flat):
        steps = np.diff(flat.astype(np.float64))
        return bool((steps >= 0).all() or (steps <= 0).all())
    return changes + 1 == len(np.unique(flat))


def _doubled(raws: Mapping[str, Raw], splits: Splits, likely: float | None) -> list[Remark]:
    """Duplicate rows, of tables and of arrays."""
    columns = splits.preparation.columns
    parts, hashes, places = {}, {}, {}
    for name, part in splits.parts().items():
        key = name if name in raws else "source"
        table = raws[key].table
        if table is not None and columns is not None:
            if key not in hashes:
                hashes[key] = duplicates.of_table(table, columns.types)
            inputs = hashes[key][part.rows]
        else:
            found = duplicates.of_arrays(part)
            if found is None:
                return [note("duplicates", "not looked for: the arrays are larger than 1 GiB")]
            inputs = found
        rows = duplicates.with_labels(inputs, part.labels)
        parts[name] = Hashed(inputs, rows, part.rows)
        places[name] = ("data", "split", name) if name in raws else ("data", "source")
    classes = splits.form.classes is not None
    return duplicates.duplicates(parts, places, classes=classes, likely=likely)


def _groups(raws: Mapping[str, Raw], config: Config) -> list[Remark]:
    """Groups of the training rows in the files of other parts."""
    group, source = config.data.group, raws["source"].table
    others = {name: raw.table for name, raw in raws.items() if name != "source"}
    if group is None or source is None:
        return []
    return [
        duplicates.groups(source, other, group, name)
        for name, other in others.items()
        if other is not None
    ]


def _baseline(
    labels: Mapping[str, NDArray[Any]], classes: tuple[str, ...] | None
) -> tuple[dict[str, float], Remark]:
    """What a guess without inputs scores: learnt from the training rows, scored on the test's."""
    train = labels["train"]
    scored = "test" if "test" in labels else "validation" if "validation" in labels else "train"
    on = labels[scored]
    if classes is None:
        if train.ndim > 1:
            train, on = train[:, 0], on[:, 0]
        absolute = float(np.abs(on - np.median(train)).mean())
        squared = float(((on - train.mean()) ** 2).mean() ** 0.5)
        said = (
            f"numbers from {train.min():g} to {train.max():g}; to beat on the {scored} part: MAE "
            f"{absolute:.4g} of always the median, RMSE {squared:.4g} of always the mean"
        )
        return {"mean_absolute_error": absolute, "root_mean_squared_error": squared}, ok(
            "labels", said
        )
    counts = np.bincount(train, minlength=len(classes))
    most = int(counts.argmax())
    right = float((on == most).mean())
    shares = counts[counts > 0] / counts.sum()
    entropy = float(-(shares * np.log2(shares)).sum()) + 0.0
    said = (
        f"{counted(len(classes), 'class', 'classes')}, entropy {entropy:.3f} bits; to beat on the "
        f"{scored} part: accuracy {right:.4f} of always `{classes[most]}`"
    )
    return {"accuracy": right, "entropy_bits": entropy}, ok("labels", said)
