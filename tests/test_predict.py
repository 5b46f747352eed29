"""New rows in, predictions out: the same as the exported model's, in order, and safe to open."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import os
import sys
import warnings
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from conftest import ROOT
from tftrain import predict, predictions, recorded, runs
from tftrain.data.table import columns as prepared
from tftrain.data.table import written
from tftrain.data.table.written import Cells
from tftrain.errors import DataError, StorageError
from tftrain.terminal import Silent

pytestmark = pytest.mark.usefixtures("tensorflow")

RANDOM = np.random.default_rng(0)
ROWS = 400
NAMES = ["id", "x.box", "a b", "a/b", "größe", "plan", "vip", "since", "=label"]
EPOCH = dt.date(1970, 1, 1)


def made(rows, plans, *, seed=0):
    """Rows of every kind of column, some cells missing, under awkward names."""
    random = np.random.default_rng(seed)
    for row in range(rows):
        x, y, z, w = random.normal(size=4)
        yield {
            "id": f"{row:05}",
            "x.box": f"{x:.4f}" if random.random() > 0.1 else "",
            "a b": f"{y:.3f}",
            "a/b": f"{z * 1000:.1f}",
            "größe": f"{w:.5g}" if random.random() > 0.2 else "",
            "plan": str(random.choice(plans)),
            "vip": str(random.choice(["true", "false"])),
            "since": str(dt.date(2020, 1, 1) + dt.timedelta(int(random.integers(900)))),
            "=label": "-yes" if x + y > 0 else "+no",
        }


def as_csv(path, rows, names=NAMES):
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def trained(folder, *, target, columns, layers, training):
    from tftrain import fit as job

    as_csv(folder / "train.csv", made(ROWS, ["basic", "pro", "", "a,b"]))
    data = {"source": "train.csv", "target": target, "columns": columns}
    if target == "a/b":
        data["target_scaling"] = "standardize"
    config = {"data": data, "model": {"layers": layers}, "training": training | {"threads": 2}}
    (folder / "t.yaml").write_text(json.dumps(config))
    run = job.fit(job.prepare(folder / "t.yaml", runs_dir=folder / "runs"), Silent())
    return recorded.read(run.folder, run.summary)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    layers = [{"Dense": {"units": 8, "activation": "relu"}}]
    layers += [{"Dense": {"units": 1, "activation": "sigmoid"}}]
    return trained(
        tmp_path_factory.mktemp("classes"),
        target="=label",
        columns={"a/b": {"number": {"num_bins": 4}}},
        layers=layers,
        training={"loss": "BinaryCrossentropy", "metrics": ["accuracy"], "epochs": 5},
    )


@pytest.fixture(scope="module")
def regressor(tmp_path_factory):
    return trained(
        tmp_path_factory.mktemp("numbers"),
        target="a/b",
        columns={"=label": "drop"},
        layers=[{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 1}}],
        training={"loss": "MeanSquaredError", "metrics": ["MeanAbsoluteError"], "epochs": 3},
    )


@pytest.fixture
def new(tmp_path):
    """Rows without labels, some of plans that training never saw."""
    names = NAMES[:-1]
    return as_csv(tmp_path / "new.csv", made(300, ["pro", "", "weekly"], seed=1), names)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_json(rows, **more):
    return "\n".join(json.dumps({k: v or None for k, v in row.items()} | more) for row in rows)


def exported(run, path):
    """What the exported model says of the raw cells of a CSV file."""
    from tftrain.backend import keras

    rows = read(path)
    inputs = {}
    for name, kind in run.preparation.columns.types.items():
        cells = [row[name] for row in rows]
        if kind == "DOUBLE":
            values = np.array([float(cell or "nan") for cell in cells], np.float32)
        elif kind == "DATE":
            dates = map(dt.date.fromisoformat, cells)
            values = np.array([(date - EPOCH).days for date in dates], np.float32)
        elif name == "vip":
            values = np.array([cell == "true" for cell in cells], np.float32)
        else:
            values = keras.ops.convert_to_tensor(cells, "string")[:, None]
        inputs[name] = values if name == "plan" else values[:, None]
    with (
        warnings.catch_warnings()
    ):  # Keras allows no `/` in an input's name, but takes the column's
        warnings.simplefilter("ignore", UserWarning)
        model = keras.models.load_model(run.folder / runs.MODEL)
    return model.predict_on_batch(inputs)


def test_classes_are_those_of_the_exported_model(classifier, new, tmp_path):
    kinds = {column.name: column.kind for column in classifier.preparation.columns.columns}
    assert kinds == {
        "x.box": "number",
        "a b": "number",
        "a/b": "number",
        "größe": "number",
        "plan": "category",
        "vip": "number",
        "since": "date",
    }
    predict.predict(classifier, str(new), str(tmp_path / "out.csv"))
    theirs = exported(classifier, new)[:, 0]
    rows = read(tmp_path / "out.csv")
    ours = np.array([float(row["probability_-yes"]) for row in rows])
    assert np.abs(ours - theirs).max() < 1e-6
    assert np.ptp(theirs) > 0.2
    assert [row["class"] for row in rows] == ["'-yes" if one > 0.5 else "'+no" for one in theirs]


def test_numbers_are_those_of_the_exported_model(regressor, new, tmp_path):
    """The target's deviation is 1000, and differences are counted in it."""
    deviation = float(regressor.form.target.deviation)
    assert deviation == pytest.approx(1000, rel=0.1)
    predict.predict(regressor, str(new), str(tmp_path / "out.csv"))
    theirs = exported(regressor, new)[:, 0]
    ours = np.array([float(row["prediction"]) for row in read(tmp_path / "out.csv")])
    assert np.abs(ours - theirs).max() / deviation < 1e-6
    assert np.ptp(theirs) > deviation / 10


def test_rows_keep_their_order_across_blocks(classifier, new, tmp_path, monkeypatch):
    whole = predict.predict(classifier, str(new), str(tmp_path / "whole.csv"), ["id"])
    monkeypatch.setattr(prepared, "BLOCK_BYTES", 7 * 4 * classifier.preparation.columns.width)
    monkeypatch.setattr(predict, "_BLOCK_ROWS", 3)
    monkeypatch.setattr(predictions, "_STEP_ROWS", 2)
    for name in ("pieces.csv", "pieces.parquet"):
        pieces = predict.predict(classifier, str(new), str(tmp_path / name), ["id"])
        assert pieces == whole
    one, other = read(tmp_path / "whole.csv"), read(tmp_path / "pieces.csv")
    assert whole.rows == len(one) == len(other) == 300
    for place, (row, again) in enumerate(zip(one, other, strict=True)):
        assert (row["row"], row["id"], row["class"]) == (str(place), f"{place:05}", again["class"])
        assert again["id"] == row["id"]
        assert float(row["probability"]) == pytest.approx(float(again["probability"]), abs=1e-6)
    found = duckdb.read_parquet(str(tmp_path / "pieces.parquet")).project("row, id").fetchall()
    assert found == [(place, f"{place:05}") for place in range(300)]


def test_every_output_holds_the_same(classifier, new, tmp_path):
    names = ["row", "x.box", "class", "probability", "probability_+no", "probability_-yes"]
    outputs = {ending: tmp_path / f"out{ending}" for ending in written.SUFFIXES}
    for path in outputs.values():
        predict.predict(classifier, str(new), str(path), ["x.box"])
    table = read(outputs[".csv"])
    lines = [json.loads(line) for line in outputs[".jsonl"].read_text("utf-8").splitlines()]
    assert outputs[".jsonl"].read_bytes() == outputs[".ndjson"].read_bytes()
    rows = duckdb.read_parquet(str(outputs[".parquet"])).fetchnumpy()
    with np.load(outputs[".npz"]) as arrays:
        npz = dict(arrays)
    assert list(table[0]) == list(lines[0]) == list(rows) == list(npz) == names
    for name in names[3:]:
        assert npz[name].dtype == rows[name].dtype == np.float32
        np.testing.assert_array_equal(rows[name], npz[name])
        np.testing.assert_array_equal(np.array([row[name] for row in table], np.float32), npz[name])
        np.testing.assert_array_equal(np.array([row[name] for row in lines], np.float32), npz[name])
    assert [row["class"] for row in lines] == npz["class"].tolist() == rows["class"].tolist()
    cells = [row["x.box"] for row in read(new)]
    assert [row["x.box"] and float(row["x.box"]) for row in table] == [
        c and float(c) for c in cells
    ]
    assert [row["x.box"] for row in lines] == [float(cell) if cell else None for cell in cells]
    np.testing.assert_array_equal(npz["x.box"], [float(cell or "nan") for cell in cells])
    assert all(len(row["probability"]) <= 12 for row in table)


@pytest.mark.parametrize("form", ["jsonl", "csv.gz", "tsv", "parquet", "pattern"])
def test_rows_may_come_in_any_form(form, classifier, new, tmp_path):
    predict.predict(classifier, str(new), str(tmp_path / "csv.csv"))
    source = tmp_path / f"rows.{form}"
    if form == "csv.gz":
        source.write_bytes(gzip.compress(new.read_bytes()))
    elif form == "pattern":
        lines = new.read_text("utf-8").splitlines(keepends=True)
        (tmp_path / "part-1.csv").write_text("".join(lines[:100]), "utf-8")
        (tmp_path / "part-2.csv").write_text("".join([lines[0], *lines[100:]]), "utf-8")
        source = tmp_path / "part-*.csv"
    else:
        to = {"jsonl": "json", "tsv": "csv, DELIMITER '\t'", "parquet": "parquet"}[form]
        duckdb.sql(f"COPY (FROM read_csv('{new}')) TO '{source}' (FORMAT {to})")
    predict.predict(classifier, str(source), str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "csv.csv").read_bytes()


def test_what_is_unlike_training_is_told(classifier, tmp_path):
    rows = list(made(50, ["weekly", "pro", ""], seed=2))
    unseen = sum(row["plan"] == "weekly" for row in rows)
    for row in rows[:3]:
        row["a b"] = ""
    rows[7]["since"] = ""
    new = as_csv(tmp_path / "new.csv", rows)
    notes = predict.predict(classifier, str(new), str(tmp_path / "out.csv")).notes
    assert [str(note) for note in notes] == [
        "column `a b`: 3 of 50 rows hold nothing, as no training row did",
        f"column `plan`: {unseen} of 50 rows hold names not seen in training, such as `weekly`",
        "column `since`: 1 of 50 rows hold no date: the mean of the training rows stands in",
    ]
    assert notes[1].plain() == {
        "column": "plan",
        "kind": "unseen",
        "cells": unseen,
        "rows": 50,
        "example": "weekly",
    }


def test_predictions_that_are_no_finite_numbers_are_told(regressor, new, tmp_path):
    wide = replace(regressor.preparation.target, log=True, deviation=np.float32(1000))
    preparation = replace(regressor.preparation, target=wide)
    run = replace(regressor, preparation=preparation, form=replace(regressor.form, target=wide))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notes = predict.predict(run, str(new), str(tmp_path / "out.csv")).notes
    lost = [row["row"] for row in read(tmp_path / "out.csv") if row["prediction"] == "inf"]
    assert 0 < len(lost) < 300
    (note,) = [one for one in notes if one.kind == "not_finite"]
    assert str(note) == (
        f"{len(lost)} of 300 predictions are no finite numbers: such rows lie far from the "
        f"training rows; the first is row {lost[0]}"
    )
    assert note.plain() == {
        "kind": "not_finite",
        "cells": len(lost),
        "rows": 300,
        "example": lost[0],
    }


def test_a_column_of_nothing_is_all_missing(classifier, new, tmp_path):
    rows = [row | {"x.box": "", "plan": "", "since": ""} for row in read(new)]
    bare = as_csv(tmp_path / "bare.csv", rows, NAMES[:-1])
    (note,) = predict.predict(classifier, str(bare), str(tmp_path / "out.csv")).notes
    assert (note.column, note.kind, note.cells) == ("since", "filled", len(rows))
    (tmp_path / "bare.jsonl").write_text(as_json(rows))
    predict.predict(classifier, str(tmp_path / "bare.jsonl"), str(tmp_path / "again.csv"))
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_columns_that_nobody_asks_for_may_hold_anything(classifier, new, tmp_path):
    rows = [row | {"other": str(place)} for place, row in enumerate(read(new))]
    rows[-1]["other"] = rows[-1]["id"] = "no number"
    more = as_csv(tmp_path / "more.csv", rows, [*NAMES[:-1], "other"])
    predict.predict(classifier, str(new), str(tmp_path / "out.csv"))
    predict.predict(classifier, str(more), str(tmp_path / "more_out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "more_out.csv").read_bytes()
    (tmp_path / "more.jsonl").write_text(as_json(rows, other={"deep": [1, None]}))
    out = tmp_path / "out.jsonl"
    predict.predict(classifier, str(tmp_path / "more.jsonl"), str(out), ["other"])
    assert json.loads(out.read_text().splitlines()[0])["other"] == {"deep": [1, None]}


def test_kept_columns_stay_what_they_were(classifier, new, tmp_path):
    rows = read(new)
    exact = {"id": 2**60 + 1, "row": "7", "class": 0.1, "day": True}
    (tmp_path / "new.jsonl").write_text(as_json(rows, **exact))
    out = tmp_path / "out.jsonl"
    predict.predict(classifier, str(tmp_path / "new.jsonl"), str(out), [*exact, "a b"])
    first = json.loads(out.read_text("utf-8").splitlines()[0])
    assert list(first)[:6] == ["row", "id", "input_row", "input_class", "day", "a b"]
    assert list(first.values())[1:6] == [*exact.values(), float(rows[0]["a b"])]
    for row in rows:
        row["id"] = "7"
    as_csv(tmp_path / "new.csv", rows, NAMES[:-1])
    predict.predict(classifier, str(tmp_path / "new.csv"), str(out), ["id"])
    assert json.loads(out.read_text("utf-8").splitlines()[0])["id"] == 7


def test_what_a_spreadsheet_would_run_is_quoted(tmp_path):
    texts = ["=1+1", "+49 30", "-cmd", "@x", "\tx", "\rx", "-5", "+1.5e3", "plain", 'a"b', None, ""]
    values = np.array(texts, object)
    numbers = np.arange(len(texts), dtype=np.float32) - 5
    block = {"=n": Cells(values, "VARCHAR"), "a,b": Cells(numbers, "FLOAT")}
    written.write(tmp_path / "out.csv", iter([block]))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["'=n", "a,b"]
    shown = ["'=1+1", "'+49 30", "'-cmd", "'@x", "'\tx", "'\rx", "-5", "+1.5e3", "plain", 'a"b']
    assert [row[0] for row in rows] == [*shown, "", ""]
    assert [float(row[1]) for row in rows] == numbers.tolist()
    written.write(tmp_path / "out.jsonl", iter([block]))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["=n"] for line in lines] == texts


def test_numbers_are_written_in_the_fewest_digits(tmp_path):
    numbers = np.array([0.541536, 1e-20, 1e20, 16777217, 0.1, -0.0, np.nan, np.inf], np.float32)
    many = np.concatenate([numbers, RANDOM.normal(size=1000).astype(np.float32)])
    for suffix in (".csv", ".jsonl"):
        path = tmp_path / f"out{suffix}"
        written.write(path, iter([{"n": Cells(many, "FLOAT")}, {"n": Cells(many, "FLOAT")}]))
        lines = path.read_text().splitlines()[suffix == ".csv" :]
        texts = [line.removeprefix('{"n":').removesuffix("}") for line in lines]
        assert texts[0] == "0.541536"
        assert texts[6] == ("" if suffix == ".csv" else "null")
        back = [float(text) if text not in ("", "null", "inf") else np.nan for text in texts]
        expected = np.where(np.isfinite(many), many, np.nan)
        np.testing.assert_array_equal(np.array(back, np.float32), [*expected, *expected])


def test_names_that_differ_in_case_stay_apart(tmp_path):
    one = Cells(np.array([0.25], np.float32), "FLOAT")
    other = Cells(np.array([0.75], np.float32), "FLOAT")
    block = {"probability_A": one, "probability_a": other, "file": one, "file\u0301": other}
    for suffix in (".csv", ".jsonl", ".npz"):
        written.write(tmp_path / f"out{suffix}", iter([block]))
    assert read(tmp_path / "out.csv") == [
        dict(zip(block, ["0.25", "0.75", "0.25", "0.75"], strict=True))
    ]
    values = dict(zip(block, [0.25, 0.75, 0.25, 0.75], strict=True))
    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8")) == values
    with np.load(tmp_path / "out.npz") as arrays:
        assert {name: float(arrays[name][0]) for name in block} == values


def test_nothing_is_left_half_written(classifier, new, tmp_path, monkeypatch):
    output = tmp_path / "out.csv"
    output.write_text("before")
    there = sorted(tmp_path.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(written, "_register", full)
    with pytest.raises(StorageError, match=r"out.csv: error\[R003\]: can't be written: No space"):
        predict.predict(classifier, str(new), str(output))
    assert output.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"a b": "many"},
            "new.csv:3: error[D004]: column `a b`: expected a number, as in training",
        ),
        (
            {"vip": "perhaps"},
            "new.csv: error[D004]: row 1 (counted from 0): column `vip`: expected ",
        ),
        ({"a b": "1e39"}, "new.csv: error[D005]: row 1 (counted from 0): column `a b` is 1e+39: "),
        (
            {"since": "soon"},
            "new.csv: error[D004]: row 1 (counted from 0): column `since`: ",
        ),
    ],
)
def test_cells_that_the_column_never_had(change, said, classifier, new, tmp_path):
    rows = read(new)
    rows[1] |= change
    as_csv(new, rows, NAMES[:-1])
    with pytest.raises(DataError) as raised:
        classifier.unlabelled(str(new))
    assert str(raised.value).replace(f"{tmp_path}{os.sep}", "").startswith(said)


def test_missing_columns_are_told_together(classifier, new):
    rows = [{"X.box": row.pop("x.box"), **row} for row in read(new)]
    as_csv(new, rows, ["X.box", "a b", "a/b", "plan", "vip", "since"])
    with pytest.raises(DataError) as raised:
        classifier.unlabelled(str(new), ["ids"])
    told = [f"{one.code} {one.message}" for one in raised.value.problems]
    assert told[0] == "D003 no column `x.box`; did you mean `X.box`?"
    assert [line[:24] for line in told[1:]] == [
        "D003 no column `größe`; ",
        "D003 no column `ids`; it",
    ]


def test_arrays_are_no_table_even_if_as_wide(classifier, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, classifier.form.inputs[0])))
    said = "expected a table, as this network was trained on, got an .npz or .npy file"
    with pytest.raises(DataError, match=said):
        classifier.unlabelled(str(tmp_path / "x.npy"))


def test_other_labelled_rows_are_scored(classifier, regressor, tmp_path):
    from tftrain import evaluate

    new = as_csv(tmp_path / "new.csv", made(300, ["pro", "weekly"], seed=3))
    scores = evaluate.score(evaluate.revive(classifier), classifier.rows(file=str(new)), str(new))
    predict.predict(classifier, str(new), str(tmp_path / "out.csv"))
    pairs = zip(read(new), read(tmp_path / "out.csv"), strict=True)
    right = [f"'{row['=label']}" == out["class"] for row, out in pairs]
    assert scores["accuracy"] == pytest.approx(np.mean(right))
    scores = evaluate.score(evaluate.revive(regressor), regressor.rows(file=str(new)), str(new))
    predict.predict(regressor, str(new), str(tmp_path / "out.csv"))
    pairs = zip(read(new), read(tmp_path / "out.csv"), strict=True)
    errors = [abs(float(row["a/b"]) - float(out["prediction"])) for row, out in pairs]
    assert scores["mean_absolute_error"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert np.mean(errors) > 100  # in the target's units


def test_labels_that_cannot_be_scored(classifier, new, tmp_path):
    with pytest.raises(DataError, match=r"D003\]: no column `=label`"):
        classifier.rows(file=str(new))
    rows = list(made(9, ["pro"]))
    rows[4]["=label"] = "maybe"
    as_csv(tmp_path / "bad.csv", rows)
    with pytest.raises(DataError, match=r"row 4 \(counted from 0\) has the label `maybe`; expect"):
        classifier.rows(file=str(tmp_path / "bad.csv"))


@pytest.fixture
def tftrain(classifier, tmp_path, warm_tftrain):
    def run(*arguments, **options):
        arguments = (*arguments, "--runs-dir", classifier.folder.parent)
        return warm_tftrain(*arguments, cwd=tmp_path, text=False, **options)

    return run


@pytest.mark.slow
def test_json_lines_go_through(classifier, new, tftrain, tmp_path):
    predict.predict(classifier, str(new), str(tmp_path / "out.jsonl"), ["id"])
    lines = as_json(read(new))
    done = tftrain("predict", classifier.folder.name, "-", "--keep", "id", input=lines.encode())
    assert done.returncode == 0
    assert done.stdout == (tmp_path / "out.jsonl").read_bytes()
    said = done.stderr.decode().splitlines()
    assert said[0].startswith("column `plan`: ")
    assert said[1:] == ["300 rows"]
    broken = lines.replace('"a b"', '"a bb"').encode()
    done = tftrain("predict", classifier.folder.name, "-", "-o", "-", input=broken)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"stdin: error[D003]: no column `a b`; did you mean `a bb`?\n"


@pytest.mark.slow
def test_a_report_for_programs(classifier, new, tftrain):
    done = tftrain("predict", classifier.folder.name, new, "-o", "out.parquet", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {"run", "output", "rows", "notes"} == set(report)
    assert (report["output"], report["rows"]) == ("out.parquet", 300)
    assert [note["column"] for note in report["notes"]] == ["plan"]


def careless(folder, new):
    """Arguments behind `predict RUN`, and how the one line begins."""
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_bytes(new.read_bytes().splitlines(keepends=True)[0])
    (folder / "empty.jsonl").write_text("")
    (folder / "broken.jsonl").write_text('{"a": 1}\n{"a": \n')
    (folder / "other.csv").write_text("p,q\n1,2\n")
    (folder / "pictures").mkdir()
    as_csv(
        folder / "bad.csv",
        [row | {"vip": vip} for row, vip in zip(made(2, ["pro"]), ["true", "maybe"], strict=True)],
    )
    return [
        (["new.csv", "-o", "new.csv"], "new.csv: error[R003]: holds the rows to predict: take an"),
        (["n*.csv", "-o", "new.csv"], "new.csv: error[R003]: holds the rows to predict: take ano"),
        (["new.csv", "-o", "gone/x.csv"], "gone/x.csv: error[R003]: can't be written: No such f"),
        (["new.csv", "-o", "out.xlsx"], "out.xlsx: error[R003]: expected a .csv or .parquet or "),
        (["new.csv", "-o", "pictures"], "pictures: error[R003]: expected a .csv or .parquet or "),
        (["nev.csv", "-o", "x.csv"], "nev.csv: error[D001]: no such file; did you mean `new.csv`?"),
        (["new.xlsx", "-o", "x.csv"], "new.xlsx: error[D002]: expected a table (.csv, .tsv, .txt"),
        (["empty.csv", "-o", "x.csv"], "empty.csv:1: error[D002]: it is empty: expected a line o"),
        (["header.csv", "-o", "x.csv"], "header.csv: error[D007]: no rows"),
        (["empty.jsonl", "-o", "x.csv"], "empty.jsonl: error[D002]: it is empty"),
        (
            ["broken.jsonl", "-o", "x.csv"],
            "broken.jsonl:2:6: error[D002]: not JSON",
        ),
        (["pictures", "-o", "x.csv"], "pictures: error[D004]: expected a table, as this network"),
        (
            ["bad.csv", "-o", "x.csv"],
            "bad.csv: error[D004]: row 1 (counted from 0): column `vip`: expected true or false, a",
        ),
        (
            ["new.csv", "-o", "x.csv", "--keep", "plam"],
            "new.csv: error[D003]: no column `plam`; di",
        ),
        (["-"], "stdin: error[D002]: it is empty"),
    ]


def test_careless_uses_are_one_line(classifier, new, tmp_path, capfd, monkeypatch):
    from tftrain import __main__

    monkeypatch.chdir(tmp_path)
    cases = careless(tmp_path, new)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    for arguments, said in cases:
        monkeypatch.setattr(sys, "argv", ["tftrain", "predict", str(classifier.folder), *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        assert __main__._run() == 2, arguments  # noqa: SLF001 - `main` ends the process
        out, told = capfd.readouterr()
        assert (out, told.count("\n")) == ("", 1), (arguments, told)
        assert told.startswith(said), (arguments, told)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    other = ["tftrain", "predict", str(classifier.folder), "other.csv", "-o", "x.csv"]
    monkeypatch.setattr(sys, "argv", other)
    assert __main__._run() == 2  # noqa: SLF001
    assert capfd.readouterr().err.count("no column") == 7


@pytest.mark.parametrize(
    ("classes", "loss", "outputs", "columns"),
    [
        (None, "mse", [[0.5], [2.0]], {"prediction": [0.5, 2.0]}),
        (None, "mse", [[1, 2], [3, 4]], {"prediction_0": [1, 3], "prediction_1": [2, 4]}),
        ("abc", "mse", [[0.5], [2.0]], {"prediction": [0.5, 2.0]}),
        ("ab", "BinaryCrossentropy", [[0.2], [0.6]], {"class": "ab", "probability": [0.8, 0.6]}),
        ("ab", "{BinaryCrossentropy: {from_logits: true}}", [[-1], [1]], {"class": "ab"}),
        ("ab", "Hinge", [[-1.5], [0.5]], {"class": "ab", "margin": [-1.5, 0.5]}),
        (
            "abc",
            "{SparseCategoricalCrossentropy: {from_logits: true}}",
            [[0, 9, 0], [0, 0, 9]],
            {"class": "bc", "probability_a": [np.exp(-9) / (1 + 2 * np.exp(-9))] * 2},
        ),
    ],
)
def test_outputs_become_columns(classifier, classes, loss, outputs, columns):
    from tftrain import config

    digits = ROOT / "configs" / "digits.yaml"
    settings, _ = config.load(digits, [f"training.loss={loss}"])
    form = replace(classifier.form, classes=classes and tuple(classes), target=None)
    made = predict.columns(form, settings.training.loss, np.array(outputs, np.float32))
    for name, values in columns.items():
        if name == "class":
            assert made[name].tolist() == list(values)
        else:
            np.testing.assert_allclose(made[name], values, rtol=2e-4)


@pytest.mark.usefixtures("tensorflow")
def test_images_are_told_by_their_files(tmp_path):
    from PIL import Image

    from tftrain import fit

    for shade, name in enumerate(("dark", "light")):
        for number in range(10):
            path = tmp_path / "shades" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (3, 2), 200 * shade + number).save(path)
    config = tmp_path / "t.yaml"
    config.write_text(
        "data: {source: shades}\n"
        "model: {layers: [Flatten, {Dense: {units: 1, activation: sigmoid}}]}\n"
        "training: {loss: BinaryCrossentropy, epochs: 1, threads: 2}\n"
    )
    run = fit.fit(fit.prepare(config, runs_dir=tmp_path / "runs"), Silent())
    found = recorded.read(run.folder, run.summary)
    (tmp_path / "shades" / "dark" / "3.png").unlink()
    predict.predict(found, str(tmp_path / "shades"), str(tmp_path / "out.csv"))
    rows = read(tmp_path / "out.csv")
    names = [
        *(f"dark/{n}.png" for n in range(10) if n != 3),
        *(f"light/{n}.png" for n in range(10)),
    ]
    assert [row["file"] for row in rows] == [str(os.path.normpath(name)) for name in names]
    assert [row["row"] for row in rows] == [str(number) for number in range(19)]


@pytest.mark.usefixtures("tensorflow")
def test_of_a_series_no_column_is_kept(tmp_path):
    from tftrain import fit

    (tmp_path / "d.csv").write_text("v\n" + "".join(f"{one % 7}\n" for one in range(60)))
    config = tmp_path / "t.yaml"
    config.write_text(
        "data: {source: d.csv, series: {column: v, lags: 3}}\n"
        "model: {layers: [{Dense: {units: 1}}]}\n"
        "training: {loss: MeanSquaredError, epochs: 1, threads: 2}\n"
    )
    run = fit.fit(fit.prepare(config, runs_dir=tmp_path / "runs"), Silent())
    found = recorded.read(run.folder, run.summary)
    with pytest.raises(
        DataError, match=r"D003\]: `v` can't be kept of a series: a prediction is of"
    ):
        predict.predict(found, str(tmp_path / "d.csv"), str(tmp_path / "out.csv"), ["v"])
    assert not (tmp_path / "out.csv").exists()
    assert predict.predict(found, str(tmp_path / "d.csv"), str(tmp_path / "out.csv")).rows == 58
