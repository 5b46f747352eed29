"""Cross-validation: each row tested once, by the network of its fold; then one of all rows."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from typer.testing import CliRunner

from conftest import faults
from tftrain import checkpoint, config, data, files, recorded, runs
from tftrain.cli import app
from tftrain.errors import DataError, RunError, Stopped
from tftrain.terminal import Silent

pytestmark = pytest.mark.usefixtures("tensorflow")

COUNT = 3
CONFIG = {
    "name": "digits",
    "seed": 3,
    "data": {
        "source": "digits",
        "classes": [0, 1, 2],
        "split": {"train": 0.3, "validation": 0.1, "test": 0.6},
    },
    "model": {
        "layers": [
            {"Dense": {"units": 8, "activation": "relu"}},
            {"Dropout": {"rate": 0.3}},
            {"Dense": {"units": 3, "activation": "softmax"}},
        ]
    },
    "training": {
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": "Adam",
        "metrics": ["accuracy"],
        "class_weight": "balanced",
        "epochs": 3,
        "folds": COUNT,
        "threads": 2,
        "callbacks": [{"EarlyStopping": {"patience": 1, "restore_best_weights": True}}],
    },
}


class Heard(Silent):
    """Keeps what is said; ends a training when so many epochs are over, if asked to."""

    def __init__(self, until=None):
        self.until, self.seen, self.said = until, 0, []

    def epoch(self, _epoch):
        self.seen += 1
        if self.seen == self.until:
            raise Stopped("asked to", 130)

    def say(self, line):
        self.said.append(line)


@pytest.fixture
def write(tmp_path):
    def written(wanted=CONFIG, **training):
        path = tmp_path / "digits.yaml"
        path.write_text(json.dumps(wanted | {"training": wanted["training"] | training}))
        return path

    return written


@pytest.fixture
def train(tmp_path, write):
    def trained(progress=None, resume=None, wanted=CONFIG, **training):
        from tftrain import fit
        from tftrain import resume as resuming

        path = write(wanted, **training)
        if resume is None:
            asked = fit.prepare(path, runs_dir=tmp_path / "runs")
        else:
            asked = resuming.prepare(path, name=str(resume), runs_dir=tmp_path / "runs")
        return fit.fit(asked, progress or Silent())

    return trained


def splits_of(path):
    return data.folds(*config.load(path))


def alone(path, fold, folder):
    """The training that a fold's network would have had by itself."""
    from tftrain import evaluate, model, training
    from tftrain.backend import start
    from tftrain.training import callbacks

    settings, source = config.load(path)
    start(settings.training_seed, 2)
    network = model.build(settings, source, fold.form)
    engine = evaluate.engine_of(network, settings, len(fold.train))
    job = training.Job(
        engine=engine,
        training=settings.training,
        train=fold.weighted,
        validation=fold.validation,
        seed=settings.training_seed,
        callbacks=callbacks.build(settings, source, folder),
        say=print,
    )
    return [one.logs for one in training.train(job)], evaluate.metrics(engine, fold)


def test_each_row_is_tested_once_in_folds_of_like_classes(write):
    found = splits_of(write())
    rows = np.concatenate([fold.test.rows for fold in found])
    _, target = load_digits(return_X_y=True)
    assert sorted(rows) == [row for row, digit in enumerate(target) if digit < 3]
    for fold in found:
        learnt, watched, tested = (
            set(part.rows) for part in (fold.train, fold.validation, fold.test)
        )
        assert not learnt & watched
        assert not (learnt | watched) & tested
        assert len(learnt | watched | tested) == 537
        assert len(watched) / len(learnt) == pytest.approx(1 / 3, rel=0.02)
        counts = np.bincount(fold.test.labels)
        assert counts.max() - counts.min() <= 5


def test_a_test_file_stays_apart_from_the_folds(tmp_path, write):
    rows = [f"{x % 7 / 7},{x % 2}" for x in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,y", *rows]))
    (tmp_path / "apart.csv").write_text("\n".join(["x,y", *rows[:7]]))
    split = {"train": 0.8, "validation": 0.2, "test": str(tmp_path / "apart.csv")}
    table = {"source": str(tmp_path / "rows.csv"), "target": "y", "split": split}
    layers = [{"Dense": {"units": 1, "activation": "sigmoid"}}]
    path = write(CONFIG | {"data": table, "model": {"layers": layers}}, loss="BinaryCrossentropy")
    tested = np.concatenate([fold.test.row_numbers for fold in splits_of(path)])
    assert sorted(tested) == list(range(60))
    whole = data.load(*config.load(path))
    assert (len(whole.train), len(whole.test)) == (60, 7)


def test_rows_that_belong_together_are_tested_together(tmp_path, write):
    random = np.random.default_rng(1)
    lines = [f"{x:.3f},{random.integers(25)},{x > 0:d}" for x in random.normal(size=200)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,who,y", *lines]))
    table = {"source": str(tmp_path / "rows.csv"), "target": "y", "group": "who"}
    layers = [{"Dense": {"units": 1, "activation": "sigmoid"}}]
    path = write(CONFIG | {"data": table, "model": {"layers": layers}}, loss="BinaryCrossentropy")
    who = np.array([int(line.split(",")[1]) for line in lines])
    found = splits_of(path)
    tested = [set(who[fold.test.row_numbers]) for fold in found]
    assert sum(map(len, tested)) == len(set(who))
    for fold, mine in zip(found, tested, strict=True):
        assert not mine & set(who[fold.train.row_numbers])


def test_each_network_is_the_one_of_its_fold(train, write, tmp_path):
    run = train()
    with (run.folder / runs.MEMBERS).open() as file:
        rows = list(csv.DictReader(file))
    told = run.summary["population"]
    assert told["together"]
    scores = []
    for number, fold in enumerate(splits_of(write())):
        logs, metrics = alone(write(), fold, tmp_path)
        mine = [row for row in rows if int(row["member"]) == number]
        assert len(mine) == len(logs)
        for row, expected in zip(mine, logs, strict=True):
            for name, value in expected.items():
                assert float(row[name]) == pytest.approx(value, abs=1e-5)
        scores.append(metrics["test"]["accuracy"])
    figures = told["test"]["accuracy"]
    assert figures["mean"] == pytest.approx(np.mean(scores), abs=1e-5)
    assert figures["std"] == pytest.approx(np.std(scores, ddof=1), abs=1e-5)
    assert run.summary["metrics"]["test"]["accuracy"] == figures["mean"]


def test_predictions_are_those_of_each_rows_own_fold(train):
    from tftrain import assess

    run = train(wanted=CONFIG)
    found = recorded.read(run.folder, run.summary)
    with np.load(run.folder / runs.PREDICTIONS) as kept:
        labels, guessed = kept["test/labels"], kept["test/outputs"].argmax(axis=1)
        _, target = load_digits(return_X_y=True)
        assert list(kept["test/rows"]) == list(np.flatnonzero(target < 3))
        assert list(labels) == list(target[kept["test/rows"]])
    members = run.summary["population"]["members"]
    sizes = [len(fold.test) for fold in data.folds(found.config, found.source)]
    accuracies = [one["metrics"]["test"]["accuracy"] for one in members]
    pooled = np.average(accuracies, weights=sizes)
    assert accuracy_score(labels, guessed) == pytest.approx(pooled, abs=1e-6)
    said = assess.of_run(found)
    assert said.assessment is not None
    assert not said.assessment.notes  # there is a linear model of each fold beside it


def test_the_network_that_is_kept_has_learnt_from_all_rows(train, write):
    from tftrain import fit

    heard = Heard()
    run = train(heard)
    epochs = run.summary["population"]["refit"]["epochs"]
    assert f"one network learns from all 537 rows, for {epochs} epochs" in heard.said
    assert run.summary["rows"] == {"train": 537}
    assert len(run.history) == epochs
    whole = CONFIG | {"data": CONFIG["data"] | {"split": {"train": 1.0}}}
    path = write(whole, folds=None, epochs=epochs, callbacks=[])
    expected = fit.fit(fit.prepare(path, runs_dir=run.folder.parent), Silent())
    found, wanted = (files.read_arrays(one.folder / runs.WEIGHTS) for one in (run, expected))
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in wanted.items()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody stopped."""
    from tftrain import fit

    folder = tmp_path_factory.mktemp("whole")
    (folder / "digits.yaml").write_text(json.dumps(CONFIG | {"training": _plateau()}))
    return fit.fit(fit.prepare(folder / "digits.yaml", runs_dir=folder), Silent())


def _plateau():
    callbacks = [{"ReduceLROnPlateau": {"patience": 1, "min_delta": 10.0, "factor": 0.5}}]
    return CONFIG["training"] | {"callbacks": callbacks}


@pytest.mark.slow
@pytest.mark.parametrize("until", [2, 5])
def test_cross_validation_goes_on_to_the_same_bits(train, whole, until):
    expected, heard = whole, Heard()
    with pytest.raises(Stopped) as stopped:
        train(Heard(until), **_plateau())
    run = train(heard, resume=stopped.value.run, **_plateau())
    assert heard.seen == 6 - until  # no epoch is trained twice
    assert run.summary["population"] == expected.summary["population"]
    assert [row["loss"] for row in run.history] == [row["loss"] for row in expected.history]
    found, wanted = (files.read_arrays(one.folder / runs.WEIGHTS) for one in (run, expected))
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in wanted.items()
    }


def test_the_last_training_repeats_the_rates_of_a_fold(whole):
    with (whole.folder / runs.MEMBERS).open() as file:
        rates = [
            float(row["learning_rate"]) for row in csv.DictReader(file) if row["member"] == "1"
        ]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4])
    assert [row["learning_rate"] for row in whole.history] == rates


@pytest.mark.slow
def test_a_state_of_another_last_training_is_refused(train):
    with pytest.raises(Stopped) as stopped:
        train(Heard(5), callbacks=[])
    path = stopped.value.run / runs.CHECKPOINT
    kept = checkpoint.read(path)
    for broken in ({"epochs_of_folds": "many"}, {"callbacks": 3}):
        state = replace(kept.state, callbacks=[*kept.state.callbacks[:-1], broken])
        checkpoint.write(path, replace(kept, state=state))
        with pytest.raises(RunError, match="not the state of a population"):
            train(resume=stopped.value.run, callbacks=[])


def test_a_fold_whose_network_fails_counts_for_nothing(train, monkeypatch):
    from tftrain import assess
    from tftrain.training import population

    note = population.Population._note  # noqa: SLF001

    def spoilt(self, member, epoch, logs, before):
        note(self, member, epoch, logs | ({"loss": np.nan} if member.number == 1 else {}), before)

    monkeypatch.setattr(population.Population, "_note", spoilt)
    heard = Heard()
    run = train(heard, callbacks=[])
    assert "fold 2 counts for nothing: loss is not finite in epoch 1" in heard.said
    failed = splits_of(run.folder.parent.parent / "digits.yaml")[1].test.row_numbers
    with np.load(run.folder / runs.PREDICTIONS) as kept:
        assert len(kept["test/rows"]) == 537 - len(failed)
        assert not set(kept["test/rows"]) & set(failed)
    assert assess.of_run(recorded.read(run.folder, run.summary)).assessment is not None


@pytest.mark.slow
def test_a_full_batch_is_all_of_a_folds_rows(train):
    run = train(batch_size="full", callbacks=[], epochs=2)
    kept = checkpoint.read(run.folder / runs.CHECKPOINT)
    steps = {
        name: int(value)
        for name, value in kept.state.variables.items()
        if name.endswith("iteration")
    }
    assert len(steps) == COUNT + 1
    assert set(steps.values()) == {2}


@pytest.mark.slow
def test_rows_that_have_no_room_beside_each_other_take_turns(train, monkeypatch):
    from tftrain.training.engine import Engine

    together = train(epochs=2, callbacks=[])
    monkeypatch.setattr(Engine, "holds", lambda _self, *parts: len(set(map(id, parts))) == 1)
    heard = Heard()
    apart = train(heard, epochs=2, callbacks=[])
    assert any("the rows are read from the disk as they are needed" in line for line in heard.said)
    found, expected = (one.summary["metrics"]["test"] for one in (apart, together))
    assert found == pytest.approx(expected, abs=1e-5)


def test_folds_of_other_shapes_take_turns(train, tmp_path):
    """A category that is in one row only is unknown to the fold that this row is tested in."""
    lines = [f"{x % 7},{'abc'[x % 3]},{x % 2}" for x in range(60)]
    lines[10] = "3,rare,0"
    (tmp_path / "rows.csv").write_text("\n".join(["x,c,y", *lines]))
    table = {"source": str(tmp_path / "rows.csv"), "target": "y"}
    layers = [{"Dense": {"units": 1, "activation": "sigmoid"}}]
    wanted = CONFIG | {"data": table, "model": {"layers": layers}}
    heard = Heard()
    run = train(heard, wanted=wanted, loss="BinaryCrossentropy", epochs=2)
    assert "the 3 networks are trained one after another: their rows have different shapes" in (
        heard.said
    )
    shapes = {fold.form.inputs for fold in splits_of(run.folder.parent.parent / "digits.yaml")}
    assert len(shapes) == 2
    assert run.summary["population"]["test"]["accuracy"]["mean"] >= 0


def test_what_folds_cannot_be_of_is_refused(write, tmp_path):
    said = "\n".join(faults(write(restarts=2, keep="ensemble", on_nan={})))
    assert "`training.folds` is given: each network is of a fold of its own" in said
    assert "a network that is not finite drops out alone" in said
    said = "\n".join(faults(write(keep="ensemble")))
    assert "`ensemble` is of several networks: expected `training.restarts` with it" in said
    (tmp_path / "rows.csv").write_text("day,y\n2020-01-01,1\n2020-01-02,2\n")
    table = {"source": str(tmp_path / "rows.csv"), "target": "y", "time": "day"}
    said = "\n".join(faults(write(CONFIG | {"data": table})))
    assert "`data.time` keeps the rows in order" in said


def test_a_class_of_fewer_rows_than_folds_is_told(write, tmp_path):
    lines = [f"{x},{'rare' if x == 5 else 'ab'[x % 2]}" for x in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,y", *lines]))
    path = write(CONFIG | {"data": {"source": str(tmp_path / "rows.csv"), "target": "y"}})
    with pytest.raises(DataError, match=r"no row of class `rare` for the \w+ split of fold 1"):
        splits_of(path)


def test_check_deals_the_rows_into_folds(write, tmp_path):
    lines = [f"{x % 7 / 7},{'rare' if x == 5 else 'ab'[x % 2]}" for x in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,y", *lines]))
    path = write(CONFIG | {"data": {"source": str(tmp_path / "rows.csv"), "target": "y"}})
    done = CliRunner().invoke(app, ["check", str(path), "--data"])
    assert done.exit_code == 2
    assert "split of fold 1: the source has 1" in done.output


def test_bounds_are_held_against_what_eval_shows(whole, tmp_path):
    """Over all rows, that is, not against the mean of the folds that `fit` has recorded."""
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    summary = json.loads((folder / runs.SUMMARY).read_text())
    summary["metrics"]["test"]["accuracy"] = 0.0
    (folder / runs.SUMMARY).write_text(json.dumps(summary))
    met = CliRunner().invoke(app, ["eval", str(folder), "--require", "accuracy>=0.1"])
    assert met.exit_code == 0
    lacking = CliRunner().invoke(app, ["eval", str(folder), "--split", "validation"])
    assert "has no split `validation`; expected train, test" in str(lacking.exception)
