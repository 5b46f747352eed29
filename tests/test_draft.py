"""`tftrain init --from`: any table becomes a config that passes `check --data` and learns."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from tftrain import check, config
from tftrain.cli import app
from tftrain.draft import draft
from tftrain.errors import DataError, RunError
from tftrain.terminal import Silent

ROWS = 600


def table(path, columns):
    """Writes columns as CSV, Parquet or JSON lines by the file's ending."""
    names = list(columns)
    rows = list(zip(*columns.values(), strict=True))
    if path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True)), default=str) for row in rows]
        path.write_text("\n".join(lines))
        return path
    text = "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)])
    written = path.with_suffix(".csv")
    written.write_text(text + "\n")
    if path.suffix == ".parquet":
        import duckdb

        duckdb.sql(f"COPY (FROM read_csv('{written}')) TO '{path}' (FORMAT parquet)")
        written.unlink()
    return path


def binary(rows=ROWS):
    """Texts, ids, a constant and missing cells around a label that two columns decide."""
    chance = np.random.default_rng(1)
    age = chance.integers(18, 90, rows)
    plan = chance.choice(["free", "paid", "team"], rows)
    cells = [
        str(one) if chance.random() > 0.1 else "" for one in chance.normal(3, 1, rows).round(2)
    ]
    label = np.where((age > 50) == (plan == "free"), "yes", "no")
    return {
        "Subscribed": label,
        "customer_id": [f"c{number:05}" for number in range(rows)],
        "age": age,
        "plan": plan,
        "hours per week": cells,
        "country": ["NO"] * rows,
        "since": [f"20{10 + one % 10}-0{1 + one % 9}-11" for one in chance.integers(0, 90, rows)],
    }


def classes(rows=ROWS):
    chance = np.random.default_rng(2)
    x, y = chance.normal(size=(2, rows))
    return {"x": x.round(3), "y": y.round(3), "label": 1 + (x > 0) + (y > 0)}


def numbers(rows=ROWS):
    chance = np.random.default_rng(3)
    size, kind = chance.uniform(10, 200, rows).round(1), chance.choice(["a", "b"], rows)
    price = np.exp(7 + size / 60 + (kind == "b")) * chance.lognormal(0, 0.05, rows)
    return {"size": size, "kind": kind, "price": price.round(2)}


def rare(rows=3000):
    chance = np.random.default_rng(4)
    x = chance.normal(size=rows)
    risen = x + chance.normal(0, 0.3, rows) > 1.9
    return {
        "x": x.round(4),
        "noise": chance.normal(size=rows).round(4),
        "y1": np.where(risen, "a", "b"),
    }


def loaded(path, aimed):
    """The config, seen to pass `check --data`."""
    report = check.check(path, data=True)
    assert [str(one) for one in report.problems if one.severity == "error"] == []
    assert aimed in path.read_text("utf-8")
    return report.config


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(
    ("name", "make", "target", "aimed", "least"),
    [
        ("b.csv", binary, "Subscribed", "2 classes: no ", ("accuracy", 0.9)),
        ("b.jsonl", binary, "Subscribed", "sigmoid}   # one of two", ("accuracy", 0.9)),
        ("c.parquet", classes, None, "classes: [1, 2, 3]", ("accuracy", 0.93)),
        ("n.csv", numbers, None, "target_scaling: log", ("r2_score", 0.95)),
        ("r.parquet", rare, None, "classes: [b, a]", ("auc", 0.95)),
    ],
)
def test_a_draft_passes_check_and_learns(name, make, target, aimed, least, tmp_path):  # noqa: PLR0917 - one table

    from tftrain.fit import fit, prepare

    path, _ = draft(str(table(tmp_path / name, make())), target, tmp_path / "made.yaml")
    loaded(path, aimed)
    run = fit(prepare(path, [], runs_dir=tmp_path / "runs"), Silent())
    metric, bound = least
    assert run.summary["metrics"]["test"][metric] >= bound


def test_the_columns_are_told_as_comments(tmp_path):
    path, aim = draft(str(table(tmp_path / "b.csv", binary())), "Subscribed", tmp_path)
    text = path.read_text("utf-8")
    assert path == tmp_path / "b.yaml"
    assert aim.said() == "target: Subscribed (2 classes)"
    assert "  source: b.csv\n" in text
    assert re.search(r"#   customer_id     id, dropped: \d+ different texts in 600 rows\n", text)
    assert "#   country         constant, dropped: one value only\n" in text
    assert "#   plan            category: 3 different; " in text
    assert "# time: since " in text
    assert "% missing; " in text
    settled, _ = config.load(path)
    assert settled.data.columns == {}


@pytest.mark.parametrize(
    ("names", "chosen", "why"),
    [
        (["Churn", "a", "b"], "Churn", "as its name says"),
        (["a", "label", "target"], "target", "as its name says"),
        (["x", "y", "z"], "z", "as the last column that can be one"),
        (["a", "b", "y"], "y", "as its name says"),
    ],
)
def test_a_target_is_guessed_and_that_is_said(names, chosen, why, tmp_path):
    chance = np.random.default_rng(0)
    columns = {name: chance.integers(0, 2, 100) for name in names}
    _, aim = draft(str(table(tmp_path / "t.csv", columns)), None, tmp_path)
    assert aim.said() == f"target: {chosen} (2 classes), {why}"


def test_a_last_column_that_is_no_target_is_passed_over(tmp_path):
    columns = binary(100)
    columns = {name: columns[name] for name in ("age", "Subscribed", "customer_id", "country")}
    _, aim = draft(str(table(tmp_path / "t.csv", columns)), None, tmp_path)
    assert aim.column.name == "Subscribed"


def test_a_first_column_that_alone_holds_texts_is_a_target(tmp_path):
    chance = np.random.default_rng(0)
    columns = {"letter": list("abcd") * 25, "width": chance.integers(0, 16, 100)}
    columns |= {"height": chance.integers(0, 16, 100)}
    _, aim = draft(str(table(tmp_path / "t.csv", columns)), None, tmp_path)
    why = "as the first column and the only one of texts"
    assert aim.said() == f"target: letter (4 classes), {why}"
    columns |= {"shape": list("wxyz") * 25, "depth": chance.integers(0, 16, 100)}
    _, aim = draft(str(table(tmp_path / "more.csv", columns)), None, tmp_path)
    assert aim.column.name == "depth"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("", "`label` is empty in every row: there is nothing to predict"),
        ("a", "`label` has one value only: there is nothing to predict"),
    ],
)
def test_a_column_called_a_target_that_can_be_none_is_told(cell, told, tmp_path):
    rows = table(tmp_path / "t.csv", {"a": range(50), "label": [cell] * 50})
    with pytest.raises(DataError) as raised:
        draft(str(rows), "label", tmp_path)
    assert str(raised.value) == f"{rows}: error[D006]: {told}"
    with pytest.raises(DataError) as raised:
        draft(str(rows), None, tmp_path)
    assert str(raised.value) == f"{rows}: error[D006]: {told}; --target COLUMN names another"


def test_rows_without_a_target_and_rare_classes_are_left_out(tmp_path):
    chance = np.random.default_rng(0)
    label = ["red", "blue", "green"] * 40 + ["odd: one"] * 3 + [""] * 7
    columns = {"size": chance.normal(size=130).round(4), "the color": label}
    path, aim = draft(str(table(tmp_path / "t.csv", columns)), "the color", tmp_path)
    assert aim.left_out == ["odd: one"]
    settled = loaded(path, "# 7 rows without one\n")
    assert settled.data.classes == ("blue", "green", "red")


def test_names_that_yaml_would_read_otherwise_are_quoted(tmp_path):
    chance = np.random.default_rng(0)
    columns = {"a: #b": chance.normal(size=60).round(4), "yes": ["true", "null", "1e3"] * 20}
    path, _ = draft(str(table(tmp_path / "t.csv", columns)), "yes", tmp_path)
    assert loaded(path, "target: yes").data.target == "yes"
    again, _ = draft(str(tmp_path / "t.csv"), "a: #b", tmp_path / "other.yml")
    assert loaded(again, 'target: "a: #b"').data.target == "a: #b"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("subscribd", "error[D003]: no column `subscribd`; did you mean `Subscribed`?"),
        ("since", "holds dates: expected classes or numbers as a target"),
        ("country", "has one value only"),
        ("customer_id", "600 different values in `customer_id`: these are no classes"),
    ],
)
def test_what_can_be_no_target_is_told(target, told, tmp_path):
    rows = table(tmp_path / "t.csv", binary())
    with pytest.raises(DataError) as raised:
        draft(str(rows), target, tmp_path)
    assert told in str(raised.value)
    assert list(tmp_path.iterdir()) == [rows]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["x", "y"] * 3, "expected 5 rows of each of two classes, at least"),
        (["x"] * 9, "has one value only"),
        ([0.5, 1.5, 2.25, 3], "too few rows: 4"),
        ([f"name {at}" for at in range(30)], "30 different values in `b`: these are no classes"),
    ],
)
def test_too_few_rows_are_told(labels, told, tmp_path):
    rows = table(tmp_path / "t.csv", {"a": range(len(labels)), "b": labels})
    with pytest.raises(DataError) as raised:
        draft(str(rows), "b", tmp_path)
    assert told in str(raised.value)


def test_no_file_is_written_over_and_only_tables_are_read(tmp_path):
    (tmp_path / "t.yaml").write_text("# hours of work\n")
    with pytest.raises(RunError, match="is there already"):
        draft(str(table(tmp_path / "t.csv", classes())), None, tmp_path)
    assert (tmp_path / "t.yaml").read_text() == "# hours of work\n"
    said = r"D002\]: expected a table \(.csv, .tsv, .*.parquet\), or a pattern of several"
    with pytest.raises(DataError, match=f"{said}; the template `digits` is a config for arrays"):
        draft("x.npy", None, tmp_path)
    with pytest.raises(DataError, match=f"{said}; it is a folder: one of images is itself"):
        draft(str(tmp_path), None, tmp_path)
    with pytest.raises(DataError, match=f"{said}$"):
        draft("x.xlsx", None, tmp_path)
    with pytest.raises(DataError, match="D001"):
        draft(str(tmp_path / "gone.csv"), None, tmp_path)


def test_the_command_says_what_it_chose(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "t.csv", classes())
    done = CliRunner().invoke(app, ["init", "--from", "t.csv", "new.yaml"])
    assert done.stdout == "target: label (3 classes), as its name says\nnew.yaml\n"
    for wrong in (["digits", "x.yaml", "--from", "t.csv"], ["digits", "--target", "label"]):
        assert CliRunner().invoke(app, ["init", *wrong]).exit_code == 2
