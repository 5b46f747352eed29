"""Config.data in, what is known of its rows without reading them out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tftrain.config.bundled import BUNDLED, Bundled
from tftrain.config.checks import class_name
from tftrain.config.data import Data, FixedScaling

UNEQUAL = 5  # times as many rows of the largest class as of the smallest
_DEVIATION = 1.0


@dataclass(frozen=True)
class Facts:
    """What is known of the data; None where it isn't.

    Args:
        inputs: one row's shape.
        rows: training rows.
        target: classes, numbers, or probabilities between 0 and 1.
        classes: how many.
        labels: one label's shape, () for a number.
        imbalance: the largest class's rows for each row of the smallest.
        magnitude: how large an input gets once it is scaled; 1 where standardised.
        lowest: the smallest target, where targets are numbers.
        highest: the largest, likewise.
    """

    inputs: tuple[int, ...] | None = None
    rows: int | None = None
    target: Literal["classes", "numbers", "soft"] | None = None
    classes: int | None = None
    labels: tuple[int, ...] | None = None
    imbalance: float | None = None
    magnitude: float | None = None
    lowest: float | None = None
    highest: float | None = None


def facts_of(data: Data) -> Facts:
    """What the config tells, and what is known of the sets that come with scikit-learn."""
    one_hot = (len(data.classes),) if data.classes and data.one_hot else ()
    known = BUNDLED.get(data.source) if isinstance(data.source, str) else None
    if known is None:
        if data.positive is not None:
            return Facts(target="classes", classes=2, labels=())
        if data.classes is None:
            return Facts(target="classes" if data.one_hot else None)
        return Facts(target="classes", classes=len(data.classes), labels=one_hot)
    magnitude = _magnitude(data, known)
    if known.classes is None:
        rows = training_rows(known.rows, data)
        lowest, highest = known.targets or (None, None)
        return Facts(
            inputs=(known.columns,),
            rows=rows,
            target="numbers",
            labels=known.labels,
            magnitude=magnitude,
            lowest=lowest,
            highest=highest,
        )
    names = list(known.classes) if data.classes is None else list(map(class_name, data.classes))
    counts = [known.classes.get(name, 0) for name in names]
    return Facts(
        inputs=(known.columns,),
        rows=training_rows(sum(counts), data),
        target="classes",
        classes=len(counts),
        labels=(len(counts),) if data.one_hot else (),
        imbalance=imbalance(counts),
        magnitude=magnitude,
    )


def unequal(counts: Collection[int]) -> bool:
    """Whether one class has so many more rows than another that a network may ignore the other."""
    return bool(counts) and max(counts) >= UNEQUAL * min(counts)


def imbalance(counts: Sequence[int]) -> float | None:
    """The largest class's rows for each row of the smallest."""
    return max(counts) / min(counts) if counts and min(counts) > 0 else None


def _magnitude(data: Data, known: Bundled) -> float:
    scaling = data.scaling
    if isinstance(scaling, FixedScaling):
        numbers = scaling.rescale
        ends = (known.smallest, known.largest)
        return max(abs(end * numbers.scale + numbers.offset) for end in ends)
    return _DEVIATION if scaling is not None else known.largest


def training_rows(total: int, data: Data) -> int:
    """The share of `data.split.train` of all rows, rounded as `data.split` rounds."""
    split = data.split
    parts = [part for part in (split.train, split.validation, split.test) if part != 0]
    exact = [total * part for part in parts if isinstance(part, float)]
    whole = [math.floor(share + 1e-9) for share in exact]
    order = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    return whole[0] + (0 in order[: total - sum(whole)])
