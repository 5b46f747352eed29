"""Problems as people, programs and pull requests read them."""

from __future__ import annotations

import pytest

from tftrain import findings
from tftrain.errors import Mark, Problem


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: x\n\ttraining: {epoch: 5}\n", "utf-8")
    return [
        Problem(Mark(str(path), 2, 13), "C010", "unknown key `epoch`"),
        Problem(Mark("override 'seed=x'"), "C012", "`seed`: 50 %, one\nline"),
        Problem(Mark(str(path), 1, 1), "N003", "no validation", "warning"),
        Problem(Mark(str(path), 99, 1), "N004", "a place that is gone", "hint"),
    ]


def test_lines_and_a_count(problems):
    lines = findings.text(problems, excerpts=False)
    assert lines == [*map(str, problems)]
    assert findings.count(problems) == "2 errors, 1 warning, 1 hint"
    assert findings.count([]) == "no errors"
    assert findings.text(problems[:1], excerpts=False) == [str(problems[0])]
    assert findings.text([], excerpts=True) == []


def test_a_caret_stands_under_the_place(problems):
    lines = findings.text(problems, excerpts=True)
    assert lines[1:3] == ["    2 |  training: {epoch: 5}", "      |             ^"]
    assert lines[1][lines[2].index("^") :] == "epoch: 5}"
    assert lines[3] == str(problems[1])
    assert lines[4:] == [
        str(problems[2]),
        "    1 | name: x",
        "      | ^",
        str(problems[3]),
    ]


def excerpt(path, line, column):
    """The line shown, and what of it stands over the caret and after."""
    path.write_text(line, "utf-8")
    _, shown, caret = findings.text(
        [Problem(Mark(str(path), 1, column), "C010", "x")], excerpts=True
    )
    return shown.removeprefix("    1 | "), caret.removeprefix("      | ").index("^")


def test_a_caret_stands_right_after_letters_of_any_width(tmp_path):
    path = tmp_path / "c.yaml"
    assert excerpt(path, "名前: {訓練: 1}", 6) == ("名前: {訓練: 1}", 7)
    assert excerpt(path, "🙂🙂: x", 4) == ("🙂🙂: x", 5)
    assert excerpt(path, "e\u0301te: x", 6) == ("e\u0301te: x", 4)
    assert excerpt(path, "a:\t\tx", 5) == ("a:  x", 4)


@pytest.mark.parametrize("letter", ["a", "名"])
def test_a_long_line_is_cut_to_the_terminals_width(letter, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    wide = 2 if letter == "名" else 1
    for column in (1, 5, 150, 299, 300, 301):
        line = letter * (column - 1) + "!" * (column < 301) + letter * (300 - column)
        shown, caret = excerpt(tmp_path / "c.yaml", line, column)
        cells = [cell for one in shown for cell in [one] * (wide if one == letter else 1)]
        assert 45 <= len(cells) <= 52
        assert caret < 52
        assert cells[caret : caret + 1] == (["!"] if column < 301 else [])
        assert shown.startswith("...") == (column > 5)
        assert shown.endswith("...") == (column < 299)
    short = letter * (52 // wide)
    assert excerpt(tmp_path / "c.yaml", short, 3) == (short, 2 * wide)


def test_annotations_hold_no_line_end_and_no_stray_separator(problems):
    assert findings.annotation(problems[1]) == (
        "::error title=C012::override 'seed=x': `seed`: 50 %25, one%0Aline"
    )
    shown = findings.annotation(Problem(Mark("a,b:c.yaml", 3, 4), "N003", "x: y", "hint"))
    assert shown == "::notice file=a%2Cb%3Ac.yaml,line=3,col=4,title=N003::x: y"


def test_json_has_every_part(problems):
    assert findings.plain(problems[2]) == {
        "file": problems[2].mark.source,
        "line": 1,
        "column": 1,
        "severity": "warning",
        "code": "N003",
        "message": "no validation",
    }
