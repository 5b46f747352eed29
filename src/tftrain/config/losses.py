"""A loss's name in, what it takes as labels and makes of outputs out."""

from __future__ import annotations

from typing import Literal

from tftrain.config.schema import Spec

Family = Literal["binary", "hinge", "sparse", "categorical", "crossentropy", "numbers"]

_FAMILIES: dict[str, Family] = {
    "binarycrossentropy": "binary",
    "binaryfocalcrossentropy": "binary",
    "bce": "binary",
    "hinge": "hinge",
    "squaredhinge": "hinge",
    "sparsecategoricalcrossentropy": "sparse",
    "categoricalcrossentropy": "categorical",
    "categoricalfocalcrossentropy": "categorical",
    "categoricalgeneralizedcrossentropy": "sparse",  # for all its name: it makes the rows itself
    "categoricalhinge": "categorical",
    "crossentropy": "crossentropy",
    "zerooneloss": "crossentropy",
    "ce": "crossentropy",
}
ACCURACY = ("accuracy", "acc")
# by kind, the words that stand for one loss or metric or another
BY_SHAPES = {"loss": ("crossentropy", "ce"), "metric": (*ACCURACY, "crossentropy", "ce")}

_FREE = ("CTC", "ctc", "Circle", "circle")  # labels of a shape of their own


def family(loss: Spec) -> Family:
    """What kind of labels a loss takes.

    Returns:
        `binary`: 0 and 1; `hinge`: 0 and 1, or -1 and 1; `sparse`: class numbers; `categorical`:
        rows of 0 and 1; `crossentropy`: whichever of these the labels are; `numbers`: any.
    """
    return _FAMILIES.get(loss.name.replace("_", "").lower(), "numbers")


def outputs_fault(
    loss: Spec,
    output: tuple[int | None, ...],
    classes: int,
    labels: tuple[int, ...],
    *,
    own: bool = False,
) -> str | None:
    """Why a network's outputs and the labels aren't of shapes that mean the same.

    Keras itself would stretch one over the other.

    Args:
        loss: that compares them.
        output: one row's shape, without the batch.
        classes: how many; 0 where the labels are numbers.
        labels: one label's shape, () for a number.
        own: whether the loss is one of the user's own, which may take labels of either form.

    Returns:
        What is there and what is expected, or None where they fit.
    """
    if loss.name in _FREE:
        return None
    by_shape = family(loss) == "crossentropy" and not labels and output != (1,)
    if family(loss) == "sparse" or by_shape:
        fits = len(output) == 1 and (output[0] or 0) >= classes
        wanted = f"({classes},), one for each class"
    else:
        fits = output == (labels or (1,))
        if own and classes and not labels:
            fits = fits or (len(output) == 1 and (output[0] or 0) >= classes)
        wanted = f"{labels or (1,)}, as the labels"
    return None if fits else f"the network's outputs have shape {output} a row; expected {wanted}"


def by_shapes(kind: str, spec: Spec) -> bool:
    """Whether the shapes of outputs and labels decide which loss or metric a word stands for."""
    word = spec.name in BY_SHAPES.get(kind, ())
    return word and (spec.name in ACCURACY or not spec.arguments)


def squashing(loss: Spec, outputs: int) -> Literal["sigmoid", "softmax"]:
    """What makes probabilities of so many logits a row."""
    return "sigmoid" if outputs == 1 or family(loss) == "binary" else "softmax"


def outputs(loss: Spec) -> Literal["probabilities", "logits", "margins"]:
    """What a classifier's outputs are: its class is at 0.5, or (`logits`, `margins`) at 0."""
    if loss.arguments.get("from_logits"):
        return "logits"
    return "margins" if family(loss) == "hinge" else "probabilities"
