"""docs/reference.md and lint.md are what docs/make_reference.py makes, and say all there is."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys

import pytest

from conftest import ROOT
from tftrain import errors, runs

SCRIPT = ROOT / "docs" / "make_reference.py"
PAGES = {"reference": ROOT / "docs" / "reference.md", "lint_page": ROOT / "docs" / "lint.md"}
MAKE = f"""
import json, runpy, sys
script = runpy.run_path({str(SCRIPT)!r})
pages = {{name: script[name]() for name in {list(PAGES)!r}}}
assert not {{"tensorflow", "keras"}} & set(sys.modules)
sys.stdout.buffer.write(json.dumps(pages).encode())
"""
CODE = re.compile(r"[A-Z]\d{3}")


@pytest.fixture(scope="module")
def made():
    """The pages as the code makes them now, in a process that has imported nothing else."""
    done = subprocess.run([sys.executable, "-c", MAKE], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(made, name):
    shown = PAGES[name].read_bytes().decode().replace("\r\n", "\n")
    assert shown == made[name], "run: python docs/make_reference.py"


def test_every_key_and_option_has_its_words(made):
    lines = made["reference"].splitlines() + made["lint_page"].splitlines()
    empty = [line for line in lines if line.startswith("| `") and line.endswith("|  |")]
    assert empty == []


def test_every_code_in_use_is_in_the_table_and_every_one_there_is_in_use():
    used = set()
    for path in (ROOT / "src").rglob("*.py"):
        if path.name != "errors.py":
            texts = (node for node in ast.walk(ast.parse(path.read_bytes())) if is_text(node))
            used |= {node.value for node in texts if CODE.fullmatch(node.value)}
    assert used == set(errors.CODES)


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_every_exit_code_is_in_the_table():
    classes = [errors.TftrainError, *subclasses(errors.TftrainError)]
    codes = {0, 1, *(error.exit_code for error in classes), 70, 128 + 2, 128 + 13, 128 + 15}
    assert codes == set(errors.EXIT_CODES)


def subclasses(kind):
    return [one for direct in kind.__subclasses__() for one in (direct, *subclasses(direct))]


def test_every_file_of_a_run_is_in_the_table():
    capitals = {value for name, value in vars(runs).items() if name.isupper() and is_file(value)}
    assert capitals | {runs.CODE, runs.LOCK} == set(runs.FILES)


def is_file(value):
    return isinstance(value, str) and re.fullmatch(
        r"[a-z.]+\.(yaml|json|npz|csv|keras|html)|\.lock", value
    )
