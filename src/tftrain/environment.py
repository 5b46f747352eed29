"""This machine and this process in, what a run depends on besides its config and its data out."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tftrain import __version__

Git = Future[dict[str, Any] | None]
_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S*@")
_PARAMETER = re.compile(r"(\b(?:ssl)?passw(?:or)?d=)[^&\s]+", re.IGNORECASE)


def ask_git() -> Git:
    """Asks, in the background, for the current folder's commit and whether it is changed.

    Returns:
        Soon `{"commit": ..., "dirty": ...}`, or None where there is no git or no repository.
    """
    executor = ThreadPoolExecutor(1)
    answer = executor.submit(_git)
    executor.shutdown(wait=False)
    return answer


def _git() -> dict[str, Any] | None:
    """Also where a stranger's repository names a program that git is to run for its status."""
    status = ["status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    command = ["git", "-c", "core.fsmonitor=false", *status]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, text=True, errors="replace", timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
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
        "command": shlex.join(map(without_passwords, sys.argv)),
    }


def without_passwords(text: str) -> str:
    """The text, in its URLs `***` for each password."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))
