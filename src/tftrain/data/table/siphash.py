"""Texts in, bins out: SipHash-2-4, which Keras's Hashing layer uses where it is given a salt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SALT = (0x746674, 0x7261696E)  # any two numbers; part of every exported model
_WORD = 8  # bytes
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)

Words = NDArray[np.uint64]


def bins_of(texts: Sequence[str], bins: int) -> NDArray[np.int64]:
    """The place of each text among so many bins; those of as many words are worked out together.

    Source: Aumasson, Bernstein (2012), SipHash: a fast short-input PRF.
    """
    given = [text.encode() for text in texts]
    lengths = np.fromiter(map(len, given), np.int64, len(given)) // _WORD
    found = np.empty(len(given), np.int64)
    for length in np.unique(lengths).tolist():
        which = np.flatnonzero(lengths == length)
        padded = b"".join(
            given[place].ljust(_WORD * length + _WORD - 1, b"\0") + bytes([len(given[place]) % 256])
            for place in which.tolist()
        )
        words = np.frombuffer(padded, "<u8").astype(np.uint64).reshape(len(which), length + 1)
        found[which] = (_hashed(words) % np.uint64(bins)).astype(np.int64)
    return found


def _hashed(texts: Words) -> Words:
    """Of texts as rows of 64-bit words; numbers wrap around at their end."""
    state = [
        np.full(len(texts), salt ^ start, np.uint64)
        for salt, start in zip((*SALT, *SALT), _START, strict=True)
    ]
    for words in texts.T:
        state[3] ^= words
        _rounds(state, 2)
        state[0] ^= words
    state[2] ^= np.uint64(0xFF)
    _rounds(state, 4)
    hashed: Words = state[0] ^ state[1] ^ state[2] ^ state[3]
    return hashed


def _rounds(state: list[Words], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        a, c = a + b, c + d
        b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
        a = _turned(a, 32)
        c, a = c + b, a + d
        b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
        c = _turned(c, 32)
    state[:] = a, b, c, d


def _turned(words: Words, bits: int) -> Words:
    turned: Words = words << np.uint64(bits) | words >> np.uint64(64 - bits)
    return turned
