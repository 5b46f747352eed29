"""Terms in, SymPy's formulas and their derivatives out; this and `functions` import SymPy.

Formulas are made object by object: no text is ever given to SymPy to read.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from tftrain.explain import expression
from tftrain.explain.expression import Term


class step(sympy.Function):  # type: ignore[misc] # noqa: N801 - printed under this name
    """1 above 0, else 0: the derivative of relu, with TensorFlow's choice at 0."""

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Its value, once z is a number."""
        return sympy.Integer(bool(z > 0)) if z.is_Number else None

    def fdiff(self, _argindex: int = 1) -> Any:
        """0, wherever it has a derivative."""
        return sympy.Integer(0)


class relu(sympy.Function):  # type: ignore[misc] # noqa: N801 - as above
    """max(0, z)."""

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Its value, once z is a number."""
        return sympy.Max(0, z) if z.is_Number else None

    def fdiff(self, _argindex: int = 1) -> Any:
        """Its derivative."""
        return step(self.args[0])


class sigmoid(sympy.Function):  # type: ignore[misc] # noqa: N801 - as above
    """1 / (1 + exp(-z))."""

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Its value, once z is a number."""
        return 1 / (1 + sympy.exp(-z)) if z.is_Number else None

    def fdiff(self, _argindex: int = 1) -> Any:
        """Its derivative, by its own value."""
        return self * (1 - self)


class larger(sympy.Function):  # type: ignore[misc] # noqa: N801 - as above
    """The larger of two; where they are equal the first counts, as in TensorFlow."""

    @classmethod
    def eval(cls, a: Any, b: Any) -> Any:
        """Its value, once both are numbers."""
        return sympy.Max(a, b) if a.is_Number and b.is_Number else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Its derivative by one of the two."""
        second = step(self.args[1] - self.args[0])
        return second if argindex == 2 else 1 - second  # noqa: PLR2004 - the second argument


def _constant(value: float) -> Any:
    return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)


OPERATIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "number": _constant,
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "**": operator.pow,
        "neg": operator.neg,
        "exp": sympy.exp,
        "log": sympy.log,
        "sigmoid": sigmoid,
        "relu": relu,
        "tanh": sympy.tanh,
        "max": larger,
    }
)


PURE = MappingProxyType({**OPERATIONS, "sigmoid": lambda z: 1 / (1 + sympy.exp(-z))})


def symbol(name: str) -> Any:
    """A real variable."""
    return sympy.Symbol(name, real=True)


def formula(
    term: Term, known: Mapping[str, Any], operations: Mapping[str, Callable[..., Any]] = OPERATIONS
) -> Any:
    """A term as a formula of what is known of its names; with `PURE`, of SymPy's own functions."""
    return expression.evaluate(term, known, operations)


def derivative(term: Term, by: str, name: str | None = None) -> Any:
    """The derivative of one operation by one of its inputs.

    Args:
        term: the operation.
        by: the input.
        name: what the result is called: where it stands in its own derivative, as that of a
            sigmoid does, it is written by name.
    """
    made = formula(term, {one: symbol(one) for one in expression.names(term)})
    found = sympy.diff(made, symbol(by))
    return found if name is None else found.subs(made, symbol(name))


def value(made: Any, at: Mapping[str, float]) -> float:
    """A formula's value; a ValueError where it is no finite number."""
    inserted = made.xreplace({symbol(name): sympy.Float(number) for name, number in at.items()})
    try:
        found = float(inserted.evalf())
    except (TypeError, OverflowError):
        raise ValueError(text(made)) from None
    if not float("-inf") < found < float("inf"):
        raise ValueError(text(made))
    return found


def coin_slope() -> Any:
    """The derivative of a coin's entropy in bits."""
    p = symbol("p")
    bits = -(p * sympy.log(p) + (1 - p) * sympy.log(1 - p)) / sympy.log(2)
    return sympy.factor(sympy.diff(bits, p))


_WRITTEN = {"larger": "max", "Max": "max", "Min": "min", "Abs": "abs", "Heaviside": "step"}
_ARGUMENTS = {"step": 1}  # SymPy's has its value at 0 as a second


class _Printer(StrPrinter):  # type: ignore[misc]
    """Writes `z2 - y`, where SymPy would begin with `-y`."""

    def _as_ordered_terms(self, expr: Any, order: str | None = None) -> Sequence[Any]:
        terms = super()._as_ordered_terms(expr, order)
        return sorted(terms, key=lambda one: bool(one.could_extract_minus_sign()))

    def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802 - SymPy's name for it
        *cases, (last, _) = expr.args
        told = [f"{self._print(made)} if {self._print(where)}" for made, where in cases]
        return ", ".join([*told, f"else {self._print(last)}"])

    def _print_Float(self, expr: Any) -> str:  # noqa: N802 - as above
        return expression.number(float(expr))

    def _print_named(self, expr: Any) -> str:
        name = _WRITTEN[expr.func.__name__]
        return f"{name}({self.stringify(expr.args[: _ARGUMENTS.get(name)], ', ')})"

    _print_larger = _print_Heaviside = _print_Max = _print_Min = _print_Abs = _print_named  # noqa: N815


def text(made: Any) -> str:
    """A formula on one line."""
    return str(_Printer().doprint(made))
