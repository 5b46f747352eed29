"""The engine against `keras.Model.fit`, given the same batches: every bit must be equal."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

from tftrain.config import Config, Source
from tftrain.config.text import read
from tftrain.data import Form, Part
from tftrain.data.scaling import Scaling

pytestmark = pytest.mark.usefixtures("tensorflow")

ROWS, WATCHED = 70, 23  # neither is a multiple of the batch size: there are remainders
BINARY = {"loss": "BinaryCrossentropy", "metrics": ["accuracy", "AUC"]}
SPARSE = {"loss": "SparseCategoricalCrossentropy", "metrics": ["accuracy"]}
NUMBERS = {"loss": "MeanSquaredError", "metrics": ["MeanAbsoluteError", "R2Score"]}
DECAY = {"ExponentialDecay": {"initial_learning_rate": 0.05, "decay_steps": 5, "decay_rate": 0.9}}


def dense(units, activation="relu", **arguments):
    return {"Dense": {"units": units, "activation": activation, **arguments}}


NETWORKS = {
    "course": ([dense(25, "sigmoid"), dense(15, "sigmoid"), dense(1, "sigmoid")], BINARY),
    "dropout": ([dense(16), {"Dropout": {"rate": 0.4}}, dense(1, "sigmoid")], BINARY),
    "batch_normalization": (
        [dense(16), "BatchNormalization", dense(1, "sigmoid")],
        BINARY | {"optimizer": "Adam"},
    ),
    "dropout_and_normalization": (
        [dense(16), "BatchNormalization", {"Dropout": {"rate": 0.3}}, dense(1, "sigmoid")],
        BINARY | {"optimizer": {"AdamW": {"weight_decay": 0.01}}},
    ),
    "logits": ([dense(1, None)], {"loss": {"BinaryCrossentropy": {"from_logits": True}}}),
    "softmax": ([dense(8), dense(3, "softmax")], SPARSE | {"optimizer": "Adam"}),
    "categorical": (
        [dense(3, "softmax")],
        {"loss": {"CategoricalCrossentropy": {"label_smoothing": 0.1}}, "metrics": ["accuracy"]},
    ),
    "regression": ([dense(8), dense(1, None)], NUMBERS | {"optimizer": "SGD"}),
    "huber": ([dense(8), dense(1, None)], {"loss": "Huber", "optimizer": "Nadam"}),
    "hinge": ([dense(8), dense(1, "tanh")], {"loss": "Hinge", "metrics": ["accuracy"]}),
    "poisson": ([dense(8), dense(1, "softplus")], {"loss": "Poisson"}),
    "momentum": (
        [dense(8), dense(1, "sigmoid")],
        BINARY | {"optimizer": {"SGD": {"momentum": 0.9, "nesterov": True, "clipnorm": 1.0}}},
    ),
    "schedule": (
        [dense(8), dense(1, "sigmoid")],
        BINARY | {"optimizer": {"SGD": {"learning_rate": DECAY}}},
    ),
    "regularized": (
        [
            dense(16, kernel_regularizer={"L2": {"l2": 0.01}}, bias_constraint="NonNeg"),
            dense(1, "sigmoid", kernel_regularizer={"L1": {"l1": 0.01}}),
        ],
        BINARY,
    ),
    "accumulation": (
        [dense(8), dense(1, "sigmoid")],
        BINARY | {"optimizer": {"Adam": {"gradient_accumulation_steps": 3}}},
    ),
    "average": (
        [dense(8), dense(1, "sigmoid")],
        BINARY | {"optimizer": {"SGD": {"use_ema": True, "ema_overwrite_frequency": 4}}},
    ),
    "class_weight": ([dense(8), dense(1, "sigmoid")], BINARY | {"class_weight": {"1": 3.0}}),
    "sample_weight": (
        [dense(8), dense(1, "sigmoid")],
        BINARY | {"weighted_metrics": ["BinaryAccuracy"]},
    ),
    "stochastic": ([dense(8), dense(1, "sigmoid")], BINARY | {"batch_size": 1}),
    "accumulated": ([dense(8), dense(1, "sigmoid")], BINARY | {"batch_size": "full"}),
    "unwatched": ([dense(8), dense(1, "sigmoid")], BINARY | {"watched": False}),
    "convolution": (
        [
            {"Reshape": {"target_shape": [3, 4, 1]}},
            {"Conv2D": {"filters": 4, "kernel_size": 2, "activation": "relu"}},
            "BatchNormalization",
            "MaxPooling2D",
            "Flatten",
            {"Dropout": {"rate": 0.2}},
            dense(1, "sigmoid"),
        ],
        BINARY | {"optimizer": "Adam"},
    ),
    "recurrent": (
        [{"Reshape": {"target_shape": [4, 3]}}, {"LSTM": {"units": 5}}, dense(1, "sigmoid")],
        BINARY | {"optimizer": "Adam"},
    ),
}


def config_of(layers, training):
    training = {"epochs": 4, "batch_size": 16} | training
    training.pop("watched", None)
    data = {"source": "digits"}
    model = {"layers": layers}
    return Config.model_validate(
        {"name": "test", "seed": 3, "data": data, "model": model, "training": training}
    )


def rows_of(name, count, seed):
    """Rows of 12 columns and the labels that a network's loss takes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 12)).astype(np.float32)
    score = x[:, 0] + x[:, 1] ** 2 + random.normal(size=count)
    if name == "softmax":
        labels = np.digitize(score, [0.5, 1.5]).astype(np.int32)
    elif name == "categorical":
        labels = np.eye(3, dtype=np.float32)[np.digitize(score, [0.5, 1.5])]
    elif name in ("regression", "huber", "poisson"):
        labels = np.abs(score).astype(np.float32)
    else:
        labels = (score > 1).astype(np.int32)
    weights = None
    if name == "sample_weight":
        weights = random.uniform(0.5, 2, size=count).astype(np.float32)
    if name == "class_weight":
        weights = np.where(labels == 1, 3.0, 1.0).astype(np.float32)
    return Part(x, labels, weights, np.arange(count), Scaling())


def engine_for(config, part, **options):
    from tftrain import backend, evaluate, model

    backend.keras.utils.set_random_seed(config.seed)
    source = Source(b"", read(b"{}", "test.yaml"))
    classes = ("0", "1", "2") if part.labels.dtype == np.int32 else None
    network = model.build(config, source, Form(part.shape, part.labels.shape[1:], classes))
    engine = evaluate.engine_of(network, config, len(part))
    for name, value in options.items():
        setattr(engine, name, value)
    return engine


def ours(config, part, watched, callbacks=(), **options):
    """The trained network, its logs by epoch, and what was said."""
    network, epochs, said = train(config, part, watched, callbacks, **options)
    return network, [epoch.logs for epoch in epochs], said


def train(config, part, watched, callbacks=(), **options):
    from tftrain import training

    engine = engine_for(config, part, **options)
    said = []
    job = training.Job(
        engine, config.training, part, watched, config.seed, list(callbacks), said.append
    )
    epochs = list(training.train(job))
    return engine.network, epochs, said


def keras_fit(config, part, watched, callbacks=()):
    """The same training by `fit`, which is handed the batches in tftrain's order."""
    from tftrain.training.engine import order_of, steps

    engine = engine_for(config, part)
    size = engine.batch_size

    def batches():
        for epoch in range(config.training.epochs):
            order = order_of(config.seed, epoch, len(part))
            for start in range(0, len(part), size):
                x, y, weights = part.take(order[start : start + size])
                yield (x, y) if weights is None else (x, y, weights)

    validation = watched and tuple(item for item in watched.take(slice(None)) if item is not None)
    history = engine.network.fit(
        batches(),
        epochs=config.training.epochs,
        steps_per_epoch=steps(len(part), size),
        validation_data=validation,
        validation_batch_size=engine.evaluation_batch_size,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=0,
    )
    logs = history.history
    return engine.network, [
        {name: values[epoch] for name, values in logs.items()}
        for epoch in range(len(history.epoch))
    ]


def assert_same_bits(one, other):
    for ours_, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours_.numpy(), theirs.numpy(), err_msg=ours_.path)
    pairs = zip(one.optimizer.variables, other.optimizer.variables, strict=True)
    for ours_, theirs in pairs:
        np.testing.assert_array_equal(ours_.numpy(), theirs.numpy(), err_msg=ours_.path)


FIRST = ("course", "dropout_and_normalization", "softmax", "regression", "convolution")


@pytest.mark.parametrize(
    "name",
    [name if name in FIRST else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS],
)
def test_same_bits_as_fit(name):
    layers, training = NETWORKS[name]
    config = config_of(layers, training)
    part = rows_of(name, ROWS, 0)
    watched = rows_of(name, WATCHED, 1) if training.get("watched", True) else None
    if name == "class_weight" and watched is not None:
        watched = Part(watched.inputs, watched.labels, None, watched.rows, watched.scaling)
    network, history, said = ours(config, part, watched)
    reference, expected = keras_fit(config, part, watched)
    assert_same_bits(network, reference)
    assert history == expected
    assert len(history) == 4
    assert not said


def test_the_comparison_notices_another_order():
    config = config_of(*NETWORKS["course"])
    part = rows_of("course", ROWS, 0)
    network, *_ = ours(config, part, None)
    other, *_ = ours(config.model_copy(update={"seed": 4}), part, None)
    with pytest.raises(AssertionError):
        assert_same_bits(network, other)


def test_callbacks_that_act_do_what_they_do_under_fit():
    from tftrain.backend import keras

    def callbacks():
        return [
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=1, min_delta=0.1),
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=4, min_delta=0.05, restore_best_weights=True
            ),
        ]

    layers, training = NETWORKS["dropout_and_normalization"]
    config = config_of(layers, training | {"epochs": 30})
    part, watched = rows_of("", ROWS, 0), rows_of("", WATCHED, 1)
    network, epochs, _ = train(config, part, watched, callbacks())
    reference, expected = keras_fit(config, part, watched, callbacks())
    assert_same_bits(network, reference)
    assert len(epochs) < 30
    assert [epoch.logs | {"learning_rate": epoch.learning_rate} for epoch in epochs] == expected
    assert len({epoch.learning_rate for epoch in epochs}) > 1


def test_callbacks_that_want_every_batch_get_it_and_the_bits_stay():
    from tftrain.backend import keras

    class Counting(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.calls = []

        def on_train_batch_end(self, batch, logs=None):
            self.calls.append(("train", batch, sorted(logs)))

        def on_test_batch_begin(self, batch, logs=None):
            del logs
            self.calls.append(("test", batch))

    config = config_of(*NETWORKS["dropout_and_normalization"])
    part, watched = rows_of("", ROWS, 0), rows_of("", WATCHED, 1)
    mine, theirs = Counting(), Counting()
    network, history, said = ours(config, part, watched, [mine])
    reference, expected = keras_fit(config, part, watched, [theirs])
    assert_same_bits(network, reference)
    assert history == expected
    assert mine.calls == theirs.calls
    assert said == ["Counting must see every batch: training goes one batch at a time"]


def test_a_checkpoint_an_epoch_needs_no_batches(tmp_path):
    from tftrain.backend import keras
    from tftrain.training.callbacks import wanting_batches

    path = str(tmp_path / "best.keras")
    assert wanting_batches([keras.callbacks.ModelCheckpoint(path)]) == []
    assert wanting_batches([keras.callbacks.ModelCheckpoint(path, save_freq=3)]) != []


def test_a_callback_can_stop_in_the_middle_of_an_epoch():
    from tftrain.backend import keras

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            del logs
            self.model.stop_training = batch == 2

    config = config_of(*NETWORKS["course"])
    part, watched = rows_of("", ROWS, 0), rows_of("", WATCHED, 1)
    network, history, _ = ours(config, part, watched, [Stop()])
    reference, expected = keras_fit(config, part, watched, [Stop()])
    assert_same_bits(network, reference)
    assert history == expected
    assert len(history) == 1
    assert int(network.optimizer.iterations.numpy()) == 3


def test_callbacks_are_told_that_training_has_ended_also_when_it_failed():
    from tftrain import training
    from tftrain.backend import keras

    class Ended(keras.callbacks.Callback):
        times = 0

        def on_train_end(self, logs=None):
            del logs
            self.times += 1

    layers, settings = NETWORKS["regression"]
    config = config_of(layers, settings | {"optimizer": {"SGD": {"learning_rate": 1e12}}})
    ended = Ended()
    with pytest.raises(training.NonFinite):
        train(config, rows_of("regression", ROWS, 0), None, [ended])
    assert ended.times == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dropout_and_normalization", "sample_weight", "stochastic"])
def test_rows_fed_chunk_by_chunk_give_the_same_bits(name, tmp_path):
    layers, training = NETWORKS[name]
    config = config_of(layers, training)
    part, watched = rows_of(name, ROWS, 0), rows_of(name, WATCHED, 1)
    network, history, _ = ours(config, part, watched)
    np.save(tmp_path / "x.npy", part.inputs)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    on_disk = Part(mapped, part.labels, part.weights, part.rows, part.scaling)
    bytes_of_two_batches = 2 * 16 * part.row_bytes
    chunked, again, _ = ours(
        config, on_disk, watched, _memory_bytes=0, _chunk_bytes=bytes_of_two_batches
    )
    assert_same_bits(network, chunked)
    assert history == again


def test_many_networks_predict_without_a_warning_of_tensorflow(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)
    config, part = config_of(*NETWORKS["course"]), rows_of("course", ROWS, 0)
    for _ in range(6):  # it warns from the fifth on
        list(engine_for(config, part).predict(part))
    assert caplog.messages == []


def test_order_depends_on_seed_and_epoch_alone():
    from tftrain.training.engine import order_of

    orders = [order_of(0, epoch, 100) for epoch in range(20)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 20
    np.testing.assert_array_equal(orders[7], order_of(0, 7, 100))
    assert (orders[7] != order_of(1, 7, 100)).any()


def test_without_shuffling_rows_come_as_they_are():
    layers, training = NETWORKS["course"]
    config = config_of(layers, training | {"shuffle": False})
    part = rows_of("", ROWS, 0)
    network, *_ = ours(config, part, None)
    engine = engine_for(config, part)
    x, y, _ = part.take(slice(None))
    engine.network.fit(x, y, epochs=4, batch_size=16, shuffle=False, verbose=0)
    assert_same_bits(network, engine.network)


def test_training_ends_at_the_first_loss_that_is_not_finite():
    from tftrain import training

    exploding = {"optimizer": {"SGD": {"learning_rate": 1e12}}, "epochs": 50}
    layers, settings = NETWORKS["regression"]
    config = config_of(layers, settings | exploding)
    part = rows_of("regression", ROWS, 0)
    engine = engine_for(config, part)
    job = training.Job(engine, config.training, part, None, 0, [], print)
    done = []
    with pytest.raises(training.NonFinite) as raised:
        done.extend(training.train(job))
    assert raised.value.epoch == len(done) + 1
    assert all(np.isfinite(weight).all() for weight in engine.network.get_weights())
    assert raised.value.what in ("loss", "a weight")
    assert re.search(r"in epoch \d+: (after|in) batch \d+ (the|all) ", str(raised.value))


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [16, 100, "full"])
def test_xla_trains_to_nearly_the_same_weights(batch_size):
    """Also where there are fewer rows than a batch has."""
    layers, training = NETWORKS["course"]
    training = training | {"batch_size": batch_size}
    config = config_of(layers, training | {"jit_compile": True})
    part, watched = rows_of("", ROWS, 0), rows_of("", WATCHED, 1)
    compiled, *_ = ours(config, part, watched)
    plain, *_ = ours(config_of(layers, training), part, watched)
    for one, other in zip(compiled.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)
