"""Shipped configs with a few bytes or lines changed: read and checked, or refused where it stands.

`python tests/test_mutations.py 20000` tries as many and prints how long the slowest took.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tftrain import check

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
LETTERS = b"\t\n :{}[]-&*!?|>'\"%@`#,$0123456789ex.~\\\0\xff\xc3\x85aE"
WORDS = (
    *("null", "true", "-1", "0", "1e999", "[]", "{}", "'", "Dense", "Dropout: {rate: 2}", "&a"),
    *(
        "*a",
        "!!python/name:os.system",
        "extends: digits.yaml",
        "${env:NOWHERE}",
        "\u2028",
        "9" * 400,
    ),
)
LINE_END = re.compile(r"\r\n|\r|\n")


def mutated(chance):
    """A shipped config's bytes after one to six changes."""
    raw = bytearray(chance.choice(CONFIGS).read_bytes())
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(raw) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            raw[place : place + 1] = bytes([chance.choice(LETTERS)])
        elif kind == 1:
            raw.insert(place, chance.choice(LETTERS))
        elif kind == 2:
            del raw[place : place + chance.randint(1, 20)]
        elif kind == 3:
            raw[place:place] = chance.choice(WORDS).encode()
        else:
            lines = bytes(raw).split(b"\n")
            line = chance.randrange(len(lines))
            if kind == 4:
                lines.insert(chance.randrange(len(lines)), lines[line])
            else:
                other = chance.randrange(len(lines))
                lines[line], lines[other] = lines[other], lines[line]
            raw = bytearray(b"\n".join(lines))
    return bytes(raw)


def tried(seed, folder):
    """What is said of a mutated config, and the seconds it took."""
    path = folder / "mutated.yaml"
    raw = mutated(random.Random(seed))  # noqa: S311 - no secret
    path.write_bytes(raw)
    started = time.perf_counter()
    report = check.check(path)
    seconds = time.perf_counter() - started
    lines = LINE_END.split(raw.decode("utf-8", "replace"))
    for problem in report.problems:
        assert str(problem).isprintable()
        assert problem.mark.source == str(path)
        assert 1 <= (problem.mark.line or 1) <= len(lines)
        assert 1 <= (problem.mark.column or 1) <= len(lines[(problem.mark.line or 1) - 1]) + 2
    return report, seconds


@pytest.mark.parametrize("hundred", range(20))
def test_a_mutated_config_is_checked_or_refused_where_it_stands(hundred, tmp_path):
    reports = [tried(seed, tmp_path)[0] for seed in range(100 * hundred, 100 * hundred + 100)]
    assert any(report.has("error") for report in reports)
    assert not all(report.has("error") for report in reports)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        seconds = sorted(tried(seed, Path(name))[1] for seed in range(int(sys.argv[1])))
    median, worst = seconds[len(seconds) // 2], seconds[-1]
    print(f"{len(seconds):,} configs: median {1000 * median:.1f} ms, worst {1000 * worst:.1f} ms")  # noqa: T201 - what it is for
