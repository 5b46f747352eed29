"""README.md, the pages in docs/ that have blocks and docs/how-to run.

CONTRIBUTING.md says how blocks are read. Each page has a folder of its own with configs/ in it, and
its blocks run in their order.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from tftrain import config
from tftrain.config import text

PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs").glob("tutorial*.md"),
    ROOT / "docs" / "minima.md",
    *(ROOT / "docs").glob("how-to/*.md"),
]
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^]]*\]\(([^)#:]+)(?:#[^)]*)?\)")
NAME = re.compile(r"# ([\w./-]+\.(?:ya?ml|py))\n")
NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w/-]|\.\w)")
SECONDS = re.compile(r"\b\d+\.\d+ s\b")
INSTALLED = Path(sys.executable).parent
INSTALL = ("python -m venv", "pip install", "source .venv/bin/activate")
FAILURES = ("error[", "not met:", "FAILED")
CLOSE = {"rel_tol": 0.1, "abs_tol": 5e-4}  # other processors, other last digits


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("bash") is None, reason="the pages are written for bash")
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_block_does_what_the_page_shows(page, tmp_path, programs):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shell = Shell(tmp_path, INSTALLED if page.name == "README.md" else programs)
    for language, content in blocks(page):
        if language == "console":
            for command, shown in commands(content):
                shell.check(command, shown)
        elif language in ("bash", "sh"):
            for command in content.splitlines():
                shell.check(command, [])
        elif language == "yaml":
            run_yaml(shell, content)
        elif language == "python":
            shell.check_python(content)
    shell.must_be_well()


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_block_is_of_a_kind_that_is_run(page):
    kinds = {language for language, _ in blocks(page)}
    assert kinds <= {"console", "bash", "sh", "yaml", "python", "text", "mermaid"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_install_commands_are_those_that_ci_runs(page):
    places = (ROOT / ".ci" / "run", ROOT / ".github" / "workflows" / "ci.yml")
    ran = "\n".join(place.read_text("utf-8") for place in places)
    for language, content in blocks(page):
        shown = [command for command, _ in commands(content)] if language == "console" else []
        lines = content.splitlines() if language in ("bash", "sh") else shown
        assert [line for line in lines if line.startswith(INSTALL) and line not in ran] == []


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_ci_runs_the_command_that_is_given_to_developers(name):
    shown = (ROOT / name).read_text("utf-8").splitlines()
    ran = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1]
    pip = [line for line in shown if line.startswith("python") and line.endswith(".ci/check.py")]
    assert pip == [ran]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert {"run": ran} in workflow["jobs"]["check"]["steps"]


def blocks(page):
    """The language and the content of every fenced block."""
    for indent, language, content in BLOCK.findall(page.read_text("utf-8")):
        lines = content.splitlines()
        yield language, "".join(f"{line.removeprefix(indent)}\n" for line in lines)


def commands(content):
    """Every command of a console block, with the lines shown under it."""
    found = []
    for line in content.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0][:-1]}{line.strip()}", [])
        else:
            assert found, f"a console block begins with a command, not with {line!r}"
            found[-1][1].append(line)
    return found


def run_yaml(shell, content):
    """A named block becomes that file; a workflow's commands are run; a part must train."""
    named = NAME.match(content)
    plain = text.plain(text.read(content.encode(), "block"))
    if named:
        (shell.folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
        (shell.folder / named[1]).write_text(content, "utf-8")
        if "model" in plain:
            config.load(shell.folder / named[1])
    if "jobs" in plain:
        for job in plain["jobs"].values():
            for step in job["steps"]:
                for command in step.get("run", "").splitlines():
                    shell.check(command, ["..."])
    elif not named:
        base = text.plain(text.read((ROOT / "configs" / "digits.yaml").read_bytes(), "base"))
        whole = shell.folder / "part.yaml"
        whole.write_text(json.dumps(merged(base, plain)))
        shell.check("tftrain fit part.yaml --smoke --quiet --runs-dir parts", ["..."])


def merged(base, part):
    """Mappings merged key by key; anything else replaced, and so is a Keras object."""
    sections = ("data", "split", "model", "training")
    return base | {
        key: merged(base[key], value) if key in sections and key in base else value
        for key, value in part.items()
    }


class Shell:
    """Runs one page's commands in its folder, one after another; those of `programs` come first."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.programs = programs
        self.code, self.last, self.told = 0, "", False
        self.environment = {**os.environ, "NO_COLOR": "1", "CI": "true"}
        self.environment.pop("TFTRAIN_RUNS_DIR", None)

    def check(self, command, shown):
        """Runs a command; compares what it prints. It may only fail where the page says so."""
        if command.startswith(INSTALL):
            return
        self.must_be_well()
        script = f"(exit {self.code}); {command}"
        limited = "--time-limit" in command  # counts the start of TensorFlow too
        done = self._run(["bash", "-c", script], INSTALLED if limited else self.programs)
        self.code, self.last = done.returncode, f"$ {command}\n{done.stdout}"
        expected = "\n".join(shown).rstrip("\n").split("\n") if shown else ["..."]
        self.told = any(failure in line for line in shown for failure in FAILURES)
        same = matches(expected, done.stdout.rstrip("\n").split("\n"))
        assert same, f"the page shows something else than:\n{self.last}"

    def check_python(self, content):
        if named := NAME.match(content):
            (self.folder / named[1]).write_text(content, "utf-8")
            return
        done = self._run([sys.executable, "-c", content], INSTALLED)
        assert done.returncode == 0, done.stdout

    def must_be_well(self):
        assert not self.code or self.told, f"exit code {self.code}, untold:\n{self.last}"

    def _run(self, command, programs):
        path = os.pathsep.join([str(programs), str(INSTALLED), os.environ["PATH"]])
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )


def matches(shown, printed):
    """Line by line; a line `...` stands for any number of them."""
    if not shown:
        return not printed
    if shown[0].strip() == "...":
        return any(matches(shown[1:], printed[place:]) for place in range(len(printed) + 1))
    return bool(printed) and alike(shown[0], printed[0]) and matches(shown[1:], printed[1:])


def alike(shown, printed):
    """Words to the letter, spaces apart; numbers nearly; seconds whatever they are."""
    shown, printed = (SECONDS.sub("0.0 s", " ".join(line.split())) for line in (shown, printed))
    parts = [re.escape(part) for part in NUMBER.sub("\0", shown).split("\0")]
    pattern = r"([\d.e+-]+)".join(parts).replace(r"\.\.\.", ".*")
    found = re.fullmatch(pattern, printed)
    if found is None:
        return False
    pairs = zip(NUMBER.findall(shown), found.groups(), strict=True)
    return all(math.isclose(float(one), float(other), **CLOSE) for one, other in pairs)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("loss  0.0258", "loss    0.0259", True),
        ("loss  0.0258", "loss    0.0358", False),
        ("best epoch 87 of 97; 0.8 s in all", "best epoch 86 of 96; 11.2 s in all", True),
        ("runs/digits-1", "runs/digits-2", False),
        ("x ... 5", "x y z 5", True),
        ("1,0.6964,...", "1,0.6964,0.5,2.1", True),
        ("2 rows", "1 rows", False),
    ],
)
def test_numbers_may_differ_a_little_and_words_not_at_all(shown, printed, same):
    assert alike(shown, printed) is same


def test_a_line_of_dots_stands_for_any_lines():
    assert matches(["a", "...", "d"], ["a", "b", "c", "d"])
    assert matches(["...", "d"], ["d"])
    assert not matches(["a", "..."], ["b"])


def test_pictures_show_what_the_code_draws(tmp_path):
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make_pictures.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    written = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)
    drawn = make.draw(tmp_path)
    assert sorted(drawn) == sorted(path.name for path in make.FOLDER.iterdir())
    for name in drawn:
        found = [
            written.findall((folder / name).read_text("utf-8"))
            for folder in (tmp_path, make.FOLDER)
        ]
        assert found[0] == found[1] != [], name


def test_the_workflow_tests_the_pythons_that_the_package_claims():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    claimed = re.findall(r'"Programming Language :: Python :: ([\d.]+)"', project)
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == claimed
