"""What someone who means harm hands over is refused in one line; nothing of theirs runs."""

from __future__ import annotations

import json
import re

import hostile
import numpy as np
import pytest
from hostile import (
    BIAS,
    DATA,
    KERNEL,
    ROWS,
    RUNS,
    SECRET,
    SHOWN,
    STOPPED,
    TABLES,
    Place,
    asking,
    command,
    commands,
    going_on,
    looked_at,
    spoilt,
)

from tftrain import runs

ABOUT_ALL = "error[R001]: no finished run here"
LATE = {  # what only the network itself shows
    "weights turned round": (lambda p: p.weights(**{KERNEL: p.arrays[KERNEL].T}), "got float32"),
    "weights of another kind": (
        lambda p: p.weights(**{KERNEL: p.arrays[KERNEL].astype(np.float64)}),
        "expected float32",
    ),
    "weights of another name": (
        lambda p: p.weights(**{BIAS: None, "\x1b[2J"[1:]: p.arrays[BIAS]}),
        "weights of another network",
    ),
    "labels of another shape": (lambda p: p.summary(labels=[7]), "trained on (7,)"),
    "classes of another number": (lambda p: p.summary(classes=["no", "yes", "so"]), "K005"),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TFTRAIN_SECRET", SECRET)


def lying(place):
    """Every name below a folder and what lies there, links not followed."""
    found = {}
    for path in sorted(place.root.rglob("*")):
        plain = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(place.root))] = path.stat().st_size if plain else None
    return found


def assert_harmless(place, before, *said):
    text = "".join(said)
    assert SECRET not in text
    assert "Traceback" not in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert not place.mark.exists()
    assert lying(place) == before


def assert_refused(code, out, said, wanted):
    assert (code, out) == (2, "")
    lines = said.splitlines()
    assert any(one in lines[0] for one in wanted), said
    for line in lines if len(lines) == 1 else lines[:-1]:  # a line for each fault, and a count
        assert re.search(r": error\[[A-Z]\d{3}\]: |^\.\.\. and", line), line
        assert len(line) < 1000


@pytest.mark.parametrize("name", [*RUNS, *TABLES])
def test_a_run_of_someone_who_means_harm(name, tmp_path):
    place, wanted = spoilt(tmp_path, name)
    before = lying(place)
    for verb, arguments in commands(place):
        code, out, said = command(place, verb, *arguments)
        assert_harmless(place, before, out, said)
        if verb == "runs":
            assert code == 0
        else:
            among = (wanted, ABOUT_ALL) if "--runs-dir" in arguments else (wanted,)
            assert_refused(code, out, said, among)


@pytest.mark.parametrize("name", STOPPED)
def test_a_stopped_run_of_someone_who_means_harm(name, tmp_path):
    place, arguments, wanted = going_on(tmp_path, name)
    before = lying(place)
    code, out, said = command(place, *arguments)
    assert_harmless(place, before, out, said)
    assert_refused(code, out, said, [wanted])


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_of_someone_who_means_harm(name, tmp_path):
    place, arguments, wanted = looked_at(tmp_path, name)
    before = lying(place)
    code, out, said = command(place, *arguments)
    assert_harmless(place, before, out, said)
    assert_refused(code, out, said, [wanted])


def test_a_page_shows_what_a_stranger_wrote_as_text(tmp_path):
    place, arguments, _ = looked_at(tmp_path, "a state of its own")
    script = "<script>alert('\x1b[2J')</script>"
    place.summary(
        state="stopped", reason=script, notes=[script, [script]], parameters="x", best_epoch="y"
    )
    (place.run / runs.METRICS).write_text(f"epoch,{script}\n1,2\n")
    (place.run / runs.ENVIRONMENT).write_text(json.dumps({script: script, "command": script}))
    code, _, said = command(place, *arguments)
    assert (code, said) == (0, "")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") > 5
    assert not place.mark.exists()


@pytest.mark.parametrize("name", DATA)
def test_data_of_someone_who_means_harm(name, tmp_path):
    place = Place(tmp_path, table=hostile.config.kind_of(DATA[name][0]) == "table")
    asked = list(asking(place, name))
    before = lying(place)
    for verb, arguments in asked:
        code, out, said = command(place, verb, *arguments)
        assert_harmless(place, before, out, said)
        if verb == "check":
            assert code == 2
        else:
            assert_refused(code, out, said, [DATA[name][2], "D003", "D006"])


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("table", [False, True])
def test_a_run_that_nobody_has_spoilt_works(table, tmp_path):
    """Else all of the above might be refused for another reason."""
    place = Place(tmp_path / "there", table=table)
    (tmp_path / "link").symlink_to(place.run, target_is_directory=True)
    for run in (place.run, tmp_path / "link"):  # a folder may be reached through a link
        code, out, said = command(place, "eval", run, "--data", place.rows)
        assert (code, said) == (0, ""), said
        assert "loss" in out
        code, _, said = command(place, "predict", run, place.rows, "-o", tmp_path / "o.csv")
        assert (code, said) == (0, ""), said


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", LATE)
def test_what_only_the_network_shows(name, tmp_path):
    place = Place(tmp_path)
    spoil, wanted = LATE[name]
    spoil(place)
    before = lying(place)
    for verb, arguments in list(commands(place))[:3:2]:  # the newest run's own rows are others
        code, out, said = command(place, verb, *arguments)
        assert_harmless(place, before, out, said)
        assert_refused(code, out, said, [wanted, "K005", "K006"])


@pytest.mark.usefixtures("tensorflow")
def test_names_of_classes_reach_no_terminal(tmp_path):
    place = Place(tmp_path)
    place.summary(classes=["\x1b[2J\nno", "<script>\u202e"])
    code, out, said = command(place, "predict", place.run, place.rows, "-o", "-")
    assert (code, said) == (0, f"{ROWS} rows\n")
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    names = {f"probability_{name}" for name in ("\x1b[2J\nno", "<script>\u202e")}
    assert names < {*json.loads(out.splitlines()[0])}


def test_there_are_enough():
    assert len(RUNS) + len(TABLES) + len(DATA) >= 80


def test_a_spoilt_run_hides_no_sound_one(tmp_path):
    place, _ = spoilt(tmp_path, "summary that is a pipe")
    other = Place(tmp_path / "other")
    other.run.rename(place.runs / "sound")
    found = [folder.name for folder, _ in runs.summaries(place.runs)]
    assert found == ["sound"]
