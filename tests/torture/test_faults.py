"""Short forms of the scripts beside this: a run survives what is done to it, or says so."""

from __future__ import annotations

import sys

import bytes as torn
import claims
import disk
import kill
import pytest
import repeat
import signals
import syscalls
import workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        sys.platform != "linux", reason="signals, mounts and strace as Linux has them"
    ),
]


def test_a_run_that_is_killed_goes_on_to_the_same_end():
    assert kill.main(30, warm=True)


def test_a_write_leaves_the_old_file_or_the_new_one():
    if reason := syscalls.available():
        pytest.skip(reason)
    assert syscalls.main(4)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_same_config_and_seed_make_the_same_run(threads):
    assert repeat.main(("fragile.yaml",), (threads,))


def test_a_changed_byte_is_found():
    assert torn.main(100)


def test_claims_and_locks():
    assert claims.main(200, together=3)


def test_signals():
    assert signals.main(5)


def test_storage_that_fails():
    assert disk.main(2)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_workers_of_one_study(kind):
    pytest.importorskip("optuna")
    if kind == "postgresql" and not workers.programs():
        pytest.skip("PostgreSQL is not installed")
    assert workers.main(1, kind)
