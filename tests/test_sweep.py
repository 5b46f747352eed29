"""Sweeps: what may be tried, what is tried in which order, and what becomes of it."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from tftrain import environment, files, runs
from tftrain.check import check
from tftrain.config import load, ranges
from tftrain.config.ranges import Choice, Range, RangeError
from tftrain.errors import ConfigError, RunError, Stopped
from tftrain.sweep import plan, storage
from tftrain.sweep.trials import Outcome

optuna = pytest.importorskip("optuna")

from tftrain.sweep import best, results, study, work  # noqa: E402 - they import Optuna

DIGITS = ROOT / "configs" / "digits.yaml"
RATE = "training.optimizer.RMSprop.learning_rate"
UNITS = "model.layers.0.Dense.units"
TRIED = (f"{RATE}=log(1e-4, 1e-1)", f"{UNITS}=choice(8, 16, 32)")


def planned(*changes, path=DIGITS, timed=False, **options):
    return plan.plan(path, changes or TRIED, plan.Asked(**options), timed=timed)


def faults(*changes, path=DIGITS, **options):
    with pytest.raises(ConfigError) as raised:
        planned(*changes, path=path, **({"trials": 3} | options))
    return str(raised.value).split("\n")


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("uniform(0, 0.5)", Range(0.0, 0.5)),
        (" log( 1e-4 ,1e-1 ) ", Range(1e-4, 0.1, log=True)),
        ("int(-1, 8)", Range(-1, 8, whole=True)),
        ("int(8, 63, 8)", Range(8, 56, whole=True, step=8)),
        ("logint(8,512)", Range(8, 512, whole=True, log=True)),
        ("choice(relu, 1e-3, null)", Choice(("relu", "1e-3", "null"))),
        (
            'choice({Adam: {learning_rate: 1, clipnorm: 2}}, "a, b)", [1, 2])',
            Choice(("{Adam: {learning_rate: 1, clipnorm: 2}}", '"a, b)"', "[1, 2]")),
        ),
    ],
)
def test_the_forms_of_values(written, values):
    assert ranges.parse(written) == values


@pytest.mark.parametrize(
    ("written", "column", "said"),
    [
        ("0.1", 1, "expected one of uniform(...), log(...), int(...), logint(...), choice(...)"),
        ("lgo(1, 2)", 1, "`lgo` is no form of values; did you mean `log`?"),
        ("log(1e-4, 1e-1", 15, "expected )"),
        ("choice('a, b)", 14, "expected '"),
        ("log(1e-4; 1e-1)", 5, "expected two numbers, got 1"),
        ("log(1, 2, 3)", 11, "expected two numbers, got 3"),
        ("log(0, 1)", 5, "expected more than 0, got 0"),
        ("uniform(1, x)", 12, "expected a number, got 'x'"),
        ("uniform(1, .inf)", 12, "expected a number of bearable size, got .inf"),
        ("uniform(0, true)", 12, "expected a number, got 'true'"),
        ("uniform(2, 1)", 12, "expected more than 2, got 1"),
        ("int(1, 2.5)", 8, "expected a whole number, got '2.5'"),
        ("int(1, 9, 0)", 11, "expected more than 0, got 0"),
        ("int(1, 9, 2, 2)", 14, "expected `)` after two numbers and a step"),
        ("choice(8, , 16)", 11, "expected a value"),
        ("choice(8, 16, 8)", 15, "`8` stands there twice"),
        ("choice(a, [b)", 14, "expected )"),
        ("choice(*a)", 8, "alias `*a`: write the value out"),
        ("log(1, 2) x", 11, "expected nothing after the `)`, got `x`"),
    ],
)
def test_a_fault_in_values_has_its_column(written, column, said):
    with pytest.raises(RangeError) as raised:
        ranges.parse(written)
    assert str(raised.value) == f"column {column}: {said}"
    assert raised.value.column == column


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"{RATE[:-5]}=log(1,2)", "K002]: `RMSprop` has no argument `learning`; did you mean `le"),
        ("model.layers.0.Dens.units=choice(8)", "did you mean `model.layers.0.Dense.units`?"),
        ("training.optimizr.x=int(1,2)", "C010]: unknown key `optimizr` in `training`; did you"),
        ("training.epochs=int(0,5)", "C013]: `training.epochs`: expected at least 1, got 0"),
        (f"{UNITS}=choice(8, many)", "K007]: "),
        ("name=choice(a, b)", "C033]: `name` can't be swept"),
        ("training.threads=int(1,2)", "C033]: `training.threads` can't be swept"),
        (f"{UNITS}=intt(1,2)", "C032]: `intt(1,2)`: column 1: `intt` is no form of values; did"),
    ],
)
def test_what_can_not_be_tried_is_told_where_it_was_written(change, said):
    (line,) = faults(change)
    assert line.startswith(f"sweep '{change}': error[")
    assert said in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "val_acuracy"}, "--objective 'val_acuracy': error[C033]: nothing called "),
        ({"sampler": "gird"}, "--sampler 'gird': error[C033]: no sampler `gird`; did you mean `gr"),
        ({"pruner": "none?"}, "--pruner 'none?': error[C033]: no pruner `none?`; did you mean "),
        ({"direction": "up"}, "--direction 'up': error[C033]: no direction `up`; expected one of"),
        ({"study": "../x"}, "--study '../x': error[C033]: expected letters"),
        ({"trials": None}, "--trials: error[C033]: expected a number of trials, or a time limit"),
        ({"sampler": "grid"}, f"sweep '{TRIED[0]}': error[C033]: a grid needs choice(...) or int"),
    ],
    ids=str,
)
def test_options_are_told_with_the_nearest_word(options, said):
    (line,) = faults(*TRIED, **options)
    assert line.startswith(said)


def test_nothing_to_try_and_no_rows_to_validate_on_are_told():
    assert "nothing to try: add" in faults("training.epochs=5")[0]
    changes = ("data.split={train: 0.8, validation: 0, test: 0.2}", "training.callbacks=null")
    (line,) = faults(*TRIED, *changes, objective="val_loss")
    assert "`val_loss` needs rows to validate on" in line
    assert planned(*TRIED, *changes, trials=1).objective == "loss"


def test_the_section_says_what_the_command_line_does_not(tmp_path):
    section = "sweep:\n  objective: val_auc\n  sampler: grid\n  parameters:\n"
    section += f"    {UNITS}: choice(8, 16)\n    seed: int(0, 4, 2)\n"
    path = tmp_path / "own.yaml"
    path.write_text(DIGITS.read_text() + section)
    made = planned("seed=int(0,1)", path=path)
    assert {one.path: one.written for one in made.parameters} == {
        UNITS: "choice(8, 16)",
        "seed": "int(0,1)",
    }
    assert (made.objective, made.maximize, made.sampler, made.trials) == (
        "val_auc",
        True,
        "grid",
        4,
    )
    assert made.study == "digits-sweep"
    assert planned("seed=int(0,1)", path=path, sampler="random", trials=9).trials == 9
    path.write_text(DIGITS.read_text() + section.replace("choice(8, 16)", "choice(8 16"))
    (line,) = faults(path=path)
    assert line.startswith(f"{path}:32:33: error[C032]: ")
    assert line.endswith("column 12: expected )")


@pytest.mark.parametrize(
    ("written", "shown", "url"),
    [
        (None, "runs/sweeps.sqlite3", "sqlite:///{cwd}/runs/sweeps.sqlite3"),
        ("all.db", "all.db", "sqlite:///{cwd}/all.db"),
        ("sqlite:///all.db", "all.db", "sqlite:///{cwd}/all.db"),
        ("postgresql://me:p@ss:w/d@host/db", "postgresql://me:***@host/db", None),
        ("postgres://host/db?password=abc&x=1", "postgres://host/db?password=***&x=1", None),
        ("mysql+pymysql://me@host/db", "mysql+pymysql://me@host/db", "mysql+pymysql://me@host/db"),
    ],
)
def test_where_studies_are_kept(written, shown, url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = storage.where(written, storage.Path("runs"))
    assert found.shown == shown
    expected = url and url.format(cwd=tmp_path)
    assert found.url == expected or found.url.startswith("postgresql+psycopg://")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("x.log", "a journal file knows no heartbeats: a trial whose worker is killed would stay"),
        ("grpc://host:13000", "grpc knows no heartbeats"),
        ("postgresq://host", "no database is called `postgresq`; did you mean `postgresql`?"),
        ("sqlite://", "expected a file: sqlite:///studies.sqlite3"),
        (".", "is a folder; expected a file, such as sweeps.sqlite3"),
    ],
)
def test_storage_that_can_not_be_shared_is_refused(written, said):
    with pytest.raises(ConfigError) as raised:
        storage.where(written, storage.Path())
    assert str(raised.value).startswith(f"--storage '{written}': error[C034]: {said}")


def test_no_password_gets_into_a_run_or_a_message(monkeypatch):
    url = "postgresql://me:secret@nowhere.invalid/db?password=secret"
    monkeypatch.setattr(sys, "argv", ["tftrain", "sweep", "--storage", url])
    git = environment.ask_git()
    assert "secret" not in json.dumps(environment.describe({}, 1, git))
    with pytest.raises(ConfigError) as raised, storage.quiet():
        storage.connect(storage.where(url, storage.Path()), 60)
    assert "secret" not in str(raised.value)
    assert "error[C034]: can't be used: " in str(raised.value)


def test_a_missing_package_is_one_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError) as raised:
        storage.require_optuna()
    assert str(raised.value).endswith("not installed: pip install 'tftrain[sweep]'")


@pytest.fixture(autouse=True)
def silence():
    with storage.quiet():
        yield


class Bench:
    """A study in a file, and workers that train nothing: an objective that is quick to know."""

    def __init__(self, folder, made, stop_after=None, **hooks):
        self.plan, self.told, self.said, self.hooks = made, [], [], hooks
        self.stop_after = stop_after
        self.storage = storage.connect(storage.where(str(folder / "all.db"), folder), 60)
        self.study = study.begin(made, self.storage, resume=False)
        self.worker = work.Worker(
            made, self.study, self.storage, folder, self.run, self.tell, self.said.append
        )

    def run(self, _made, batch, _folder):
        for job in batch:
            if self.stop_after == len(self.told):
                raise Stopped("SIGINT", 130)
            if hook := self.hooks.get(job.number):
                hook(self)
            yield self.outcome(job)

    def outcome(self, job):
        changes = dict(one.split("=", 1) for one in job.overrides)
        value = abs(math.log10(float(changes.get(RATE, 1))) + 2) + float(changes[UNITS]) / 100
        if changes[UNITS] == "0":
            return Outcome(job.number, fault="loss is not finite")
        for epoch in range(1, 101):
            if job.watch and job.watch(epoch, value + 1 / epoch):
                return Outcome(job.number, epochs=epoch, pruned=True)
        return Outcome(job.number, value, epochs=100)

    def tell(self, outcome, params):
        self.told.append((outcome.number, params, outcome.value))

    def work(self):
        self.worker.work()
        return self

    @property
    def known(self):
        return study.tried(self.study)

    @property
    def came_to(self):
        return [(one.state, one.trial.params, one.trial.value) for one in self.known]

    def age(self):
        """Lets every sign of life be an hour old."""
        from sqlalchemy import text

        with self.storage.engine.begin() as connection:
            change = "update trial_heartbeats set heartbeat = datetime('now', '-1 hour')"
            connection.execute(text(change))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_makes_the_same_trials_also_after_stops(sampler, tmp_path):
    names = ("whole", "again", "stopped", "other")
    for name in names:
        (tmp_path / name).mkdir()
    made = planned(trials=13, sampler=sampler)
    whole = Bench(tmp_path / "whole", made).work().came_to
    assert Bench(tmp_path / "again", made).work().came_to == whole
    for stop in (3, 8):
        with pytest.raises(Stopped):
            Bench(tmp_path / "stopped", made, stop_after=stop).work()
    stopped = Bench(tmp_path / "stopped", made).work()
    assert stopped.came_to == whole
    assert [len(one.attempts) for one in stopped.known].count(2) == 2
    seeded = planned("seed=1", *TRIED, trials=13, sampler=sampler)
    assert Bench(tmp_path / "other", seeded).work().came_to != whole


def test_a_grid_has_each_point_once_also_with_stops_failures_and_retries(tmp_path):
    made = planned(f"{UNITS}=choice(0, 8, 16)", "seed=int(1, 3)", sampler="grid")
    with pytest.raises(Stopped):
        Bench(tmp_path, made, stop_after=4).work()
    bench = Bench(tmp_path, made).work()
    points = [tuple(one.trial.params.values()) for one in bench.known]
    assert points == [(units, seed) for units in ("0", "8", "16") for seed in (1, 2, 3)]
    assert [one.state for one in bench.known] == ["failed"] * 3 + ["complete"] * 6


def test_a_batch_is_trained_together_and_what_it_left_is_given_back(tmp_path):
    made = planned(f"{UNITS}=int(8, 17)", sampler="grid")
    batches = []

    class Batches(Bench):
        def run(self, _made, batch, folder):
            batches.append([job.number for job in batch])
            yield from super().run(_made, batch, folder)

    first = Batches(tmp_path, made, stop_after=4)
    first.worker = dataclasses.replace(first.worker, batch=3)
    with pytest.raises(Stopped):
        first.work()
    second = Batches(tmp_path, made)
    second.worker = dataclasses.replace(second.worker, batch=3)
    assert [one.state for one in second.work().known] == ["complete"] * 10
    assert batches == [[0, 1, 2], [3, 4, 5], [4, 5, 6], [7, 8, 9]]


def test_a_trial_whose_worker_shows_no_life_is_tried_again(tmp_path):
    made = planned(f"{UNITS}=choice(8, 16, 32)", sampler="grid")
    dead = Bench(tmp_path, made)
    number, trial = next(dead.worker.ask())
    early = dead.study.ask(study.distributions(made))  # killed before its first sign of life
    bench = Bench(tmp_path, made)
    bench.worker.look_after(bench.known)
    bench.age()
    bench.work()
    assert [one.state for one in bench.known] == ["complete"] * 3
    attempts = [one.attempts for one in bench.known]
    assert sorted(map(len, attempts)) == [1, 2, 2]
    assert {attempts[number][0], attempts[1][0]} == {trial.number, early.number}
    dead.worker.record(trial, Outcome(number, 0.0))  # it wasn't dead after all
    assert dead.told == []
    assert "was given up for dead meanwhile" in dead.said[0]
    assert bench.known[0].trial.value != 0.0


def test_a_trial_too_many_is_dropped(tmp_path, monkeypatch):
    made = planned(f"{UNITS}=choice(8, 16)", sampler="grid")
    bench = Bench(tmp_path, made).work()
    really, calls = study.tried, []

    def late(asked):
        calls.append(asked)
        return really(asked) if len(calls) > 1 else []

    monkeypatch.setattr(study, "tried", late)
    assert list(bench.worker.ask()) == []
    monkeypatch.undo()
    assert [one.state for one in bench.known] == ["complete"] * 2
    assert len(bench.study.get_trials()) == 3


@pytest.mark.slow
def test_bad_trials_end_early_and_the_same_ones_again(tmp_path):
    made = planned(trials=12, pruner="median", sampler="random")
    (tmp_path / "again").mkdir()
    bench = Bench(tmp_path, made).work()
    states = [one.state for one in bench.known]
    assert {"pruned", "complete"} == set(states)
    assert study.best(bench.study).state == "complete"
    assert Bench(tmp_path / "again", made).work().came_to == bench.came_to


def test_another_sweep_does_not_go_on_with_a_study(tmp_path):
    Bench(tmp_path, planned(trials=1)).work()
    for changes, options, said in (
        (("training.epochs=7", *TRIED), {}, "training.epochs: 100, now 7"),
        (TRIED[1:], {}, "parameters: {"),
        (TRIED, {"objective": "val_auc"}, "objective: min val_loss, now max val_auc"),
    ):
        with pytest.raises(ConfigError) as raised:
            Bench(tmp_path, planned(*changes, trials=1, **options))
        assert f"digits-sweep: error[C035]: began as another sweep: {said}" in str(raised.value)
    place = storage.connect(storage.where(str(tmp_path / "all.db"), tmp_path), 60)
    with pytest.raises(ConfigError, match="no study is called so; did you mean `digits-sweep`"):
        study.load(place, "digit-sweep")
    assert len(Bench(tmp_path, planned(trials=3)).work().known) == 3
    optuna.create_study(study_name="theirs", storage=place).ask()
    for ask in (
        lambda: study.load(place, "theirs"),
        lambda: Bench(tmp_path, planned(trials=1, study="theirs")),
    ):
        with pytest.raises(ConfigError, match="is no study of `tftrain sweep`"):
            ask()


def test_the_table_and_its_json_have_the_best_first(tmp_path):
    bench = Bench(tmp_path, planned(TRIED[0], f"{UNITS}=choice(8, 16, 0)", trials=12)).work()
    lines = results.text(bench.study, "val_loss").split("\n")
    header = ["trial", "state", "val_loss", "learning_rate", "units", "epochs", "run"]
    assert lines[0].split() == header
    values = [float(line.split()[2]) for line in lines[1:13] if " complete " in line]
    assert values == sorted(values)
    assert " failed " in lines[12]
    assert lines[14].split() == ["parameter", "importance"]
    told = results.plain(bench.study, "val_loss")
    assert told["best"] == min(
        (one for one in told["trials"] if one["state"] == "complete"), key=lambda one: one["value"]
    )
    assert sum(told["importance"].values()) == pytest.approx(1)
    assert told["trials"][-1]["trial"] == 11


def test_the_best_config_keeps_the_words_of_the_first(tmp_path):
    made = planned(*TRIED, "training.epochs=7", trials=4)
    bench = Bench(tmp_path, made).work()
    winner = study.best(bench.study)
    file = best.write(bench.study, tmp_path)
    assert file == tmp_path / "digits-sweep.yaml"
    text, own = file.read_text().split("\n"), DIGITS.read_text().split("\n")
    assert text[0].startswith(f"# val_loss {winner.trial.value:.6g}: trial {winner.number} of the")
    changed = [line for line in text[1:] if line not in own]
    assert len(text[1:]) == len(own)
    assert len(changed) <= 3  # the units may be those of before
    wanted = load(DIGITS, [*made.of_trial(winner.trial.params), "name=digits"])[0]
    assert load(file)[0] == wanted
    with pytest.raises(RunError, match="is there already"):
        best.write(bench.study, tmp_path)


def test_the_best_config_names_its_files_from_anywhere(tmp_path):
    (tmp_path / "rows.csv").write_text("age,label\n" + "25,0\n30,1\n" * 10)
    path = tmp_path / "own.yaml"
    path.write_text(
        "data: {source: rows.csv, target: label}  # all there are\n"
        "model: {layers: [{Dense: {units: 1, activation: sigmoid}}]}\n"
        "training: {loss: BinaryCrossentropy, epochs: 2, batch_size: 32}\n"
    )
    (tmp_path / "elsewhere").mkdir()
    bench = Bench(tmp_path, planned("training.batch_size=choice(4)", path=path, sampler="grid"))
    bench.outcome = lambda job: Outcome(job.number, 1.0)
    file = best.write(bench.work().study, tmp_path / "elsewhere" / "best.yaml")
    text = file.read_text().replace(str(tmp_path / "rows.csv"), "rows.csv")
    assert text.split("\n")[1:] == path.read_text().replace("32", "4").split("\n")
    assert load(file, data_files=True)[0].data == load(path)[0].data


def test_check_tells_of_a_section_that_can_not_be_swept(tmp_path):
    path = tmp_path / "own.yaml"
    section = "sweep:\n  objective: val_los\n  parameters:\n    training.epoch: int(2, 5)\n"
    path.write_text(DIGITS.read_text() + section)
    lines = [str(one) for one in check(path).problems if one.severity == "error"]
    assert lines == [
        f"{path}:29:14: error[C033]: nothing called `val_los` is logged; did you mean `val_loss`?",
        f"{path}:31:21: error[C010]: unknown key `epoch` in `training`; did you mean `epochs`?",
    ]


@pytest.mark.parametrize("kind", ["extends", "default"])
def test_where_the_words_can_not_be_kept_the_best_config_has_all_values(kind, tmp_path):
    path, changes = DIGITS, TRIED
    if kind == "extends":
        path = tmp_path / "own.yaml"
        path.write_text(f"extends: {DIGITS}\nname: own\ntraining:\n  epochs: 5\n")
    else:
        changes = (TRIED[1], "training.batch_size=int(8, 64)")
    bench = Bench(tmp_path, planned(*changes, path=path, trials=3)).work()
    file = best.write(bench.study, tmp_path / "best.yaml")
    winner = study.best(bench.study).trial.params
    wanted = load(path, [f"{name}={value}" for name, value in winner.items()])[0]
    assert load(file)[0] == wanted
    assert "batch_size" in file.read_text()


@pytest.mark.usefixtures("tensorflow")
def test_a_trial_is_a_run_like_any_other_and_a_failed_one_does_not_end_the_sweep(tmp_path):
    from tftrain.fit import fit, prepare
    from tftrain.sweep import trials
    from tftrain.terminal import Silent

    path = tmp_path / "bold.yaml"
    path.write_text(
        "data: {source: diabetes, scaling: standardize}\n"
        "model: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 1}}]}\n"
        "training: {loss: MeanSquaredError, optimizer: {SGD: {learning_rate: 0.1}}, epochs: 3}\n"
    )
    made = planned(
        "training.optimizer.SGD.learning_rate=choice(1e-4, 1e3, 1e-3)", path=path, sampler="grid"
    )
    bench = Bench(tmp_path, made)
    told = []
    worker = work.Worker(
        *(made, bench.study, bench.storage, tmp_path / "runs", trials.run),
        tell=lambda outcome, _params: told.append(outcome),
        say=told.append,
    )
    worker.work()
    assert [one.state for one in study.tried(bench.study)] == ["complete", "failed", "complete"]
    assert "error[T001]: loss is not finite in epoch 1" in told[1].fault
    for outcome in (told[0], told[2]):
        summary = runs.summary_of(outcome.run)
        assert outcome.value == summary["metrics"]["validation"]["loss"]
        assert outcome.run.name.startswith("bold-sweep-")
    asked = prepare(told[0].run / runs.RESOLVED, runs_dir=tmp_path / "alone")
    alone = fit(asked, Silent()).folder
    one, other = (files.read_arrays(each / runs.WEIGHTS) for each in (told[0].run, alone))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([DIGITS, f"{UNITS}=choice(8"], "error[C032]: "),
        ([DIGITS, "seed=int(1,9)"], "--trials: error[C033]: "),
        (["--best", "digits-sweep"], "--storage 'runs/sweeps.sqlite3': error[C034]: no such file"),
        ([DIGITS, "seed=int(1,9)", "--trials", "2", "--storage", "x.log"], "error[C034]: a journ"),
        ([DIGITS, "seed=int(1,9)", "--trials", "2", "--resume"], "digits-sweep: error[C035]: no "),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_wrong_is_one_line_without_tensorflow(arguments, said, tftrain):
    code, stdout, told = tftrain("sweep", *arguments)
    assert (code, stdout) == (2, "")
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_leaves_a_study_that_goes_on(workers, tmp_path, warm_tftrain):
    sweep = ["sweep", str(DIGITS), *TRIED, "training.epochs=3", "training.callbacks=null"]
    sweep += ["--trials", "8", "--workers", str(workers)]
    command = [sys.executable, "-m", "tftrain", *sweep]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while not (tmp_path / "runs" / "digits-sweep-2" / runs.SUMMARY).exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert " running " not in stdout
    done = warm_tftrain(*sweep, "--resume", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "optuna" not in done.stderr.lower()
    trials = json.loads(done.stdout)["trials"]
    assert [one["state"] for one in trials] == ["complete"] * 8
    if workers == 1:
        done = warm_tftrain(*sweep, "--json", "--study", "whole", cwd=tmp_path)
        whole = json.loads(done.stdout)["trials"]
        assert [[one[key] for key in ("parameters", "value")] for one in trials] == [
            [one[key] for key in ("parameters", "value")] for one in whole
        ]
