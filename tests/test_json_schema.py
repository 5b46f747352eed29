"""The config's JSON Schema: valid, small, and of one mind with `config.load`."""

from __future__ import annotations

import functools
import json
import random
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conftest import ROOT
from tftrain import config
from tftrain.config import catalog, text
from tftrain.config import override as config_override
from tftrain.config.json_schema import json_schema
from tftrain.config.losses import BY_SHAPES
from tftrain.config.schema import spec_of
from tftrain.errors import ConfigError, Mark

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
BAD = sorted((ROOT / "tests" / "configs" / "bad").glob("*.yaml"))
DIGITS = (ROOT / "configs" / "digits.yaml").read_text("utf-8")
SEEN = {"C010", "C011", "C012", "C013", "C014", "C015", "K001", "K002", "K003", "K007"}
# What no schema can see, and why.
UNSEEN = {
    **dict.fromkeys(
        ("C001", "C002", "C003", "C004", "C005", "C006"),
        "the text: what a schema is asked about has been read already",
    ),
    "C020": "a sum of several keys",
    "C021": "one key against others: what is logged depends on the metrics and the split",
    "C022": "one key against others: a metric's name may follow from its class",
    "C023": "one key against another: weights against classes",
    "C024": "one key against another: names of arrays against the source",
    "C025": "one key against another: what the source is, or another key, makes it void",
    "D006": "the data: what labels a bundled set has",
    "C032": "a text: of its form a schema sees the name",
    "C040": "another file",
    "C041": "the environment",
    "C050": "another file",
    "D001": "the disk: any text may be the name of a folder, if one of that name is there",
    "D002": "the disk: likewise",
}
# Single values that a schema lets through, and why.
UNSEEN_VALUES = {
    "training.epochs=2.0": "2.0 is a whole number in JSON Schema",
    "data.split.test=.nan": "JSON has no such number, so no bound keeps it out",
}
SCALAR = text.Scalar(None, Mark("c.yaml", 1, 1))
NAME = re.compile(r"[A-Za-z]\w*(?=:)|(?<=[-:,[] )[A-Za-z]\w*(?=[],}\s])|(?<=\[)[A-Za-z]\w*")
VALUES = [
    *(None, True, 0, -1, 2.5, "same", "SAME", "relu", "Dense", "no such", "", [], [1, [2]]),
    *({}, {"a": 1}, {"a": {"b": [1]}}, {"Dense": {"units": 3}}, {"Dense": {"unit": 3}}),
    *({"HeNormal": None}, {"HeNormall": None}, {"class_name": "Lambda", "config": {}}),
    *({"kernel_initializer": "HeNorml"}, {"a": 1, "kernel_initializer": ["Zeros", "zero"]}),
    *({"Adam": {}, "SGD": {}}, {"a": {"layers": ["Dense"]}, "exclude_layers": ["Dens"]}),
    *(["relu", {"L2": {"l2": 1}}], [{"CosineDecay": {}}], {"Lambda": {}}, {"adam": {}}),
]


def names_in(written):
    """Where keys, Keras's names and other bare words stand, comments left out."""
    for line in re.finditer(r".+", written):
        content = line[0].partition("#")[0]
        for name in NAME.finditer(f"{content} "):
            yield line.start() + name.start(), line.start() + name.end()


def misspelt(word, place, way):
    """The word with one letter dropped, doubled, swapped, replaced, or in its other case."""
    before, letter, after = word[:place], word[place], word[place + 1 :]
    ways = ["", letter * 2, after[:1] + letter, "q", letter.swapcase()]
    return before + ways[way] + (after[1:] if way == 2 else after)


@pytest.fixture(scope="module")
def schema():
    return json_schema()


@functools.cache
def the_validator():
    return Draft202012Validator(json_schema())


@pytest.fixture
def validator():
    return the_validator()


def plain(written):
    """A config as an editor hands it to a schema."""
    return text.plain(text.read(written.encode(), "c.yaml"))


def test_the_schema_is_valid_and_stands_on_its_own(schema):
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    references = set(strings(schema, "$ref"))
    defined = {f"#/$defs/{name}" for name in schema["$defs"]}
    assert references <= defined
    assert defined <= references, "a definition that nothing uses"
    assert not set(strings(schema, "$id"))


def strings(value, key):
    """The texts under a key, at any depth."""
    if isinstance(value, dict):
        yield from [value[key]] if isinstance(value.get(key), str) else []
        for item in value.values():
            yield from strings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, key)


def test_the_schema_is_small_and_needs_neither_keras_nor_numpy(schema):
    assert len(json.dumps(schema, indent=2, allow_nan=False)) < 2_000_000
    code = (
        "import sys; from tftrain.config.json_schema import json_schema; json_schema(); "
        "sys.exit(bool({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_an_editor_finds_words_and_types_where_it_looks(schema):
    dense = schema["$defs"]["layer.Dense"]
    assert dense["required"] == ["units"]
    assert dense["properties"]["use_bias"]["default"] is True
    assert "dimensionality" in dense["properties"]["units"]["description"]
    names, *_, objects = schema["$defs"]["layer"]["anyOf"]
    assert "Flatten" in names["enum"]
    assert "Dense" not in names["enum"], "its units are missing"
    assert len(names["enum"]) == len(names["enumDescriptions"])
    assert objects["properties"]["Dense"] == {"$ref": "#/$defs/layer.Dense"}
    optimizers = schema["$defs"]["optimizer"]["anyOf"]
    assert {"Adam", "adam"} <= set(optimizers[0]["enum"])
    assert schema["properties"]["training"] == {"$ref": "#/$defs/Training"}
    assert schema["$defs"]["Training"]["properties"]["epochs"]["description"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_passes(path, validator):
    assert list(validator.iter_errors(plain(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_bad_config_is_refused_unless_its_fault_can_not_be_seen(path, validator):
    found = codes(path)
    assert found <= SEEN | set(UNSEEN)
    try:
        root, _ = text.read_on(path.read_bytes(), path.name)
    except ConfigError:
        return  # no editor has a value to ask about
    assert validator.is_valid(text.plain(root)) != bool(found & SEEN)


def codes(path, overrides=()):
    try:
        config.load(path, overrides)
    except ConfigError as error:
        return {problem.code for problem in error.problems}
    return set()


def test_no_more_is_called_unseen_than_the_bad_configs_show():
    assert set(UNSEEN) <= {code for path in BAD for code in codes(path)}


@pytest.mark.parametrize("override", UNSEEN_VALUES)
def test_a_value_that_a_schema_lets_through_is_refused_by_load(override, validator):
    root = text.read(DIGITS.encode(), "c.yaml")
    config_override.apply(root, override)
    assert validator.is_valid(text.plain(root))
    assert codes(ROOT / "configs" / "digits.yaml", [override]) & SEEN


@pytest.mark.parametrize(
    ("written", "passes"),
    [
        ("extends: base.yaml", True),
        ("{extends: base.yaml, training: {epochs: 3}, data: {split: {test: 0.1}}}", True),
        ("{extends: [base.yaml]}", False),
        ("{extends: base.yaml, training: {epoch: 3}}", False),
        ("training: {epochs: 3}", False),
    ],
)
def test_a_config_that_extends_another_needs_nothing_itself(written, passes, validator):
    assert validator.is_valid(plain(written)) == passes


SECTIONS = {  # of data, and what `load` says of them beyond what a schema can see
    "{source: a.csv, target: y}": set(),
    "{source: 'a*.CSV.gz', target: y, query: SELECT * FROM data, missing: ['?'], time: t}": set(),
    "{source: a.csv, series: {column: y, lags: 3}, scaling: none}": set(),
    "{source: a.csv, target: y, columns: {a: number, number: {number: }, b: {drop: {}}}}": set(),
    "{source: a.csv, target: y, columns: {a: {number: {impute: 2.5}}, b: {image: }}, "
    "size: [2, 3]}": set(),
    "{source: a.csv, target: y, columns: {a: {text: {output_mode: int}}}, size: null}": set(),
    "{source: folder, size: [28, 28], channels: 3, on_error: skip, positive: true}": set(),
    "{source: nowhere, split: {train: 1, validation: nor_here}}": {"D001"},
    "{source: a.txt.bak}": {"D002"},
    "{source: digits, columns: {zip: id}}": {"C025"},
    "{source: ''}": {"C014"},
    "{source: a.csv}": {"C011"},
    "{source: b.JSONL.gz, series: null}": {"C011"},
    "{source: part-*.parquet, target: null}": {"C011"},
    "{source: a.csv, target: y, columns: {a: numbr}}": {"C014"},
    "{source: a.csv, target: y, columns: {a: {numbr: {}}}}": {"C010"},
    "{source: a.csv, target: y, columns: {a: }}": {"C014"},
    "{source: a.csv, target: y, columns: {a: {}}}": {"C014"},
    "{source: a.csv, target: y, columns: {a: {number: , text: }}}": {"C014"},
    "{source: a.csv, target: y, columns: {a: {number: {imput: mean}}}}": {"C010"},
    "{source: a.csv, target: y, columns: {a: {number: {impute: middle}}}}": {"C014"},
    "{source: a.csv, target: y, columns: {a: {number: {num_bins: 1}}}}": {"C013"},
    "{source: a.csv, target: y, columns: {a: {id: {x: 1}}}}": {"C010"},
    "{source: a.csv, target: y, columns: [a]}": {"C012"},
    "{source: a.csv, target: y, columns: null}": {"C012"},
    "{source: a.csv, target: y, query: ''}": {"C013"},
    "{source: a.csv, target: 3}": {"C012"},
    "{source: a.csv, target: y, positive: [1]}": {"C014"},
    "{source: a.csv, target: y, missing: '?'}": {"C012"},
    "{source: a.csv, target: y, missing: [-9]}": {"C012"},
    "{source: a.csv, target: y, encoding: utf8}": {"C014"},
    "{source: a.csv, target: y, target_scaling: logs}": {"C014"},
    "{source: a.csv, series: {column: y}}": {"C011"},
    "{source: a.csv, series: {column: y, lags: 0}}": {"C013"},
    "{source: a.csv, series: {column: y, lags: 1, step: 1}}": {"C010"},
    "{source: folder, size: [28]}": {"C014"},
    "{source: folder, size: [28, 28, 3]}": {"C014"},
    "{source: folder, size: [28, 0]}": {"C013"},
    "{source: folder, size: 28}": {"C014"},
    "{source: folder, channels: 2}": {"C014"},
    "{source: folder, channels: true}": {"C014"},
    "{source: folder, on_error: ignore}": {"C014"},
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_of_data_is_judged_as_load_does(section, tmp_path, validator):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt.bak").touch()
    rest = "model: {layers: [Flatten]}\ntraining: {loss: mse, epochs: 1}\n"
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {section}\n{rest}", "utf-8")
    found = codes(path)
    assert found == SECTIONS[section]
    assert validator.is_valid(plain(path.read_text("utf-8"))) != bool(found & SEEN)


def test_a_table_that_extends_another_needs_no_target_itself(validator):
    assert validator.is_valid(plain("{extends: base.yaml, data: {source: a.csv}}"))


def test_a_variable_of_the_environment_can_stand_for_any_scalar(validator):
    every = """\
name: "run-${env:USER}"
seed: "${env:SEED:0}"
data:
  source: "${env:DATA}"
  one_hot: "${env:ONE_HOT}"
  classes: ["${env:A}", 1]
  scaling: "${env:SCALING}"
  target_scaling: "${env:TARGET_SCALING}"
  size: ["${env:ROWS}", 28]
  channels: "${env:CHANNELS}"
  positive: "${env:POSITIVE}"
  columns: {a: "${env:KIND}", b: {number: {impute: "${env:FILL}", num_bins: "${env:BINS}"}}}
  series: {column: "${env:COLUMN}", lags: "${env:LAGS}"}
  missing: ["${env:MISSING}"]
  split: {train: "${env:TRAIN}", validation: "${env:VALIDATION}", test: {x: "${env:X}"}}
model:
  layers:
    - "${env:LAYER}"
    - Dense: {units: "${env:UNITS}", use_bias: "${env:BIAS}", activation: "${env:ACTIVATION}"}
    - Conv2D: {filters: 1, kernel_size: ["${env:SIZE}", 1], padding: "${env:PADDING}"}
training:
  loss: "${env:LOSS}"
  optimizer: {Adam: {learning_rate: "${env:RATE}", epsilon: "${env:EPSILON}"}}
  metrics: ["${env:METRIC}"]
  class_weight: {a: "${env:WEIGHT}"}
  epochs: "${env:EPOCHS}"
  batch_size: "${env:BATCH}"
  shuffle: "${env:SHUFFLE}"
  threads: "${env:THREADS}"
"""
    assert list(validator.iter_errors(plain(every))) == []


def test_every_argument_of_every_object_is_judged_as_load_does(schema):
    draw = random.Random(0)  # noqa: S311 - the same tests every time
    differences = []
    for kind, objects in catalog.load().objects.items():
        label = {"activation": "activation_or_layer", "optimizer map": "optimizer_map"}
        asked = {"$defs": schema["$defs"], "$ref": f"#/$defs/{label.get(kind, kind)}"}
        validator = Draft202012Validator(asked)
        unknown = () if kind == "optimizer map" else ("Densee",)  # there, a pattern of names
        for name in [*objects, *catalog.load().short[kind], *unknown]:
            if name not in BY_SHAPES.get(kind, ()):
                differences += [
                    (kind, value)
                    for value in specs(kind, name, draw)
                    if validator.is_valid(value) != resolves(kind, value)
                ]
    assert differences == []


def specs(kind, name, draw):
    """An object bare, with what it needs, and with each argument at some value."""
    entry = catalog.load().find(kind, name)
    yield from (name, {name: None}, {name: {}}, {name: {"no_such": 1}})
    arguments = entry.arguments if entry else {}
    needed = {one: None for one, argument in arguments.items() if argument.required}
    yield {name: needed}
    for argument in arguments:
        for value in draw.sample(VALUES, 2):
            yield {name: needed | {argument: value}}


def resolves(kind, value):
    try:
        config.resolve(kind, spec_of(value), (), config.Source(b"", SCALAR))
    except ConfigError:
        return False
    return True


MUTATED = [(path, place) for path in CONFIGS for place in names_in(path.read_text("utf-8"))]


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from(MUTATED), st.integers(0, 99), st.integers(0, 4))
def test_a_misspelt_config_is_judged_as_load_does(tmp_path_factory, where, place, way):
    path, (start, end) = where
    written = path.read_text("utf-8")
    word = misspelt(written[start:end], place % (end - start), way)
    mutated = tmp_path_factory.getbasetemp() / "mutated.yaml"
    mutated.write_text(written[:start] + word + written[end:], "utf-8")
    try:
        asked = plain(mutated.read_text("utf-8"))
    except ConfigError:
        return  # a key twice
    found = codes(mutated)
    assert the_validator().is_valid(asked) != bool(found & SEEN), (word, found)
