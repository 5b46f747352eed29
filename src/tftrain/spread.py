"""What each network of a population came to in, how far apart they lie out; without TensorFlow."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tftrain.config import Training, higher_is_better

_NO_SPREAD = {True: 0.0, False: math.nan}  # of one network, of what is not finite


def figures(training: Training, metrics: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """For each metric: best, median, worst, mean and standard deviation over the networks.

    Args:
        training: says of which metrics more is better.
        metrics: by name, of each network; at least of one.
    """
    found = {}
    for name in metrics[0]:
        values = [one[name] for one in metrics]
        unknown = [value for value in values if math.isnan(value)]
        known = sorted(
            (one for one in values if not math.isnan(one)), reverse=higher_is_better(training, name)
        )
        ordered = known + unknown
        finite = all(map(math.isfinite, values))
        found[name] = {
            "best": ordered[0],
            "median": math.nan if unknown else statistics.median(ordered),
            "worst": ordered[-1],
            "mean": statistics.fmean(values) if finite else sum(values) / len(values),
            "std": statistics.stdev(values) if finite and len(values) > 1 else _NO_SPREAD[finite],
        }
    return found


def table(histories: Iterable[Sequence[Mapping[str, float]]]) -> str:
    """A row for each network and epoch, as `members.csv` has them; networks counted from 0."""
    rows = [{"member": number, **row} for number, rows in enumerate(histories) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0] if rows else ["member"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def crossvalidated(summary: Mapping[str, Any]) -> bool:
    """Whether a summary, perhaps a stranger's, is of folds: each row was tested in one."""
    found = summary.get("population")
    return isinstance(found, Mapping) and "refit" in found


def said(summary: Mapping[str, Any]) -> list[str]:
    """`accuracy 99.2 % ± 0.3 over 32 starts` and the like; nothing of one network alone."""
    found = summary.get("population")
    if found is None:
        return []
    count, of = len(found["members"]), "folds" if crossvalidated(summary) else "starts"
    lines = []
    for name, one in found["test" if "test" in found else "train"].items():
        if "accuracy" in name:
            mean = f"{100 * one['mean']:.1f} % ± {100 * one['std']:.1f}"
        else:
            mean = f"{one['mean']:.4g} ± {one['std']:.2g}"
        lines.append(
            f"{name} {mean} over {count} {of} (best {one['best']:.4g}, median "
            f"{one['median']:.4g}, worst {one['worst']:.4g})"
        )
    return lines
