"""Prepared rows that are kept: the same to the bit, for the same data only, never half of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tftrain import config, data, spans, store
from tftrain.data import cache, splits
from tftrain.errors import DataError, StorageError

ROWS = 400
TWO = """
import sys, pathlib
from tftrain import config, data
from tftrain.data import cache
cache.MEMORY_BYTES = 0
print(data.load(*config.load(pathlib.Path(sys.argv[1]))).fingerprint)
"""


@pytest.fixture(autouse=True)
def cached(monkeypatch, tmp_path):
    """A cache of this test's own, for matrices of any size."""
    monkeypatch.setenv("TFTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "MEMORY_BYTES", 0)
    return tmp_path / "cache" / "prepared"


@pytest.fixture
def load(tmp_path):
    """Writes a config over a table, loads its rows."""
    write_table(tmp_path / "rows.csv")

    def loaded(section=None, **other):
        return data.load(*config.load(write_config(tmp_path, section, **other)))

    return loaded


def write_table(path, rows=ROWS, shift=0.0, name="a"):
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, 2)) + shift
    lines = [f"{name},b,town,weight,label"]
    for row, (one, other) in enumerate(numbers):
        town = ("Ulm", "", "Köln")[row % 3]
        lines.append(f"{one:.5f},{other:.5f},{town},{1 + row % 2},{'yes' if one > 0 else 'no'}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def write_config(folder, section=None, training=None, seed=3):
    content = {
        "seed": seed,
        "data": {"source": "rows.csv", "target": "label", **(section or {})},
        "model": {"layers": [{"Dense": {"units": 1, "activation": "sigmoid"}}]},
        "training": {"loss": "BinaryCrossentropy", "epochs": 1, **(training or {})},
    }
    path = folder / "job.yaml"
    path.write_text(json.dumps(content), "utf-8")
    return path


def names(cached):
    return sorted(path.name for path in cached.iterdir())


def assert_same(one, other):
    assert one.form == other.form
    assert one.fingerprint == other.fingerprint
    assert one.notes == other.notes
    assert one.parts().keys() == other.parts().keys()
    pairs = [(part, other.parts()[name]) for name, part in one.parts().items()]
    for ours, theirs in [*pairs, (one.weighted, other.weighted)]:
        for key in ("inputs", "labels", "weights", "rows"):
            left, right = getattr(ours, key), getattr(theirs, key)
            assert (left is None) == (right is None)
            if left is not None:
                assert left.dtype == right.dtype
                np.testing.assert_array_equal(left, right)
    learnt, kept = one.preparation.arrays(), other.preparation.arrays()
    assert learnt.keys() == kept.keys()
    for name, array in learnt.items():
        np.testing.assert_array_equal(array, kept[name])


SECTIONS = [
    {},
    {"sample_weight": "weight"},
    {"target": "b", "target_scaling": "standardize", "columns": {"label": "drop"}},
    {"group": "town"},
    {"query": "SELECT * FROM data WHERE a < 1"},
    {"split": {"train": 1, "validation": "other.csv"}},
]


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_kept_rows_are_the_same_to_the_bit(section, load, cached, tmp_path, monkeypatch):
    write_table(tmp_path / "other.csv", rows=90)
    training = {"loss": "MeanSquaredError"} if "target" in section else {"class_weight": "balanced"}
    made = load(section, training=training)
    (entry,) = names(cached)
    with monkeypatch.context() as patched:
        patched.setattr(data, "_joined", None)  # there is no other way than the cache
        kept = load(section, training=training)
    assert_same(made, kept)
    assert isinstance(kept.train.inputs, np.memmap)
    monkeypatch.setattr(cache, "MEMORY_BYTES", 10**9)
    (cached / entry).rename(cached / ".tmp-away")
    assert_same(load(section, training=training), kept)


def test_a_matrix_is_written_once(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFTRAIN_CACHE_DIR", "cache")
    rows = load()
    matrix = rows.train.inputs
    assert matrix.nbytes < store.entries()[0].size < 2.5 * matrix.nbytes


def test_small_matrices_leave_nothing_behind(load, cached, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_BYTES", 10**6)
    rows = load()
    assert not isinstance(rows.train.inputs, np.memmap)
    assert not cached.exists()


def test_a_kept_table_needs_no_duckdb(load, tmp_path):
    load()
    script = TWO + "assert 'duckdb' not in sys.modules and 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, tmp_path / "job.yaml"], check=True, timeout=60)


@pytest.mark.parametrize(
    "change",
    [
        {"section": {"columns": {"b": "drop"}}},
        {"section": {"classes": ["yes", "no"]}},
        {"section": {"split": {"train": 0.8, "validation": 0.2}}},
        {"seed": 4},
        {"training": {"loss": "Hinge"}},
        {"training": {"class_weight": {"yes": 2.0}}},
    ],
    ids=str,
)
def test_another_question_has_another_answer(change, load, cached):
    load()
    load(**change)
    assert len(names(cached)) == 2


def test_what_does_not_matter_shares_an_entry(load, cached, tmp_path):
    load()
    load(training={"epochs": 7, "batch_size": 8})
    os.utime(tmp_path / "rows.csv", (1, 1))
    load()
    (tmp_path / "rows.csv").rename(tmp_path / "moved.csv")
    load({"source": "moved.csv"})
    assert len(names(cached)) == 1


def test_other_content_of_the_same_size_is_noticed(load, cached, tmp_path):
    before = load()
    write_table(tmp_path / "rows.csv", name="c")
    assert load().preparation.columns.names()[0] == "c"
    assert before.preparation.columns.names()[0] == "a"
    assert len(names(cached)) == 2


def test_a_file_that_changes_while_it_is_read_is_not_kept(load, cached, tmp_path, monkeypatch):
    whole = cache._write  # noqa: SLF001

    def meanwhile(*arguments):
        os.utime(tmp_path / "rows.csv", (1, 1))
        whole(*arguments)

    monkeypatch.setattr(cache.Key, "content", lambda _: None)
    monkeypatch.setattr(cache, "_write", meanwhile)
    assert len(load().train) == 240
    assert names(cached) == []
    monkeypatch.undo()
    key = cache.Key("x", (tmp_path / "rows.csv",), ((1, 1),))
    assert key.content() is None


def damaged_files(entry):
    return [path.name for path in sorted(entry.iterdir())]


@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_damaged_entries_are_made_anew(how, load, cached):
    made = load()
    (name,) = names(cached)
    for file in damaged_files(cached / name):
        path = cached / name / file
        content = path.read_bytes()
        middle = len(content) // 2
        if how == "cut":
            path.write_bytes(content[:middle])
        elif how == "changed":
            path.write_bytes(
                content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            )
        else:
            path.unlink()
        assert_same(load(), made)
        assert names(cached) == [name]
        assert path.exists()


def test_a_fault_of_the_data_leaves_nothing(load, cached):
    with pytest.raises(DataError):
        load(training={"class_weight": {"perhaps": 1.0}})
    assert names(cached) == []


def test_two_processes_at_once_keep_one_entry(load, cached, tmp_path):
    path = write_config(tmp_path)
    command = [sys.executable, "-c", TWO, str(path)]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {job.communicate(timeout=120)[0] for job in jobs}
    assert [job.returncode for job in jobs] == [0, 0]
    assert said == {f"{load().fingerprint}\n"}
    assert len(names(cached)) == 1


def test_whoever_comes_second_leaves_the_first_ones_entry(load, cached, monkeypatch):
    made = load()
    (name,) = names(cached)
    stamp = (cached / name).stat().st_ino
    monkeypatch.setattr(cache, "find", lambda _: None)
    assert_same(load(), made)
    assert names(cached) == [name]
    assert (cached / name).stat().st_ino == stamp


def test_a_full_disk_is_one_line(load, cached, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(StorageError, match=r"error\[R003\]: can't be written: No space left"):
        load()
    assert names(cached) == []


def test_a_cache_that_cannot_be_written_is_a_note(load, cached, monkeypatch):
    cached.parent.write_text("a file")
    rows = load()
    (note,) = rows.notes
    assert (note.code, note.severity) == ("R003", "warning")
    assert "in a temporary file, for this run only" in str(note)
    assert len(rows.train.take(slice(None))[0]) == 240
    cached.parent.unlink()
    monkeypatch.undo()
    assert load().fingerprint == rows.fingerprint


def test_the_least_recently_used_make_room(load, cached, monkeypatch):
    load()
    load(seed=4)
    first, second = reversed(store.entries())
    os.utime(first.folder / store.MANIFEST, (time.time() - 10,) * 2)
    monkeypatch.setattr(store, "LIMIT_BYTES", 2 * first.size)
    load(seed=5)
    left = names(cached)
    assert len(left) == 2
    assert second.folder.name in left
    assert first.folder.name not in left


def test_use_keeps_an_entry_young(load):
    load()
    (entry,) = store.entries()
    os.utime(entry.folder / store.MANIFEST, (1000, 1000))
    load()
    assert store.entries()[0].used > time.time() - 60


def test_rows_of_another_file_leave_nothing(load, cached, tmp_path):
    rows = load()
    settings, _ = config.load(write_config(tmp_path))
    encoding = data.Encoding(rows.form.classes)
    write_table(tmp_path / "new.csv", rows=50)
    part = data.load_part(settings, str(tmp_path / "new.csv"), encoding, rows.preparation)
    assert isinstance(part.inputs, np.memmap)
    assert np.isfinite(part.raw(slice(None))).all()
    assert len(names(cached)) == 1


def test_leftovers_of_a_process_that_was_killed_go(load, cached):
    for name, age in (("old", 2 * 86400), ("new", 60)):
        (cached / f".tmp-{name}").mkdir(parents=True)
        os.utime(cached / f".tmp-{name}", (time.time() - age,) * 2)
    load()
    assert ".tmp-old" not in names(cached)
    assert ".tmp-new" in names(cached)


def test_clearing(load, cached):
    load()
    load(seed=4)
    old = store.entries()[1]
    os.utime(old.folder / store.MANIFEST, (time.time() - 3 * 86400,) * 2)
    assert store.clear(spans.seconds("3w")) == (0, 0)
    assert store.clear(spans.seconds("2d")) == (1, old.size)
    (cached / ".tmp-left").mkdir()
    (cached / "strange").mkdir()
    assert store.clear(0.0)[0] == 1
    assert (cached / "strange").is_dir()
    assert store.clear() == (0, 0)
    assert names(cached) == []
    assert store.clear() == (0, 0)


@pytest.mark.parametrize("age", ["", "30", "d", "0d", "-1d", "1 d", "1y", "1.5h"])
def test_an_age_has_a_unit(age):
    with pytest.raises(ValueError, match="30m"):
        spans.seconds(age)


def test_ages_in_seconds():
    assert [spans.seconds(age) for age in ("90m", "12h", "1d", "2w")] == [
        5400,
        43200,
        86400,
        1209600,
    ]


def test_pages_of_a_kept_matrix_are_given_back(load, monkeypatch):
    load()
    given = []
    monkeypatch.setattr(splits, "release", given.append)
    load().train.take(slice(5))
    assert len(given) == 1


@pytest.mark.parametrize("rows", [range(0, 400, 3), range(399, 0, -7), [], [5, 5, 390, 2], [399]])
def test_rows_are_gathered_stretch_by_stretch(rows, load, monkeypatch):
    inputs = load().train.inputs
    monkeypatch.setattr(splits, "_STRETCH_BYTES", 10 * inputs[:1].nbytes)
    chosen = np.array(rows, np.int64)
    np.testing.assert_array_equal(splits.gather(inputs, chosen), np.asarray(inputs)[chosen])
