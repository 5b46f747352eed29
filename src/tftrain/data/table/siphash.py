"""A text in, a bin out: SipHash-2-4, which Keras's Hashing layer uses where it is given a salt."""

from __future__ import annotations

SALT = (0x746674, 0x7261696E)  # any two numbers; part of every exported model
_WORD = 0xFFFFFFFFFFFFFFFF


def bin_of(text: str, bins: int) -> int:
    """The place of a text among so many bins.

    Source: Aumasson, Bernstein (2012), SipHash: a fast short-input PRF.
    """
    given = text.encode()
    first, second = SALT
    state = [
        first ^ 0x736F6D6570736575,
        second ^ 0x646F72616E646F6D,
        first ^ 0x6C7967656E657261,
        second ^ 0x7465646279746573,
    ]
    whole = len(given) // 8 * 8
    last = given[whole:].ljust(7, b"\0") + bytes([len(given) % 256])
    words = [given[start : start + 8] for start in range(0, whole, 8)]
    for word in [*words, last]:
        number = int.from_bytes(word, "little")
        state[3] ^= number
        _rounds(state, 2)
        state[0] ^= number
    state[2] ^= 0xFF
    _rounds(state, 4)
    return (state[0] ^ state[1] ^ state[2] ^ state[3]) % bins


def _rounds(state: list[int], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        a, c = (a + b) & _WORD, (c + d) & _WORD
        b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
        a = _turned(a, 32)
        c, a = (c + b) & _WORD, (a + d) & _WORD
        b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
        c = _turned(c, 32)
    state[:] = a, b, c, d


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _WORD
