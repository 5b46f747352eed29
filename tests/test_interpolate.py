"""References to the environment: scalars come in, and nothing else does."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conftest import ROOT
from tftrain import config
from tftrain.config import dump, interpolate, text
from tftrain.errors import ConfigError, Mark

often = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
DIGITS = ROOT / "configs" / "digits.yaml"
letters = st.characters(exclude_categories=["Cs", "Cc"])
words = st.text(letters, max_size=20).filter(lambda word: not text.UNWANTED.search(word))


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing but what a test sets."""
    for name in list(os.environ):
        if name.startswith(("Q_", "EPOCH")):
            monkeypatch.delenv(name)
    return monkeypatch


def filled(written):
    root = text.read(written.encode(), "f.yaml")
    interpolate.fill_or_fail(root)
    return text.plain(root)


def fault(written):
    with pytest.raises(ConfigError) as raised:
        filled(written)
    assert str(raised.value).isprintable()
    return str(raised.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:Q_A}", 12),
        ("${env:Q_NONE:5}", 5),
        ("${env:Q_NONE:1e-3}", 0.001),
        ("${env:Q_NONE:}", None),
        ("'${env:Q_NONE:a: b, [c]}'", "a: b, [c]"),
        ("${env:Q_NONE:no}", "no"),
        ("${env:Q_EMPTY:5}", None),
        ("${env:Q_SPACES}", True),
        ('"${env:Q_A}"', "12"),
        ("'${env:Q_NONE:true}'", "true"),
        ("|\n  ${env:Q_A}", "12"),
        ("${env:Q_A}${env:Q_A}", "1212"),
        ("${env:Q_A}.5", "12.5"),
        ("x-${env:Q_A}-${env:Q_NONE:}${env:Q_NONE:z}/y", "x-12-z/y"),
        ("$${env:Q_A}", "${env:Q_A}"),
        ("$$${env:Q_A}", "$${env:Q_A}"),
        ("a$${b} $c ${env:Q_A}", "a${b} $c 12"),
        ("$", "$"),
        ("$env:Q_A {x}", "$env:Q_A {x}"),
        ("${env:Q_REFERENCE}", "${env:Q_A} [1, 2]"),
    ],
)
def test_a_reference_becomes_a_scalar(written, value, environment):
    environment.setenv("Q_A", "12")
    environment.setenv("Q_EMPTY", "")
    environment.setenv("Q_SPACES", " true\n")
    environment.setenv("Q_REFERENCE", "${env:Q_A} [1, 2]")
    assert filled(f"a: {written}") == {"a": value}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: ${env:Q_NONE}", "1:4: error[C041]: no variable `Q_NONE` in the environment, and no d"),
        ("a:\n  - b\n  - x/${env:Q_NONE}", "3:5: error[C041]: no variable `Q_NONE` in the env"),
        ("a: ${Q_A}", "1:4: error[C041]: `${Q_A}`: expected ${env:NAME} or ${env:NAME:default}"),
        ("a: ${env:Q A}", "1:4: error[C041]: `${env:Q A}`: expected ${env:NAME}"),
        ("a: ${env:1}", "1:4: error[C041]: `${env:1}`: expected"),
        ("a: ${env:}", "1:4: error[C041]: `${env:}`: expected"),
        ("a: x${", "1:4: error[C041]: `${`: expected"),
        ("a: ${env:Q_NONE:${env:Q_A}}", "1:4: error[C041]: `${env:Q_NONE:$`: expected"),
        ("a: ${env:Q_DIGITS}", "1:4: error[C012]: `${env:Q_DIGITS}`: a number of more than 300"),
        ("a: ${env:Q_CONTROL}", "1:4: error[C005]: the variable `Q_CONTROL` holds the character U"),
        ("a: ${env:Q_BYTES}", "1:4: error[C005]: the variable `Q_BYTES` holds the character U+DC"),
        ("a: {b: ${env:Q_A}}", "1:8: error[C001]: not valid YAML: `${` can't stand inside `{}` or"),
        ("a: [x${env:Q_A}]", "1:6: error[C001]: not valid YAML: `${` can't stand inside `{}` or"),
    ],
)
def test_what_cannot_be_given_is_told_at_its_place(written, said, environment):
    environment.setenv("Q_A", "12")
    environment.setenv("Q_DIGITS", "9" * 400)
    environment.setenv("Q_CONTROL", "a\x1b[2J")
    if os.name != "nt":  # where the environment holds texts, not bytes
        environment.setenv("Q_BYTES", "\udcff")
    elif "BYTES" in written:
        pytest.skip("the environment holds texts")
    assert fault(written).startswith(f"f.yaml:{said}")


def test_the_nearest_variable_is_offered(environment):
    environment.setenv("Q_LEARNING_RATE", "1")
    assert fault("a: ${env:Q_LERNING_RATE}").endswith("; did you mean `Q_LEARNING_RATE`?")


def test_keys_are_left_as_they_are(environment):
    environment.setenv("Q_A", "12")
    assert filled('"${env:Q_A}": {"$${x}": 1, "${": 2}') == {"${env:Q_A}": {"$${x}": 1, "${": 2}}


@often
@given(words)
@example("[1, 2]")
@example("{a: 1}")
@example("a: 1\nb: 2")
@example("*a")
@example("!!python/object:os.system x")
@example("# x")
@example("--- x")
@example('"')
def test_no_variable_brings_structure(environment, value):
    """Also one that is YAML itself stays one scalar, the same as if it stood there quoted."""
    environment.setenv("Q_A", value)
    root = text.read(b'a: ${env:Q_A}\nb: "${env:Q_A}"\nc: x${env:Q_A}', "f")
    assert interpolate.fill(root) == []
    assert all(isinstance(node, text.Scalar) for node in root.items.values())
    assert all(node.variables == ("Q_A",) for node in root.items.values())
    plain = text.plain(root)
    assert plain == {"a": text.scalar(value.strip()), "b": value, "c": f"x{value}"}


@often
@given(st.text(st.sampled_from("${}env:Q_A$ a5"), max_size=25))
@example("$${")
@example("$$${env:Q_A}")
def test_an_escaped_text_is_itself(value):
    assert filled(dump.yaml_text({"a": [value]})) == {"a": [value]}
    assert filled(dump.yaml_text(value)) == value
    node = text.Scalar(interpolate.escaped(value), text.Mark("f"), quoted=True)
    assert interpolate.fill(node) == []
    assert node.value == value


@often
@given(st.text(st.sampled_from("${}env:Q_A: a5"), max_size=25))
def test_any_text_is_filled_or_refused(environment, value):
    environment.setenv("Q_A", "5")
    node = text.Scalar(value, text.Mark("f", 1, 1))
    for _, problem in interpolate.fill(node):
        assert problem.code == "C041"
        assert node.value == value


@given(value=st.text(letters | st.sampled_from("${}:"), max_size=30))
@example(value="$${")
@example(value="$$${a}$")
@often
def test_what_a_run_recorded_is_itself(value):
    root = text.Scalar(interpolate.escaped(value), Mark("f.yaml"))
    assert interpolate.unescape(root) == []
    assert root.value == value


@pytest.mark.parametrize(
    "written", ["${env:Q_A}", "a$${b}${env:Q_A:c}", "${Q_A}", "${", "'${env:Q_A}'"]
)
def test_a_run_s_config_takes_nothing_from_the_environment(written, environment):
    environment.setenv("Q_A", "value")
    root = text.read(
        f"[{written!r}]".encode() if "'" not in written else written.encode(), "f.yaml"
    )
    ((_, problem),) = interpolate.unescape(root)
    assert problem.code == "C041"
    assert "takes nothing from the environment" in problem.message
    assert "value" not in str(problem)


def test_many_long_values_are_refused_soon(environment):
    environment.setenv("Q_LONG", "x" * 100_000)
    before = time.perf_counter()
    for written in ("- ${env:Q_LONG}\n" * 10_000, "a: " + "${env:Q_LONG}" * 10_000):
        assert fault(written).endswith("error[C006]: more than 256 KiB from the environment")
    missing = "".join(f"- ${{env:Q_NONE_{number}}}\n" for number in range(10_000))
    with pytest.raises(ConfigError) as raised:
        filled(missing)
    assert len(raised.value.problems) == 10_000
    assert time.perf_counter() - before < 2


@pytest.fixture
def path(tmp_path):
    written = DIGITS.read_text("utf-8").replace("epochs: 100", "epochs: ${env:EPOCHS:5}")
    path = tmp_path / "digits.yaml"
    path.write_text(written.replace("source: digits  ", "source: ${env:Q_DATA:digits}  "), "utf-8")
    return path


def test_a_config_takes_values_from_the_environment(path, environment):
    assert config.load(path)[0].training.epochs == 5
    environment.setenv("EPOCHS", "0x10")
    environment.setenv("Q_DATA", "rows.npz")
    settled, source = config.load(path, ["training.batch_size=${env:EPOCHS}", "seed=${env:Q_S:3}"])
    assert (settled.training.epochs, settled.training.batch_size, settled.seed) == (16, 16, 3)
    assert settled.data.source == str(path.parent / "rows.npz")
    assert b"${env:EPOCHS:5}" in source.raw
    environment.delenv("EPOCHS")
    written = path.with_name("resolved.yaml")
    written.write_text(config.resolved(settled), "utf-8")
    assert config.load(written)[0] == settled


def test_a_wrong_value_names_its_variable(path, environment):
    environment.setenv("EPOCHS", "ten")
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    lines = path.read_text("utf-8").split("\n")
    line = next(number for number, line in enumerate(lines, 1) if "EPOCHS" in line)
    assert str(raised.value) == (
        f"{path}:{line}:11: error[C012]: `training.epochs`: expected a whole number, got 'ten' "
        "(from the environment: EPOCHS)"
    )


def test_a_missing_variable_is_one_fault_and_none_where_it_is_overridden(path):
    path.write_text(path.read_text("utf-8").replace("EPOCHS:5", "EPOCHS"), "utf-8")
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    (problem,) = raised.value.problems
    assert problem.code == "C041"
    assert config.load(path, ["training.epochs=3"])[0].training.epochs == 3
    above = path.with_name("above.yaml")
    above.write_text("extends: digits.yaml\ntraining: {epochs: 4}\n", "utf-8")
    assert config.load(above)[0].training.epochs == 4


def test_a_base_may_be_named_by_the_environment(path, environment):
    above = path.with_name("above.yaml")
    above.write_text("extends: ${env:Q_BASE:digits}.yaml\n", "utf-8")
    assert config.load(above)[0].training.epochs == 5
    environment.setenv("Q_BASE", "other")
    with pytest.raises(ConfigError, match=r"above\.yaml:1:10: error\[C040\]: `extends`: "):
        config.load(above)
