"""The main job, end to end: what `tftrain fit` leaves behind and what the others make of it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from tftrain import files, runs
from tftrain.data.scaling import Scaling
from tftrain.errors import (
    ConfigError,
    DataError,
    Mark,
    Problem,
    StorageError,
    TrainingError,
)
from tftrain.terminal import Silent

pytestmark = pytest.mark.usefixtures("tensorflow")

DIGITS = ROOT / "configs" / "digits.yaml"
QUICK = ["training.epochs=3", "training.threads=2"]


def train(runs_dir, *overrides, config=DIGITS, smoke=False):
    from tftrain.fit import fit, prepare

    asked = prepare(config, [*QUICK, *overrides], runs_dir=runs_dir, smoke=smoke)
    return fit(asked, Silent())


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run of the course network, three epochs."""
    return train(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def trained(digits):
    from tftrain import evaluate

    return evaluate.load(digits.folder, digits.summary)


def tftrain(*arguments, cwd=None, **options):
    command = [sys.executable, "-m", "tftrain", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options
    )


def test_a_run_leaves_the_files_of_the_design(digits):
    assert {path.name for path in digits.folder.iterdir()} == {
        ".lock",
        "checkpoint.npz",
        "config.resolved.yaml",
        "config.yaml",
        "environment.json",
        "metrics.csv",
        "model.keras",
        "predictions.npz",
        "split.npz",
        "summary.json",
        "weights.npz",
    }
    assert (digits.folder / runs.CONFIG).read_bytes() == DIGITS.read_bytes()
    environment = json.loads((digits.folder / runs.ENVIRONMENT).read_text())
    assert environment["threads"] == 2
    assert {"tensorflow", "keras", "numpy", "python", "git", "command"} <= set(environment)
    summary = json.loads((digits.folder / runs.SUMMARY).read_text())
    assert summary["state"] == runs.FINISHED
    assert set(summary["metrics"]) == {"train", "validation", "test"}


def test_metrics_have_a_row_an_epoch(digits):
    with (digits.folder / runs.METRICS).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    names = ["loss", "accuracy", "auc"]
    columns = [*names, *(f"val_{name}" for name in names), "learning_rate", "seconds"]
    assert list(rows[0]) == ["epoch", *columns]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_the_split_is_recorded(digits):
    rows = files.read_arrays(digits.folder / runs.SPLIT)
    assert {name: len(part) for name, part in rows.items()} == digits.summary["rows"]
    assert len(np.unique(np.concatenate(list(rows.values())))) == 360


def test_the_same_command_twice_gives_the_same_bits(digits, tmp_path):
    again = train(tmp_path)
    assert again.summary["metrics"] == digits.summary["metrics"]
    one, other = (files.read_arrays(run.folder / runs.WEIGHTS) for run in (digits, again))
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


def test_another_seed_gives_other_weights(digits, tmp_path):
    other = train(tmp_path, "seed=1")
    assert other.summary["metrics"] != digits.summary["metrics"]


def test_the_resolved_config_repeats_the_run(digits, tmp_path):
    again = train(tmp_path, config=digits.folder / runs.RESOLVED)
    assert again.folder.name == "digits-1"
    assert again.summary["metrics"] == digits.summary["metrics"]


def test_evaluation_reproduces_the_metrics_to_the_bit(digits, trained):
    from tftrain import evaluate

    assert evaluate.metrics(trained.engine, trained.splits()) == digits.summary["metrics"]


def test_the_best_weights_are_kept(tmp_path):
    """Learning too fast, the validation loss is best early; those weights must come back."""
    run = train(tmp_path, "training.epochs=60", "training.optimizer.RMSprop.learning_rate=0.05")
    losses = [row["val_loss"] for row in run.history]
    assert run.summary["best_epoch"] == int(np.argmin(losses)) + 1 < len(losses)
    assert run.summary["kept"] == "best"
    assert run.summary["metrics"]["validation"]["loss"] == min(losses)


def test_the_best_epoch_is_the_one_that_early_stopping_kept(tmp_path):
    """With min_delta it isn't the one with the lowest loss."""
    stopping = "{EarlyStopping: {patience: 3, min_delta: 0.2, restore_best_weights: true}}"
    run = train(tmp_path, "training.epochs=20", f"training.callbacks=[{stopping}]")
    losses = [row["val_loss"] for row in run.history]
    best = run.summary["best_epoch"]
    assert best < int(np.argmin(losses)) + 1
    assert run.summary["best_value"] == losses[best - 1]
    assert run.summary["metrics"]["validation"]["loss"] == losses[best - 1]


def test_without_restored_weights_the_last_are_kept(tmp_path):
    late = "{EarlyStopping: {start_from_epoch: 9, restore_best_weights: true}}"
    for callbacks in ("[]", f"[{late}]"):
        run = train(tmp_path, f"training.callbacks={callbacks}")
        assert run.summary["kept"] == "last"
        losses = [row["val_loss"] for row in run.history]
        assert run.summary["metrics"]["validation"]["loss"] == losses[-1]


def test_metrics_agree_with_scikit_learn(digits, trained):
    from sklearn.metrics import accuracy_score, log_loss

    test = trained.splits().test
    chances = np.concatenate(list(trained.engine.predict(test)))[:, 0].astype(float)
    metrics = digits.summary["metrics"]["test"]
    assert metrics["accuracy"] == pytest.approx(accuracy_score(test.labels, chances > 0.5))
    assert metrics["loss"] == pytest.approx(log_loss(test.labels, chances), rel=1e-5)


@pytest.mark.parametrize("scaling", ["standardize", "rescale", "{rescale: {scale: 0.0625}}"])
def test_the_exported_model_takes_raw_rows(tmp_path, scaling):
    from tftrain import data, evaluate
    from tftrain.backend import keras

    run = train(tmp_path, f"data.scaling={scaling}")
    mine = evaluate.load(run.folder, run.summary)
    test = mine.splits().test
    model = keras.models.load_model(run.folder / runs.MODEL)
    raw = data.Part(test.inputs, test.labels, None, test.rows, Scaling())
    theirs = model.predict_on_batch(raw.raw(slice(None)))
    ours = np.concatenate(list(mine.engine.predict(test)))
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6)
    prepared = model.layers[1](raw.raw(slice(None)))  # after the input
    np.testing.assert_array_equal(prepared.numpy(), test.raw(slice(None)))


def test_logits_become_probabilities_in_the_exported_model(tmp_path):
    from tftrain.backend import keras

    run = train(
        tmp_path,
        "training.loss={BinaryCrossentropy: {from_logits: true}}",
        "model.layers.2.Dense.activation=linear",
    )
    outputs = keras.models.load_model(run.folder / runs.MODEL).predict_on_batch(np.eye(64))
    assert ((outputs > 0) & (outputs < 1)).all()


def test_what_tensorflow_cannot_compute_is_told_wherever_it_comes_up(tmp_path):
    from tftrain import evaluate
    from tftrain.errors import DataError

    x = np.arange(60).reshape(60, 1) % 5
    y = np.arange(60) % 2
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    np.savez(tmp_path / "test.npz", x=x + 9, y=y)
    layers = "[{Embedding: {input_dim: 5, output_dim: 2}}, Flatten, {Dense: {units: 1}}]"
    settings = [f"data.source={tmp_path / 'rows.npz'}", f"model.layers={layers}"]
    settings += ["data.classes=null", "training.loss=mse", "training.metrics=[]"]
    run = train(tmp_path / "runs", *settings)
    loaded = evaluate.load(run.folder, run.summary)
    with pytest.raises(
        DataError, match=r"D009\]: TensorFlow refused a batch: indices.* not in \[0, 5\)"
    ):
        evaluate.score(loaded, loaded.rows(file=str(tmp_path / "test.npz")), "test.npz")
    split = f"data.split={{train: 0.8, validation: 0.2, test: {tmp_path / 'test.npz'}}}"
    with pytest.raises(TrainingError, match=r"T002\]: TensorFlow refused a batch"):
        train(tmp_path / "runs", *settings, split)
    assert runs.summaries(tmp_path / "runs")[0][1]["state"] == runs.FAILED


def test_a_metric_that_takes_other_outputs_is_told_before_a_run(tmp_path):
    softmax = ROOT / "configs" / "digits_softmax.yaml"
    with pytest.raises(ConfigError) as raised:
        train(tmp_path, "training.metrics=[Precision, BinaryAccuracy]", config=softmax)
    assert {problem.code for problem in raised.value.problems} <= {"K006", "N018"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["config.resolved.yaml", "metrics.csv", "model.keras"])
def test_a_callback_may_not_write_over_the_run_s_own_files(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"C014\]: `{name}` is a file of the run itself"):
        train(tmp_path, f"training.callbacks=[{{CSVLogger: {{filename: {name}}}}}]")
    assert list(tmp_path.iterdir()) == []


def test_faults_of_config_data_and_requirements_are_told_together(tmp_path):
    from tftrain.fit import prepare

    changes = ["training.epochs=0", "data.source=missing.npz"]
    with pytest.raises(ConfigError) as raised:
        prepare(DIGITS, changes, runs_dir=tmp_path, require=["accuracy>high"])
    assert {problem.code for problem in raised.value.problems} == {"C013", "C030", "D001"}


@pytest.mark.parametrize(
    "change",
    [
        "model.layers.2.Dense.activation=linear",
        "model.layers.2.Dense.activation=relu",
        "model.layers.2.Dense.activation=softmax",
        "training.loss={BinaryCrossentropy: {from_logits: true}}",
    ],
)
def test_what_can_come_to_nothing_is_not_trained(tmp_path, change):
    with pytest.raises(ConfigError, match=r"error\[N00[123]\]"):
        train(tmp_path, change)


def test_columns_of_one_value_are_told(tmp_path, capsys):
    from tftrain.fit import fit, prepare
    from tftrain.terminal import Lines

    asked = prepare(DIGITS, [*QUICK, "data.scaling=standardize"], runs_dir=tmp_path)
    fit(asked, Lines())
    assert re.search(
        r"^columns that hold one value only become 0: \d+$", capsys.readouterr().err, re.MULTILINE
    )


def test_a_network_without_gradients_leaves_no_run(tmp_path):
    layers = "[{Dense: {units: 1}}, {Discretization: {bin_boundaries: [0.0, 1.0]}}]"
    with pytest.raises(ConfigError, match=r"K005\]: this network can't be trained: No gradients"):
        train(tmp_path, f"model.layers={layers}", "training.loss=mse", "training.metrics=[]")
    assert list(tmp_path.iterdir()) == []


def test_a_smoke_run_is_small_checked_and_not_the_newest(digits):
    from tftrain import smoke

    run = train(digits.folder.parent, "data.classes=null", "training.loss=mse", smoke=True)
    assert sum(run.summary["rows"].values()) <= 256
    assert run.summary["epochs_run"] == 2
    checks = smoke.check(run)
    assert [check.passed for check in checks] == [True] * 4
    assert runs.find(digits.folder.parent, None)[0] == digits.folder


def test_a_network_that_cannot_learn_fails_the_smoke_run(tmp_path):
    from tftrain import smoke

    frozen = "training.optimizer={SGD: {learning_rate: 1.0e-30}}"
    checks = smoke.check(train(tmp_path, frozen, smoke=True))
    assert [check.name for check in checks if not check.passed] == ["one batch by heart"]


def test_what_keras_refuses_leaves_no_run(tmp_path):
    with pytest.raises(ConfigError) as raised:
        train(
            tmp_path,
            "model.layers.0.Dense.unit=3",
            "training.optimizer=Adm",
            "training.callbacks.0.EarlyStopping.patienc=3",
        )
    assert [problem.code for problem in raised.value.problems] == ["K002", "K001", "K002"]
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_finite_leaves_a_failed_run_with_finite_weights(tmp_path):
    config = ROOT / "configs" / "linear_regression.yaml"
    with pytest.raises(TrainingError) as raised:
        train(tmp_path, "training.optimizer={SGD: {learning_rate: 1.0e12}}", config=config)
    assert raised.value.exit_code == 3
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / runs.SUMMARY).read_text())["state"] == runs.FAILED
    weights = files.read_arrays(folder / runs.WEIGHTS)
    assert all(np.isfinite(array).all() for array in weights.values())


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    from tftrain.training import Engine

    learn = Engine.train

    def then_fill(*arguments):
        monkeypatch.setattr(os, "fsync", full)
        return learn(*arguments)

    monkeypatch.setattr(Engine, "train", then_fill)
    with pytest.raises(StorageError, match="No space left on device") as raised:
        train(tmp_path)
    assert raised.value.exit_code == 3
    (folder,) = tmp_path.iterdir()
    assert not list(folder.glob(".tmp-*"))
    assert json.loads((folder / runs.SUMMARY).read_text())["state"] == runs.RUNNING


def test_a_run_that_cannot_begin_leaves_no_directory(tmp_path, monkeypatch):
    def full(*_arguments):
        raise StorageError(Problem(Mark("split.npz"), "R003", "can't be written: it is full"))

    monkeypatch.setattr(files, "write_arrays", full)
    with pytest.raises(StorageError, match="it is full"):
        train(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"x": (9, 63)}, r"x: rows of shape \(63,\); this network was trained on \(64,\)"),
        ({"y": (9, 2)}, r"y: rows of shape \(2,\); this network was trained on \(\)"),
    ],
)
def test_other_rows_are_of_the_shape_trained_on(trained, tmp_path, shape, said):
    shapes = {"x": (9, 64), "y": (9,)} | shape
    np.savez(tmp_path / "d.npz", **{one: np.zeros(shapes[one]) for one in shapes})
    with pytest.raises(DataError, match=said) as raised:
        trained.rows(file=str(tmp_path / "d.npz"))
    assert raised.value.problems[0].code == "D004"


def test_changed_data_are_noticed(tmp_path):
    from tftrain import evaluate
    from tftrain.errors import RunError

    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)), np.arange(60) % 2
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    run = train(tmp_path, f"data.source={tmp_path / 'rows.npz'}", "data.classes=null")
    x[7, 2] += 1
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    with pytest.raises(RunError, match="changed"):
        evaluate.load(run.folder, run.summary).splits()


@pytest.mark.slow
class TestCommandLine:
    """Each of these starts TensorFlow anew, but for what is only about the words."""

    def test_fit_eval_and_runs(self, tmp_path):
        done = tftrain("fit", DIGITS, "training.epochs=3", cwd=tmp_path)
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == str(Path("runs", "digits-1"))
        warning, *epochs = done.stderr.splitlines()
        assert "warning[N050]: patience 10 in 3 epochs" in warning
        assert [line.partition("  ")[0] for line in epochs] == [f"epoch {n}/3" for n in (1, 2, 3)]
        summary = json.loads((tmp_path / "runs" / "digits-1" / "summary.json").read_text())
        asked = tftrain("eval", "--json", cwd=tmp_path)
        assert json.loads(asked.stdout)["metrics"]["test"] == summary["metrics"]["test"]
        listed = json.loads(tftrain("runs", "--json", cwd=tmp_path).stdout)
        assert [run["name"] for run in listed] == ["digits-1"]

    def test_images_that_are_left_out_are_told_by_every_command(self, tmp_path, warm_tftrain):
        for number in range(40):
            path = tmp_path / "shapes" / "ab"[number % 2] / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), 5 * number).save(path)
        for number in (4, 7, 8):
            (tmp_path / "shapes" / "ab"[number % 2] / f"{number:02}.png").write_bytes(b"none")
        (tmp_path / "c.yaml").write_text(
            "name: c\ndata: {source: shapes, on_error: skip}\n"
            "model: {layers: [Flatten, {Dense: {units: 1, activation: sigmoid}}]}\n"
            "training: {loss: BinaryCrossentropy, epochs: 1}\n"
        )
        said = "3 images of 40 left out; the first: "
        first = f"{Path('shapes', 'a', '04.png')}: can't be read: expected PNG, "
        done = warm_tftrain("fit", "c.yaml", "--quiet", cwd=tmp_path)
        assert done.returncode == 0
        assert f"shapes: warning[D026]: {said}" in done.stderr
        assert first in done.stderr
        assert done.stderr.count("\n") == 1
        (note,) = json.loads((tmp_path / "runs" / "c-1" / "summary.json").read_text())["notes"]
        assert note == done.stderr.rstrip("\n")
        text = warm_tftrain("check", "c.yaml", "--data", cwd=tmp_path).stdout
        assert f"c.yaml:2:16: warning[D026]: {said}" in text
        assert f"  warning[D026]: {said}" in text
        (report,) = json.loads(
            warm_tftrain("check", "c.yaml", "--data", "--format", "json", cwd=tmp_path).stdout
        )
        assert "D026" in {one["code"] for one in report["problems"]}
        assert "D026" in {one["code"] for one in report["data"]["findings"]}
        asked = warm_tftrain("eval", "c-1", "--data", "shapes", cwd=tmp_path)
        assert f"shapes: warning[D026]: {said}{first}" in asked.stderr
        asked = warm_tftrain("predict", "c-1", "shapes", "-o", "p.csv", cwd=tmp_path)
        assert asked.stderr.startswith(f"{said}{first}")
        asked = warm_tftrain("predict", "c-1", "shapes", "-o", "p.csv", "--json", cwd=tmp_path)
        (left,) = json.loads(asked.stdout)["notes"]
        assert (left["kind"], left["cells"], left["rows"]) == ("left_out", 3, 40)

    def test_json_quiet_name_and_requirements(self, tmp_path, warm_tftrain):
        done = warm_tftrain(
            *("fit", DIGITS, "--json", "--quiet", "--name", "mine", "--smoke"),
            *("--require", "accuracy>=0.1", "--require", "val_loss<0.001"),
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("not met: val_loss<0.001: val_loss is 0.")
        shown = json.loads(done.stdout)
        assert shown["run"] == str(Path("runs", "mine-smoke-1"))
        assert [check["passed"] for check in shown["checks"]] == [True] * 4

    def test_a_time_limit_with_json_and_requirements_and_a_bare_resume(
        self, tmp_path, warm_tftrain
    ):
        fit = ("fit", DIGITS, "training.callbacks=null")
        done = tftrain(
            *(*fit, "training.epochs=1000000", "--time-limit", "1s", "--json", "--quiet"),
            *("--require", "accuracy>=0.999"),
            cwd=tmp_path,
        )
        folder = Path("runs", "digits-1")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"stopped by the time limit of 1s; `tftrain fit --resume {folder}` goes on",
            "not measured: accuracy>=0.999",
        ]
        shown = json.loads(done.stdout)
        assert (shown["run"], shown["state"], shown["checks"]) == (str(folder), runs.STOPPED, [])
        again = warm_tftrain(*fit, "--resume", "training.epochs=1000", "--quiet", cwd=tmp_path)
        assert again.returncode == 0
        assert again.stderr == "training.epochs: 1000000 before, 1000 now\n"
        assert again.stdout.splitlines()[-1] == str(folder)

    @pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    @pytest.mark.parametrize("seconds", [0, 0.013, 0.5])
    def test_a_signal_stops_the_run_and_says_so(self, tmp_path, number, code, seconds):
        command = [sys.executable, "-m", "tftrain", "fit", str(DIGITS), "training.epochs=100000"]
        with subprocess.Popen(
            [*command, "training.callbacks=[]"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as process:
            next(line for line in process.stderr if line.startswith("epoch"))
            time.sleep(seconds)
            process.send_signal(number)
            _, rest = process.communicate(timeout=20)
        assert process.returncode == code
        on = f"`tftrain fit --resume {Path('runs', 'digits-1')}` goes on"
        assert rest.endswith(f"stopped by {number.name}; {on}\n")
        assert "Traceback" not in rest
        folder = tmp_path / "runs" / "digits-1"
        assert json.loads((folder / runs.SUMMARY).read_text())["state"] == runs.STOPPED
        files.read_arrays(folder / runs.WEIGHTS)
        with (folder / runs.METRICS).open() as file:
            assert len(list(csv.DictReader(file))) >= 1
