"""Run directories: no two jobs share one, none is overwritten, and each is found again."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tftrain import runs
from tftrain.errors import RunError, StorageError

FINISHED = {
    "format_version": 1,
    "state": "finished",
    "smoke": False,
    "started": "2026-01-01T00:00:00+00:00",
    "metrics": {"test": {"loss": 0.1}},
    "inputs": [64],
    "labels": [],
    "classes": ["0", "1"],
    "fingerprint": "00",
    "rows": {"train": 3},
    "seconds": {"total": 1.5},
}


def made(runs_dir, name, **changes):
    folder = runs_dir / name
    folder.mkdir()
    (folder / runs.SUMMARY).write_text(json.dumps(FINISHED | changes))
    return folder


def fault(*arguments):
    with pytest.raises(RunError) as raised:
        runs.find(*arguments)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_jobs_that_start_together_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        claimed = list(pool.map(lambda _: runs.claim(tmp_path, "digits").folder, range(100)))
    numbers = sorted(int(folder.name.removeprefix("digits-")) for folder in claimed)
    assert numbers == list(range(1, 101))


def test_processes_too(tmp_path):
    code = "import sys, pathlib; from tftrain import runs\n"
    code += "for _ in range(20): print(runs.claim(pathlib.Path(sys.argv[1]), 'd').folder.name)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    names = " ".join(job.communicate(timeout=60)[0] for job in jobs).split()
    assert len(names) == len(set(names)) == 60
    assert set(names) == {folder.name for folder in tmp_path.iterdir()}


def test_a_claim_that_gets_no_lock_leaves_nothing(tmp_path, monkeypatch):
    def full(*_arguments, **_named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("filelock.FileLock.acquire", full)
    with pytest.raises(StorageError, match="No space left"):
        runs.claim(tmp_path, "digits")
    assert not any(tmp_path.iterdir())


def test_a_claim_outlives_a_crash_of_the_system(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("tftrain.files._sync_folder", synced.append)
    runs.claim(tmp_path, "digits")
    assert synced == [tmp_path]


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    folder = made(tmp_path, "d-1", state="running")
    (folder / runs.LOCK).symlink_to(tmp_path / "outside")
    with pytest.raises(
        RunError, match=r"\.lock: error\[R003\]: a link; a run that holds one isn't"
    ):
        runs.reopen(folder)
    assert runs.summaries(tmp_path)[0][1]["state"] == "running"
    assert not (tmp_path / "outside").exists()


def test_whoever_only_looks_at_a_run_keeps_no_writer_out(tmp_path):
    glance = runs.claim(tmp_path, "digits")
    released = threading.Timer(0.05, glance.lock.release)
    released.start()
    assert runs.reopen(glance.folder).lock.is_locked
    released.join()


def test_a_claim_leaves_what_is_there_and_counts_on(tmp_path):
    kept = made(tmp_path, "d-7")
    (tmp_path / "d-x").mkdir()
    (tmp_path / "d-smoke-9").mkdir()
    (tmp_path / "d-8").write_text("a file")
    before = (kept / runs.SUMMARY).read_bytes()
    assert runs.claim(tmp_path, "d").folder.name == "d-9"
    assert runs.claim(tmp_path, "d-smoke").folder.name == "d-smoke-10"
    assert runs.claim(tmp_path, "new").folder.name == "new-1"
    assert (kept / runs.SUMMARY).read_bytes() == before


def test_a_folder_that_takes_no_runs_is_one_line(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(RunError, match=r"file: error.R003.: can't be written: File exists"):
        runs.check_writable(blocked)
    with pytest.raises(RunError, match=r"runs: error.R003.: can't be written: Not a directory"):
        runs.check_writable(blocked / "runs")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    runs.check_writable(tmp_path / "new" / "runs")
    assert list((tmp_path / "new" / "runs").iterdir()) == []
    monkeypatch.setattr(runs.tempfile, "TemporaryFile", refuse)
    with pytest.raises(RunError, match="Read-only file system"):
        runs.check_writable(tmp_path)
    monkeypatch.setattr(runs.Path, "mkdir", refuse)
    with pytest.raises(StorageError, match="can't be written: Read-only file system"):
        runs.claim(tmp_path, "d")


def test_what_a_run_records_can_be_read(tmp_path):
    run = runs.claim(tmp_path, "d")
    run.record({"epoch": 1, "loss": 0.5})
    run.record({"epoch": 2, "loss": 0.1 + 0.2, "val_loss": 1e-9})
    run.write_metrics()
    written = (run.folder / runs.METRICS).read_text()
    assert written == "epoch,loss,val_loss\n1,0.5,\n2,0.30000000000000004,1e-09\n"
    run.update(metrics={"test": {"loss": math.nan, "auc": math.inf}}, state=runs.RUNNING)
    run.update(state=runs.FAILED)
    summary = json.loads((run.folder / runs.SUMMARY).read_text(), parse_constant=pytest.fail)
    assert summary == {"metrics": {"test": {"loss": None, "auc": None}}, "state": "failed"}


def test_a_run_is_found_by_name_by_path_and_as_the_newest(tmp_path):
    first = made(tmp_path, "d-1", started="2026-01-02T00:00:00+00:00")
    newest = made(tmp_path, "d-2", started="2026-01-03T00:00:00+00:00")
    made(tmp_path, "d-smoke-1", smoke=True, started="2026-01-04T00:00:00+00:00")
    made(tmp_path, "d-3", state="stopped", started="2026-01-05T00:00:00+00:00")
    assert runs.find(tmp_path, "d-1") == (first, json.loads((first / runs.SUMMARY).read_text()))
    assert runs.find(tmp_path / "elsewhere", str(first))[0] == first
    assert runs.find(tmp_path, None)[0] == newest
    assert runs.find(tmp_path, "d-smoke-1")[1]["smoke"] is True
    listed = [folder.name for folder, _ in runs.summaries(tmp_path)]
    assert listed == ["d-3", "d-smoke-1", "d-2", "d-1"]


def test_runs_that_are_none(tmp_path):
    assert runs.summaries(tmp_path / "gone") == []
    said = "no finished run here; `tftrain fit CONFIG` makes one"
    assert fault(tmp_path / "gone", None) == f"{tmp_path / 'gone'}: error[R001]: {said}"
    made(tmp_path, "digits-1", state="running")
    on = f"`interrupted`; `tftrain fit --resume {tmp_path / 'digits-1'}` goes on"
    assert fault(tmp_path, "digits-1").endswith(f"R001]: not finished: its state is {on}")
    assert fault(tmp_path, None).endswith(said)
    assert fault(tmp_path, "digit-1").endswith("R001]: no such run; did you mean `digits-1`?")
    (tmp_path / "other").mkdir()
    assert "R001]: expected a run's directory or name, got an empty one" in fault(tmp_path, "")
    assert fault(tmp_path, "other").endswith("R001]: not a run: it has no summary.json")


@pytest.mark.skipif(os.name == "nt", reason="quotes are POSIX's")
@pytest.mark.parametrize(
    ("name", "summary", "said"),
    [
        ("t-1", {}, "; `tftrain fit --resume t-1` goes on"),
        ("a b/t-1", {"code": []}, "; `tftrain fit --resume 'a b/t-1'` goes on"),
        ("t-1", {"code": [{}]}, "; `tftrain fit --resume t-1 --allow-code` goes on"),
        ("t-1", {"smoke": True}, ""),
    ],
)
def test_how_to_go_on_is_said_as_a_shell_takes_it(name, summary, said):
    assert runs.going_on(runs.Path(name), summary) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "damaged: not a JSON object"),
        (b"[]", "damaged: not a JSON object"),
        (b"\xff", "damaged: not a JSON object"),
        (b"[" * 100_000, "damaged: not a JSON object"),
        (json.dumps(FINISHED | {"format_version": 2}), "format version 2: this tftrain reads up"),
        (
            json.dumps(FINISHED | {"format_version": "1"}),
            'format version "1": this tftrain reads up',
        ),
        (json.dumps(FINISHED | {"format_version": 0}), "format version 0: this tftrain reads up"),
        (json.dumps(FINISHED | {"format_version": True}), "format version true: this tftrain"),
        (json.dumps(FINISHED | {"metrics": {"test": {"loss": math.nan}}}), "damaged: not a JSON"),
        (json.dumps(FINISHED | {"metrics": {"test": {"loss": 10**400}}}), "damaged: `metrics` is"),
        (json.dumps(FINISHED).replace("0.1}", "1e999}"), "damaged: `metrics` is"),
        ('{"a": ' + "[" * 20 + "]" * 20 + "}", "damaged: not a JSON object"),
        (json.dumps(FINISHED | {"rows": {"train": -1}}), "damaged: `rows` is missing or wrong"),
        (json.dumps(FINISHED | {"inputs": [1] * 33}), "damaged: `inputs` is missing or wrong"),
        (json.dumps(FINISHED | {"inputs": [True]}), "damaged: `inputs` is missing or wrong"),
        (json.dumps(FINISHED | {"metrics": None}), "damaged: `metrics` is missing or wrong"),
        (json.dumps(FINISHED | {"rows": {"train": []}}), "damaged: `rows` is missing or wrong"),
        (json.dumps(FINISHED | {"rows": {}}), "damaged: `rows` is missing or wrong"),
        (json.dumps(FINISHED | {"classes": "01"}), "damaged: `classes` is missing or wrong"),
        (json.dumps({"format_version": 1, "state": "finished"}), "damaged: `metrics` is missing"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_damaged_summary_is_one_line(content, said, tmp_path):
    folder = made(tmp_path, "d-1")
    encoded = content if isinstance(content, bytes) else content.encode()
    (folder / runs.SUMMARY).write_bytes(encoded)
    told = fault(tmp_path, "d-1")
    assert told.startswith(f"{folder / runs.SUMMARY}: error[R002]: {said}")
    assert "\n" not in told
    assert len(runs.summaries(tmp_path)) <= 1  # and a listing goes on


def test_predictions_go_neither_over_their_rows_nor_over_a_run(tmp_path):
    folder = made(tmp_path, "d-1")
    rows = tmp_path / "rows.npz"
    rows.write_bytes(b"rows")
    for path, said in (
        (rows, "holds the rows to predict"),
        (folder / "weights.npz", "file of a run"),
    ):
        with pytest.raises(RunError, match=said):
            runs.require_output(path, ["gone.npz", str(rows)], (".npz", ".csv"))
    runs.require_output(tmp_path / "OUT.CSV", [str(rows)], (".npz", ".csv"))
    assert rows.read_bytes() == b"rows"


def test_a_name_that_no_file_can_have_is_one_line(tmp_path):
    assert fault(tmp_path, "a" * 300).endswith("error[R001]: no such run")


def test_what_json_cannot_hold_becomes_null():
    value = {"a": [math.nan, {"b": -math.inf}, 1.5], "c": "NaN"}
    assert runs.finite(value) == {"a": [None, {"b": None}, 1.5], "c": "NaN"}


def test_the_newest_run_is_checked_as_well(tmp_path):
    made(tmp_path, "d-1", format_version=2)
    assert "format version 2" in fault(tmp_path, None)
