"""Commands that train nothing: quick, without TensorFlow, and never with a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from conftest import ROOT

DIGITS = ROOT / "configs" / "digits.yaml"
BAD = ROOT / "tests" / "configs" / "bad"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "One YAML file in"),
        (["--version"], "tftrain "),
        (["fit", "--help"], "--runs-dir"),
        (["sweep", "--help"], "--workers"),
        (["runs"], "best epoch"),
        (["runs", "--json"], "[]"),
        (["cache", "--clear"], "0 removed, 0 bytes"),
        (["cache", "--older-than", "30d"], "0 removed, 0 bytes"),
    ],
)
def test_light_commands_load_nothing_heavy(arguments, shown, tftrain, tmp_path, monkeypatch):
    monkeypatch.setenv("TFTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    code, stdout, said = tftrain(*arguments)
    assert code == 0
    assert said == ("no runs in runs\n" if arguments[0] == "runs" else "")
    assert shown in stdout
    assert list(tmp_path.iterdir()) == []


def test_kept_rows_are_listed_also_beside_what_is_damaged(tftrain, tmp_path, monkeypatch):
    monkeypatch.setenv("TFTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    code, stdout, said = tftrain("cache")
    assert (code, said) == (0, f"nothing in {tmp_path / 'cache' / 'prepared'}\n")
    manifests = {
        "whole": '{"source": "big.csv", "rows": 2000000}',
        "odd": '{"source": "x", "rows": "many"}',
        "none": "",
        "deep": "[" * 100_000,
    }
    for name, content in manifests.items():
        folder = tmp_path / "cache" / "prepared" / name
        folder.mkdir(parents=True)
        (folder / "entry.json").write_text(f"sum\n{content}")
    code, stdout, said = tftrain("cache")
    assert (code, said) == (0, "")
    listed = [line.split()[:3] for line in stdout.splitlines()]
    assert listed == [
        ["source", "rows", "size"],
        ["big.csv", "2,000,000", "42"],
        ["all", "42", "bytes"],
    ]
    code, stdout, said = tftrain("cache", "--clear")
    assert (code, stdout, said) == (0, "1 removed, 42 bytes\n", "")
    assert list((tmp_path / "cache" / "prepared").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fitt"],
        ["fit"],
        ["fit", DIGITS, "--epochs", "3"],
        ["fit", DIGITS, "--require"],
        ["predict", "run"],
        ["predict", "run", "x.npy"],
        ["runs", "--json=yes"],
        ["cache", "--older-than", "30"],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:1] + arguments[2:])),
)
def test_wrong_usage_exits_with_2(arguments, tftrain):
    code, stdout, said = tftrain(*arguments)
    assert code == 2
    assert stdout + said


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", DIGITS, "--json", "--format", "github"],
        ["eval", "run", "--split", "train", "--data", "x.csv"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_options_that_exclude_each_other_are_told(arguments, tftrain):
    code, stdout, said = tftrain(*arguments)
    assert (code, stdout) == (2, "")
    assert f"Invalid value for '{arguments[2]}': not with --" in said


@pytest.mark.parametrize("name", ["several", "missing_file", "too_many_classes_for_loss", "alias"])
def test_a_bad_config_is_told_and_counted(name, tftrain, tmp_path):
    expected = (BAD / "expected.txt").read_text("utf-8")
    lines = [line for line in expected.split("\n") if line.startswith(f"{name}.yaml:")]
    code, stdout, said = tftrain("fit", BAD / f"{name}.yaml")
    assert (code, stdout) == (2, "")
    count = [f"{len(lines)} errors"] if len(lines) > 1 else []
    assert said.replace(f"{BAD}{os.sep}", "").split("\n") == [*lines, *count, ""]
    assert list(tmp_path.iterdir()) == []  # and no run begun


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "gone.yaml"], "gone.yaml: error[C007]: no such file\n"),
        (
            ["fit", DIGITS, "epochs=5"],
            "override 'epochs=5': error[C010]: unknown key `epochs`; did",
        ),
        (["fit", DIGITS, "seed=x"], "override 'seed=x': error[C012]: `seed`: expected a whole"),
        (
            ["fit", DIGITS, "--name", "../x"],
            "override 'name=\"../x\"': error[C013]: `name`: expect",
        ),
        (["fit", DIGITS, "--require", "auc>x"], "--require 'auc>x': error[C030]: expected METRIC>"),
        (["fit", DIGITS, "--runs-dir", DIGITS], f"{DIGITS}: error[R003]: can't be written: File"),
        (["fit", DIGITS, "data.source=no.npz"], "override 'data.source=no.npz': error[D001]: "),
        (["fit", "a" * 300 + ".yaml"], f"{'a' * 300}.yaml: error[C007]: can't be read: File name"),
        (["eval"], "runs: error[R001]: no finished run here; `tftrain fit CONFIG` makes one\n"),
        (["eval", "digits-1"], "runs/digits-1: error[R001]: no such run\n"),
        (["predict", "digits-1", "x.npy", "-o", "y.csv"], "runs/digits-1: error[R001]: no such"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_errors_are_one_line_and_exit_with_2(arguments, said, tftrain):
    code, stdout, told = tftrain(*arguments)
    assert (code, stdout) == (2, "")
    assert told.startswith(said)
    assert told.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_whoever_stops_reading_gets_no_traceback(tmp_path):
    command = f"{sys.executable} -m tftrain init; echo $? >&2"
    shell = ["bash", "-c", f"{{ sleep 0.1; {command}; }} | true"]
    done = subprocess.run(
        shell, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "141\n"


@pytest.mark.skipif(os.name == "nt", reason="shells are POSIX's")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (f"check {DIGITS} >&-", 0, ""),
        (f"check {DIGITS} >&- 2>&-", 0, ""),
        ("init >&-", 0, ""),
        ("fit gone.yaml 2>&-", 2, ""),
        ("fit gone.yaml <&- >&-", 2, "gone.yaml: error[C007]: no such file\n"),
    ],
)
def test_a_closed_stream_is_no_fault(command, code, said, tmp_path):
    shell = ["bash", "-c", f"{sys.executable} -m tftrain {command}"]
    done = subprocess.run(
        shell, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("module", ["tftrain.stopping", "tftrain.errors", "difflib", "tftrain.cli"])
def test_a_signal_while_modules_are_imported_leaves_no_traceback(module, tmp_path):
    interrupted = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from tftrain.__main__ import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", interrupted, "runs"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in done.stderr


def test_runs_are_listed_also_beside_damaged_ones(tftrain, tmp_path):
    contents = {
        "a-1": '{"state": "finished", "started": "2026-01-01", "metrics": {"test": {"loss": 1}}}',
        "a-2": "{",
        "a-3": '{"state": 5, "metrics": [], "rows": null, "seconds": "long", "started": {}}',
        "a-4": "[" * 100_000,
    }
    for name, content in contents.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "summary.json").write_text(content)
    code, stdout, said = tftrain("runs", "--json")
    assert (code, said) == (0, "")
    assert [run["run"] for run in json.loads(stdout)] == ["runs/a-1"]
    code, stdout, said = tftrain("runs")
    assert (code, said) == (0, "")
    assert "a-1" in stdout
