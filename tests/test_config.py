"""A config in force: its file, overrides, defaults; written out, it is the same config again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from conftest import ROOT, faults
from tftrain import config
from tftrain.config import dump, override, text
from tftrain.errors import ConfigError, did_you_mean

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
DIGITS = ROOT / "configs" / "digits.yaml"
SMALL = """\
data: {source: digits, classes: [0, 1]}
model: {layers: [Flatten, {Dense: {units: 1}}]}
training: {loss: BinaryCrossentropy, optimizer: Adam, epochs: 1}
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "a config.yaml"
    path.write_text(SMALL)
    return path


def load(path, *overrides):
    return config.load(path, overrides)[0]


def test_the_course_example_says_what_it_says():
    digits = load(DIGITS)
    assert (digits.name, digits.seed, digits.data.source) == ("digits", 0, "digits")
    assert digits.data.classes == (0, 1)
    assert [layer.name for layer in digits.model.layers] == ["Dense", "Dense", "Dense"]
    assert dict(digits.model.layers[0].arguments) == {"units": 25, "activation": "sigmoid"}
    assert digits.training.optimizer.arguments["learning_rate"] == 0.001
    assert digits.training.log_names() == ["loss", "accuracy", "auc"]
    assert digits.training.monitor() == "val_loss"


def test_what_a_file_leaves_out_has_defaults(small):
    settled = load(small)
    assert settled.name == "a_config"
    assert (settled.seed, settled.training.batch_size, settled.training.shuffle) == (0, 32, True)
    assert settled.data.split.model_dump() == {"train": 0.6, "validation": 0.2, "test": 0.2}
    small.write_text(SMALL.replace("optimizer: Adam, ", ""))
    assert load(small).training.optimizer.name == "RMSprop"


@pytest.mark.parametrize("changes", [(), ("training.batch_size=7", "seed=3", "name=other")])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_resolved_config_is_the_same_config(path, changes, tmp_path):
    settled = load(path, *changes)
    written = tmp_path / "config.resolved.yaml"
    written.write_text(config.resolved(settled), "utf-8")
    assert load(written) == settled
    assert config.resolved(load(written)) == config.resolved(settled)


def test_a_config_does_not_change():
    settled = load(DIGITS)
    with pytest.raises(ValidationError, match="frozen"):
        settled.seed = 1
    with pytest.raises(TypeError):
        settled.model.layers[0].arguments["units"] = 1
    nested = config.spec_of({"Dense": {"kernel_initializer": {"HeNormal": {"seed": [1]}}}})
    with pytest.raises(TypeError):
        nested.arguments["kernel_initializer"]["HeNormal"]["seed"] = 2
    assert nested.arguments["kernel_initializer"]["HeNormal"]["seed"] == (1,)


def test_overrides_reach_everything_and_the_last_one_wins(small):
    settled = load(
        small,
        "training.epochs=5",
        "training.epochs=6",
        "training.optimizer.Adam.learning_rate=1e-3",
        "model.layers.0.Flatten.name=flat",
        "model.layers.1.Dense.units=50",
        "data.split={train: 0.5, test: 0.5}",
        "training.metrics=[accuracy]",
        "training.callbacks=",
        "training.callbacks=[]",
    )
    assert settled.training.epochs == 6
    assert dict(settled.training.optimizer.arguments) == {"learning_rate": 0.001}
    assert dict(settled.model.layers[0].arguments) == {"name": "flat"}
    assert dict(settled.model.layers[1].arguments) == {"units": 50}
    assert settled.data.split.validation == 0
    assert settled.training.log_names() == ["loss", "accuracy"]


keys = st.text(st.characters(categories=["L", "Nd", "Pd"]), min_size=1, max_size=5)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(keys, min_size=1, max_size=6), st.integers(), st.integers())
@example(["1", "²"], 1, 2)
def test_what_is_put_at_a_path_stands_there(path, first, second):
    root = text.read(b"{}", "f")
    for value in (first, second):
        override.apply(root, f"{'.'.join(path)}={value}")
    found = text.plain(root)
    for part in path:
        found = found[part]
    assert found == second


paths = st.sampled_from(
    ["name", "seed", "data", "model", "training", "x", "model.layers", "model.layers.1"]
    + [f"data.{key}" for key in config.Data.model_fields]
    + [f"data.{key}" for key in ("source.x", "source.y", "split.test", "split.train", "classes.0")]
    + [f"data.{key}" for key in ("split.validation.x", "scaling.rescale", "scaling.rescale.scale")]
    + [f"data.columns.{key}" for key in ("a", "a.number", "a.number.impute", "text.text", "a.drop")]
    + [f"data.{key}" for key in ("series.lags", "missing.0", "size.0")]
    + [f"training.{key}" for key in config.Training.model_fields]
    + ["training.metrics.0", "training.callbacks.0.EarlyStopping.monitor", "training.loss.mapping"]
)
small_values = st.sampled_from([None, True, 0, -1, 2**40, 10**30, 0.5, 1e300, "", "name", "x.npy"])
values = st.recursive(
    small_values | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "mapping", "x", "0", "Dense"]), inner, max_size=2
        )
    ),
    max_leaves=5,
)


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(st.lists(st.tuples(paths, values), min_size=1, max_size=3))
def test_any_value_anywhere_is_taken_or_refused_in_lines(changes):
    written = [f"{path}={dump.yaml_text(value)}" for path, value in changes]
    try:
        settled, _ = config.load(DIGITS, written)
    except ConfigError as error:
        for problem in error.problems:
            assert re.fullmatch(r"[CDK]0\d\d", problem.code)
            assert str(problem).isprintable()
            assert not re.search(
                r"pydantic|input should|value error|\.(bool|int|float|str)\b", str(problem)
            )
    else:
        assert config.resolved(settled)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(st.text(st.sampled_from("trainig.epochs=0123[]{}:,- \udcff\0"), max_size=30))
def test_any_override_is_taken_or_refused(words):
    """Also with bytes that are no UTF-8, as a shell passes them."""
    try:
        config.load(DIGITS, [words])
    except ConfigError as error:
        for line in str(error).split("\n"):
            assert "error[C0" in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.epochs", "C008]: expected PATH=VALUE, such as training.epochs=5"),
        ("training..epochs=1", "C008]: expected PATH=VALUE, such as training.epochs=5"),
        (".".join("a" * 5000) + "=1", "C008]: expected PATH=VALUE, such as training.epochs=5"),
        ("training.epochs=[1", "C001]: not valid YAML: the list that begins on line 1 isn't clo"),
        ("training.epochs=\udcff", "C005]: not UTF-8: byte 0xff"),
        ("training.epochs=ten", "C012]: `training.epochs`: expected a whole number, got 'ten'"),
        ("training.epochs=0", "C013]: `training.epochs`: expected at least 1, got 0"),
        ("training.epoch=3", "C010]: unknown key `epoch` in `training`; did you mean `epochs`?"),
        ("epochs=3", "C010]: unknown key `epochs`; did you mean `training.epochs`?"),
        ("test=0.5", "C010]: unknown key `test`; did you mean `data.split.test`?"),
        ("trainin.epochs=3", "C010]: unknown key `trainin`; did you mean `training`?"),
        ("model.layers.7=Dense", "C009]: `7` is not in the list: expected a number from 0 to 2"),
        (
            "model.layers.Dense.units=1",
            "C009]: `Dense` is the name of 0, 1, 2 in the list: give its",
        ),
        ("training.optimizer.SGD.momentum=1", "C015]: `training.optimizer`: expected one Keras"),
        ("data.split.train=0.5", "C020]: the fractions add up to 0.9, expected 1"),
    ],
)
def test_a_wrong_override_is_named(change, said):
    (line,) = faults(DIGITS, change)
    if change != "data.split.train=0.5":  # there, the sum of three is wrong, as the file has it
        assert (
            line.encode(errors="backslashreplace")
            .decode()
            .startswith(f"override '{change}'".encode(errors="backslashreplace").decode())
        )
    assert f": error[{said}" in line


def test_faults_of_file_and_overrides_are_told_together(small):
    small.write_text(SMALL.replace("epochs: 1", "epochs: 0") + "sed: 1\n")
    lines = faults(small, "seed=x", "nothing", "training.threads=0")
    assert [line.partition(": error")[0] for line in lines] == [
        f"{small}:3:63",
        f"{small}:4:1",
        "override 'seed=x'",
        "override 'nothing'",
        "override 'training.threads=0'",
    ]


def test_data_files_count_from_the_config_and_in_overrides_from_here(small, monkeypatch):
    small.write_text(SMALL.replace("digits, classes: [0, 1]", "{x: x.npy, y: /abs/y.npy}"))
    here = small.parent / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    folder = small.parent
    relative = Path("..", small.name)
    settled = load(relative, "data.split.test=../t.npz", "data.split.train=1")
    assert settled.data.source.x == str(here / ".." / "x.npy")
    assert settled.data.source.y == "/abs/y.npy"
    assert settled.data.split.test == str(here / ".." / "t.npz")
    assert load(small, "data.source=n.npz").data.source == str(here / "n.npz")
    small.write_text(SMALL.replace("digits", "sub/d.npz"))
    assert load(small).data.source == str(folder / "sub" / "d.npz")


def test_a_resolved_config_finds_its_files_from_anywhere(small, tmp_path):
    small.write_text(SMALL.replace("digits", "rows.npz"))
    settled = load(small)
    moved = tmp_path / "far" / "away.yaml"
    moved.parent.mkdir()
    moved.write_text(config.resolved(settled))
    assert load(moved) == settled


def test_a_config_that_cannot_be_read_is_one_line(tmp_path):
    shutil.copy(DIGITS, tmp_path / "digits.yaml")
    near = tmp_path / "digits.yml"
    said = "error[C007]: no such file; did you mean `digits.yaml`?"
    assert faults(near) == [f"{near}: {said}"]
    assert faults(tmp_path) == [f"{tmp_path}: error[C007]: can't be read: it is a folder"]
    nowhere = tmp_path / "no" / "x.yaml"
    assert faults(nowhere) == [f"{nowhere}: error[C007]: no such file"]


@pytest.mark.parametrize(
    ("stem", "name"),
    [("über ich", "_ber_ich"), ("..", "run"), ("-x.y", "x.y"), ("a" * 99, "a" * 64)],
)
def test_a_run_is_named_after_its_config(stem, name, tmp_path):
    path = tmp_path / f"{stem}.yaml"
    path.write_text(SMALL)
    assert load(path).name == name


@pytest.mark.parametrize(
    ("label", "name"), [(0, "0"), (2.0, "2"), (0.5, "0.5"), (True, "true"), ("no", "no")]
)
def test_a_class_is_named_as_it_is_written(label, name):
    assert config.class_name(label) == name


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("batchsize", "batch_size"),
        ("Batch_Size", "batch_size"),
        ("epoch", "epochs"),
        ("X", "x"),
        ("val_acc", "val_accuracy"),
    ],
)
def test_the_nearest_name_is_offered(word, near):
    assert (
        did_you_mean(word, ["batch_size", "epochs", "val_auc", "val_accuracy", "x"])
        == f"; did you mean `{near}`?"
    )


@pytest.mark.parametrize("word", ["", "11", "ab", "zebra"])
def test_no_name_is_offered_where_none_is_near(word):
    assert did_you_mean(word, ["1", "a", "batch_size"]) == ""


def test_a_float_written_out_is_the_same_float():
    assert text.scalar(dump.yaml_text(0.1 + 0.2).split("\n")[0]) == 0.1 + 0.2
