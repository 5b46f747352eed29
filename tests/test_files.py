"""Files are whole or absent, and an archive knows when a byte of it has changed."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from tftrain import files
from tftrain.errors import RunError, StorageError

ARRAYS = {"w/0": np.arange(3, dtype=np.float32), "b": np.zeros((0, 2)), "n": np.array(7)}


def refuse(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_takes_its_place_whole(tmp_path):
    path = tmp_path / "summary.json"
    files.write(path, b"old")
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_file_may_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("place", ["write_bytes", "fsync", "replace"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_what_was_there(place, old, tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    if old is not None:
        path.write_bytes(old)
    holder = os if place == "fsync" else Path
    monkeypatch.setattr(holder, place, refuse)
    with pytest.raises(StorageError) as raised:
        files.write(path, b"new")
    monkeypatch.undo()
    assert str(raised.value) == f"{path}: error[R003]: can't be written: No space left on device"
    assert raised.value.exit_code == 3
    left = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert left == ({} if old is None else {"weights.npz": old})


def test_a_write_that_is_stopped_leaves_nothing(tmp_path):
    def stop(temporary):
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.fill(tmp_path / "model.keras", stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("patience", "there"), [(30.0, b"new"), (0.0, b"old")])
def test_a_file_that_somebody_has_open_is_replaced_once_it_is_let_go(
    patience, there, tmp_path, monkeypatch
):
    replace, refusals = Path.replace, iter([PermissionError(errno.EACCES, "open")] * 2)

    def busy(one, other):
        for refusal in refusals:
            raise refusal
        return replace(one, other)

    path = tmp_path / "summary.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "_PATIENCE_SECONDS", patience)  # as on Windows, and elsewhere
    monkeypatch.setattr(Path, "replace", busy)
    with contextlib.suppress(StorageError):
        files.write(path, b"new")
    assert path.read_bytes() == there
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_a_new_folder_is_synced_or_not_made(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "_sync_folder", synced.append)
    files.make_folder(tmp_path / "a")
    files.make_folder(tmp_path / "a", exist_ok=True)
    with pytest.raises(FileExistsError):
        files.make_folder(tmp_path / "a")
    assert synced == [tmp_path] * 2
    monkeypatch.setattr(files, "_sync_folder", refuse)
    with pytest.raises(StorageError, match=r"b: error.R003.: can't be written: No space left"):
        files.make_folder(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_leftovers_below_are_swept_too_but_not_through_links(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    for folder in (run / "code", outside):
        folder.mkdir(parents=True)
        (folder / ".tmp-0123.py").touch()
        (folder / "kept.py").touch()
    (run / "link").symlink_to(outside)
    files.sweep(run)
    left = sorted(path.name for path in tmp_path.rglob("*.py"))
    assert left == [".tmp-0123.py", "kept.py", "kept.py"]
    assert list(files.leftovers(outside))


def test_other_code_writes_to_a_name_of_the_same_kind(tmp_path):
    """Keras tells what to write by a path's suffix."""
    files.fill(tmp_path / "model.keras", lambda path: path.write_text(path.suffix))
    assert (tmp_path / "model.keras").read_text() == ".keras"


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    path = tmp_path / "gone" / "a"
    with pytest.raises(StorageError, match=r"a: error.R003.: can't be written: No such file"):
        files.write(path, b"")
    with pytest.raises(RunError, match=r"a: error.R003.: can't be read: No such file"):
        files.read(path)
    with pytest.raises(StorageError, match=r"gone: error.R003.: can't be written: No such file"):
        files.require_space(path.parent, 1)


def test_a_missing_file_is_near_to_one_of_its_kind_first(tmp_path):
    for name in ("a.csv", "a.csv.gz", "a.parquet"):
        (tmp_path / name).touch()
    suffixes = (".csv", ".csv.gz", ".parquet")
    for missing, near in {
        "A.csv": "a.csv",
        "A.csv.gz": "a.csv.gz",
        "A.parquet": "a.parquet",
    }.items():
        assert files.beside(tmp_path / missing, suffixes) == f"; did you mean `{near}`?"


def test_space_is_asked_for_before_it_is_needed(tmp_path, monkeypatch):
    files.require_space(tmp_path, 1)
    usage = files.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage._replace(free=2_000_000))
    files.require_space(tmp_path, 900_000)
    with pytest.raises(StorageError, match="No space left on device"):
        files.require_space(tmp_path, 1_000_000)


def test_arrays_come_back_as_they_were(tmp_path):
    path = tmp_path / "weights.npz"
    files.write_arrays(path, ARRAYS)
    again = files.read_arrays(path)
    with np.load(path) as plain:  # and NumPy reads them too
        assert list(plain) == list(again) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_every_flipped_byte_is_found(tmp_path):
    path = tmp_path / "weights.npz"
    files.write_arrays(path, {"w": ARRAYS["w/0"]})
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bits in (0x01, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= bits
            path.write_bytes(damaged)
            with pytest.raises(RunError, match=r"R002.: damaged: its checksum doesn't match"):
                files.read_arrays(path)


def test_every_truncation_and_every_addition_is_found(tmp_path):
    path = tmp_path / "weights.npz"
    files.write_arrays(path, {"w": ARRAYS["w/0"]})
    whole = path.read_bytes()
    for damaged in (
        *(whole[:length] for length in range(len(whole))),
        whole + b"\0",
        b"\0" + whole,
    ):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"R002.: damaged: its checksum doesn't match"):
            files.read_arrays(path)


def test_nothing_but_arrays_is_read(tmp_path):
    """An archive with pickled objects, or none at all, made by one who knows the checksum."""
    path = tmp_path / "weights.npz"
    files.write_arrays(path, {"w": np.array([{}], object)})
    with pytest.raises(RunError, match=r"R002.: .*entry `w.npy`: expected numbers, got object"):
        files.read_arrays(path)
    body = b"PK\5\6" + bytes(18)
    path.write_bytes(body[:-2] + files._seal(b"x" + body))  # noqa: SLF001 - a wrong sum
    with pytest.raises(RunError, match="damaged"):
        files.read_arrays(path)
    path.write_bytes(b"no zip" + files._seal(b"no zip\0\0"))  # noqa: SLF001 - a right one
    with pytest.raises(RunError, match=r"R002.: not an archive"):
        files.read_arrays(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("out.txt", "expected a .csv or .npz file"),
        ("out", "expected a .csv or .npz file"),
        ("gone/out.csv", "can't be written: No such file or directory"),
        ("folder.csv", "can't be written: Is a directory"),
    ],
)
def test_a_place_where_no_file_can_go_is_told_before_the_work(name, said, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RunError) as raised:
        files.require_writable(tmp_path / name, (".csv", ".npz"))
    assert raised.value.exit_code == 2
    assert str(raised.value) == f"{tmp_path / name}: error[R003]: {said}"


def test_a_place_where_a_file_can_go_is_left_as_it_is(tmp_path):
    files.require_writable(tmp_path / "out.csv", (".csv", ".npz"))
    assert list(tmp_path.iterdir()) == []
