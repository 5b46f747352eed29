"""A graph and its values in, the result's derivative by every node out, with its chain rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tftrain.errors import Mark, Problem, TftrainError
from tftrain.explain import expression
from tftrain.explain.graph import Graph, Node

_LONGEST = 120


@dataclass(frozen=True)
class Product:
    """One way from the result back to a node, through one that is computed from it.

    Args:
        through: the node between, whose derivative is known already.
        local: the derivative of that node by this one, SymPy's, as text.
        value: the same as a number.
        again: the nodes whose forward values stand in it.
    """

    through: str
    local: str
    value: float
    again: tuple[str, ...]


@dataclass(frozen=True)
class Derivative:
    """dJ/d(node).

    Args:
        node: its name.
        products: the chain rule's terms; none for the result itself.
        formula: SymPy's, by the names that the text gives.
        value: what the products add up to.
    """

    node: str
    products: tuple[Product, ...]
    formula: str
    value: float


def symbols() -> ModuleType:
    """The module that imports SymPy.

    Raises:
        TftrainError: E004 where SymPy isn't installed.
    """
    try:
        from tftrain.explain import symbols as found
    except ModuleNotFoundError:
        message = "needs SymPy, which isn't installed: pip install 'tftrain[explain]'"
        raise TftrainError(Problem(Mark("tftrain explain"), "E004", message)) from None
    return found


def derivatives(graph: Graph, values: Mapping[str, float]) -> tuple[Derivative, ...]:
    """The backward pass: from the result to the inputs, each derivative once.

    Raises:
        TftrainError: E003 naming what has no finite derivative there.
    """
    sympy = symbols()
    written = _by_given_names(graph, sympy)
    formulas: dict[str, Any] = {}
    found: dict[str, Derivative] = {}
    for node in reversed(graph.nodes):
        result = node is graph.output
        total, formula = float(result), sympy.formula(expression.Number(int(result)), {})
        products = []
        for user in graph.users(node.name):
            local = sympy.derivative(user.term, node.name, user.name)
            products.append(_product(user, node, local, values))
            total += found[user.name].value * products[-1].value
            formula += formulas[user.name] * local.xreplace(written)
        formulas[node.name] = formula
        text = _short(sympy.text(formula))
        found[node.name] = Derivative(node.name, tuple(products), text, total)
    return tuple(found.values())


def _product(user: Node, node: Node, local: Any, values: Mapping[str, float]) -> Product:
    sympy = symbols()
    try:
        value = sympy.value(local, values)
    except ValueError:
        message = f"d{user.name}/d{node.name} = {sympy.text(local)} is no finite number here"
        raise TftrainError(Problem(Mark("expression"), "E003", message)) from None
    again = tuple(sorted(str(one) for one in local.free_symbols))
    return Product(user.name, sympy.text(local), value, again)


def _by_given_names(graph: Graph, sympy: ModuleType) -> dict[Any, Any]:
    """Nodes without a name of their own, written by those that have one."""
    known: dict[str, Any] = {}
    for node in graph.nodes:
        if node.term is None or node.named:
            known[node.name] = sympy.symbol(node.name)
        else:
            known[node.name] = sympy.formula(node.term, known)
    return {sympy.symbol(node.name): known[node.name] for node in graph.nodes if not node.named}


def by_sympy(graph: Graph, values: Mapping[str, float]) -> dict[str, tuple[str, float | None]]:
    """The result written out in its inputs and differentiated by SymPy: formula and value of each.

    A value is None where SymPy's formula is no finite number.
    """
    sympy = symbols()
    known: dict[str, Any] = {}
    for node in graph.nodes:
        if node.term is None:
            known[node.name] = sympy.symbol(node.name)
        else:
            known[node.name] = sympy.formula(node.term, known, sympy.PURE)
    whole = known[graph.output.name]
    found: dict[str, tuple[str, float | None]] = {}
    at = {name: values[name] for name in graph.inputs}
    for name in graph.inputs:
        made = whole.diff(sympy.symbol(name))
        try:
            value = sympy.value(made, at)
        except ValueError:
            value = None
        found[name] = _short(sympy.text(made)), value
    return found


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
