"""Tables, and what becomes of their columns: against Python's csv, scikit-learn and Keras."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from tftrain import config, data
from tftrain.data import table
from tftrain.data.table import columns, kinds
from tftrain.errors import DataError

LABELS = ("no", "yes")
HINT = ", such as `{}`: data.query can make {} of them"
chance = np.random.default_rng(5)


def written(path, rows, delimiter=","):
    """Rows as dictionaries, None for a missing cell."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = buffer.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def settle(tmp_path):
    """A config of a `data` section, beside the files."""

    def settled(section, loss="BinaryCrossentropy"):
        whole = {
            "data": section,
            "model": {"layers": [{"Dense": {"units": 1}}]},
            "training": {"loss": loss, "epochs": 1},
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(whole))
        return config.load(path)

    return settled


@pytest.fixture
def load(settle, tmp_path):
    """Loads rows as a table."""

    def loaded(rows, loss="BinaryCrossentropy", **section):
        written(tmp_path / "d.csv", rows)
        return data.load(*settle({"source": "d.csv", "target": "y"} | section, loss))

    return loaded


def opened(path, section):
    return table.read(str(path), config.Data.model_validate({"source": str(path), **section}))


# Reading

names = st.text(  # `0;,0` as a first line can be read in two ways
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters=",;|"),
    min_size=1,
    max_size=6,
)
cells = st.one_of(
    st.none(),
    st.sampled_from(
        ["a,b", 'say "no"', "two\nlines", "#", "'", "NULL", "é", "中", "👩‍👧", " x ", "\\"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6),
)
numbers = st.none() | st.floats(-1e30, 1e30) | st.integers(-(2**53), 2**53)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    names=st.lists(names, min_size=2, max_size=4, unique_by=str.lower),
    rows=st.lists(st.tuples(numbers, cells, cells, cells), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    packed=st.booleans(),
)
@example(
    names=["a", "b"],
    rows=[(1, '"', None, None), (None, "\n", None, None)] * 9,
    delimiter=";",
    packed=True,
)
@example(names=["a,b", "c|d"], rows=[(1, "a,b", None, None)], delimiter=",", packed=False)
def test_cells_are_those_of_the_file_whatever_the_file(
    names, rows, delimiter, packed, tmp_path_factory
):
    if all(name.replace(".", "").isdecimal() for name in names) or "rowid" in map(str.lower, names):
        names = [f"n{name}" for name in names]
    folder = tmp_path_factory.mktemp("d")
    rows = [dict(zip(names, row, strict=False)) for row in rows]
    path = folder / f"d.csv{'.gz' if packed else ''}"
    written(path, rows, delimiter)
    section = {"columns": {name: "number" if name == names[0] else "category" for name in names}}
    read = opened(path, section)
    assert list(read.types) == [name.strip() for name in names]
    found = read.ask(", ".join(map(table.quoted, read.types)))
    expected = [tuple(row[name] for name in names) for row in rows]
    assert found == [(one[0] if one[0] is None else float(one[0]), *one[1:]) for one in expected]


def test_every_kind_of_file_gives_the_same_numbers(settle, tmp_path):
    rows = some_rows(90)
    written(tmp_path / "d.csv", rows)
    written(tmp_path / "d.tsv.gz", rows, "\t")
    written(tmp_path / "p1.csv", rows[:50])
    written(tmp_path / "p2.csv", rows[50:])
    as_parquet(tmp_path / "d.csv")
    lines = map(json.dumps, rows)
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    columns_ = {"words": {"text": {"output_mode": "count"}}}
    sources = ["d.csv", "d.tsv.gz", "p*.csv", "d.parquet", "d.jsonl"]
    first, *others = (
        data.load(*settle({"source": source, "target": "y", "columns": columns_}))
        for source in sources
    )
    assert {"number", "boolean", "category", "date", "text"} <= kinds_of(first)
    for other in others:
        assert (
            other.preparation.columns.plain()["columns"]
            == first.preparation.columns.plain()["columns"]
        )
        for name, part in first.parts().items():
            np.testing.assert_array_equal(
                other.parts()[name].raw(slice(None)), part.raw(slice(None))
            )
            np.testing.assert_array_equal(other.parts()[name].labels, part.labels)


def as_parquet(path):
    """A CSV file's rows with types of their own, beside it."""
    with duckdb.connect() as connection:
        rows = connection.read_csv(str(path), dtype={"y": "VARCHAR", "flag": "BOOLEAN"})
        rows.write_parquet(str(path.with_suffix(".parquet")))


def kinds_of(splits):
    return {line.partition(" ")[0] for line in splits.preparation.columns.described()}


def some_rows(count, *, seed=0):
    """Rows of every kind of column, with cells missing."""
    random = np.random.default_rng(seed)

    def perhaps(value, share=0.2):
        return None if random.random() < share else value

    start = datetime(2020, 2, 27, 23, 5, 7, tzinfo=UTC)
    words = ["red", "Blue", "don't", "é", "go", "stop", "x1"]
    rows = []
    for row in range(count):
        at = start + timedelta(hours=int(random.integers(0, 10_000)), seconds=row)
        rows.append(
            {
                "amount": perhaps(float(np.float32(random.normal(5, 1e3)))),
                "share": float(random.random()),
                "flag": perhaps(bool(random.random() < 0.5)),
                "city": perhaps(
                    str(random.choice(["Rome", "Oslo", "Å", "New York", "a=b", "it's"]))
                ),
                "day": perhaps(
                    str(date(2020, 1, 1) + timedelta(days=int(random.integers(0, 2_000))))
                ),
                "at": perhaps(f"{at:%Y-%m-%d %H:%M:%S}"),
                "words": " ".join(random.choice(words, 5)),
                "y": LABELS[row % 2],
            }
        )
    return rows


def test_times_with_a_zone_are_the_same_wherever_they_are_read(load, monkeypatch):
    rows = [
        {
            "at": f"2021-03-{row % 28 + 1:02}T12:00:00{('Z', '+02:00')[row % 2]}",
            "y": LABELS[row % 2],
        }
        for row in range(40)
    ]
    found = []
    for zone in ("UTC", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        found.append(load(rows).train.raw(slice(None)))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("cells", "kind", "first"),
    [
        (["01234", "00501", "94110"], "VARCHAR", "01234"),
        (["1234", "501", "94110"], "DOUBLE", 1234),
        (["0", "0.5", "0"], "DOUBLE", 0),
        (["2021-01-05", "2021-1-6", "2021/01/07"], "DATE", date(2021, 1, 5)),
        (["2021-01-05 10:00", "2021-01-06", ""], "TIMESTAMP", datetime(2021, 1, 5, 10)),  # noqa: DTZ001
        (["05/01/2021", "31/01/2021", "06/01/2021"], "VARCHAR", "05/01/2021"),
        (["infinity", "epoch", "today"], "VARCHAR", "infinity"),
        (["1,5", "2,5", "3,25"], "VARCHAR", "1,5"),
    ],
)
def test_what_cells_are_taken_for(cells, kind, first, tmp_path):
    written(tmp_path / "d.csv", [{"x": cell, "z": 1} for cell in cells * 10])
    read = opened(tmp_path / "d.csv", {})
    assert read.types["x"] == kind
    assert read.ask("x")[0] == (first,)


def test_dates_in_new_rows_are_read_as_in_training(tmp_path):
    """03/04/2021 would be a date of March in one file and of April in another."""
    written(tmp_path / "d.csv", [{"day": "03/04/2021", "z": 1}])
    section = config.Data.model_validate({"source": "d.csv"})
    with pytest.raises(
        data.table.DataError, match="expected a date such as 2021-12-31, got `03/04/"
    ):
        table.read(str(tmp_path / "d.csv"), section, {"day": "DATE"})


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "[a]b.csv", "a[*]?.parquet", "a*.jsonl"])
def test_a_file_s_name_is_no_pattern_of_others(name, tmp_path):
    for file, cell in ((name, 1), (f"ab{name[-7:]}", 2), ("ab.csv", 2), ("acx.csv", 2)):
        if file.endswith(".parquet"):
            duckdb.sql(f"SELECT {cell} AS x").write_parquet(f"{tmp_path}/p")
            (tmp_path / "p").rename(tmp_path / file)
        else:
            line = f'{{"x": {cell}}}\n' if file.endswith(".jsonl") else f"x\n{cell}\n"
            (tmp_path / file).write_text(line)
    path = str(tmp_path / name)
    opened = table.read(path, config.Data(source=path))
    assert opened.ask("x") == [(1,)]


def test_a_folder_s_name_is_no_column(tmp_path):
    folder = tmp_path / "year=2024"
    folder.mkdir()
    (folder / "d.csv").write_text("x\n1\n")
    (folder / "d.jsonl").write_text('{"x": 1}\n')
    duckdb.sql("SELECT 1 AS x").write_parquet(str(folder / "d.parquet"))
    for path in map(str, folder.iterdir()):
        assert [*table.read(path, config.Data(source=path)).types] == ["x"]


def test_awkward_names_and_paths_are_names_and_paths(settle, tmp_path):
    odd = [
        'say "no"',
        "'; DROP TABLE data; --",
        "two\nlines",
        "😀",
        "train",
        "data",
        "column0",
        "chosen",
        "select",
        "a/b",
        "{x}",
        "%s",
        "filename",
        "x",
        "row",
    ]
    rows = [
        {name: (row * place) % 17 + place / 8 for place, name in enumerate(odd, 1)}
        | {"y": LABELS[row % 2]}
        for row in range(60)
    ]
    file = "x'; DROP TABLE data; --[1]*?.csv"
    written(tmp_path / file, rows)
    for query in (None, "SELECT * FROM data"):
        section = {"source": file, "target": "y"} | ({"query": query} if query else {})
        splits = data.load(*settle(section))
        assert splits.preparation.columns.names() == odd
        values = np.array([[row[name] for name in odd] for row in rows])[splits.train.rows]
        expected = StandardScaler().fit_transform(values)
        np.testing.assert_allclose(splits.train.raw(slice(None)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "cells", "kind", "why"),
    [
        ("x", ["a", "b", None], "category", "2 different texts"),
        ("x", ["True", "false", None], "boolean", "true and false"),
        ("x", [1, 0], "number", "numbers"),
        ("stars", [1, 2, 3, 4, 5], "number", "numbers"),
        ("year", range(1990, 2021), "number", "numbers"),
        ("x", range(500), "id", "the rows' own numbers"),
        ("x", range(7, 1507, 3), "number", "numbers"),
        ("order_id", range(7, 1507, 3), "id", "another whole number in every row, and its name"),
        ("phone", range(10**9, 10**9 + 500), "id", None),  # counted roughly
        ("zip_code", [10115, 20095, 80331], "category", "3 different texts"),
        ("x", ["01067", "20095", "80331"], "category", "3 different texts"),
        (
            "x",
            ["$12.50", "$1,200"],
            "category",
            f"2 different texts{HINT.format('$1,200', 'numbers')}",
        ),
        ("x", ["45%", "5 %"], "category", f"2 different texts{HINT.format('45%', 'numbers')}"),
        (
            "x",
            ["31/12/2020", "1/2/2020"],
            "category",
            f"2 different texts{HINT.format('1/2/2020', 'dates')}",
        ),
        ("x", ["2020-12-31", None], "date", "dates"),
        ("x", [f"nobody wrote {row} of them" for row in range(99)], "text", "5 words in a cell"),
        ("x", [None], "constant", "no value"),
        ("x", ["a", None], "category", "1 different texts"),
    ],
)
def test_what_columns_are_taken_for_and_why(name, cells, kind, why, tmp_path):
    cells = list(cells)
    rows = [{name: cells[row % len(cells)], "z": row % 7} for row in range(500)]
    written(tmp_path / "d.csv", rows)
    read = opened(tmp_path / "d.csv", {})
    table.mask(read, np.arange(0, 300))
    found = kinds.kinds(read, config.Data.model_validate({"source": "d.csv"}))[name]
    assert (found.kind, found.why) == (kind, why or found.why)


def test_what_labels_and_orders_rows_counts_whatever_its_name(tmp_path):
    written(tmp_path / "d.csv", [{"phone": row, "fax": row, "tel": row} for row in range(40)])
    read = opened(tmp_path / "d.csv", {"target": "phone", "time": "fax"})
    assert dict(read.types) == {"phone": "DOUBLE", "fax": "DOUBLE", "tel": "VARCHAR"}


# Learning


@pytest.mark.parametrize("impute", ["median", "mean", "most_frequent", -3.5])
@pytest.mark.parametrize(
    ("scaling", "scaler"), [("standardize", StandardScaler), ("rescale", MinMaxScaler)]
)
def test_numbers_are_scikit_learns(impute, scaling, scaler, load):
    """Its scaler learns before the gaps are filled, as ours does."""
    rows = [{"x": row["amount"], "z": row["share"], "y": row["y"]} for row in some_rows(200)]
    splits = load(rows, columns={"x": {"number": {"impute": impute, "scaling": scaling}}})
    values = np.array([[np.nan if row["x"] is None else row["x"]] for row in rows])
    strategy = {"constant": -3.5} if impute == -3.5 else {}
    imputer = SimpleImputer(
        strategy="constant" if strategy else impute, fill_value=-3.5, keep_empty_features=True
    )
    imputer.fit(values[splits.train.rows])
    fitted = scaler().fit(values[splits.train.rows])
    for part in splits.parts().values():
        expected = fitted.transform(imputer.transform(values[part.rows]))[:, 0]
        found = part.raw(slice(None))
        np.testing.assert_allclose(found[:, 0], expected, rtol=2e-6, atol=2e-6)
        np.testing.assert_array_equal(found[:, 1], np.isnan(values[part.rows, 0]))


def test_names_are_scikit_learns(load):
    rows = [{"x": row["city"], "y": row["y"]} for row in some_rows(200)]
    rows[-1]["x"] = rows[-3]["x"] = "seen once"
    splits = load(rows, columns={"x": {"category": {"min_frequency": 3}}})
    values = np.array([[row["x"] or ""] for row in rows], object)
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=False
    )
    encoder.fit(values[splits.train.rows])
    for part in splits.parts().values():
        expected = encoder.transform(values[part.rows])
        known = expected[:, : len(splits.preparation.columns.columns[0].vocabulary)]
        found = part.raw(slice(None))
        np.testing.assert_array_equal(found[:, 1:], known)
        np.testing.assert_array_equal(found[:, 0], 1 - known.sum(axis=1))


def test_a_table_is_scikit_learns_pipeline(load):
    rows = [{"a": row["amount"], "b": row["share"], "y": row["y"]} for row in some_rows(120)]
    splits = load(rows, columns={"a": {"number": {"impute": 0}}})
    values = np.array([[row["a"] or np.nan, row["b"]] for row in rows])
    train = values[splits.train.rows]
    pipeline = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0))
    expected = pipeline.fit(train).transform(train)
    given_ = ~np.isnan(train)
    found = splits.train.raw(slice(None))[:, [0, 2]]
    np.testing.assert_allclose(found[given_], expected[given_], rtol=2e-6, atol=2e-6)


EVERY = {
    "amount": {"number": {"impute": "median"}},
    "share": {"number": {"num_bins": 4}},
    "words": {"text": {"output_mode": "tf_idf"}},
}


@pytest.mark.parametrize("split", [{}, {"time": "at"}, {"group": "city"}])
def test_only_training_rows_are_learnt_from(split, load):
    """Everything in the other rows changes but their labels, and what the split looks at."""
    rows = some_rows(300)
    rows = [
        {"row": place, "id": place * 7919 % 1009, "one": 1.5, **row}
        for place, row in enumerate(rows)
    ]
    kept = {"y", *split.values()}
    for row in rows:
        row["at"] = row["at"] or "2020-01-01 00:00:00"
        row["city"] = row["city"] or "Rome"
    sections = {"columns": EVERY, **split}
    before = load(rows, **sections)
    other = some_rows(300, seed=1)
    train = set(before.train.rows.tolist())
    assert len(train) < 300
    changed = [
        row
        if place in train
        else {
            name: cell if name in kept else changed_cell(name, cell, other[place])
            for name, cell in row.items()
        }
        for place, row in enumerate(rows)
    ]
    after = load(changed, **sections)
    np.testing.assert_array_equal(after.train.rows, before.train.rows)
    np.testing.assert_array_equal(
        columns.as_bytes(after.preparation.columns), columns.as_bytes(before.preparation.columns)
    )
    np.testing.assert_array_equal(after.train.raw(slice(None)), before.train.raw(slice(None)))
    assert not np.array_equal(after.test.raw(slice(None)), before.test.raw(slice(None)))


def changed_cell(name, cell, other):
    """Another cell of the same type, far from what it was."""
    if name in ("row", "id", "one", "amount", "share"):
        return None if name == "amount" and cell else 1e6 + (cell or 0)
    if name == "city":
        return None if cell == "Oslo" else "Nowhere"
    if name == "words":
        return "nothing of the like was ever written in this table"
    return other[name]


def test_what_is_learnt_comes_back_to_the_bit(load):
    rows = some_rows(150)
    for row in rows:
        row["hashed"] = row["city"]
    section = {"columns": EVERY | {"hashed": {"category": {"num_hashes": 5}}}}
    splits = load(rows, **section)
    learnt = splits.preparation.columns
    again = columns.from_bytes(columns.as_bytes(learnt))
    assert json.dumps(again.plain()) == json.dumps(learnt.plain())
    assert again.columns[0] == learnt.columns[0]
    kept = data.preparation_of(splits.preparation.arrays())
    assert json.dumps(kept.columns.plain()) == json.dumps(learnt.plain())


def test_hashed_names_have_the_same_place_in_every_table(tmp_path):
    """Each table numbers its names by itself, and two may be read at a time."""
    hashed = columns.Columns((columns.Hashed("city", 50),))
    towns = [f"t{one}" for one in range(300)]
    path = tmp_path / "d.csv"
    read = []
    for names in (towns, towns[::-1]):
        path.write_text("\n".join(["city,x", *(f"{name},1" for name in names)]))
        read.append(table.read(str(path), config.Data(source=str(path))))
    ((one, other),) = zip(*map(hashed.blocks, read), strict=True)
    assert (one == other[::-1]).all()
    assert one.any(axis=0).all()


# Splitting


def test_groups_stay_together_and_shares_are_kept(load):
    rows = [
        {
            "x": chance.normal(),
            "who": f"p{chance.integers(0, 60)}",
            "y": LABELS[int(chance.random() < 0.3)],
        }
        for _ in range(900)
    ]
    splits = load(rows, group="who")
    who = np.array([row["who"] for row in rows])
    parts = {name: set(who[part.rows]) for name, part in splits.parts().items()}
    assert not parts["train"] & parts["validation"]
    assert not parts["train"] & parts["test"]
    assert not parts["validation"] & parts["test"]
    for name, share in {"train": 0.6, "validation": 0.2, "test": 0.2}.items():
        part = splits.parts()[name]
        assert abs(len(part) / 900 - share) < 0.03
        assert abs(part.labels.mean() - splits.train.labels.mean()) < 0.06
    assert "who" not in splits.preparation.columns.names()


def test_time_is_split_in_order_and_equal_times_in_the_order_of_the_rows(load):
    moments = [f"2021-01-{int(day):02}" for day in chance.integers(1, 10, 100)]
    rows = [
        {"x": row, "z": chance.normal(), "at": at, "y": LABELS[row % 2]}
        for row, at in enumerate(moments)
    ]
    splits = load(rows, time="at", columns={"x": "number"})
    order = sorted(range(100), key=lambda row: moments[row])
    assert sorted(order[:60]) == splits.train.rows.tolist()
    assert sorted(order[60:80]) == splits.validation.rows.tolist()
    assert sorted(order[80:]) == splits.test.rows.tolist()


def test_validation_and_test_from_tables_of_their_own(settle, tmp_path):
    rows = some_rows(120)
    written(tmp_path / "a.csv", rows[:80])
    shuffled = [dict(reversed(row.items())) for row in rows[80:100]]
    written(tmp_path / "b.csv", shuffled, ";")
    written(tmp_path / "c.csv", rows[100:])
    as_parquet(tmp_path / "c.csv")
    section = {"source": "a.csv", "target": "y", "columns": EVERY}
    section["split"] = {"train": 1, "validation": "b.csv", "test": "c.parquet"}
    splits = data.load(*settle(section))
    written(tmp_path / "all.csv", rows)
    everything = table.read(
        str(tmp_path / "all.csv"),
        config.Data.model_validate({"source": "all.csv"}),
        splits.preparation.columns.types,
    )
    matrix = np.concatenate(list(splits.preparation.columns.blocks(everything)))
    parts = [splits.train, splits.validation, splits.test]
    np.testing.assert_array_equal(np.concatenate([part.raw(slice(None)) for part in parts]), matrix)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a"], ("a", "b")),
        (["true", "false"], ("false", "true")),
        (["1", "0"], ("0", "1")),
        (["yes", "no"], ("no", "yes")),
    ],
)
def test_labels_of_any_kind_and_weights_from_a_column(labels, classes, load):
    rows = [{"x": chance.normal(), "w": row / 4, "y": labels[row % 2]} for row in range(60)]
    splits = load(rows, sample_weight="w")
    assert splits.form.classes == classes
    for part in splits.parts().values():
        named = [classes[int(label)] for label in part.labels]
        assert named == [labels[row % 2] for row in part.rows]
        np.testing.assert_array_equal(part.weights, part.rows / np.float32(4))
    assert splits.preparation.columns.names() == ["x"]


@pytest.mark.parametrize("positive", [True, "TRUE", "true"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_true_and_false_are_the_same_however_they_are_written(form, positive, settle, tmp_path):
    own = np.random.default_rng(1)
    rows = [{"x": own.normal(), "y": row % 3 == 0} for row in range(60)]
    written(tmp_path / "d.csv", [row | {"y": str(row["y"]).upper()} for row in rows])
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    if form == "csv":
        written(tmp_path / "test.csv", [row | {"y": str(row["y"])} for row in rows])
    elif form == "parquet":
        copied = f"COPY (FROM '{tmp_path}/test.jsonl') TO '{tmp_path}/test.parquet'"
        duckdb.sql(copied)
    split = {"train": 0.8, "validation": 0.2, "test": f"test.{form}"}
    section = {"source": "d.csv", "target": "y", "split": split}
    for said in ({"positive": positive}, {"classes": [False, positive]}):
        settled, source = settle(section | said)
        weighted = settled.training.model_copy(update={"class_weight": {"TRUE": 2.0}})
        splits = data.load(settled.model_copy(update={"training": weighted}), source)
        assert splits.form.classes == ("false", "true")
        assert splits.test.labels.tolist() == [int(row["y"]) for row in rows]
        assert set(splits.weighted.weights.tolist()) == {1, 2}
    only = [row | {"y": "True"} for row in rows]
    written(tmp_path / "only.csv", only)
    part = data.load_part(
        settled,
        str(tmp_path / "only.csv"),
        data.Encoding(splits.form.classes),
        splits.preparation,
    )
    assert part.labels.tolist() == [1] * 60


def test_what_a_query_makes_numbers_of_it_does_in_other_files_too(settle, tmp_path):
    rows = [{"x": f"1.003,{row:02}", "z": row, "y": LABELS[row % 2]} for row in range(60)]
    for name in ("d.csv", "test.csv"):
        written(tmp_path / name, rows)
    query = "SELECT * REPLACE (replace(replace(x, '.', ''), ',', '.')::DOUBLE AS x) FROM data"
    split = {"train": 0.8, "validation": 0.2, "test": "test.csv"}
    section = {"source": "d.csv", "target": "y", "query": query, "split": split}
    splits = data.load(*settle(section | {"columns": {"x": {"number": {"scaling": "none"}}}}))
    assert splits.test.raw(slice(None))[7, 0] == np.float32(1003.07)
    rows[7]["z"] = "seven"
    written(tmp_path / "test.csv", rows)
    with pytest.raises(DataError, match=r"row 7 .* column `z`: expected a number, got `seven`"):
        data.load(*settle(section))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM data ORDER BY hash(x)",
        "SELECT * FROM data USING SAMPLE reservoir(50 ROWS) REPEATABLE (3)",
        "SELECT x, y, 'random()' AS z FROM data -- random()",
    ],
)
def test_a_query_that_gives_the_same_every_time_is_taken(query, load):
    own = np.random.default_rng(1)
    rows = [{"x": own.normal(), "y": LABELS[row % 2]} for row in range(60)]
    assert load(rows, query=query).fingerprint == load(rows, query=query).fingerprint


def test_the_index_that_pandas_writes_tells_rows_apart(settle, tmp_path):
    own = np.random.default_rng(1)
    order = own.permutation(60)
    rows = [{"": order[row], "x": own.normal(), "y": LABELS[row % 2]} for row in range(60)]
    written(tmp_path / "d.csv", rows)
    settled, source = settle({"source": "d.csv", "target": "y"})
    splits = data.load(settled, source)
    assert splits.preparation.columns.names() == ["x"]
    assert splits.preparation.columns.dropped["Unnamed: 0"].startswith("id: ")
    number = {"columns": {"Unnamed: 0": "number"}}
    splits = data.load(*settle({"source": "d.csv", "target": "y"} | number))
    assert splits.preparation.columns.names() == ["Unnamed: 0", "x"]


@pytest.mark.parametrize("horizon", [1, 3])
def test_windows_are_those_of_a_loop(horizon, settle, tmp_path):
    values = chance.normal(size=50).astype(np.float32).tolist()
    order = chance.permutation(50)
    rows = [{"at": int(place), "v": values[place]} for place in order]
    written(tmp_path / "d.csv", rows)
    section = {"source": "d.csv", "time": "at", "scaling": "none"}
    section["series"] = {"column": "v", "lags": 4, "horizon": horizon}
    splits = data.load(*settle(section, "MeanSquaredError"))
    windows = [
        (values[start : start + 4], values[start + 3 + horizon])
        for start in range(50 - 3 - horizon)
    ]
    found = [
        (window.tolist(), label)
        for part in splits.parts().values()
        for window, label in zip(part.raw(slice(None)), part.labels.tolist(), strict=True)
    ]
    assert found == windows


@pytest.mark.parametrize("kind", ["standardize", "log"])
def test_targets_come_back_in_their_units(kind, load):
    rows = [{"x": chance.normal(), "y": float(np.exp(chance.normal(3, 2)))} for _ in range(200)]
    splits = load(rows, "MeanSquaredError", target_scaling=kind)
    target = splits.preparation.target
    prices = np.array([row["y"] for row in rows])
    numbers_ = np.log1p(prices) if kind == "log" else prices
    fitted = StandardScaler().fit(numbers_[splits.train.rows, None])
    for part in splits.parts().values():
        expected = fitted.transform(numbers_[part.rows, None])[:, 0]
        np.testing.assert_allclose(part.labels, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(target.restore(part.labels), prices[part.rows], rtol=1e-4)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("kind", ["standardize", "log"])
def test_metrics_and_the_exported_model_are_in_the_targets_units(kind, tmp_path):
    from tftrain import fit
    from tftrain.backend import keras
    from tftrain.terminal import Silent

    random = np.random.default_rng(3)
    xs = random.normal(size=400)
    prices = np.exp(1 + 0.5 * xs + 0.1 * random.normal(size=400))
    written(
        tmp_path / "d.csv",
        [{"x": float(x), "y": float(price)} for x, price in zip(xs, prices, strict=True)],
    )
    whole = {
        "data": {"source": "d.csv", "target": "y", "target_scaling": kind},
        "model": {"layers": [{"Dense": {"units": 1}}]},
        "training": {"loss": "MeanSquaredError", "metrics": ["mae", "R2Score"], "epochs": 3},
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(whole))
    asked = fit.prepare(path, runs_dir=tmp_path / "runs")
    run = fit.fit(asked, Silent())
    model = keras.models.load_model(run.folder / "model.keras")
    rows = asked.splits.test.rows
    predicted = model.predict({"x": xs[rows, None].astype(np.float32)}, verbose=0)[:, 0]
    metrics = run.summary["metrics"]["test"]
    mae = next(value for name, value in metrics.items() if name in ("mae", "mean_absolute_error"))
    assert mae == pytest.approx(mean_absolute_error(prices[rows], predicted), rel=1e-5)
    assert metrics["r2_score"] == pytest.approx(r2_score(prices[rows], predicted), abs=1e-5)


# The exported model

MODES = {
    "numbers": {"amount": {"number": {"impute": "mean", "scaling": "rescale"}}},
    "bins": {"amount": {"number": {"num_bins": 3}}, "share": {"number": {"num_bins": 7}}},
    "few names": {"city": {"category": {"max_categories": 2}}},
    "frequent names": {"city": {"category": {"min_frequency": 20}}},
    "hashed names": {"city": {"category": {"num_hashes": 3}}},
    "tf_idf": {"words": {"text": {"output_mode": "tf_idf", "ngrams": 2}}},
    "multi_hot": {"words": {"text": {"output_mode": "multi_hot", "max_tokens": 4}}},
    "count": {
        "words": {"text": {"output_mode": "count"}},
        "city": {"text": {"output_mode": "count"}},
    },
    "tokens alone": {"words": {"text": {"output_mode": "int"}}}
    | dict.fromkeys(["amount", "share", "flag", "city", "day", "at"], "drop"),
    "one number": dict.fromkeys(["share", "flag", "city", "day", "at", "words"], "drop"),
    "one category": dict.fromkeys(["share", "flag", "amount", "day", "at", "words"], "drop"),
}
LOADED = """
import json, sys
import numpy as np, keras
assert not any(name.startswith("tftrain") for name in sys.modules)
model = keras.models.load_model(sys.argv[1])
raw = np.load(sys.argv[2])
inputs = {name: keras.ops.convert_to_tensor(raw[name]) for name in raw.files}
np.save(sys.argv[3], model.predict(inputs, verbose=0))
"""


@pytest.fixture
def exported(load, settle, tmp_path):
    """A model for others, raw columns for it, and what the network makes of the prepared ones."""
    from tftrain.backend import keras
    from tftrain.exported import exportable

    def made(section, rename=str):
        rows = [{rename(name): cell for name, cell in row.items()} for row in some_rows(120)]
        section = {
            "target": rename("y"),
            "columns": {rename(name): one for name, one in section.items()},
        }
        splits = load(rows, **section)
        learnt = splits.preparation.columns
        new = [{rename(name): cell for name, cell in row.items()} for row in some_rows(80, seed=9)]
        new[0][rename("city")] = "never seen"
        new[1][rename("words")] = ""
        written(tmp_path / "new.csv", new)
        settled, _ = settle({"source": "new.csv"} | section)
        read = table.read(str(tmp_path / "new.csv"), settled.data, learnt.types)
        network = keras.Sequential([keras.Input((learnt.width,)), keras.layers.Dense(2)])
        matrix = np.concatenate(list(learnt.blocks(read)))
        expected = np.asarray(network(matrix))
        return exportable(network, settled, splits.preparation), raw_inputs(learnt, new), expected

    return made


def raw_inputs(learnt, rows):
    """Columns as a stranger would give them to the exported model."""
    inputs = {}
    for one in learnt.columns:
        given_ = [row[one.name] for row in rows]
        if isinstance(one, columns.Number):
            floats = [np.nan if cell is None else float(cell) for cell in given_]
            inputs[one.name] = np.array(floats, np.float32)[:, None]
        elif isinstance(one, columns.Date):
            inputs[one.name] = np.array([days(cell) for cell in given_], np.float32)[:, None]
        else:
            inputs[one.name] = np.array([cell or "" for cell in given_])[:, None]
    return inputs


def days(cell):
    if cell is None:
        return np.nan
    return datetime.fromisoformat(cell).replace(tzinfo=UTC).timestamp() / 86_400


def tensors(inputs):
    from tftrain.backend import keras

    return {name: keras.ops.convert_to_tensor(values) for name, values in inputs.items()}


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("section", MODES.values(), ids=MODES)
def test_the_exported_model_does_what_training_saw(section, exported):
    model, inputs, expected = exported(section)
    np.testing.assert_allclose(
        model(tensors(inputs)), expected, rtol=0, atol=1e-6 * scale(expected)
    )
    predicted = model.predict(tensors(inputs), batch_size=7, verbose=0)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-6 * scale(expected))


def scale(expected):
    """Outputs that are no probabilities may be larger than 1."""
    return max(1.0, float(np.abs(expected).max()))


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("rename", [str, '{}/"q" 😀 \\ {{'.format, "{}.weird:name".format])
def test_the_exported_model_needs_nothing_of_tftrain(rename, exported, tmp_path):
    model, inputs, expected = exported({"city": {"category": {"num_hashes": 4}}}, rename)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "raw.npz", **{f"{name}": values for name, values in inputs.items()})
    (tmp_path / "loaded.py").write_text(LOADED)
    files = [str(tmp_path / name) for name in ("loaded.py", "model.keras", "raw.npz", "out.npy")]
    done = subprocess.run([sys.executable, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * scale(expected))
