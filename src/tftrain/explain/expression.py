"""The text of an expression in, its statements as terms out: read as syntax, never evaluated.

A term is a number, a name, or an operation on terms. What an operation means is given to
`evaluate`: Python's floats, SymPy's symbols, TensorFlow's tensors.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tftrain.errors import Mark, Problem, TftrainError, did_you_mean

_LONGEST = 2000  # characters
_DEEPEST = 100
_HIGHEST_POWER = 1000
_EXACT = 2**53  # up to here a float is every whole number
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}", re.ASCII)
_BINARY: Mapping[type[ast.operator], str] = MappingProxyType(
    {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
)
FUNCTIONS: Mapping[str, int] = MappingProxyType(  # how many arguments each takes
    {"exp": 1, "log": 1, "sigmoid": 1, "relu": 1, "tanh": 1, "max": 2}
)


@dataclass(frozen=True)
class Number:
    """A number; whole ones are exact."""

    value: int | float


@dataclass(frozen=True)
class Name:
    """A variable, or an earlier result."""

    name: str


@dataclass(frozen=True)
class Call:
    """An operation (`+ - * / ** neg`, or one of `FUNCTIONS`) on terms."""

    operation: str
    arguments: tuple[Term, ...]


Term = Number | Name | Call


@dataclass(frozen=True)
class Statement:
    """`name = term`, and where it begins.

    Args:
        name: what the result is called; None where the text gives it no name.
        term: what is computed.
        mark: its place in the text.
    """

    name: str | None
    term: Term
    mark: Mark


def parse(text: str) -> tuple[Statement, ...]:
    """The statements of a text such as `c = w*x; J = (c + b - y)**2 / 2`.

    Raises:
        TftrainError: E001 with the column of what can't be read, and what can stand there.
    """
    if len(text) > _LONGEST:
        raise _refused(_LONGEST, f"an expression may have {_LONGEST} characters, got {len(text)}")
    found: list[Statement] = []
    for node in _syntax(text):
        reader = _Reader(text, [one.name for one in found if one.name])
        if found and found[-1].name is None:
            raise _refused(0, "expected `NAME = ...` before `;`: only the last may lack a name")
        found.append(reader.statement(node))
    if not found:
        raise _refused(0, "expected an expression, such as (w*x + b - y)**2 / 2")
    return tuple(found)


def _syntax(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text.strip(" \t"), mode="exec").body
    except SyntaxError as error:
        column = max(0, (error.offset or 1) - 1) if (error.lineno or 1) == 1 else len(text)
        said = f"can't be read: {error.msg}; products are written with *: 2*w"
        raise _refused(column + len(text) - len(text.lstrip(" \t")), said) from None
    except (ValueError, RecursionError, MemoryError):
        raise _refused(
            0, "can't be read: a character that no text may hold, or nested too deep"
        ) from None


class _Reader:
    """Makes one statement's terms; `names` are the results before it."""

    def __init__(self, text: str, names: list[str]) -> None:
        self._text = text
        self._names = names

    def statement(self, node: ast.stmt) -> Statement:
        mark = Mark("expression", node.lineno, self._column(node) + 1)
        if isinstance(node, ast.Expr):
            return Statement(None, self.term(node.value, 0), mark)
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
            raise self._fault(node, "expected `NAME = EXPRESSION` or an expression")
        target = node.targets[0]
        if not isinstance(target, ast.Name):
            raise self._fault(target, "expected one name on the left of `=`")
        name = self._name(target)
        if name in self._names:
            raise self._fault(target, f"`{name}` has a value already")
        return Statement(name, self.term(node.value, 0), mark)

    def term(self, node: ast.expr, depth: int) -> Term:
        if depth > _DEEPEST:
            raise self._fault(node, f"nested too deep: at most {_DEEPEST} levels")
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return Name(self._name(node))
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            term = self.term(node.operand, depth + 1)
            return term if isinstance(node.op, ast.UAdd) else self._folded(node, "neg", term)
        if isinstance(node, ast.BinOp):
            return self._binary(node, depth)
        known = "numbers, names, + - * / **, parentheses and functions"
        raise self._fault(node, f"{_kind(node)} can't stand here; expected {known}")

    def _binary(self, node: ast.BinOp, depth: int) -> Term:
        if type(node.op) not in _BINARY:
            power = "; a power is **" if isinstance(node.op, ast.BitXor) else ""
            raise self._fault(node, f"expected one of + - * / ** between two terms{power}")
        left, right = self.term(node.left, depth + 1), self.term(node.right, depth + 1)
        operation = _BINARY[type(node.op)]
        if operation == "**" and isinstance(right, Number) and abs(right.value) > _HIGHEST_POWER:
            raise self._fault(node.right, f"an exponent may be {_HIGHEST_POWER} at most")
        return self._folded(node, operation, left, right)

    def _call(self, node: ast.Call, depth: int) -> Term:
        if not isinstance(node.func, ast.Name):
            raise self._fault(
                node, "expected a function's name before `(`; products are written with *"
            )
        name = node.func.id
        if name not in FUNCTIONS:
            near = did_you_mean(name, FUNCTIONS) or f"; there are {', '.join(FUNCTIONS)}"
            raise self._fault(node, f"no function is called `{name}`{near}")
        wanted, got = FUNCTIONS[name], len(node.args)
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            raise self._fault(node, f"`{name}` takes plain arguments")
        if got < wanted or (got > wanted and name != "max"):
            least = "2 arguments or more" if name == "max" else "1 argument"
            raise self._fault(node, f"`{name}` takes {least}, got {got}")
        first, *others = (self.term(one, depth + 1) for one in node.args)
        if not others:
            return self._folded(node, name, first)
        for other in others:
            first = self._folded(node, name, first, other)
        return first

    def _folded(self, node: ast.expr, operation: str, *arguments: Term) -> Term:
        """An operation on numbers is a number; only a fraction of whole ones stays one."""
        term = Call(operation, arguments)
        if any(names(one) for one in arguments):
            return term
        try:
            value = evaluate(term, {}, FLOATS)
        except (ValueError, ArithmeticError):
            value = math.nan
        if not math.isfinite(value):
            raise self._fault(node, f"`{written(term)}` is no finite number")
        whole = all(isinstance(one, Number) and isinstance(one.value, int) for one in arguments)
        if whole and value == int(value) and abs(value) <= _EXACT:
            return Number(int(value))
        return term if whole and operation == "/" else Number(value)

    def _number(self, node: ast.Constant) -> Number:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._fault(node, f"expected a number, got {str(value)[:20]!r}")
        if isinstance(value, int) and abs(value) <= _EXACT:
            return Number(value)
        if not abs(value) < 1e300:  # noqa: PLR2004 - an int may be too large for a float
            raise self._fault(node, "a number too large to compute with")
        return Number(float(value))

    def _name(self, node: ast.Name) -> str:
        if node.id in FUNCTIONS:
            raise self._fault(node, f"`{node.id}` is a function: write {node.id}(...)")
        if not _NAME.fullmatch(node.id):
            raise self._fault(
                node, "expected a name of at most 32 letters, digits and _, such as w1"
            )
        return node.id

    def _column(self, node: ast.expr | ast.stmt) -> int:
        """Characters before it; Python counts the bytes of UTF-8."""
        lines = self._text.lstrip(" \t").splitlines() or [""]
        line = lines[min(node.lineno, len(lines)) - 1].encode()
        indent = len(self._text) - len(self._text.lstrip(" \t")) if node.lineno == 1 else 0
        return indent + len(line[: node.col_offset].decode(errors="replace"))

    def _fault(self, node: ast.expr | ast.stmt, message: str) -> TftrainError:
        return _refused(self._column(node), message, node.lineno)


def _refused(column: int, message: str, line: int = 1) -> TftrainError:
    return TftrainError(Problem(Mark("expression", line, column + 1), "E001", message))


def _kind(node: ast.expr) -> str:
    words = {ast.Compare: "a comparison", ast.Attribute: "a dot", ast.Subscript: "[...]"}
    return words.get(type(node), f"`{ast.unparse(node)[:20]}`")


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    return math.exp(z) / (1 + math.exp(z))


Operations = Mapping[str, Callable[..., Any]]
FLOATS: Operations = MappingProxyType(
    {
        "number": float,
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "**": math.pow,
        "neg": operator.neg,
        "exp": math.exp,
        "log": math.log,
        "sigmoid": _sigmoid,
        "relu": lambda z: max(z, 0.0),
        "tanh": math.tanh,
        "max": max,
    }
)


def evaluate(term: Term, values: Mapping[str, Any], operations: Operations) -> Any:
    """A term's value.

    Args:
        term: what to compute.
        values: of its names.
        operations: what each operation does; `number` makes a constant.
    """
    if isinstance(term, Number):
        return operations["number"](term.value)
    if isinstance(term, Name):
        return values[term.name]
    arguments = (evaluate(one, values, operations) for one in term.arguments)
    return operations[term.operation](*arguments)


def names(term: Term) -> tuple[str, ...]:
    """The names in a term, each once, in the order they stand there."""

    def walk(one: Term) -> Iterator[str]:
        if isinstance(one, Name):
            yield one.name
        elif isinstance(one, Call):
            for argument in one.arguments:
                yield from walk(argument)

    return tuple(dict.fromkeys(walk(term)))


_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
_SIGNS = {"+": " + ", "-": " - ", "*": "*", "/": "/", "**": "**"}


def written(term: Term, values: Mapping[str, str] | None = None) -> str:
    """A term as a person writes it.

    Args:
        term: what to write.
        values: what to write for names.
    """
    if isinstance(term, Number):
        return number(term.value)
    if isinstance(term, Name):
        return term.name if values is None else values[term.name]
    if term.operation in FUNCTIONS:
        return f"{term.operation}({', '.join(written(one, values) for one in term.arguments)})"
    strength = _STRENGTH[term.operation]
    if term.operation == "neg":
        return f"-{_side(term.arguments[0], values, strength)}"
    power = term.operation == "**"  # which alone binds its right side first
    left = _side(term.arguments[0], values, strength + power)
    right = _side(term.arguments[1], values, strength + (not power))
    return f"{left}{_SIGNS[term.operation]}{right}"


def _side(term: Term, values: Mapping[str, str] | None, least: int) -> str:
    text = written(term, values)
    loose = isinstance(term, Call) and _STRENGTH.get(term.operation, least) < least
    negative = not isinstance(term, Call) and text.startswith("-")
    return f"({text})" if loose or negative else text


def number(value: float) -> str:
    """`2`, `-4`, `0.006001`, `1.234568e-09`: seven digits, none that say nothing."""
    return f"{value:.7g}" if value else "0"
