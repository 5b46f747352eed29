"""`tftrain compare`: figures side by side, paired tests on the same rows, what differs besides."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from conftest import ROOT
from tftrain import comparison, files, runs
from tftrain.errors import RunError

OLD = ROOT / "tests" / "runs" / "0.1.0" / "digits-1"


@pytest.fixture
def two(tmp_path):
    """A run, and a copy whose predictions are nearly all right, of another config and machine."""
    folder = tmp_path / "runs"
    shutil.copytree(OLD, folder / "one-1")
    other = shutil.copytree(OLD, folder / "two-1")
    change(other, "test/outputs", better)
    resolved = other / runs.RESOLVED
    resolved.write_text(resolved.read_text().replace("epochs: 3", "epochs: 4"))
    environment = other / runs.ENVIRONMENT
    environment.write_text(environment.read_text().replace("3.11.7", "3.12.0"))
    return folder


def change(folder, name, make):
    arrays = files.read_arrays(folder / runs.PREDICTIONS)
    arrays[name] = make(arrays)
    files.write_arrays(folder / runs.PREDICTIONS, arrays)


def better(arrays):
    made = np.where(arrays["test/labels"] == 1, 0.9, 0.1).astype(np.float32)
    made[:2] = 1 - made[:2]
    return made


def test_runs_are_held_against_the_first(two):
    found = comparison.compare(two, ["one-1", "two-1"])
    assert found.runs == ("one-1", "two-1")
    values = [one.value for one in found.metrics["accuracy"]]
    assert values == pytest.approx([50 / 72, 70 / 72])
    (test,) = found.tests
    assert test.run == "two-1"
    assert test.verdict.words.startswith("beats one-1 by 0.278 ± ")
    assert test.verdict.outcome == "better"
    right = [np.load(two / name / runs.PREDICTIONS) for name in found.runs]
    ours, theirs = ((one["test/outputs"] > 0.5) == one["test/labels"] for one in right)
    from scipy.stats import binomtest

    won, lost = (theirs & ~ours).sum(), (ours & ~theirs).sum()
    assert test.p_value == pytest.approx(binomtest(int(won), int(won + lost)).pvalue)


def test_what_differs_besides_is_told(two):
    found = comparison.compare(two, ["one-1", "two-1"])
    assert found.config == {"training.epochs": ("3", "4")}
    assert found.environment == {"python": ('"3.11.7"', '"3.12.0"')}
    assert found.notes == ()


def test_other_rows_are_not_paired(two):
    change(two / "two-1", "test/rows", lambda arrays: arrays["test/rows"] + 1)
    found = comparison.compare(two, ["one-1", "two-1"])
    assert found.tests == ()
    assert found.notes == ("two-1 was not scored on the same rows as one-1: no paired test",)
    assert found.metrics["accuracy"][1].value == pytest.approx(70 / 72)


@pytest.mark.slow
def test_the_command_prints_tables_or_json(two, tftrain):
    code, out, said = tftrain("compare", "one-1", "two-1", "one-1")
    assert (code, said) == (0, "")
    assert "2. runs/two-1: beats 1. runs/one-1 by 0.278 ± " in out
    assert "no row tells it from 1. runs/one-1 in accuracy; McNemar's p 1\n" in out
    assert ["training.epochs", "3", "4", "3"] in [line.split() for line in out.splitlines()]
    code, out, _ = tftrain("compare", two / "one-1", "two-1", "--json", "--split", "validation")
    found = json.loads(out)
    assert (code, found["split"]) == (0, "validation")
    assert set(found) == {"split", "runs", "metrics", "tests", "config", "environment", "notes"}


@pytest.mark.parametrize(
    ("names", "split", "said"),
    [
        (["one-1", "too-1"], "test", "error[R001]: no such run; did you mean `two-1`?"),
        (["one-1", "two-1"], "tets", "runs keep no predictions of `tets`; did you mean `test`?"),
        (["one-1", "two-1"], "train", "runs keep no predictions of `train`; expected validation"),
    ],
)
def test_what_is_wrong_is_told(two, names, split, said):
    with pytest.raises(RunError) as raised:
        comparison.compare(two, names, split)
    assert said in str(raised.value)


def test_a_run_without_predictions_is_told(two):
    (two / "two-1" / runs.PREDICTIONS).unlink()
    with pytest.raises(RunError) as raised:
        comparison.compare(two, ["one-1", "two-1"])
    expected = "it kept no predictions of test rows: predictions.npz holds them"
    assert str(raised.value) == f"{two / 'two-1'}: error[R001]: {expected}"


def test_one_run_is_no_comparison(tftrain):
    code, out, said = tftrain("compare", "one-1")
    assert (code, out) == (2, "")
    assert "expected two runs at least" in said
