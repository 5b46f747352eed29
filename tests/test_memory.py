"""Networks that no machine, or not this one, could hold: told before anything is built."""

from __future__ import annotations

import pytest

from tftrain import check, files
from tftrain.errors import ConfigError
from tftrain.fit import prepare

GIB = 2**30
CONFIG = """\
data: {{source: digits, scaling: standardize}}
model:
  layers:
    - Dense: {{units: {units}, activation: relu}}
    - Dense: {{units: 10, activation: softmax}}
training: {{loss: SparseCategoricalCrossentropy, optimizer: {optimizer}, epochs: 1}}
"""


@pytest.fixture
def written(tmp_path):
    def written(units=100, optimizer="Adam"):
        path = tmp_path / "c.yaml"
        path.write_text(CONFIG.format(units=units, optimizer=optimizer))
        return path

    return written


def too_large(path, *overrides):
    return [one for one in check.check(path, overrides).problems if one.code == "K009"]


@pytest.mark.parametrize("units", [10**12, 10**299])
def test_what_no_machine_holds_is_told_at_its_layer_and_refused_by_fit(units, written, tmp_path):
    path = written(units)
    (problem,) = too_large(path)
    assert (problem.mark.line, problem.mark.column) == (4, 7)
    with pytest.raises(ConfigError) as raised:
        prepare(path, runs_dir=tmp_path / "runs")
    assert list(raised.value.problems) == [problem]


@pytest.mark.parametrize(
    ("optimizer", "copies"),
    [("SGD", 2), ("rmsprop", 3), ("adam", 4), ("{Adam: {amsgrad: true}}", 4), ("Muon", 2)],
)
def test_weights_gradients_and_what_the_optimizer_keeps_are_counted(
    optimizer, copies, written, monkeypatch
):
    path = written(1000, optimizer)
    first, second = 65 * 1000, 1001 * 10
    for held, line in ((first + second, 5), (first, 4)):
        last = 10 if line == 5 else 1000  # outputs of a row
        needed = 4 * (copies * held + last)
        monkeypatch.setattr(files, "machine_memory", lambda limit=needed: limit)
        assert [one.mark.line for one in too_large(path)] == ([] if line == 5 else [5])
        monkeypatch.setattr(files, "machine_memory", lambda limit=needed: limit - 1)
        assert [one.mark.line for one in too_large(path)] == [line]


def test_less_is_counted_where_less_is_kept(written, monkeypatch):
    path, first = written(1000), "model.layers.0.Dense."
    monkeypatch.setattr(files, "machine_memory", lambda: 4 * 65 * 1000 * 4 - 1)
    assert too_large(path)
    assert too_large(path, f"{first}trainable=false") == []
    assert too_large(path, f"{first}dtype=float16", "model.layers.1.Dense.units=1") == []
    monkeypatch.setattr(files, "machine_memory", lambda: None)  # where the system doesn't tell
    assert too_large(path) == []


def test_outputs_of_a_row_count_as_well(written):
    layers = "model.layers=[{RepeatVector: {n: 1" + "0" * 298 + "}}, Flatten, Flatten]"
    (problem,) = too_large(written(), layers)
    assert problem.message.startswith(
        "`RepeatVector`: up to this layer, training takes more than 10^30"
    )


def test_sizes_beyond_all_measure_are_no_bug(written):
    layer = "{RepeatVector: {n: 1" + "0" * 298 + "}}, Flatten"
    layers = f"model.layers=[{', '.join([layer] * 20)}, {{Dense: {{units: 10}}}}]"
    assert check.check(written(), [layers]).lines(excerpts=False)
