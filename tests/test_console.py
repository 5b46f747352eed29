"""How the command line is read: `--resume` with and without its run, configs and changes."""

from __future__ import annotations

import os

import pytest
import typer
from typer.testing import CliRunner

from conftest import ROOT
from tftrain import console
from tftrain.cli import app
from tftrain.errors import ConfigError, Stopped

DIGITS = ROOT / "configs" / "digits.yaml"
FIT = typer.main.get_command(app).commands["fit"]


def read(*arguments):
    """The run, whether the newest is meant, and what else is given."""
    params = FIT.make_context("fit", [*arguments]).params
    return params["resume"], params["newest"], list(params["arguments"])


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["a.yaml"], (None, False, ["a.yaml"])),
        (["--resume"], (None, True, [])),
        (["a.yaml", "--resume"], (None, True, ["a.yaml"])),
        (["--resume", "a.yaml"], (None, True, ["a.yaml"])),
        (["--resume", "a.yml", "x=1"], (None, True, ["a.yml", "x=1"])),
        (
            ["a.yaml", "--resume", "training.epochs=5"],
            (None, True, ["a.yaml", "training.epochs=5"]),
        ),
        (["a.yaml", "--resume", "--quiet"], (None, True, ["a.yaml"])),
        (["--resume", "t-1"], ("t-1", False, [])),
        (["--resume", "t-1", "a.yaml", "x=1"], ("t-1", False, ["a.yaml", "x=1"])),
        (["a.yaml", "--resume", "t-1", "x=1"], ("t-1", False, ["a.yaml", "x=1"])),
        (["--resume=t-1", "x=1"], ("t-1", False, ["x=1"])),
        (["--resume=a.yaml"], ("a.yaml", False, [])),
        (["--resume", ""], ("", False, [])),
        (["--resume="], ("", False, [])),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_resume_stands_with_its_run_or_without(arguments, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(*arguments) == found


def test_a_folder_is_a_run_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("lr=0.1/t-1", "runs/a=b-1", "other/c.yaml"):
        (tmp_path / folder).mkdir(parents=True)
    assert read("--resume", "lr=0.1/t-1") == ("lr=0.1/t-1", False, [])
    assert read("--resume", "a=b-1", "x=1") == ("a=b-1", False, ["x=1"])
    assert read("--resume", "c.yaml") == (None, True, ["c.yaml"])
    for option in (["--runs-dir", "other"], ["--runs-dir=other"]):
        assert read("--resume", "c.yaml", *option) == ("c.yaml", False, [])
    monkeypatch.setenv("TFTRAIN_RUNS_DIR", "other")
    assert read("--resume", "c.yaml") == ("c.yaml", False, [])


@pytest.mark.skipif(os.name == "nt", reason="quotes are POSIX's")
@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "my runs/t-1", "--resume"],
        ["fit", "t-1", "--resume", "t-1", "--runs-dir", "my runs"],
        ["doctor", "my runs/t-1"],
        ["check", DIGITS, "my runs/t-1"],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_a_run_in_place_of_a_config_is_told_what_to_write(arguments, tftrain, tmp_path):
    folder = tmp_path / "my runs" / "t-1"
    folder.mkdir(parents=True)
    (folder / "summary.json").touch()
    code, stdout, said = tftrain(*arguments)
    assert (code, stdout) == (2, "")
    assert said == (
        f"{next(one for one in arguments if str(one).endswith('t-1'))}: error[C007]: is a run: "
        "`tftrain fit --resume 'my runs/t-1'` goes on with it, and its config is "
        "my runs/t-1/config.resolved.yaml\n"
    )


def test_a_file_is_a_config_though_a_run_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "t-1"
    folder.mkdir(parents=True)
    (folder / "summary.json").touch()
    with pytest.raises(ConfigError, match="is a run: "):
        console.configs(["t-1"])
    (tmp_path / "t-1").touch()
    assert console.configs(["t-1", "x=1"]) == ([console.Path("t-1")], ["x=1"])


@pytest.mark.parametrize(("require", "code"), [([], 0), (["--require", "accuracy>=0.9"], 1)])
def test_a_time_limit_while_data_are_read_leaves_no_run(require, code, tmp_path, monkeypatch):
    def late(*_, **__):
        raise Stopped("the time limit of 1s", 0)

    monkeypatch.setattr("tftrain.prepare.data.load", late)
    done = CliRunner().invoke(app, ["fit", str(DIGITS), "--runs-dir", str(tmp_path), *require])
    said = ["stopped by the time limit of 1s", *(f"not measured: {one}" for one in require[1:])]
    assert (done.exit_code, done.stdout, done.stderr.splitlines()) == (code, "", said)


def test_a_span_without_its_unit_is_quoted(tftrain):
    code, stdout, said = tftrain("fit", DIGITS, "--time-limit", "90")
    assert (code, stdout) == (2, "")
    assert "'--time-limit': expected a number and s, m, h, d or w: 30m; got `90`" in said
