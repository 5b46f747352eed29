"""Text to numbers: bit for bit what Keras's TextVectorization makes of it, learnt as it learns."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tftrain.data.table import vectorizer
from tftrain.data.table.vectorizer import from_plain, learn

often = settings(max_examples=30, derandomize=True, deadline=None)

MODES = ("tokens", "multi_hot", "count", "tf_idf")
every_mode = pytest.mark.parametrize("mode", MODES)
every_ngrams = pytest.mark.parametrize("ngrams", [1, 2, 3])

# Upper case that is not ASCII's, a combining mark, emoji of several code points; punctuation
# within and without ASCII; white space that Python's `str.split` knows and TensorFlow does not.
WORDS = [
    "a",
    "B",
    "don't",
    "A-b",
    "É",
    "é",
    "e\u0301",
    "İI",
    "ß",
    "中文",
    "👩‍👩‍👧",
    "«x»",
    "[UNK]",
    "a\0b",
    "a\0",
    "\0",
]
SPACES = [
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\v",
    "\f",
    "\xa0",
    "\u2003",
    "\u2028",
    "\x1c",
    "\x85",
    ".",
]

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


pieces = st.one_of(st.sampled_from(WORDS), st.sampled_from(SPACES), anything)
sentences = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(pieces, max_size=20).map("".join),
)
texts = st.lists(st.one_of(st.none(), sentences), min_size=1, max_size=8)


def without_nul(rows):
    return [row and row.replace("\0", "") for row in rows]


def filled(vectorizer, rows):
    block = np.full((len(rows), vectorizer.width), np.nan, np.float32)
    vectorizer.fill(block, rows)
    return block


def layer_of(vectorizer):
    from tftrain.backend import keras

    return keras.layers.TextVectorization(**vectorizer.arguments())


def tensor(rows):
    from tftrain.backend import tf

    return tf.constant([row or "" for row in rows])


def known(rows, mode, ngrams, *, max_tokens=1_000, length=None):
    """What is learnt of some texts, in two blocks; hypothesis looks for others if they're empty."""
    blocks = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    try:
        return learn(blocks, mode=mode, max_tokens=max_tokens, length=length, ngrams=ngrams)
    except ValueError:
        assume(False)


@every_mode
@every_ngrams
@pytest.mark.usefixtures("tensorflow")
@often
@example(
    train=["a b", "", None, "c " * 5_000], rows=["c B! b\tz", None, "É" * 70_000, ""], length=3
)
@given(train=texts, rows=texts, length=st.integers(1, 30))
def test_fill_is_keras_layer_bit_for_bit(mode, ngrams, train, rows, length):
    vectorizer = known(train, mode, ngrams, length=length, max_tokens=length + 2)
    layer = layer_of(vectorizer)
    for some in (train, rows):
        block = filled(vectorizer, some)
        np.testing.assert_array_equal(block, np.asarray(layer(tensor(some))))
    assert layer.compute_output_shape((7,)) == (7, vectorizer.width)


@every_mode
@every_ngrams
@pytest.mark.usefixtures("tensorflow")
@often
@given(rows=texts.map(without_nul))
def test_learn_is_keras_adapt(mode, ngrams, rows):
    from tftrain.backend import keras

    vectorizer = known(rows, mode, ngrams, max_tokens=9)
    adapted = keras.layers.TextVectorization(
        max_tokens=9, output_mode=vectorizer.arguments()["output_mode"], ngrams=ngrams
    )
    adapted.adapt(tensor(rows))
    assert vectorizer.vocabulary == tuple(adapted.get_vocabulary(include_special_tokens=False))
    if mode == "tf_idf":
        unknown, *idf = adapted._lookup_layer.idf_weights.numpy()  # noqa: SLF001 - Keras has no other
        np.testing.assert_array_max_ulp(vectorizer.idf, np.array(idf), maxulp=1)
        # Keras adds up float32, in TensorFlow's order.
        np.testing.assert_allclose(vectorizer.idf.mean(dtype=np.float64), unknown, rtol=1e-6)


@every_mode
@pytest.mark.usefixtures("tensorflow")
def test_the_layer_in_a_saved_model_does_the_same(mode, tmp_path):
    from tftrain.backend import keras

    rows = ["a b, b\u2028c", "Überaus\xa0fein", "", "a\0b a\0b", None, "a a " * 50]
    vectorizer = known(rows, mode, 2, length=7)
    network = keras.Sequential([keras.Input((1,), dtype="string"), layer_of(vectorizer)])
    network.save(tmp_path / "text.keras")
    loaded = keras.models.load_model(tmp_path / "text.keras")
    for model in (network, loaded):
        outputs = np.asarray(model(tensor(rows)[:, None]))
        np.testing.assert_array_equal(outputs, filled(vectorizer, rows))


@every_mode
def test_json_keeps_every_bit(mode):
    rows = ["a b b c", "c\0d É", ""]
    vectorizer = known(rows, mode, 2)
    kept = json.loads(json.dumps(vectorizer.plain()))
    again = from_plain(kept)
    assert again.plain() == kept == vectorizer.plain()
    assert again.arguments() == vectorizer.arguments()
    np.testing.assert_array_equal(filled(again, rows), filled(vectorizer, rows))


def test_terms_that_a_given_vocabulary_cannot_hold_stay_unknown():
    rows = ["a\0 " * 3 + "\0 a " + "x" * 257 + " " + "y" * 256]
    vectorizer = learn([rows], mode="count", max_tokens=9, length=None, ngrams=1)
    assert vectorizer.vocabulary == ("y" * 256, "a")
    np.testing.assert_array_equal(filled(vectorizer, rows), [[5, 1, 1]])


def test_no_words_are_refused():
    with pytest.raises(ValueError, match="expected words, got none"):
        learn([["", None], [" \t ...", "\0"]], mode="count", max_tokens=9, length=None, ngrams=2)


def test_the_length_is_what_95_percent_of_the_rows_keep_to():
    rows = ["w " * count for count in range(1, 101)]
    assert known(rows, "tokens", 1).length == 95
    assert known(rows, "tokens", 2).length == 189  # 95 words and 94 pairs
    assert known(rows, "tokens", 2, length=4).length == 4
    assert known(rows, "count", 1, length=4).length == 0
    assert known([*[""] * 99, "a"], "tokens", 1).length == 1


def test_a_slice_of_a_wider_matrix_is_written_and_nothing_beside_it():
    rows = ["a b a", "b", "c d e"] * 200
    for mode in MODES:
        vectorizer = known(rows, mode, 1, length=3)
        matrix = np.full((len(rows), vectorizer.width + 2), 7, np.float32)
        vectorizer.fill(matrix[:, 1:-1], rows)
        np.testing.assert_array_equal(matrix[:, 1:-1], filled(vectorizer, rows))
        assert (matrix[:, [0, -1]] == 7).all()


def test_half_a_surrogate_pair_is_punctuation():
    vectorizer = known(["a\ud800b"], "count", 1)
    assert vectorizer.vocabulary == ("ab",)
    np.testing.assert_array_equal(filled(vectorizer, ["ab \udfff"]), [[0, 1]])


def test_of_very_many_terms_the_rare_ones_are_forgotten(monkeypatch):
    """One frequent word in each row, and a stream of words that are there once."""
    rows = [f"often{row % 5} once{row} twice{row // 2}" for row in range(20_000)]
    exact = known(rows, "tf_idf", 1, max_tokens=6)
    monkeypatch.setattr(vectorizer, "_MOST_COUNTED", 1_000)
    census = vectorizer._Census(1_000)  # noqa: SLF001 - how much it holds is not to be seen
    for start in range(0, len(rows), 100):
        census.add([row.encode().split() for row in rows[start : start + 100]])
        assert len(census._places) <= 1_000  # noqa: SLF001
    census.add([[str(row).encode() * 1_000] for row in range(1_000, 1_200)])
    assert max(map(len, census._places)) < 20  # noqa: SLF001
    forgetful = known(rows, "tf_idf", 1, max_tokens=6)
    assert forgetful.plain() == exact.plain()
    assert set(exact.vocabulary) == {f"often{which}" for which in range(5)}


@pytest.mark.slow
def test_real_reviews_reach_the_baseline(real_data):
    """TF-IDF and logistic regression on the given split: 0.791; the larger class alone: 0.658.

    The baseline knows nothing of unknown words; here they are most of a row's length.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    parts = {}
    for name in ("train", "test"):
        with (real_data / "fine_foods_reviews" / f"{name}.csv").open(newline="") as file:
            read = list(csv.DictReader(file))
        parts[name] = [row["review"] for row in read], [row["score"] for row in read]
    train, test = parts["train"], parts["test"]
    vectorizer = learn([train[0]], mode="tf_idf", max_tokens=5_000, length=None, ngrams=2)
    inputs, others = (normalize(filled(vectorizer, part[0])[:, 1:]) for part in (train, test))
    model = LogisticRegression(C=10).fit(inputs, train[1])
    assert model.score(others, test[1]) >= 0.79
