"""The form of `sweep`: what is searched, how, and for what.

This is the reference of the section: the descriptions here are what users read.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from tftrain.config import ranges
from tftrain.config.forms import Count, Section, word

Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["none", "median", "hyperband"]
Direction = Literal["min", "max"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
PRUNERS: tuple[Pruner, ...] = get_args(Pruner)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


def _values(written: str) -> str:
    try:
        ranges.parse(written)
    except ranges.RangeError as fault:
        raise PydanticCustomError("range", "{fault}", {"fault": str(fault)}) from None
    return written


Written = Annotated[
    str,
    AfterValidator(_values),
    WithJsonSchema({"type": "string", "pattern": rf"^\s*({'|'.join(ranges.FORMS)})\s*\("}),
]


class Sweep(Section):
    """What `tftrain sweep` searches; a plain training passes it over."""

    parameters: dict[str, Written] = Field(
        default_factory=dict,
        description="By the dotted path of an override, the values to try: `uniform(0, 0.5)`, "
        "`log(1e-4, 1e-1)`, `int(1, 8)`, `int(8, 64, 8)` in steps of 8, `logint(8, 512)`, "
        "`choice(relu, tanh)`.",
    )
    objective: str | None = Field(
        default=None,
        description="What is to be best: a loss or a metric as it is logged; `val_loss`, or `loss` "
        "without rows to validate on, if not given.",
    )
    direction: Annotated[Direction, word(*DIRECTIONS)] | None = Field(
        default=None,
        description="Whether less or more is better; known for Keras's metrics.",
    )
    sampler: Annotated[Sampler, word(*SAMPLERS)] = Field(
        default="tpe",
        description="Which values come next: `tpe` learns from those that were tried, `grid` takes "
        "each combination of `choice` and `int` once.",
    )
    pruner: Annotated[Pruner, word(*PRUNERS)] = Field(
        default="none", description="Which trials end before their last epoch."
    )
    trials: Count | None = Field(default=None, description="How many; of a grid all, if not given.")
