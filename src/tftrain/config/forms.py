"""What the parts of a config's form are made of: sections, words, lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field
from pydantic_core import PydanticCustomError

Count = Annotated[int, Field(ge=1, lt=2**31)]


def as_tuple(value: object) -> object:
    """A list as it is kept: frozen."""
    return tuple(value) if isinstance(value, list) else value


def one_of(*names: str) -> Any:
    """Tells the forms of a union apart by what was written, so that errors speak of one form."""

    def form(value: object) -> str:
        if isinstance(value, BaseModel | dict | Mapping):
            return "mapping"
        return "name" if isinstance(value, str) and "name" in names else names[-1]

    return Discriminator(form)


class Section(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


def word(*words: str, other: str) -> Any:
    """One of a few words, where a value of another form would do as well."""

    def check(value: object) -> object:
        if isinstance(value, str) and value in words:
            return value
        form = " or ".join([*(f"`{word}`" for word in words), other])
        raise PydanticCustomError("word", "expected {form}", {"form": form, "choices": words})

    return BeforeValidator(check)
