"""Outputs and labels in, a loss that has no gradient out: beside Keras's losses.

The catalog reads this file as it reads Keras's.
"""

from __future__ import annotations

from typing import Any

from tftrain.backend import keras


@keras.saving.register_keras_serializable("tftrain")
class ZeroOneLoss(keras.losses.Loss):  # type: ignore[misc] # Keras has no types
    """1 for a row whose class is another than the label's, else 0; it has no gradient.

    One output tells two classes apart; several, one a class, have the largest one's class. Labels
    are class numbers, or rows of 0 and 1 of the outputs' shape.

    Args:
        from_logits: Boolean: whether a single output says the second class from 0 on, not from 0.5.
        reduction: One of `"sum_over_batch_size"`, `"sum"`, `"mean"` or
            `"mean_with_sample_weight"`.
        name: String. The loss's name.
    """

    def __init__(
        self,
        from_logits: bool = False,
        reduction: str = "sum_over_batch_size",
        name: str | None = "zero_one_loss",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row.

        Args:
            y_true: labels, (rows,), (rows, 1) or (rows, outputs).
            y_pred: outputs, (rows, outputs).

        Returns:
            0 and 1, (rows,), of the outputs' type.
        """
        ops = keras.ops
        if y_pred.shape[-1] == 1:
            predicted = ops.squeeze(y_pred > (0.0 if self.from_logits else 0.5), -1)
            labels = ops.reshape(y_true, ops.shape(predicted)) > 0.5  # noqa: PLR2004
        else:
            predicted = ops.argmax(y_pred, -1)
            sparse = len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1
            labels = (
                ops.reshape(ops.cast(y_true, predicted.dtype), ops.shape(predicted))
                if sparse
                else ops.argmax(y_true, -1)
            )
        return ops.cast(predicted != labels, y_pred.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again."""
        return {**super().get_config(), "from_logits": self.from_logits}
