"""Templates: each is listed, and written out as a config that loads and never over another file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import ROOT
from tftrain import config
from tftrain.config import DATASETS
from tftrain.errors import RunError, TftrainError
from tftrain.templates import templates, write

NAMES = [path.stem for path in sorted((ROOT / "configs").glob("*.yaml"))]


def test_every_shipped_config_is_a_template_with_its_purpose():
    listed = dict(templates())
    assert list(listed) == NAMES
    assert listed["digits"] == "Tell a handwritten 0 from a handwritten 1."
    assert all(re.fullmatch(r"[A-Z].*\.", purpose) for purpose in listed.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_written_as_a_config_of_ones_own(name, tmp_path):
    path = write(name, tmp_path / "my config.yaml")
    settled, _ = config.load(path)
    template, _ = config.load(ROOT / "configs" / f"{name}.yaml")
    assert settled.name == "my_config"
    assert settled.model_copy(update={"name": template.name}) == template
    assert settled.data.source in DATASETS, "a file's path counts from the config's folder"
    written = path.read_text("utf-8")
    commands = [line for line in written.splitlines() if "tftrain fit" in line]
    assert commands
    for command in commands:
        assert shlex.split(command)[:4] == ["#", "tftrain", "fit", path.as_posix()]
    assert "configs/" not in written.replace(path.as_posix(), "")
    assert written.count("#") == (ROOT / "configs" / f"{name}.yaml").read_text("utf-8").count("#")


def test_a_folder_gets_the_template_under_its_name(tmp_path):
    assert write("digits", tmp_path) == tmp_path / "digits.yaml"
    assert config.load(tmp_path / "digits.yaml")[0].name == "digits"


def test_a_path_from_here_stays_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("digits", Path("mine.yml"))
    assert "#   tftrain fit mine.yml training.epochs=20\n" in Path("mine.yml").read_text("utf-8")


def refused(name, path):
    with pytest.raises(TftrainError) as raised:
        write(name, path)
    assert raised.value.exit_code == 2
    assert str(raised.value).isprintable()
    return str(raised.value)


def test_an_unknown_template_is_told_with_the_nearest(tmp_path):
    assert refused("digit_relu", tmp_path).endswith("; did you mean `digits_relu`?")
    assert "; there are accumulated_bp, " in refused("zzzzzz", tmp_path)
    assert "\\x1b" in refused("\x1b[2J", tmp_path)
    assert refused("../configs/digits", tmp_path).startswith("../configs/digits: error[C031]: ")
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_over(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("# hours of work\n")
    told = "is there already: give another path, or remove it first"
    assert refused("digits", path) == f"{path}: error[R003]: {told}"
    assert path.read_text() == "# hours of work\n"
    write("digits", tmp_path)
    assert told in refused("digits", tmp_path)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere/mine.yaml", "error[R003]: no folder `"),
        ("mine.txt", "error[R003]: expected a .yaml or .yml file"),
        (f"{'a' * 5000}.yaml", "error[R003]: can't be written: "),
        ("a\nb.yaml", "error[R003]: expected a path of printable characters"),
    ],
)
def test_what_can_not_be_written_is_told_in_a_line(path, told, tmp_path):
    assert told in refused("digits", tmp_path / path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_an_empty_path_is_not_this_folder(tmp_path):
    command = [sys.executable, "-m", "tftrain", "init", "digits", ""]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = "PATH: error[R003]: expected a file or a folder, got nothing\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_nowhere_is_not_followed(tmp_path):
    (tmp_path / "mine.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(RunError, match="is there already"):
        write("digits", tmp_path / "mine.yaml")
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_an_installed_package_has_its_templates(tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    ignored = shutil.ignore_patterns("__pycache__")
    for package in wheel["packages"]:
        shutil.copytree(ROOT / package, tmp_path / Path(package).name, ignore=ignored)
    for source, target in wheel["force-include"].items():
        shutil.copytree(ROOT / source, tmp_path / target)
    code = (
        "from pathlib import Path; from tftrain import templates; "
        "print(templates.__file__, *dict(templates.templates())); "
        "print(templates.write('digits', Path('mine.yaml')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    module, *names = done.stdout.split()
    assert Path(module) == tmp_path / "tftrain" / "templates.py"
    assert names == [*NAMES, "mine.yaml"]
    assert config.load(tmp_path / "mine.yaml")[0].name == "mine"
