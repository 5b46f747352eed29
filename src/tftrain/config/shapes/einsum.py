"""EinsumDense: a product of rows and a kernel, written as an equation; its rule."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    Output,
    Refusal,
    Shape,
    Size,
    Unknown,
    refused,
    times,
    total,
)

# The rows' letters, the kernel's, the output's; `...` stands for axes that stay as they are.
_FORMS = (
    re.compile(r"()([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)()"),
    re.compile(r"(\.\.\.)([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)()"),
    re.compile(r"()([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)(\.\.\.)"),
)


@dataclass(frozen=True)
class _Equation:
    """An equation's letters, and on which side axes are left out of it."""

    rows: str
    kernel: str
    output: str
    left: bool
    right: bool


def einsum(layer: Resolved, shape: Shape) -> Output:
    """The rows times a kernel, along the axes whose letter both have."""
    equation = _equation(layer)
    rows = (None, *shape)
    elided = len(rows) - len(equation.rows)
    if elided < 0:
        raise Refusal(f"its equation needs {len(equation.rows) - 1} axes a row")
    if elided and not equation.left and not equation.right:
        raise Unknown  # Keras adds them to the output, and at times that fits
    before = rows[:elided] if equation.left else ()
    behind = rows[len(rows) - elided :] if equation.right else ()
    output = (*before, *_named(layer, equation, elided), *behind)
    sizes = dict(zip(equation.output, output[len(before) :], strict=False))
    _compare(equation, dict(zip(equation.rows, rows[len(before) :], strict=False)), sizes)
    known = {**dict(zip(equation.rows, rows[len(before) :], strict=False)), **sizes}
    kernel = times(*(known[letter] for letter in equation.kernel))
    return output[1:], total(kernel, _bias(layer, equation, sizes))


def _equation(layer: Resolved) -> _Equation:
    """The equation, if it is one that Keras takes and whose axes are told apart here."""
    written = layer.get("equation")
    found = [form.match(written) for form in _FORMS] if isinstance(written, str) else []
    match = next(filter(None, found), None)
    if match is None:
        raise refused("equation", "`ab,bc->ac`, `...b,bc->...c` or `ab...,bc->ac...`", written)
    left, rows, kernel, output, right = match.groups()
    for letter in {*kernel, *output} - {*rows, *kernel} | {*kernel} - {*rows, *output}:
        raise Refusal(f"`equation`: `{letter}` stands on one side alone, in {written}", "K004")
    several = any(len(set(letters)) < len(letters) for letters in (rows, kernel, output))
    mixed = not left and (rows[0] != output[0] or rows[0] in kernel)
    if match.group() != written or several or mixed:
        raise Unknown
    return _Equation(rows, kernel, output, bool(left), bool(right))


def _named(layer: Resolved, equation: _Equation, elided: int) -> Shape:
    """The sizes of the output's letters: `output_shape`, behind the rows themselves."""
    given = layer.get("output_shape")
    sizes = given if isinstance(given, list) else [given]
    if any(size is not None and (type(size) is not int or size < 1) for size in sizes):
        raise Unknown
    named = sizes if equation.left else [None, *sizes]
    if (equation.left and not elided) or len(named) != len(equation.output):
        raise Unknown
    return tuple(named)


def _compare(equation: _Equation, rows: dict[str, Size], output: dict[str, Size]) -> None:
    for letter in equation.rows:
        comes, goes = rows[letter], output.get(letter)
        if None not in (comes, goes) and comes != goes:
            raise Refusal(f"axis `{letter}` has size {comes}, and {goes} in `output_shape`")


def _bias(layer: Resolved, equation: _Equation, sizes: dict[str, Size]) -> Size:
    axes = layer.get("bias_axes")
    if axes is None:
        return 0
    if not isinstance(axes, str) or not axes:
        raise Unknown
    for letter in axes:
        if letter not in equation.output:
            raise refused("bias_axes", f"letters of {equation.output}", axes)
    return times(*(sizes[letter] for letter in set(axes)))
