"""Networks trained side by side: each that of its seed, the best kept, resumed to the bit."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from conftest import faults
from tftrain import checkpoint, files, runs, spread
from tftrain.config import spec_of
from tftrain.errors import Stopped, TrainingError
from tftrain.terminal import Silent

pytestmark = pytest.mark.usefixtures("tensorflow")

COUNT = 3
CONFIG = {
    "name": "digits",
    "seed": 3,
    "data": {"source": "digits", "split": {"train": 0.1, "validation": 0.1, "test": 0.8}},
    "model": {
        "layers": [
            {"Dense": {"units": 8, "activation": "relu", "kernel_regularizer": "l2"}},
            "BatchNormalization",
            {"Dropout": {"rate": 0.3}},
            {"Dense": {"units": 10, "activation": "softmax"}},
        ]
    },
    "training": {
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": {"AdamW": {"global_clipnorm": 1.0}},
        "metrics": ["accuracy"],
        "class_weight": "balanced",
        "epochs": 6,
        "threads": 2,
        "callbacks": [
            {"ReduceLROnPlateau": {"patience": 1, "factor": 0.5}},
            {"EarlyStopping": {"patience": 2, "restore_best_weights": True}},
        ],
    },
}


class Heard(Silent):
    """Keeps what is said; ends a training after some epoch, if asked to."""

    def __init__(self, until=None):
        self.until = until
        self.said = []

    def epoch(self, epoch):
        if epoch.number == self.until:
            raise Stopped("asked to", 130)

    def say(self, line):
        self.said.append(line)


@pytest.fixture
def train(tmp_path):
    def trained(progress=None, resume=None, **training):
        from tftrain import fit
        from tftrain import resume as resuming

        path = tmp_path / "digits.yaml"
        path.write_text(json.dumps(CONFIG | {"training": CONFIG["training"] | training}))
        if resume is None:
            asked = fit.prepare(path, runs_dir=tmp_path / "runs")
        else:
            asked = resuming.prepare(path, name=str(resume), runs_dir=tmp_path / "runs")
        return fit.fit(asked, progress or Silent())

    return trained


def members_of(run):
    with (run.folder / runs.MEMBERS).open() as file:
        rows = list(csv.DictReader(file))
    return [
        [
            {name: float(value) for name, value in row.items() if name != "member"}
            for row in rows
            if row["member"] == str(number)
        ]
        for number in range(COUNT)
    ]


def alone_of(run):
    return [
        {name: value for name, value in row.items() if name != "seconds"} for row in run.history
    ]


def same(found, expected, tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=0, abs=tolerance)


def test_each_is_the_network_of_its_seed_and_the_best_is_kept(train):
    run = train(restarts=COUNT)
    alone = [train(seed=CONFIG["seed"] + number) for number in range(COUNT)]
    for found, one in zip(members_of(run), alone, strict=True):
        same(found, alone_of(one), 1e-5)
    losses = [one.summary["metrics"]["validation"]["loss"] for one in alone]
    kept = int(np.argmin(losses))
    population = run.summary["population"]
    assert population["together"]
    assert population["kept"] == kept
    assert run.summary["metrics"]["validation"]["loss"] == pytest.approx(losses[kept], abs=1e-5)
    weights = files.read_arrays(run.folder / runs.WEIGHTS)
    expected = files.read_arrays(alone[kept].folder / runs.WEIGHTS)
    for name, array in expected.items():
        np.testing.assert_allclose(weights[name], array, rtol=0, atol=1e-5)
    tested = [one.summary["metrics"]["test"]["accuracy"] for one in alone]
    figures = population["test"]["accuracy"]
    assert figures["mean"] == pytest.approx(np.mean(tested), abs=1e-5)
    assert figures["std"] == pytest.approx(np.std(tested, ddof=1), abs=1e-5)
    assert figures["best"] == pytest.approx(max(tested), abs=1e-5)
    assert figures["worst"] == pytest.approx(min(tested), abs=1e-5)


@pytest.mark.slow
def test_one_after_another_they_have_the_bits_of_trainings_of_their_own(train, monkeypatch):
    from tftrain.training import population
    from tftrain.training.stacked import Unstackable

    def refuse(*_):
        raise Unstackable("not today")

    monkeypatch.setattr(population, "Stacked", refuse)
    heard = Heard()
    run = train(heard, restarts=COUNT)
    assert "the 3 networks are trained one after another: not today" in heard.said
    for number, found in enumerate(members_of(run)):
        same(found, alone_of(train(seed=CONFIG["seed"] + number)), 0.0)


@pytest.mark.slow
def test_groups_come_to_the_same(train, monkeypatch):
    from tftrain.training import stacked
    from tftrain.training.stacked import Stacked

    whole = members_of(train(restarts=COUNT, epochs=2))
    monkeypatch.setattr(Stacked, "_fitting", lambda _self: 2)
    for is_light in (True, False):
        monkeypatch.setattr(stacked, "_LIGHT", math.inf if is_light else 0)
        for found, expected in zip(members_of(train(restarts=COUNT, epochs=2)), whole, strict=True):
            same(found, expected, 1e-5)


@pytest.mark.slow
def test_a_group_of_one_is_trained_like_any(train, monkeypatch):
    """TensorFlow's `squeeze`, which Keras adds a convolution's bias with, takes a stack of one."""
    from tftrain.training.stacked import Stacked

    layers = [
        {"Reshape": {"target_shape": [8, 8, 1]}},
        {"Conv2D": {"filters": 2, "kernel_size": 3}},
        "Flatten",
        {"Dense": {"units": 10, "activation": "softmax"}},
    ]
    monkeypatch.setitem(CONFIG, "model", {"layers": layers})
    whole = members_of(train(restarts=COUNT, epochs=2, callbacks=[]))
    monkeypatch.setattr(Stacked, "_fitting", lambda _self: 2)
    run = train(restarts=COUNT, epochs=2, callbacks=[])
    for found, expected in zip(members_of(run), whole, strict=True):
        same(found, expected, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 4])
def test_a_population_goes_on_to_the_same_bits(train, epoch):
    expected = train(restarts=COUNT)
    with pytest.raises(Stopped) as stopped:
        train(Heard(until=epoch), restarts=COUNT)
    run = train(resume=stopped.value.run, restarts=COUNT)
    assert members_of(run) == members_of(expected)
    assert run.summary["population"] == expected.summary["population"]
    found, wanted = (files.read_arrays(one.folder / runs.WEIGHTS) for one in (run, expected))
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in wanted.items()
    }


@pytest.mark.slow
def test_the_state_of_another_population_is_refused(train):
    from tftrain.errors import RunError

    with pytest.raises(Stopped) as stopped:
        train(Heard(until=1), restarts=COUNT)
    path = stopped.value.run / runs.CHECKPOINT
    kept = checkpoint.read(path)
    del kept.state.callbacks[1]["history"]
    checkpoint.write(path, kept)
    with pytest.raises(RunError, match="not the state of a population"):
        train(resume=stopped.value.run, restarts=COUNT)


@pytest.mark.slow
def test_networks_that_are_not_finite_drop_out_until_none_is_left(train):
    with pytest.raises(TrainingError, match="of every network is not finite in epoch 1"):
        train(restarts=COUNT, optimizer={"SGD": {"learning_rate": 1e30}}, callbacks=[])


@pytest.mark.slow
def test_a_network_that_is_not_finite_leaves_the_others_alone(train, monkeypatch):
    from tftrain.training import population

    sound = members_of(train(restarts=COUNT, epochs=3))
    note = population.Population._note  # noqa: SLF001

    def spoilt(self, member, epoch, logs, before):
        note(self, member, epoch, logs | ({"loss": np.nan} if member.number == 1 else {}), before)

    monkeypatch.setattr(population.Population, "_note", spoilt)
    run = train(restarts=COUNT, epochs=3)
    found = members_of(run)
    assert (found[0], found[1], found[2]) == (sound[0], [], sound[2])
    second = run.summary["population"]["members"][1]
    assert second["failed"] == "loss is not finite in epoch 1"
    assert run.summary["population"]["kept"] != 1


def test_what_tensorflow_cannot_compute_is_told(train, tmp_path, monkeypatch):
    x = np.arange(60).reshape(60, 1) % 5
    np.savez(tmp_path / "rows.npz", x=x, y=np.arange(60) % 2)
    np.savez(tmp_path / "watched.npz", x=x + 9, y=np.arange(60) % 2)
    split = {"train": 0.8, "validation": "watched.npz", "test": 0.2}
    layers = [
        {"Embedding": {"input_dim": 5, "output_dim": 2}},
        "Flatten",
        {"Dense": {"units": 1, "activation": "sigmoid"}},
    ]
    monkeypatch.setitem(CONFIG, "data", {"source": "rows.npz", "split": split})
    monkeypatch.setitem(CONFIG, "model", {"layers": layers})
    with pytest.raises(TrainingError, match=r"T002\]: TensorFlow refused a batch"):
        train(restarts=COUNT, loss="BinaryCrossentropy")


def test_what_follows_one_network_is_refused(tmp_path):
    path = tmp_path / "digits.yaml"
    callbacks = [{"ModelCheckpoint": {"filepath": "best.keras"}}]
    training = CONFIG["training"] | {"restarts": 2, "on_nan": {}, "callbacks": callbacks}
    path.write_text(json.dumps(CONFIG | {"training": training}))
    said = "\n".join(faults(path))
    assert "`ModelCheckpoint` follows one network; with `training.restarts` expected" in said
    assert "a network that is not finite drops out alone" in said


def test_a_search_has_no_restarts(tmp_path):
    path = tmp_path / "digits.yaml"
    training = CONFIG["training"] | {"restarts": 2, "optimizer": "GeneticAlgorithm"}
    path.write_text(json.dumps(CONFIG | {"training": training}))
    assert "searches among many networks already" in "\n".join(faults(path))


def test_figures_are_those_of_numpy():
    from tftrain.config.schema import Training

    training = Training(loss=spec_of("MeanSquaredError"), metrics=[spec_of("AUC")], epochs=1)
    values = [{"loss": 0.5, "auc": 0.7}, {"loss": 0.1, "auc": 0.9}, {"loss": 0.4, "auc": 0.6}]
    found = spread.figures(training, values)
    assert (found["auc"]["best"], found["auc"]["worst"]) == (0.9, 0.6)
    assert (found["loss"]["best"], found["loss"]["worst"]) == (0.1, 0.5)
    for name, one in found.items():
        column = [row[name] for row in values]
        assert one["median"] == np.median(column)
        assert one["mean"] == pytest.approx(np.mean(column), rel=1e-15)
        assert one["std"] == pytest.approx(np.std(column, ddof=1), rel=1e-12)


def test_figures_of_what_is_not_finite_are_not_finite_but_told():
    from tftrain.config.schema import Training

    training = Training(loss=spec_of("MeanSquaredError"), metrics=[spec_of("AUC")], epochs=1)
    values = [{"loss": np.inf, "auc": np.nan}, {"loss": 0.1, "auc": 0.9}]
    found = spread.figures(training, values)
    assert (found["loss"]["best"], found["loss"]["worst"]) == (0.1, np.inf)
    assert found["auc"]["best"] == 0.9
    for one in found.values():
        assert not np.isfinite([one["worst"], one["mean"], one["std"]]).any()
