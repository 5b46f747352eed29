"""A config written out with the origin of each value: the right ones, and still the same YAML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from tftrain import config
from tftrain.config import dump, text
from tftrain.errors import ConfigError

DATA_KEYS = set(config.Data.model_fields)
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
BASE = """\
data: {source: digits, classes: [0, 1]}
model:
  layers:
    - Flatten: {}
    - Dense:
        units: 1
        activation: sigmoid
training:
  loss: BinaryCrossentropy
  epochs: 3
"""
OWN = """\
extends: base.yaml
seed: ${env:Q_SEED}
training:
  epochs: ${env:Q_EPOCHS:9}
  metrics:
    - accuracy
    - AUC: {curve: PR}
    - {"bce": {name: "b", dtype: "a\\nb #"}}
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("Q_SEED", "5")
    monkeypatch.delenv("Q_EPOCHS", raising=False)
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    (tmp_path / "own.yaml").write_text(OWN, "utf-8")
    return type(tmp_path)("own.yaml")


def test_every_value_knows_where_it_came_from(path):
    change = "model.layers.Dense.units=${env:Q_SEED}"
    settled, source = config.load(path, [change, "data.classes=[3, 8]", "training.threads=2"])
    origins = config.origins(settled, source)
    assert origins == {
        ("name",): "default",
        ("seed",): "environment Q_SEED",
        ("data", "source"): "base.yaml:1",
        ("data", "classes", 0): "override 'data.classes=[3, 8]'",
        ("data", "classes", 1): "override 'data.classes=[3, 8]'",
        ("data", "split", "train"): "default",
        ("data", "split", "validation"): "default",
        ("data", "split", "test"): "default",
        ("model", "layers", 0): "base.yaml:4",
        ("model", "layers", 1, "Dense", "units"): "environment Q_SEED",
        ("model", "layers", 1, "Dense", "activation"): "base.yaml:7",
        ("training", "loss"): "base.yaml:9",
        ("training", "optimizer"): "default",
        ("training", "metrics", 0): "own.yaml:6",
        ("training", "metrics", 1, "AUC", "curve"): "own.yaml:7",
        ("training", "metrics", 2, "bce", "name"): "own.yaml:8",
        ("training", "metrics", 2, "bce", "dtype"): "own.yaml:8",
        ("training", "weighted_metrics"): "default",
        ("training", "epochs"): "own.yaml:4",
        ("training", "seed"): "default",
        ("training", "restarts"): "default",
        ("training", "folds"): "default",
        ("training", "keep"): "default",
        ("training", "batch_size"): "default",
        ("training", "validation_batch_size"): "default",
        ("training", "shuffle"): "default",
        ("training", "class_weight"): "default",
        ("training", "jit_compile"): "default",
        ("training", "threads"): "override 'training.threads=2'",
        ("training", "checkpoint", "every"): "default",
        ("training", "on_nan"): "default",
        ("training", "callbacks"): "default",
    } | {("data", key): "default" for key in DATA_KEYS - {"source", "classes", "split"}} | {
        place: "default" for place in origins if place[0] in ("lint", "code", "sweep")
    }


TABLE = """\
data:
  source: rows.csv
  target: y
  columns:
    age: {number: {impute: mean, scaling: standardize}}
    zip: category
    x.box: {drop: }
  missing: ["?", -]
  split: {train: 1}
model: {layers: [{Dense: {units: 1}}]}
training: {loss: mse, epochs: 1}
"""


def test_what_is_said_of_columns_is_written_as_short_as_it_can_be(tmp_path):
    path = tmp_path / "table.yaml"
    path.write_text(TABLE, "utf-8")
    settled, source = config.load(path, ["data.columns.pay.number.num_bins=9", "data.size=null"])
    written = config.with_origins(settled, source)
    (tmp_path / "again.yaml").write_text(written, "utf-8")
    again, _ = config.load(tmp_path / "again.yaml")
    assert again.data == settled.data
    columns = text.plain(text.read(written.encode(), "f"))["data"]["columns"]
    assert columns == {
        "age": {"number": {"impute": "mean"}},
        "zip": "category",
        "x.box": "drop",
        "pay": {"number": {"num_bins": 9}},
    }
    origins = config.origins(settled, source)
    for place, line in (
        (("columns", "age", "number", "impute"), 5),
        (("columns", "x.box"), 7),
        (("missing", 1), 8),
    ):
        assert origins["data", *place] == f"{path}:{line}"
    override = "override 'data.columns.pay.number.num_bins=9'"
    assert origins["data", "columns", "pay", "number", "num_bins"] == override


def test_the_comments_stand_in_a_column(path):
    settled, source = config.load(path, ["training.epochs=4"])
    lines = config.with_origins(settled, source).split("\n")
    assert "seed: 5                        # environment Q_SEED" in lines
    assert "  epochs: 4                    # override 'training.epochs=4'" in lines
    assert "      units: 1                 # base.yaml:6" in lines
    assert '      dtype: "a\\nb #"          # own.yaml:8' in lines
    assert len({line.index("  # ") for line in lines if "  # " in line}) == 1


CHANGES = [
    "training.batch_size=7",
    "name=other",
    "model.layers.0.Dense.name=${env:Q_LONG:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
    'training.callbacks+={CSVLogger: {filename: "a # b: $${x} \\n\\t\\u2028é"}}',
]


@pytest.mark.parametrize("changes", [(), CHANGES[:2], CHANGES])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_with_origins_it_is_the_same_config(path, changes, tmp_path):
    try:
        settled, source = config.load(path, changes)
    except ConfigError:
        settled, source = config.load(path, changes[:2])  # no Dense comes first
    annotated = config.with_origins(settled, source)
    written = tmp_path / "written.yaml"
    written.write_text(annotated, "utf-8")
    assert config.load(written)[0] == settled
    bare, same = (
        text.read(config.resolved(settled).encode(), "f"),
        text.read(annotated.encode(), "f"),
    )
    assert bare == same
    commented = [line for line in annotated.split("\n") if "  # " in line]
    assert len(commented) == len(config.origins(settled, source))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=30))
def test_no_text_and_no_override_can_break_out_of_its_line(value, spaces):
    """Not even one with bytes that are no UTF-8."""
    change = f'training.callbacks+={{CSVLogger: {{filename: "", separator: "{value}"}}}} # {spaces}'
    try:
        settled, source = config.load(CONFIGS[2], [change])
    except ConfigError:
        return
    annotated = config.with_origins(settled, source)
    assert text.read(annotated.encode(), "f") == text.read(config.resolved(settled).encode(), "f")


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(values)
def test_every_value_has_a_line_of_its_own(value):
    written = dump.yaml_text(value)
    places = list(dump._leaves(value))  # noqa: SLF001 - the comments go by them
    lines = list(dump._lines(dump.yaml.compose(written)))  # noqa: SLF001
    assert len(places) == len(set(lines)) == len(lines)
    for place, line in zip(places, lines, strict=True):
        mark = text.find(text.read(written.encode(), "f"), place)
        assert mark.line == line + 1
