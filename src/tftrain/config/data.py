"""The form of a config's `data` section: where rows come from, what they become.

This is the reference of the section: the descriptions here are what users read.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Tag
from pydantic_core import PydanticCustomError

from tftrain.config.forms import Section, as_tuple, one_of, word

DATASETS = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")
ARRAY_SUFFIXES = (".npz", ".npy")


def _label(value: object) -> object:
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PydanticCustomError("word", "expected a label: a text, a number, true or false")


Label = Annotated[bool | int | float | str, BeforeValidator(_label)]


def _npy_file(value: object) -> object:
    if isinstance(value, str) and not value.endswith(".npy"):
        raise PydanticCustomError("word", "expected an .npy file")
    return value


NpyFile = Annotated[str, BeforeValidator(_npy_file)]


class Arrays(Section):
    """`.npy` files, one an array."""

    x: NpyFile = Field(description="The inputs' file.")
    y: NpyFile | None = Field(default=None, description="The labels' file.")
    sample_weight: NpyFile | None = Field(default=None, description="The weights' file.")


def _source(value: object) -> str:
    if isinstance(value, str) and (value.endswith(ARRAY_SUFFIXES) or value in DATASETS):
        return value
    form = "an .npz file, .npy files as {x: X.npy, y: y.npy}, or one of " + ", ".join(DATASETS)
    raise PydanticCustomError("word", "expected {form}", {"form": form, "choices": DATASETS})


def _file(value: str) -> str:
    if value.endswith(ARRAY_SUFFIXES):
        return value
    form = "a fraction, an .npz file, or .npy files as {x: X.npy, y: y.npy}"
    raise PydanticCustomError("word", "expected {form}", {"form": form})


Source = Annotated[
    Annotated[str, BeforeValidator(_source), Tag("name")] | Annotated[Arrays, Tag("mapping")],
    one_of("name", "name"),
]
Part = Annotated[
    Annotated[str, BeforeValidator(_file), Tag("name")]
    | Annotated[Arrays, Tag("mapping")]
    | Annotated[float, Field(ge=0, lt=1), Tag("number")],
    one_of("name", "number"),
]


class Split(Section):
    """Which rows train, which watch for overfitting, which are kept for the final score."""

    train: float = Field(gt=0, le=1, description="Fraction of the source's rows.")
    validation: Part = Field(default=0.0, description="Fraction of the source's rows, or a file.")
    test: Part = Field(default=0.0, description="Fraction of the source's rows, or a file.")


class Rescale(Section):
    """`x * scale + offset`, as Keras's Rescaling."""

    scale: float = Field(description="What every input is multiplied by.")
    offset: float = Field(default=0.0, description="What is added then.")


class FixedScaling(Section):
    """A rescaling by given numbers."""

    rescale: Rescale = Field(description="The numbers.")


Scaling = Annotated[
    Annotated[
        Literal["standardize", "rescale"],
        word("standardize", "rescale", other="{rescale: {scale: ..., offset: ...}}"),
        Tag("name"),
    ]
    | Annotated[FixedScaling, Tag("mapping")],
    one_of("name", "name"),
]


class Data(Section):
    """Where the rows come from and how they are split and scaled."""

    source: Source = Field(
        description="One of scikit-learn's bundled sets (digits, iris, wine, breast_cancer, "
        "diabetes, linnerud), an .npz file, or .npy files as {x: X.npy, y: y.npy}. "
        "Paths count from the config's folder."
    )
    x: str = Field(default="x", description="The inputs' name inside an .npz file.")
    y: str = Field(default="y", description="The labels' name inside an .npz file.")
    sample_weight: str | None = Field(
        default=None, description="The sample weights' name inside an .npz file."
    )
    classes: Annotated[tuple[Label, ...], BeforeValidator(as_tuple)] | None = Field(
        default=None,
        min_length=2,
        description="The labels to keep, in order: the first becomes class 0.",
    )
    one_hot: bool = Field(
        default=False,
        description="Labels as rows of 0 and 1, for CategoricalCrossentropy and its kin.",
    )
    scaling: Scaling | None = Field(
        default=None,
        description="`standardize` (mean 0, deviation 1; each column of a table, the whole of an "
        "image) or `rescale` (smallest 0, largest 1), learnt on the training rows; or "
        "`{rescale: {scale: 0.0039, offset: 0}}`. Part of the saved model.",
    )
    split: Split = Field(
        default=Split(train=0.6, validation=0.2, test=0.2),
        description="Fractions that add up to 1; validation and test may be files. Stratified "
        "for classes, shuffled by the seed.",
    )
