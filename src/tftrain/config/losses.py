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
    "ce": "crossentropy",
}


def family(loss: Spec) -> Family:
    """What kind of labels a loss takes.

    Returns:
        `binary`: 0 and 1; `hinge`: 0 and 1, or -1 and 1; `sparse`: class numbers; `categorical`:
        rows of 0 and 1; `crossentropy`: whichever of these the labels are; `numbers`: any.
    """
    return _FAMILIES.get(loss.name.replace("_", "").lower(), "numbers")


def squashing(loss: Spec, outputs: int) -> Literal["sigmoid", "softmax"]:
    """What makes probabilities of so many logits a row."""
    return "sigmoid" if outputs == 1 or family(loss) == "binary" else "softmax"


def outputs(loss: Spec) -> Literal["probabilities", "logits", "margins"]:
    """What a classifier's outputs are: its class is at 0.5, or (`logits`, `margins`) at 0."""
    if loss.arguments.get("from_logits"):
        return "logits"
    return "margins" if family(loss) == "hinge" else "probabilities"
