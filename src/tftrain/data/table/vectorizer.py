"""A column of text in, numbers out: Keras's TextVectorization without TensorFlow.

What Keras 3.15 does, found in its source and by trying: upper case of ASCII alone becomes lower,
ASCII's punctuation is deleted (so `don't` is one word and `a<br />b` is `abr` and `b`), and only
ASCII's six white spaces part words. All of that is about single bytes of UTF-8, which is why the
work is done on bytes: it is quicker than on `str`, whose own `lower` and `split` know too much.
"""

from __future__ import annotations

import heapq
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress, count, islice, repeat
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Mode = Literal["tokens", "multi_hot", "count", "tf_idf"]

MOST_NGRAMS = 5
_LOWER = bytes(range(256)).lower()
_PUNCTUATION = string.punctuation.encode()  # exactly what Keras's pattern names
_ROWS = 256  # whose words are held in memory at a time
_LONGEST = 256  # bytes of a term: Keras pads a vocabulary to its longest, four bytes a character
_MOST_COUNTED = 1_000_000  # distinct terms, in about 150 MB
_ENOUGH = 0.95  # of the training rows are not cut


@dataclass(frozen=True)
class Vectorizer:
    """What a text goes through before the network.

    Args:
        mode: `tokens`: the numbers of the words in their order, 0 where there are no more, 1 for
            unknown words; others: a column for all unknown words, then one for each known.
        vocabulary: the most frequent first; Keras's own `""` and `[UNK]` are not in it.
        idf: for `tf_idf`, float32, what a word's count is multiplied by.
        length: for `tokens`, to which rows are cut or filled up; 0 otherwise.
        ngrams: 1 for words, 2 for words and pairs of them, and so on.
    """

    mode: Mode
    vocabulary: tuple[str, ...]
    idf: NDArray[np.float32] | None
    length: int
    ngrams: int

    @property
    def width(self) -> int:
        """How many columns a text becomes."""
        return self.length if self.mode == "tokens" else len(self.vocabulary) + 1

    def fill(self, block: NDArray[np.float32], texts: Sequence[str | None]) -> None:
        """Writes what Keras's layer makes of some texts.

        Args:
            block: of shape (texts, width); whatever it holds is overwritten.
            texts: a missing one is an empty one.
        """
        for start in range(0, len(texts), _ROWS):
            self._fill(block[start : start + _ROWS], texts[start : start + _ROWS])

    def _fill(self, block: NDArray[np.float32], texts: Sequence[str | None]) -> None:
        tokens = self.mode == "tokens"
        terms = [_terms(text, self.ngrams, self.length if tokens else None) for text in texts]
        lengths = np.fromiter(map(len, terms), np.int64, len(terms))
        rows = np.repeat(np.arange(len(terms)), lengths)
        found = map(self._places.get, chain.from_iterable(terms), repeat(1 if tokens else 0))
        places = np.fromiter(found, np.int64, len(rows))
        block[...] = 0
        if tokens:
            starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
            block[rows, np.arange(len(rows)) - starts] = places
        elif self.mode == "multi_hot":
            block[rows, places] = 1
        else:
            cells, times = np.unique(rows * self.width + places, return_counts=True)
            rows, places = np.divmod(cells, self.width)
            values = times.astype(np.float32)
            if self._weights is not None:
                values *= self._weights[places]
            block[rows, places] = values

    @cached_property
    def _places(self) -> dict[bytes, int]:
        first = 2 if self.mode == "tokens" else 1
        return {term.encode(): place for place, term in enumerate(self.vocabulary, first)}

    @cached_property
    def _weights(self) -> NDArray[np.float32] | None:
        """By column: unknown words weigh what known ones do on average, as Keras has it."""
        if self.idf is None:
            return None
        return np.append(self.idf.mean(dtype=np.float64).astype(np.float32), self.idf)

    def plain(self) -> dict[str, Any]:
        """What a run keeps of it; JSON keeps every bit."""
        idf = None if self.idf is None else self.idf.tolist()
        kept = {"mode": self.mode, "vocabulary": list(self.vocabulary), "idf": idf}
        return kept | {"length": self.length, "ngrams": self.ngrams}

    def arguments(self) -> dict[str, Any]:
        """The arguments of `keras.layers.TextVectorization` that make it do the same.

        Keras's own terms are given as well: otherwise it works out the unknown words' weight
        itself, with other last bits.
        """
        tokens = self.mode == "tokens"
        return {
            "standardize": "lower_and_strip_punctuation",
            "split": "whitespace",
            "ngrams": self.ngrams if self.ngrams > 1 else None,
            "output_mode": "int" if tokens else self.mode,
            "output_sequence_length": self.length if tokens else None,
            "vocabulary": [*([""] if tokens else []), "[UNK]", *self.vocabulary],
            "idf_weights": None if self._weights is None else self._weights.tolist(),
        }


def from_plain(value: Mapping[str, Any]) -> Vectorizer:
    """The vectorizer that `Vectorizer.plain` kept.

    Raises:
        ValueError, TypeError, LookupError: when it is not that.
    """
    vocabulary, length, ngrams = tuple(value["vocabulary"]), value["length"], value["ngrams"]
    with np.errstate(over="ignore"):
        idf = None if value["idf"] is None else np.array(value["idf"], np.float32)
    mode = get_args(Mode)[get_args(Mode).index(value["mode"])]
    counted = all(type(one) is int for one in (length, ngrams)) and 1 <= ngrams <= MOST_NGRAMS
    weighed = mode != "tf_idf" or (
        idf is not None and idf.shape == (len(vocabulary),) and bool(np.isfinite(idf).all())
    )
    long = length > 0 if mode == "tokens" else length == 0
    if not (counted and weighed and long and all(isinstance(term, str) for term in vocabulary)):
        raise ValueError("a column of text that nothing makes")
    return Vectorizer(mode, vocabulary, idf if mode == "tf_idf" else None, length, ngrams)


def learn(
    texts: Iterable[Sequence[str | None]],
    *,
    mode: Mode,
    max_tokens: int,
    length: int | None,
    ngrams: int,
) -> Vectorizer:
    """The vectorizer of some rows, read once, block by block, as Keras's `adapt` learns it.

    Two kinds of terms are left unknown although `adapt` would take them, for a layer that is given
    its vocabulary can't hold them: those that end in NUL, which NumPy cuts off, and those of more
    than 256 bytes. Of more than a million distinct terms (and four times `max_tokens`) the rarer
    half is forgotten as the rows are read, as word2vec and fastText do.

    Args:
        texts: the training rows; a missing text is an empty one.
        mode: see `Vectorizer`.
        max_tokens: Keras's: its own terms, two for `tokens` and else one, count as well.
        length: for `tokens`; None for one that 95 % of the rows keep to.
        ngrams: see `Vectorizer`.

    Raises:
        ValueError: when there is not a single term to learn; Keras has no empty vocabulary.
    """
    tokens = mode == "tokens"
    census = _Census(max(_MOST_COUNTED, 4 * max_tokens))
    for block in texts:
        for start in range(0, len(block), _ROWS):
            census.add([_terms(text, ngrams) for text in block[start : start + _ROWS]])
    terms = census.most_frequent(max_tokens - (2 if tokens else 1))
    if not terms:
        raise ValueError("expected words, got none")
    return Vectorizer(
        mode=mode,
        vocabulary=tuple(term.decode() for term in terms),
        idf=census.idf(terms) if mode == "tf_idf" else None,
        length=(length or census.length()) if tokens else 0,
        ngrams=ngrams,
    )


class _Census:
    """Terms, counted: all together, and by the number of rows that have them.

    Counts lie in arrays, at places that a dictionary gives out in the order of first being seen.
    """

    def __init__(self, most: int) -> None:
        self.lengths: Counter[int] = Counter()
        self._most = most
        self._places = defaultdict[bytes, int](count().__next__)
        self._bytes = 0  # of all terms
        self._counts = np.zeros((2, 0), np.int64)  # everywhere; rows

    def add(self, terms: list[list[bytes]]) -> None:
        lengths = list(map(len, terms))
        self.lengths.update(lengths)
        before = len(self._places)
        found = map(self._places.__getitem__, chain.from_iterable(terms))
        places = np.fromiter(found, np.int64, sum(lengths))
        distinct = len(self._places)
        self._bytes += sum(map(len, islice(reversed(self._places), distinct - before)))
        if distinct > self._counts.shape[1]:
            more = np.zeros((2, 2 * distinct - self._counts.shape[1]), np.int64)
            self._counts = np.hstack([self._counts, more])
        rows = np.repeat(np.arange(len(terms)), lengths)
        cells, times = np.unique(rows * distinct + places, return_counts=True)
        np.add.at(self._counts[0], cells % distinct, times)
        np.add.at(self._counts[1], cells % distinct, 1)
        if distinct > self._most or self._bytes > self._most * _LONGEST:
            self._forget()

    def _forget(self) -> None:
        """Keeps the more frequent half, and of equally frequent terms those seen earlier."""
        sizes = np.fromiter(map(len, self._places), np.int64, len(self._places))
        short = sizes <= _LONGEST
        kept = np.zeros(len(sizes), np.bool_)
        order = np.argsort(-self._counts[0, : len(sizes)] * short, kind="stable")
        kept[order[: self._most // 2]] = True
        kept &= short
        known = zip(compress(self._places, kept), count(), strict=False)
        self._places = defaultdict(count(int(kept.sum())).__next__, known)
        self._bytes = int(sizes[kept].sum())
        self._counts = self._counts[:, : len(kept)][:, kept]

    def most_frequent(self, most: int) -> list[bytes]:
        """Equally frequent ones from the last to the first of the alphabet, as Keras has them."""
        fit = (
            (times, term)
            for times, term in zip(self._counts[0].tolist(), self._places, strict=False)
            if len(term) <= _LONGEST and not term.endswith(b"\0")
        )
        return [term for _, term in heapq.nlargest(most, fit)]

    def idf(self, terms: list[bytes]) -> NDArray[np.float32]:
        """Keras's formula, and its steps: float64 until the end."""
        rows = self._counts[1, [self._places[term] for term in terms]]
        return np.log(1 + self.lengths.total() / (1 + rows)).astype(np.float32)

    def length(self) -> int:
        lengths, rows = list(self.lengths), list(self.lengths.values())
        enough = np.quantile(lengths, _ENOUGH, weights=rows, method="inverted_cdf")
        return max(1, int(enough))


def _terms(text: str | None, ngrams: int, most: int | None = None) -> list[bytes]:
    """A text's words, then its pairs of words, and so on.

    Args:
        text: half a surrogate pair, which no tensor can hold, counts as punctuation.
        ngrams: how many words one term has at most.
        most: how many terms are wanted; a longer text is not split to its end.
    """
    encoded = (text or "").encode(errors="replace").translate(_LOWER, _PUNCTUATION)
    words = encoded.split(None, -1 if most is None else most)
    terms = words
    for size in range(2, ngrams + 1):
        runs = zip(*(words[start:] for start in range(size)), strict=False)
        terms = terms + list(map(b" ".join, runs))
    return terms[:most]
