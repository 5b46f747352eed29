"""A network's outputs in, what they say out: probabilities, margins, or numbers in own units."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Spec, outputs, squashing
from tftrain.data import Form

Kind = Literal["binary", "multiclass", "regression"]
Floats = NDArray[np.float32]
_TWO = 2  # classes, which one output can tell apart
MOST_CLASSES = 1000  # that are told apart one by one


def kind(form: Form, loss: Spec, shape: tuple[int, ...]) -> Kind | None:
    """What a network of such outputs is asked for; None where they can't be held against labels.

    Args:
        form: the labels' shape and classes.
        loss: says what outputs mean.
        shape: of one row's outputs.
    """
    if form.classes is None:
        return "regression" if shape in (form.labels, (*form.labels, 1)) else None
    unclear = margins(loss) and shape != (1,)
    if not tells_classes(form, shape) or unclear or len(form.classes) > MOST_CLASSES:
        return None
    return "binary" if len(form.classes) == _TWO else "multiclass"


def tells_classes(form: Form, shape: tuple[int, ...]) -> bool:
    """Whether there is an output for each class, or one for two."""
    width = int(np.prod(shape, dtype=np.int64))
    classes = len(form.classes or ())
    return bool(classes) and width in ((1, _TWO) if classes == _TWO else (classes,))


def margins(loss: Spec) -> bool:
    """Whether outputs are distances from a border at 0, not probabilities."""
    return outputs(loss) == "margins"


def numbers(form: Form, out: Floats) -> Floats:
    """Outputs or labels in the target's own units, flat: (rows, k)."""
    restored = out if form.target is None else form.target.restore(out)
    return restored.reshape(len(out), -1)


def probabilities(loss: Spec, flat: Floats) -> Floats:
    """Of each class, float32 (rows, classes), from the outputs (rows, 1) or (rows, classes)."""
    if outputs(loss) == "logits":
        flat = {"sigmoid": _sigmoid, "softmax": _softmax}[squashing(loss, flat.shape[1])](flat)
    return np.hstack([1 - flat, flat]) if flat.shape[1] == 1 else flat


def second(loss: Spec, flat: Floats) -> Floats:
    """The second of two classes' probability, (rows,): above one half where it is the likelier."""
    chances = probabilities(loss, flat)
    if flat.shape[1] == _TWO and squashing(loss, _TWO) == "sigmoid":  # each by itself
        chances = chances / chances.sum(axis=1, keepdims=True).clip(np.finfo(np.float32).tiny)
    return chances[:, 1]


def _sigmoid(logits: Floats) -> Floats:
    chances: Floats = np.exp(-np.logaddexp(np.float32(0), -logits))
    return chances


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: Floats = powers / powers.sum(axis=1, keepdims=True)
    return chances
