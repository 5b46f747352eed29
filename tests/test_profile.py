"""What `check --data` tells of rows: against counts made by hand, scikit-learn and SciPy."""

from __future__ import annotations

import json
import math
import re

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_class_weight

from tftrain import check, config, data, overview
from tftrain.data.profile import leaks

MODELS = {
    "BinaryCrossentropy": "{units: 1, activation: sigmoid}",
    "SparseCategoricalCrossentropy": "{units: 3, activation: softmax}",
    "MeanSquaredError": "{units: 1}",
}
ROWS = 400


def plain(rows=ROWS, seed=0):
    """Columns with nothing odd about them, and a label that none of them gives away."""
    chance = np.random.default_rng(seed)
    size = chance.normal(10, 2, rows).round(4)
    kind = chance.choice(["red", "green", "blue"], rows)
    label = np.where(size + chance.normal(0, 3, rows) > 10, "yes", "no")
    return {"size": size, "kind": kind, "label": label}


def written(path, columns):
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]))


@pytest.fixture
def profile(tmp_path):
    """The report on a table with a config around it."""

    def report(columns, data="", loss="BinaryCrossentropy", target="label"):
        written(tmp_path / "rows.csv", columns)
        config = tmp_path / "c.yaml"
        config.write_text(
            f"data:\n  source: rows.csv\n  target: {target}\n{data}"
            f"model: {{layers: [{{Dense: {MODELS[loss]}}}]}}\n"
            f"training: {{loss: {loss}, epochs: 1}}\n"
        )
        return check.check(config, data=True)

    return report


def findings(report, severity="note"):
    return [one.message for one in report.data.remarks if one.severity == severity]


def told(report):
    return {one.code for one in report.problems if one.code[0] == "D"}


def test_plain_rows_have_nothing_odd(profile):
    report = profile(plain())
    assert told(report) == set()
    assert findings(report) == []
    assert {one.section for one in report.data.remarks} == {
        *("columns", "split", "duplicates", "leaks", "labels")
    }


def test_columns_are_counted(profile):
    columns = plain()
    columns["size"] = [*columns["size"][:-2], "", ""]
    columns = {"number": [f"n{at}" for at in range(ROWS)], "same": ["a"] * ROWS} | columns
    report = profile(columns)
    of = {one["name"]: one for one in report.data.plain()["columns"]}
    sizes = [float(one) for one in columns["size"] if one != ""]
    assert of["size"]["missing"] == 2
    assert of["size"]["distinct"] == len(set(sizes))
    assert (of["size"]["low"], of["size"]["high"]) == (min(sizes), max(sizes))
    assert math.isclose(of["size"]["mean"], np.mean(sizes))
    assert of["size"]["columns"] == 2
    names, counts = np.unique(columns["kind"], return_counts=True)
    expected = sorted(zip(names, counts, strict=True), key=lambda one: -one[1])
    assert [(one["value"], one["rows"]) for one in of["kind"]["frequent"]] == expected
    assert of["number"]["kind"] == "id"
    assert of["same"]["kind"] == "constant"
    assert set(report.data.dropped) == {"number", "same"}
    assert of["label"]["kind"] == "target"


def test_the_split_is_counted_class_by_class(profile):
    columns = plain()
    report = profile(columns)
    counts = report.data.counts
    assert list(counts) == ["no", "yes"]
    for name, by_part in counts.items():
        assert sum(by_part.values()) == (columns["label"] == name).sum()
    labels = [name for name, by_part in counts.items() for _ in range(by_part["train"])]
    expected = compute_class_weight("balanced", classes=np.array(["no", "yes"]), y=labels)
    assert np.allclose(list(report.data.weights.values()), expected)


def test_what_a_guess_scores(profile):
    report = profile(plain())
    rows, counts = report.data.rows, report.data.counts
    most = max(counts, key=lambda name: counts[name]["train"])
    shares = np.array([counts[name]["train"] / rows["train"] for name in counts])
    assert math.isclose(report.data.baseline["accuracy"], counts[most]["test"] / rows["test"])
    assert math.isclose(report.data.baseline["entropy_bits"], -(shares * np.log2(shares)).sum())


@pytest.mark.parametrize("scaling", ["", "  target_scaling: standardize\n"])
def test_what_a_guess_of_numbers_scores_in_their_units(scaling, profile):
    columns = plain() | {"label": [1.0, 1.0, 1.0, 9.0] * 100}
    columns["kind"][:] = "x"
    report = profile(columns, scaling, "MeanSquaredError")
    assert math.isclose(report.data.baseline["mean_absolute_error"], 2.0, rel_tol=0.2)
    spread = report.data.baseline["root_mean_squared_error"]
    assert math.isclose(spread, 12**0.5, rel_tol=0.2)


def test_repeated_rows_are_counted_within_and_across(profile):
    columns = {name: [*values, *values[:50]] for name, values in plain().items()}
    columns["label"][-1] = "no" if columns["label"][-1] == "yes" else "yes"
    report = profile(columns)
    assert told(report) == {"D020"}
    within, unsure = findings(report)[:2]
    assert within.startswith("49 rows of 450 are there before, inputs and label alike, one 2 times")
    assert unsure.startswith("1 set of equal inputs with different classes")
    parts = {one.message.split(" part")[0].split()[-1] for one in report.data.remarks if one.code}
    assert parts == {"validation", "test"}


def test_equal_rows_by_chance_are_no_warning(profile):
    chance = np.random.default_rng(0)
    columns = {name: chance.integers(0, 30, 1000) for name in ("a", "b")}
    report = profile(columns | {"label": chance.integers(0, 2, 1000)})
    assert told(report) == set()
    assert sum("about as many as chance makes" in one for one in findings(report)) == 3
    columns = {"a": chance.choice(["x", "y", "z"], 100), "label": chance.integers(0, 2, 100)}
    assert told(profile(columns)) == set()


def test_rows_across_files_are_compared(profile, tmp_path):
    columns = plain()
    written(tmp_path / "test.csv", {name: values[:90] for name, values in columns.items()})
    split = "  split: {train: 0.9, validation: 0.1, test: test.csv}\n"
    rows = {name: [*values, *values] for name, values in columns.items()}
    report = profile(rows, split)
    (across,) = [
        one for one in report.problems if one.code == "D020" and "test part" in one.message
    ]
    assert across.message.startswith(
        "90 rows of the test part (100.0%) have the inputs of a training"
    )
    assert across.mark.line == 4
    assert profile(columns, "  split: {train: 0.8, validation: 0.2, test: gone.csv}\n").data is None


def test_bunches_of_rows_that_differ_in_one_column(profile):
    chance = np.random.default_rng(0)
    mixtures = chance.normal(size=(100, 3)).round(3).repeat(4, axis=0)
    columns = {f"part{at}": mixtures[:, at] for at in range(3)}
    columns |= {"day": [1, 7, 28, 90] * 100, "label": chance.normal(size=400).round(4)}
    (bunch,) = [one for one in findings(profile(columns, "", "MeanSquaredError")) if "bunch" in one]
    assert "alike in all but `day`" in bunch
    report = profile(columns, "  group: part0\n", "MeanSquaredError")
    assert not [one for one in findings(report) if "bunch" in one]


def yes_if(columns, yes, no):
    return np.where(columns["label"] == "yes", yes, no)


@pytest.mark.parametrize(
    ("name", "leak"),
    [
        ("number", lambda c, chance: yes_if(c, 5, 0) + chance.normal(size=ROWS).round(4)),
        ("down", lambda c, chance: yes_if(c, -5, 0) + chance.normal(size=ROWS).round(4)),
        ("reason", lambda c, chance: yes_if(c, chance.choice(["a", "b"], ROWS), "none")),
        ("closed", lambda c, _: yes_if(c, "2024-05-06", "")),
        ("filled", lambda c, chance: yes_if(c, chance.normal(size=ROWS).round(4).astype(str), "")),
        ("flag", lambda c, _: yes_if(c, "true", "false")),
    ],
)
def test_a_column_that_gives_the_class_away(name, leak, profile):
    columns = plain()
    columns = {name: leak(columns, np.random.default_rng(5))} | columns
    report = profile(columns)
    (warning,) = [one for one in report.problems if one.code == "D021"]
    assert warning.message.startswith(f"`{name}` alone gives `label` away")
    assert (warning.severity, warning.mark.line) == ("warning", 2)
    assert told(profile(columns, f"  columns: {{{name}: drop}}\n")) == set()


def test_a_column_that_tells_three_classes_or_a_number(profile):
    chance = np.random.default_rng(0)
    middle = chance.integers(0, 3, ROWS)
    columns = {"code": 10 * ((middle + 1) % 3) + chance.uniform(size=ROWS).round(8)}
    report = profile(columns | {"label": middle}, "", "SparseCategoricalCrossentropy")
    assert told(report) == {"D021"}
    value = chance.normal(size=ROWS).round(4)
    for copy, codes in (
        (2 * value + 1, {"D021"}),
        (np.exp(-value).round(6), {"D021"}),
        (value**2, set()),  # of either sign
    ):
        report = profile({"copy": copy, "label": value}, "", "MeanSquaredError")
        assert told(report) == codes
    wave = profile({"angle": value, "label": np.sin(3 * value)}, "", "MeanSquaredError")
    assert told(wave) == {"D021"}
    rough = {"near": value + chance.normal(0, 0.3, ROWS).round(4), "label": value}
    assert told(profile(rough, "", "MeanSquaredError")) == set()


def test_names_that_are_nearly_unique_are_no_leak(profile):
    columns = plain()
    names = [f"n{at // 2 if at % 3 else at}" for at in range(ROWS)]
    report = profile({"who": names} | columns, "  columns: {who: category}\n")
    assert "D021" not in told(report)


def test_dates_after_the_time_of_their_row(profile):
    days = [f"2024-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(ROWS)]
    later = [f"2025-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(ROWS)]
    columns = {"begun": days, "ended": later} | plain()
    notes = findings(profile(columns, "  time: begun\n"))
    assert "`ended` lies after `begun`: is it known when a prediction is wanted?" in notes


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=2, max_size=40))
@settings(deadline=None, max_examples=50)
def test_scores_are_those_of_scikit_learn_and_scipy(rows):
    scores, labels = np.array(rows, float).T
    numbers = labels.astype(np.int64)
    if len(set(labels)) == 2:
        assert math.isclose(leaks.auc(scores, numbers), roc_auc_score(labels, scores))
        assert math.isclose(
            leaks.auc(scores.astype(np.int64), numbers), roc_auc_score(labels, scores)
        )
    if len(rows) > 2 and len(set(labels)) == 2 and len(set(scores)) > 1:
        expected = spearmanr(scores, labels).statistic
        assert math.isclose(leaks.rank_correlation(scores, labels), expected, abs_tol=1e-9)


def others(rows, at):
    """The labels of the other rows with the same code."""
    return [label for o, (code, label) in enumerate(rows) if code == rows[at][0] and o != at]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_each_row_is_told_by_the_others_of_its_code(rows):
    codes, labels = np.array(rows, np.int64).T
    least = most = 0.0  # what ties decide
    for at, (_, label) in enumerate(rows):
        counts = np.bincount(others(rows, at), minlength=3)
        if counts.any():
            first = counts[label] == counts.max()
            most += first
            least += first and (counts == counts.max()).sum() == 1
        else:
            most += np.bincount(labels).max() / len(rows)
            least += np.bincount(labels).max() / len(rows)
    found = leaks.accuracy(codes, labels, 3) * len(rows)
    assert least - 1e-9 <= found <= most + 1e-9


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9)), min_size=2, max_size=30))
@settings(deadline=None, max_examples=50)
def test_each_number_is_told_by_the_mean_of_the_others(rows):
    codes, values = np.array(rows, np.int64).T
    missed = 0.0
    for at, (_, value) in enumerate(rows):
        known = others(rows, at) or values
        missed += (value - np.mean(known)) ** 2
    spread = ((values - values.mean()) ** 2).sum()
    expected = 1 - missed / spread if spread else 0.0
    assert math.isclose(leaks.explained(codes, values.astype(float)), expected, abs_tol=1e-9)


def odd(columns, name, values):
    return {name: values} | columns


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (lambda c: np.where(c["size"] > 13, -999, c["size"]), "`odd` is -999 in "),
        (lambda c: np.where(c["size"] > 13, -1, c["size"].round()), "`odd` is -1 in "),
        (lambda c: np.where(c["size"] > 14, 0, c["size"] + 20), "a few zeros in `odd` ("),
        (lambda c: np.exp(c["size"]).round(3), "very skewed: `odd`"),
        (lambda c: (c["size"] / 4).round(), "few whole numbers: `odd`"),
        (lambda _: [f"{at % 50} kg" for at in range(ROWS)], "`odd` holds numbers as texts"),
        (lambda _: ["a" if at % 50 == 0 else "" for at in range(ROWS)], "`odd` is empty in 98.0%"),
        (
            lambda _: [f"n{at % 110}" for at in range(ROWS)],
            "`odd` has 110 different texts, of which",
        ),
    ],
)
def test_an_odd_column_is_noted(values, note, profile):
    columns = plain()
    report = profile(odd(columns, "odd", values(columns)))
    assert [one for one in findings(report) if note in one]
    assert not [one for one in findings(profile(columns)) if note.split("`")[0] in one]


@pytest.mark.parametrize(
    "values",
    [[f"{at % 50:05}" for at in range(ROWS)], [f"{at // 4:03}" for at in range(ROWS)]],
)
def test_digits_with_zeros_in_front_are_not_called_numbers(values, profile):
    report = profile(odd(plain(), "odd", values))
    assert not [one for one in findings(report) if "holds numbers as texts" in one]


def test_paths_of_images_are_noted(profile):
    columns = odd(plain(), "odd", [f"some/{at % 30}.PNG" for at in range(ROWS)])
    (said,) = findings(profile(columns))
    assert said.startswith("`odd` holds paths of images (`some/0.PNG`): to learn from their pixels")
    columns = odd(plain(), "odd", [f"some/{at}.png" for at in range(ROWS)])
    why = profile(columns).data.dropped["odd"]
    assert why.endswith("such as `some/0.png`: for paths of images set data.columns.odd to image")


BUT_FOR = "column `odd` would be {} but for `{}` in row {} (counted from 0) and {} more cells: if "


@pytest.mark.parametrize(
    ("cell", "start"),
    [
        (lambda at: "n/a" if at % 8 == 3 else at % 50, ("numbers", "n/a", 3, 49)),
        (lambda at: ["-", "?", at % 90, at % 80][at % 4], ("numbers", "-", 0, 199)),
        (lambda at: [0, 1, 1, 0, "NA"][at % 5], ("numbers", "NA", 4, 79)),
        (
            lambda at: f"2021-02-{29 if at % 5 == 0 else at % 27 + 1}",
            ("dates", "2021-02-29", 0, 79),
        ),
        (lambda at: f"{at % 50}" if at % 3 else f"A/{at}", None),
        (lambda at: at % 2 if at % 3 else "unsure", None),
        (lambda at: ["Ulm", "n/a", "Jena"][at % 3], None),
    ],
)
def test_a_column_that_would_be_numbers_or_dates_but_for_some(cell, start, profile):
    columns = odd(plain(), "odd", [cell(at) for at in range(ROWS)])
    report = profile(columns)
    if start is None:
        assert told(report) == set()
        return
    assert told(report) == {"D025"}
    (warning,) = findings(report, "warning")
    assert warning.startswith(BUT_FOR.format(*start))
    (words,) = re.findall(r"set data\.missing: (\[.*?\]);", warning)
    assert told(profile(columns, f"  missing: {words}\n")) == set()
    assert told(profile(columns, "  columns: {odd: category}\n")) == set()


@pytest.mark.parametrize(
    ("cell", "kind", "low"),
    [
        (lambda at: f"{at % 12 + 1}/{at % 28 + 1}/2023", "date", "2023-01-01 00:00:00"),
        (lambda at: f"{at % 28 + 1:02}.{at % 12 + 1:02}.2023", "date", "2023-01-01 00:00:00"),
        (lambda at: f"{at % 28 + 1}-{at % 12 + 1}-23 10:{at % 60:02}", "date", None),
        (lambda at: f"3,{at % 100:02}" if at else "1.003,5", "number", 3.0),
        (lambda at: f"${1000 + at:,}.50", "number", 1000.5),
        (lambda at: f"{at % 50}%" if at % 20 else "?", "number", 0),
        (lambda at: f"{1000 + at // 4:,}".replace(",", "'"), "number", 1000),
    ],
)
def test_what_is_written_in_another_way_is_told_with_a_query_that_works(cell, kind, low, profile):
    columns = odd(plain(), "odd", [f'"{cell(at)}"' for at in range(ROWS)])
    example = next(cell(at) for at in range(ROWS) if cell(at) != "?")
    (warning,) = findings(profile(columns), "warning")
    assert f"column `odd` holds {kind}s as texts, such as `{example}`: set data" in warning
    (query,) = re.findall("set data.query to (SELECT .* FROM data)", warning)
    report = profile(columns, f"  query: {query}\n")
    assert told(report) == set()
    (made,) = [one for one in report.data.plain()["columns"] if one["name"] == "odd"]
    assert made["kind"] == kind
    assert low is None or made["low"] == low


def test_days_and_months_that_nobody_can_tell_apart_and_other_querys(profile):
    columns = odd(plain(), "odd", [f"{at % 9 + 1}/{at % 7 + 1}/2023" for at in range(ROWS)])
    (warning,) = findings(profile(columns), "warning")
    day = """strptime("odd", '%d/%m/%Y')"""
    month = """strptime("odd", '%m/%d/%Y')"""
    assert f"({day} AS" in warning
    assert f"or with {month}, which only you can know" in warning
    (warning,) = findings(profile(columns, "  query: SELECT * FROM data\n"), "warning")
    assert f"let data.query say {day}, or" in warning


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_texts_that_mean_missing_do_so_in_every_kind_of_file(form, profile, tmp_path):
    columns = odd(plain(), "odd", [at % 50 if at % 8 else "n/a" for at in range(ROWS)])
    columns = odd(columns, "far", [at % 50 if at % 7 else -999 for at in range(ROWS)])
    profile(columns)
    names = [*columns]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = [json.dumps(row | {"size": float(row["size"])}, default=str) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    if form == "parquet":
        told_as = f"read_json('{tmp_path}/rows.jsonl', columns = {{odd: 'VARCHAR', far: 'BIGINT', "
        told_as += "size: 'DOUBLE', kind: 'VARCHAR', label: 'VARCHAR'})"
        duckdb.sql(f"COPY (FROM {told_as}) TO '{tmp_path}/rows.parquet'")
    kind = ", columns: {odd: number}" if form == "parquet" else ""
    section = f'{{source: rows.{form}, target: label, missing: ["n/a", "-999"]{kind}}}'
    (tmp_path / "other.yaml").write_text(
        f"data: {section}\nmodel: {{layers: [{{Dense: {MODELS['BinaryCrossentropy']}}}]}}\n"
        "training: {loss: BinaryCrossentropy, epochs: 1}\n"
    )
    report = check.check(tmp_path / "other.yaml", data=True)
    assert told(report) == set()
    missing = {one["name"]: (one["kind"], one["missing"]) for one in report.data.plain()["columns"]}
    assert missing["odd"] == ("number", 50)
    assert missing["far"] == ("number", 58)


def test_numbers_that_a_file_holds_as_texts(profile, tmp_path):
    profile(plain())
    odd = "(row_number() OVER () % 20)::VARCHAR AS odd"
    duckdb.sql(f"COPY (SELECT *, {odd} FROM '{tmp_path}/rows.csv') TO '{tmp_path}/rows.parquet'")  # noqa: S608 - ours
    config = tmp_path / "c.yaml"
    config.write_text(config.read_text().replace("rows.csv", "rows.parquet"))
    (warning,) = findings(check.check(config, data=True), "warning")
    assert warning.startswith("column `odd` holds numbers as texts: set data.columns.odd to number")
    assert told(check.check(config, ["data.columns.odd=number"], data=True)) == set()


def test_whole_numbers_that_floats_cannot_tell_apart(profile):
    columns = odd(plain(), "odd", [10**18 + 3 * at for at in range(ROWS)])
    report = profile(columns)
    assert told(report) == {"D028"}
    (warning,) = findings(report, "warning")
    assert warning.startswith("column `odd` holds whole numbers up to 1000000000000001")
    for kind in ("category", "id", "drop", "number"):
        assert told(profile(columns, f"  columns: {{odd: {kind}}}\n")) == set()
    columns["odd"] = [2**53 - at for at in range(ROWS)]
    assert told(profile(columns)) == set()


@pytest.mark.parametrize("time", ["", " 12:30:00"])
def test_dates_that_stand_for_none(time, profile):
    days = [f"{9999 if at % 5 == 2 else 2021}-12-{at % 28 + 1:02}{time}" for at in range(ROWS)]
    columns = odd(plain(), "odd", [day[:8] + "31" + time if day[0] == "9" else day for day in days])
    report = profile(columns)
    assert told(report) == {"D025"}
    (warning,) = findings(report, "warning")
    assert warning.startswith(
        f"column `odd` is 9999-12-31{time} in 80 rows, the first is row 2 (counted from 0): if that"
    )
    assert told(profile(columns, f'  missing: ["9999-12-31{time}"]\n')) == set()
    assert told(profile(columns, "  columns: {odd: date}\n")) == set()


def test_groups_are_compared_across_files(profile, tmp_path):
    columns = odd(plain(), "house", [f"H{at // 8}" for at in range(ROWS)])
    other = odd(plain(80, seed=1), "house", [f"H{at // 8 + 48}" for at in range(80)])
    section = "  group: house\n  split: {train: 0.8, validation: 0.2, test: test.csv}\n"
    written(tmp_path / "test.csv", other)
    report = profile({name: list(values) for name, values in columns.items()}, section)
    trained = {int(row) // 8 for row in rows_of(tmp_path)}
    shared = len({48, 49} & trained)
    assert shared
    (across,) = [one for one in report.problems if one.code == "D027"]
    assert across.message.startswith(f"{shared} group{'s' * (shared > 1)} by `house` of the test")
    assert across.mark.line == 5
    other["house"] = [f"H{at // 8 + 60}" for at in range(80)]
    written(tmp_path / "test.csv", other)
    assert told(profile(columns, section)) == set()
    del other["house"]
    written(tmp_path / "test.csv", other)
    notes = findings(profile(columns, section))
    assert "the test file has no column `house`: its groups may be those of training" in notes


def rows_of(folder):
    return data.load(*config.load(folder / "c.yaml")).train.rows


def test_names_that_are_hashed_have_no_columns_of_their_own(profile):
    columns = odd(plain(), "odd", [f"n{at % 110}" for at in range(ROWS)])
    hashed = "  columns: {odd: {category: {num_hashes: 8}}}\n"
    assert not [one for one in findings(profile(columns, hashed)) if "different texts" in one]


def test_spellings_of_one_name(profile):
    columns = plain()
    columns["kind"] = [
        "Red" if at % 5 == 0 else "red " if at % 7 == 0 else "red" for at in range(ROWS)
    ]
    report = profile(columns, "  columns: {kind: category}\n")
    (warning,) = [one for one in report.problems if one.code == "D024"]
    assert "`kind` has `red`, `Red`, `red `" in warning.message
    assert warning.mark.line == 4
    query = warning.message.partition("data.query: ")[2]
    assert told(profile(columns, f"  query: {json.dumps(query)}\n")) == set()
    columns["kind"] = ["a" if at % 2 else "A" for at in range(ROWS)]
    assert told(profile(columns)) == set()


def test_long_spellings_are_cut_to_where_they_differ(profile):
    columns = plain()
    columns["kind"] = [
        f"{'long ' * 400}{'Red' if at % 2 else 'red'}{' x' * 400}" for at in range(ROWS)
    ]
    report = profile(columns, "  columns: {kind: category}\n")
    (warning,) = [one for one in report.problems if one.code == "D024"]
    tail = " x" * 13 + " ..."
    assert f"has `...long long Red{tail}`, `...long long red{tail}`: if" in warning.message


def test_a_warning_that_is_silenced_is_silent(profile):
    columns = plain()
    columns["kind"] = ["Red" if at % 5 == 0 else "red" for at in range(ROWS)]
    assert told(profile(columns)) == {"D024"}
    report = profile(columns, "lint: {ignore: [D024]}\n")
    assert told(report) == set()
    assert findings(report, "warning") == []


def test_unequal_sorted_and_tiny_classes(profile):
    columns = plain()
    columns["label"] = ["no"] * 394 + ["yes"] * 6
    report = profile(columns)
    assert "D022" in told(report)
    notes = " ".join(findings(report))
    assert "`yes` is 1.7% of the training rows" in notes
    assert "`class_weight: balanced` would weigh its rows 30" in notes
    assert "the rows lie in the order of their labels" in notes


def test_arrays_are_told_too(tmp_path):
    x, y = np.arange(800.0).reshape(100, 8), np.arange(100) % 2
    x[50:70], y[50:70] = x[:20], y[:20]
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    path = tmp_path / "c.yaml"
    path.write_text(
        "data: {source: rows.npz}\nmodel: {layers: [{Dense: {units: 1, activation: sigmoid}}]}\n"
        "training: {loss: BinaryCrossentropy, epochs: 1}\n"
    )
    report = check.check(path, data=True)
    assert (
        findings(report)[0]
        == "20 rows of 100 are there before, inputs and label alike, one 2 times"
    )
    assert report.data.columns == ()
    assert report.data.counts["0"] == {"train": 30, "validation": 10, "test": 10}


def test_sections_are_printed_and_warnings_count_for_strict(tftrain, tmp_path, profile):
    columns = plain()
    profile({"copy": yes_if(columns, 1, 0)} | columns)
    code, stdout, _ = tftrain("check", tmp_path / "c.yaml", "--data", "--strict")
    assert code == 1
    places = [stdout.index(f"\n{name}\n") for name in ("Columns", "Split", "Duplicates", "Leaks")]
    assert places == sorted(places)
    assert "\n  warning[D021]: `copy` alone gives `label` away" in stdout
    assert "rows.csv: 1 warning, 0 notes, 6 ok\n" in stdout
    code, stdout, _ = tftrain("check", tmp_path / "c.yaml", "--data", "--format", "json")
    (report,) = json.loads(stdout)
    assert code == 0
    assert report["data"]["rows"] == {"train": 240, "validation": 80, "test": 80}
    assert report["data"]["findings"][-1]["section"] == "labels"


def test_strangers_cells_move_no_cursor_and_many_are_cut(profile):
    columns = plain(60)
    columns["kind"] = ["\x1b[2Jlong" + "x" * 50, "b"] * 30
    wide = {f"n{at}": np.arange(60) % (7 + at) for at in range(70)}
    lines = list(overview.lines(profile(wide | columns).data))
    assert all(line.isprintable() for block in lines for line in block.splitlines())
    assert "  ... and 13 more columns" in lines


REAL = [
    ("telco_churn/telco_churn.csv", "churn", "BinaryCrossentropy", "22 rows of 7,043"),
    ("diamonds/diamonds.csv", "price", "MeanSquaredError", "146 rows of 53,940"),
    ("diamonds/diamonds.csv", "price", "MeanSquaredError", "a few zeros in `x` (8,"),
    ("concrete/concrete.csv", "compressive_strength", "MeanSquaredError", "all but `age`"),
    ("card_default/card_default.csv", "default", "BinaryCrossentropy", "`Yes` is 3.3% of"),
    ("penguins/penguins.csv", "species", "SparseCategoricalCrossentropy", "in the order of their"),
]


@pytest.mark.parametrize("known", REAL)
def test_real_rows_are_told_as_they_are_known(known, real_data, tmp_path):
    file, target, loss, note = known
    path = tmp_path / "c.yaml"
    path.write_text(
        f"data: {{source: {real_data / file}, target: {target}}}\n"
        f"model: {{layers: [{{Dense: {MODELS[loss]}}}]}}\ntraining: {{loss: {loss}, epochs: 1}}\n"
    )
    report = check.check(path, data=True)
    assert [one for one in findings(report) if note in one]
    assert "D021" not in told(report)
