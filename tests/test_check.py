"""`tftrain check`: what is wrong, what is unwise, the network as a table; without TensorFlow."""

from __future__ import annotations

import json
import random
import re
import string
import time

import numpy as np
import pytest
import yaml

from conftest import ROOT
from tftrain import check, config
from tftrain.config import catalog
from tftrain.errors import ConfigError, TftrainError

CONFIGS = {path.stem: path for path in sorted((ROOT / "configs").glob("*.yaml"))}
DIGITS = CONFIGS["digits"]
UNSOUND = """\
data: {source: digits, classes: [0, 1]}
model:
  layers:
    - Conv2D: {filters: 3, kernel_size: 3}
    - Dense: {units: 1, activation: softmax}
training: {loss: BinaryCrossentropy, epochs: 3}
"""


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configs_have_neither_errors_nor_warnings(name):
    report = check.check(CONFIGS[name])
    assert not report.has("error")
    assert not report.has("warning")
    assert report.table
    assert all(row.shape and row.parameters is not None for row in report.table)


def test_the_network_as_a_table(tftrain):
    code, stdout, said = tftrain("check", DIGITS)
    assert (code, said) == (0, "")
    assert stdout.split("\n")[-7:] == [
        "layer  output shape  parameters",
        "Dense         (25,)       1,625",
        "Dense         (15,)         390",
        "Dense          (1,)          16",
        "                          2,031",
        f"{DIGITS}: {stdout.rpartition(': ')[2].strip()}",
        "",
    ]


def test_an_outlier_in_a_column_is_not_called_unscaled(tmp_path):
    rows = [f"{number}.5,{number % 3}" for number in range(600)]
    (tmp_path / "a.csv").write_text("\n".join(["x,y", *rows, "99999,1"]) + "\n")
    path = tmp_path / "a.yaml"
    path.write_text(
        "data: {source: a.csv, target: y}\n"
        "model: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 1}}]}\n"
        "training: {loss: MeanSquaredError, epochs: 2}\n"
    )
    assert [one.code for one in check.check(path, data=True).problems] == ["N012"]


def test_errors_exit_with_2_and_all_are_told(tftrain, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND)
    code, stdout, _ = tftrain("check", path)
    assert code == 2
    assert f"{path}:4:7: error[K005]: " in stdout
    assert f"{path}:5:" in stdout
    code, stdout, _ = tftrain("check", path, DIGITS, "--format", "github")
    assert code == 2
    assert f"\n::error file={path},line=4,col=7,title=K005::" in stdout


def test_json_holds_problems_and_layers(tftrain):
    code, stdout, _ = tftrain("check", DIGITS, "training.epoch=3", "--format", "json")
    (report,) = json.loads(stdout)
    assert code == 2
    assert [problem["code"] for problem in report["problems"]] == ["C010"]
    code, stdout, _ = tftrain("check", DIGITS, "--format", "json")
    assert tftrain("check", DIGITS, "--json") == (code, stdout, "")
    (report,) = json.loads(stdout)
    assert code == 0
    assert report["layers"][0] == {"layer": "Dense", "output_shape": [25], "parameters": 1625}


def test_values_in_force_of_a_faulty_config_are_told_on_stderr(tftrain, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND)
    code, stdout, said = tftrain("check", path, "--show")
    assert code == 2
    assert stdout.startswith("name: c\n")
    assert f"{path}:4:7: error[K005]: " in said


def test_a_long_list_of_faults_is_cut(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("".join(f"k{number}: 1\n" for number in range(500)))
    lines = check.check(path).lines(excerpts=False)
    assert len(lines) == 101
    assert lines[-1] == "... and 403 more"  # three sections are missing as well


def test_thousands_of_wrong_classes_are_told_within_seconds(tmp_path):
    path = tmp_path / "c.yaml"
    classes = ", ".join(f"x{number}" for number in range(6000))
    weights = ", ".join(f"c{number}: 1" for number in range(1500))
    path.write_text(
        f"data: {{source: digits, classes: [{classes}]}}\nmodel: {{layers: [Flatten]}}\n"
        f"training: {{loss: mse, epochs: 1, class_weight: {{{weights}}}}}\n"
    )
    began = time.process_time()
    assert len(check.check(path).problems) == 2000
    assert time.process_time() - began < 5  # 0.2 s; 30 s where each is compared with every other


def test_a_class_that_is_named_twice_is_told_wherever_it_stands(tmp_path):
    path = tmp_path / "c.yaml"
    classes = ", ".join(map(str, [*range(3000), "2.0"]))
    path.write_text(
        f"data: {{source: rows.npz, classes: [{classes}]}}\nmodel: {{layers: [Flatten]}}\n"
        "training: {loss: mse, epochs: 1}\n"
    )
    assert "class `2` named twice" in [one.message for one in check.check(path).problems]


def test_an_override_longer_than_the_name_of_a_file_is_one(tftrain):
    named = f"name={'a' * 5000}"
    code, stdout, _ = tftrain("check", DIGITS, named)
    assert code == 2
    assert "error[C013]: `name`" in stdout
    assert tftrain("check", "b" * 5000)[0] == 2


ODD = "{Dense: {units: 3, kernel_initializer: Identity}}"


@pytest.mark.usefixtures("tensorflow")
def test_keras_is_asked_where_no_rule_knows_a_layer(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND)
    layers = f"model.layers=[{ODD}, {{Dense: {{units: 1}}}}]"
    report = check.check(path, [layers])
    assert report.verdict().endswith("; Keras was asked, as no rule knows all of `Dense`")
    assert [(row.shape, row.parameters) for row in report.table] == [((3,), 195), ((1,), 4)]
    report = check.check(path, [f"model.layers=[{ODD}, Conv1D: {{filters: 1, kernel_size: 2}}]"])
    assert "K005" in {problem.code for problem in report.problems}


@pytest.mark.usefixtures("tensorflow")
def test_json_and_annotations_say_that_keras_was_asked(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("- Conv2D: {filters: 3, kernel_size: 3}", f"- {ODD}"))
    reports = {path: check.check(path), DIGITS: check.check(DIGITS)}
    plain = check.plain(reports, show=False, origins=False)
    assert [one["keras_asked"] for one in plain] == ["no rule knows all of `Dense`", None]
    notices = [line for line in check.annotated(reports) if "Keras was asked" in line]
    assert notices == [f"::notice file={path}::{reports[path].verdict()}"]


def test_keras_is_not_asked_if_unwanted_and_that_is_told(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("- Conv2D: {filters: 3, kernel_size: 3}", f"- {ODD}"))
    report = check.check(path, build=False)
    (line,) = [str(problem) for problem in report.problems if problem.code == "K010"]
    assert line == (
        f"{path}:4:7: warning[K010]: `Dense`: only Keras knows whether it fits, and wasn't asked"
    )
    assert report.table[0].shape is None


def test_small_tables_are_read_if_they_are_there(tmp_path):
    rows = tmp_path / "rows.csv"
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("digits, classes: [0, 1]", f"{rows}, target: label"))
    told = {problem.code: problem for problem in check.check(path).problems}
    assert told["D001"].severity == "warning"
    assert "K010" not in told
    rows.write_text("a,b,label\n" + "1,2,no\n3,5,yes\n" * 10)
    report = check.check(path)
    assert [problem.code for problem in report.problems][:1] == ["K005"]
    unread = check.check(path, build=False)
    assert "which weren't read" in str(unread.problems[0])
    assert unread.table[0].shape is None


def test_large_tables_are_read_if_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "_SMALL_BYTES", 10)
    rows, path = tmp_path / "rows.csv", tmp_path / "c.yaml"
    rows.write_text("a,b,label\n" + "1,2,no\n3,5,yes\n" * 10)
    path.write_text(UNSOUND.replace("digits, classes: [0, 1]", f"{rows}, target: label"))
    told = {problem.code: problem.severity for problem in check.check(path).problems}
    assert told["K010"] == "hint"
    told = {problem.code for problem in check.check(path, data=True).problems}
    assert "K005" in told


def test_arguments_are_checked_where_rows_are_not_known(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("digits, classes: [0, 1]", "gone.npz"))
    report = check.check(path, ["model.layers.Conv2D.kernel_size=[3]"])
    assert "K004" in {problem.code for problem in report.problems}


def test_strict_makes_warnings_count(tftrain):
    wide = ["training.batch_size=1000", "lint={}"]
    assert tftrain("check", DIGITS, *wide)[0] == 0
    assert tftrain("check", DIGITS, *wide, "--strict")[0] == 1


def test_values_in_force_and_their_origins(tftrain, tmp_path):
    code, stdout, _ = tftrain("check", DIGITS, "training.epochs=7", "--show", "--origin")
    assert code == 0
    assert re.search(r"epochs: 7 +# override 'training\.epochs=7'\n", stdout)
    assert re.search(rf"source: digits +# {re.escape(str(DIGITS))}:8\n", stdout)
    assert re.search(r"shuffle: true +# default\n", stdout)
    again = tmp_path / "again.yaml"
    again.write_text(stdout)
    assert config.load(again)[0] == config.load(DIGITS, ["training.epochs=7"])[0]


def test_values_in_force_of_several_configs_are_documents_of_yaml(tftrain, tmp_path):
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("sed: 1\n")
    code, stdout, _ = tftrain("check", DIGITS, faulty, CONFIGS["digits_l2"], "--show")
    assert code == 2
    lines = stdout.split("\n")
    assert lines[0] == f"--- # {DIGITS}"
    assert f"--- # {faulty}" in lines
    first, none, last = yaml.safe_load_all(stdout)
    assert (first["name"], none, last["name"]) == ("digits", None, "digits_l2")


def test_values_in_force_and_their_origins_as_json(tftrain):
    changed = [DIGITS, "training.epochs=7", "--format", "json"]
    (shown,) = json.loads(tftrain("check", *changed, "--show")[1])
    assert shown["effective"]["training"]["epochs"] == 7
    assert "origins" not in shown
    (traced,) = json.loads(tftrain("check", *changed, "--origin")[1])
    assert traced["effective"] == shown["effective"]
    assert traced["origins"]["training.epochs"] == "override 'training.epochs=7'"
    assert traced["origins"]["data.source"] == f"{DIGITS}:8"
    (faulty,) = json.loads(tftrain("check", *changed, "--show", "training.epoch=1")[1])
    assert faulty["effective"] is None


@pytest.mark.parametrize("code", ["C010", "k003", "N001"])
def test_a_code_is_explained(code):
    page = check.explain(code)
    assert page.startswith(f"{code.upper()}: ")
    assert page.count("\n") > 3


def test_a_code_that_is_none_is_told():
    with pytest.raises(TftrainError, match="did you mean"):
        check.explain("C10")


@pytest.mark.parametrize(
    ("data", "training", "told"),
    [
        ("{source: digits, classes: [0, 11, 0]}", "", ["1:37: D006", "1:41: D006"]),
        ("{source: iris, classes: [setosa, virginca]}", "", ["1:40: D006"]),
        ("{source: gone.npz, classes: [0, 11, 0]}", "", ["1:43: D006"]),
        ("{source: iris}", "class_weight: {setosa: 2, rosa: 3}", ["3:66: C023"]),
        ("{source: digits, classes: [1, 0]}", "class_weight: {2: 2}", ["3:52: C023"]),
        ("{source: diabetes}", "class_weight: balanced", ["3:48: D006"]),
        ("{source: diabetes, classes: [25, 346]}", "class_weight: balanced", []),
        ("{source: iris}", "class_weight: balanced", []),
    ],
)
def test_classes_of_a_bundled_set_are_known_without_reading_it(data, training, told, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        f"data: {data}\nmodel: {{layers: [{{Dense: {{units: 3}}}}]}}\n"
        f"training: {{loss: mse, epochs: 1, {training}}}\n"
    )
    problems = [one for one in check.check(path).problems if one.code in ("D006", "C023")]
    assert [f"{one.mark.line}:{one.mark.column}: {one.code}" for one in problems] == told


def test_a_name_of_no_data_at_all_is_told_and_the_network_is_not_looked_at(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("digits", "digitts"))
    report = check.check(path)
    (problem,) = report.problems
    assert str(problem) == (
        f"{path}:1:16: error[D001]: `data.source`: no file, folder or bundled set is called "
        "'digitts'; did you mean `digits`?"
    )
    assert report.table == ()


@pytest.mark.parametrize("name", ["pictures/", "data/pictures"])
def test_a_missing_folder_is_told_as_a_missing_file_is(name, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("digits, classes: [0, 1]", name))
    missing = f"[D001]: {tmp_path / name}: no such folder"
    told = [str(one) for one in check.check(path).problems if one.code == "D001"]
    assert told == [f"{path}:1:16: warning{missing}"]
    told = [str(one) for one in check.check(path, data=True).problems if one.code == "D001"]
    assert told == [f"{path}:1:16: error{missing}"]
    with pytest.raises(ConfigError, match=r"error\[D001\]"):
        config.load(path, data_files=True)


def test_a_missing_file_is_told_and_the_network_read_all_the_same(tmp_path):
    path = tmp_path / "c.yaml"
    files = "{source: gone.npz, split: {train: 1.0, test: rows.npz}}"
    path.write_text(
        f"data: {files}\nmodel: {{layers: [{{Dense: {{units: 3}}}}, {{Dense: {{units: 1}}}}]}}\n"
    )
    (tmp_path / "row.npz").touch()
    codes = [one.code for one in check.check(path, ["training={loss: mse, epochs: 1}"]).problems]
    assert codes[:2] == ["D001", "D001"]
    assert "N021" in codes, "and what the lint says"
    told = check.check(path, ["training={loss: mse, epochs: 0}"]).problems
    assert [(one.mark.column, one.code) for one in told] == [
        (16, "D001"),
        (52, "D001"),
        (None, "C013"),
    ]
    assert "did you mean `row.npz`" in told[0].message + told[1].message


def test_data_are_read_when_asked(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(UNSOUND.replace("source: digits, classes: [0, 1]", "source: rows.npz"))
    labels = np.array([0, 1] * 5)
    np.savez(tmp_path / "rows.npz", x=np.full((10, 8, 8, 1), np.nan), y=labels)
    assert "D005" not in {problem.code for problem in check.check(path).problems}
    assert "D005" in {problem.code for problem in check.check(path, data=True).problems}


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", CONFIGS)
def test_keras_builds_what_the_table_says(name):
    settings = ["training.threads=2"]
    told, built = (check.check(CONFIGS[name], settings, build=build) for build in (False, True))
    assert built.table == told.table
    assert not built.has("error")


def misspelt(word, chance):
    """A word with a letter dropped, doubled, swapped or replaced."""
    place = chance.randrange(len(word))
    kind = chance.choice(("drop", "double", "swap", "replace"))
    if kind == "drop" and len(word) > 1:
        return word[:place] + word[place + 1 :]
    if kind == "double":
        return word[:place] + word[place] + word[place:]
    if kind == "swap" and place + 1 < len(word):
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word[:place] + chance.choice(string.ascii_lowercase) + word[place + 1 :]


def test_every_misspelling_is_refused_and_nearly_every_one_mended(tmp_path):
    """Each key and each Keras name of the shipped configs, with a letter wrong."""
    names = set(catalog.load().names(catalog.KINDS))
    names |= {short for kind in catalog.load().short.values() for short in kind}
    chance = random.Random(0)  # noqa: S311 - no secret
    suggested, tried = 0, 0
    for path in CONFIGS.values():
        text = path.read_text("utf-8")
        for found in re.finditer(r"(?m)(?<![\w./#'-])([A-Za-z]\w+)(?=:)(?!.*#.*\1)", text):
            word, wrong = found[1], misspelt(found[1], chance)
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            if "#" in line or wrong in (word, "") or wrong in names:
                continue
            if word in ("benign", "malignant"):  # the classes of the data
                continue
            changed = tmp_path / "c.yaml"
            changed.write_text(text[: found.start()] + wrong + text[found.end() :], "utf-8")
            tried += 1
            with pytest.raises(ConfigError) as raised:
                config.load(changed)
            suggested += f"did you mean `{word}`?" in str(raised.value)
    assert tried > 250
    assert suggested / tried >= 0.95, (suggested, tried)
