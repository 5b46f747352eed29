"""The configs that come with tftrain: each says what it is for, and trains to what it promises."""

from __future__ import annotations

import re

import numpy as np
import pytest

from conftest import ROOT
from tftrain import check, config
from tftrain.require import named, parse
from tftrain.terminal import Silent

CONFIGS = {path.stem: path for path in sorted((ROOT / "configs").glob("*.yaml"))}
REAL = {path.stem: path for path in sorted((ROOT / "configs" / "real").glob("*.yaml"))}
MINIMA = {path.stem: path for path in sorted((ROOT / "configs" / "minima").glob("*.yaml"))}
# Bounds of the test split that a linear model, or always the largest class, would miss or just
# reach; scikit-learn's ridge has R2 0.48 on the diabetes data.
ZERO = "bias_initializer.Constant.value=0"  # so that the linear outputs have both signs
PROMISES = {
    "accumulated_bp": ["accuracy>=0.98"],
    "class_weight": ["recall>=0.95", "auc>=0.98"],
    "digits": ["accuracy>=0.99", "auc>=0.99", "val_accuracy>=0.98"],
    "digits_annealing": ["accuracy>=0.98"],
    "digits_cnn": ["accuracy>=0.97"],
    "digits_genetic": ["accuracy>=0.98"],
    "digits_l2": ["accuracy>=0.97"],
    "digits_relu": ["accuracy>=0.99"],
    "digits_softmax": ["accuracy>=0.95", "top_3>=0.99"],
    "gradient_accumulation": ["accuracy>=0.95"],
    "learning_rate_schedule": ["accuracy>=0.95"],
    "linear_regression": ["r2_score>=0.4"],
    "mini_batch": ["accuracy>=0.98"],
    "positive_regression": ["r2_score>=0.4"],
    "standard_bp": ["accuracy>=0.98"],
    "zero_one_loss": ["accuracy>=0.95"],
}


def test_every_config_promises_something():
    assert list(CONFIGS) == list(PROMISES)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_opens_with_its_purpose_and_its_command(name):
    purpose, command = CONFIGS[name].read_text("utf-8").split("\n")[:2]
    assert re.fullmatch(r"# [A-Z].*\.", purpose)
    assert command == f"#   tftrain fit configs/{name}.yaml"
    assert config.load(CONFIGS[name])[0].name == name


@pytest.mark.parametrize("name", MINIMA)
def test_a_config_of_local_minima_is_sound_and_learns_the_parity_of_its_bits(name):
    from tftrain import data

    purpose, command = MINIMA[name].read_text("utf-8").split("\n")[:2]
    assert re.fullmatch(r"# [A-Z].*\.", purpose)
    assert command == f"#   tftrain fit configs/minima/{name}.yaml"
    report = check.check(MINIMA[name])
    assert [*report.problems] == []
    assert report.config.name == name
    splits = data.load(report.config, report.source)
    for part in (splits.train, splits.test):
        bits = part.raw(slice(None)) > 0
        assert len({tuple(row) for row in bits}) == len(part) == 16
        np.testing.assert_array_equal(part.labels.ravel(), bits.sum(1) % 2)


@pytest.mark.parametrize("name", REAL)
def test_a_config_for_real_data_opens_with_its_purpose_and_its_bar(name):
    purpose, command = REAL[name].read_text("utf-8").split("\n")[:2]
    assert re.fullmatch(r"# [A-Z].*\.", purpose)
    bar = r"--require '\w+[<>]=[\d.]+'"
    assert re.fullmatch(rf"#   tftrain fit configs/real/{name}\.yaml {bar}( {bar})*", command)


@pytest.mark.parametrize("name", REAL)
def test_a_config_for_real_data_is_sound_without_them(name, tmp_path, monkeypatch):
    (tmp_path / "mnist01_png").mkdir()  # a source without an ending is a folder that is there
    monkeypatch.setenv("TFTRAIN_TEST_DATA", str(tmp_path))
    report = check.check(REAL[name])
    unread = {"D001", "K010"}  # no such file, so that the network isn't checked against it
    assert [str(problem) for problem in report.problems if problem.code not in unread] == []
    assert not report.has("error")
    assert report.config.name == name


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_trains_to_what_it_promises(name, tmp_path):
    from tftrain.fit import fit, prepare

    asked = prepare(CONFIGS[name], ["training.threads=2"], runs_dir=tmp_path)
    run = fit(asked, Silent())
    metrics = named(run.summary["metrics"])
    missed = [bound for bound in parse(PROMISES[name], metrics) if not bound.met(metrics)]
    assert not missed, metrics


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("name", ["standard_bp", "accumulated_bp", "mini_batch"])
def test_weights_begin_between_0_and_1(name):
    from tftrain import data, model

    settled, source = config.load(CONFIGS[name])
    network = model.build(settled, source, data.load(settled, source).form)
    for layer in network.layers:
        kernel = layer.kernel.numpy()
        assert kernel.min() > 0
        assert kernel.max() < 1


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(
    ("name", "updates"), [("standard_bp", 216), ("mini_batch", 14), ("accumulated_bp", 1)]
)
def test_an_epoch_has_as_many_updates_as_the_notes_say(name, updates):
    from tftrain import data, evaluate, model

    settled, source = config.load(CONFIGS[name])
    splits = data.load(settled, source)
    network = model.build(settled, source, splits.form)
    engine = evaluate.engine_of(network, settled, len(splits.train))
    engine.train(splits.train, np.arange(len(splits.train)))
    assert int(network.optimizer.iterations.numpy()) == updates


@pytest.mark.usefixtures("tensorflow")
def test_a_target_that_is_never_negative_is_predicted_never_negative():
    from tftrain import data, evaluate, model

    settled, source = config.load(CONFIGS["positive_regression"], [f"model.layers.1.Dense.{ZERO}"])
    splits = data.load(settled, source)
    engine = evaluate.engine_of(model.build(settled, source, splits.form), settled, 1)
    predictions = np.concatenate(list(engine.predict(splits.test)))
    assert predictions.min() == 0 < predictions.max()
