"""Commands of `tftrain` in, their processes out: forked where TensorFlow is imported already.

The import is most of what a command costs. One process imports, waits with a single thread, and
forks for whoever calls the program that it made; that program hands over its arguments,
folder, environment and streams, and ends as the fork ends. Killed, it takes the fork with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

IMPORTED = ("tftrain.cli", "tftrain.fit", "tftrain.evaluate", "tftrain.assess", "sklearn.datasets")
CALLER = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = [sys.argv[1:], os.getcwd(), dict(os.environ)]
socket.send_fds(server, [b"!"], [0, 1, 2])
server.sendall(json.dumps(asked).encode() + b"\\n")
sys.exit(int(server.makefile().readline()))
"""


@contextmanager
def programs(folder: Path) -> Iterator[Path]:
    """A folder with the program `tftrain` in it, which works as long as this is entered."""
    address = folder / "socket"
    program = folder / "bin" / "tftrain"
    program.parent.mkdir()
    program.write_text(CALLER.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        command = [sys.executable, __file__, str(listening.fileno())]
        server = subprocess.Popen(
            command, env=one_thread, stdin=subprocess.PIPE, pass_fds=[listening.fileno()]
        )
    try:
        yield program.parent
    finally:
        server.communicate()  # its stdin ends, also when this process is killed


def serve(listening: socket.socket) -> None:
    """Forks for one caller after another, and tells each how its fork ended; until stdin ends."""
    for name in IMPORTED:
        import_module(name)
    threads = list(Path("/proc/self/task").iterdir())
    assert len(threads) == 1, "a fork has one thread, but the locks of all"
    forks: dict[socket.socket, tuple[int, int]] = {}
    ready: list[object] = []
    while 0 not in ready:
        watched = [0, listening, *forks, *(ending for _, ending in forks.values())]
        ready, _, _ = select.select(watched, [], [])
        for caller, (process, ending) in list(forks.items()):
            if ending in ready or caller in ready:  # the caller says no more: it was killed
                if ending not in ready:
                    os.kill(process, signal.SIGKILL)
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                end(caller, code)
                os.close(ending)
                del forks[caller]
        if listening in ready:
            caller, _ = listening.accept()
            process = fork(caller)
            forks[caller] = process, os.pidfd_open(process)


def end(caller: socket.socket, code: int) -> None:
    """Tells a caller, if it still listens, the code it is to exit with."""
    with suppress(OSError):
        caller.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
    caller.close()


def fork(caller: socket.socket) -> int:
    """The process of a fork that becomes what a caller asks for."""
    _, streams, _, _ = socket.recv_fds(caller, 1, 3)
    asked = json.loads(caller.makefile().readline())
    process = os.fork()
    if not process:
        try:
            become(*asked, streams)
        finally:
            os._exit(70)
    for stream in streams:
        os.close(stream)
    return process


def become(
    arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]
) -> None:
    """Runs the command line with a caller's arguments, folder, environment and streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["tftrain", *arguments]
    from tftrain.__main__ import main

    main()


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as waiting:
        serve(waiting)
