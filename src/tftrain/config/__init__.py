"""YAML text in, a frozen Config out: the only door through which a config comes in."""

from tftrain.config.checks import class_name, monitors
from tftrain.config.dump import resolved
from tftrain.config.load import Source, load
from tftrain.config.losses import Family, family, outputs, squashing
from tftrain.config.schema import (
    ARRAY_SUFFIXES,
    DATASETS,
    Arrays,
    Config,
    Data,
    FixedScaling,
    Model,
    Spec,
    Training,
    snake_case,
    spec_of,
)

__all__ = [
    "ARRAY_SUFFIXES",
    "DATASETS",
    "Arrays",
    "Config",
    "Data",
    "Family",
    "FixedScaling",
    "Model",
    "Source",
    "Spec",
    "Training",
    "class_name",
    "family",
    "load",
    "monitors",
    "outputs",
    "resolved",
    "snake_case",
    "spec_of",
    "squashing",
]
