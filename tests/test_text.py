"""The YAML reader: what is written comes back, with its place; strangers' text costs little."""

from __future__ import annotations

import math
import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import ROOT
from tftrain.config import dump, text
from tftrain.errors import ConfigError

often = settings(max_examples=500, derandomize=True, deadline=None)

FORBIDDEN = re.compile("[\ud800-\udfff]")
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**299), 10**299)
    | st.floats(allow_nan=False)
    | words
    | st.sampled_from(["no", "1e-3", "0x1f", "~", "null", "-", "- a", "a: b", "#x", "*a", "="])
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


def read(written):
    raw = written.encode() if isinstance(written, str) else written
    return text.plain(text.read(raw, "f.yaml"))


def fault(written):
    """The faults of a text that must be refused, each in a line."""
    with pytest.raises(ConfigError) as raised:
        read(written)
    assert all(len(line) < 200 and line.isprintable() for line in str(raised.value).split("\n"))
    return str(raised.value)


def same(one, other):
    """Equal, and of equal types all the way down: 1, 1.0 and true are three values."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@often
@given(plain)
@example({"": "", "a b": {"x": "\x85"}, "c": ["\u2028", "\ufeff", "\t", "\0", "\r\n"]})
@example("- " * 200)
@example("word " * 60 + "\n" + "x" * 300)
@example([math.inf, -math.inf, 1e300, 5e-324, -0.0])
def test_what_is_dumped_reads_back_as_it_was(value):
    assert same(read(dump.yaml_text(value)), value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0", 0),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-.inf", -math.inf),
        (".Inf", math.inf),
        ("~", None),
        ("", None),
        ("null", None),
        ("True", True),
        ("FALSE", False),
        *((word, word) for word in ("no", "off", "yes", "On", "y", "nUll", "tRUE", "inf", "nan")),
        *((word, word) for word in ("1_000", "2024-13-45", "0b1", "-0x1f", "1e", ".", "<<")),
        ('"1"', "1"),
        ("'true'", "true"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(written, value):
    assert same(read(written), value)


def test_not_a_number_is_one():
    assert math.isnan(read(".nan"))


def test_places_are_those_of_the_text():
    raw = 'é: "☃"\r\nlist:\n  - {a: 1, "b b": [x,  y]}\n  -\n    - 𝄞: 2\n'
    root = text.read(b"\xef\xbb\xbf" + raw.encode(), "f")
    lines = raw.split("\n")
    starts = {
        ("é",): '"☃"',
        ("list", 0): "{a",
        ("list", 0, "b b"): "[x",
        ("list", 0, "b b", 1): "y]",
        ("list", 1, 0): "𝄞",
        ("list", 1, 0, "𝄞"): "2",
    }
    for path, begins in starts.items():
        mark = text.find(root, path)
        assert lines[mark.line - 1][mark.column - 1 :].startswith(begins)
    for path, begins in ((("list",), "list"), (("list", 0, "b b"), '"b b"'), (("é",), "é")):
        mark = text.find(root, path, key=True)
        assert lines[mark.line - 1][mark.column - 1 :].startswith(begins)
    assert text.find(root, ("list", 0, "mapping", "a", "int")) == text.find(root, ("list", 0, "a"))
    assert text.find(root, ("list", 7)) == text.find(root, ("list",))


@often
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), scalars, min_size=1))
def test_every_key_stands_where_its_mark_says(value):
    written = dump.yaml_text(value)
    root = text.read(written.encode(), "f")
    lines = text._LINE_END.split(written)  # noqa: SLF001 - the lines it counts
    for key, mark in root.key_marks.items():
        assert lines[mark.line - 1][mark.column - 1 :].lstrip("\"'").startswith(key)


DIGITS = (ROOT / "configs" / "digits.yaml").read_bytes()


@often
@given(st.integers(0, 2**32))
def test_a_mutated_config_is_read_or_refused(seed):
    """Nothing but ConfigError, whatever becomes of a few bytes."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    mutated = bytearray(DIGITS)
    for _ in range(chance.randint(1, 8)):
        place, kind = chance.randrange(len(mutated)), chance.randrange(3)
        letter = chance.choice(b"\t\n :{}[]-&*!?|>'\"%@`#,0123456789ex.~\\\0\xff\xc3\x85")
        if kind == 0:
            mutated[place] = letter
        elif kind == 1:
            mutated.insert(place, letter)
        else:
            del mutated[place : place + chance.randint(1, 20)]
    _reads_or_refuses(bytes(mutated))


@often
@given(st.binary(max_size=200) | words.map(str.encode))
def test_random_bytes_are_read_or_refused(raw):
    _reads_or_refuses(raw)


def _reads_or_refuses(raw):
    try:
        read(raw)
    except ConfigError as error:
        lines = text._LINE_END.split(raw.decode("utf-8", "replace"))  # noqa: SLF001
        for problem in error.problems:
            assert str(problem).isprintable()
            assert 1 <= problem.mark.line <= len(lines)
            assert 1 <= problem.mark.column <= len(lines[problem.mark.line - 1]) + 2


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[" * 900, "f.yaml:1:41: error[C006]: nested deeper than 40 levels"),
        ("{a: " * 900, "f.yaml:1:161: error[C006]: nested deeper than 40 levels"),
        ("a: " + "x" * 300 * 1024, "f.yaml: error[C006]: larger than 256 KiB"),
        ("[" + "1," * 30_000, "f.yaml:1:40000: error[C006]: more than 20,000 values"),
        (
            "".join(f"k{number}: 1\n" for number in range(12_000)),
            "f.yaml:10000:8: error[C006]: more than 20,000 values",
        ),
        ("x: " + "9" * 200_000, "f.yaml:1:4: error[C012]: a number of more than 300 digits"),
        ("x: 0x" + "f" * 250, "f.yaml:1:4: error[C012]: a number of more than 300 digits"),
        ("a: \0", "f.yaml:1:4: error[C005]: the character U+0000: "),
        ("a: b\u2028c", "f.yaml:1:5: error[C005]: the character U+2028: "),
        (b"a: \xed\xa0\x80", "f.yaml:1:4: error[C005]: not UTF-8: byte 0xed"),
        (b"\xef\xbb\xbfa: \xff", "f.yaml:1:4: error[C005]: not UTF-8: byte 0xff"),
        ("a: 1".encode("utf-16"), "f.yaml:1:1: error[C005]: not UTF-8: byte 0xff"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bombs_are_refused_in_one_line(written, said):
    told = fault(written)
    assert told.startswith(said)
    assert "\n" not in told


def test_a_depth_that_libyaml_refuses_is_too_deep_as_well():
    assert re.fullmatch(
        r"f\.yaml:1:\d+: error\[C006\]: nested deeper than 40 levels", fault("[" * 100_000)
    )


def test_aliases_are_not_followed():
    bomb = "a0: &a0 [1, 2]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 25)
    )
    told = fault(bomb).split("\n")
    assert told[0] == "f.yaml:2:10: error[C003]: alias `*a0`: write the value out"
    assert len(told) == 48
    assert fault("a: &a {b: 1}\nc: {<<: *a}\n").startswith("f.yaml:2:9: error[C003]: alias `*a`")


def test_a_bom_and_any_line_ends_are_no_matter():
    for end in ("\n", "\r\n", "\r"):
        assert read(b"\xef\xbb\xbf" + f"a: 1{end}b: [2]{end}".encode()) == {"a": 1, "b": [2]}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: b: c", "1:5: error[C001]: not valid YAML: a `:` where none can stand"),
        ("a:\n  b: 1\n c: 2", "3:2: error[C001]: not valid YAML: expected a key of the mapping"),
        ('a: "x\nb: 1\n', "1:4: error[C001]: not valid YAML: the quote that opens on line 1"),
        ("a: {b: 1\nc: 2", "2:2: error[C001]: not valid YAML: the mapping that begins on line 1"),
        ("a: 1\r\rb: @x", "3:4: error[C001]: not valid YAML: '@' can't begin a value: quote it"),
        ("a: 1\nb\nc: 2", "2:1: error[C001]: not valid YAML: expected `KEY: VALUE`"),
        ("a:\n\tb: 1", "2:1: error[C001]: not valid YAML: a tab: indent with spaces"),
        ("a: 1\n\tb: 1", "2:1: error[C001]: not valid YAML: a tab: indent with spaces"),
        ("a: - b", "1:4: error[C001]: not valid YAML: a list can't begin here"),
    ],
)
def test_syntax_errors_say_what_to_do(written, said):
    assert fault(written).startswith(f"f.yaml:{said}")
