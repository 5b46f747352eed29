"""One config for each fault under configs/bad: what a user reads, whole, against expected.txt.

Those that extend others find them in configs/bad/bases.

`TFTRAIN_WRITE_EXPECTED=1 pytest tests/test_bad_configs.py` writes expected.txt anew. Read every
changed line as a user would before it is kept: is it clear what to change, and where?
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tftrain import config, data
from tftrain.errors import TftrainError

FOLDER = Path(__file__).parent / "configs" / "bad"
EXPECTED = FOLDER / "expected.txt"
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))
LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): error\[[CDK]\d{3}\]: \S.*")


def messages(name):
    """What loading the config and its data says, paths counted from the folder."""
    with pytest.raises(TftrainError) as raised:
        data.load(*config.load(Path(name)))
    assert raised.value.exit_code == 2
    return str(raised.value).replace(f"{FOLDER}{os.sep}", "").replace("bases\\", "bases/")


@pytest.fixture(scope="session")
def expected():
    """The messages by config's name."""
    if os.environ.get("TFTRAIN_WRITE_EXPECTED"):
        before = Path.cwd()
        os.chdir(FOLDER)
        EXPECTED.write_text("\n".join(f"{messages(name)}\n" for name in NAMES), "utf-8")
        os.chdir(before)
    blocks = EXPECTED.read_text("utf-8").removesuffix("\n").split("\n\n")
    return {block.partition(":")[0]: block for block in blocks}


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_told_where_it_stands(name, expected, monkeypatch):
    monkeypatch.chdir(FOLDER)
    told = messages(name)
    assert told == expected[name]
    for message in told.split("\n"):
        found = LINE.fullmatch(message)
        assert found, message
        file = found["file"]
        assert file == name or (file.startswith("bases/") and "extends: bases/" in text(name))
        lines = text(file).split("\n")
        assert message.isprintable()
        assert int(found["column"]) <= len(lines[int(found["line"]) - 1]) + 1


def text(name):
    return (FOLDER / name).read_bytes().decode("utf-8", "replace")


def test_nothing_is_expected_of_a_config_that_is_not_there(expected):
    assert list(expected) == NAMES
