"""What one key of a config says about another: faults that no key shows alone."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from tftrain import files
from tftrain.config import search
from tftrain.config.bundled import BUNDLED
from tftrain.config.columns import Text
from tftrain.config.data import DATASETS, SUFFIXES, Arrays, Data, ends_in, kind_of
from tftrain.config.forms import Section
from tftrain.config.losses import family
from tftrain.config.schema import Spec, Training
from tftrain.config.text import MAX_FAULTS, Place
from tftrain.errors import did_you_mean, listed

CALLBACK_PATHS = ("filepath", "filename", "log_dir", "backup_dir", "directory")
EACH_FOR_ITSELF = ("EarlyStopping", "ReduceLROnPlateau", "LearningRateScheduler")
_METRIC = re.compile(r"(?!val_)[A-Za-z_]\w*")
_COLUMNS = ("epoch", "learning_rate", "seconds")  # of metrics.csv
_GUESSES = 100  # the nearest of many names takes time
Fault = tuple[Place, str, str]
_KEYS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "table": (
            "query",
            "target",
            "columns",
            "group",
            "time",
            "series",
            "missing",
            "encoding",
        ),
        "images": ("size", "channels", "on_error"),
    }
)
_WORDS_FOR = {"table": "tables", "images": "images", "arrays": "arrays", "bundled": "arrays"}
_EITHER = (  # a key, another that makes it void, and why
    ("positive", "classes", "its last class is the positive one"),
    ("positive", "one_hot", "each class has an output of its own"),
    ("group", "time", "a split in order can't keep groups together"),
    ("group", "series", "a split in order can't keep groups together"),
    ("target", "series", "what is predicted is its own column"),
)
_NO_TARGET = ("drop", "id", "date", "image")
_ONE_OF = (  # likewise, of a column's options
    ("num_bins", "scaling", "a bin's input is 0 or 1"),
    ("num_hashes", "max_categories", "names share inputs by their hash, however many there are"),
    ("num_hashes", "min_frequency", "names share inputs by their hash, however rare they are"),
)


def faults(data: Data | None, training: Training | None) -> Iterator[Fault]:
    """Each fault as the path it stands at, its code and what is wrong.

    Args:
        data: the section, None where it isn't valid in itself.
        training: the section, likewise.
    """
    if data:
        yield from _split(data)
        yield from _names_in_npz(data)
        yield from _of_the_source(data)
        yield from _contradictions(data)
        yield from _of_columns(data)
        yield from _classes(data)
    if training:
        yield from _metrics(training)
        yield from _callback_paths(training)
        yield from _rollback(training)
        yield from search.faults(training)
        yield from several(training)
    if data and training:
        yield from monitors(data, training)
        yield from _folds(data, training)
        yield from _class_weight(data, training)


def _split(data: Data) -> Iterator[Fault]:
    split = data.split
    fractions = [
        part for part in (split.train, split.validation, split.test) if isinstance(part, float)
    ]
    total = math.fsum(fractions)
    if not math.isclose(total, 1, abs_tol=1e-6):
        message = f"the fractions add up to {total:g}, expected 1"
        yield ("data", "split"), "C020", message


def data_files(data: Data) -> Iterator[Fault]:
    """The files that the section names and that aren't there."""
    split = data.split
    named = {("source",): data.source, ("split", "validation"): split.validation}
    named |= {("split", "test"): split.test}
    for place, given in named.items():
        written = given.model_dump().values() if isinstance(given, Arrays) else [given]
        for file in written:
            if isinstance(file, str) and file not in DATASETS and not files.matching(file):
                near = files.beside(Path(file), SUFFIXES, folders=True)
                what = "folder" if kind_of(file) == "images" else "file"
                yield ("data", *place), "D001", f"{file}: no such {what}{near}"


def _names_in_npz(data: Data) -> Iterator[Fault]:
    """Names of arrays where there is no archive to look in would count for nothing."""
    files = (data.source, data.split.validation, data.split.test)
    if any(isinstance(file, str) and ends_in(file, ".npz") for file in files):
        return
    for key in ("x", "y", *(("sample_weight",) if kind_of(data.source) != "table" else ())):
        if _given(data, key):
            yield (
                ("data", key),
                "C024",
                f"`data.{key}` names an array in an .npz file: there is none",
            )


def _of_the_source(data: Data) -> Iterator[Fault]:
    """Keys that mean nothing for the kind of source there is, and keys that this kind needs."""
    kind = kind_of(data.source)
    for meant, keys in _KEYS_OF.items():
        for key in keys if kind != meant else ():
            if _given(data, key) and not (meant == "images" and _holds_images(data)):
                yield ("data", key), "C025", f"`data.{key}` is for {_WORDS_FOR[meant]}{_is(data)}"
    for name in ("validation", "test"):
        part = getattr(data.split, name)
        if not isinstance(part, float) and _WORDS_FOR[kind_of(part)] != _WORDS_FOR[kind]:
            message = f"a file of {_WORDS_FOR[kind_of(part)]}, but `data.source` is of "
            yield ("data", "split", name), "C025", message + _WORDS_FOR[kind]
    if kind == "table" and data.target is None and data.series is None:
        message = "`data.target` is missing: the column of this table to predict"
        yield ("data", "source"), "C011", message
    if kind == "table" and data.scaling is not None and data.series is None:
        message = "`data.scaling` is for arrays and images: a column's is in `data.columns`"
        yield ("data", "scaling"), "C025", message


def _is(data: Data) -> str:
    """Of a source whose name doesn't say so, that it is a folder."""
    source = data.source
    return (
        f"; {source} is a folder" if isinstance(source, str) and kind_of(source) == "images" else ""
    )


def _of_columns(data: Data) -> Iterator[Fault]:
    """A column that is two things at once, and options of which one makes another void."""
    roles = {key: getattr(data, key) for key in ("target", "group", "time", "sample_weight")}
    if kind_of(data.source) == "table":
        for key in ("group", "time", "sample_weight"):
            if data.target is not None and roles[key] == data.target:
                message = f"`{data.target}` is the column to predict: new rows don't have it yet"
                yield ("data", key), "C025", f"{message}; expected another one"
    if roles["group"] not in (None, data.target) and roles["group"] == data.sample_weight:
        message = f"`{data.sample_weight}` is data.sample_weight: expected another column"
        yield ("data", "group"), "C025", message
    for name, column in data.columns.items():
        kind = column.kind
        if name == data.target and kind in _NO_TARGET:
            message = f"`{name}` is data.target: expected number, category or boolean, if anything"
            yield ("data", "columns", name), "C025", message
        yield from _options(("data", "columns", name, kind), getattr(column, kind))


def _options(path: Place, options: Section) -> Iterator[Fault]:
    given = options.model_fields_set
    for one, other, why in _ONE_OF:
        if one in given and other in given:
            yield (*path, other), "C025", f"`{one}` is given: {why}"
    key = "output_sequence_length"
    if isinstance(options, Text) and options.output_mode != "int" and key in given:
        yield (*path, key), "C025", f"`{key}` is for `output_mode: int`, the words in their order"


def _given(data: Data, key: str) -> bool:
    return bool(getattr(data, key) != Data.model_fields[key].default)


def _contradictions(data: Data) -> Iterator[Fault]:
    """Keys of which one takes the other's meaning away."""
    for key, other, why in _EITHER:
        if _given(data, key) and _given(data, other):
            yield ("data", key), "C025", f"`data.{other}` is given: {why}"


def _holds_images(data: Data) -> bool:
    return any(column.kind == "image" for column in data.columns.values())


def _metrics(training: Training) -> Iterator[Fault]:
    seen = Counter({"loss": 1})
    for section, place, name in training.metric_names():
        given = getattr(training, section)[place].arguments.get("name", name)
        if not isinstance(given, str) or not _METRIC.fullmatch(given) or name in _COLUMNS:
            message = (
                f"`name`: expected letters, digits and `_`, no `val_` first and none of "
                f"{listed(_COLUMNS)}, got {given!r}"
            )
            yield ("training", section, place), "C022", message
        seen[name] += 1
        if seen[name] > 1:
            message = f"a second metric called `{name}`: give it another with `name:`"
            yield ("training", section, place), "C022", message


def _rollback(training: Training) -> Iterator[Fault]:
    rate = training.optimizer.arguments.get("learning_rate")
    if training.on_nan is not None and isinstance(rate, Mapping | str):
        message = "`on_nan` lowers the learning rate, which a schedule sets anew at every batch"
        yield ("training", "on_nan"), "C025", message
    if training.on_nan is not None:
        for place, spec in enumerate(training.callbacks):
            if spec.name == "LearningRateScheduler":
                message = "`training.on_nan` lowers the learning rate, which this sets anew"
                yield ("training", "callbacks", place), "C025", message


def several(training: Training) -> Iterator[Fault]:
    """What is of one network only, where several are trained side by side."""
    if training.restarts is None and training.keep != "best":
        message = f"`{training.keep}` is of several networks: expected `training.restarts` with it"
        yield ("training", "keep"), "C025", message
    key = "folds" if training.restarts is None else "restarts"
    if getattr(training, key) is None:
        return
    if key == "restarts" and training.folds is not None:
        message = "`training.folds` is given: each network is of a fold of its own, from one seed"
        yield ("training", "restarts"), "C025", message
    if search.searches(training.optimizer):
        name = training.optimizer.name
        message = (
            f"`{name}` searches among many networks already: each of these would be one of them"
        )
        yield ("training", key), "C025", message
    if training.on_nan is not None:
        message = f"`training.{key}` is given: a network that is not finite drops out alone"
        yield ("training", "on_nan"), "C025", message
    for place, spec in enumerate(training.callbacks):
        if spec.name not in EACH_FOR_ITSELF:
            message = (
                f"`{spec.name}` follows one network; with `training.{key}` expected "
                f"{listed(EACH_FOR_ITSELF)}"
            )
            yield ("training", "callbacks", place), "C025", message


def _folds(data: Data, training: Training) -> Iterator[Fault]:
    """Rows in an order of their own, which folds would not keep."""
    for key in ("time", "series"):
        if training.folds is not None and getattr(data, key) is not None:
            message = f"`data.{key}` keeps the rows in order: folds would learn from later ones"
            yield ("training", "folds"), "C025", message


def _callback_paths(training: Training) -> Iterator[Fault]:
    """Files that a callback would write elsewhere than into the run directory."""
    for place, spec in enumerate(training.callbacks):
        for argument in CALLBACK_PATHS:
            path = spec.arguments.get(argument)
            if isinstance(path, str) and (Path(path).anchor or ".." in Path(path).parts):
                message = f"`{path}`: expected a path inside the run directory"
                yield ("training", "callbacks", place, spec.name, argument), "C014", message


def monitors(
    data: Data, training: Training, logged: Collection[str] | None = None
) -> Iterator[Fault]:
    """Each callback that watches what isn't logged.

    Args:
        data: says whether there are rows to validate on.
        training: its callbacks, and its metrics.
        logged: the names in the logs, once there is a network to ask; before, every number that
            a metric may be one of passes.
    """
    several = training.several() if logged is None else []
    logged = training.log_names() if logged is None else logged
    validated = [f"val_{name}" for name in logged]
    has_validation = data.split.validation != 0
    names = [*logged, *(validated if has_validation else ()), "learning_rate"]
    several += [f"val_{name}" for name in several if has_validation]
    for place, spec in enumerate(training.callbacks):
        monitor = spec.arguments.get("monitor", _default_monitor(spec))
        metric, _, number = str(monitor).rpartition("_")
        may_be_one = number.isdigit() and metric in several
        if monitor is None or monitor in names or may_be_one:
            continue
        path: Place = ("training", "callbacks", place, spec.name, "monitor")
        if monitor in validated:
            message = f"`{monitor}` needs rows to validate on: data.split.validation is 0"
        else:
            near = did_you_mean(str(monitor), names) or f"; expected one of {listed(names)}"
            message = f"nothing called `{monitor}` is logged{near}"
        yield path, "C021", message


def _default_monitor(spec: Spec) -> str | None:
    watches = spec.name in ("EarlyStopping", "ReduceLROnPlateau")
    return "val_loss" if watches or spec.arguments.get("save_best_only") else None


def _classes(data: Data) -> Iterator[Fault]:
    """Labels that no row has, as far as they are known without reading any; labels named twice."""
    known = _bundled_classes(data)
    yield from islice(_wrong_classes(data.classes or (), known), MAX_FAULTS)
    if known and data.positive is not None and data.classes is None:
        message = not_positive(class_name(data.positive), known)
        if message:
            yield ("data", "positive"), "D006", message


def _wrong_classes(labels: Iterable[object], known: Sequence[str] | None) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, name in enumerate(map(class_name, labels)):
        if name in seen:
            yield ("data", "classes", place), "D006", f"class `{name}` named twice"
        elif known and name not in known:
            near = did_you_mean(name, known) or f"; the labels are {listed(known)}"
            yield ("data", "classes", place), "D006", f"no row has the label `{name}`{near}"
        seen.add(name)


def not_positive(name: str, labels: Sequence[str]) -> str | None:
    """Why a label can't be the positive one of those that there are."""
    if name not in labels:
        near = did_you_mean(name, labels) or f"; the labels are {listed(labels)}"
        return f"no row has the label `{name}`{near}"
    others = [label for label in labels if label != name]
    if len(others) > 1:
        return (
            f"expected one class besides `{name}`, got {listed(others)}; data.classes chooses two"
        )
    return None


def _bundled_classes(data: Data) -> list[str] | None:
    """The classes of a bundled set, [] where its labels are numbers; None for other sources."""
    known = BUNDLED.get(data.source) if isinstance(data.source, str) else None
    return None if known is None else sorted(known.classes or ())


def _class_weight(data: Data, training: Training) -> Iterator[Fault]:
    weights, bundled = training.class_weight, _bundled_classes(data)
    names = [class_name(label) for label in data.classes or bundled or ()]
    if weights is None:
        return
    if bundled == [] and not names and family(training.loss) == "numbers":
        message = "the labels are numbers, not classes: leave it out"
        yield ("training", "class_weight"), "D006", message
    known = set(names)
    for name in () if isinstance(weights, str) or not names else list(weights)[:MAX_FAULTS]:
        if name not in known:
            near = did_you_mean(name, names[:_GUESSES]) or f"; expected some of {listed(names)}"
            yield ("training", "class_weight", name), "C023", f"no class `{name}`{near}"


def class_name(label: object) -> str:
    """How a label is written in a config, a table and a message."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)  # 3 and 3.0 are the same class
    return str(label).lower() if isinstance(label, bool) else str(label)
