"""Every loss, metric, optimizer and callback of the installed Keras at work on a tiny network."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from tftrain.config import Config, Source, family, spec_of
from tftrain.config.text import plain, read
from tftrain.data import Form, Part
from tftrain.data.scaling import Scaling
from tftrain.errors import ConfigError, TrainingError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tensorflow")]

ROWS = 20
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype(np.float32)
CLASS = (np.arange(ROWS) % 3).astype(np.int32)
BINARY = (np.arange(ROWS) % 2).astype(np.int32)
ONE_HOT = np.eye(3, dtype=np.float32)[CLASS]
NUMBER = (np.abs(X[:, 0]) + 0.1).astype(np.float32)
SEQUENCE = np.stack([CLASS % 2 + 1, CLASS % 2 + 1], axis=1).astype(np.float32)
LABELS = {
    "binary": (BINARY, ("0", "1")),
    "sparse": (CLASS, ("0", "1", "2")),
    "categorical": (ONE_HOT, ("0", "1", "2")),
    "numbers": (NUMBER, None),
    "sequence": (SEQUENCE, None),
}
FITTING = {
    "binary": "BinaryCrossentropy",
    "sparse": "SparseCategoricalCrossentropy",
    "categorical": "CategoricalCrossentropy",
}


def dense(units, activation=None):
    return {"Dense": {"units": units, "activation": activation}}


OUTPUTS = {
    "binary": [dense(1, "sigmoid")],
    "sparse": [dense(3, "softmax")],
    "categorical": [dense(3, "softmax")],
    "numbers": [dense(1, "softplus")],
    "sequence": [dense(15), {"Reshape": {"target_shape": [5, 3]}}],
    "vectors": [dense(3), "UnitNormalization"],
}


def job(labels, layers, training, *, source=None, folder=None, validated=False):
    """A training of one epoch; where it is validated, on the rows it learns from."""
    from tftrain import evaluate, model
    from tftrain import training as trainer
    from tftrain.training import callbacks

    y, classes = LABELS[labels]
    settings = {"epochs": 1, "batch_size": 8, "optimizer": "SGD"} | training
    config = Config.model_validate(
        {
            "name": "test",
            "data": {"source": "digits"},
            "model": {"layers": layers},
            "training": settings,
        }
    )
    source = source or Source(b"", read(b"{}", "test.yaml"))
    part = Part(X, y, None, np.arange(ROWS), Scaling())
    network = model.build(config, source, Form(part.shape, y.shape[1:], classes))
    made = callbacks.build(config, source, folder) if folder else []
    engine = evaluate.engine_of(network, config, ROWS)
    watched = part if validated else None
    return trainer.Job(engine, config.training, part, watched, 0, made, print)


def trained(*arguments, **options):
    """The epochs of a training."""
    from tftrain import training

    return list(training.train(job(*arguments, **options)))


def names(kind):
    from tftrain.config import catalog

    refused = ("Mean", "Sum", "CallbackList", "LambdaCallback", "RemoteMonitor")
    return [name for name in catalog.load().objects[kind] if name not in refused]


def labels_of(loss):
    if loss.lower() in ("ctc", "circle"):
        return "sequence" if loss.lower() == "ctc" else "sparse"
    kind = family(spec_of(loss))
    return {"hinge": "binary", "crossentropy": "binary"}.get(kind, kind)


def test_every_loss_trains():
    for name in [*names("loss"), "mse", "kld", "crossentropy", "ce"]:
        labels = labels_of(name)
        layers = OUTPUTS["vectors" if name.lower() == "circle" else labels]
        optimizer = "GeneticAlgorithm" if name == "ZeroOneLoss" else "RMSprop"
        (epoch,) = trained(labels, layers, {"loss": name, "optimizer": optimizer})
        assert math.isfinite(epoch.logs["loss"]), name


@pytest.mark.parametrize("labels", ["binary", "sparse", "categorical"])
def test_crossentropy_is_the_one_that_fits_the_labels(labels):
    from tftrain import backend

    logs = []
    for loss in ("crossentropy", FITTING[labels]):
        backend.keras.utils.set_random_seed(0)
        (epoch,) = trained(labels, OUTPUTS[labels], {"loss": loss})
        logs.append(epoch.logs)
    assert logs[0] == logs[1]


def test_every_optimizer_trains():
    from tftrain import training as trainer

    inner = {
        "LossScaleOptimizer": {"inner_optimizer": {"Adam": {"learning_rate": 0.01}}},
        "MultiOptimizer": {
            "optimizer_map": {
                "OptimizerMap": {
                    "default_optimizer": {"Adam": {"learning_rate": 0.01}},
                    "optimizer_map": {"dense/.*": "SGD"},
                }
            }
        },
    }
    for name in names("optimizer"):
        training = job(
            "binary",
            [dense(3, "relu"), *OUTPUTS["binary"]],
            {"loss": "BinaryCrossentropy", "optimizer": {name: inner.get(name, {})}},
        )
        before = training.engine.network.get_weights()
        (epoch,) = trainer.train(training)
        assert math.isfinite(epoch.logs["loss"]), name
        assert name not in inner or epoch.learning_rate == pytest.approx(0.01)
        after = training.engine.network.get_weights()
        assert any((one != other).any() for one, other in zip(before, after, strict=True)), name


@pytest.mark.parametrize(
    "name", ["CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "PolynomialDecay"]
)
def test_a_schedule_changes_the_learning_rate(name):
    steps = "first_decay_steps" if name == "CosineDecayRestarts" else "decay_steps"
    arguments = {"initial_learning_rate": 0.1, steps: 10}
    if name == "ExponentialDecay":
        arguments["decay_rate"] = 0.5
    optimizer = {"SGD": {"learning_rate": {name: arguments}}}
    settings = {"loss": "BinaryCrossentropy", "optimizer": optimizer, "epochs": 2}
    rates = [epoch.learning_rate for epoch in trained("binary", OUTPUTS["binary"], settings)]
    assert 0.1 > rates[0] > rates[1] > 0


ARGUMENTS = {
    "IoU": {"num_classes": 2, "target_class_ids": [0]},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "MeanIoU": {"num_classes": 2},
    "OneHotMeanIoU": {"num_classes": 3},
    "MeanMetricWrapper": {"fn": "mean_squared_error"},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
}
ON_ONE_HOT = {
    *("CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge", "OneHotIoU"),
    *("OneHotMeanIoU", "TopKCategoricalAccuracy", "categorical_accuracy", "F1Score", "FBetaScore"),
    *("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"),
    *("top_k_categorical_accuracy", "CosineSimilarity", "PearsonCorrelation"),
    *("ConcordanceCorrelation", "pearson_correlation", "concordance_correlation"),
}
# Several numbers, by the metric and the labels they are several on.
SEVERAL = {
    "F1Score": ({}, 3),
    "FBetaScore": ({"beta": 0.5}, 3),
    "R2Score": ({"class_aggregation": None}, 3),
    "Precision": ({"thresholds": [0.2, 0.5]}, 2),
    "Recall": ({"thresholds": [0.2, 0.5]}, 2),
    "TruePositives": ({"thresholds": [0.2, 0.5]}, 2),
    "TrueNegatives": ({"thresholds": [0.2, 0.5]}, 2),
    "FalsePositives": ({"thresholds": [0.2, 0.5]}, 2),
    "FalseNegatives": ({"thresholds": [0.2, 0.5]}, 2),
}


def metrics_on(labels):
    every = names("metric")
    sparse = {name for name in every if name.lower().startswith("sparse")}
    rest = set(every) - sparse - ON_ONE_HOT
    on = {"sparse": sparse, "categorical": ON_ONE_HOT, "binary": rest}[labels]
    return [name for name in every if name in on]


@pytest.mark.parametrize("labels", ["binary", "sparse", "categorical"])
def test_every_metric_is_measured(labels):
    metrics = metrics_on(labels)
    # A name for each: some are called alike in the logs.
    seen = {name: f"metric{place}" for place, name in enumerate(metrics)}
    written = [{name: ARGUMENTS.get(name, {}) | {"name": seen[name]}} for name in metrics]
    settings = {"loss": FITTING[labels], "metrics": ["accuracy", *written]}
    (epoch,) = trained(labels, OUTPUTS[labels], settings)
    logged = set(epoch.logs)
    for name, called in seen.items():
        several = name in SEVERAL and labels == "categorical"
        assert (f"{called}_0" if several else called) in logged, name
    assert [name for name, value in epoch.logs.items() if not math.isfinite(value)] == []


@pytest.mark.parametrize("name", SEVERAL)
def test_a_metric_of_several_numbers_is_known_to_be_one(name):
    from tftrain import training

    arguments, count = SEVERAL[name]
    settings = {"loss": "CategoricalCrossentropy", "metrics": [{name: arguments | {"name": "it"}}]}
    network = job("categorical", OUTPUTS["categorical"], settings).engine.network
    assert training.logged(network) == ["loss", *(f"it_{place}" for place in range(count))]


def test_no_other_metric_gives_several_numbers():
    from tftrain import training

    for labels in ("binary", "sparse", "categorical"):
        written = [
            {name: ARGUMENTS.get(name, {}) | {"name": f"it{place}"}}
            for place, name in enumerate(metrics_on(labels))
        ]
        settings = {"loss": FITTING[labels], "metrics": written}
        running = job(labels, OUTPUTS[labels], settings)
        several = running.training.several()
        for name in training.logged(running.engine.network):
            metric, _, number = name.rpartition("_")
            assert not number.isdigit() or metric in several, name


CALLBACKS = {
    "BackupAndRestore": {"backup_dir": "backup"},
    "CSVLogger": {"filename": "log.csv"},
    "EarlyStopping": {"monitor": "val_loss", "restore_best_weights": True},
    "History": {},
    "LearningRateScheduler": {
        "schedule": {"PolynomialDecay": {"initial_learning_rate": 0.2, "decay_steps": 4}}
    },
    "ModelCheckpoint": {"filepath": "best-{epoch}.keras", "save_best_only": True},
    "ProgbarLogger": {},
    "ReduceLROnPlateau": {"min_delta": 100, "patience": 1, "factor": 0.5},
    "SwapEMAWeights": {},
    "TerminateOnNaN": {},
}
WITH_A_PACKAGE = {"TensorBoard": {}, "OrbaxCheckpoint": {"directory": "checkpoints"}}


def run(callbacks, folder, **settings):
    settings = {
        "loss": "BinaryCrossentropy",
        "optimizer": {"SGD": {"learning_rate": 0.1, "use_ema": True}},
        "epochs": 3,
        "callbacks": callbacks,
    } | settings
    return trained("binary", OUTPUTS["binary"], settings, folder=folder, validated=True)


def test_every_callback_is_tried():
    assert set(names("callback")) == set(CALLBACKS) | set(WITH_A_PACKAGE)


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_works(name, tmp_path, capsys):
    epochs = run([{name: CALLBACKS[name]}], tmp_path)
    assert all(math.isfinite(epoch.logs["loss"]) for epoch in epochs)
    files = {path.name for path in tmp_path.iterdir()}
    rates = [epoch.learning_rate for epoch in epochs]
    if name == "CSVLogger":
        with (tmp_path / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [float(row["loss"]) for row in rows] == [epoch.logs["loss"] for epoch in epochs]
    elif name == "ModelCheckpoint":
        assert "best-1.keras" in files
    else:
        assert files == set()
    if name == "LearningRateScheduler":
        assert rates == pytest.approx([0.2, 0.15, 0.1], rel=0.02)
    elif name == "ReduceLROnPlateau":
        assert rates[-1] < rates[0]
    else:
        assert rates == pytest.approx([0.1] * 3)
    stdout = capsys.readouterr().out
    assert not [line for line in stdout.splitlines() if "every batch" not in line]


@pytest.mark.parametrize("name", WITH_A_PACKAGE)
def test_a_callback_whose_package_is_not_there_is_refused(name, tmp_path, monkeypatch):
    from tftrain.training import callbacks

    monkeypatch.setattr(callbacks, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=f"K004.*`{name}` needs the package"):
        run([{name: WITH_A_PACKAGE[name]}], tmp_path)


def test_what_a_callback_says_goes_beside_the_progress(tmp_path, capsys):
    stop = {"EarlyStopping": {"patience": 1, "min_delta": 100, "verbose": 1}}
    assert len(run([stop], tmp_path)) == 2
    captured = capsys.readouterr()
    assert "early stopping" in captured.err
    assert captured.out == ""


FAILING = {
    "a folder that is not there": {"CSVLogger": {"filename": "nowhere/log.csv"}},
    "a metric that nobody logs": {"ModelCheckpoint": {"filepath": "{val_accuraci}.keras"}},
    "weights that have no average": "SwapEMAWeights",
}


@pytest.mark.parametrize("name", FAILING)
def test_a_callback_that_fails_is_one_line_at_its_place(name, tmp_path):
    text = b"training:\n  callbacks:\n    - History\n    - Failing\n"
    source = Source(text, read(text, "test.yaml"))
    assert plain(source.root)["training"]["callbacks"] == ["History", "Failing"]
    settings = {"loss": "BinaryCrossentropy", "callbacks": ["History", FAILING[name]]}
    with pytest.raises(TrainingError) as raised:
        trained(
            "binary", OUTPUTS["binary"], settings, source=source, folder=tmp_path, validated=True
        )
    (problem,) = raised.value.problems
    assert str(problem).startswith("test.yaml:4:7: error[T003]: `")
    assert "failed: " in problem.message
    assert "\n" not in str(problem)
    assert raised.value.exit_code == 3


def test_more_of_a_number_of_several_is_better():
    from tftrain.config import higher_is_better

    settings = {"loss": "mse", "epochs": 1, "metrics": ["F1Score", "MeanSquaredError"]}
    training = Config.model_validate(
        {
            "name": "test",
            "data": {"source": "digits"},
            "model": {"layers": ["Flatten"]},
            "training": settings,
        }
    ).training
    assert higher_is_better(training, "val_f1_score_2")
    assert not higher_is_better(training, "val_mean_squared_error")
    assert not higher_is_better(training, "val_loss")
