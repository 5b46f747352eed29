"""`--require`: what a bound says, and whether metrics keep it."""

from __future__ import annotations

import math
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tftrain.errors import ConfigError
from tftrain.require import named, parse

SIGNS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
numbers = st.sampled_from([0.0, 0.1, 0.5, 1e-9, -2.0, 3.0])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(SIGNS)), numbers, numbers, st.sampled_from(["", " "]))
def test_a_bound_is_kept_as_python_compares(sign, bound, value, space):
    (requirement,) = parse([f"{space}loss{space}{sign}{space}{bound}{space}"], ["loss"])
    assert requirement.met({"loss": value}) == SIGNS[sign](value, bound)
    assert parse([str(requirement)], ["loss"]) == [requirement]


@pytest.mark.parametrize("metrics", [{}, {"loss": math.nan}])
@pytest.mark.parametrize("sign", sorted(SIGNS))
def test_no_number_keeps_no_bound(sign, metrics):
    (requirement,) = parse([f"loss{sign}0"], ["loss"])
    assert not requirement.met(metrics)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy", "expected METRIC>=NUMBER, such as accuracy>=0.99"),
        ("accuracy=0.9", "expected METRIC>=NUMBER, such as accuracy>=0.99"),
        ("accuracy>=high", "expected METRIC>=NUMBER, such as accuracy>=0.99"),
        ("accuracy>=nan", "expected METRIC>=NUMBER, such as accuracy>=0.99"),
        (">=0.9", "expected METRIC>=NUMBER, such as accuracy>=0.99"),
        ("", "expected METRIC>=NUMBER, such as accuracy>=0.99"),
        ("acuracy>=0.9", "no metric `acuracy`; did you mean `accuracy`?"),
        ("f1>0.9", "no metric `f1`; expected one of loss, accuracy, val_loss"),
    ],
)
def test_a_wrong_requirement_is_one_line(text, said):
    with pytest.raises(ConfigError) as raised:
        parse([text], ["loss", "accuracy", "val_loss"])
    assert str(raised.value) == f"--require '{text}': error[C030]: {said}"


def test_all_wrong_requirements_are_told():
    with pytest.raises(ConfigError) as raised:
        parse(["loss", "loss<1", "auc>1"], ["loss"])
    assert len(raised.value.problems) == 2
    with pytest.raises(ConfigError, match="no metric `loss`: none is measured"):
        parse(["loss<1"], [])


def test_metrics_have_the_names_that_requirements_use():
    train, validation, test = {"loss": 1.0}, {"loss": 2.0, "auc": 0.2}, {"loss": 3.0}
    every = {"train": train, "validation": validation, "test": test}
    assert named(every) == {"val_loss": 2.0, "val_auc": 0.2, "loss": 3.0}
    assert named({"train": train}) == {"loss": 1.0}
    assert named({"data": test}) == {"loss": 3.0}


def test_one_number_of_several_is_taken_until_it_is_known_how_many_there_are():
    (one,) = parse(["val_f1_score_2>=0.5"], ["loss", "val_f1_score"], ["val_f1_score"])
    assert one.metric == "val_f1_score_2"
    for text in ("accuracy_2>=0.5", "val_f1_score_x>=0.5"):
        with pytest.raises(ConfigError):
            parse([text], ["accuracy", "val_f1_score"], ["val_f1_score"])
