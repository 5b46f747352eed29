"""`tftrain eval`: what a run kept is scored without TensorFlow; other rows, with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from conftest import ROOT
from tftrain import assess, files, predictions, recorded, runs
from tftrain.errors import ConfigError, DataError, RunError
from tftrain.scores import Wish
from tftrain.terminal import Silent

OLD = ROOT / "tests" / "runs" / "0.1.0" / "digits-1"
LAYERS = "model.layers=[{Dense: {units: 4, activation: relu}}, {Dense: {units: %s}}]"
TABLE = """\
name: cars
data:
  source: cars.csv
  target: price
  target_scaling: log
  split: {train: 0.6, validation: 0.2, test: 0.2}
model: {layers: [{Dense: {units: 1}}]}
training: {loss: MeanSquaredError, epochs: 2, threads: 2}
"""


@pytest.fixture
def run(tmp_path):
    """A copy of a finished run that kept its predictions."""
    return shutil.copytree(OLD, tmp_path / "runs" / "digits-1")


def read(folder):
    return recorded.read(folder, runs.summary_of(folder))


def train(config, runs_dir, *changes):
    from tftrain.fit import fit, prepare

    return fit(prepare(config, list(changes), runs_dir=runs_dir), Silent())


@pytest.fixture
def cars(tmp_path, monkeypatch, tensorflow):  # noqa: ARG001 - training needs it
    """A regression on a table whose target is learnt as its logarithm."""
    random = np.random.default_rng(0)
    lines = [
        f"{power:.1f},{'abc'[place % 3]},{100 * power + random.normal():.2f}"
        for place, power in enumerate(random.uniform(5, 20, 120))
    ]
    (tmp_path / "cars.csv").write_text("\n".join(["power,make,price", *lines]) + "\n")
    (tmp_path / "cars.yaml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return train(tmp_path / "cars.yaml", tmp_path / "runs")


class TestWithoutTensorFlow:
    """The fixture `tftrain` sees that it isn't imported."""

    def test_eval_says_how_good_a_run_is(self, run, tftrain):
        code, out, said = tftrain("eval")
        assert (code, said) == (0, "")
        lines = out.splitlines()
        assert lines[0].startswith("too few rows to tell it from always `1`: +0.181 (")
        assert lines[1].startswith("is worse than a logistic regression by 0.306 ± ")
        assert "accuracy           0.6944  0.5805 to 0.7887    0.5139     1.0000" in lines
        assert lines[-1] == f"runs/{run.name}"

    def test_json_keeps_its_keys_and_has_the_assessment(self, run, tftrain):
        bounds = ("--require", "val_roc_auc>=0.8", "--require", "val_loss<1")
        code, out, _ = tftrain("eval", "--json", "--split", "validation", *bounds)
        found = json.loads(out)
        assert code == 0
        assert list(found) == ["run", "metrics", "assessment"]
        summary = json.loads((run / runs.SUMMARY).read_text())
        assert found["metrics"] == {"validation": summary["metrics"]["validation"]}
        assert found["assessment"]["kind"] == "binary"
        assert (found["assessment"]["part"], found["assessment"]["rows"]) == ("validation", 72)

    @pytest.mark.usefixtures("run")
    def test_bounds_may_name_any_figure(self, tftrain):
        kept = ("--require", "roc_auc>=0.9", "--require", "auc>=0.9")
        code, _, said = tftrain("eval", *kept, "--require", "brier_score<=0.1")
        assert code == 1
        assert said.startswith("not met: brier_score<=0.1: brier_score is 0.168")
        assert said.count("\n") == 1
        code, out, said = tftrain("eval", "--require", "roc_acu>=0.9")
        assert (code, out) == (2, "")
        assert said.endswith("no metric `roc_acu`; did you mean `roc_auc`?\n")

    def test_data_that_are_gone_cost_the_linear_baseline_only(self, run, tftrain):
        summary = json.loads((run / runs.SUMMARY).read_text()) | {"fingerprint": "other"}
        (run / runs.SUMMARY).write_text(json.dumps(summary))
        code, out, _ = tftrain("eval")
        assert code == 0
        assert "note: no linear model beside it: the data have changed since this run; " in out
        assert "logistic" not in out.splitlines()[3]

    @pytest.mark.usefixtures("run")
    def test_groups_need_a_table(self, tftrain):
        code, out, said = tftrain("eval", "--by", "age")
        assert (code, out) == (2, "")
        expected = "`age`: this run's rows are of no table, and have no columns"
        assert said == f"--by age: error[C025]: {expected}\n"

    @pytest.mark.parametrize("recall", ["1.5", "-0.1"])
    @pytest.mark.usefixtures("run")
    def test_a_recall_is_a_share(self, recall, tftrain):
        code, out, said = tftrain("eval", "--recall", recall)
        assert (code, out) == (2, "")
        assert "Invalid value for '--recall'" in said


class TestHarm:
    """Predictions that were damaged, or that someone made to deceive, are one line."""

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"test/outputs": np.zeros(71, np.float32)}, "the test part has another form"),
            ({"test/outputs": np.zeros((72, 2), np.float32)}, "the test part has another form"),
            ({"test/outputs": np.zeros(72)}, "the test part has another form"),
            ({"test/labels": np.full(72, 2, np.int32)}, "the test part has another form"),
            ({"test/labels": np.full(72, -1, np.int32)}, "the test part has another form"),
            ({"test/labels": None}, "the test part has another form"),
            ({"test/of": np.array(3, np.int64)}, "the test part has another form"),
            ({"test/of": np.array([72], np.int64)}, "the test part has another form"),
            ({"test/rows": np.zeros((72, 1), np.int64)}, "the test part has another form"),
            ({"test/rows": np.zeros(72, np.int64)}, "predictions of other rows"),
            ({"train/counts": np.zeros(2, np.int64)}, "it doesn't hold what a run keeps"),
            ({"train/counts": np.ones(3, np.int64)}, "it doesn't hold what a run keeps"),
            ({"train/counts": None}, "it doesn't hold what a run keeps"),
            (
                {
                    f"test/{name}": np.zeros(predictions.MOST_ROWS + 1, kind)
                    for name, kind in (("outputs", "f4"), ("labels", "i4"), ("rows", "i8"))
                }
                | {"test/of": np.array(10**6)},
                "the test part has another form",
            ),
            ({"more": np.zeros(2)}, "it doesn't hold what a run keeps"),
            ({"weights": np.zeros(32, np.uint8)}, "predictions of other weights"),
            ({"weights": None}, "predictions of other weights"),
        ],
        ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
    )
    def test_other_arrays(self, run, changes, said):
        path = run / runs.PREDICTIONS
        arrays = files.read_arrays(path) | changes
        files.write_arrays(path, {name: one for name, one in arrays.items() if one is not None})
        with pytest.raises(RunError) as raised:
            assess.of_run(read(run))
        assert str(raised.value).startswith(f"{path}: error[R002]: damaged: {said}")
        assert raised.value.exit_code == 2

    def test_a_changed_byte(self, run, tftrain):
        path = run / runs.PREDICTIONS
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        for command in (["eval"], ["compare", "digits-1", "digits-1"]):
            code, out, said = tftrain(*command)
            assert (code, out) == (2, "")
            assert said.endswith("error[R002]: damaged: its checksum doesn't match\n")

    def test_a_link(self, run, tftrain):
        path = run / runs.PREDICTIONS
        path.rename(run / "elsewhere.npz")
        path.symlink_to(run / "elsewhere.npz")
        code, _, said = tftrain("eval")
        assert code == 2
        assert "error[R003]: can't be read: it is a link" in said

    def test_outputs_that_are_not_finite_are_said_and_not_scored(self, run, tftrain):
        path = run / runs.PREDICTIONS
        arrays = files.read_arrays(path)
        arrays["test/outputs"] = arrays["test/outputs"].copy()
        arrays["test/outputs"][3] = np.nan
        files.write_arrays(path, arrays)
        code, out, said = tftrain("eval", "--require", "roc_auc>0.5")
        assert code == 1
        assert "1 of 72 predictions are no finite numbers: no more is said" in said
        assert out.splitlines()[0].split() == ["test"]
        assert "not met: roc_auc>0.5: roc_auc is None" in said


@pytest.mark.parametrize("wish", [Wish(threshold=0.5), Wish(recall=0.5)])
def test_a_threshold_is_of_two_classes(run, wish):
    read_run = read(run)
    several = replace(read_run, form=replace(read_run.form, classes=("a", "b", "c")))
    with pytest.raises(ConfigError) as raised:
        assess.of_run(several, wish=wish)
    assert "a threshold is between two classes, which this run hasn't" in str(raised.value)


@pytest.mark.usefixtures("tensorflow")
class TestPredictions:
    def test_made_anew_come_to_the_same(self, run):
        kept = assess.of_run(read(run))
        (run / runs.PREDICTIONS).unlink()
        again = assess.of_run(read(run))
        assert again.metrics == pytest.approx(kept.metrics, rel=1e-5)
        assert again.assessment.values() == pytest.approx(kept.assessment.values(), rel=1e-5)
        assert again.assessment.points[1].chosen_on == "validation"

    def test_of_training_rows_are_made(self, run):
        found = assess.of_run(read(run), "train").assessment
        assert (found.part, found.rows) == ("train", 216)

    def test_are_in_the_target_s_units(self, cars):
        arrays = files.read_arrays(cars.folder / runs.PREDICTIONS)
        rows = np.genfromtxt("cars.csv", delimiter=",", skip_header=1, usecols=2)
        numbers = arrays["test/rows"]
        np.testing.assert_allclose(arrays["test/labels"], rows[numbers], rtol=1e-4)
        mean = rows[files.read_arrays(cars.folder / runs.SPLIT)["train"]].mean()
        assert arrays["train/mean"] == pytest.approx(mean, rel=1e-4)
        found = assess.of_run(read(cars.folder)).assessment
        assert found.kind == "regression"
        ridge = {metric.name: metric.baselines["ridge"] for metric in found.metrics}
        assert ridge["r2"] > 0.9

    def test_by_a_column_and_of_another_file(self, cars):
        test = assess.of_run(read(cars.folder), by="make").assessment
        assert {group.name for group in test.groups} == {"a", "b", "c"}
        assert sum(group.rows for group in test.groups) == test.rows == 24
        told = []
        other = assess.of_run(read(cars.folder), file="cars.csv", by="make", say=told.append)
        assert [(group.name, group.rows) for group in other.assessment.groups] == [
            (name, 40) for name in "abc"
        ]
        assert other.assessment.part == "data"

    def test_by_a_column_that_is_not_there(self, cars):
        with pytest.raises(DataError) as raised:
            assess.of_run(read(cars.folder), by="mak")
        assert "did you mean `make`?" in str(raised.value)

    def test_of_many_rows_are_a_sample(self, run, tmp_path, monkeypatch):
        monkeypatch.setattr(predictions, "MOST_ROWS", 30)
        monkeypatch.setattr(predictions, "_FEWEST", 10)
        made = train(run / runs.RESOLVED, tmp_path / "more")
        arrays = files.read_arrays(made.folder / runs.PREDICTIONS)
        assert arrays["test/outputs"].shape == (30,)
        assert arrays["test/of"] == 72
        found = assess.of_run(read(made.folder)).assessment
        assert (found.rows, found.of) == (30, 72)
        assert "30 of 72 rows, evenly spread, stand for all" in found.notes
        monkeypatch.setattr(predictions, "_FEWEST", 40)
        left = train(run / runs.RESOLVED, tmp_path / "more")
        assert not (left.folder / runs.PREDICTIONS).exists()

    def test_of_logits_and_margins_and_several_classes(self, run, tmp_path):
        resolved = run / runs.RESOLVED
        logits = train(
            resolved,
            tmp_path,
            LAYERS % 1,
            "training.loss={BinaryCrossentropy: {from_logits: true}}",
        )
        outputs = files.read_arrays(logits.folder / runs.PREDICTIONS)["test/outputs"]
        assert 0 <= outputs.min() < outputs.max() <= 1
        found = assess.of_run(read(logits.folder))
        assert found.assessment.values()["log_loss"] == pytest.approx(found.metrics["loss"], 1e-4)
        pair = train(
            resolved,
            tmp_path,
            "data.one_hot=true",
            "model.layers=[{Dense: {units: 2, activation: sigmoid}}]",
            "training.metrics=[CategoricalAccuracy]",
        )
        found = assess.of_run(read(pair.folder))
        categorical = found.metrics["categorical_accuracy"]
        assert found.assessment.values()["accuracy"] == pytest.approx(categorical)
        hinge = train(resolved, tmp_path, LAYERS % 1, "training.loss=Hinge")
        found = assess.of_run(read(hinge.folder)).assessment
        assert found.entropy is None
        assert "log_loss" not in found.values()
        assert found.points[0].threshold == 0
        several = train(
            resolved,
            tmp_path,
            "data.classes=[0, 1, 2, 3]",
            "model.layers=[{Dense: {units: 4, activation: softmax}}]",
            "training.loss=SparseCategoricalCrossentropy",
            "training.metrics=[accuracy]",
        )
        found = assess.of_run(read(several.folder))
        assert found.assessment.kind == "multiclass"
        assert found.assessment.values()["log_loss"] == pytest.approx(found.metrics["loss"], 1e-4)
        assert found.assessment.values()["accuracy"] == pytest.approx(found.metrics["accuracy"])


@pytest.mark.slow
def test_fit_does_not_import_scikit_learn(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom tftrain.fit import fit, prepare\n"
        "from tftrain.terminal import Silent\n"
        f"fit(prepare(Path({str(OLD / runs.RESOLVED)!r}), [], runs_dir=Path({str(tmp_path)!r})), "
        "Silent())\nprint('sklearn' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
