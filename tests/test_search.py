"""Search without gradients: what is measured, what is kept, how it goes on, what is refused."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from conftest import faults
from tftrain import config

GENETIC = {"population": 12, "elite": 3, "mutation": 0.2}
ANNEALING = {"steps_per_epoch": 20, "step": 0.2, "step_rate": 0.5}
HIDDEN = {"units": 4, "activation": "tanh", "kernel_regularizer": {"L2": {"l2": 0.01}}}


@pytest.fixture
def written(tmp_path):
    """Writes a config of few rows; returns its path."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype("int64")
    weights = random.uniform(0.5, 2, 60)
    np.savez(tmp_path / "rows.npz", x=x, y=y, sample_weight=weights)

    def write(optimizer, **training):
        settings = {
            "data": {"source": "rows.npz", "sample_weight": "sample_weight"},
            "model": {
                "layers": [{"Dense": HIDDEN}, {"Dense": {"units": 1, "activation": "sigmoid"}}]
            },
            "training": {
                "loss": "BinaryCrossentropy",
                "optimizer": optimizer,
                "epochs": 5,
                "class_weight": {"0": 1.0, "1": 2.0},
                **training,
            },
        }
        path = tmp_path / "search.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    return write


def job_of(path, begin=None):
    from tftrain import backend, evaluate, model, training
    from tftrain.fit import prepare

    asked = prepare(path, runs_dir=path.parent)
    backend.keras.utils.set_random_seed(asked.config.seed)
    network = model.build(asked.config, asked.source, asked.splits.form)
    engine = evaluate.engine_of(network, asked.config, len(asked.splits.train))
    training.trace(engine, asked.splits.weighted, asked.config.seed)
    return training.Job(
        engine=engine,
        training=asked.config.training,
        train=asked.splits.weighted,
        validation=asked.splits.validation,
        seed=asked.config.seed,
        callbacks=[],
        say=print,
        begin=begin,
    )


def states(job):
    from tftrain import training

    return [(epoch.logs, job.state) for epoch in training.train(job)]


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(
    "optimizer", [{"GeneticAlgorithm": GENETIC}, {"SimulatedAnnealing": ANNEALING}]
)
class TestEverySearch:
    @pytest.mark.slow
    def test_the_same_seed_gives_the_same_bits_and_so_does_going_on(self, optimizer, written):
        path = written(optimizer)
        whole, again = states(job_of(path)), states(job_of(path))
        assert [logs for logs, _ in whole] == [logs for logs, _ in again]
        assert_same(whole[-1][1].variables, again[-1][1].variables)
        rest = states(job_of(path, begin=whole[1][1]))
        assert [logs for logs, _ in rest] == [logs for logs, _ in whole[2:]]
        assert_same(rest[-1][1].variables, whole[-1][1].variables)

    def test_the_kept_loss_never_rises_and_falls(self, optimizer, written):
        kept = [logs["loss"] for logs, _ in states(job_of(written(optimizer, epochs=12)))]
        assert all(after <= before + 1e-6 for before, after in itertools.pairwise(kept))
        assert kept[-1] < kept[0]

    def test_layers_constraints_are_met_from_the_first_network_on(self, optimizer, written):
        ((name, arguments),) = optimizer.items()
        none_taken = {"elite": 11} if name == "GeneticAlgorithm" else {"step": 1e-9}
        path = written({name: {**arguments, **none_taken}}, epochs=1)
        settings = json.loads(path.read_text("utf-8"))
        hidden = {**HIDDEN, "kernel_constraint": "NonNeg"}
        settings["model"]["layers"][0] = {"Dense": hidden}
        path.write_text(json.dumps(settings), "utf-8")
        job = job_of(path)
        states(job)
        kernel = job.engine.network.trainable_variables[0].numpy()
        assert kernel.min() >= 0
        assert kernel.max() > 0

    def test_a_network_is_worth_what_keras_s_evaluate_says(self, optimizer, written):
        job = job_of(written(optimizer))
        states(job)
        network, rows = job.engine.network, job.engine.rows(job.train)
        random = np.random.default_rng(1)
        weights = [one.numpy() for one in network.trainable_variables]
        networks = [[one + random.normal(size=one.shape) for one in weights] for _ in range(6)]
        flat = np.array([np.concatenate([one.ravel() for one in each]) for each in networks])
        measured = job.search.losses(flat.astype("float32"), rows).numpy()
        x, y, sample = (one.numpy() for one in rows)
        for worth, each in zip(measured, networks, strict=True):
            network.set_weights(each)
            theirs = network.evaluate(x, y, sample_weight=sample, batch_size=len(x), verbose=0)
            assert worth == pytest.approx(theirs, rel=1e-5)

    def test_gradient_steps_after_it_are_keras_s(self, optimizer, written):
        ((name, arguments),) = optimizer.items()
        rounds = {"generations": 2} if name == "GeneticAlgorithm" else {"steps": 40}
        then = {"then": {"Adam": {"learning_rate": 0.05}}}
        job = job_of(written({name: {**arguments, **rounds, **then}}))
        searched = [state for _, state in states(job)]
        alone = job_of(written({"Adam": {"learning_rate": 0.05}}))
        for one, place in zip(alone.engine.network.weights, range(4), strict=True):
            found = [key for key in searched[1].variables if key.startswith(f"network/{place}/")]
            one.assign(searched[1].variables[found[0]])
        from tftrain.training import order_of

        for epoch in (2, 3, 4):
            alone.engine.train(alone.train, order_of(alone.seed, epoch, len(alone.train)))
        for one, other in zip(
            alone.engine.network.weights, job.engine.network.weights, strict=True
        ):
            np.testing.assert_array_equal(one.numpy(), other.numpy())

    def test_it_learns_from_a_loss_without_gradient_on_some_rows_each_epoch(
        self, optimizer, written
    ):
        ((name, arguments),) = optimizer.items()
        path = written({name: {**arguments, "rows": 20}}, loss="ZeroOneLoss", epochs=30)
        logs = [logs["loss"] for logs, _ in states(job_of(path))]
        assert min(logs[-5:]) < logs[0]


@pytest.mark.usefixtures("tensorflow")
def test_annealing_takes_worse_steps_by_metropolis_rule():
    from tftrain.optimizers import accepted

    for rise in (-1.0, 0.0, 0.01, 0.05, 0.2):
        for chance in (0.0, 0.3, 0.9):
            wanted = rise <= 0 or chance < math.exp(-rise / 0.05)
            assert bool(accepted(np.float32(rise), np.float32(0.05), np.float32(chance))) == wanted
    assert not accepted(np.float32(1e-6), np.float32(0.0), np.float32(0.5))


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("crossover", ["uniform", "one_point", "arithmetic", "none"])
def test_children_are_of_their_parents(crossover):
    from tftrain.optimizers import GeneticAlgorithm

    one, other = np.zeros((50, 7), "float32"), np.ones((50, 7), "float32")
    algorithm = GeneticAlgorithm(crossover=crossover)
    children = np.asarray(algorithm._crossed(one, other, [1, 2]))  # noqa: SLF001
    rises = np.diff(children, axis=1)
    holds = {
        "uniform": set(np.unique(children)) == {0, 1} and 0.4 < children.mean() < 0.6,
        "one_point": set(np.unique(children)) == {0, 1} and (rises >= 0).all(),
        "arithmetic": not rises.any() and len(np.unique(children)) > 10,
        "none": not children.any(),
    }
    assert holds[crossover]


@pytest.mark.usefixtures("tensorflow")
def test_mutation_changes_its_share_by_its_size():
    from tftrain.optimizers import GeneticAlgorithm

    algorithm = GeneticAlgorithm(population=300, elite=1, mutation=0.5, mutation_rate=0.25)
    members = np.zeros((300, 100), "float32")
    changed = algorithm._children(members, 0, 0).numpy()  # noqa: SLF001
    assert np.mean(changed != 0) == pytest.approx(0.25, abs=0.02)
    assert changed[changed != 0].std() == pytest.approx(0.5, abs=0.02)


@pytest.mark.usefixtures("tensorflow")
def test_the_0_1_loss_is_one_less_keras_s_accuracy():
    from tftrain.backend import keras
    from tftrain.losses import ZeroOneLoss

    random = np.random.default_rng(0)
    outputs = random.uniform(size=(40, 3)).astype("float32")
    labels = random.integers(0, 3, 40)
    accuracy = float(np.mean(keras.metrics.sparse_categorical_accuracy(labels, outputs)))
    assert float(ZeroOneLoss()(labels, outputs)) == pytest.approx(1 - accuracy)
    hot = np.eye(3, dtype="float32")[labels]
    assert float(ZeroOneLoss()(hot, outputs)) == pytest.approx(1 - accuracy)
    logits = outputs[:, :1] - 0.3
    zero_one = labels > 1
    wrong = np.mean((logits[:, 0] > 0) != zero_one)
    assert float(ZeroOneLoss(from_logits=True)(zero_one, logits)) == pytest.approx(wrong)


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", ["GeneticAlgorithm", "SimulatedAnnealing"])
def test_a_search_is_made_again_from_its_config(name):
    from tftrain.backend import keras

    made = keras.saving.get_registered_object(f"tftrain>{name}")(
        then=keras.optimizers.Adam(0.25), rows=7
    )
    again = type(made).from_config(made.get_config())
    assert again.get_config() == made.get_config()
    assert float(again.learning_rate) == 0.25


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("GeneticAlgorithm", {"population": 1}, "`population`: expected 2 or more, got 1"),
        ("GeneticAlgorithm", {"elite": 0}, "`elite`: expected 1 or more, got 0"),
        ("GeneticAlgorithm", {"elite": 64}, "an elite of 64 in a population of 64"),
        ("GeneticAlgorithm", {"mutation": -1}, "`mutation`: expected 0 or more, got -1"),
        ("GeneticAlgorithm", {"mutation_rate": 1.5}, "more than 0 and at most 1, got 1.5"),
        ("GeneticAlgorithm", {"generations": 4}, "take 4 epochs, and training.epochs is 5"),
        ("GeneticAlgorithm", {"then": "Adam"}, "`then` needs `generations`"),
        ("GeneticAlgorithm", {"generations": 5, "then": "Adam"}, "none is left for Adam"),
        ("GeneticAlgorithm", {"crossover": "unifrm"}, "did you mean `uniform`?"),
        ("GeneticAlgorithm", {"popluation": 9}, "did you mean `population`?"),
        ("SimulatedAnnealing", {"steps": 600}, "take 6 epochs, and training.epochs is 5"),
        ("SimulatedAnnealing", {"cooling": 0}, "more than 0 and at most 1, got 0"),
        ("SimulatedAnnealing", {"temperature": -1}, "`temperature`: expected 0 or more"),
        ("SimulatedAnnealing", {"step": 0}, "`step`: expected more than 0, got 0"),
        (
            "SimulatedAnnealing",
            {"steps": 100, "then": "GeneticAlgorithm"},
            "expected an optimizer that follows gradients",
        ),
    ],
)
def test_what_is_refused_is_told_in_one_line(name, arguments, said, written):
    (line,) = faults(written({name: arguments}))
    assert said in line


def test_a_loss_without_gradient_is_refused_for_gradient_steps(written):
    (line,) = faults(written("Adam", loss="ZeroOneLoss"))
    assert "ZeroOneLoss has no gradient for Adam to follow" in line
    then = {"GeneticAlgorithm": {"generations": 3, "then": "Adam"}}
    (line,) = faults(written(then, loss="ZeroOneLoss"))
    assert "ZeroOneLoss has no gradient for Adam to follow" in line


def test_what_lowers_a_learning_rate_is_refused_where_there_is_none(written):
    path = written("GeneticAlgorithm", on_nan={}, callbacks=["ReduceLROnPlateau"])
    assert [line.partition("error[")[2][:4] for line in faults(path)] == ["C025", "C025"]
    then = {"GeneticAlgorithm": {"generations": 3, "then": "Adam"}}
    config.load(written(then, on_nan={}, callbacks=["ReduceLROnPlateau"]))


@pytest.mark.usefixtures("tensorflow")
def test_a_smoke_run_is_shorter_and_has_both_parts(written):
    from tftrain.fit import prepare

    path = written({"SimulatedAnnealing": {**ANNEALING, "steps": 80, "then": "Adam"}})
    asked = prepare(path, runs_dir=path.parent, smoke=True)
    assert config.search_epochs(asked.config.training) == 1
    assert asked.config.training.epochs == 2
