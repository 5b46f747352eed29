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


def one_of(*tags: str) -> Any:
    """Tells the forms of a union apart by what was written, so that errors speak of one form.

    Args:
        tags: of the forms there are: `mapping`, `name` for a text; the last takes all the rest.
    """

    def form(value: object) -> str:
        if isinstance(value, BaseModel | dict | Mapping) and "mapping" in tags:
            return "mapping"
        return "name" if isinstance(value, str) and "name" in tags else tags[-1]

    return Discriminator(form)


class Section(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


def word(*words: str | int, other: str = "") -> Any:
    """One of a few words or numbers, perhaps where a value of another form would do as well."""
    forms = [*(f"`{word}`" for word in words), *([other] if other else [])]
    form = f"{', '.join(forms[:-1])} or {forms[-1]}"
    choices = [word for word in words if isinstance(word, str)]

    def check(value: object) -> object:
        if any(type(value) is type(word) and value == word for word in words):
            return value
        raise PydanticCustomError("word", "expected {form}", {"form": form, "choices": choices})

    return BeforeValidator(check)
