"""The name of an activation or a loss in, its formula, derivative, curve and use out.

Formulas are SymPy's objects, with the arguments that Keras takes where none are given; the tests
compare their values and derivatives with Keras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Abs, Max, Min, Piecewise, Rational, cosh, erf, exp, log, sqrt, tanh

from tftrain.errors import Mark, Problem, TftrainError, did_you_mean, listed
from tftrain.explain import symbols

z, z2, z3, y, f = (symbols.symbol(name) for name in ("z", "z2", "z3", "y", "f"))
Range = tuple[float, float]
_WIDE: Range = (-4.0, 4.0)
_NEAR_ONE = (0.01, 0.99)
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805  # SELU's, as in its paper


@dataclass(frozen=True)
class Function:
    """An activation of z, or a loss of the label y and the output f.

    Args:
        keras: its name in `keras.activations` or `keras.losses`.
        formula: SymPy's.
        use: when to use it, one sentence or two.
        by: the variable that the derivative and the curve are by.
        over: from where to where the curve is drawn.
        curves: what the other variables are, for each curve.
        also: its other names.
    """

    keras: str
    formula: Any
    use: str
    by: Any = z
    over: Range = _WIDE
    curves: Sequence[Mapping[Any, float]] = field(default_factory=lambda: ({},))
    also: tuple[str, ...] = ()

    @property
    def derivative(self) -> Any:
        """SymPy's derivative by the variable, simplified where that is quick."""
        return sympy.diff(self.formula, self.by)

    def at(self, place: float, others: Mapping[Any, float], made: Any = None) -> float | None:
        """The value there of the formula, or of another; None where it has none."""
        values = {str(name): value for name, value in others.items()} | {str(self.by): place}
        try:
            return symbols.value(self.formula if made is None else made, values)
        except ValueError:
            return None


_HALF = Rational(1, 2)
_SIGMOID = 1 / (1 + exp(-z))
_HARD_SIGMOID = Min(Max(z + 3, 0), 6) / 6
_SOFTPLUS = log(1 + exp(z))
_SQUARED = (f - y) ** 2
_LABELS = ({y: 1}, {y: 0})
_SIGNS = ({y: 1}, {y: -1})

ACTIVATIONS = (
    Function(
        "linear",
        z,
        "The output of a regression whose target can be of either sign. Hidden layers that are "
        "linear collapse to one linear map: `tftrain explain CONFIG --linear`.",
    ),
    Function(
        "sigmoid",
        _SIGMOID,
        "The output where the target is 0 or 1. In hidden layers ReLU learns faster: the sigmoid "
        "is flat on both sides.",
    ),
    Function(
        "tanh",
        tanh(z),
        "Recurrent layers, and outputs between -1 and 1. Flat on both sides, as the sigmoid.",
    ),
    Function(
        "relu",
        Max(z, 0),
        "Hidden layers, as a rule: cheap, flat on one side only, sparse. As an output only where "
        "the target can't be negative, as a price. A unit below 0 for every row is dead.",
    ),
    Function(
        "leaky_relu",
        Piecewise((z, z >= 0), (z / 5, True)),
        "Hidden layers where ReLU units die: the small slope below 0 keeps them learning. The "
        "slope is 0.2 here, and 0.3 in the layer LeakyReLU.",
    ),
    Function("relu6", Min(Max(z, 0), 6), "Hidden layers of networks for small devices."),
    Function(
        "elu",
        Piecewise((z, z > 0), (exp(z) - 1, True)),
        "Hidden layers: as ReLU, with means nearer to 0 and no dead units, at the cost of an exp.",
        also=("celu",),
    ),
    Function(
        "selu",
        _SCALE * Piecewise((z, z > 0), (_ALPHA * (exp(z) - 1), True)),
        "Deep stacks of Dense with lecun_normal and AlphaDropout, which then stay normalised.",
    ),
    Function(
        "gelu",
        z * (1 + erf(z / sqrt(2))) / 2,
        "Hidden layers of Transformers.",
    ),
    Function(
        "silu",
        z * _SIGMOID,
        "Hidden layers of deep networks for images: smooth, not monotonous.",
        also=("swish",),
    ),
    Function("mish", z * tanh(_SOFTPLUS), "As silu, a little more costly."),
    Function(
        "softplus",
        _SOFTPLUS,
        "Outputs that must be positive, such as a variance or a rate: a smooth ReLU.",
    ),
    Function("softsign", z / (1 + Abs(z)), "As tanh, with slower ends and no exp."),
    Function("exponential", exp(z), "Outputs that must be positive, such as a count with Poisson."),
    Function("hard_sigmoid", _HARD_SIGMOID, "A sigmoid of straight lines, for small devices."),
    Function(
        "hard_silu",
        z * _HARD_SIGMOID,
        "A silu of straight lines, for small devices.",
        also=("hard_swish",),
    ),
    Function("hard_tanh", Min(Max(z, -1), 1), "A tanh of straight lines, for small devices."),
    Function("log_sigmoid", -log(1 + exp(-z)), "The logarithm of a probability."),
    Function("tanh_shrink", z - tanh(z), "Sparse codes: small inputs become nearly 0."),
    Function(
        "soft_shrink",
        Piecewise((z - _HALF, z > _HALF), (z + _HALF, z < -_HALF), (0, True)),
        "Sparse codes: inputs between -0.5 and 0.5 become 0, others move towards it.",
    ),
    Function(
        "hard_shrink",
        Piecewise((z, Abs(z) > _HALF), (0, True)),
        "Sparse codes: inputs between -0.5 and 0.5 become 0.",
    ),
    Function("squareplus", (z + sqrt(z**2 + 4)) / 2, "A softplus without exp."),
    Function(
        "sparse_sigmoid",
        Piecewise((0, z <= -1), (1, z >= 1), ((z + 1) / 2, True)),
        "A sigmoid that reaches 0 and 1.",
    ),
    Function(
        "sparse_plus",
        Piecewise((0, z <= -1), (z, z >= 1), ((z + 1) ** 2 / 4, True)),
        "A softplus that reaches 0.",
    ),
    Function(
        "softmax",
        exp(z) / (exp(z) + exp(z2) + exp(z3)),
        "The output for classes that exclude each other, one unit a class: they add up to 1. Here "
        "for three; by another unit's z2 the derivative is -softmax(z)*softmax(z2).",
        curves=({z2: 0, z3: 0},),
    ),
    Function(
        "log_softmax",
        z - log(exp(z) + exp(z2) + exp(z3)),
        "The logarithm of softmax; here for three.",
        curves=({z2: 0, z3: 0},),
    ),
)
LOSSES = (
    Function(
        "binary_crossentropy",
        -y * log(f) - (1 - y) * log(1 - f),
        "Labels of 0 or 1, outputs by a sigmoid: with it the derivative by z is f - y.",
        also=("BinaryCrossentropy",),
        by=f,
        over=_NEAR_ONE,
        curves=_LABELS,
    ),
    Function(
        "binary_focal_crossentropy",
        -y * (1 - f) ** 2 * log(f) - (1 - y) * f**2 * log(1 - f),
        "As binary_crossentropy, where most rows are easy: they count less.",
        also=("BinaryFocalCrossentropy",),
        by=f,
        over=_NEAR_ONE,
        curves=_LABELS,
    ),
    Function(
        "categorical_crossentropy",
        -log(f),
        "Classes that exclude each other, labels one-hot, outputs by softmax; f is the "
        "probability given to the true class. By its z the derivative is f - 1.",
        also=("CategoricalCrossentropy",),
        by=f,
        over=_NEAR_ONE,
    ),
    Function(
        "sparse_categorical_crossentropy",
        -log(f),
        "As categorical_crossentropy, for labels that are class numbers.",
        also=("SparseCategoricalCrossentropy",),
        by=f,
        over=_NEAR_ONE,
    ),
    Function(
        "kl_divergence",
        y * log(y / f),
        "Labels that are distributions; the sum over the classes is cross-entropy less entropy.",
        also=("KLDivergence",),
        by=f,
        over=_NEAR_ONE,
        curves=({y: 0.3},),
    ),
    Function(
        "mean_squared_error",
        _SQUARED,
        "Regression: large errors count most. The loss of linear regression.",
        also=("MeanSquaredError", "mse"),
        by=f,
        curves=({y: 0},),
    ),
    Function(
        "mean_absolute_error",
        Abs(f - y),
        "Regression with outliers: each unit of error counts the same. It has a kink at 0.",
        also=("MeanAbsoluteError", "mae"),
        by=f,
        curves=({y: 0},),
    ),
    Function(
        "huber",
        Piecewise((_SQUARED / 2, Abs(f - y) <= 1), (Abs(f - y) - _HALF, True)),
        "Regression with outliers: squared near 0, straight beyond 1.",
        also=("Huber",),
        by=f,
        curves=({y: 0},),
    ),
    Function(
        "log_cosh",
        log(cosh(f - y)),
        "As huber, smooth everywhere.",
        also=("LogCosh",),
        by=f,
        curves=({y: 0},),
    ),
    Function(
        "mean_absolute_percentage_error",
        100 * Abs(y - f) / Abs(y),
        "Positive targets of very different size, where the share of the error counts.",
        also=("MeanAbsolutePercentageError", "mape"),
        by=f,
        curves=({y: 2},),
    ),
    Function(
        "mean_squared_logarithmic_error",
        (log(f + 1) - log(y + 1)) ** 2,
        "Targets that are never negative and span sizes; log targets say it more plainly.",
        also=("MeanSquaredLogarithmicError", "msle"),
        by=f,
        over=(0.0, 8.0),
        curves=({y: 2},),
    ),
    Function(
        "poisson",
        f - y * log(f),
        "Counts; outputs by exponential or softplus.",
        also=("Poisson",),
        by=f,
        over=(0.05, 6.0),
        curves=({y: 2},),
    ),
    Function(
        "hinge",
        Max(1 - y * f, 0),
        "Labels of -1 and 1, outputs linear: only rows on the wrong side of the margin count.",
        also=("Hinge",),
        by=f,
        curves=_SIGNS,
    ),
    Function(
        "squared_hinge",
        Max(1 - y * f, 0) ** 2,
        "As hinge, without the kink.",
        also=("SquaredHinge",),
        by=f,
        curves=_SIGNS,
    ),
)
KINDS: Mapping[str, Sequence[Function]] = {"activation": ACTIVATIONS, "loss": LOSSES}


def named(kind: str, name: str) -> Function:
    """An activation or a loss by one of its names, in capitals or not.

    Raises:
        TftrainError: C031 when none is known under it.
    """
    known = {other: one for one in KINDS[kind] for other in (one.keras, *one.also)}
    folded = {other.casefold().replace("_", ""): one for other, one in known.items()}
    found = folded.get(name.casefold().replace("_", ""))
    if found is None:
        near = (
            did_you_mean(name, known) or f"; there are {listed(one.keras for one in KINDS[kind])}"
        )
        message = f"no {kind} that can be explained is called so{near}"
        raise TftrainError(Problem(Mark(name), "C031", message))
    return found
