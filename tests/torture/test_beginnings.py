"""Runs whose process was killed before it had written much: begun anew, or told in one line."""

from __future__ import annotations

import common
import pytest

from tftrain import resume, runs
from tftrain.errors import RunError


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "fragile.yaml"
    path.write_text(common.FRAGILE)
    return path


def begun(tmp_path, *names):
    """A run's folder that holds so many empty files."""
    folder = tmp_path / "fragile-1"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("names", [(), (runs.LOCK,), (runs.LOCK, ".tmp-0.yaml")])
def test_with_its_config_it_begins_anew(names, tmp_path, config):
    folder = begun(tmp_path, *names)
    asked = resume.prepare(config, name=str(folder), runs_dir=tmp_path)
    assert asked.run.folder == folder
    assert asked.checkpoint is None
    assert [path.name for path in folder.iterdir()] == [runs.LOCK]


def test_without_one_is_one_line(tmp_path):
    folder = begun(tmp_path)
    with pytest.raises(RunError, match=r"killed before it had its config: `tftrain fit"):
        resume.prepare(None, name=str(folder), runs_dir=tmp_path)


def test_a_folder_of_other_things_is_no_run(tmp_path, config):
    folder = begun(tmp_path, "notes.txt")
    with pytest.raises(RunError, match="not a run"):
        resume.prepare(config, name=str(folder), runs_dir=tmp_path)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
