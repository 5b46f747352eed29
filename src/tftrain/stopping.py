"""SIGINT, SIGTERM and a time limit in, Stopped out, at a moment when the job can bear it.

An exception that a signal's handler throws into TensorFlow's or Keras's Python can get lost there,
and one thrown between two writes can leave a run half described. While a run is open, a signal is
only noted; whoever loops asks for it between two graph calls. While TensorFlow is imported and
Keras builds, nothing is open yet: there a signal ends the process.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tftrain.errors import Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class _Request:
    number: int | None = None
    deferred: bool = False
    at_once: bool = False
    stderr: int = 2
    deadline: float = math.inf
    limit: str = ""


_request = _Request()


def listen() -> None:
    """Makes SIGINT and SIGTERM raise Stopped; a second one ends the process at once."""
    _request.stderr = os.dup(2)  # the backend leads 2 elsewhere while TensorFlow is imported
    for number in _SIGNALS:
        signal.signal(number, _receive)


def limit(span: str, seconds: float) -> None:
    """Lets `check` end the job after so many seconds from now, said as the user did."""
    _request.deadline, _request.limit = time.monotonic() + seconds, span


@contextmanager
def deferred() -> Iterator[None]:
    """In here a signal waits until somebody calls `check`."""
    before = _request.deferred
    _request.deferred = True
    try:
        yield
    finally:
        _request.deferred = before


@contextmanager
def at_once() -> Iterator[None]:
    """In here a signal ends the process, where the main thread is in code that isn't ours."""
    before = _request.at_once
    _request.at_once = before or threading.current_thread() is threading.main_thread()
    try:
        yield
    finally:
        _request.at_once = before


def check() -> None:
    """Ends the job if it was asked to end.

    Raises:
        Stopped: when a signal has come, or the time is over.
    """
    if _request.number is not None:
        raise Stopped.by(_request.number)
    if time.monotonic() > _request.deadline:
        raise Stopped(f"the time limit of {_request.limit}", 0)


def _receive(number: int, _frame: object) -> None:
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_DFL)
    _request.number = number
    if _request.deferred:
        return
    stopped = Stopped.by(number)
    if _request.at_once:
        os.write(_request.stderr, f"{stopped}\n".encode())
        os._exit(stopped.exit_code)
    raise stopped
