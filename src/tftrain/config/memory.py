"""A network's table in, the layer at which it no longer fits in this machine's memory out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tftrain import files
from tftrain.config import search
from tftrain.config.resolve import resolve
from tftrain.config.schema import Config
from tftrain.config.shapes import Row
from tftrain.config.text import Source
from tftrain.errors import Problem

# How many values an optimizer keeps of each weight; of others it may be none.
_KEPT = {
    **dict.fromkeys(("Adagrad", "Lion", "RMSprop"), 1),
    **dict.fromkeys(("Adadelta", "Adam", "Adamax", "AdamW", "Ftrl", "Lamb", "Nadam"), 2),
}
_WORDY = 10**16  # bytes, and more have too many digits to be read


def fault(table: Sequence[Row], config: Config, source: Source) -> tuple[int, Problem] | None:
    """The number of the layer that is too large, and what is wrong; None where all may fit.

    Counted is what surely has to be there at once: weights, a gradient of each, what the optimizer
    keeps of it, and the layer's outputs of a single row.
    """
    memory = files.machine_memory()
    if memory is None:
        return None
    optimizer = resolve(
        "optimizer", config.training.optimizer, ("training", "optimizer"), source
    ).entry.definition
    networks = search.members(config.training.optimizer)
    held = 0
    for place, row in enumerate(table):
        value = 4 if row.layer.get("dtype") is None else 2  # bytes, at least
        trained = row.layer.get("trainable") is not False
        copies = 2 + _KEPT.get(optimizer, networks) if trained else 1
        held += value * copies * (row.parameters or 0)
        needed = held + value * math.prod(size or 1 for size in row.shape or ())
        if needed > memory:
            message = (
                f"`{row.layer.name}`: up to this layer, training takes {_bytes(needed)} of memory "
                f"at least; this machine has {_bytes(memory)}"
            )
            return place, source.problem(row.layer.path, "K009", message)
    return None


def _bytes(number: int) -> str:
    if number < _WORDY:
        return f"{number / 2**30:,.1f} GiB"
    return f"more than 10^{int((number.bit_length() - 1) * math.log10(2))} bytes"
