"""The doctor finds what doesn't repeat and what doesn't go on, and leaves nothing behind.

Most tests let it start a stand-in for `tftrain fit`, which writes a run's files without TensorFlow.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import ROOT
from tftrain import doctor, stopping
from tftrain.cli import app
from tftrain.errors import ConfigError, Stopped
from tftrain.terminal import Check

DIGITS = ROOT / "configs" / "digits.yaml"
STAND_IN = """
import json, pathlib, sys, time
import numpy as np
from tftrain import checkpoint, files, runs
from tftrain.checkpoint import Checkpoint, State

NOISE = np.random.default_rng().random()
{begin}

def weights(epoch): return {{"dense/kernel": np.full(3, epoch * epoch, np.float32)}}
def row(epoch): return {{"epoch": epoch, "loss": 1 / epoch, "seconds": NOISE}}

resumed = "--resume" in sys.argv
if resumed:
    run = pathlib.Path(sys.argv[sys.argv.index("--resume") + 1])
    last = checkpoint.read(run / runs.CHECKPOINT)
    done, history = last.state.epoch, list(last.history)
else:
    run = pathlib.Path(sys.argv[-1], "digits-1")
    run.mkdir(parents=True)
    done, history = 0, []
summary = {{"format_version": 1, "state": "running", "fingerprint": "00"}}
surroundings = dict.fromkeys("tftrain python tensorflow keras numpy threads machine".split(), 1)
files.write(run / runs.ENVIRONMENT, json.dumps(surroundings).encode())
epochs = int(next(one for one in sys.argv[::-1] if "epochs=" in one)[-1]) if not resumed else 4
for epoch in range(done + 1, epochs + 1):
    history.append(row(epoch))
    kept, patience = weights(epoch), {{"wait": epoch, "best": float("nan")}}
    {each}
    state = State(epoch, False, kept, [patience])
    checkpoint.write(run / runs.CHECKPOINT, Checkpoint(state, history, 0.0, ""))
    time.sleep(PACE)
files.write_arrays(run / runs.WEIGHTS, weights(epochs))
best = {{"epochs_run": 4, "monitor": "loss", "best_epoch": 4, "best_value": 0.25}}
scores = {{"test": {{"loss": 0.5}}}}
{end}
form = {{"inputs": [1], "labels": [], "classes": None, "rows": {{"train": 3}}, "seconds": {{}}}}
summary |= {{"state": "finished", "metrics": scores, **best, **form}}
files.write(run / runs.SUMMARY, json.dumps(summary).encode())
"""


@pytest.fixture
def examine(tmp_path, monkeypatch):
    """Lets the doctor see a stand-in that has been tampered with; gives its checks' lines."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def examined(*, begin="", each="", end="", pace=0.1, epochs=4, told=None):
        script = tmp_path / "stand_in.py"
        script.write_text(STAND_IN.format(begin=f"PACE = {pace}\n{begin}", each=each, end=end))
        monkeypatch.setattr(doctor, "COMMAND", (sys.executable, str(script)))
        lines = [] if told is None else told
        found = doctor.examine(DIGITS, [f"training.epochs={epochs}"], lines.append)
        assert list(tmp_path.iterdir()) == [script]
        return [str(check) for check in found.checks]

    return examined


@pytest.mark.slow
def test_what_repeats_and_goes_on_passes(examine):
    told = []
    repeats, resumes = examine(told=told)
    assert repeats == (
        "ok      repeats: weights, optimizer and callbacks, 4 epochs of history, metrics: "
        "twice the same, to the bit"
    )
    assert resumes.startswith("ok      resumes: killed after epoch ")
    assert resumes.endswith(" of 4 and gone on with: the same, to the bit")
    assert [line[:7] for line in told] == ["1 of 4:", "2 of 4:", "3 of 4:", "4 of 4:"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tampered", "different"),
    [
        ({"each": "patience['best'] = NOISE"}, "checkpoint.npz: 1 of 2 differ, first callback 0"),
        ({"each": "history[-1]['loss'] += NOISE"}, "history: 4 of 4 differ, first epoch 1"),
        ({"end": "scores['test']['loss'] = NOISE"}, "metrics: 1 of 5 differ, first test"),
        ({"end": "summary['fingerprint'] = str(NOISE)"}, "other rows, or in another order: have"),
        (
            {"end": "files.write_arrays(run / runs.WEIGHTS, {'w': np.zeros(2) + NOISE})"},
            "weights.npz: 1 of 1 differ, first w",
        ),
        ({"end": "if 'second' in str(run): sys.exit('gone wrong')"}, "gone wrong"),
    ],
)
def test_what_does_not_repeat_is_named_and_nothing_is_killed(examine, tampered, different):
    repeats, resumes = examine(**tampered, pace=0)
    assert repeats.startswith("FAILED  repeats: ")
    assert different in repeats
    assert resumes == "FAILED  resumes: not tried: a training that doesn't repeat tells nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tampered", "different"),
    [
        ({"each": "kept['dense/kernel'] += resumed"}, "not the same: checkpoint.npz: 1 of 2"),
        ({"each": "history[0]['loss'] += resumed"}, "not the same: history: 1 of 4"),
        ({"begin": "if '--resume' in sys.argv: sys.exit('runs/x: error[D008]: changed')"}, "D008"),
        ({"begin": "if 'killed' in sys.argv[-1]: sys.exit('no more space')"}, "no more space"),
    ],
)
def test_what_does_not_go_on_is_named(examine, tampered, different):
    repeats, resumes = examine(**tampered)
    assert repeats.startswith("ok ")
    assert resumes.startswith("FAILED  resumes: ")
    assert different in resumes


@pytest.mark.slow
def test_what_is_over_too_quickly_is_left_undecided(examine, monkeypatch):
    monkeypatch.setattr(doctor, "_POLL_SECONDS", 3)
    monkeypatch.setattr(doctor, "_ATTEMPTS", 2)
    _, resumes = examine(pace=0)
    assert resumes == (
        "FAILED  resumes: undecided: over before it could be killed, 2 times; try more epochs"
    )


@pytest.mark.slow
def test_the_kill_comes_sooner_where_half_way_is_too_late(examine):
    _, resumes = examine(pace=0.2, each="if epoch > 1 and not resumed: PACE = 0")
    assert resumes.startswith("ok ")


def test_a_training_that_ends_after_one_epoch_is_not_killed(examine):
    _, resumes = examine(each="if epoch > 1: break", pace=0)
    assert resumes == "FAILED  resumes: not tried: training ended after epoch 1"


def test_what_fit_says_of_the_first_training_is_told_on(examine, tmp_path):
    with pytest.raises(doctor.Failed, match="two") as raised:
        examine(begin="print('one\\ntwo', file=sys.stderr); sys.exit(3)")
    assert (raised.value.exit_code, raised.value.said) == (3, "one\ntwo")
    with pytest.raises(doctor.Failed, match="a training ended with exit code 137") as raised:
        examine(begin="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert raised.value.exit_code == 137
    assert [path.name for path in tmp_path.iterdir()] == ["stand_in.py"]


@pytest.mark.slow
@pytest.mark.parametrize(("step", "wait"), [("1 of 4", "'first'"), ("3 of 4", "'killed'")])
def test_ctrl_c_ends_the_child_and_leaves_nothing(step, wait, examine, tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "_request", stopping._Request())  # noqa: SLF001 - none is left
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    children = []
    start = doctor.subprocess.Popen
    monkeypatch.setattr(
        doctor.subprocess, "Popen", lambda *a, **b: children.append(start(*a, **b)) or children[-1]
    )

    class Told(list):
        def append(self, line):
            if line.startswith(step):
                threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()

    stopping.listen()
    try:
        with pytest.raises(Stopped, match="SIGINT"):
            examine(begin=f"time.sleep(20 * ({wait} in sys.argv[-1]))", told=Told())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert all(child.poll() is not None for child in children)
    assert [path.name for path in tmp_path.iterdir()] == ["stand_in.py"]


def test_the_config_must_leave_an_epoch_to_go_on_with():
    with pytest.raises(ConfigError) as raised:
        doctor.examine(DIGITS, ["training.epochs=1"], print)
    expected = "`training.epochs`: expected at least 2: one to keep, one to go on with"
    assert str(raised.value) == f"override 'training.epochs=1': error[C013]: {expected}"


def test_faults_of_the_config_are_told_as_fit_does(tftrain):
    overrides = ["training.epoch=5", "training.batch_size=all"]
    told = tftrain("doctor", DIGITS, *overrides)
    assert told == tftrain("fit", DIGITS, *overrides)
    assert told[0] == 2
    assert tftrain("doctor")[0] == 2
    assert "expected one CONFIG, got also other.yaml" in tftrain("doctor", DIGITS, "other.yaml")[2]


@pytest.mark.parametrize("passed", [True, False])
def test_the_command_prints_and_exits_by_what_was_found(passed, monkeypatch):
    checks = [Check("repeats", True, "a"), Check("resumes", passed, "b")]
    surroundings = {"keras": "3.15.1", "threads": 1, "cores": 2, "machine": "x86_64"}
    found = doctor.Found(checks, 3, surroundings)
    monkeypatch.setattr(doctor, "examine", lambda *_, **_named: found)
    done = CliRunner().invoke(app, ["doctor", "x.yaml"])
    assert done.exit_code == (0 if passed else 1)
    assert done.stdout.splitlines() == [
        "ok      repeats: a",
        f"{'ok    ' if passed else 'FAILED'}  resumes: b",
        "seen with keras 3.15.1; 1 thread on 2 cores of x86_64",
    ]
    done = CliRunner().invoke(app, ["doctor", "x.yaml", "--json"])
    assert done.exit_code == (0 if passed else 1)
    assert json.loads(done.stdout) == {
        "epochs": 3,
        "environment": surroundings,
        "checks": [vars(check) for check in checks],
    }


@pytest.mark.slow
def test_a_real_training_passes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    changes = ["training.callbacks+={CSVLogger: {filename: log.csv}}"]
    changes += ["training.callbacks+={ReduceLROnPlateau: {patience: 1, min_delta: 1}}"]
    changes += ["model.layers=[{Dropout: {rate: 0.2}}, {Dense: {units: 1, activation: sigmoid}}]"]
    told = []
    found = doctor.examine(DIGITS, changes, told.append)
    assert [str(check)[:17] for check in found.checks] == ["ok      repeats: ", "ok      resumes: "]
    assert told[0] == "10 of 100 epochs are tried; training.epochs=100 tries them all"
    plain = json.loads(json.dumps(found.plain()))
    assert plain["epochs"] == 10
    assert plain["environment"]["keras"] in str(found)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


CALLBACK = """
import random
import keras


@keras.saving.register_keras_serializable(package="mine")
class Mine(keras.callbacks.Callback):
    seen = 0

    def get_config(self):
        return {{}}

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        self.model.optimizer.learning_rate = {rate}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "repeated"), [("random.SystemRandom().random()", False), ("0.1 / self.seen", True)]
)
def test_a_callback_that_throws_dice_or_forgets_is_found(rate, repeated, tmp_path):
    (tmp_path / "mine.py").write_text(CALLBACK.format(rate=rate))
    path = tmp_path / "digits.yaml"
    path.write_text(f"code: [mine.py]\n{DIGITS.read_text('utf-8')}")
    changes = ["training.callbacks=[Mine]", "training.epochs=4"]
    repeats, resumes = doctor.examine(path, changes, print, allow_code=True).checks
    assert repeats.passed == repeated, repeats
    assert not resumes.passed
    assert "not the same" in (resumes if repeated else repeats).detail
    assert "history: " in (resumes if repeated else repeats).detail


def test_no_module_of_the_folder_stands_in_for_a_real_one():
    assert doctor.COMMAND[:3] == (sys.executable, "-P", "-m")
    assert Path(doctor.COMMAND[0]).exists()
