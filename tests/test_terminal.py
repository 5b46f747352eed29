"""What a person reads: a bar on a terminal, a line an epoch elsewhere, tables of results."""

from __future__ import annotations

import io
import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tftrain import terminal

LOGS = {"loss": 0.25, "accuracy": 0.5, "[red]": 1.0, "val_loss": 0.75, "val_accuracy": 1e-9}


def epoch(number, **logs):
    return SimpleNamespace(number=number, logs=logs or LOGS)


@pytest.fixture
def bar(monkeypatch):
    """A bar, and what it draws on a terminal of a given width."""

    def drawn(width, *, quick=False):
        screen = io.StringIO()
        shown = terminal.Bar()
        shown._console = Console(file=screen, force_terminal=True, width=width, color_system=None)  # noqa: SLF001 - a terminal of our own
        shown.begin(100)
        shown.say("[bold] must see every batch")
        shown.advance(1.5)
        if not quick:
            shown.epoch(epoch(3))
        shown.end()
        return screen.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    return drawn


def test_the_bar_shows_epoch_and_losses_first_on_a_narrow_terminal(bar):
    line = bar(80).split("\n")[-2]
    assert "epoch 3/100 " in line
    assert "loss 0.2500  val_loss 0.7500  acc" in line
    assert max(map(len, bar(80).replace("\r", "\n").split("\n"))) <= 100  # with codes that move it


def test_the_bar_shows_everything_where_there_is_room(bar):
    assert "accuracy 0.5000  [red] 1.0000  val_accuracy 1.000e-09" in bar(200)
    assert "[bold] must see every batch" in bar(200)


def test_the_bar_fills_within_an_epoch(bar):
    assert "epoch 0/100 " in bar(80, quick=True)


def test_elsewhere_an_epoch_is_a_line(capsys):
    lines = terminal.Lines()
    lines.begin(100)
    lines.epoch(epoch(3, loss=0.5, val_loss=math.nan))
    lines.advance(4.5)
    lines.say("said")
    lines.end()
    told = capsys.readouterr()
    assert told.err == "epoch   3/100  loss 0.5000  val_loss nan\nsaid\n"
    assert told.out == ""


def test_quiet_says_nothing(capsys):
    silent = terminal.progress(quiet=True)
    silent.begin(1)
    silent.advance(0.5)
    silent.epoch(epoch(1))
    silent.say("x")
    silent.end()
    assert capsys.readouterr() == ("", "")


def test_what_is_no_terminal_gets_lines(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert type(terminal.progress(quiet=False)) is terminal.Lines


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0.0000"),
        (0.98611, "0.9861"),
        (-1.5, "-1.5000"),
        (12345.678, "12345.7"),
        (2859.04, "2859.0"),
        (0.00012345, "1.234e-04"),
        (1e300, "1.000e+300"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_shown_with_the_digits_that_count(value, shown):
    assert terminal.number(value) == shown


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(st.floats(-1e300, 1e300) | st.floats(-1, 1))
def test_a_number_shown_is_near_the_number(value):
    shown = terminal.number(value)
    assert len(shown) <= 11
    assert float(shown) == pytest.approx(value, rel=6e-4, abs=5.1e-5 if abs(value) >= 1e-3 else 0)


def test_tables_line_up():
    metrics = {"train": {"loss": 0.5, "auc": 1.0}, "test": {"loss": None}}
    assert terminal.metrics_table(metrics) == (
        "       train  test\nloss  0.5000     -\nauc   1.0000     -"
    )
