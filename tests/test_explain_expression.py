"""`tftrain explain EXPRESSION`: the notes' examples to the digit, and what can't be read."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tftrain.errors import TftrainError
from tftrain.explain import derivation, drawing, expression, graph
from tftrain.explain.expression import FLOATS


def derived(name):
    text, at = derivation.EXAMPLES[name]
    return derivation.derive(text, [at], tape=False)


def by_node(found):
    return {one.node: one for one in found.derivatives}


def test_one_linear_neuron_is_that_of_the_notes():
    found = derived("linear-neuron")
    operations = {
        node.name: expression.written(node.term) for node in found.graph.nodes if node.term
    }
    assert operations == {"c": "w*x", "a": "c + b", "d": "a - y", "J": "d**2/2"}
    assert {name: found.values[name] for name in "cadJ"} == {"c": -4, "a": 4, "d": 2, "J": 2}
    slopes = {name: one.value for name, one in by_node(found).items()}
    assert slopes == {"J": 1, "d": 2, "a": 2, "b": 2, "c": 2, "w": -4, "x": 4, "y": -2}
    assert by_node(found)["w"].formula == "d*x"
    (way,) = by_node(found)["w"].products
    assert (way.through, way.local, way.value) == ("c", "x", -2)
    assert found.gradient == {name: value for name, (_, value) in found.sympy.items()}


def test_one_line_gives_the_same_graph_under_other_names():
    found = derivation.derive("J = (w*x + b - y)**2 / 2", ["w=2,x=-2", "b=8,y=2"], tape=False)
    assert found.gradient == derived("linear-neuron").gradient
    assert len(found.graph.nodes) == 8


def test_two_layers_have_the_formulas_of_the_notes():
    found = by_node(derived("two-layers"))
    formulas = {name: found[name].formula for name in ("b2", "w2", "b1", "w1")}
    assert formulas == {
        "b2": "z2 - y",
        "w2": "z1*(z2 - y)",
        "b1": "w2*(z2 - y)",
        "w1": "w2*x*(z2 - y)",
    }
    assert [found[name].value for name in formulas] == [8, 32, 24, -48]
    assert [way.through for way in found["w1"].products] == ["u1"]


def test_steps_change_a_square_as_in_the_notes():
    found = derivation.derive("w**2", ["w=3"], steps=[0.001, 0.002], tape=False)
    assert [round(one.change, 12) for one in found.changes["w"]] == [0.006001, 0.012004]
    assert found.sympy["w"] == ("2*w", 6)
    assert "  0.001      0.006001" in "\n".join(derivation.told(found))


def test_what_is_used_twice_is_computed_once_and_its_derivatives_add_up():
    found = derivation.derive("sigmoid(w)*(1 - sigmoid(w))", ["w=0.5"], tape=False)
    names = [node.name for node in found.graph.nodes]
    assert names == ["w", "u1", "u2", "J"]
    assert [way.through for way in by_node(found)["u1"].products] == ["u2", "J"]
    (way,) = by_node(found)["w"].products
    assert (way.local, way.again) == ("u1*(1 - u1)", ("u1",))
    assert not found.disagree


EVERY = "exp(-a*b) + log(a**2 + 1)*tanh(b/3) - max(a, relu(b), 0.5) * sigmoid(a - b)**b"


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("at", ["a=0.3,b=1.7", "a=-2,b=0.9", "a=4,b=3"])
def test_three_ways_agree_on_every_operation(at):
    found = derivation.derive(EVERY, [at])
    assert found.disagree == ()
    assert found.tape is not None
    for name, slope in found.gradient.items():
        assert math.isclose(slope, found.tape[name], rel_tol=1e-12)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(
    ("text", "at", "slopes"),
    [
        ("relu(w)", "w=0", {"w": 0}),
        ("max(a, b)", "a=2,b=2", {"a": 1, "b": 0}),
        ("max(0, z)", "z=0", {"z": 0}),
    ],
)
def test_a_kink_is_said_and_taken_as_tensorflow_takes_it(text, at, slopes):
    found = derivation.derive(text, [at])
    assert found.kinks == ("J",)
    assert found.gradient == found.tape == slopes
    assert "kink: J = " in derivation.told(found)[-1]


def test_a_wrong_derivative_would_be_told(monkeypatch):
    monkeypatch.setattr(derivation, "by_sympy", lambda *_: {"w": ("3*w", 9.0)})
    found = derivation.derive("w**2", ["w=3"], tape=False)
    assert found.disagree == ("SymPy's dJ/dw",)
    assert derivation.told(found)[-1].startswith("FAILED")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "expected an expression"),
        ("w *", 4, "can't be read"),
        ("2 + sgmoid(w)", 5, "no function is called `sgmoid`; did you mean `sigmoid`?"),
        ("2 + w^2", 1, "a power is **"),
        ("1 + w.real", 5, "a dot can't stand here"),
        ("w[0]", 1, "[...] can't stand here"),
        ("1 < w", 1, "a comparison can't stand here"),
        ("__import__('os')", 1, "no function is called `__import__`"),
        ("w + 'text'", 5, "expected a number"),
        ("ö + 1", 1, "expected a name"),
        ("a = 1 + ö", 9, "expected a name"),
        ("exp(w, 2)", 1, "`exp` takes 1 argument, got 2"),
        ("max(w)", 1, "`max` takes 2 arguments or more, got 1"),
        ("max(*w)", 1, "`max` takes plain arguments"),
        ("exp + 1", 1, "`exp` is a function"),
        ("w; w + 1", 1, "only the last may lack a name"),
        ("a = w; a = w", 8, "`a` has a value already"),
        ("a = b; b = w; a + b", 8, "`b` is used before it has a value"),
        ("a = w; b = 2*w", 1, "`a` leads nowhere"),
        ("a, b = w", 1, "expected one name"),
        ("import os", 1, "expected `NAME = EXPRESSION`"),
        ("w + log(0)", 5, "`log(0)` is no finite number"),
        ("w**2000", 4, "an exponent may be 1000 at most"),
        ("((w**900)**900)", 1, "its powers multiply"),
        ("-" * 200 + "w", 102, "nested too deep"),
        ("(" * 300 + "w" + ")" * 300, 201, "can't be read"),
        ("w" + "+w" * 2000, 2001, "2000 characters"),
        ("w\0", 1, "can't be read"),
        ("+".join(f"exp(a{number}*b)" for number in range(90)), 1, "nodes; at most 200"),
        ("; ".join(f"a{n + 1} = a{n}*sigmoid(a{n})" for n in range(20)), 1, "1000 operations"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_can_not_be_read_is_told_with_its_column(text, column, said):
    with pytest.raises(TftrainError) as raised:
        derivation.derive(text, [], tape=False)
    (problem,) = raised.value.problems
    assert (problem.code, problem.mark.column) == ("E001", column)
    assert said in problem.message


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("w*x", ["w=2"], "--at: error[E002]: no value for `x`: --at x=..."),
        ("w*rate", ["w=2,rat=1"], "did you mean `rate`?"),
        ("w*x", ["w=2,x=two"], "`x`: expected a finite number, got 'two'"),
        ("w*x", ["w=2,x=inf"], "expected a finite number"),
        ("w*x", ["w=2", "w=3,x=1"], "`w` is given twice"),
        ("w*x", ["w=2,x"], "`x`: expected a finite number, got ''"),
        ("log(w)", ["w=-1"], "error[E003]: `J = log(w) = log(-1)` is not finite"),
        ("w**0.5", ["w=0"], "error[E003]: dJ/dw = "),
        ("exp(w)", ["w=1000"], "is not finite"),
        ("(-8)**x", ["x=0.5"], "is not finite"),
    ],
)
def test_a_place_that_does_not_fit_is_told(text, at, said):
    with pytest.raises(TftrainError) as raised:
        derivation.derive(text, at, tape=False)
    assert said in str(raised.value)


texts = st.text(alphabet="wx0123.+-*/()=;, explogmaxrelu_'[]^", max_size=60)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_whatever_is_typed_is_read_or_told_in_one_line(text):
    try:
        found = graph.build(expression.parse(text))
    except TftrainError as told:
        lines = str(told).split("\n")
    else:
        lines = [""]
        for node in found.nodes:
            if node.term is not None:
                again = expression.parse(expression.written(node.term))[0].term
                at = dict.fromkeys(node.inputs, 0.7)
                values = [_value(one, at) for one in (node.term, again)]
                assert values[0] == pytest.approx(values[1], rel=1e-5, nan_ok=True)
    assert len(lines) == 1


def _value(term, at):
    try:
        return float(expression.evaluate(term, at, FLOATS))
    except (ValueError, ArithmeticError):
        return math.nan


def test_the_command_needs_no_tensorflow_without_the_tape(tftrain, tmp_path):
    code, stdout, said = tftrain(
        "explain", "w**2", "--at", "w=3", "--no-tape", "--json", "--picture", "g.svg"
    )
    assert (code, said) == (0, "")
    found = json.loads(stdout)
    assert [one["value"] for one in found["derivatives"]] == [1, 6]
    assert found["tape"] is None
    picture = (tmp_path / "g.svg").read_text("utf-8")
    assert ">w**2<" in picture.replace("J = ", "")
    code, stdout, said = tftrain("explain", "example")
    assert (code, said) == (0, "")
    assert stdout.startswith("linear-neuron: 'c = w*x;")


def test_every_number_is_on_an_edge_of_the_picture(tmp_path):
    for path in (tmp_path / "a.svg", tmp_path / "b.svg"):
        drawing.save(drawing.graph(derived("linear-neuron")), path)
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert [f">{label}<" in text for label in ("c = w*x", "-4", "8", "d = a - y")] == [True] * 4
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    drawing.save(drawing.graph(derived("two-layers")), tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_without_sympy_one_line_says_how_to_install_it(tmp_path):
    script = (
        "import sys; sys.modules['sympy'] = None\n"
        "sys.argv[1:] = ['explain', 'w**2', '--at', 'w=3']\n"
        "from tftrain.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "tftrain explain: error[E004]: needs SymPy, which isn't installed: "
        "pip install 'tftrain[explain]'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected an expression in quotes"),
        (["w", "x", "--at", "w=1"], "got also 'x'"),
        (["w*2", "--at", "w=1", "--step", "0"], "expected numbers above 0"),
        (["w*2", "--at", "w=1", "--p", "0.3"], "'--p': is not for an expression"),
        (["loss", "mse", "--no-tape"], "'--no-tape': is not for loss"),
        (["c.yaml", "--at", "w=1"], "'--at': is not for a network"),
        (["c.yaml", "--linear", "--cost"], "expected one of --example, --linear, --cost"),
        (["c.yaml", "--example", "0"], "c.yaml: error[C007]: no such file"),
        (["digits-7"], "error[R001]: no such run"),
        (["digits-7", "epochs=3", "--cost"], "a run takes no changes"),
        (["example", "linear"], "did you mean `linear-neuron`?"),
        (
            ["w*2", "--at", "w=1", "--picture", "w.pdf"],
            "w.pdf: error[R003]: expected a .svg or .png",
        ),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_and_leaves_nothing(arguments, said, tftrain, tmp_path):
    code, stdout, told = tftrain("explain", *arguments)
    assert (code, stdout) == (2, "")
    assert said in " ".join(told.split())
    assert list(tmp_path.iterdir()) == []
