"""What the headers of data files tell, against the rows themselves."""

from __future__ import annotations

import io
from dataclasses import fields

import numpy as np
import pytest
from numpy.lib import format as npy

from tftrain import config, data
from tftrain.config import headers
from tftrain.errors import DataError

CONFIG = """\
data: {{{data}}}
model: {{layers: [{{Dense: {{units: 1}}}}]}}
training: {{loss: {loss}, epochs: 1}}
"""
CHANCE = np.random.default_rng(0)
ROWS = CHANCE.normal(size=(40, 5))
NUMBERS = CHANCE.normal(size=40)
CLASSES = np.arange(40) % 4
BINARY = np.arange(40) % 2
WORDS = np.array(["no", "yes"])[BINARY]


@pytest.fixture
def load(tmp_path):
    """A config over arrays that are saved as `rows.npz`, or each as a file of its own."""

    def load(arrays, loss="mse", given="source: rows.npz"):
        np.savez_compressed(tmp_path / "rows.npz", **arrays)
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        path = tmp_path / "c.yaml"
        path.write_text(CONFIG.format(data=given, loss=loss))
        return config.load(path)

    return load


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i1", "u2", "?", "U7", "S3", "c16", "<f2"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_a_header_says_what_numpy_reads(dtype, version, tmp_path):
    array = np.zeros((3, 2, 1), dtype, order="F")
    file = io.BytesIO()
    npy.write_array(file, array, version)
    file.seek(0)
    header = headers._header(file, tmp_path)  # noqa: SLF001 - what all else stands on
    assert (header.shape, header.kind) == (array.shape, array.dtype.kind)
    assert header.dtype == str(array.dtype)


@pytest.mark.parametrize(
    ("labels", "loss", "more"),
    [
        (NUMBERS, "mse", ""),
        (NUMBERS[:, None], "mse", ""),
        (ROWS[:, :2], "mse", ""),
        (np.eye(4)[CLASSES], "CategoricalCrossentropy", ""),
        (CLASSES, "SparseCategoricalCrossentropy", ""),
        (CLASSES, "CategoricalCrossentropy", ", one_hot: true"),
        (CLASSES, "SparseCategoricalCrossentropy", ", classes: [0, 2, 3]"),
        (BINARY, "BinaryCrossentropy", ""),
        (BINARY.astype(float), "BinaryCrossentropy", ""),
        (abs(np.sin(NUMBERS)), "BinaryCrossentropy", ""),
        (WORDS, "BinaryCrossentropy", ""),
        (BINARY == 1, "mse", ""),
    ],
)
@pytest.mark.parametrize("source", ["rows.npz", "{x: x.npy, y: y.npy}"])
def test_what_is_known_is_what_the_rows_are(labels, loss, more, source, load):
    given = f"source: {source}{more}, split: {{train: 0.63, validation: 0.2, test: 0.17}}"
    settings, written = load({"x": ROWS, "y": labels}, loss, given)
    known, faults = headers.known(settings)
    true = data.facts(settings, data.load(settings, written))
    assert faults == []
    assert known.inputs == (5,)
    assert "classes" in more or known.rows == true.rows
    for field in fields(known):
        value = getattr(known, field.name)
        assert value in (None, getattr(true, field.name)), field.name


@pytest.mark.parametrize(
    ("arrays", "given", "code"),
    [
        ({"x": ROWS, "y": NUMBERS[1:]}, "source: rows.npz", "D004"),
        ({"x": ROWS, "y": NUMBERS[1:]}, "source: {x: x.npy, y: y.npy}", "D004"),
        ({"x": ROWS[0], "y": NUMBERS}, "source: rows.npz", "D004"),
        ({"x": ROWS[:0], "y": NUMBERS[:0]}, "source: rows.npz", "D007"),
        ({"x": ROWS.astype(str), "y": NUMBERS}, "source: rows.npz", "D004"),
        ({"x": ROWS.astype(object), "y": NUMBERS}, "source: rows.npz", "D002"),
        ({"x": ROWS}, "source: rows.npz", "D003"),
        ({"x": ROWS}, "source: x.npy", "D003"),
        ({"x": ROWS, "y": NUMBERS}, "source: rows.npz, x: inputs", "D003"),
        ({"x": ROWS, "y": NUMBERS}, "source: rows.npz, sample_weight: w", "D003"),
        ({"x": ROWS, "y": NUMBERS, "w": abs(ROWS)}, "source: rows.npz, sample_weight: w", "D004"),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_who_reads_the_rows(arrays, given, code, load):
    settings, written = load(arrays, given=given)
    _, faults = headers.known(settings)
    with pytest.raises(DataError) as raised:
        data.load(settings, written)
    assert [written.problem(*fault) for fault in faults] == list(raised.value.problems)
    assert {fault[1] for fault in faults} == {code}


def test_weights_may_be_a_column(load):
    given = "source: rows.npz, sample_weight: w"
    settings, _ = load({"x": ROWS, "y": NUMBERS, "w": abs(ROWS[:, :1])}, given=given)
    assert headers.known(settings)[1] == []


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"PK", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00\x01\x00{"),
        b"\x93NUMPY\x01\x00\x02\x00{}",
        b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000,
        b"\x93NUMPY\x01\x00\x34\x00" + b"{'descr': 5, 'fortran_order': False, 'shape': ('a',)}",
    ],
)
def test_what_can_not_be_made_out_stays_unknown(content, load, tmp_path):
    settings, _ = load({"x": ROWS, "y": NUMBERS}, given="source: {x: x.npy, y: y.npy}")
    (tmp_path / "x.npy").write_bytes(content)
    known, faults = headers.known(settings)
    assert (known.inputs, faults) == (None, [])
    settings, _ = load({"x": ROWS, "y": NUMBERS})
    (tmp_path / "rows.npz").write_bytes(content)
    assert [fault[1] for fault in headers.known(settings)[1]] == ["D002"]
