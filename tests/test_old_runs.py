"""Runs of every version stay readable; `tests/runs/VERSION/` holds a finished one of each.

0.1.0 is not released yet: its run is to be made anew as long as the form of runs still changes, and
kept as it is from the release on. Its command stands in its `environment.json`; taken out are
`model.keras`, which is Keras's and which tftrain doesn't read, and what names the machine.
"""

from __future__ import annotations

import json
import shutil

import pytest

from conftest import ROOT
from tftrain import __version__, checkpoint, config, recorded, runs
from tftrain.errors import RunError

OLD = sorted(path.parent for path in (ROOT / "tests" / "runs").glob(f"*/*/{runs.SUMMARY}"))
CLOSE = {"rel": 1e-5, "abs": 1e-6}  # float32's last digits, on another processor


@pytest.fixture(params=OLD, ids=lambda path: f"{path.parent.name}-{path.name}")
def old(request, tmp_path):
    """A copy: whoever reads a run may tidy it."""
    return shutil.copytree(request.param, tmp_path / "runs" / request.param.name)


def test_there_is_one_of_this_version():
    assert __version__ in {path.parent.name for path in OLD}


@pytest.mark.usefixtures("tensorflow")
def test_its_metrics_are_those_that_it_recorded(old):
    from tftrain import evaluate

    folder, summary = runs.find(old.parent, old.name)
    trained = evaluate.load(folder, summary)
    metrics = evaluate.metrics(trained.engine, trained.splits())
    assert list(metrics) == list(summary["metrics"])
    for part, scores in summary["metrics"].items():
        assert metrics[part] == pytest.approx(scores, **CLOSE)


def test_its_checkpoint_is_read(old):
    kept = checkpoint.read(old / runs.CHECKPOINT)
    history = (old / runs.METRICS).read_text("utf-8").splitlines()
    assert kept.state.epoch == len(kept.history) == len(history) - 1


def test_no_path_of_a_machine_is_in_it(old):
    assert recorded.read(old, runs.summary_of(old)).config.data.source in config.DATASETS
    contents = b"".join(path.read_bytes() for path in old.iterdir())
    assert [root for root in (b"/tmp", b"/home", b"/Users", b"C:\\") if root in contents] == []


def test_one_of_a_newer_form_is_refused(old):
    path = old / runs.SUMMARY
    newer = runs.FORMAT_VERSION + 1
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"format_version": newer}), "utf-8")
    with pytest.raises(RunError) as raised:
        runs.find(old.parent, old.name)
    assert raised.value.exit_code == 2
    expected = f"format version {newer}: this tftrain reads up to {runs.FORMAT_VERSION}"
    assert str(raised.value) == f"{path}: error[R002]: {expected}"
