"""Trials trained together: each the run of a fit of its own, ended or failed by itself."""

from __future__ import annotations

import json
import re
import zipfile

import numpy as np
import pytest

from conftest import ROOT
from tftrain import checkpoint, files, runs
from tftrain.config import load
from tftrain.errors import Stopped
from tftrain.sweep import alike, plan, storage
from tftrain.sweep.trials import Job, Outcome, run

pytest.importorskip("optuna")

pytestmark = pytest.mark.usefixtures("tensorflow")

RATE = "training.optimizer.Adam.learning_rate"
DROPOUT = "model.layers.2.Dropout.rate"
STRENGTH = "model.layers.1.Dense.kernel_regularizer.L2.l2"
CONFIG = {
    "data": {
        "source": "digits",
        "scaling": "standardize",
        "split": {"train": 0.1, "validation": 0.1, "test": 0.8},
    },
    "model": {
        "layers": [
            {"InputLayer": {"shape": [64]}},
            {
                "Dense": {
                    "units": 8,
                    "activation": "relu",
                    "kernel_regularizer": {"L2": {"l2": 0.01}},
                }
            },
            {"Dropout": {"rate": 0.3}},
            "BatchNormalization",
            {"Dense": {"units": 10, "activation": "softmax"}},
        ]
    },
    "training": {
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": {"Adam": {"learning_rate": 0.01}},
        "metrics": ["accuracy"],
        "epochs": 4,
        "threads": 2,
        "callbacks": [
            {"ReduceLROnPlateau": {"patience": 1}},
            {"EarlyStopping": {"patience": 2, "restore_best_weights": True}},
        ],
    },
}


class Sweep:
    """Trials of one config, trained as a sweep trains them."""

    def __init__(self, folder, **training):
        self.folder = folder
        self.path = folder / "digits.yaml"
        self.path.write_text(json.dumps(CONFIG | {"training": CONFIG["training"] | training}))
        asked = plan.Asked(trials=1)
        self.plan = plan.plan(
            self.path, ["training.seed=int(0, 9)"], asked, timed=False, allow_code=True
        )

    def job(self, number, *changes, watch=None):
        return Job(number, [*changes, f"name={self.plan.study}", "sweep=null"], watch)

    def together(self, *jobs):
        return {one.number: one for one in run(self.plan, jobs, self.folder / "together")}

    def alone(self, job):
        (found,) = run(self.plan, [job], self.folder / "alone")
        return found


@pytest.fixture
def never_alone(monkeypatch):
    """Fails where trials aren't trained together."""
    from tftrain.sweep import trials

    def refuse(*_):
        raise AssertionError("trained alone")

    def forbid():
        monkeypatch.setattr(trials, "_alone", refuse)

    return forbid


def require_same(found, expected):
    """The two runs are of one form, and of the same numbers up to the last bits."""
    names = sorted(path.name for path in expected.run.iterdir())
    assert sorted(path.name for path in found.run.iterdir()) == names
    for name in (runs.CONFIG, runs.RESOLVED):
        assert (found.run / name).read_text() == (expected.run / name).read_text()
    for name in (runs.SPLIT, runs.WEIGHTS, runs.PREDICTIONS):
        one, other = (files.read_arrays(each.run / name) for each in (found, expected))
        assert list(one) == list(other)
        for key in set(one) - {"weights"}:
            np.testing.assert_allclose(one[key], other[key], rtol=0, atol=1e-5, err_msg=key)
    rows = [
        [line.split(",")[:-1] for line in (each.run / runs.METRICS).read_text().splitlines()]
        for each in (found, expected)
    ]
    assert rows[0][0] == rows[1][0]
    np.testing.assert_allclose(*(np.array(each[1:], float) for each in rows), rtol=0, atol=1e-5)
    require_same_summary(*(runs.summary_of(each.run) for each in (found, expected)))
    assert model_of(found) == model_of(expected)
    states = [checkpoint.read(each.run / runs.CHECKPOINT) for each in (found, expected)]
    assert list(states[0].state.variables) == list(states[1].state.variables)
    assert states[0].config == states[1].config
    assert states[0].state.epoch == states[1].state.epoch
    assert states[0].state.ended == states[1].state.ended
    for key, value in states[1].state.variables.items():
        np.testing.assert_allclose(states[0].state.variables[key], value, rtol=0, atol=1e-5)


def model_of(outcome):
    """What the exported model is, without the addresses of Python's objects."""
    with zipfile.ZipFile(outcome.run / runs.MODEL) as model:
        return re.sub(rb'"shared_object_id": \d+', b"", model.read("config.json"))


def require_same_summary(one, other):
    assert list(one) == list(other)
    assert list(one.get("seconds", ())) == list(other.get("seconds", ()))
    for key in set(one) - {"name", "started", "finished", "seconds", "best_value", "metrics"}:
        assert one[key] == other[key], key
    for split, metrics in other.get("metrics", {}).items():
        assert one["metrics"][split] == pytest.approx(metrics, rel=0, abs=1e-5)


def test_each_is_the_run_of_a_fit_of_its_own(tmp_path, never_alone):
    sweep = Sweep(tmp_path)
    jobs = [
        sweep.job(0, f"{RATE}=0.01", "training.seed=3"),
        sweep.job(1, f"{RATE}=0.1", "training.seed=3", f"{STRENGTH}=0.1"),
        sweep.job(2, f"{RATE}=0.003", "training.seed=4", f"{DROPOUT}=0.6"),
    ]
    alone = [sweep.alone(job) for job in jobs]
    never_alone()
    found = sweep.together(*jobs)
    for job, expected in zip(jobs, alone, strict=True):
        one = found[job.number]
        assert (one.fault, one.pruned, one.epochs) == (None, False, expected.epochs)
        assert one.value == pytest.approx(expected.value, rel=0, abs=1e-5)
        require_same(one, expected)
    names = [found[job.number].run.name for job in jobs]
    assert names == [f"{sweep.plan.study}-{number}" for number in (1, 2, 3)]


@pytest.mark.slow
def test_the_strength_of_every_kind_of_penalty_is_a_number_of_its_own(
    tmp_path, never_alone, monkeypatch
):
    places = [{"L1": {"l1": 0.01}}, {"L1L2": {"l1": 0.01, "l2": 0.02}}]
    hidden = [{"Dense": {"units": 8, "kernel_regularizer": one}} for one in places]
    monkeypatch.setitem(CONFIG, "model", {"layers": [*hidden, CONFIG["model"]["layers"][-1]]})
    sweep = Sweep(tmp_path, epochs=2)
    strengths = ("0.Dense.kernel_regularizer.L1.l1=0.05", "1.Dense.kernel_regularizer.L1L2.l1=0")
    jobs = [sweep.job(0), sweep.job(1, *(f"model.layers.{one}" for one in strengths))]
    alone = [sweep.alone(job) for job in jobs]
    never_alone()
    found = sweep.together(*jobs)
    assert abs(alone[0].value - alone[1].value) > 1e-3
    for number, expected in enumerate(alone):
        require_same(found[number], expected)


@pytest.mark.slow
def test_one_that_is_ended_or_fails_leaves_the_others_alone(tmp_path, never_alone):
    sweep = Sweep(tmp_path, optimizer={"SGD": {"learning_rate": 0.1}}, callbacks=[])
    seen = []

    def watch(epoch, value):
        seen.append((epoch, value))
        return epoch == 2

    rate = "training.optimizer.SGD.learning_rate"
    jobs = [sweep.job(0), sweep.job(1, watch=watch), sweep.job(2, f"{rate}=1e30")]
    alone = [sweep.alone(job) for job in jobs]
    assert [epoch for epoch, _ in seen] == [1, 2]
    never_alone()
    found = sweep.together(*jobs)
    require_same(found[0], alone[0])
    assert (found[1].pruned, found[1].epochs) == (True, 2)
    assert [value for _, value in seen[:2]] == pytest.approx([value for _, value in seen[2:]])
    assert "error[T001]: loss is not finite in epoch" in found[2].fault
    assert found[2].fault == alone[2].fault
    assert (found[2].epochs, found[2].run) == (alone[2].epochs, None)
    for number in (2, 3):
        name = f"{sweep.plan.study}-{number}"
        folders = [sweep.folder / kind / name for kind in ("together", "alone")]
        one, other = (runs.summary_of(folder) for folder in folders)
        require_same_summary(one, other)
        arrays = [files.read_arrays(folder / runs.WEIGHTS) for folder in folders]
        for name, array in arrays[1].items():
            np.testing.assert_allclose(arrays[0][name], array, rtol=0, atol=1e-5)


def test_where_all_fail_each_is_told(tmp_path, never_alone):
    sweep = Sweep(tmp_path, optimizer={"SGD": {"learning_rate": 1e30}})
    never_alone()
    found = sweep.together(sweep.job(0), sweep.job(1, "training.seed=1"))
    assert all("error[T001]: " in one.fault for one in found.values())


@pytest.mark.slow
def test_what_stops_all_is_in_every_run(tmp_path, monkeypatch):
    from tftrain import fit, resume
    from tftrain.terminal import Silent
    from tftrain.training.stacked import Stacked

    sweep = Sweep(tmp_path)
    really = Stacked.train
    calls = []

    def train(self, *arguments):
        calls.append(arguments)
        if len(calls) > 2:
            raise Stopped("SIGINT", 130)
        return really(self, *arguments)

    monkeypatch.setattr(Stacked, "train", train)
    with pytest.raises(Stopped):
        sweep.together(sweep.job(0), sweep.job(1, "training.seed=1"))
    summaries = [one for _, one in runs.summaries(tmp_path / "together")]
    assert [(one["state"], one["resumable"]) for one in summaries] == [("stopped", True)] * 2
    monkeypatch.undo()
    job = sweep.job(1, "training.seed=1")
    name, folder = f"{sweep.plan.study}-2", tmp_path / "together"
    asked = resume.prepare(sweep.path, job.overrides, name=name, runs_dir=folder)
    gone_on = fit.fit(asked, Silent())
    whole = sweep.alone(job)
    arrays = [files.read_arrays(folder / runs.WEIGHTS) for folder in (gone_on.folder, whole.run)]
    for key, array in arrays[1].items():
        np.testing.assert_allclose(arrays[0][key], array, rtol=0, atol=1e-5)


def test_where_runs_can_not_be_written_none_is_left(tmp_path, monkeypatch):
    from tftrain import opening
    from tftrain.errors import Mark, Problem, StorageError

    really = opening.run

    def full(asked, *rest):
        if asked.run.folder.name.endswith("-2"):
            raise StorageError(Problem(Mark("x"), "R003", "full"))
        return really(asked, *rest)

    monkeypatch.setattr(opening, "run", full)
    sweep = Sweep(tmp_path)
    with pytest.raises(StorageError, match="full"):
        sweep.together(sweep.job(0), sweep.job(1, "training.seed=1"))
    assert list((tmp_path / "together").iterdir()) == []


NOISE = """
import keras


@keras.saving.register_keras_serializable("own")
class Noise(keras.layers.Layer):
    def call(self, inputs, training=False):
        noise = keras.random.normal(keras.ops.shape(inputs), stddev=0.1)
        return inputs + noise if training else inputs
"""


@pytest.mark.slow
def test_what_can_not_be_stacked_goes_one_after_another(tmp_path, monkeypatch):
    (tmp_path / "noise.py").write_text(NOISE)
    layers = [{"own>Noise": {}}, CONFIG["model"]["layers"][-1]]
    monkeypatch.setitem(CONFIG, "model", {"layers": layers})
    monkeypatch.setitem(CONFIG, "code", ["noise.py"])
    sweep = Sweep(tmp_path, epochs=1)
    jobs = [sweep.job(0), sweep.job(1, "training.seed=1")]
    found = sweep.together(*jobs)
    assert found[0].fault is None
    arrays = [files.read_arrays(one.run / runs.WEIGHTS) for one in (found[1], sweep.alone(jobs[1]))]
    assert all((arrays[0][name] == array).all() for name, array in arrays[1].items())


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ([f"{RATE}=0.2", "training.seed=8"], True),
        ([f"{DROPOUT}=0.9", f"{STRENGTH}=0"], True),
        ([f"{DROPOUT}=0"], False),
        (["seed=1"], False),
        (["training.epochs=3"], False),
        (["model.layers.1.Dense.units=9"], False),
        ([f"{RATE}={{CosineDecay: {{initial_learning_rate: 0.1, decay_steps: 9}}}}"], False),
    ],
    ids=str,
)
def test_what_differs_in_numbers_only_goes_together(changes, same, tmp_path):
    path = Sweep(tmp_path).path
    forms = [alike.form(load(path, one)[0]) for one in ([], changes)]
    assert (forms[0].key == forms[1].key) is same
    lonely = ("training.restarts=2", "training.on_nan={}", "training.jit_compile=true")
    assert all(alike.form(load(path, [one])[0]).key is None for one in lonely)


def test_trials_are_taken_together_where_none_depends_on_another(tmp_path):
    from tftrain.sweep import job, study

    rate = "training.optimizer.RMSprop.learning_rate=log(1e-4, 1e-1)"
    digits = ROOT / "configs" / "digits.yaml"
    where = storage.where(None, tmp_path)
    setting = job.Setting(where, tmp_path, 60, 1, 8, (), False, say=str, warn=str)

    def batches(change, trials, **options):
        asked = plan.Asked(trials=trials, study=f"s{len(seen)}", **options)
        made = plan.plan(digits, [change], asked, timed=False)
        seen.append(made)
        connection = storage.connect(where, 60)
        begun = study.begin(made, connection, resume=False)
        worker = job._worker(made, begun, connection, setting)  # noqa: SLF001 - what it asks for
        while batch := list(worker.ask()):
            for number, trial in batch:
                worker.record(trial, Outcome(number, float(number)))
            yield len(batch)

    seen = []
    with storage.quiet():
        assert list(batches(rate, 12, sampler="random")) == [8, 4]
        assert list(batches(rate, 12, sampler="tpe")) == [8, 2, 1, 1]
        assert list(batches(rate, 2, sampler="random", pruner="median")) == [1, 1]
        assert list(batches("model.layers.0.Dense.units=int(4, 99)", 2)) == [1, 1]
