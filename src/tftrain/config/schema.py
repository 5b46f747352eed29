"""The config's form: frozen, typed values; what each key means and what it may hold.

This is the reference of the config: the descriptions here are what users read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
)
from pydantic_core import PydanticCustomError

from tftrain import spans
from tftrain.config.data import Data
from tftrain.config.forms import Count, Section, as_tuple, one_of, word
from tftrain.config.sweep import Sweep
from tftrain.errors import CODES, listed

LINT_CODES = tuple(code for code in CODES if code.startswith("N"))
_DATA_WARNINGS = tuple(code for code in CODES if code.startswith("D02"))


@dataclass(frozen=True)
class Spec:
    """A Keras object as written: its name and its arguments, not yet resolved.

    Args:
        name: Keras's name of the object, such as `Dense` or `adam`.
        arguments: by Keras's names; a nested object is still a mapping of one name to arguments.
    """

    name: str
    arguments: Mapping[str, Any]


def spec_of(value: object) -> Spec:
    """The object that `Name` or `{Name: {argument: value}}` describes.

    Raises:
        PydanticCustomError: when the value has neither form.
    """
    if isinstance(value, Spec):
        return value
    if isinstance(value, str) and value:
        return Spec(value, MappingProxyType({}))
    if isinstance(value, dict) and len(value) == 1:
        ((name, arguments),) = value.items()
        if arguments is None or isinstance(arguments, dict):
            return Spec(name, MappingProxyType(_freeze(arguments or {})))
        message = "expected the arguments of `{name}` as a mapping of names to values"
        raise PydanticCustomError("spec", message, {"name": name})
    if isinstance(value, dict) and value:
        names = listed(f"`{name}`" for name in value)
        message = "expected one Keras name with its arguments inside, not {names}"
        raise PydanticCustomError("spec", message, {"names": names})
    message = "expected a Keras name or a mapping of it to its arguments"
    raise PydanticCustomError("no_spec", message)


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _freeze(item) for key, item in value.items()})
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value


def _thaw(value: Any) -> Any:
    if isinstance(value, Spec):
        return {value.name: _thaw(value.arguments)} if value.arguments else value.name
    if isinstance(value, Mapping):
        return {key: _thaw(item) for key, item in value.items()}
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value


KerasObject = Annotated[Spec, PlainValidator(spec_of), PlainSerializer(_thaw)]
KerasObjects = Annotated[tuple[KerasObject, ...], BeforeValidator(as_tuple)]


class Model(Section):
    """The network: a `keras.Sequential`; the input's shape is known from the data."""

    layers: KerasObjects = Field(min_length=1, description="Keras layers, first to last.")


ClassWeight = Annotated[
    Annotated[
        Literal["balanced"],
        word("balanced", other="a mapping of classes to their weights"),
        Tag("name"),
    ]
    | Annotated[dict[str, Annotated[float, Field(ge=0)]], Tag("mapping")],
    one_of("mapping", "name"),
]
BatchSize = Annotated[
    Annotated[Literal["full"], word("full", other="a whole number"), Tag("name")]
    | Annotated[Count, Tag("number")],
    one_of("name", "number"),
]


def _span(value: str) -> str:
    try:
        spans.seconds(value)
    except ValueError:
        form = "a number of epochs, or of seconds with an s: 30s"
        raise PydanticCustomError(
            "word", "expected {form}", {"form": form, "choices": []}
        ) from None
    return value


class Checkpoint(Section):
    """When what is needed to go on is put on the disk."""

    every: (
        Annotated[
            Annotated[str, AfterValidator(_span), Tag("name")] | Annotated[Count, Tag("number")],
            one_of("name", "number"),
        ]
        | None
    ) = Field(
        default=None,
        description="Epochs, or seconds (`30s`, `10m`), from one to the next; if not given, after "
        "every epoch, or as often as takes 5 % of the time.",
    )


class OnNan(Section):
    """What to do when the loss or a weight is no longer finite, other than to end."""

    rollback: bool = Field(
        default=True, description="Go back to the last finite epoch and on from there."
    )
    learning_rate_factor: float = Field(
        default=0.5, gt=0, le=1, description="What the learning rate is multiplied by then."
    )
    max_rollbacks: Count = Field(default=5, description="How often, before training ends.")


class Training(Section):
    """How the network is trained."""

    loss: KerasObject = Field(description="A Keras loss.")
    optimizer: KerasObject = Field(
        default_factory=lambda: spec_of("RMSprop"), description="A Keras optimizer."
    )
    metrics: KerasObjects = Field(default=(), description="Keras metrics.")
    weighted_metrics: KerasObjects = Field(
        default=(), description="Metrics that count sample and class weights."
    )
    epochs: Count = Field(description="Passes over the training rows, at most.")
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**32,
        description="Fixes the first weights, the order of the rows and all else that is random in "
        "training; `seed` if not given.",
    )
    restarts: int | None = Field(
        default=None,
        ge=2,
        le=1024,
        description="So many networks from as many seeds, counted up from `seed`, trained side by "
        "side; the best by what EarlyStopping watches, else by `val_loss`, is kept.",
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        le=100,
        description="Cross-validation: so many networks, each tested on rows that it alone has not "
        "seen; what is kept has learnt from all rows, for as many epochs as was the median's best.",
    )
    keep: Annotated[Literal["best", "ensemble"], word("best", "ensemble")] = Field(
        default="best",
        description="Of `restarts`: the best network, or all as one that gives the mean of their "
        "predictions.",
    )
    batch_size: BatchSize = Field(
        default=32, description="Rows an update; `full` for one update an epoch."
    )
    validation_batch_size: BatchSize | None = Field(
        default=None, description="Rows a step in evaluation; `batch_size` if not given."
    )
    shuffle: bool = Field(default=True, description="A new order of the rows each epoch.")
    class_weight: ClassWeight | None = Field(
        default=None, description="`balanced`, or the weight of each class by its name."
    )
    jit_compile: bool = Field(
        default=False,
        description="Compile with XLA: seconds to compile, faster epochs, other last bits.",
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads of TensorFlow; the cores if not given."
    )
    checkpoint: Checkpoint = Field(default=Checkpoint())
    on_nan: OnNan | None = Field(default=None)
    callbacks: KerasObjects = Field(
        default=(), description="Keras callbacks; relative paths lie in the run directory."
    )

    def metric_names(self) -> Iterator[tuple[str, int, str]]:
        """The section, place and name in the logs of every metric asked for."""
        for section in ("metrics", "weighted_metrics"):
            for place, spec in enumerate(getattr(self, section)):
                yield section, place, metric_name(spec)

    def log_names(self) -> list[str]:
        """What is logged of any split: the loss, then the metrics."""
        return ["loss", *(name for _, _, name in self.metric_names())]

    def several(self) -> list[str]:
        """The metrics that may be several numbers, one a class or a threshold.

        They are logged as `name_0`, `name_1`, ...; how many, only the built network knows.
        """
        return [
            name
            for section, place, name in self.metric_names()
            if _may_be_several(getattr(self, section)[place])
        ]

    def monitor(self) -> str | None:
        """What EarlyStopping watches, None without one."""
        for spec in self.callbacks:
            if spec.name == "EarlyStopping":
                return str(spec.arguments.get("monitor", "val_loss"))
        return None


def _lint_code(value: object) -> object:
    choices = (*LINT_CODES, *_DATA_WARNINGS)
    if value in choices:
        return value
    form = f"a code of docs/lint.md, such as N024, or one of {', '.join(_DATA_WARNINGS)}"
    raise PydanticCustomError("word", "expected {form}", {"form": form, "choices": choices})


class Lint(Section):
    """Which rules of thumb this config breaks on purpose."""

    ignore: Annotated[
        tuple[Annotated[str, BeforeValidator(_lint_code)], ...], BeforeValidator(as_tuple)
    ] = Field(
        default=(),
        description="Codes of the lint's rules, and of the warnings of `check --data` (`D020` to "
        "`D024`), that are not to be told.",
    )


class Config(Section):
    """A whole config, valid in itself."""

    @property
    def training_seed(self) -> int:
        """What fixes all that is random in training; the split follows from `seed`."""
        return self.seed if self.training.seed is None else self.training.seed

    extends: str | None = Field(
        default=None,
        exclude=True,  # worked in before a Config is made
        description="Another config that this one changes; its path counts from this file.",
    )
    name: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$",  # load.py has the words for it
        description="Names the run directory; the file's name if not given.",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Fixes everything random.")
    data: Data
    model: Model
    training: Training
    lint: Lint = Field(default=Lint())
    sweep: Sweep | None = Field(default=None)
    code: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(as_tuple)] = (
        Field(
            default=(),
            description="Python files that register Keras objects of your own; they run with "
            "`--allow-code` only.",
        )
    )


def _sections(
    form: type[BaseModel], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    yield path, form
    for name, field in form.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _sections(inner, (*path, name))


# The parts of the form that are mappings of keys and nothing else, by their paths.
SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = MappingProxyType(dict(_sections(Config)))


def metric_name(spec: Spec) -> str:
    """A metric's name in the logs: its `name` argument, else Keras's name in snake case."""
    name = spec.name.rpartition(">")[2]  # of one's own, `package>Name`
    return str(spec.arguments["name"]) if "name" in spec.arguments else snake_case(name)


def _may_be_several(metric: Spec) -> bool:
    arguments = metric.arguments
    if metric.name in ("F1Score", "FBetaScore"):
        return arguments.get("average") is None
    by_class = "class_aggregation" in arguments and arguments["class_aggregation"] is None
    return by_class or isinstance(arguments.get("thresholds"), tuple)


def snake_case(name: str) -> str:
    """`BinaryAccuracy` as `binary_accuracy`, by Keras's rule."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
