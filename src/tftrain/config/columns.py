"""The form of `data.columns`: what a table's columns are, and what they become.

This is the reference of the section: the descriptions here are what users read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, Tag, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from tftrain.config.forms import Count, Section, one_of, word
from tftrain.errors import listed

Kind = Literal["number", "category", "boolean", "text", "date", "image", "id", "drop"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WITH_OPTIONS = ("number", "category", "text")


class Number(Section):
    """A column of numbers; one that misses some gets a second column of 0 and 1 that says so."""

    impute: Annotated[
        Annotated[
            Literal["median", "mean", "most_frequent"],
            word("median", "mean", "most_frequent", other="a number"),
            Tag("name"),
        ]
        | Annotated[float, Tag("number")],
        one_of("name", "number"),
    ] = Field(default="median", description="What stands in for a missing number.")
    scaling: Annotated[
        Literal["standardize", "rescale", "none"], word("standardize", "rescale", "none")
    ] = Field(
        default="standardize",
        description="Mean 0 and deviation 1, or smallest 0 and largest 1, on the training rows.",
    )
    num_bins: int | None = Field(
        default=None,
        ge=2,
        le=1024,
        description="So many bins of equally many training rows instead, a column of 0 and 1 each.",
    )


class Category(Section):
    """A column of names: a column of 0 and 1 for each, one for names not seen in training."""

    max_categories: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="The most frequent get a column of their own; all others share one.",
    )
    min_frequency: Count = Field(
        default=1, description="Rows that a name must have for a column of its own."
    )
    num_hashes: int | None = Field(
        default=None,
        ge=2,
        le=100_000,
        description="So many columns, shared by all names by their hash, instead.",
    )


class Text(Section):
    """A column of text, as Keras's TextVectorization makes numbers of it."""

    output_mode: Annotated[
        Literal["tf_idf", "multi_hot", "count", "int"],
        word("tf_idf", "multi_hot", "count", "int"),
    ] = Field(
        default="tf_idf",
        description="A column for each token, or `int`: token numbers in order, for an Embedding.",
    )
    max_tokens: int = Field(
        default=5000,
        ge=2,
        le=10_000_000,
        description="The most frequent tokens that are told apart.",
    )
    output_sequence_length: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="For `int`: tokens kept of a text; what holds 95 % of them, if not given.",
    )
    ngrams: int = Field(
        default=1, ge=1, le=5, description="Runs of up to so many words are tokens."
    )


class Bare(Section):
    """A kind of column without options."""


class Column(Section):
    """What a column is: one of these words, or a mapping of one to its options."""

    number: Number | None = Field(default=None, description="Numbers. Options below.")
    category: Category | None = Field(
        default=None, description="Names, or numbers that are names. Options below."
    )
    boolean: Bare | None = Field(default=None, description="True and false.")
    text: Text | None = Field(default=None, description="Words and sentences. Options below.")
    date: Bare | None = Field(default=None, description="Dates, or dates and times.")
    image: Bare | None = Field(default=None, description="Paths of images.")
    id: Bare | None = Field(default=None, description="What tells rows apart; not used.")
    drop: Bare | None = Field(default=None, description="Not used.")

    @property
    def kind(self) -> Kind:
        """The one that is given."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if isinstance(value, str) and value in KINDS:
            return {value: {}}
        if isinstance(value, dict) and len(value) == 1:
            return {key: {} if inner is None else inner for key, inner in value.items()}
        if isinstance(value, Column):
            return value
        if isinstance(value, dict) and value:
            names = listed(f"`{name}`" for name in value)
            message = "expected one kind of column, not {names}"
            raise PydanticCustomError("kinds", message, {"names": names})
        form = "a kind of column: " + ", ".join(KINDS)
        message = form + "; or one of " + ", ".join(_WITH_OPTIONS) + " as a mapping of its options"
        raise PydanticCustomError("word", "expected {form}", {"form": message, "choices": KINDS})

    @model_serializer
    def _as_written(self) -> Any:
        kind = self.kind
        given = getattr(self, kind).model_dump(exclude_defaults=True)
        return {kind: given} if given else kind


class Series(Section):
    """Windows over a column of numbers: the last values in, a later one out."""

    column: str = Field(description="The column; its rows are in the order of time.")
    lags: int = Field(ge=1, le=100_000, description="Values that the network sees.")
    horizon: int = Field(
        default=1, ge=1, le=100_000, description="How many steps after the last of them to predict."
    )
