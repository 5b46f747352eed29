"""One TensorFlow a process, imported as tftrain imports it; where real data lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
