"""Where the program begins and ends: errors become messages and exit codes here, once."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tftrain.errors import TftrainError

BUG = 70


def main() -> None:
    """Runs the command line.

    Exit codes: 0 done; 1 a requirement was not met; 2 wrong usage, config or data; 3 training
    could not go on; 130 and 143 stopped by SIGINT and SIGTERM; 70 a bug, with its traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # at once and in silence, while much is imported
    _open_streams()
    from tftrain import stopping

    stopping.listen()
    _exit(_run())


def _open_streams() -> None:
    """Lets a stream that the caller closed lead nowhere: else the next file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _run() -> int:
    from tftrain.errors import Stopped, TftrainError

    try:
        from tftrain.cli import app  # here, so that a signal while it is imported is heard

        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except TftrainError as error:
        for line in _lines(error):
            _say(line)
        if len(error.problems) > 1:
            _say(f"{len(error.problems)} errors")
        return error.exit_code
    except Stopped as stopped:
        _say(str(stopped))
        return stopped.exit_code
    except Exception:  # noqa: BLE001 - a bug: told whole, with the code that says so
        import traceback

        traceback.print_exc()
        return BUG
    return 0


def _lines(error: TftrainError) -> list[str]:
    try:
        from tftrain import findings
    except OSError:  # no handle is left to read it with
        return [str(problem) for problem in error.problems]
    return list(findings.text(error.problems, excerpts=sys.stderr.isatty()))


def _say(line: str) -> None:
    import contextlib

    with contextlib.suppress(BrokenPipeError):  # the exit code says enough
        print(line, file=sys.stderr)  # noqa: T201 - errors go to stderr


def _exit(code: int) -> None:
    """Leaves; with TensorFlow, or half of it, without taking it apart first: nothing waits."""
    if "tftrain.backend" not in sys.modules:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
