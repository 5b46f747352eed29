"""An expression in, its whole derivation out: forward, backward, three ways compared, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tftrain import terminal
from tftrain.errors import counted
from tftrain.explain import agreement, expression, graph
from tftrain.explain.agreement import STEPS, Change
from tftrain.explain.backward import Derivative, by_sympy, derivatives
from tftrain.explain.expression import number, written
from tftrain.explain.graph import Graph, Node

_FEW = 2
EXAMPLES: Mapping[str, tuple[str, str]] = {
    "linear-neuron": (
        "c = w*x; a = c + b; d = a - y; J = d**2 / 2",
        "w=2,x=-2,b=8,y=2",
    ),
    "two-layers": (
        "z1 = w1*x + b1; z2 = w2*z1 + b2; J = (z2 - y)**2 / 2",
        "w1=2,x=-2,b1=8,w2=3,b2=1,y=5",
    ),
}


@dataclass(frozen=True)
class Derivation:
    """All that is to be said of an expression at one place.

    Args:
        graph: its nodes.
        values: of every node.
        derivatives: of the result by every node, from the result backwards.
        sympy: by input, the formula and the value of SymPy's own derivative.
        tape: by input, TensorFlow's; None where it wasn't asked.
        changes: by input, what steps change the result by.
        kinks: nodes that have no derivative there.
    """

    graph: Graph
    values: Mapping[str, float]
    derivatives: tuple[Derivative, ...]
    sympy: Mapping[str, tuple[str, float | None]]
    tape: Mapping[str, float] | None
    changes: Mapping[str, tuple[Change, ...]]
    kinks: tuple[str, ...]

    @property
    def gradient(self) -> dict[str, float]:
        """The backward pass's derivative by each input."""
        found = {one.node: one.value for one in self.derivatives}
        return {name: found[name] for name in self.graph.inputs}

    @property
    def disagree(self) -> tuple[str, ...]:
        """What doesn't agree with the backward pass; nothing can be said so at a kink."""
        if self.kinks:
            return ()
        size = self.values[self.graph.output.name]
        odd = []
        for name, one in self.gradient.items():
            if not agreement.close(one, self.sympy[name][1]):
                odd.append(f"SymPy's dJ/d{name}")
            if self.tape is not None and not agreement.close(one, self.tape[name]):
                odd.append(f"the tape's dJ/d{name}")
            if not agreement.near(one, self.changes[name], size):
                odd.append(f"the finite differences by {name}")
        return tuple(odd)

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "nodes": [
                {
                    "name": node.name,
                    "operation": None if node.term is None else written(node.term),
                    "inputs": node.inputs,
                    "value": self.values[node.name],
                }
                for node in self.graph.nodes
            ],
            "derivatives": [asdict(one) for one in self.derivatives],
            "sympy": {
                name: {"formula": formula, "value": value}
                for name, (formula, value) in self.sympy.items()
            },
            "tape": self.tape,
            "differences": {
                name: [{"step": one.step, "change": one.change, "slope": one.slope} for one in all_]
                for name, all_ in self.changes.items()
            },
            "kinks": self.kinks,
            "disagree": self.disagree,
        }


def derive(
    text: str, at: Sequence[str], *, steps: Sequence[float] = STEPS, tape: bool = True
) -> Derivation:
    """Explains an expression.

    Args:
        text: statements, separated by `;`.
        at: the inputs' values, such as `w=2,x=-2`.
        steps: of the finite differences.
        tape: whether to ask TensorFlow too.

    Raises:
        TftrainError: E001 to E004: what can't be read, values that don't fit, what isn't finite,
            SymPy missing.
    """
    made = graph.build(expression.parse(text))
    inputs = graph.values_at(made, at)
    values = graph.forward(made, inputs)
    return Derivation(
        made,
        values,
        derivatives(made, values),
        by_sympy(made, values),
        agreement.by_tape(made, inputs) if tape else None,
        {name: agreement.differences(made, inputs, name, steps) for name in made.inputs},
        tuple(node.name for node in graph.kinks(made, values)),
    )


def told(one: Derivation) -> list[str]:
    """The derivation as a person reads it, part by part."""
    parts = [
        ("graph", _tree(one)),
        ("forward", _forward(one)),
        ("backward", _backward(one)),
        ("three ways", _ways(one)),
        *_differences(one),
    ]
    lines = [line for title, text in parts if text for line in (title, _indented(text), "")]
    return [*lines, *_verdict(one)]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))


def _tree(one: Derivation) -> str:
    """The result at the root, what each node is computed from below it."""
    nodes = {node.name: node for node in one.graph.nodes}
    found = {each.node: each.value for each in one.derivatives}
    rows: list[list[str]] = []
    seen: set[str] = set()

    def walk(node: Node, lead: str, inner: str) -> None:
        label = node.name if node.term is None else f"{node.name} = {written(node.term)}"
        again = node.name in seen and node.term is not None
        slope = number(found[node.name])
        rows.append([lead + (f"{node.name} (above)" if again else label), *_two(one, node, slope)])
        seen.add(node.name)
        below = () if again else node.inputs
        for place, name in enumerate(below, 1):
            last = place == len(below)
            walk(
                nodes[name], inner + ("`- " if last else "|- "), inner + ("   " if last else "|  ")
            )

    walk(one.graph.output, "", "")
    return terminal.table(["", "value", f"d{one.graph.output.name}/d"], rows)


def _two(one: Derivation, node: Node, slope: str) -> tuple[str, str]:
    return number(one.values[node.name]), slope


def _forward(one: Derivation) -> str:
    shown = {name: number(value) for name, value in one.values.items()}
    rows = []
    for node in one.graph.nodes:
        if node.term is not None:
            terms = [written(node.term), written(node.term, shown), shown[node.name]]
            rows.append([node.name, *(f"= {term}" for term in terms)])
    return terminal.table(rows[0], rows[1:], right=False) if rows else ""


def _backward(one: Derivation) -> str:
    top = one.graph.output.name
    slopes = {each.node: each.value for each in one.derivatives}
    computed = {node.name for node in one.graph.nodes if node.term is not None}
    header = [f"d{top}/d", "chain rule", "with numbers", "value", "formula", "used again"]
    rows = []
    for each in one.derivatives:
        if not each.products:
            rows.append([each.node, "", "", number(each.value), each.formula, ""])
            continue
        rule = " + ".join(f"d{top}/d{way.through} * {_factor(way.local)}" for way in each.products)
        figures = " + ".join(
            f"{_factor(number(slopes[way.through]))} * {_factor(number(way.value))}"
            for way in each.products
        )
        ways = [f"d{top}/d{way.through}" for way in each.products if way.through != top]
        forward = [name for way in each.products for name in way.again if name in computed]
        again = ", ".join(dict.fromkeys([*ways, *forward]))
        rows.append([each.node, rule, figures, number(each.value), each.formula, again])
    return terminal.table(header, rows, right=False)


def _factor(text: str) -> str:
    """A factor, in parentheses where it is a sum or negative."""
    return f"({text})" if " " in text or text.startswith("-") else text


def _ways(one: Derivation) -> str:
    header = ["", "backward pass", "SymPy", "GradientTape", "differences", "SymPy's formula"]
    rows = []
    for name, slope in one.gradient.items():
        formula, value = one.sympy[name]
        slopes = [each.slope for each in one.changes[name] if each.slope is not None]
        nearest = min(slopes, key=lambda other: abs(other - slope), default=None)
        tape = None if one.tape is None else one.tape[name]
        rows.append([name, *map(_number, (slope, value, tape, nearest)), formula])
    return terminal.table(header, rows, right=False) if rows else ""


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)


def _differences(one: Derivation) -> list[tuple[str, str]]:
    """What steps change the result by: a table for each input, or, of many, one of the slopes."""
    names = one.graph.inputs
    if len(names) <= _FEW:
        return [(f"steps of {name}", _steps(one, name)) for name in names]
    by_step = zip(*one.changes.values(), strict=True)
    rows = [[number(each[0].step), *(_number(way.slope) for way in each)] for each in by_step]
    title = f"finite differences: by what {one.graph.output.name} changes for each unit of a step"
    return [(title, terminal.table(["step of", *names], rows))]


def _steps(one: Derivation, name: str) -> str:
    top, slope = one.graph.output.name, one.gradient[name]
    rows = [
        [
            number(each.step),
            _number(each.change),
            _number(each.slope),
            "-" if each.slope is None else f"{abs(each.slope - slope):.1e}",
        ]
        for each in one.changes[name]
    ]
    return terminal.table(["step", f"changes {top} by", "for each unit", "error"], rows)


def _verdict(one: Derivation) -> list[str]:
    nodes, inputs = len(one.graph.nodes), len(one.graph.inputs)
    cost = (
        f"{counted(nodes, 'node')}, {counted(inputs, 'input')}: forward-mode takes in the order of "
        f"{nodes} * {inputs} = {nodes * inputs} steps, the backward pass "
        f"{nodes} + {inputs} = {nodes + inputs}"
    )
    lines = [cost, *(_kink(one, name) for name in one.kinks)]
    ways = "the backward pass and SymPy"
    if one.tape is not None:
        ways = "the backward pass, SymPy and GradientTape"
    if one.disagree:
        lines.append(f"FAILED: with the backward pass disagree: {', '.join(one.disagree)}")
    elif not one.kinks:
        lines.append(f"{ways} agree; finite differences come near")
    return lines


def _kink(one: Derivation, name: str) -> str:
    node = next(each for each in one.graph.nodes if each.name == name)
    term = "" if node.term is None else written(node.term)
    return (
        f"kink: {name} = {term} has no derivative here, only one from each side. As in TensorFlow, "
        "relu'(0) counts as 0, and of equal arguments of max the first; differences may differ"
    )
