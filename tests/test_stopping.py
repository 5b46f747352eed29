"""Signals: heard at once where nothing is open, and where a run is open when somebody asks."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tftrain import stopping
from tftrain.errors import Stopped


@pytest.fixture(autouse=True)
def _listening(monkeypatch):
    monkeypatch.setattr(stopping, "_request", stopping._Request())  # noqa: SLF001 - each test its own
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stopping.listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_heard_at_once(number, code):
    with pytest.raises(Stopped, match=f"stopped by {number.name}") as raised:
        signal.raise_signal(number)
    assert raised.value.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_a_run_is_open_it_waits_until_somebody_asks(number):
    with stopping.deferred():
        stopping.check()
        signal.raise_signal(number)  # would raise, if it didn't wait
        with pytest.raises(Stopped):
            stopping.check()


def test_one_that_got_lost_is_found_by_the_next_who_asks():
    with contextlib.suppress(Stopped):  # as code does that takes any exception for its own
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped):
        stopping.check()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_of_either_kind_is_the_systems(first):
    with stopping.deferred():
        signal.raise_signal(first)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_without_a_signal_nothing_happens():
    with stopping.deferred():
        stopping.check()
    stopping.check()


ASKED = """
import os, signal, sys
from tftrain import stopping
stopping.listen()
with stopping.at_once():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # as while TensorFlow is imported
    try:
        signal.raise_signal(signal.{name})
    except Exception:  # as Keras takes any exception for its own
        pass
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_in_code_that_is_not_ours_it_ends_the_process_with_one_line(name, code):
    command = [sys.executable, "-c", ASKED.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, f"stopped by {name}\n")


def test_another_thread_in_such_code_changes_nothing_for_the_main_one():
    with ThreadPoolExecutor(1) as other:
        within, over = threading.Event(), threading.Event()

        def load():
            with stopping.at_once():
                within.set()
                over.wait()

        done = other.submit(load)
        within.wait()
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        over.set()
        done.result()
