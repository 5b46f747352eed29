"""The form of a config's `data` section: where rows come from, what they become.

This is the reference of the section: the descriptions here are what users read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Tag
from pydantic_core import PydanticCustomError

from tftrain.config.columns import Column, Series
from tftrain.config.forms import Count, Section, as_tuple, one_of, word

DATASETS = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")
ARRAY_SUFFIXES = (".npz", ".npy")
TABLE_SUFFIXES = tuple(
    ending + packed
    for ending, packings in {
        **dict.fromkeys((".csv", ".tsv", ".txt", ".jsonl", ".ndjson"), ("", ".gz")),
        ".parquet": ("",),
    }.items()
    for packed in packings
)
SUFFIXES = (*ARRAY_SUFFIXES, *TABLE_SUFFIXES)
SourceKind = Literal["bundled", "arrays", "table", "images"]
_SOURCES = (
    "a table (.csv, .tsv, .txt, .jsonl, .parquet), a folder of images, an .npz file, .npy files as "
    "{x: X.npy, y: y.npy}"
)


def _label(value: object) -> object:
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PydanticCustomError("word", "expected a label: a text, a number, true or false")


Label = Annotated[bool | int | float | str, BeforeValidator(_label)]


def ends_in(name: str, endings: str | tuple[str, ...]) -> bool:
    """Whether a file's name has one of some endings, in letters of either case."""
    return name.lower().endswith(endings)


def _npy_file(value: object) -> object:
    if isinstance(value, str) and not ends_in(value, ".npy"):
        raise PydanticCustomError("word", "expected an .npy file")
    return value


NpyFile = Annotated[str, BeforeValidator(_npy_file)]


class Arrays(Section):
    """`.npy` files, one an array."""

    x: NpyFile = Field(description="The inputs' file.")
    y: NpyFile | None = Field(default=None, description="The labels' file.")
    sample_weight: NpyFile | None = Field(default=None, description="The weights' file.")


def kind_of(source: str | Arrays) -> SourceKind:
    """What a source is, by its name."""
    if isinstance(source, Arrays) or ends_in(source, ARRAY_SUFFIXES):
        return "arrays"
    if source in DATASETS:
        return "bundled"
    return "table" if ends_in(source, TABLE_SUFFIXES) else "images"


def _source(value: object) -> str:
    if isinstance(value, str) and (value in DATASETS or _is_path(value)):
        return value
    raise _no_source(value, f"{_SOURCES}, or one of {', '.join(DATASETS)}", DATASETS)


def _file(value: str) -> str:
    if _is_path(value):
        return value
    raise _no_source(value, f"a fraction, {_SOURCES}", ())


def _is_path(value: str) -> bool:
    """A file of a kind that is read, or the absolute path that `load` makes of a folder's."""
    return ends_in(value, SUFFIXES) or Path(value).is_absolute()


def _no_source(value: object, form: str, choices: tuple[str, ...]) -> PydanticCustomError:
    """Of another form; or a text that may be the name of a folder, which only the disk knows."""
    kind = "source" if isinstance(value, str) and value else "word"
    return PydanticCustomError(kind, "expected {form}", {"form": form, "choices": choices})


def _pixels(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) == 2:  # noqa: PLR2004 - rows and columns
        return tuple(value)
    raise PydanticCustomError("word", "expected rows and columns of pixels, as [28, 28]")


Source = Annotated[
    Annotated[str, BeforeValidator(_source), Tag("name")] | Annotated[Arrays, Tag("mapping")],
    one_of("mapping", "name"),
]
Part = Annotated[
    Annotated[str, BeforeValidator(_file), Tag("name")]
    | Annotated[Arrays, Tag("mapping")]
    | Annotated[float, Field(ge=0, lt=1), Tag("number")],
    one_of("mapping", "name", "number"),
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
        Literal["standardize", "rescale", "none"],
        word("standardize", "rescale", "none", other="{rescale: {scale: ..., offset: ...}}"),
        Tag("name"),
    ]
    | Annotated[FixedScaling, Tag("mapping")],
    one_of("mapping", "name"),
]


class Data(Section):
    """Where the rows come from and how they are split and scaled."""

    source: Source = Field(
        description="A table (CSV, TSV, JSON lines, Parquet; a pattern such as `part-*.csv` names "
        "several files), a folder with a sub-folder of images for each class, an .npz file, .npy "
        "files as {x: X.npy, y: y.npy}, or one of scikit-learn's bundled sets (digits, iris, wine, "
        "breast_cancer, diabetes, linnerud). Paths count from the config's folder."
    )
    query: str | None = Field(
        default=None,
        min_length=1,
        description="Tables: a SELECT in SQL over the table `data`, whose result is used instead.",
    )
    target: str | None = Field(default=None, description="Tables: the column to predict.")
    positive: Label | None = Field(
        default=None, description="The label of two that is class 1: what is looked for."
    )
    columns: dict[str, Column] = Field(
        default={},
        description="Tables: what a column is, where it isn't what it looks like: number, "
        "category, boolean, text, date, image, id or drop; or with options, as "
        "{number: {impute: mean}}.",
    )
    group: str | None = Field(
        default=None,
        description="Tables: rows of the same value in this column go to the same part.",
    )
    time: str | None = Field(
        default=None,
        description="Tables: split in the order of this column: the earliest rows train.",
    )
    series: Series | None = Field(
        default=None, description="Tables: windows over a column instead of its rows."
    )
    missing: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="Tables: texts that mean a missing cell, besides an empty one."
    )
    encoding: Annotated[
        Literal["utf-8", "latin-1", "utf-16"], word("utf-8", "latin-1", "utf-16")
    ] = Field(default="utf-8", description="CSV files: how characters are written.")
    size: Annotated[tuple[Count, Count], BeforeValidator(_pixels)] | None = Field(
        default=None, description="Images: rows and columns of pixels that all are made to have."
    )
    channels: Annotated[Literal[1, 3, 4], word(1, 3, 4)] | None = Field(
        default=None,
        description="Images: 1 for grey, 3 for colours, 4 with transparency; 1 if all are grey.",
    )
    on_error: Annotated[Literal["error", "skip"], word("error", "skip")] = Field(
        default="error",
        description="Images: `skip` leaves out what can't be read, and says how many.",
    )
    x: str = Field(default="x", description="The inputs' name inside an .npz file.")
    y: str = Field(default="y", description="The labels' name inside an .npz file.")
    sample_weight: str | None = Field(
        default=None,
        description="The sample weights' name inside an .npz file, or their column in a table.",
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
    target_scaling: Annotated[Literal["standardize", "log"], word("standardize", "log")] | None = (
        Field(
            default=None,
            description="Targets that are numbers: learnt with mean 0 and deviation 1, `log` after "
            "log(1 + y). Metrics and predictions are in the target's own units.",
        )
    )
    scaling: Scaling | None = Field(
        default=None,
        description="Arrays and images: `standardize` (mean 0, deviation 1; each column by itself, "
        "the whole of an image) or `rescale` (smallest 0, largest 1), learnt on the training "
        "rows; or `{rescale: {scale: 0.0039, offset: 0}}`; or `none`. Images are divided by 255 "
        "and arrays stay as they are if not given. Part of the saved model.",
    )
    split: Split = Field(
        default=Split(train=0.6, validation=0.2, test=0.2),
        description="Fractions that add up to 1; validation and test may be files. Stratified "
        "for classes, shuffled by the seed.",
    )
