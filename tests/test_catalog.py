"""The catalog, read from Keras's source, against the Keras that is really imported."""

from __future__ import annotations

import importlib
import inspect
import json

import pytest

from conftest import MODULES
from tftrain.config import catalog

pytestmark = pytest.mark.usefixtures("tensorflow")

# what Keras knows by name and yet is none of a kind: bases and helpers
NO_OBJECTS = {*catalog._BASES.values(), "LossFunctionWrapper", "OptimizerMap", "Identity"}  # noqa: SLF001 - the bases


@pytest.fixture(scope="module")
def read():
    return catalog.read(catalog.folder_of_keras())  # not from the cache


def module_of(kind):
    from tftrain.backend import keras

    module = keras
    for part in MODULES[kind].split("."):
        module = getattr(module, part)
    return module


def public(kind):
    """What the imported Keras exports of a kind, by name."""
    module = module_of(kind)
    base = getattr(module, catalog._BASES.get(kind, ""), None)  # noqa: SLF001
    found = {}
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_") or name in ("get", "serialize", "deserialize"):
            continue
        is_class = inspect.isclass(value) and base and issubclass(value, base) and value is not base
        if is_class or (kind in ("activation", "loss", "metric") and inspect.isfunction(value)):
            found[name] = value
    return found


def parameters(value, kind):
    """Every argument's default by name, a class's bases' too where it passes them on.

    Left out are the tensors that a function gets, and what a class must itself hand to its base.
    """
    if inspect.isfunction(value):
        tensors = 1 if kind == "activation" else 2
        pairs = list(inspect.signature(value).parameters.items())[tensors:]
        return {name: parameter.default for name, parameter in pairs}
    accepted = {}
    for base in value.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        signature = inspect.signature(vars(base)["__init__"]).parameters.values()
        named = [p for p in list(signature)[1:] if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        for parameter in named:
            if base is value or parameter.default is not parameter.empty:
                accepted.setdefault(parameter.name, parameter.default)
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in signature):
            break
    return accepted


@pytest.mark.parametrize("kind", MODULES)
def test_every_public_object_is_there_and_no_other(kind, read):
    assert set(read.objects[kind]) == set(public(kind))


@pytest.mark.parametrize("kind", MODULES)
def test_every_argument_and_default_is_keras_s(kind, read):
    differences = []
    for name, value in public(kind).items():
        entry = read.objects[kind][name]
        wanted = parameters(value, kind)
        if list(entry.arguments) != list(wanted):
            differences.append((name, list(entry.arguments), list(wanted)))
        for argument, default in wanted.items():
            given = entry.arguments.get(argument)
            required = default is inspect.Parameter.empty
            if (
                given is None
                or given.required != required
                or (not required and given.default != default)
            ):
                differences.append((name, argument, given, default))
    assert differences == []


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_a_default_is_what_its_argument_takes(kind, read):
    """And so is what is listed as choices: in small letters, since case is no matter."""
    for entry in read.objects[kind].values():
        for name, argument in entry.arguments.items():
            where, default = f"{entry.name}.{name}", argument.default
            assert argument.choices == tuple(map(str.casefold, argument.choices)), where
            if default is None:
                continue
            assert not argument.choices or default in argument.choices, where
            assert not argument.types or type(default).__name__ in argument.types, where


@pytest.mark.parametrize(
    ("kind", "place", "choices"),
    [
        (
            "loss",
            "BinaryCrossentropy.reduction",
            "sum sum_over_batch_size mean mean_with_sample_weight none",
        ),
        ("layer", "Conv1D.padding", "valid same causal"),
        ("layer", "SpatialDropout2D.data_format", "channels_first channels_last"),
        ("layer", "RandomFlip.mode", "horizontal vertical horizontal_and_vertical"),
        ("layer", "Hashing.output_mode", "int one_hot multi_hot count"),
        ("layer", "STFTSpectrogram.scaling", "density spectrum"),
        ("metric", "F1Score.average", "micro macro weighted"),
        ("callback", "EarlyStopping.mode", "auto min max"),
        ("layer", "STFTSpectrogram.window", ""),  # or an array
        ("callback", "TensorBoard.update_freq", ""),  # or a number
        ("metric", "AUC.curve", ""),  # more than the docstring says
    ],
)
def test_choices_are_those_that_the_docstring_lists_as_all(kind, place, choices, read):
    name, argument = place.split(".")
    assert read.objects[kind][name].arguments[argument].choices == tuple(choices.split())


@pytest.mark.parametrize(
    ("kind", "place", "types"),
    [
        ("schedule", "ExponentialDecay.decay_steps", "int float"),
        ("optimizer", "Adam.gradient_accumulation_steps", "int"),
        ("optimizer", "Adam.loss_scale_factor", "int float"),
        ("metric", "Precision.class_id", "int"),
        ("metric", "Precision.thresholds", ""),  # or a list
        ("layer", "Conv2D.kernel_size", ""),
        ("callback", "ModelCheckpoint.save_freq", ""),
    ],
)
def test_types_are_told_by_the_usual_first_words(kind, place, types, read):
    name, argument = place.split(".")
    assert read.objects[kind][name].arguments[argument].types == tuple(types.split())


@pytest.mark.parametrize("kind", [k for k in MODULES if k not in ("layer", "schedule", "callback")])
def test_short_names_mean_what_keras_takes_them_for(kind, read):
    known = importlib.import_module(f"keras.src.{MODULES[kind]}").ALL_OBJECTS_DICT
    assert read.short[kind].items() <= {s: o.__name__ for s, o in known.items()}.items()
    unreachable = {known[name].__name__ for name in known if read.find(kind, name) is None}
    assert unreachable <= NO_OBJECTS


def test_what_is_cached_is_what_was_read(read, tmp_path, monkeypatch):
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "c"))
    load = catalog.load.__wrapped__
    whole_catalog = _plain(read.extended(catalog._own(catalog.folder_of_keras())))  # noqa: SLF001
    assert json.dumps(_plain(load())) == json.dumps(whole_catalog)
    (file,) = (tmp_path / "c").iterdir()
    monkeypatch.setattr(catalog, "read", lambda _root: pytest.fail("the cache was not used"))
    assert _plain(load()) == whole_catalog
    whole = file.read_bytes()
    readings = []
    monkeypatch.setattr(catalog, "read", lambda root: readings.append(root) or read)
    for place, damaged in enumerate(
        (
            b"",
            whole[:-9],
            b"[]",
            b"{}",
            b"[" * 200_000,
            whole.replace(b"true", b"null", 1),
            whole.replace(b'"Dense"', b'"D"', 1)[:99],
        )
    ):
        file.write_bytes(damaged)
        assert _plain(load()) == whole_catalog
        assert len(readings) == place + 1
        assert file.read_bytes() == whole


def _plain(value):
    from dataclasses import asdict

    return json.loads(json.dumps(asdict(value)))
