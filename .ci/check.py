"""Runs every check of the project, one after another, and stops at the first that fails.

    python .ci/check.py

It needs nothing but the Python that the project is installed in; it exits with 0, or with the exit
code of the check that failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (sys.executable, "-m")
LINT_IMPORTS = str(Path(sys.executable).with_name("lint-imports"))
PARALLEL = ("-n", "auto", "--dist", "worksteal")  # most tests wait for one process after another
SMOKE_RUN = (*PYTHON, "tftrain", "fit", "configs/digits.yaml", "--smoke", "--runs-dir")
CHECKS = {
    "format": (*PYTHON, "ruff", "format", "--check", "."),
    "lint": (*PYTHON, "ruff", "check", "."),
    "types": (*PYTHON, "mypy"),
    "imports": (LINT_IMPORTS, "--no-logo"),
    "tests": (*PYTHON, "pytest", *PARALLEL, "--durations=20"),
}


def main() -> int:
    """Runs the checks; returns the exit code of the first that fails, or 0."""
    with tempfile.TemporaryDirectory() as runs_dir:
        for name, command in {**CHECKS, "smoke run": (*SMOKE_RUN, runs_dir)}.items():
            code = run(name, command)
            if code:
                return code
    print("\nAll checks passed.")
    return 0


def run(name: str, command: tuple[str, ...]) -> int:
    """Runs one check in the project's folder, says how long it took, and returns its exit code."""
    print(f"\n=== {name}: {' '.join([Path(command[0]).name, *command[1:]])}", flush=True)
    started = time.perf_counter()
    code = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    outcome = f"FAILED with exit code {code}" if code else "ok"
    print(f"=== {name}: {outcome}, {time.perf_counter() - started:.1f} s", flush=True)
    return code


def environment() -> dict[str, str]:
    """The environment of this Python: its own programs come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}


if __name__ == "__main__":
    sys.exit(main())
