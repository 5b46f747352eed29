"""Real data, as a user would bring them; skipped where TFTRAIN_TEST_DATA names no folder."""

from __future__ import annotations

import json
import shlex

import duckdb
import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from tftrain import check
from tftrain.terminal import Silent

REAL = {path.stem: path for path in sorted((ROOT / "configs" / "real").glob("*.yaml"))}
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tensorflow")]

TRAINING = {
    "loss": "BinaryCrossentropy",
    "optimizer": "Adam",
    "metrics": ["accuracy", "AUC"],
    "epochs": 30,
    "threads": 2,
    "callbacks": [{"EarlyStopping": {"patience": 5, "restore_best_weights": True}}],
}


@pytest.fixture
def fit(tmp_path):
    """Trains on some data; returns the run."""

    def trained(data, layers, **training):
        from tftrain import fit as job

        config = {"data": data, "model": {"layers": layers}, "training": TRAINING | training}
        path = tmp_path / "real.yaml"
        path.write_text(json.dumps(config))
        return job.fit(job.prepare(path, runs_dir=tmp_path / "runs"), Silent())

    return trained


@pytest.mark.parametrize("name", REAL)
def test_a_shipped_config_reaches_its_bar(name, real_data, tmp_path, warm_tftrain):  # noqa: ARG001 - skips
    command = REAL[name].read_text("utf-8").splitlines()[1].removeprefix("#   tftrain ")
    arguments = [*shlex.split(command), "--quiet", "--runs-dir", str(tmp_path)]
    done = warm_tftrain(*arguments, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", REAL)
def test_only_two_have_data_warnings(name, real_data):  # noqa: ARG001 - skips
    report = check.check(REAL[name], data=True)
    twice = {"concrete": {"D020"}, "fine_foods_reviews": {"D027"}}.get(name, set())
    assert {problem.code for problem in report.problems} == twice
    assert all(row.shape for row in report.table)


def sigmoid(units):
    return {"Dense": {"units": units, "activation": "sigmoid"}}


def test_mnist_reaches_what_a_logistic_regression_does(real_data, fit):
    """Logistic regression: 0.9995; below 0.998 something is wrong with the data's way."""
    source = str(real_data / "mnist01" / "train.npz")
    layers = ["Flatten", {"Dense": {"units": 32, "activation": "relu"}}, sigmoid(1)]
    scaling = {"rescale": {"scale": 1 / 255}}
    run = fit({"source": source, "scaling": scaling}, layers, epochs=10)
    assert run.summary["rows"] == {"train": 7599, "validation": 2533, "test": 2533}
    assert run.summary["inputs"] == [28, 28]
    assert run.summary["metrics"]["test"]["accuracy"] >= 0.998


def test_labels_in_order_and_in_a_column_are_shuffled_and_stratified(real_data, fit):
    """500 zeros, then 500 ones, of shape (n, 1): an unshuffled tail would be of one class."""
    folder = real_data / "digits20_01"
    source = {"x": str(folder / "X.npy"), "y": str(folder / "y.npy")}
    run = fit({"source": source, "scaling": "standardize"}, [sigmoid(25), sigmoid(15), sigmoid(1)])
    assert run.summary["rows"] == {"train": 600, "validation": 200, "test": 200}
    from tftrain import evaluate

    splits = evaluate.load(run.folder, run.summary).splits()
    assert {name: int(part.labels.sum()) * 2 for name, part in splits.parts().items()} == (
        run.summary["rows"]
    )
    assert run.summary["metrics"]["test"]["accuracy"] >= 0.98


def test_predictions_of_real_rows_are_their_labels(real_data, fit, tmp_path):
    from tftrain import predict, recorded

    folder = real_data / "digits20_01"
    source = {"x": str(folder / "X.npy"), "y": str(folder / "y.npy")}
    run = fit({"source": source, "classes": [1, 0]}, [sigmoid(1)])
    output = tmp_path / "out.npz"
    asked = recorded.read(run.folder, run.summary)
    rows = predict.predict(asked, source["x"], str(output)).rows
    with np.load(output) as predicted, (folder / "y.npy").open("rb") as file:
        labels = np.load(file)[:, 0]
        assert rows == len(labels) == 1000
        assert np.mean(predicted["class"].astype(int) == labels) > 0.98


@pytest.mark.parametrize("name", REAL)
def test_the_exported_model_says_what_predict_does(name, real_data, tmp_path):  # noqa: ARG001 - skips
    """Of raw rows: probabilities, or numbers as they are learnt, in deviations."""
    from tftrain import fit as job
    from tftrain import predict, recorded
    from tftrain.backend import keras

    asked = job.prepare(REAL[name], ["training.epochs=2"], runs_dir=tmp_path)
    run = job.fit(asked, Silent())
    trained = recorded.read(run.folder, run.summary)
    data = trained.config.data
    source = data.source if isinstance(data.source, str) else data.source.x
    output = tmp_path / "out.npz"
    predict.predict(trained, source, str(output))
    predicted = dict(np.load(output, allow_pickle=True))
    inputs = raw_rows(trained, source, predicted)
    theirs = keras.models.load_model(run.folder / "model.keras").predict(
        inputs, batch_size=1024, verbose=0
    )
    classes = trained.form.classes
    if classes is None:
        ours = learnt(predicted["prediction"][:, None], trained.preparation.target)
        theirs = learnt(theirs, trained.preparation.target)
    else:
        chosen = classes[-1:] if theirs.shape[1] == 1 else classes
        ours = np.stack([predicted[f"probability_{one}"] for one in chosen], axis=1)
    assert ours.shape == theirs.shape
    assert np.ptp(ours) > 0.1
    assert np.abs(ours - theirs).max() < 1e-6


def learnt(numbers, target):
    """The target's units undone, in 64 bits."""
    wide = numbers.astype(np.float64)
    return (np.log1p(wide) if target.log else wide) / target.deviation


def raw_rows(run, source, predicted):
    """What a program without tftrain would give the exported model."""
    data = run.config.data
    if data.series is not None:
        values = duckdb.read_csv(source).order(data.time).fetchnumpy()[data.series.column]
        windows = np.lib.stride_tricks.sliding_window_view(values, data.series.lags)
        return windows.astype(np.float32)
    if run.preparation.columns is None and source.endswith(".npy"):
        return np.load(source).astype(np.float32)
    if run.preparation.columns is None:
        files = [np.asarray(Image.open(f"{source}/{name}")) for name in predicted["file"]]
        return np.stack(files).astype(np.float32)[..., None]
    return raw_columns(run, source)


def raw_columns(run, source):
    """A table's columns, (rows, 1) each: texts, or float32 with NaN for what is missing."""
    from tftrain.backend import keras

    types = run.preparation.columns.types
    texts = {column: "VARCHAR" for column, kind in types.items() if kind != "DOUBLE"}
    connection = duckdb.connect()
    connection.read_csv(source, dtype=texts).create_view("data")
    rows = connection.sql(run.config.data.query or "SELECT * FROM data")
    inputs = {}
    for name, kind in types.items():
        cells = [cell for (cell,) in rows.select(duckdb.ColumnExpression(name)).fetchall()]
        if kind == "DOUBLE":
            inputs[name] = np.array([[np.nan if one is None else one] for one in cells], np.float32)
        else:
            inputs[name] = keras.ops.convert_to_tensor([[one or ""] for one in cells], "string")
    return inputs
