"""Several networks kept as one: it gives the mean of their predictions, everywhere."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scipy.special import expit, softmax

from tftrain import files, recorded, runs
from tftrain.errors import RunError, TftrainError
from tftrain.terminal import Silent

pytestmark = pytest.mark.usefixtures("tensorflow")

COUNT = 3


def config_of(loss, units, activation, classes, **more):
    return {
        "name": "digits",
        "data": {
            "source": "digits",
            "classes": list(range(classes)),
            "split": {"train": 0.3, "validation": 0.2, "test": 0.5},
        },
        "model": {
            "layers": [
                {"Dense": {"units": 5, "activation": "tanh"}},
                "BatchNormalization",
                {"GaussianNoise": {"stddev": 0.5}},
                {"Dense": {"units": units, "activation": activation}},
            ]
        },
        "training": {
            "loss": loss,
            "metrics": ["accuracy"],
            "epochs": 2,
            "restarts": COUNT,
            "keep": "ensemble",
            "threads": 2,
            **more,
        },
    }


SPARSE = {"SparseCategoricalCrossentropy": {"from_logits": True}}
BINARY = {"BinaryCrossentropy": {"from_logits": True}}
KINDS = {
    "softmax": (config_of("SparseCategoricalCrossentropy", 10, "softmax", 10), lambda one: one),
    "logits": (config_of(SPARSE, 10, None, 10), lambda one: softmax(one, axis=-1)),
    "sigmoid": (config_of("BinaryCrossentropy", 1, "sigmoid", 2), lambda one: one),
    "logit": (config_of(BINARY, 1, None, 2), expit),
    "margin": (config_of("Hinge", 1, "tanh", 2), lambda one: one),
}


def trained(wanted, tmp_path):
    from tftrain import fit

    path = tmp_path / "digits.yaml"
    path.write_text(json.dumps(wanted))
    return fit.fit(fit.prepare(path, runs_dir=tmp_path / "runs"), Silent())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_the_mean_of_its_networks(kind, tmp_path):
    from tftrain import evaluate

    wanted, squash = KINDS[kind]
    run = trained(wanted, tmp_path)
    found = recorded.read(run.folder, run.summary)
    assert found.networks == COUNT
    engine = evaluate.revive(found).engine
    part = found.splits().test
    members = [one for one in engine.network.layers if one.name.startswith("member_")]
    rows = part.raw(slice(None))
    outputs = np.stack([member.predict(rows, verbose=0) for member in members])
    assert np.ptp(outputs, axis=0).max() > 0.01
    mean = squash(outputs.astype(np.float64)).mean(axis=0)
    given = squash(np.concatenate(list(engine.predict(part))).astype(np.float64))
    np.testing.assert_allclose(given, mean, rtol=0, atol=1e-6)
    assert evaluate.metrics(engine, found.splits()) == run.summary["metrics"]
    assert run.summary["parameters"] == engine.network.count_params()


def test_of_targets_behind_a_logarithm_it_is_the_mean_in_their_units(tmp_path):
    from tftrain import evaluate

    random = np.random.default_rng(0)
    x = random.normal(size=(80, 2)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, y=np.exp(x[:, 0] + 3))
    wanted = config_of("MeanSquaredError", 1, None, 2, metrics=[])
    wanted["data"] = {"source": str(tmp_path / "rows.npz"), "target_scaling": "log"}
    run = trained(wanted, tmp_path)
    found = recorded.read(run.folder, run.summary)
    network = evaluate.revive(found).engine.network
    members = [one for one in network.layers if one.name.startswith("member_")]
    restore = found.form.target.restore
    each = [restore(member.predict(x, verbose=0)) for member in members]
    given = restore(network.predict(x, verbose=0))
    np.testing.assert_allclose(given, np.mean(each, axis=0), rtol=1e-5)


def test_one_that_is_left_alone_is_kept_as_it_is(tmp_path, monkeypatch):
    from tftrain import evaluate
    from tftrain.training import population

    note = population.Population._note  # noqa: SLF001

    def spoilt(self, member, epoch, logs, before):
        note(self, member, epoch, logs | ({"loss": np.nan} if member.number else {}), before)

    monkeypatch.setattr(population.Population, "_note", spoilt)
    run = trained(KINDS["sigmoid"][0], tmp_path)
    found = recorded.read(run.folder, run.summary)
    assert found.networks == 1
    assert evaluate.metrics(evaluate.revive(found).engine, found.splits()) == run.summary["metrics"]


@pytest.mark.slow
def test_the_model_for_others_is_the_ensemble(tmp_path):
    """In a file of Keras's own, without noise, with probabilities behind logits."""
    import keras

    run = trained(KINDS["logits"][0], tmp_path)
    found = recorded.read(run.folder, run.summary)
    model = keras.saving.load_model(run.folder / runs.MODEL, compile=False)
    rows = found.splits().test
    given = np.asarray(model(rows.inputs[rows.rows].astype(np.float32)))
    with np.load(run.folder / runs.PREDICTIONS) as kept:
        np.testing.assert_allclose(given, kept["test/outputs"], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    return trained(KINDS["softmax"][0], tmp_path_factory.mktemp("ensemble"))


@pytest.mark.slow
def test_the_best_of_them_is_no_other_than_without(ensemble, tmp_path):
    wanted = KINDS["softmax"][0]
    best = trained(wanted | {"training": wanted["training"] | {"keep": "best"}}, tmp_path)
    assert ensemble.summary["population"] == best.summary["population"]


def test_weights_of_more_networks_than_there_were_are_refused(ensemble, tmp_path):
    folder = shutil.copytree(ensemble.folder, tmp_path / "run")
    weights = files.read_arrays(folder / runs.WEIGHTS)
    more = {
        name.replace("member_0", "member_9"): array
        for name, array in weights.items()
        if name.startswith("member_0")
    }
    files.write_arrays(folder / runs.WEIGHTS, weights | more)
    with pytest.raises(RunError, match="weights of 4 networks"):
        recorded.read(folder, ensemble.summary)


def test_explain_wants_one_network(ensemble):
    from tftrain.explain import subject

    with pytest.raises(TftrainError, match="keeps 3 networks as one"):
        subject.of_run(ensemble.folder.parent, ensemble.folder.name, allow_code=False)
