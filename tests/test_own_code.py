"""Code that a config names: read without being run, run with leave only, kept with the run."""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

import pytest

from conftest import faults
from tftrain import check, config, copies, recorded, runs
from tftrain.config.resolve import known
from tftrain.errors import ConfigError, RunError, TftrainError
from tftrain.prepare import prepare

REGISTER = '@keras.saving.register_keras_serializable(package="mine")\n'
CODE = f'''
from pathlib import Path

import keras
from keras import layers

Path("MARKER").write_text("ran")


{REGISTER}class MyDense(layers.Dense):
    """As Dense, doubled or not.

    Args:
        times: Integer, how often the outputs are added up.
    """

    def __init__(self, units, times=1, anything=None, **kwargs):
        super().__init__(units, **kwargs)
        self.times = times

    def call(self, inputs):
        return self.times * super().call(inputs)

    def get_config(self):
        return {{**super().get_config(), "times": self.times}}


{REGISTER}def my_loss(y_true, y_pred):
    return keras.losses.binary_crossentropy(y_true, y_pred)
'''
SECTIONS = """
data: {source: digits, classes: [0, 1], scaling: standardize}
model:
  layers:
    - MyDense: {units: 6, activation: relu}
    - Dense: {units: 1, activation: sigmoid}
training: {loss: my_loss, epochs: 2}
"""


@pytest.fixture
def written(tmp_path):
    """A config with code beside it, which leaves a marker where it runs."""
    code = CODE.replace("MARKER", (tmp_path / "marker").as_posix())
    (tmp_path / "own.py").write_text(code, "utf-8")
    (tmp_path / "c.yaml").write_text("code: [own.py]" + SECTIONS, "utf-8")
    return tmp_path / "c.yaml"


@pytest.fixture
def marker(written):
    return written.with_name("marker")


def trained(path, *overrides, smoke=False):
    from tftrain.fit import fit
    from tftrain.terminal import Silent

    folder = path.parent / "runs"
    asked = prepare(path, overrides, runs_dir=folder, allow_code=True, smoke=smoke)
    return fit(asked, Silent())


def config_of(folder, *files, sections=SECTIONS):
    names = []
    for place, content in enumerate(files):
        names.append(f"file{place}.py")
        (folder / names[-1]).write_text(content, "utf-8")
    (folder / "c.yaml").write_text(f"code: [{', '.join(names)}]{sections}", "utf-8")
    return folder / "c.yaml"


def told(do):
    with pytest.raises(TftrainError) as raised:
        do()
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_check_knows_the_code_and_does_not_run_it(written, marker, tftrain):
    code, out, _ = tftrain("check", written)
    assert code == 0
    assert "MyDense             ?" in out
    assert "hint[K010]: `MyDense`: only Keras knows whether it fits" in out
    assert "--allow-code lets it" in out
    code, out, _ = tftrain("check", written, "model.layers.MyDense.time=2", "--no-build")
    assert code == 2
    assert "error[K002]: `MyDense` has no argument `time`; did you mean `times`?" in out
    assert not marker.exists()


def test_check_builds_nothing_without_leave(written, marker):
    report = check.check(written, build=True)
    assert [one.code for one in report.problems if one.severity == "error"] == ["C052"]
    assert not marker.exists()


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("build", [True, None])
def test_check_builds_with_leave(build, written, marker):
    report = check.check(written, build=build, allow_code=True)
    assert [row.shape for row in report.table] == [(6,), (1,)]
    assert {one.severity for one in report.problems} <= {"hint"}
    assert marker.exists()


def test_fit_asks_for_leave_before_anything_else(written, marker, tftrain):
    code, out, said = tftrain("fit", written)
    assert (code, out) == (2, "")
    place = f"{written}:1:1: error[C052]: "
    file = written.with_name("own.py")
    assert said == f"{place}this would run {file}: read it, then `--allow-code` lets it run\n"
    assert not marker.exists()
    assert not (written.parent / "runs").exists()


def test_objects_are_known_by_name_and_by_registered_name(written):
    _, source = config.load(written, ["model.layers.0={mine>MyDense: {units: 3}}"])
    layer = known(source).find("layer", "mine>MyDense")
    assert layer.registered == "mine>MyDense"
    assert list(layer.arguments)[:3] == ["units", "times", "anything"]
    assert {"activation", "kernel_initializer", "dtype", "name"} <= set(layer.arguments)
    assert layer.arguments["times"].types == ("int",)
    assert layer.arguments["times"].default == 1
    assert layer.arguments["anything"].types == ()
    assert all(known(source).find(kind, "my_loss") for kind in ("loss", "metric", "activation"))
    assert known(source).find("initializer", "my_loss") is None


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        ("keras.layers.Layer", "layer"),
        ("keras.Layer", "layer"),
        ("keras.Model", "layer"),
        ("tf.keras.layers.LSTM", "layer"),
        ("L.Dense", "layer"),
        ("k.losses.Loss", "loss"),
        ("keras.losses.MeanSquaredError", "loss"),
        ("keras.metrics.AUC", "metric"),
        ("keras.callbacks.Callback", "callback"),
        ("keras.initializers.Initializer", "initializer"),
        ("keras.regularizers.Regularizer", "regularizer"),
        ("keras.constraints.Constraint", "constraint"),
        ("keras.optimizers.Adam", "optimizer"),
        ("Decay", "schedule"),
        ("Between", "layer"),
    ],
)
def test_a_class_is_of_its_base_s_kind_however_that_is_imported(base, kind, tmp_path):
    content = (
        "import keras\nimport keras.layers as L\nimport tensorflow as tf\n"
        "from keras.optimizers.schedules import LearningRateSchedule as Decay\n"
        "from tensorflow import keras as k\n"
        "from keras.utils import register_keras_serializable as register\n"
        "class Between(L.Dropout): pass\n"
        f"@register('p', name='Named')\nclass Mine({base}):\n"
        "    def get_config(self): return {}\n"
    )
    path = config_of(tmp_path, content, sections=SECTIONS.replace("MyDense", "Dense"))
    _, source = config.load(path, ["training.loss=bce"])
    ((found, entry),) = source.code[0].objects
    assert (found, entry.name, entry.registered) == (kind, "Named", "p>Named")


CLASS = f"import keras\n{REGISTER}class A(keras.Layer):\n    pass\n"


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("import keras\ndef f(:\n", "file0.py:2:7: error[C050]", "not valid Python: "),
        ("return 1\n", "file0.py:1:1: error[C050]", "'return' outside function"),
        ("a = '\0'\n", "file0.py:1:1: error[C050]", "not valid Python"),
        ("-" * 100_000 + "1", "file0.py:1:1: error[C050]", "nested too deep"),
        ("#" * (1024 * 1024 + 1), "c.yaml:1:8: error[C050]", "larger than 1024 KiB"),
        ("import keras\n", "c.yaml:1:8: error[C050]", "registers nothing that a config can name"),
        (CLASS.replace("(keras.Layer)", ""), "file0.py:3:1: error[C051]", "no `get_config`"),
        (CLASS.replace("keras.Layer", "A"), "c.yaml:1:8: error[C050]", "go in a circle"),
        (CLASS.replace("A(", "Dense("), "file0.py:3:1: error[C051]", "is Keras's `Dense`"),
        (CLASS.replace("A(", "re_lu("), "file0.py:3:1: error[C051]", "take another name"),
        (CLASS.replace("mine", "my>own"), "file0.py:3:1: error[C051]", "registered as 'my>own'"),
        (
            f"import keras\n{REGISTER}def accuracy(y_true, y_pred): pass\n",
            "file0.py:3:1: error[C051]",
            "is Keras's",
        ),
        (
            CLASS.replace("Layer", "Metric").replace("pass", "def __init__(self): pass"),
            "file0.py:3:1: error[C051]",
            "takes `name`",
        ),
        (
            CLASS.replace("Layer", "callbacks.Callback"),
            "file0.py:3:1: error[C051]",
            "`A` has no `get_config`",
        ),
    ],
)
def test_a_fault_in_the_code_is_one_line_with_its_place(content, place, words, tmp_path):
    path = config_of(tmp_path, content)
    (line,) = faults(path)
    assert line.startswith(f"{tmp_path}{os.sep}{place}")
    assert words in line


def test_other_faults_of_files(tmp_path):
    path = config_of(tmp_path, CLASS, CLASS)
    (line,) = faults(path)
    assert "c.yaml:1:18: error[C051]" in line
    assert f"`A` is registered in {tmp_path / 'file0.py'} already" in line
    (tmp_path / "latin.py").write_bytes(b"# ab\n# \xe9\n")
    (line,) = faults(path, f"code=[{tmp_path / 'latin.py'}]")
    assert "latin.py:2:3: error[C050]: not UTF-8: byte 0xe9" in line
    (tmp_path / "folder.py").mkdir()
    (line,) = faults(path, f"code=[{tmp_path / 'folder.py'}]")
    assert "override " in line
    assert "it is not a file" in line
    (line,) = faults(path, f"code=[{', '.join(['x.py'] * 101)}]")
    assert "more than 100 files" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    path = config_of(tmp_path, CLASS)
    os.mkfifo(tmp_path / "pipe.py")
    (line,) = faults(path, f"code=[{tmp_path / 'pipe.py'}]")
    assert "it is not a file" in line


@pytest.mark.parametrize("default", ["9**9**9**9", "2**64**64", "[0] * 10**9", "f()", "{[]: 1}"])
def test_a_default_that_is_no_plain_value_is_not_worked_out(default, tmp_path):
    content = CLASS.replace("pass", f"def __init__(self, x={default}): pass")
    sections = SECTIONS.replace("MyDense: {units: 6, activation: relu}", "A: {x: 1}")
    _, source = config.load(config_of(tmp_path, content, sections=sections), ["training.loss=bce"])
    ((_, entry),) = source.code[0].objects
    assert isinstance(entry.arguments["x"].default, str)


def test_paths_count_from_the_file_that_they_stand_in(written, monkeypatch):
    folder = written.with_name("below")
    folder.mkdir()
    (folder / "c.yaml").write_text("extends: ../c.yaml\nseed: 1\n")
    monkeypatch.chdir(folder)
    settings, _ = config.load(Path("c.yaml"))
    assert Path(settings.code[0]).samefile(written.with_name("own.py"))
    assert "`code`: own.py: no such file" in faults(written, "code=[own.py]")[0]


def test_the_lint_is_silent_on_a_loss_that_it_does_not_know(written):
    changes = ["training.loss=mse", "data.scaling=none"]
    assert "N014" in {one.code for one in check.check(written, changes).problems}
    assert "N014" not in {one.code for one in check.check(written).problems}


def test_a_layer_of_one_s_own_may_have_weights(written):
    changes = ["model.layers.Dense.trainable=false", "training.loss=bce"]
    own = check.check(written, changes)
    assert "N030" not in {one.code for one in own.problems}
    plain = check.check(written, [*changes, "model.layers.MyDense=null"])
    assert "N030" in {one.code for one in plain.problems}


def test_a_loss_of_one_s_own_may_take_class_numbers(written):
    changes = ["data.classes=[0, 1, 2]", "model.layers=[{Dense: {units: 3, activation: softmax}}]"]
    assert not check.check(written, changes).has("error")
    assert check.check(written, [*changes, "training.loss=mse"]).has("error")
    wrong = check.check(written, [*changes, "model.layers.Dense.units=2"])
    assert [one.code for one in wrong.problems if one.severity == "error"] == ["K005"]


@pytest.mark.usefixtures("tensorflow")
def test_training_is_as_with_the_same_objects_of_keras(written, marker):
    run = trained(written)
    assert marker.exists()
    plain = ["code=null", "model.layers.0={Dense: {units: 6, activation: relu}}"]
    other = trained(written, *plain, "training.loss=BinaryCrossentropy", "name=plain")
    assert run.summary["metrics"] == other.summary["metrics"]
    assert other.summary["code"] == []
    assert not (other.folder / "code").exists()


@pytest.mark.usefixtures("tensorflow")
def test_a_run_keeps_the_bytes_that_ran_and_repeats_itself_by_them(written, marker, monkeypatch):
    run = trained(written)
    file = written.with_name("own.py")
    copy = run.folder / "code" / "own.py"
    assert copy.read_bytes() == file.read_bytes()
    kept = {"file": "code/own.py", "sha256": copies.sha256(file.read_bytes())}
    assert json.loads((run.folder / "summary.json").read_bytes())["code"] == [kept]
    file.unlink()
    moved = run.folder.rename(written.with_name("moved"))
    monkeypatch.chdir(moved.parent)
    assert asks_again(moved, run.summary)
    marker.unlink()
    from tftrain import evaluate

    again = evaluate.load(moved, run.summary, allow_code=True)
    assert marker.exists()
    assert evaluate.metrics(again.engine, again.splits()) == run.summary["metrics"]
    repeated = trained(moved / "config.resolved.yaml")
    assert repeated.summary["metrics"] == run.summary["metrics"]
    assert repeated.summary["code"] == [kept]


def asks_again(folder, summary):
    line = told(lambda: recorded.read(folder, summary))
    path = folder / "code" / "own.py"
    return line.startswith(f"{folder}: error[C052]: this would run {path}: ")


@pytest.mark.usefixtures("tensorflow")
def test_what_runs_is_what_was_read_though_the_file_has_changed_since(written):
    from tftrain.fit import fit
    from tftrain.terminal import Silent

    asked = prepare(written, runs_dir=written.parent, allow_code=True)
    before = written.with_name("own.py").read_bytes()
    written.with_name("own.py").write_text("raise SystemExit(1)\n")
    run = fit(asked, Silent())
    assert (run.folder / "code" / "own.py").read_bytes() == before


@pytest.mark.usefixtures("tensorflow")
def test_a_run_that_was_tampered_with_runs_nothing(written, marker):
    run = trained(written)
    copy, resolved = run.folder / "code" / "own.py", run.folder / "config.resolved.yaml"
    content, text = copy.read_bytes(), resolved.read_text("utf-8")
    marker.unlink()

    def refused(summary=run.summary):
        line = told(lambda: recorded.read(run.folder, summary, allow_code=True))
        assert "error[R002]: " in line
        assert "\n" not in line
        return line

    for changed in (content + b"\n", b"def f(:", b""):
        copy.write_bytes(changed)
        assert "own.py: error[R002]: damaged: its checksum doesn't match" in refused()
    copy.write_bytes(content)
    resolved.write_text(text.replace("code/own.py", "../../own.py"), "utf-8")
    assert "config.resolved.yaml: error[R002]: damaged: its `code` isn't what" in refused()
    assert "its `code` isn't what" in refused(run.summary | {"code": []})
    without = {name: value for name, value in run.summary.items() if name != "code"}
    assert "its `code` isn't what" in refused(without)
    resolved.write_text(text, "utf-8")
    entry = run.summary["code"][0]
    for file in ("../own.py", "code/../../own.py", "own.py", "code/own.txt", "/code/own.py", 1):
        assert "damaged: `code` is wrong" in refused(
            run.summary | {"code": [entry | {"file": file}]}
        )
    assert "damaged: `code` is wrong" in refused(run.summary | {"code": "own.py"})
    assert not marker.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.usefixtures("tensorflow")
def test_a_run_s_code_is_no_link(written, marker):
    run = trained(written)
    marker.unlink()
    copy = run.folder / "code" / "own.py"
    copy.unlink()
    with pytest.raises(RunError, match="R003"):
        recorded.read(run.folder, run.summary, allow_code=True)
    copy.symlink_to(written.with_name("own.py"))
    with pytest.raises(RunError, match=r"R002.*not a link"):
        recorded.read(run.folder, run.summary, allow_code=True)
    copy.unlink()
    copy.parent.rename(written.with_name("elsewhere"))
    (written.with_name("elsewhere") / "own.py").write_bytes(
        written.with_name("own.py").read_bytes()
    )
    copy.parent.symlink_to(written.with_name("elsewhere"))
    with pytest.raises(RunError, match=r"R002.*not a link"):
        recorded.read(run.folder, run.summary, allow_code=True)
    assert not marker.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_the_commands_on_a_run_ask_again(written, marker, tftrain):
    run = trained(written)
    marker.unlink()
    rows = written.with_name("rows.csv")
    for command in (("eval", run.folder), ("predict", run.folder, rows, "-o", "out.csv")):
        rows.write_text("a\n1\n")
        code, _, said = tftrain(*command)
        assert code == 2
        assert "error[C052]: this would run " in said
    assert not marker.exists()


@pytest.mark.usefixtures("tensorflow")
def test_a_smoke_run_is_read_again(written):
    from tftrain import smoke

    run = trained(written, smoke=True)
    assert all(one.passed for one in smoke.check(run))


def test_copies_of_one_name_are_numbered(tmp_path):
    run = runs.Run(tmp_path)
    read = [("a.py", b"1"), ("A.py", b"2"), ("a-2.py", b"3"), ("a.py", b"4")]
    kept = copies.keep(run, [config.Code(Path(name), name, text, ()) for name, text in read])
    names = ["code/a.py", "code/A-2.py", "code/a-2-2.py", "code/a-3.py"]
    assert [one["file"] for one in kept] == names
    assert [(tmp_path / name).read_bytes() for name in names] == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("name", ["code", "code/log.csv", "./code/own.py"])
def test_a_callback_can_not_write_over_the_code(name, written):
    change = f"training.callbacks=[CSVLogger: {{filename: {name}}}]"
    with pytest.raises(ConfigError, match="is a file of the run itself"):
        prepare(written, [change], runs_dir=written.parent, allow_code=True)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("1 / 0", 5, "failed as it ran: ZeroDivisionError: division by zero"),
        ("def f(): raise ValueError\nf()", 5, "failed as it ran: ValueError"),
        ("raise SystemExit(3)", 5, "failed as it ran: SystemExit: 3"),
        ("import a_package_of_nobody", 5, "No module named 'a_package_of_nobody'"),
        ("import file1", 5, "No module named 'file1'"),
        ("del keras.saving.get_custom_objects()['mine>A']", 1, "didn't register `A` as it ran"),
    ],
)
def test_code_that_fails_is_one_line_with_its_place(body, line, words, tmp_path):
    from tftrain import foreign

    sections = SECTIONS.replace("MyDense: {units: 6, activation: relu}", "A")
    path = config_of(tmp_path, CLASS + body + "\n", CLASS.replace("A(", "B("), sections=sections)
    _, source = config.load(path, ["training.loss=bce"])
    message = told(lambda: foreign.run(config.permit(source, allowed=True)))
    assert message.startswith(f"{tmp_path / 'file0.py'}:{line}: error[C053]: ")
    assert words in message
    assert str(tmp_path) not in sys.path


@pytest.mark.usefixtures("tensorflow")
def test_nothing_runs_without_leave(written, marker):
    from tftrain import foreign

    _, source = config.load(written)
    assert "error[C052]" in told(lambda: foreign.run(source))
    assert not marker.exists()


@pytest.mark.usefixtures("tensorflow")
def test_what_code_prints_goes_to_stderr(tmp_path, capsys):
    from tftrain import foreign

    sections = SECTIONS.replace("MyDense: {units: 6, activation: relu}", "A")
    path = config_of(tmp_path, "print('hello')\n" + CLASS, sections=sections)
    _, source = config.load(path, ["training.loss=bce"])
    foreign.run(config.permit(source, allowed=True))
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(
    ("body", "start", "line"),
    [
        ("def __init__(self): self.x = y", "error[K004]: `A`: ", 4),
        ("def build(self, shape): self.x = y", "error[K005]: doesn't fit rows of shape (64,): ", 4),
        ("def call(self, x):\n        return x + y", "error[K005]: ", 5),
    ],
)
def test_a_layer_that_fails_is_told_with_its_place_in_the_code(body, start, line, tmp_path):
    sections = SECTIONS.replace("MyDense: {units: 6, activation: relu}", "A")
    path = config_of(tmp_path, CLASS.replace("pass", body), sections=sections)
    message = told(lambda: trained(path, "training.loss=bce"))
    assert f"c.yaml:5:7: {start}" in message
    assert "name 'y' is" in message
    assert message.endswith(f" ({tmp_path / 'file0.py'}:{line})")
    assert not (tmp_path / "runs" / "c-1").exists()


EVERYTHING = f"""
import keras

{REGISTER}def steep(x, slope=1.0):
    return keras.ops.tanh(slope * x)

{REGISTER}class Tenth(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, 0.1, dtype)

{REGISTER}class Small(keras.regularizers.Regularizer):
    def __init__(self, strength):
        self.strength = strength
    def __call__(self, x):
        return self.strength * keras.ops.sum(x * x)
    def get_config(self):
        return {{"strength": self.strength}}

{REGISTER}class Halved(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate):
        self.rate = rate
    def __call__(self, step):
        return keras.ops.cast(self.rate, "float32") / 2
    def get_config(self):
        return {{"rate": self.rate}}

{REGISTER}class Slower(keras.optimizers.SGD):
    pass

{REGISTER}class MyLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.losses.binary_crossentropy(y_true, y_pred)

{REGISTER}class MyMean(keras.metrics.MeanMetricWrapper):
    def __init__(self, name="my_mean", **kwargs):
        super().__init__(distance, name=name, **kwargs)
    def get_config(self):
        return {{"name": self.name}}

{REGISTER}def distance(y_true, y_pred):
    return keras.losses.mean_absolute_error(y_true, y_pred)

{REGISTER}class Counting(keras.callbacks.Callback):
    epochs = []
    def get_config(self):
        return {{}}
    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
"""
NAMED = """
data: {source: digits, classes: [0, 1], scaling: standardize}
model:
  layers:
    - Dense:
        units: 4
        activation: {steep: {slope: 0.5}}
        kernel_initializer: Tenth
        kernel_regularizer: {Small: {strength: 0.001}}
    - Dense: {units: 4, activation: steep}
    - Dense: {units: 1, activation: sigmoid}
training:
  loss: MyLoss
  optimizer: {mine>Slower: {learning_rate: {Halved: {rate: 0.1}}}}
  metrics: [mine>MyMean, distance, {distance: {name: far}}]
  callbacks: [Counting]
  epochs: 2
"""


@pytest.mark.usefixtures("tensorflow")
def test_objects_of_every_kind_train(tmp_path):
    path = config_of(tmp_path, EVERYTHING, sections=NAMED)
    assert not check.check(path).has("error")
    run = trained(path)
    test = run.summary["metrics"]["test"]
    assert list(test) == ["loss", "my_mean", "distance", "far"]
    assert test["my_mean"] == test["distance"] == test["far"] > 0
    assert [row["learning_rate"] for row in run.history] == pytest.approx([0.05, 0.05])
    from tftrain.backend import keras

    assert keras.saving.get_registered_object("mine>Counting").epochs == [0, 1]
    assert keras.saving.load_model(run.folder / "model.keras").count_params() > 0


@pytest.mark.usefixtures("tensorflow")
def test_a_run_goes_on_with_the_code_that_it_began_with(written, marker):
    from tftrain import resume
    from tftrain.fit import fit
    from tftrain.terminal import Silent

    whole = trained(written, "training.epochs=4", "name=whole")
    run = trained(written)
    run.lock.release()
    marker.unlink()

    def resumed(path=None, *, allow_code=True):
        gc.collect()  # a run that was refused is held until its lock is forgotten
        asked = {"name": str(run.folder), "runs_dir": written.parent, "allow_code": allow_code}
        return resume.prepare(path, ["training.epochs=4"], **asked)

    assert "error[C052]: this would run " in told(lambda: resumed(allow_code=False))
    file = written.with_name("own.py")
    content = file.read_text("utf-8")
    file.write_text(content + "\n", "utf-8")
    assert "error[R004]: began with other code" in told(lambda: resumed(written))
    assert not marker.exists()
    file.unlink()
    again = fit(resumed(), Silent())
    assert again.folder == run.folder
    assert again.summary["metrics"] == whole.summary["metrics"]
    assert "- code/own.py\n" in (run.folder / "config.resolved.yaml").read_text("utf-8")
    again.lock.release()
    copy = run.folder / "code" / "own.py"
    copy.write_text(content + "\n", "utf-8")
    assert "error[R002]: damaged: its checksum" in told(resumed)
