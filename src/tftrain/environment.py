"""This machine and this process in, what a run depends on besides its config and its data out."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tftrain import __version__

Git = Future[dict[str, Any] | None]


def ask_git() -> Git:
    """Asks, in the background, for the current folder's commit and whether it is changed.

    Returns:
        Soon `{"commit": ..., "dirty": ...}`, or None where there is no git or no repository.
    """
    with_one_thread = ThreadPoolExecutor(1)
    answer = with_one_thread.submit(_git)
    with_one_thread.shutdown(wait=False)
    return answer


def _git() -> dict[str, Any] | None:
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.CalledProcessError):
        return None
    lines = done.stdout.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    return {"commit": commits[0], "dirty": any(not line.startswith("#") for line in lines)}


def cores() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def describe(versions: dict[str, str], threads: int | None, git: Git) -> dict[str, Any]:
    """What `environment.json` holds.

    Args:
        versions: of TensorFlow, Keras and NumPy.
        threads: TensorFlow's, of one operation.
        git: as asked when the job began.
    """
    return {
        "tftrain": __version__,
        "python": platform.python_version(),
        **versions,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0",
        "git": git.result(),
        "command": shlex.join(sys.argv),
    }
