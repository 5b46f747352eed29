"""Runs that go on: to the same bits as runs left alone, and refused where they couldn't be."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tftrain import checkpoint, files, runs
from tftrain.checkpoint import Checkpoint, Keeper, State
from tftrain.errors import ConfigError, RunError, Stopped, StorageError, TrainingError
from tftrain.terminal import Silent

pytestmark = pytest.mark.usefixtures("tensorflow")

DENSE = {"Dense": {"units": 10, "activation": "softmax"}}
STOPPING = {"EarlyStopping": {"patience": 4, "restore_best_weights": True}}
CONFIG = {
    "name": "digits",
    "seed": 3,
    "data": {"source": "digits", "split": {"train": 0.1, "validation": 0.1, "test": 0.8}},
    "model": {
        "layers": [
            {"Dense": {"units": 8, "activation": "relu"}},
            "BatchNormalization",
            {"Dropout": {"rate": 0.3}},
            DENSE,
        ]
    },
    "training": {
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": "Adam",
        "metrics": ["accuracy"],
        "epochs": 9,
        "threads": 2,
        "callbacks": [{"ReduceLROnPlateau": {"patience": 1, "factor": 0.5}}, STOPPING],
    },
}
MATTERS = ("name", "started", "finished", "process", "seconds")


class Killed(BaseException):
    """As good as SIGKILL: nothing in tftrain catches it, nothing is written after it."""


class Until(Silent):
    """Ends a training when an epoch is done."""

    def __init__(self, number, end):
        self._number = number
        self._end = end
        self.said = []

    def epoch(self, epoch):
        if epoch.number == self._number:
            raise self._end

    def say(self, line):
        self.said.append(line)

    warn = say


@pytest.fixture
def write(tmp_path):
    def written(**training):
        path = tmp_path / "digits.yaml"
        path.write_text(json.dumps(CONFIG | {"training": CONFIG["training"] | training}))
        return path

    return written


def fit(path, runs_dir, progress=None, overrides=(), *, smoke=False):
    from tftrain import fit as job

    asked = job.prepare(path, [*overrides], runs_dir=runs_dir, smoke=smoke)
    return job.fit(asked, progress or Silent())


def interrupted(path, runs_dir, number, end=Killed):
    """The folder of a run that was ended right after an epoch, before its checkpoint."""
    with pytest.raises(end if isinstance(end, type) else type(end)):
        fit(path, runs_dir, Until(number, end))
    return max(runs_dir.iterdir(), key=lambda one: one.stat().st_ctime)


def resumed(path, name, runs_dir, *overrides, progress=None):
    from tftrain import fit as job
    from tftrain import resume

    asked = resume.prepare(path, overrides, name=name and str(name), runs_dir=runs_dir)
    return job.fit(asked, progress or Silent())


def refusal(path, name, runs_dir, *overrides):
    from tftrain import resume

    with pytest.raises(RunError) as raised:
        resume.prepare(path, overrides, name=name and str(name), runs_dir=runs_dir)
    return str(raised.value)


def left(run):
    """All of a run that another like it must have too."""
    arrays = dict(files.read_arrays(run / runs.WEIGHTS))
    state = checkpoint.read(run / runs.CHECKPOINT).state
    arrays |= state.variables
    with (run / runs.METRICS).open() as file:
        history = [row | {"seconds": ""} for row in csv.DictReader(file)]
    summary = json.loads((run / runs.SUMMARY).read_text())
    told = {name: value for name, value in summary.items() if name not in MATTERS}
    return {name: array.tobytes() for name, array in arrays.items()}, history, told


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 2, None])
@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_killed_run_ends_as_one_left_alone(write, tmp_path, every, number):
    path = write(checkpoint={"every": every})
    alone = fit(path, tmp_path / "alone")
    folder = interrupted(path, tmp_path / "runs", number)
    run = resumed(path, folder, tmp_path / "runs")
    assert run.folder == folder
    assert left(run.folder) == left(alone.folder)


@pytest.mark.slow
def test_one_killed_while_it_finished_goes_straight_to_finishing(write, tmp_path, monkeypatch):
    from tftrain import ending

    path = write(epochs=3)
    alone = fit(path, tmp_path / "alone")
    with monkeypatch.context() as patched:
        patched.setattr(ending, "save", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            fit(path, tmp_path / "runs")
    folder = tmp_path / "runs" / "digits-1"
    assert not (folder / runs.WEIGHTS).exists()
    watching = Until(3, AssertionError("no epoch is left"))
    run = resumed(None, folder, tmp_path, progress=watching)
    assert left(run.folder) == left(alone.folder)


@pytest.mark.slow
def test_more_epochs_than_before_can_be_asked_for(write, tmp_path):
    path = write(epochs=3, callbacks=[])
    first = fit(path, tmp_path / "runs")
    assert refusal(path, first.folder, tmp_path).endswith(
        "error[R004]: finished after epoch 3; `training.epochs=6` asks for more"
    )
    assert refusal(None, first.folder, tmp_path, "training.epochs=2").endswith(
        "error[R004]: 3 epochs are done, only 2 asked for"
    )
    run = resumed(None, "digits-1", tmp_path / "runs", "training.epochs=6")
    alone = fit(path, tmp_path / "alone", overrides=["training.epochs=6"])
    assert left(run.folder) == left(alone.folder)
    assert "epochs: 6" in (run.folder / runs.RESOLVED).read_text()


def test_a_run_that_a_callback_ended_has_no_more_epochs(write, tmp_path):
    path = write(epochs=40, callbacks=[{"EarlyStopping": {"patience": 1, "monitor": "loss"}}])
    run = fit(path, tmp_path, overrides=["training.optimizer={Adam: {learning_rate: 0.5}}"])
    assert run.summary["epochs_run"] < 40
    said = refusal(None, run.folder, tmp_path, "training.epochs=80")
    done = run.summary["epochs_run"]
    assert said.endswith(f"finished: a callback ended the training after epoch {done}")


@pytest.mark.slow
def test_without_a_name_the_newest_unfinished_run_of_the_config_goes_on(write, tmp_path):
    path, runs_dir = write(callbacks=[]), tmp_path / "runs"
    assert refusal(path, None, runs_dir).endswith(
        "error[R001]: no unfinished run of this config here; `tftrain fit` without --resume begins "
        "one"
    )
    fit(path, runs_dir, overrides=["training.epochs=1"])
    other = write(callbacks=[], batch_size=16)
    interrupted(other, runs_dir, 2)
    path = write(callbacks=[])
    folder = interrupted(path, runs_dir, 2)
    interrupted(write(callbacks=[], batch_size=64), runs_dir, 2)
    path = write(callbacks=[])
    assert resumed(path, None, runs_dir).folder == folder
    assert "expected a CONFIG, or a run: `--resume RUN`" in refusal(None, None, runs_dir)


def test_of_several_one_of_the_same_data_and_that_nobody_writes_goes_on(tmp_path):
    from tftrain import resume

    config = CONFIG | {"model": {"layers": [{"Dense": {"units": 2, "activation": "softmax"}}]}}
    runs_dir, rows = tmp_path / "runs", np.arange(60.0).reshape(30, 2)
    folders = {}
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", x=rows, y=np.arange(30) % 2)
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(config | {"name": name, "data": {"source": f"{name}.npz"}}))
        folders[name] = interrupted(path, runs_dir, 2)
        copy = shutil.copytree(folders[name], runs_dir / f"{name}-2")
        summary = json.loads((copy / runs.SUMMARY).read_text())
        (copy / runs.SUMMARY).write_text(json.dumps(summary | {"started": "9999"}))
        folders[f"{name} written"] = copy

    def newest(path):
        asked = resume.prepare(path, ["name=other"], name=None, runs_dir=runs_dir)
        asked.run.release()
        return asked.run.folder

    assert newest(tmp_path / "a.yaml") == folders["a written"]
    held = [runs.reopen(folders[f"{name} written"]) for name in ("a", "b")]
    assert newest(tmp_path / "a.yaml") == folders["a"]
    assert newest(tmp_path / "b.yaml") == folders["b"]
    shutil.rmtree(folders["b"])
    said = refusal(tmp_path / "b.yaml", None, runs_dir)
    assert said == f"{folders['b written']}: error[R004]: another process is writing this run"
    shutil.rmtree(folders["b written"])
    assert newest(tmp_path / "b.yaml") == folders["a"]  # the same rows
    for run in held:
        run.release()


@pytest.mark.parametrize("lost", [runs.CHECKPOINT, runs.SUMMARY])
@pytest.mark.parametrize("end", [None, Stopped("SIGINT", 130)], ids=["finished", "stopped"])
def test_a_run_that_lost_a_file_is_not_begun_anew(write, tmp_path, lost, end):
    path = write(epochs=3, callbacks=[])
    folder = interrupted(path, tmp_path, 2, end) if end else fit(path, tmp_path).folder
    (folder / lost).unlink()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    said = refusal(path, folder, tmp_path, "training.epochs=6")
    assert said == f"{folder}: error[R002]: damaged: it has no {lost}"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_one_that_went_on_and_was_killed_without_its_checkpoint_is_damaged(write, tmp_path):
    path = write(callbacks=[], checkpoint={"every": 1})
    folder = interrupted(path, tmp_path, 2, Stopped("SIGINT", 130))
    with pytest.raises(Killed):
        resumed(path, folder, tmp_path, progress=Until(4, Killed))
    (folder / runs.CHECKPOINT).unlink()
    assert json.loads((folder / runs.SUMMARY).read_text())["state"] == runs.RUNNING
    assert refusal(path, folder, tmp_path).endswith("damaged: it has no checkpoint.npz")


@pytest.mark.slow
def test_what_is_other_than_before_is_said(write, tmp_path):
    path = write(callbacks=[], checkpoint={"every": 1})
    folder = interrupted(path, tmp_path, 2)
    watching = Until(0, Killed)
    resumed(path, folder, tmp_path, "training.epochs=4", "name=other", progress=watching)
    assert watching.said[:2] == [
        "name: digits before, other now",
        "training.epochs: 9 before, 4 now",
    ]
    folder = interrupted(write(callbacks=[], checkpoint={"every": 5}), tmp_path, 2)
    watching = Until(0, Killed)
    resumed(None, folder, tmp_path, progress=watching)
    assert watching.said[:1] == [
        "it ended before its first checkpoint: it begins again with epoch 1"
    ]


def test_what_another_process_did_until_the_lock_was_free_counts(write, tmp_path, monkeypatch):
    path = write(epochs=3, callbacks=[])
    folder = interrupted(path, tmp_path, 2, Stopped("SIGINT", 130))
    reopen = runs.reopen

    def late(one):
        with monkeypatch.context() as patched:
            patched.setattr(runs, "reopen", reopen)
            resumed(path, one, tmp_path)
        return reopen(one)

    monkeypatch.setattr(runs, "reopen", late)
    assert "finished after epoch 3" in refusal(path, folder, tmp_path)


@pytest.mark.slow
def test_more_epochs_leave_nothing_of_the_former_end(write, tmp_path):
    path = write(epochs=3, callbacks=[])
    folder = fit(path, tmp_path).folder
    with pytest.raises(Killed):
        resumed(None, folder, tmp_path, "training.epochs=6", progress=Until(4, Killed))
    running = json.loads((folder / runs.SUMMARY).read_text())
    begun = json.loads((interrupted(path, tmp_path, 1) / runs.SUMMARY).read_text())
    assert running.keys() == begun.keys()
    run = resumed(None, folder, tmp_path)
    seconds = run.summary["seconds"]
    assert seconds["total"] >= seconds["training"]


def test_seconds_in_all_are_no_fewer_than_those_of_training(write, tmp_path):
    path = write(epochs=4, callbacks=[])
    folder = interrupted(path, tmp_path, 2, Stopped("SIGINT", 130))
    kept = checkpoint.read(folder / runs.CHECKPOINT)
    long = Checkpoint(kept.state, kept.history, 1e6, kept.config)
    checkpoint.write(folder / runs.CHECKPOINT, long)
    seconds = resumed(None, folder, tmp_path).summary["seconds"]
    assert seconds["total"] >= seconds["training"] >= 1e6


def test_a_stopped_smoke_run_has_nothing_to_go_on_with(write, tmp_path):
    with pytest.raises(Stopped) as raised:
        fit(write(), tmp_path, Until(1, Stopped("SIGINT", 130)), smoke=True)
    assert str(raised.value) == "stopped by SIGINT"
    folder = tmp_path / "digits-smoke-1"
    assert refusal(None, folder, tmp_path).endswith("a smoke run is not for going on with")


@pytest.mark.skipif(os.name == "nt", reason="quotes are POSIX's")
def test_a_file_in_place_of_a_run_is_told_what_to_write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "base-1"
    folder.mkdir(parents=True)
    for file in (tmp_path / "my conf", folder / runs.SUMMARY, folder / runs.CHECKPOINT):
        file.touch()
    said = refusal(None, "my conf", tmp_path)
    assert said == "my conf: error[R001]: is a file: `tftrain fit 'my conf' --resume`"
    said = refusal(None, "runs/base-1/checkpoint.npz", tmp_path)
    assert said.endswith("R001]: is a file of a run: `--resume runs/base-1`")
    (tmp_path / "base-1").touch()
    assert "base-1/summary.json: error[R002]: " in refusal(None, "base-1", tmp_path / "runs")


def test_an_empty_name_is_none(tmp_path, monkeypatch):
    from tftrain import resume

    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"R001.: expected a run's directory or name, got an empty"):
        resume.prepare(None, name="", runs_dir=tmp_path)


def test_another_config_or_other_data_are_refused_with_what_differs(write, tmp_path):
    path, runs_dir = write(), tmp_path / "runs"
    folder = interrupted(path, runs_dir, 2)
    for change, said in {
        "seed=4": "seed: 3, now 4",
        "training.batch_size=16": "training.batch_size: 32, now 16",
        "training.threads=1": "training.threads: 2, now 1",
        "model.layers.0.Dense.units=9": "model.layers.0.Dense.units: 8, now 9",
        "data.split.train=0.2": "data.split.train: 0.1, now 0.2",
    }.items():
        changes = [change, "data.split.test=0.7"] if "split" in change else [change]
        assert said in refusal(path, folder, runs_dir, *changes)
    summary = json.loads((folder / runs.SUMMARY).read_text())
    (folder / runs.SUMMARY).write_text(json.dumps(summary | {"fingerprint": "0"}))
    said = refusal(path, folder, runs_dir)
    assert said.endswith("error[D008]: the data have changed since this run began")


def test_data_that_have_moved_are_the_same_data(tmp_path):
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", x=np.arange(60.0).reshape(30, 2), y=np.arange(30) % 2)
    config = CONFIG | {"data": {"source": "a.npz"}}
    layers = [{"Dense": {"units": 2, "activation": "softmax"}}]
    config["model"] = {"layers": layers}
    config["training"] = CONFIG["training"] | {"epochs": 4}
    path = tmp_path / "digits.yaml"
    path.write_text(json.dumps(config))
    folder = interrupted(path, tmp_path / "runs", 2)
    (tmp_path / "a.npz").unlink()
    run = resumed(None, folder, tmp_path, f"data.source={tmp_path / 'b.npz'}")
    assert run.summary["state"] == runs.FINISHED


def test_a_run_that_another_process_writes_is_refused(write, tmp_path, tftrain):
    path = write()
    folder = interrupted(path, tmp_path / "runs", 2)
    run = runs.reopen(folder)
    code, _, said = tftrain("fit", "--resume", folder)
    assert (code, said) == (
        2,
        f"{folder}: error[R004]: another process is writing this run\n",
    )
    assert runs.summaries(tmp_path / "runs")[0][1]["state"] == runs.RUNNING
    run.release()
    assert runs.summaries(tmp_path / "runs")[0][1]["state"] == runs.INTERRUPTED


def test_what_a_killed_writer_left_is_swept_when_a_run_is_opened(write, tmp_path):
    path = write(epochs=2)
    run = fit(path, tmp_path)
    torn = run.folder / ".tmp-0123.npz"
    torn.write_bytes(b"half")
    runs.find(tmp_path, "digits-1")
    assert not torn.exists()
    torn.write_bytes(b"half")
    again = runs.reopen(run.folder)
    assert not torn.exists()
    torn.write_bytes(b"half")  # a writer is at it
    runs.find(tmp_path, "digits-1")
    assert torn.exists()
    again.release()


def test_one_killed_before_it_wrote_its_config_begins_anew(write, tmp_path):
    path = write(epochs=3)
    alone = fit(path, tmp_path / "alone")
    (tmp_path / "runs").mkdir()
    claimed = runs.claim(tmp_path / "runs", "digits")
    claimed.release()
    folder = claimed.folder
    assert refusal(None, folder, tmp_path).endswith(
        "R004]: killed before it had its config: `tftrain fit CONFIG --resume RUN`"
    )
    assert left(resumed(path, folder, tmp_path).folder) == left(alone.folder)


def test_a_stopped_run_has_its_checkpoint_and_goes_on(write, tmp_path):
    path = write(epochs=5)
    alone = fit(path, tmp_path / "alone")
    folder = interrupted(path, tmp_path / "runs", 3, Stopped("SIGINT", 130))
    summary = json.loads((folder / runs.SUMMARY).read_text())
    assert (summary["state"], summary["reason"]) == (runs.STOPPED, "stopped by SIGINT")
    kept = checkpoint.read(folder / runs.CHECKPOINT)
    assert kept.state.epoch == 3
    run = resumed(path, folder, tmp_path)
    assert left(run.folder) == left(alone.folder)
    assert run.summary["seconds"]["training"] > kept.seconds > 0


def test_a_time_limit_stops_and_says_how_to_go_on(write, tmp_path, monkeypatch):
    import time

    from tftrain import stopping

    path = write(epochs=3)
    monkeypatch.setattr(stopping, "_request", stopping._Request())  # noqa: SLF001
    stopping.limit("1h", 3600)
    fit(path, tmp_path)
    monkeypatch.setattr(stopping._request, "deadline", time.monotonic())  # noqa: SLF001
    with pytest.raises(Stopped) as raised:
        fit(path, tmp_path)
    folder = tmp_path / "digits-2"
    on = f"`tftrain fit --resume {folder}` goes on"
    assert str(raised.value) == f"stopped by the time limit of 1h; {on}"
    assert raised.value.exit_code == 0
    assert json.loads((folder / runs.SUMMARY).read_text())["state"] == runs.STOPPED


@pytest.mark.slow
def test_a_log_goes_on_where_the_checkpoint_is(write, tmp_path):
    path = write(epochs=6, callbacks=[{"CSVLogger": {"filename": "log.csv"}}])
    alone = fit(path, tmp_path / "alone").folder / "log.csv"
    folder = interrupted(
        write(**path_training(path), checkpoint={"every": 2}), tmp_path / "runs", 4
    )
    assert len((folder / "log.csv").read_text().splitlines()) == 5
    with (folder / "log.csv").open("a") as file:
        file.write("4,0.5")  # torn
    resumed(None, folder, tmp_path)
    assert (folder / "log.csv").read_bytes() == alone.read_bytes()


def path_training(path):
    """The training that a config asks for, but what CONFIG asks for too."""
    asked = json.loads(path.read_text())["training"]
    return {name: value for name, value in asked.items() if CONFIG["training"].get(name) != value}


OPTIMIZERS = [
    *("SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam"),
    *("Ftrl", "Lion", "Lamb", "Muon"),
    {"SGD": {"momentum": 0.9, "use_ema": True}},
    {
        "Adam": {
            "learning_rate": {"CosineDecay": {"initial_learning_rate": 0.01, "decay_steps": 40}}
        }
    },
    {"LossScaleOptimizer": {"inner_optimizer": {"Adam": {"gradient_accumulation_steps": 2}}}},
]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_goes_on(write, tmp_path, optimizer):
    path = write(optimizer=optimizer, epochs=4, callbacks=[STOPPING], checkpoint={"every": 1})
    alone = fit(path, tmp_path / "alone")
    folder = interrupted(path, tmp_path / "runs", 3)
    assert left(resumed(path, folder, tmp_path).folder) == left(alone.folder)


CALLBACKS = [
    {"ModelCheckpoint": {"filepath": "best.weights.h5", "save_weights_only": True}},
    {"ModelCheckpoint": {"filepath": "best.keras", "save_best_only": True}},
    {"BackupAndRestore": {"backup_dir": "backup"}},
    {"SwapEMAWeights": {"swap_on_epoch": True}},
    {
        "LearningRateScheduler": {
            "schedule": {
                "ExponentialDecay": {
                    "initial_learning_rate": 0.1,
                    "decay_steps": 1,
                    "decay_rate": 0.5,
                }
            }
        }
    },
    "TerminateOnNaN",
]


@pytest.mark.slow
@pytest.mark.parametrize("callback", CALLBACKS, ids=str)
def test_every_callback_goes_on(write, tmp_path, callback):
    path = write(
        optimizer={"Adam": {"use_ema": True}},
        epochs=4,
        callbacks=[callback],
        checkpoint={"every": 1},
    )
    alone = fit(path, tmp_path / "alone")
    folder = interrupted(path, tmp_path / "runs", 3)
    assert left(resumed(path, folder, tmp_path).folder) == left(alone.folder)


# Losses that are not finite


def exploding(**training):
    """A learning rate at which the loss is soon no number."""
    return {
        "optimizer": {"SGD": {"learning_rate": 1e30}},
        "callbacks": [],
        "epochs": 4,
        **training,
    }


def test_a_loss_that_is_not_finite_names_the_layer(write, tmp_path):
    with pytest.raises(TrainingError) as raised:
        fit(write(**exploding()), tmp_path / "runs")
    assert str(raised.value).endswith(
        "loss is not finite in epoch 1: in batch 2 the outputs of layer 4 (`dense_1`) are the "
        "first; the first weights are kept"
    )
    folder = tmp_path / "runs" / "digits-1"
    weights = files.read_arrays(folder / runs.WEIGHTS)
    assert all(np.isfinite(array).all() for array in weights.values())
    assert json.loads((folder / runs.SUMMARY).read_text())["state"] == runs.FAILED
    assert checkpoint.read(folder / runs.CHECKPOINT).state.epoch == 0


def test_it_can_be_rolled_back_with_a_smaller_learning_rate(write, tmp_path):
    rollback = {"learning_rate_factor": 1e-16, "max_rollbacks": 2}
    watching = Until(0, Killed)
    path = write(**exploding(on_nan=rollback, checkpoint={"every": 1}))
    alone = fit(path, tmp_path / "alone", watching)
    said = [line for line in watching.said if "back to" in line]
    assert len(said) == 2
    assert said[0].endswith("back to epoch 0, on with a learning rate of 1e+14")
    rates = [row["learning_rate"] for row in alone.history]
    assert rates == pytest.approx([1e-2] * 4)
    folder = interrupted(path, tmp_path / "runs", 3)
    assert left(resumed(path, folder, tmp_path).folder) == left(alone.folder)


def test_it_is_rolled_back_so_often_and_not_more(write, tmp_path):
    path = write(**exploding(on_nan={"learning_rate_factor": 1.0, "max_rollbacks": 3}))
    watching = Until(0, Killed)
    with pytest.raises(TrainingError):
        fit(path, tmp_path, watching)
    assert len([line for line in watching.said if "back to" in line]) == 3


def test_a_rollback_needs_a_number_for_a_learning_rate(write):
    from tftrain import config

    schedule = {"ExponentialDecay": {"initial_learning_rate": 1, "decay_steps": 9, "decay_rate": 1}}
    path = write(on_nan={}, optimizer={"SGD": {"learning_rate": schedule}})
    with pytest.raises(ConfigError, match="`on_nan` lowers the learning rate, which a schedule"):
        config.load(path)


# The file


def test_a_checkpoint_reads_back_as_it_was(tmp_path):
    nested = {"wait": 2, "best": math.inf, "seen": [1.5, None, "a", {"deep": True}]}
    weights = [np.arange(3.0), np.zeros((2, 0), np.float32)]
    state = State(2, False, {"network/0/a": np.eye(2)}, [nested, {"best_weights": weights}], 1)
    history = [{"epoch": 1, "loss": math.nan}, {"epoch": 2, "loss": 0.1}]
    path = tmp_path / runs.CHECKPOINT
    checkpoint.write(path, Checkpoint(state, history, 1.5, "digest"))
    found = checkpoint.read(path)
    assert found.state.callbacks[0] == nested
    assert all(map(np.array_equal, found.state.callbacks[1]["best_weights"], weights))
    assert found.state.callbacks[1]["best_weights"][1].dtype == np.float32
    assert math.isnan(found.history[0]["loss"])
    assert (found.state.epoch, found.state.ended, found.state.rollbacks) == (2, False, 1)
    assert (found.seconds, found.config, found.history[1]) == (1.5, "digest", history[1])


def test_what_a_callback_keeps_must_be_numbers_texts_lists_or_arrays(tmp_path):
    state = State(0, False, {}, [{"state": object()}])
    with pytest.raises(TypeError, match="expected numbers, texts, lists, mappings and arrays"):
        checkpoint.write(tmp_path / "c.npz", Checkpoint(state, [], 0.0, ""))


@pytest.mark.parametrize(
    "told",
    [
        *(b"", b"[]", b"{}", b"[" * 9999, b'{"epoch": "x"}', b'{"epoch": 1, "ended": 0}'),
        b'{"epoch": 1e999, "ended": 0, "callbacks": [], "rollbacks": 0, "history": []}',
        b'{"epoch": 1, "ended": 0, "callbacks": [], "rollbacks": 0, "history": [{"a": 1}]}',
    ],
    ids=lambda told: repr(told[:20]),
)
def test_a_checkpoint_of_another_form_is_damaged(tmp_path, told):
    path = tmp_path / "checkpoint.npz"
    files.write_arrays(path, {"state": np.frombuffer(told, np.uint8)})
    with pytest.raises(RunError, match="damaged: not a checkpoint"):
        checkpoint.read(path)


def test_a_checkpoint_of_another_network_is_refused(write, tmp_path):
    path = write(checkpoint={"every": 1})
    folder = interrupted(path, tmp_path / "runs", 3)
    kept = checkpoint.read(folder / runs.CHECKPOINT)
    variables = dict(kept.state.variables)
    name = next(iter(variables))
    for odd in ({name: variables[name][:, :2]}, {"other": variables[name]}):
        changed = State(2, False, variables | odd, kept.state.callbacks)
        checkpoint.write(
            folder / runs.CHECKPOINT, Checkpoint(changed, kept.history, 1.0, kept.config)
        )
        with pytest.raises(
            RunError, match=r"R002\]: (variables of another|`.*`: expected float32)"
        ):
            resumed(path, folder, tmp_path)


@pytest.mark.parametrize(
    ("every", "kept"), [(1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), ("1h", [6]), (None, [6])]
)
def test_checkpoints_come_as_often_as_asked(tmp_path, every, kept):
    keeper = Keeper(every, 6)
    due = []
    for epoch in range(1, 7):
        state = State(epoch, False, {}, [])
        if keeper.due(state):
            keeper.keep(tmp_path / "c.npz", Checkpoint(state, [{}] * epoch, 0.0, ""))
            due.append(epoch)
    assert due == kept


def test_the_last_one_is_always_due():
    assert Keeper("1h", 6).due(State(2, True, {}, []))


@pytest.mark.slow
def test_a_copy_of_a_run_goes_on_too(write, tmp_path):
    path = write(epochs=3)
    alone = fit(path, tmp_path / "alone")
    folder = interrupted(path, tmp_path / "runs", 2)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert left(resumed(None, copy, tmp_path).folder) == left(alone.folder)


@pytest.mark.parametrize("name", ["log.csv", "checkpoint.npz", "deep/log.csv", ".lock"])
def test_a_run_that_holds_a_link_is_not_gone_on_with(write, tmp_path, name):
    path = write(callbacks=[{"CSVLogger": {"filename": "log.csv"}}], checkpoint={"every": 1})
    folder = interrupted(path, tmp_path / "runs", 2, Stopped("SIGINT", 130))
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    said = refusal(None, folder, tmp_path)
    assert said.endswith("error[R003]: a link; a run that holds one isn't gone on with")
    assert outside.read_text() == "precious"


def test_a_run_that_goes_on_elsewhere_says_so(write, tmp_path):
    path = write(checkpoint={"every": 1})
    folder = interrupted(path, tmp_path / "runs", 3)
    file = folder / runs.ENVIRONMENT
    begun = json.loads(file.read_text()) | {"keras": "3.14.0"}
    file.write_text(json.dumps(begun))
    watching = Until(0, Killed)
    resumed(path, folder, tmp_path, progress=watching)
    (line,) = [one for one in watching.said if "began" in one]
    assert line.startswith("keras was 3.14.0 when this run began, and is ")
    kept = json.loads(file.read_text())
    assert kept["keras"] == "3.14.0"
    assert [one["epoch"] for one in kept["resumed"]] == [2]
    assert kept["resumed"][0]["keras"] != "3.14.0"


# What callbacks keep


CODE = """
import keras

from keras.saving import register_keras_serializable as registered


@registered(package="mine")
class Seen(keras.callbacks.EarlyStopping):
    def __init__(self, patience=4, kept="list"):
        super().__init__(patience=patience, restore_best_weights=True)
        self.kept, self.epochs = kept, []

    def get_config(self):
        return {}

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        logs["loss"]
        print("seen", self.epochs)

    def get_state(self):
        return {"list": self.epochs, "set": {1}, "keys": {1: 2}}[self.kept]

    def set_state(self, epochs):
        self.epochs = epochs


@registered(package="mine")
class Leaving(keras.callbacks.Callback):
    def get_config(self):
        return {}

    def on_epoch_end(self, epoch, logs=None):
        raise SystemExit(0)
"""


@pytest.fixture
def own(tmp_path):
    """A config with a callback of one's own; returns what asks for its run, and goes on with it."""
    (tmp_path / "own.py").write_text(CODE)
    path = tmp_path / "digits.yaml"

    def ask(spec, name=None, runs_dir=tmp_path / "runs", **training):
        from tftrain import fit as job
        from tftrain import resume

        training = CONFIG["training"] | {"callbacks": [spec], "epochs": 6, **training}
        path.write_text(json.dumps(CONFIG | {"code": ["own.py"], "training": training}))
        if name is None:
            return job.prepare(path, runs_dir=runs_dir, allow_code=True)
        return resume.prepare(path, name=str(name), runs_dir=runs_dir, allow_code=True)

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 6])
def test_a_callback_of_ones_own_keeps_its_state_and_its_parents(own, tmp_path, capsys, number):
    from tftrain import fit as job

    alone = job.fit(own("Seen", runs_dir=tmp_path / "alone"), Silent())
    assert "seen [0, 1, 2, 3, 4, 5]" in capsys.readouterr().err
    with pytest.raises(Stopped) as raised:
        job.fit(own("Seen"), Until(number, Stopped("SIGINT", 130)))
    assert checkpoint.read(raised.value.run / runs.CHECKPOINT).state.callbacks[0]["wait"] == 0
    capsys.readouterr()
    run = job.fit(own("Seen", raised.value.run), Silent())
    assert "seen [0, 1, 2, 3, 4, 5]" in capsys.readouterr().err
    assert left(run.folder) == left(alone.folder)


@pytest.mark.parametrize("kept", ["set", "keys"])
def test_what_a_callback_keeps_must_fit_into_a_file(own, tmp_path, kept):
    from tftrain import fit as job

    with pytest.raises(TrainingError, match=r"T003\]: `Seen` failed: expected numbers, texts"):
        job.fit(own({"Seen": {"kept": kept}}), Silent())
    summary = json.loads((tmp_path / "runs" / "digits-1" / runs.SUMMARY).read_text())
    assert summary["state"] == runs.FAILED


def test_a_callback_cannot_end_the_process(own):
    from tftrain import fit as job

    with pytest.raises(TrainingError, match=r"T003\]: `Leaving` failed: 0"):
        job.fit(own("Leaving"), Silent())


def test_a_checkpoint_sets_nothing_else_of_a_callback(write, tmp_path):
    saving = {"ModelCheckpoint": {"filepath": "best.weights.h5", "save_weights_only": True}}
    path = write(callbacks=[saving], checkpoint={"every": 1})
    folder = interrupted(path, tmp_path / "runs", 3)
    kept = checkpoint.read(folder / runs.CHECKPOINT)
    (own,) = kept.state.callbacks
    for odd in ([own | {"filepath": str(tmp_path / "x.weights.h5")}], [], [own, own]):
        changed = State(2, False, kept.state.variables, odd)
        checkpoint.write(
            folder / runs.CHECKPOINT, Checkpoint(changed, kept.history, 1.0, kept.config)
        )
        with pytest.raises(RunError, match=r"R002\]: what callbacks keep is of other callbacks"):
            resumed(path, folder, tmp_path)
    assert not (tmp_path / "x.weights.h5").exists()


KILLED = """
import os, sys
from pathlib import Path
from tftrain import fit, terminal

class Progress(terminal.Silent):
    def epoch(self, epoch):
        if epoch.number == 2:
            os._exit(9)

fit.fit(fit.prepare(Path(sys.argv[1]), runs_dir=Path(sys.argv[2])), Progress())
"""


@pytest.mark.slow
def test_what_keras_backed_up_before_a_kill_changes_nothing(write, tmp_path):
    path = write(
        callbacks=[{"BackupAndRestore": {"backup_dir": "backup"}}], checkpoint={"every": "1h"}
    )
    alone = fit(path, tmp_path / "alone")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(tmp_path / "runs")], check=False
    )
    folder = tmp_path / "runs" / "digits-1"
    assert done.returncode == 9
    assert any((folder / "backup").iterdir())
    assert not (folder / runs.CHECKPOINT).exists()
    assert left(resumed(path, folder, tmp_path).folder) == left(alone.folder)


@pytest.mark.slow
def test_files_that_are_saved_now_and_then_are_the_same(write, tmp_path):
    saving = {"filepath": "e{epoch:02d}.weights.h5", "save_weights_only": True, "save_freq": 8}
    path = write(callbacks=[{"ModelCheckpoint": saving}], checkpoint={"every": 1})
    alone = fit(path, tmp_path / "alone").folder
    folder = interrupted(path, tmp_path / "runs", 4)
    resumed(path, folder, tmp_path)
    assert names(folder) == names(alone)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_rollback_and_a_schedule_of_epochs_do_not_go_together(write):
    from tftrain import config

    decay = {"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0.5}
    scheduler = {"LearningRateScheduler": {"schedule": {"ExponentialDecay": decay}}}
    with pytest.raises(ConfigError, match="lowers the learning rate, which this sets anew"):
        config.load(write(on_nan={}, callbacks=[scheduler]))


def test_a_value_that_is_never_a_number_ends_no_training(write, tmp_path, monkeypatch):
    from tftrain import fit as job

    path = write(callbacks=[{"EarlyStopping": {"monitor": "val_accuracy"}}], epochs=2)
    monkeypatch.setattr(
        job, "_row", lambda epoch: {"epoch": epoch.number, **epoch.logs, "val_accuracy": math.nan}
    )
    assert fit(path, tmp_path).summary["monitor"] == "loss"


def test_one_whose_storage_took_no_checkpoint_begins_again(write, tmp_path, monkeypatch):
    path = write(checkpoint={"every": 1})
    alone = fit(path, tmp_path / "alone")

    def full(at, _kept):
        raise StorageError(files.cannot("written", at, OSError(28, "No space left on device")))

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write", full)
        with pytest.raises(StorageError):
            fit(path, tmp_path / "runs")
    folder = tmp_path / "runs" / "digits-1"
    summary = json.loads((folder / runs.SUMMARY).read_text())
    assert (summary["state"], summary["resumable"]) == (runs.FAILED, False)
    assert left(resumed(path, folder, tmp_path).folder) == left(alone.folder)
