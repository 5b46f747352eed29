"""The long form of every script here, one after another; the shortest first.

python tests/torture/all.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

NAMES = ("bytes", "syscalls", "claims", "repeat", "cost", "disk", "signals", "kill", "workers")


def main() -> bool:
    good = True
    for name in NAMES:
        begun = time.perf_counter()
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py"))]
        good &= subprocess.run(command, check=False).returncode == 0
        print(f"  {time.perf_counter() - begun:.0f} s\n", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(not main())
