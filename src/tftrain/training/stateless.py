"""A network in, its steps out as functions: variables' values in, what they are then out.

A member's step is Keras's own arithmetic, on the values that a `keras.StatelessScope` gives the
network's variables: nothing is written to these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

from tftrain.backend import keras, tf

# Where Keras's optimizers for TensorFlow write past the scope, its own for all backends don't.
_FOR_ALL_BACKENDS = (
    "assign",
    "assign_add",
    "assign_sub",
    "_apply_weight_decay",
    "_backend_update_step",
    "_overwrite_model_variables_with_average_value",
    "_backend_increment_gradient_accumulators",
)


class Stateless:
    """One network's steps without a side effect.

    Args:
        network: compiled, its optimizer and its metrics built.
        variables: that a step may change, but for the metrics'.

    Attributes:
        metrics: the metrics' variables.
    """

    def __init__(self, network: Any, variables: Sequence[Any]) -> None:
        self._network = network
        self._variables = variables
        self.metrics = [variable for metric in network.metrics for variable in metric.variables]

    def begun(self) -> list[Any]:
        """The metrics' values as an epoch begins with them."""
        with keras.StatelessScope() as scope:
            self._network.reset_metrics()
        return [_value(scope, one) for one in self.metrics]

    def train(
        self, values: list[Any], metrics: list[Any], data: tuple[Any, ...]
    ) -> tuple[list[Any], list[Any]]:
        """Keras's `train_step`: what the variables hold before in, what they hold after it out.

        Args:
            values: of the variables.
            metrics: of the metrics' variables.
            data: rows: inputs, labels and perhaps weights.
        """
        network = self._network
        inputs, labels, weights = (*data, None)[:3]
        with self._scope(values, metrics) as scope:
            weights_now = [scope.get_current_value(one) for one in network.trainable_variables]
            with tf.GradientTape() as tape:
                tape.watch(weights_now)
                outputs = network(inputs, training=True)
                loss = self._loss(inputs, labels, outputs, weights, training=True)
                self._tracker().update_state(loss, sample_weight=tf.shape(inputs)[0])
                loss = network.optimizer.scale_loss(loss)
            gradients = tape.gradient(loss, weights_now)
            network.optimizer.apply(gradients, network.trainable_variables)
            network.compute_metrics(inputs, labels, outputs, sample_weight=weights)
        return self._after(scope)

    def test(
        self, values: list[Any], metrics: list[Any], data: tuple[Any, ...]
    ) -> tuple[list[Any], list[Any]]:
        """Keras's `test_step`, as `train` has it."""
        inputs, labels, weights = (*data, None)[:3]
        with self._scope(values, metrics) as scope:
            outputs = self._network(inputs, training=False)
            loss = self._loss(inputs, labels, outputs, weights, training=False)
            self._tracker().update_state(loss, sample_weight=tf.shape(inputs)[0])
            self._network.compute_metrics(inputs, labels, outputs, sample_weight=weights)
        return values, self._after(scope)[1]

    def result(self, metrics: list[Any]) -> dict[str, Any]:
        """The metrics by name, of what their variables hold."""
        with keras.StatelessScope(list(zip(self.metrics, metrics, strict=True))):
            results: dict[str, Any] = self._network.get_metrics_result()
        return {name: tf.convert_to_tensor(value) for name, value in results.items()}

    def _loss(self, inputs: Any, labels: Any, outputs: Any, weights: Any, *, training: bool) -> Any:
        return self._network.compute_loss(
            x=inputs, y=labels, y_pred=outputs, sample_weight=weights, training=training
        )

    def _tracker(self) -> Any:
        return next(metric for metric in self._network.metrics if metric.name == "loss")

    def _scope(self, values: list[Any], metrics: list[Any]) -> Any:
        both = zip([*self._variables, *self.metrics], [*values, *metrics], strict=True)
        return keras.StatelessScope(list(both))

    def _after(self, scope: Any) -> tuple[list[Any], list[Any]]:
        return (
            [_value(scope, one) for one in self._variables],
            [_value(scope, one) for one in self.metrics],
        )


@contextmanager
def in_scopes(network: Any) -> Iterator[None]:
    """In here graphs can be made of steps: the optimizer's updates go to the scope that is open."""
    optimizer, variables = network.optimizer, network.trainable_variables
    base = next(one for one in type(optimizer).__mro__ if one.__name__ == "BaseOptimizer")
    known = [*variables, *optimizer.variables]
    keys = {id(one): optimizer._var_key(one) for one in known}  # noqa: SLF001 - no public name
    for name in _FOR_ALL_BACKENDS:
        setattr(optimizer, name, MethodType(getattr(base, name), optimizer))
    optimizer._var_key = lambda variable: keys[id(variable)]  # noqa: SLF001
    try:
        yield
    finally:
        for name in (*_FOR_ALL_BACKENDS, "_var_key"):
            delattr(optimizer, name)


def _value(scope: Any, variable: Any) -> Any:
    value = scope.get_current_value(variable)
    return variable.value if value is None else value
