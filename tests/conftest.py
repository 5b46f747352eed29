"""What several tests need: one TensorFlow a process, the command line, where real data lie."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import warm
from tftrain import config
from tftrain.errors import ConfigError

ROOT = Path(__file__).parents[1]
MODULES = {  # of Keras, by the kind of what they hold
    "layer": "layers",
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "loss": "losses",
    "metric": "metrics",
    "optimizer": "optimizers",
    "schedule": "optimizers.schedules",
    "callback": "callbacks",
}
WATCHED = """
import atexit, sys
heavy = {"tensorflow", "keras", "jax", "torch"}
light = {"--help", "--version", "runs", "check", "cache"}
if light & set(sys.argv) and "--data" not in sys.argv:
    heavy.add("numpy")
atexit.register(lambda: print("imported", sorted(heavy & set(sys.modules)), file=sys.stderr))
sys.argv[0] = "tftrain"
from tftrain.__main__ import main
main()
"""


def faults(path, *overrides):
    """What loading a config says, line by line."""
    with pytest.raises(ConfigError) as raised:
        config.load(path, overrides)
    return str(raised.value).split("\n")


@pytest.fixture(scope="session")
def configs() -> Path:
    return ROOT / "configs"


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("TFTRAIN_TEST_DATA")
    if not folder:
        pytest.skip("TFTRAIN_TEST_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """TensorFlow in the state that repeats itself; for tests that train in this process."""
    from tftrain import backend

    backend.start(seed=0, threads=2)


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """The folder of a `tftrain` that need not import TensorFlow, where such can be; see warm.py."""
    if not sys.platform.startswith("linux"):
        yield Path(sys.executable).parent
        return
    with warm.programs(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture(scope="session")
def warm_tftrain(programs):
    """Runs the command line in a process of its own, all of whose output it returns."""

    def run(*arguments, **options):
        command = [programs / "tftrain", *map(str, arguments)]
        options = {"text": True, "timeout": 120} | options
        return subprocess.run(command, capture_output=True, check=False, **options)

    return run


@pytest.fixture
def tftrain(tmp_path):
    """Runs the command line; returns its exit code, stdout and what it said on stderr."""

    def run(*arguments):
        command = [sys.executable, "-c", WATCHED, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        said, _, imported = done.stderr.rpartition("imported ")
        assert imported == "[]\n"
        assert "Traceback" not in said
        return done.returncode, done.stdout, said

    return run
