"""Data files that can't be trained on: each a line that names the file, the row and the reason."""

from __future__ import annotations

import io
import os
import re
import zipfile

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from tftrain import config, data
from tftrain.data import arrays
from tftrain.errors import DataError

X = np.arange(40.0).reshape(20, 2)
Y = np.repeat([0, 1], 10)
WITH_NAN = X.copy()
WITH_NAN[13, 1] = WITH_NAN[15, 0] = np.nan
NAN_SAID = "row 13, column 1 (counted from 0) is nan; leave out or fill such rows"
IMAGES = np.ones((20, 3, 3, 1), np.float16)
IMAGES[4, 2, 1, 0] = -np.inf


@pytest.fixture
def fault(tmp_path, monkeypatch):
    """What loading the data says; paths as the config has them."""
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 100)

    def said(section, loss="BinaryCrossentropy"):
        training = {"loss": loss, "epochs": 1}
        whole = {"data": section, "model": {"layers": ["Flatten"]}, "training": training}
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False))
        with pytest.raises(DataError) as raised:
            data.load(*config.load(path))
        assert raised.value.exit_code == 2
        return str(raised.value).replace(f"{tmp_path}{os.sep}", "")

    return said


@pytest.fixture(params=[arrays.MAPPED_BYTES, -1], ids=["read", "mapped"])
def mapped(request, monkeypatch):
    monkeypatch.setattr(arrays, "MAPPED_BYTES", request.param)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(shape, dtype="<f8"):
    """An .npy file that promises more than it holds."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    padded = text.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + b"\0" * 64


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            ["yes", "no"] * 10,
            "c.yaml:3:13: error[D006]: no row has the label `yess`; did you mean `",
        ),
        (["yess", "no", "maybe", "no"] * 5, "expected one class besides `yess`, got maybe, no; da"),
        (["yess"] * 20, "c.yaml:8:9: error[D006]: only one class in the data, `yess`"),
        (np.eye(2)[Y], "c.yaml:3:13: error[D006]: labels have 2 columns: classes need one"),
    ],
)
def test_a_positive_class_that_is_none(labels, said, fault, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=labels)
    assert said in fault({"source": "d.npz", "positive": "yess"})


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"x": WITH_NAN}, "D005]: d.npz: x: row 13, column 1 (counted from 0) is nan; leave out"),
        ({"x": IMAGES}, "D005]: d.npz: x: row 4, column 2, 1, 0 (counted from 0) is -inf; leave"),
        ({"x": X * 1e300}, "D005]: d.npz: x: row 0, column 1 (counted from 0) is 1e+300, too larg"),
        ({"y": np.where(X[:, 0] > 7, Y, np.inf)}, "D005]: d.npz: y: row 0 (counted from 0) is inf"),
        ({"x": X[:, 0]}, "D004]: d.npz: x: expected (rows, columns, ...), got (20,)"),
        ({"x": np.float64(1)}, "D004]: d.npz: x: expected (rows, columns, ...), got ()"),
        ({"x": X[:, :0]}, "D004]: d.npz: x: expected (rows, columns, ...), got (20, 0)"),
        ({"x": X[:0], "y": Y[:0]}, "D007]: d.npz: x: no rows"),
        ({"x": X + 1j}, "D004]: d.npz: x: expected numbers, got complex128"),
        ({"x": X.astype(str)}, "D004]: d.npz: x: expected numbers, got <U32"),
        ({"x": X.view([("a", float), ("b", float)])}, "D004]: d.npz: x: expected numbers, got [("),
        ({"x": X.astype(object)}, "D002]: d.npz: can't be read: it holds Python objects; numbers"),
        ({"y": np.array(["a", "b"] * 10, object)}, "D002]: d.npz: can't be read: it holds Python"),
        ({"y": Y[:19]}, "D004]: d.npz: y: 19 rows, but x has 20"),
        ({"y": np.zeros((20, 2, 2))}, "D004]: d.npz: y: expected (rows,) or (rows, k), got (20, 2"),
        ({"y": Y.astype("datetime64[s]")}, "D004]: d.npz: y: expected numbers or texts, got datet"),
        ({"w": np.ones((20, 2))}, "D004]: d.npz: sample_weight: expected (rows,), got (20, 2)"),
        ({"w": np.zeros(20)}, "D006]: d.npz: sample_weight: every row weighs 0: nothing is learnt"),
        ({"w": np.arange(20) - 3}, "D006]: d.npz: sample_weight: row 0 (counted from 0) is nega"),
    ],
)
def test_arrays_that_cannot_be_trained_on(named, said, fault, tmp_path):
    assert X.nbytes > arrays.BLOCK_BYTES  # so that rows are counted across blocks
    np.savez(tmp_path / "d.npz", **({"x": X, "y": Y} | named))
    section = {"source": "d.npz"} | ({"sample_weight": "w"} if "w" in named else {})
    told = fault(section)
    assert told.startswith(f"c.yaml:2:11: error[{said}")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("y", "loss", "said"),
    [
        (Y + 1, "BinaryCrossentropy", "labels 1, 2: expected 0, 1, ...; name them in order with "),
        (Y * 2 - 1, "BinaryCrossentropy", "labels -1, 1: expected 0, 1, ...; name them in order "),
        (Y * 2, "SparseCategoricalCrossentropy", "labels 0, 2: expected 0, 1, ...; name them in"),
        (Y + 0.7, "SparseCategoricalCrossentropy", "label 0.7 in row 0 (counted from 0): a class"),
        (Y * 1.7, "BinaryCrossentropy", "label 1.7 in row 10 (counted from 0): a class is a whole"),
        (Y * 0, "BinaryCrossentropy", "only one class in the data, `0`"),
        (Y * 0 + 5, "Hinge", "only one class in the data, `5`"),
        (np.arange(20) % 3, "BinaryCrossentropy", "3 classes: this loss tells two apart; take"),
        (np.arange(20) * 3, "BinaryCrossentropy", "20 different labels from 0 to 57: expected 0"),
        (Y, "CategoricalCrossentropy", "this loss takes rows of 0 and 1: set data.one_hot to true"),
        (np.eye(2)[Y], "SparseCategoricalCrossentropy", "labels have 2 columns: this loss takes "),
        (
            X,
            "CategoricalCrossentropy",
            "label 2 in row 1 (counted from 0): this loss takes numbers",
        ),
        (-X, "BinaryCrossentropy", "label -1 in row 0 (counted from 0): this loss takes numbers"),
    ],
)
def test_labels_that_the_loss_cannot_take(y, loss, said, fault, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=y)
    assert fault({"source": "d.npz"}, loss).startswith(f"c.yaml:7:9: error[D006]: {said}")


def test_labels_suggested_are_labels_that_work(fault, tmp_path):
    """The way out that the message names is one."""
    np.savez(tmp_path / "d.npz", x=X, y=Y + 1)
    assert fault({"source": "d.npz"}).endswith("name them in order with `classes: [1, 2]`")
    path = tmp_path / "c.yaml"
    splits = data.load(*config.load(path, ["data.classes=[1, 2]"]))
    assert splits.form.classes == ("1", "2")


def test_a_class_with_too_few_rows_for_every_split(fault, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=np.arange(20) // 18)
    section = {"source": "d.npz", "split": {"train": 0.6, "validation": 0.2, "test": 0.2}}
    (line,) = fault(section).split("\n")
    assert re.search("no row of class `1` for the (validation|test) split: the source has 2$", line)
    assert line.startswith(("c.yaml:5:17: error[D007]", "c.yaml:6:11: error[D007]"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "D001]: d.npz: no such file"),
        (b"", "D002]: d.npz: can't be read: File is not a zip file"),
        (b"a,b\n1,2\n", "D002]: d.npz: can't be read: File is not a zip file"),
        ({"x.npy": npy(X)}, "D003]: d.npz: no labels: expected an array called `y`"),
        ({"X.npy": npy(X), "y.npy": npy(Y)}, "D003]: d.npz: no array called `x`; did you mean `X`"),
        ({"img.npy": npy(X)}, "D003]: d.npz: no array called `x`; it holds img"),
        ({}, "D003]: d.npz: no array called `x`; it holds none"),
        ({"x.npy": b""}, "D002]: d.npz: can't be read: it is empty"),
        ({"x.npy": b"a,b\n"}, "D002]: d.npz: can't be read: not an array as NumPy saves it"),
        ({"x.npy": header((10**12, 8))}, "D002]: d.npz: can't be read: an array promises 64,000,"),
        ({"x.npy": header((-1, 2))}, "D002]: d.npz: can't be read: "),
        ({"x.npy": header("((" * 40)}, "D002]: d.npz: can't be read: "),
        ({"x.npy": header((10**15, 0)), "y.npy": npy(Y)}, "D004]: d.npz: x: expected (rows, col"),
    ],
)
def test_archives_that_are_none(content, said, fault, tmp_path):
    if isinstance(content, bytes):
        (tmp_path / "d.npz").write_bytes(content)
    elif content is not None:
        with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
            for name, member in content.items():
                archive.writestr(name, member)
    told = fault({"source": "d.npz"})
    assert told.startswith(f"c.yaml:2:11: error[{said}")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "can't be read: it is empty"),
        (b"a,b\n1,2\n", "can't be read: not an array as NumPy saves it"),
        (npy(X)[:-9], "can't be read: an array promises 320 bytes, of at most 311 there"),
        (npy(X)[:30], "can't be read: "),
        (npy(X.astype(object)), "can't be read: it holds Python objects; numbers and texts (`.as"),
        (header((10**12, 8)), "can't be read: an array promises 64,000,000,000,000 bytes, of at"),
    ],
)
@pytest.mark.usefixtures("mapped")
def test_npy_files_that_are_none(content, said, fault, tmp_path):
    (tmp_path / "x.npy").write_bytes(content)
    lines = fault({"source": {"x": "x.npy", "y": "y.npy"}}).split("\n")
    assert lines[0].startswith(f"c.yaml:3:5: error[D002]: x.npy: {said}")
    assert lines[1:] == ["c.yaml:3:5: error[D001]: y.npy: no such file"]


def test_a_file_larger_than_any_memory_is_mapped(tmp_path):
    """Of 17 GiB, most of it a hole."""
    rows = 17 * 1024**3 // 8 // 64
    content = header((rows, 64))[:-64]
    with (tmp_path / "x.npy").open("wb") as file:
        file.write(content)
        file.truncate(len(content) + rows * 64 * 8)
    assert arrays._npy(tmp_path / "x.npy").shape == (rows, 64)  # noqa: SLF001 - the header is what counts


def test_truncated_flipped_and_random_archives(fault, tmp_path):
    """Whatever the damage: whole rows or a DataError, and no other exception."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=X, y=Y)
    whole = buffer.getvalue()
    path = tmp_path / "d.npz"
    path.write_bytes(whole[:-30])
    assert "D002]: d.npz: can't be read: File is not a zip file" in fault({"source": "d.npz"})
    settled, source = config.load(tmp_path / "c.yaml")

    @settings(max_examples=500, derandomize=True, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255), st.booleans())
    def damage(place, bits, cut):
        damaged = bytearray(whole[:place] if cut else whole)
        if not cut:
            damaged[place] ^= bits
        path.write_bytes(damaged)
        try:
            splits = data.load(settled, source)
        except DataError:
            return
        assert sum(map(len, splits.parts().values())) == 20

    damage()


def test_an_encrypted_archive_and_a_bomb(fault, tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((20, 10_000)), y=Y)
    monkeypatch.setattr(arrays, "_BOMB_BYTES", 1_000_000)
    told = fault({"source": "d.npz"})
    assert told.endswith("d.npz: can't be read: `x` unpacks to 1,600,128 bytes: is it a zip bomb?")
    monkeypatch.setattr(arrays, "_BOMB_BYTES", 10**9)
    content = bytearray((tmp_path / "d.npz").read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # says that it is encrypted
        content[content.index(signature) + flags] |= 1
    (tmp_path / "d.npz").write_bytes(content)
    assert "error[D002]: d.npz: can't be read: File 'x.npy' is encrypted" in fault(
        {"source": "d.npz"}
    )


def test_files_are_told_where_the_config_names_them_and_all_at_once(fault, tmp_path):
    np.savez(tmp_path / "val.npz", x=WITH_NAN, y=Y[1:])
    (tmp_path / "test.npz").mkdir()
    parts = {"train": 1, "validation": "val.npz", "test": "test.npz"}
    told = fault({"source": "d.npz", "split": parts}).split("\n")
    assert told == [
        "c.yaml:2:11: error[D001]: d.npz: no such file",
        f"c.yaml:5:17: error[D005]: val.npz: x: {NAN_SAID}",
        "c.yaml:5:17: error[D004]: val.npz: y: 19 rows, but x has 20",
        "c.yaml:6:11: error[D002]: test.npz: can't be read: it is a folder",
    ]


@pytest.mark.parametrize(
    ("labels", "loss", "said"),
    [
        (
            (Y, Y + 1),
            "BinaryCrossentropy",
            "y: row 10 (counted from 0) has the label `2`; expected",
        ),
        (
            (Y, np.array(["a"] * 20)),
            "MeanSquaredError",
            "y: expected numbers, as the training rows",
        ),
        (
            (Y / 2, Y * 2.0),
            "BinaryCrossentropy",
            "y: label 2 in row 10 (counted from 0): this loss",
        ),
        ((Y, np.eye(2)[Y]), "MeanSquaredError", "y: rows of shape (2,), but those of the training"),
    ],
)
def test_rows_of_another_file_are_as_the_training_rows(labels, loss, said, fault, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=labels[0])
    np.savez(tmp_path / "t.npz", x=X, y=labels[1])
    told = fault({"source": "d.npz", "split": {"train": 1, "test": "t.npz"}}, loss)
    assert told.startswith("c.yaml:5:11: error[D00")
    assert f"]: t.npz: {said}" in told


def test_the_nearest_file_is_offered(fault, tmp_path):
    np.savez(tmp_path / "digits.npz", x=X)
    (tmp_path / "digit.npz").mkdir()
    told = fault({"source": "digit5.npz"})
    assert told == "c.yaml:2:11: error[D001]: digit5.npz: no such file; did you mean `digits.npz`?"


def test_inputs_of_another_shape(fault, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    np.savez(tmp_path / "t.npz", x=X[:, :1], y=Y)
    told = fault({"source": "d.npz", "split": {"train": 1, "test": "t.npz"}})
    assert told.endswith("t.npz: x: rows of shape (1,), but those of the training file are (2,)")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(fault, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    (tmp_path / "d.npz").chmod(0)
    assert "error[D002]: d.npz: can't be read: Permission denied" in fault({"source": "d.npz"})


def test_rows_to_predict_need_no_labels_and_come_from_a_file(tmp_path):
    settled, _ = config.load(ROOT / "configs" / "digits.yaml")
    weighted = settled.data.model_copy(update={"sample_weight": "w"})
    settled = settled.model_copy(update={"data": weighted})
    path = tmp_path / "new.npz"
    np.savez(path, x=X, y=np.full(3, np.nan))
    (part,) = data.unlabelled(settled, str(path), data.Preparation()).blocks()
    np.testing.assert_array_equal(part.raw(slice(None)), X)
    with pytest.raises(DataError, match=r"rows\.csv: error\[D004\]: expected an \.npz or \.npy f"):
        data.unlabelled(settled, "rows.csv", data.Preparation())
