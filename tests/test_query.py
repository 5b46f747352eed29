"""`tftrain runs --where --sort`: conditions are read, never run; unknown names get the nearest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tftrain import query, runs
from tftrain.errors import ConfigError


def summary(loss, auc, *, state="finished", **others):
    metrics = {"validation": {"loss": loss}, "test": {"auc": auc}} if auc is not None else {}
    seconds = {"seconds": {"total": 10 * (loss or 0)}}
    return {"name": "r", "state": state, "metrics": metrics, **seconds, **others}


FOUND = [
    (Path("a-1"), summary(0.05, 0.9, parameters=3)),
    (Path("b-1"), summary(0.2, 0.99)),
    (Path("c-1"), summary(0.01, 0.95)),
    (Path("d-1"), summary(None, None, state="failed")),
]


def selected(*where, sort=None):
    return "".join(folder.name[0] for folder, _ in query.select(FOUND, where, sort))


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (["val_loss<0.1"], "ac"),
        (["val_loss <= 0.05"], "ac"),
        (["val_loss>=0.05", "test_auc>0.95"], "b"),
        (["state==failed"], "d"),
        (["state!=failed"], "abc"),
        (["val_loss==0.2"], "b"),
        (["val_loss!=0.2"], "ac"),
        (["seconds<1"], "acd"),
        (["parameters>2"], "a"),
        (["val_loss<nan"], None),
        ([], "abcd"),
    ],
    ids=str,
)
def test_conditions_choose_runs(where, names):
    if names is None:
        with pytest.raises(ConfigError):
            selected(*where)
    else:
        assert selected(*where) == names


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("test_auc", "bcad"),
        ("-test_auc", "acbd"),
        ("val_loss", "cabd"),
        ("-val_loss", "bacd"),
        ("seconds", "dcab"),
        ("state", "dabc"),
        (None, "abcd"),
    ],
)
def test_the_best_come_first(sort, names):
    assert selected(sort=sort) == names


@pytest.mark.parametrize(
    ("where", "sort", "said"),
    [
        (
            ["val_los<1"],
            None,
            "--where 'val_los<1': error[C037]: no run has `val_los`; did you mean",
        ),
        (["val_loss=1"], None, "--where 'val_loss=1': error[C037]: expected NAME, one of <, "),
        (["val_loss<"], None, "expected NAME, one of <, "),
        (["__import__('os')<1"], None, "expected NAME, one of <, "),
        (["val_loss<low"], None, "--where 'val_loss<low': error[C037]: `low`: expected a number"),
        ([], "auc", "--sort auc: error[C037]: no run has `auc`; did you mean `test_auc`?"),
        ([], "", "no run has ``; expected one of name, state, "),
    ],
)
def test_what_is_wrong_is_told(where, sort, said):
    with pytest.raises(ConfigError) as raised:
        query.select(FOUND, where, sort)
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as raised:
        query.select(FOUND, ["val_los<1", "x"], "y")
    assert len(raised.value.problems) == 3


def test_the_command_imports_nothing_heavy(tftrain, tmp_path):
    for folder, values in FOUND:
        (tmp_path / "runs" / folder).mkdir(parents=True)
        (tmp_path / "runs" / folder / runs.SUMMARY).write_text(json.dumps(values))
    code, out, said = tftrain("runs", "--where", "val_loss<0.1", "--sort", "-test_auc", "--json")
    assert (code, said) == (0, "")
    assert [Path(one["run"]).name for one in json.loads(out)] == ["a-1", "c-1"]
    assert tftrain("runs", "--where", "val_loss:0.1")[0] == 2
    code, out, _ = tftrain("runs", "--where", "val_loss<0")
    assert (code, out.splitlines()) == (0, ["run  state  best epoch  seconds  metrics"])
