"""YAML text in, a frozen Config out: the only door through which a config comes in."""

from tftrain.config.checks import CALLBACK_PATHS, class_name, monitors, not_positive
from tftrain.config.columns import Category, Column, Number, Series, Text
from tftrain.config.data import (
    ARRAY_SUFFIXES,
    DATASETS,
    SUFFIXES,
    TABLE_SUFFIXES,
    Arrays,
    Data,
    FixedScaling,
    ends_in,
    kind_of,
)
from tftrain.config.direction import higher_is_better
from tftrain.config.dump import origins, plain, resolved, with_origins
from tftrain.config.load import load, recorded
from tftrain.config.losses import Family, by_shapes, family, outputs, outputs_fault, squashing
from tftrain.config.own_code import Code, permit, refusal
from tftrain.config.resolve import Resolved, collect, is_own, resolve, resolve_layers
from tftrain.config.schema import (
    Config,
    Model,
    OnNan,
    Spec,
    Training,
    snake_case,
    spec_of,
)
from tftrain.config.search import search_epochs, shortened
from tftrain.config.text import Place, Source

__all__ = [
    "ARRAY_SUFFIXES",
    "CALLBACK_PATHS",
    "DATASETS",
    "SUFFIXES",
    "TABLE_SUFFIXES",
    "Arrays",
    "Category",
    "Code",
    "Column",
    "Config",
    "Data",
    "Family",
    "FixedScaling",
    "Model",
    "Number",
    "OnNan",
    "Place",
    "Resolved",
    "Series",
    "Source",
    "Spec",
    "Text",
    "Training",
    "by_shapes",
    "class_name",
    "collect",
    "ends_in",
    "family",
    "higher_is_better",
    "is_own",
    "kind_of",
    "load",
    "monitors",
    "not_positive",
    "origins",
    "outputs",
    "outputs_fault",
    "permit",
    "plain",
    "recorded",
    "refusal",
    "resolve",
    "resolve_layers",
    "resolved",
    "search_epochs",
    "shortened",
    "snake_case",
    "spec_of",
    "squashing",
    "with_origins",
]
