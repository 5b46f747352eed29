"""A source's rows as they came, before anything is learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tftrain.data.table import Table


@dataclass(frozen=True)
class Raw:
    """A source's arrays, as they came.

    Args:
        inputs: (rows, ...), any real dtype, perhaps memory-mapped; of a table, (rows, 0).
        labels: (rows,) or (rows, k), numbers or texts; None where there are none.
        weights: (rows,) or None.
        names: the classes' names by label, for sets that come with them.
        source: what to call it in messages.
        table: what the inputs are still to be made of.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any] | None
    weights: NDArray[Any] | None
    names: tuple[str, ...] | None
    source: str
    table: Table | None = None
