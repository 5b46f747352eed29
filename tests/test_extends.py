"""Configs laid over one another: nothing is lost, and every fault stands in the file it is in."""

from __future__ import annotations

import os
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import faults
from tftrain import config
from tftrain.config import dump, extends, schema, text

often = settings(max_examples=300, derandomize=True, deadline=None)
BASE = """\
seed: 7
data: {source: digits, classes: [0, 1], split: {train: 0.8, validation: 0.1, test: 0.1}}
model: {layers: [Flatten, {Dense: {units: 1}}]}
training:
  loss: BinaryCrossentropy
  optimizer: {RMSprop: {learning_rate: 0.01, rho: 0.8}}
  epochs: 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "base.yaml", BASE)
    return tmp_path


def write(path, written):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written, "utf-8")
    return path


def load(path, *overrides):
    return config.load(path, overrides)[0]


def test_sections_merge_and_all_else_is_replaced(folder):
    path = write(
        folder / "c.yaml",
        """\
extends: base.yaml
data: {classes: [3, 8, 9], split: {validation: 0.05, test: 0.15}}
training:
  optimizer: {RMSprop: {rho: 0.5}}
  batch_size: 8
""",
    )
    settled = load(path)
    assert (settled.name, settled.seed, settled.extends) == ("c", 7, None)
    assert settled.data.classes == (3, 8, 9)
    assert settled.data.split.model_dump() == {"train": 0.8, "validation": 0.05, "test": 0.15}
    assert dict(settled.training.optimizer.arguments) == {"rho": 0.5}
    assert (settled.training.epochs, settled.training.batch_size) == (3, 8)
    write(path, "extends: base.yaml\ntraining: {optimizer: Adam}\n")
    assert load(path).training.optimizer.name == "Adam"
    assert load(path, "training.optimizer.Adam.epsilon=1", "training.epochs=9").training.epochs == 9


def test_a_config_of_nothing_but_its_base_is_that_one(folder):
    path = write(folder / "far" / "base.yaml", "extends: ../base.yaml\n")
    assert load(path) == load(folder / "base.yaml")


def test_the_sections_are_those_of_the_form():
    assert list(schema.SECTIONS)[:5] == [
        *((), ("data",), ("data", "split"), ("model",), ("training",))
    ]


def test_a_chain_is_as_long_as_ten(folder):
    write(folder / "0.yaml", BASE.replace("seed: 7", "seed: 0"))
    for number in range(1, 12):
        write(folder / f"{number}.yaml", f"extends: {number - 1}.yaml\nseed: {number}\n")
    assert load(folder / "10.yaml").seed == 10
    (line,) = faults(folder / "11.yaml")
    assert line.startswith(f"{folder / '1.yaml'}:1:10: error[C040]: `extends`: more than 10 files")


def test_a_circle_is_told_with_all_its_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    write(folder / "a.yaml", "extends: sub/b.yaml\n")
    write(folder / "sub" / "b.yaml", "seed: 1\nextends: ../a.yaml\n")
    circle = " -> ".join(["a.yaml", os.path.join("sub", "b.yaml"), "a.yaml"])  # noqa: PTH118
    (line,) = faults(type(folder)("a.yaml"))
    assert line.endswith(f"b.yaml:2:10: error[C040]: `extends` goes in a circle: {circle}")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_circle_by_another_name_is_one(folder):
    (folder / "link.yaml").symlink_to(folder / "a.yaml")
    write(folder / "a.yaml", "extends: link.yaml\n")
    assert "`extends` goes in a circle" in faults(folder / "a.yaml")[0]
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    write(folder / "a.yaml", "extends: loop.yaml\n")
    assert "error[C040]: `extends`: " in faults(folder / "a.yaml")[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.yaml")
    path = write(folder / "a.yaml", "extends: pipe.yaml\n")
    assert faults(path)[0].endswith("pipe.yaml: can't be read: it is not a file")


@pytest.mark.parametrize("name", ['"a\\0b"', "x" * 5000, '"\\n"', "1", "true", "''", "null", "{}"])
def test_any_name_is_refused_in_a_line(name, folder):
    path = write(folder / "a.yaml", f"extends: {name}\n")
    (line,) = faults(path)
    assert line.startswith(f"{path}:1:10: error[C0")
    assert line.isprintable()


def test_a_base_is_read_within_the_same_limits(folder):
    path = write(folder / "a.yaml", "extends: base.yaml\n")
    write(folder / "base.yaml", "#" * 300 * 1024)
    assert faults(path) == [f"{folder / 'base.yaml'}: error[C006]: larger than 256 KiB"]
    write(folder / "base.yaml", "a: &a 1\nb: *a\n")
    assert faults(path)[0].startswith(f"{folder / 'base.yaml'}:2:4: error[C003]")


def test_every_fault_stands_in_the_file_it_is_in(folder):
    base = write(folder / "base.yaml", BASE.replace("epochs: 3", "epochs: 0\n  los: x"))
    middle = write(folder / "middle.yaml", "extends: base.yaml\nseed: -1\ntraining: {shuffle: 3}\n")
    path = write(folder / "c.yaml", "extends: middle.yaml\ntraining:\n  batch_size: 0\n")
    lines = faults(path, "training.threads=0")
    assert [line.partition(": error")[0] for line in lines] == [
        f"{path}:3:15",
        f"{middle}:2:7",
        f"{middle}:3:21",
        f"{base}:7:11",
        f"{base}:8:3",
        "override 'training.threads=0'",
    ]


def test_data_files_count_from_the_file_that_names_them(folder):
    inner = write(folder / "deep" / "inner.yaml", BASE.replace("digits", "rows.npz"))
    path = write(
        folder / "c.yaml",
        "extends: deep/inner.yaml\ndata: {split: {test: o.npz, train: 0.9}}\n",
    )
    settled = load(path)
    assert settled.data.source == str(inner.parent / "rows.npz")
    assert settled.data.split.test == str(folder / "o.npz")


def test_a_resolved_config_needs_no_base(folder):
    path = write(folder / "c.yaml", "extends: base.yaml\nseed: 8\n")
    settled, source = config.load(path)
    assert source.raw == path.read_bytes()
    written = write(folder / "resolved.yaml", config.resolved(settled))
    (folder / "base.yaml").unlink()
    assert "extends" not in written.read_text("utf-8")
    assert load(written) == settled


@pytest.mark.parametrize("override", ["extends=base.yaml", "extends=", "extends+=x"])
def test_an_override_extends_nothing(override, folder):
    (line,) = faults(folder / "base.yaml", override)
    assert line == f"override '{override}': error[C009]: `extends` can stand in a file only"


values = st.none() | st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
objects = st.dictionaries(st.sampled_from(["Adam", "SGD"]), values, min_size=1, max_size=1)
others = st.dictionaries(st.sampled_from(["a", "b"]), values | objects, max_size=2)


def section(**inner):
    """Mappings as they may stand at a section: some keys of its own, and sections in it."""
    return st.fixed_dictionaries({}, optional={"x": values, "y": objects, "z": others} | inner)


trees = section(data=section(split=section()), model=section(), training=section())


def tree(value, source="f"):
    return text.read(dump.yaml_text(value).encode(), source)


def by_hand(base, over, path=()):
    """The rule in the docstring, in plain values."""
    merged = {**base, **over}
    for key in base.keys() & over.keys():
        if (*path, key) in schema.SECTIONS:
            merged[key] = by_hand(base[key], over[key], (*path, key))
    return merged


@often
@given(trees, trees, trees)
def test_a_chain_is_the_same_from_either_end(first, second, third):
    one, two, three = map(tree, (first, second, third))
    left = extends.merge(extends.merge(one, two), three)
    right = extends.merge(one, extends.merge(two, three))
    assert left == right
    assert text.plain(left) == by_hand(by_hand(first, second), third)
    assert [text.plain(node) for node in (one, two, three)] == [first, second, third]


@often
@given(trees, trees)
def test_no_key_is_lost_and_each_has_the_place_where_it_was_written(base, over):
    lower, upper = tree(base, "base"), tree(over, "over")
    merged = extends.merge(lower, upper)
    for path in schema.SECTIONS:
        keys = [at(node, path) for node in (lower, upper, merged)]
        assert keys[2] == keys[0] | keys[1]
        for key in keys[2]:
            written = upper if key in keys[1] else lower
            for kind in (True, False):
                assert text.find(merged, (*path, key), key=kind) == text.find(
                    written, (*path, key), key=kind
                )


def at(node, path):
    for part in path:
        node = text.child(node, part)
    return set() if node is None else set(node.items)


@often
@given(trees)
def test_nothing_laid_over_or_under_changes_nothing(value):
    node = tree(value)
    nothing = tree({})
    assert text.plain(extends.merge(nothing, node)) == value
    assert text.plain(extends.merge(node, nothing)) == value


@pytest.mark.parametrize(
    ("broken", "code"),
    [("model: [\n", "C001"), ("- 1\n", "C012"), ("extends: gone.yaml\n", "C040")],
)
def test_a_base_that_cannot_be_read_hides_no_fault_of_the_file(broken, code, folder):
    write(folder / "base.yaml", broken)
    path = write(
        folder / "c.yaml",
        "extends: base.yaml\nsed: 3\ndata: {source: digit}\n"
        "training: {epochs: 0, callbacks: [{EarlyStopping: {patienc: 1, monitor: auc}}]}\n",
    )
    lines = faults(path, "model.layers.Dense.units=5", "seed")
    told = [re.search(r"error\[(\w+)\]", line)[1] for line in lines]
    # what the base may have isn't called missing
    assert told == ["C010", "D001", "C013", "K002", code, "C008"]
