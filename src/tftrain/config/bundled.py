"""The name of a set that comes with scikit-learn in, what is known of it without reading it out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bundled:
    """One of scikit-learn's sets, as it comes.

    Args:
        columns: of the inputs.
        smallest: input.
        largest: input.
        classes: the rows of each class by its name.
        rows: where there are no classes.
        targets: the smallest and the largest.
        labels: one label's shape.
    """

    columns: int
    smallest: float
    largest: float
    classes: dict[str, int] | None = None
    rows: int = 0
    targets: tuple[float, float] | None = None
    labels: tuple[int, ...] = ()


BUNDLED = {
    "digits": Bundled(
        64,
        0,
        16,
        dict(zip("0123456789", (178, 182, 177, 183, 181, 182, 181, 179, 174, 180), strict=True)),
    ),
    "iris": Bundled(4, 0.1, 7.9, dict.fromkeys(("setosa", "versicolor", "virginica"), 50)),
    "wine": Bundled(13, 0.13, 1680, {"class_0": 59, "class_1": 71, "class_2": 48}),
    "breast_cancer": Bundled(30, 0, 4254, {"malignant": 212, "benign": 357}),
    "diabetes": Bundled(10, 1, 301, rows=442, targets=(25, 346)),
    "linnerud": Bundled(3, 1, 251, rows=20, targets=(31, 247), labels=(3,)),
}
