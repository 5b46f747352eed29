"""The checks that everyone runs by one command: in order, and no further than the first failure."""

from __future__ import annotations

import runpy
import sys

import pytest

from conftest import ROOT

FAILS = (sys.executable, "-c", "raise SystemExit(3)")
PASSES = (sys.executable, "-c", "pass")


@pytest.fixture
def check(monkeypatch):
    """The script's names, nothing run."""
    names = runpy.run_path(str(ROOT / ".ci" / "check.py"))
    globals_ = names["main"].__globals__
    monkeypatch.setitem(globals_, "SMOKE_RUN", PASSES)
    return globals_


def test_every_check_runs_and_is_timed(check, capfd, monkeypatch):
    monkeypatch.setitem(check, "CHECKS", {"one": PASSES, "two": PASSES})
    assert check["main"]() == 0
    told = capfd.readouterr().out
    ends = ["=== one: ok, ", "=== two: ok, ", "=== smoke run: ok, ", "All checks passed."]
    places = [told.index(end) for end in ends]
    assert places == sorted(places)


def test_the_first_failure_ends_it_with_its_exit_code(check, capfd, monkeypatch):
    monkeypatch.setitem(check, "CHECKS", {"one": FAILS, "two": PASSES})
    assert check["main"]() == 3
    told = capfd.readouterr().out
    assert "=== one: FAILED with exit code 3, " in told
    assert "two" not in told


def test_a_wrong_config_fails_the_hook(capsys, monkeypatch):
    main = runpy.run_path(str(ROOT / ".ci" / "check_configs.py"))["main"]
    good = sorted(map(str, (ROOT / "configs").glob("*.yaml")))
    monkeypatch.setattr(sys, "argv", ["check_configs.py", *good])
    assert main() == 0
    bad = str(ROOT / "tests" / "configs" / "bad" / "unknown_key.yaml")
    monkeypatch.setattr(sys, "argv", ["check_configs.py", bad, *good])
    assert main() == 1
    assert "unknown_key.yaml:" in capsys.readouterr().out
