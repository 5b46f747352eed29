"""Statements in, a computation graph out: nodes that are variables or operations, and their values.

The names are the notes': inputs, operations, the forward pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tftrain.errors import Mark, Problem, TftrainError, did_you_mean
from tftrain.explain import expression
from tftrain.explain.expression import FLOATS, Call, Name, Number, Statement, Term

_RESULT = ("J", "f", "result")  # what a result without a name is called
_MOST_NODES = 200
_MOST_OPERATIONS = 1000  # of the result, written out in its inputs
_HIGHEST_DEGREE = 10_000  # powers of powers multiply


@dataclass(frozen=True)
class Node:
    """A variable, or an operation on earlier nodes.

    Args:
        name: given, or `u1`, `u2`, ... where the text gives none.
        term: the operation on the nodes before; None for an input.
        named: whether the text gives the name.
    """

    name: str
    term: Term | None
    named: bool = True

    @property
    def inputs(self) -> tuple[str, ...]:
        """The nodes it is computed from."""
        return () if self.term is None else expression.names(self.term)


@dataclass(frozen=True)
class Graph:
    """Nodes, each after those it is computed from; the last is the result."""

    nodes: tuple[Node, ...]

    @property
    def output(self) -> Node:
        """The result."""
        return self.nodes[-1]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The variables, in the order the text names them."""
        return tuple(node.name for node in self.nodes if node.term is None)

    def users(self, name: str) -> tuple[Node, ...]:
        """The nodes that are computed from one."""
        return tuple(node for node in self.nodes if name in node.inputs)


def build(statements: Sequence[Statement]) -> Graph:
    """The graph of statements: equal operations are one node, constant factors no node.

    Raises:
        TftrainError: E001 when a result is used by none, or the graph is too large.
    """
    graph = _Builder(statements).build()
    for statement in statements[:-1]:
        if not graph.users(statement.name or ""):
            message = f"`{statement.name}` leads nowhere: no statement after it uses it"
            raise TftrainError(Problem(statement.mark, "E001", message))
    _require_small(graph)
    return graph


class _Builder:
    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        taken = {name for one in statements for name in (one.name, *expression.names(one.term))}
        self._free = (f"u{count}" for count in itertools.count(1) if f"u{count}" not in taken)
        self._nodes: dict[str, Node] = {}
        self._known: dict[Term, str] = {}

    def build(self) -> Graph:
        for statement in self._statements:
            term = self._flat(statement.term)
            if isinstance(term, Name) and statement.name is None:
                continue
            name = statement.name or next(one for one in _RESULT if one not in self._nodes)
            if name in self._nodes:
                message = f"`{name}` is used before it has a value"
                raise TftrainError(Problem(statement.mark, "E001", message))
            self._nodes[name] = Node(name, term)
            self._known.setdefault(term, name)
        return Graph(tuple(self._nodes.values()))

    def _flat(self, term: Term) -> Term:
        """One operation on nodes; the operations in it become nodes."""
        if isinstance(term, Number):
            return term
        if isinstance(term, Name):
            self._nodes.setdefault(term.name, Node(term.name, None))
            return term
        if not expression.names(term):
            return term
        scaled = _scaled(term)
        inner = (self._flat(one) if one is scaled else self._node(one) for one in term.arguments)
        return Call(term.operation, tuple(inner))

    def _node(self, term: Term) -> Term:
        """A term as something that an operation can be done on: a node's name or a number."""
        flat = self._flat(term)
        if not isinstance(flat, Call) or not expression.names(flat):
            return flat
        if flat not in self._known:
            name = next(self._free)
            self._nodes[name] = Node(name, flat, named=False)
            self._known[flat] = name
        return Name(self._known[flat])


def _scaled(term: Call) -> Term | None:
    """The operation that this one only multiplies by a number: `d**2` in `d**2 / 2`, `-d**2`."""
    if term.operation not in ("neg", "*", "/"):
        return None
    changing = [one for one in term.arguments if expression.names(one)]
    divides = term.operation == "/" and not expression.names(term.arguments[0])
    if len(changing) > 1 or divides or not isinstance(changing[0], Call):
        return None
    return changing[0]


def _require_small(graph: Graph) -> None:
    if len(graph.nodes) > _MOST_NODES:
        _too_large(f"{len(graph.nodes)} nodes; at most {_MOST_NODES}")
    sizes: dict[str, int] = {}
    degrees: dict[str, float] = {}
    for node in graph.nodes:
        sizes[node.name] = 1 + sum(sizes[one] for one in node.inputs)
        degrees[node.name] = 1 if node.term is None else _degree(node.term, degrees)
        if sizes[node.name] > _MOST_OPERATIONS:
            _too_large(f"written out it has more than {_MOST_OPERATIONS} operations")
        if degrees[node.name] > _HIGHEST_DEGREE:
            _too_large(f"its powers multiply to more than {_HIGHEST_DEGREE}")


def _degree(term: Term, degrees: Mapping[str, float]) -> float:
    if isinstance(term, Number):
        return 1
    if isinstance(term, Name):
        return degrees[term.name]
    inner = [_degree(one, degrees) for one in term.arguments]
    if term.operation == "**" and isinstance(term.arguments[1], Number):
        return inner[0] * max(1.0, abs(term.arguments[1].value))
    return sum(inner) if term.operation in ("*", "/") else max(inner)


def _too_large(what: str) -> None:
    raise TftrainError(Problem(Mark("expression", 1, 1), "E001", f"too large: {what}"))


def values_at(graph: Graph, texts: Sequence[str]) -> dict[str, float]:
    """The inputs' values, from texts such as `w=2,x=-2`.

    Raises:
        TftrainError: E002 with every value that is missing, unknown or no number.
    """
    problems: list[Problem] = []
    values: dict[str, float] = {}
    for mark, name, value in _pairs(texts):
        if name not in graph.inputs:
            near = did_you_mean(name, graph.inputs) or _expected(graph)
            problems.append(Problem(mark, "E002", f"`{name}` is no input of the expression{near}"))
        elif name in values:
            problems.append(Problem(mark, "E002", f"`{name}` is given twice"))
        elif _finite(value) is None:
            message = f"`{name}`: expected a finite number, got {value!r}"
            problems.append(Problem(mark, "E002", message))
        values[name] = _finite(value) or 0.0
    if missing := [name for name in graph.inputs if name not in values]:
        wanted = ",".join(f"{name}=..." for name in missing)
        message = f"no value for {', '.join(f'`{name}`' for name in missing)}: --at {wanted}"
        problems.append(Problem(Mark("--at"), "E002", message))
    if problems:
        raise TftrainError(problems)
    return values


def _pairs(texts: Sequence[str]) -> Iterator[tuple[Mark, str, str]]:
    for text in texts:
        column = 1
        for pair in text.split(","):
            name, _, value = pair.partition("=")
            yield Mark(f"--at {text!r}", 1, column), name.strip(), value.strip()
            column += len(pair) + 1


def _expected(graph: Graph) -> str:
    return f"; expected {', '.join(graph.inputs)}" if graph.inputs else "; it has none"


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def forward(graph: Graph, at: Mapping[str, float]) -> dict[str, float]:
    """Every node's value, from the inputs to the result.

    Raises:
        TftrainError: E003 naming the node that has no finite value there.
    """
    values: dict[str, float] = {}
    for node in graph.nodes:
        if node.term is None:
            values[node.name] = at[node.name]
            continue
        try:
            value = float(expression.evaluate(node.term, values, FLOATS))
        except (ValueError, ArithmeticError):
            value = math.nan
        if not math.isfinite(value):
            shown = {name: expression.number(values[name]) for name in node.inputs}
            inserted = expression.written(node.term, shown)
            message = f"`{node.name} = {expression.written(node.term)} = {inserted}` is not finite"
            raise TftrainError(Problem(Mark("expression"), "E003", message))
        values[node.name] = value
    return values


def kinks(graph: Graph, values: Mapping[str, float]) -> list[Node]:
    """The nodes that have no derivative where they are: relu at 0, max of equal arguments."""

    def at_kink(term: Term) -> bool:
        if not isinstance(term, Call):
            return False
        found = [expression.evaluate(one, values, FLOATS) for one in term.arguments]
        if term.operation == "relu" and found[0] == 0:
            return True
        if term.operation == "max" and found[0] == found[1]:
            return True
        return any(map(at_kink, term.arguments))

    return [node for node in graph.nodes if node.term is not None and at_kink(node.term)]
