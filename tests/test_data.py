"""Every source of rows, as what a network is trained on: against NumPy's and scikit-learn's own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import datasets
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from tftrain import config, data
from tftrain.config import headers
from tftrain.data import arrays, scaling
from tftrain.data.split import shares, split
from tftrain.errors import DataError

rng = np.random.default_rng(7)
X = rng.normal(3, 2, (60, 4))
Y = np.repeat([0, 1, 2], 20)


@pytest.fixture
def load(tmp_path):
    """Loads rows by a config of the given `data` section."""

    def loaded(section, loss="SparseCategoricalCrossentropy", **training):
        whole = {
            "data": section,
            "model": {"layers": ["Flatten"]},
            "training": {"loss": loss, "epochs": 1, **training},
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(whole))
        return data.load(*config.load(path))

    return loaded


def everything(splits):
    """All rows of all parts as they were in the source: inputs and labels."""
    parts = splits.parts().values()
    order = np.argsort(np.concatenate([part.rows for part in parts]))
    inputs = np.concatenate([part.raw(slice(None)) for part in parts])[order]
    return inputs, np.concatenate([part.labels for part in parts])[order]


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("digits", "SparseCategoricalCrossentropy"),
        ("iris", "SparseCategoricalCrossentropy"),
        ("wine", "SparseCategoricalCrossentropy"),
        ("breast_cancer", "BinaryCrossentropy"),
        ("diabetes", "MeanSquaredError"),
        ("linnerud", "MeanSquaredError"),
    ],
)
def test_bundled_sets_are_scikit_learns(name, loss, load):
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(**options)
    splits = load({"source": name}, loss)
    inputs, labels = everything(splits)
    np.testing.assert_array_equal(inputs, bunch.data.astype(np.float32))
    np.testing.assert_array_equal(labels, bunch.target.astype(labels.dtype))
    assert labels.dtype == (np.float32 if loss == "MeanSquaredError" else np.int32)
    if splits.form.classes is not None:
        assert splits.form.classes == tuple(str(label) for label in bunch.target_names)


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("ROWS.NPZ", "ROW.NPZ"),
        ({"x": "INPUTS.NPY", "y": "Labels.Npy"}, {"x": "INPUT.NPY", "y": "Labels.Npy"}),
    ],
)
def test_endings_are_read_in_capitals_too(source, missing, load, tmp_path):
    np.savez(tmp_path / "d.npz", a=X, y=Y)
    (tmp_path / "d.npz").rename(tmp_path / "ROWS.NPZ")
    for name, array in (("INPUTS.NPY", X), ("Labels.Npy", Y)):
        with (tmp_path / name).open("wb") as file:
            np.save(file, array)
    names = {"x": "a"} if isinstance(source, str) else {}
    np.testing.assert_array_equal(everything(load({"source": source, **names}))[1], Y)
    assert headers.known(config.load(tmp_path / "config.yaml")[0])[0].inputs == (4,)
    with pytest.raises(DataError, match=r"did you mean `(ROWS\.NPZ|INPUTS\.NPY)`"):
        load({"source": missing, **names})


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int64, bool])
def test_npz_and_npy_files_give_their_rows(dtype, load, tmp_path):
    x, y = X.astype(dtype), Y.reshape(-1, 1)
    np.savez_compressed(tmp_path / "d.npz", x=x, y=y, other=[object()])
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    np.save(tmp_path / "y.npy", y.astype(">f4"))
    for source in ("d.npz", {"x": "x.npy", "y": "y.npy"}):
        inputs, labels = everything(load({"source": source}))
        np.testing.assert_array_equal(inputs, x.astype(np.float32))
        np.testing.assert_array_equal(labels, Y)


def test_images_and_names_inside_an_archive(load, tmp_path):
    images = rng.integers(0, 256, (60, 5, 6, 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", pictures=images, kinds=Y, w=np.arange(60.0)[:, None])
    names = {"x": "pictures", "y": "kinds", "sample_weight": "w"}
    splits = load({"source": "d.npz", **names})
    assert splits.form == data.Form((5, 6, 3), (), ("0", "1", "2"))
    np.testing.assert_array_equal(everything(splits)[0], images)
    np.testing.assert_array_equal(splits.train.weights, splits.train.rows.astype(np.float32))


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (np.array(["ox", "cat", "cow"])[Y], ("cat", "cow", "ox")),
        (np.array([b"ox", b"\xff", b"\xfe"])[Y], ("ox", "\\xfe", "\\xff")),
        (Y == 1, ("false", "true")),
        (Y.astype(np.float32), ("0", "1", "2")),
        (Y.astype(np.uint8), ("0", "1", "2")),
    ],
    ids=["texts", "bytes", "bools", "floats", "uint8"],
)
def test_labels_of_any_kind_become_class_numbers(written, classes, load, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=written)
    splits = load({"source": "d.npz"})
    assert splits.form.classes == classes
    _, labels = everything(splits)
    texts = np.array([data.labels.as_texts(written, None)]).ravel()
    assert [classes[number] for number in labels] == texts.tolist()


def test_classes_are_chosen_and_ordered(load, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y + 0.5)
    section = {"source": "d.npz", "classes": [2.5, 0.5], "one_hot": True}
    splits = load(section, "CategoricalCrossentropy")
    assert splits.form == data.Form((4,), (2,), ("2.5", "0.5"))
    inputs, labels = everything(splits)
    np.testing.assert_array_equal(inputs, np.delete(X, np.s_[20:40], 0).astype(np.float32))
    np.testing.assert_array_equal(labels, np.repeat([[0, 1], [1, 0]], 20, axis=0))
    np.savez(tmp_path / "d.npz", x=X, y=Y.astype(np.float32) / 10)
    assert load({"source": "d.npz", "classes": [0, 0.1]}).form.classes == ("0", "0.1")


@pytest.mark.parametrize(
    ("written", "positive", "classes"),
    [
        (np.array(["yes", "no"])[Y % 2], "yes", ("no", "yes")),
        (np.array(["yes", "no"])[Y % 2], "no", ("yes", "no")),
        (Y % 2 == 0, False, ("true", "false")),
        (1.0 + Y % 2, 1, ("2", "1")),
    ],
)
def test_the_positive_class_is_class_1(written, positive, classes, load, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=written)
    splits = load({"source": "d.npz", "positive": positive}, "BinaryCrossentropy")
    assert splits.form.classes == classes
    np.testing.assert_array_equal(everything(splits)[1], written == positive)
    splits = load({"source": "breast_cancer", "positive": "malignant"}, "BinaryCrossentropy")
    assert splits.form.classes == ("benign", "malignant")


def test_labels_that_stay_as_they_are(load, tmp_path):
    for y, loss in (
        (np.where(Y > 0, 1, -1), "Hinge"),
        (np.linspace(0, 1, 60), "BinaryCrossentropy"),
        (rng.dirichlet([1, 1, 1], 60), "CategoricalCrossentropy"),
        (rng.normal(size=(60, 2)), "MeanSquaredError"),
        (rng.integers(0, 2, (60, 3)), "BinaryCrossentropy"),
    ):
        np.savez(tmp_path / "d.npz", x=X, y=y)
        splits = load({"source": "d.npz"}, loss)
        labels = everything(splits)[1]
        expected = (y + 1) // 2 if loss == "Hinge" else y.astype(np.float32)
        np.testing.assert_array_equal(labels, expected)
        assert splits.form.classes == (("-1", "1") if loss == "Hinge" else None)


def test_validation_and_test_rows_from_files(load, tmp_path):
    np.savez(tmp_path / "train.npz", x=X, y=np.array(["a", "b", "c"])[Y])
    np.savez(tmp_path / "val.npz", x=X[::-1], y=np.array(["a", "b", "c"])[Y[::-1]])
    np.save(tmp_path / "x.npy", X[:5] * 10)
    np.save(tmp_path / "y.npy", np.array(["c"] * 5))
    parts = {"train": 1, "validation": "val.npz", "test": {"x": "x.npy", "y": "y.npy"}}
    splits = load({"source": "train.npz", "split": parts, "scaling": "standardize"})
    assert [len(part) for part in splits.parts().values()] == [60, 60, 5]
    forwards, backwards = splits.train, splits.validation
    np.testing.assert_array_equal(forwards.raw(slice(None)), backwards.raw(slice(None))[::-1])
    np.testing.assert_array_equal(forwards.labels, backwards.labels[::-1])
    np.testing.assert_array_equal(splits.test.labels, [2] * 5)
    scaled = splits.preparation.scaling.apply(X[:5] * 10)
    np.testing.assert_array_equal(splits.test.raw(slice(None)), scaled)


groups_of_rows = st.lists(st.integers(0, 4), min_size=1, max_size=300).map(np.array)
parts_of_rows = st.lists(st.integers(1, 50), min_size=1, max_size=4)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(groups_of_rows, parts_of_rows, st.integers(0, 2**32 - 1))
@example(np.array([0]), [1, 1, 1], 0)
@example(np.repeat([0, 1], [2, 3]), [4, 1, 8, 4], 0)  # a row makes way for another
@example(np.repeat(np.arange(6), [6, 4, 7, 6, 3, 6]), [7, 6, 6, 2], 0)  # and that for a third
def test_a_split_takes_each_row_once_and_each_class_in_proportion(groups, parts, seed):
    fractions = np.array(parts) / sum(parts)
    pieces = split(groups, fractions, seed)
    sizes = np.bincount(groups)
    np.testing.assert_array_equal(shares(sizes, fractions).sum(axis=1), sizes)
    np.testing.assert_array_equal(np.sort(np.concatenate(pieces)), np.arange(len(groups)))
    for piece, fraction in zip(pieces, fractions, strict=True):
        assert (np.diff(piece) > 0).all()
        assert abs(len(piece) - len(groups) * fraction) < 1 + 1e-6
        for group in np.unique(groups):
            share = (groups == group).sum() * fraction
            assert abs((groups[piece] == group).sum() - share) < 1 + 1e-6
    again = split(groups, fractions, seed)
    assert all(np.array_equal(one, other) for one, other in zip(pieces, again, strict=True))


@pytest.mark.parametrize("last", [0.2000009, 0.1999991])
def test_fractions_a_little_off_leave_no_row_out(last):
    pieces = split(np.zeros(2_000_000, np.int64), [0.6, 0.2, last], 0)
    sizes = [len(piece) for piece in pieces]
    assert sum(sizes) == 2_000_000
    np.testing.assert_allclose(sizes, [1_200_000, 400_000, 400_000], atol=2)


def test_another_seed_is_another_split():
    groups = np.repeat([0, 1], 50)
    first, other = (split(groups, [0.5, 0.5], seed)[0] for seed in (0, 1))
    assert not np.array_equal(first, other)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(4, 60), min_size=2, max_size=5), st.sampled_from([0.2, 0.25, 0.5]))
def test_as_many_rows_of_each_class_as_scikit_learn_takes(sizes, test):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    chosen = int(np.floor(len(groups) * test + 0.5))
    splitter = StratifiedShuffleSplit(1, test_size=chosen, random_state=0)
    _, theirs = next(splitter.split(groups, groups))
    ours = shares(np.array(sizes), np.array([1 - test, test]))[:, 1]
    assert abs(ours.sum() - chosen) <= 1
    assert (np.abs(ours - np.bincount(groups[theirs])) <= 1).all()


@pytest.mark.parametrize(
    ("kind", "theirs"), [("standardize", StandardScaler), ("rescale", MinMaxScaler)]
)
def test_scaling_is_scikit_learns_learnt_on_the_training_rows(
    kind, theirs, load, tmp_path, monkeypatch
):
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 200)  # a few rows a block
    x = X * [1, 1e3, 1e-3, 0] + [0, 1e4, 0, 5]  # the last column is constant
    np.savez(tmp_path / "d.npz", x=x, y=Y)
    splits = load({"source": "d.npz", "scaling": kind})
    fitted = theirs().fit(x[splits.train.rows])
    for part in splits.parts().values():
        scaled = part.raw(slice(None))
        assert scaled.dtype == np.float32
        # float32 keeps seven digits of 1e4 against a deviation of 2e3
        np.testing.assert_allclose(scaled, fitted.transform(x[part.rows]), atol=2e-6)
        np.testing.assert_array_equal(scaled[:, 3], 0)
    assert splits.preparation.scaling.constant == 1
    others = np.setdiff1d(np.arange(60), splits.train.rows)
    x[others] = rng.normal(1e6, 1e5, (len(others), 4))
    np.savez(tmp_path / "d.npz", x=x, y=Y)
    again = load({"source": "d.npz", "scaling": kind}).preparation.scaling
    np.testing.assert_array_equal(again.first, splits.preparation.scaling.first)
    np.testing.assert_array_equal(again.second, splits.preparation.scaling.second)


def test_an_image_is_scaled_as_a_whole_and_by_given_numbers(load, tmp_path):
    images = rng.integers(0, 256, (60, 3, 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=Y)
    splits = load({"source": "d.npz", "scaling": "standardize"})
    scaled = splits.train.raw(slice(None))
    assert splits.preparation.scaling.first.shape == ()
    assert abs(scaled.mean()) < 1e-6
    assert abs(scaled.std() - 1) < 1e-6
    given_ = load({"source": "d.npz", "scaling": {"rescale": {"scale": 0.5, "offset": -1}}})
    np.testing.assert_array_equal(everything(given_)[0], images * 0.5 - 1)
    kept = scaling.from_arrays(splits.preparation.scaling.arrays())
    np.testing.assert_array_equal(kept.apply(images), splits.preparation.scaling.apply(images))


def test_class_weights_are_scikit_learns_or_those_given(load, tmp_path):
    y = np.repeat([0, 1, 2], [10, 20, 30])
    np.savez(tmp_path / "d.npz", x=X, y=y, w=np.arange(60) / 4)
    splits = load({"source": "d.npz"}, class_weight="balanced")
    learnt = y[splits.train.rows]
    by_class = compute_class_weight("balanced", classes=np.unique(y), y=learnt)
    np.testing.assert_allclose(splits.weighted.weights, by_class[learnt], rtol=1e-6)
    assert splits.train.weights is None
    both = load({"source": "d.npz", "sample_weight": "w"}, class_weight={1: 2, "2": 0.5})
    expected = both.train.rows / 4 * np.array([1, 2, 0.5])[y[both.train.rows]]
    np.testing.assert_array_equal(both.weighted.weights, expected.astype(np.float32))
    np.testing.assert_array_equal(both.train.weights, (both.train.rows / 4).astype(np.float32))


def test_a_file_on_the_disk_gives_what_one_in_memory_does(load, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    section = {"source": {"x": "x.npy", "y": "y.npy"}, "scaling": "standardize"}
    memory = load(section)
    monkeypatch.setattr(arrays, "MAPPED_BYTES", 0)
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 100)
    disk = load(section)
    assert isinstance(disk.train.inputs, np.memmap)
    assert not isinstance(memory.train.inputs, np.memmap)
    assert disk.fingerprint == memory.fingerprint
    positions = rng.permutation(len(disk.train))
    for one, other in zip(disk.train.take(positions), memory.train.take(positions), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_come_in_the_order_asked_for(load, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y, w=np.arange(60))
    part = load({"source": "d.npz", "sample_weight": "w"}).train
    positions = np.array([5, 0, 5, 3])
    inputs, labels, weights = part.take(positions)
    rows = part.rows[positions]
    np.testing.assert_array_equal(inputs, X[rows].astype(np.float32))
    np.testing.assert_array_equal(labels, Y[rows])
    np.testing.assert_array_equal(weights, rows)
    thin = part.thinned(7)
    assert len(thin) == 7
    np.testing.assert_array_equal(thin.take(slice(None))[0], X[thin.rows].astype(np.float32))


@pytest.mark.parametrize("changed", ["x", "y", "rows"])
def test_the_fingerprint_tells_other_data(changed, load, tmp_path):
    arrays_ = {"x": X.copy(), "y": Y.copy()}
    np.savez(tmp_path / "d.npz", **arrays_)
    numbers = "MeanSquaredError"  # so that the labels have no say in the split
    before = load({"source": "d.npz"}, numbers).fingerprint
    assert load({"source": "d.npz"}, numbers).fingerprint == before
    section = {"source": "d.npz"}
    if changed == "rows":
        section["split"] = {"train": 0.5, "test": 0.5}
    else:
        arrays_[changed][[0, 59]] = arrays_[changed][[59, 0]]
        np.savez(tmp_path / "d.npz", **arrays_)
    assert load(section, numbers).fingerprint != before


def test_parts_cannot_be_changed(load, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    splits = load({"source": "d.npz"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        splits.train.rows = None
    before = splits.train.inputs.copy()
    splits.train.take(slice(None))[0][:] = 0
    np.testing.assert_array_equal(splits.train.inputs, before)
