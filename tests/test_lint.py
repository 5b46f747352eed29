"""The rules of thumb: each with networks that break it and one, nearly the same, that doesn't.

`^` stands before the place where a finding is to be told. What the rules say of Keras is asked of
Keras itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from conftest import ROOT
from tftrain import check, config, data
from tftrain.config import catalog, lint, text
from tftrain.config.schema import Lint
from tftrain.config.shapes import trace
from tftrain.data.facts import facts as read_facts
from tftrain.errors import CODES, ConfigError
from tftrain.prepare import prepare

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
CONFIG = """\
name: a
data: {data}
model: {{layers: [{layers}]}}
training: {{{training}}}
"""
DIGITS = "{source: digits, scaling: standardize}"
BINARY = "{source: digits, classes: [0, 1], scaling: standardize}"
ONE_HOT = "{source: digits, classes: [0, 1, 2], one_hot: true, scaling: standardize}"
DIABETES = "{source: diabetes, scaling: standardize}"
FILE = "{source: a.npz}"
RELU = "{Dense: {units: 8, activation: relu}}"
LINEAR = "{Dense: {units: 1}}"
SIGMOID = "{Dense: {units: 1, activation: sigmoid}}"
SOFTMAX = "{Dense: {units: 10, activation: softmax}}"
SPARSE = "loss: SparseCategoricalCrossentropy, optimizer: Adam, epochs: 20"
BCE = "loss: BinaryCrossentropy, optimizer: Adam, epochs: 20"
LOGITS = "loss: {BinaryCrossentropy: {from_logits: true}}, optimizer: Adam, epochs: 20"
MSE = "loss: MeanSquaredError, optimizer: Adam, epochs: 20"
UNIFORM = "{RandomUniform: {minval: 0, maxval: 1}}"


def with_callbacks(callbacks, base=BCE):
    return f"{base}, callbacks: [{callbacks}]"


def optimized(optimizer, base="loss: BinaryCrossentropy, epochs: 20"):
    return f"{base}, optimizer: {optimizer}"


@dataclass(frozen=True)
class Case:
    """A network that breaks a rule, and what to change so that it doesn't."""

    code: str
    severity: str
    near: dict
    data: str = BINARY
    layers: str = f"{RELU}, {SIGMOID}"
    training: str = BCE
    facts: dict = field(default_factory=dict)
    shapes: tuple = ()

    def __str__(self):
        return self.code


UNIT_SOFTMAX = "{Dense: {units: 1, activation: ^softmax}}"
RELU_OUTPUT = "{Dense: {units: 1, activation: ^relu}}"
STOPPING = "EarlyStopping: {patience: 5, restore_best_weights: true}"
EARLY = f"{{{STOPPING}}}"
SGD_COSINE = "{SGD: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: %s}}}}"
UNEQUAL = {"target": "classes", "classes": 2, "labels": (), "imbalance": 9.0}
DEEP_RELU = ", ".join([RELU] * 4)

CASES = [
    Case("N001", "error", {"layers": SIGMOID}, layers=UNIT_SOFTMAX),
    Case(
        "N001",
        "error",
        {"layers": SOFTMAX},
        layers=f"{LINEAR}, ^Softmax",
    ),
    Case("N002", "error", {"training": LOGITS}, layers="^{Dense: {units: 1}}"),
    Case("N002", "error", {"layers": SIGMOID}, layers=RELU_OUTPUT),
    Case("N002", "error", {"layers": SIGMOID}, layers="{Dense: {units: 1, activation: ^tanh}}"),
    Case("N002", "error", {"layers": SIGMOID}, layers=f"{LINEAR}, ^LeakyReLU"),
    Case(
        "N003",
        "error",
        {"layers": f"{RELU}, {LINEAR}"},
        training="loss: {bce: {from_logits: ^true}}, optimizer: Adam, epochs: 20",
    ),
    Case(
        "N004",
        "error",
        {"layers": SOFTMAX},
        data=DIGITS,
        layers="^{Dense: {units: 10}}",
        training=SPARSE,
    ),
    Case(
        "N004",
        "error",
        {
            "training": SPARSE.replace("Sparse", "{Sparse").replace(
                "py,", "py: {from_logits: true}},"
            )
        },
        data=DIGITS,
        layers="^{Dense: {units: 10}}",
        training=SPARSE,
    ),
    Case(
        "N005",
        "warning",
        {"layers": SOFTMAX},
        data=DIGITS,
        layers="{Dense: {units: 10, activation: ^sigmoid}}",
        training=SPARSE,
    ),
    Case(
        "N006",
        "warning",
        {"layers": "{Dense: {units: 1, activation: tanh}}"},
        layers="{Dense: {units: 1, activation: ^sigmoid}}",
        training=BCE.replace("BinaryCrossentropy", "Hinge"),
    ),
    Case(
        "N007",
        "error",
        {"layers": "{Dense: {units: 1, activation: softplus}}"},
        data=DIABETES,
        layers=f"{RELU}, ^{LINEAR}",
        training=MSE.replace("MeanSquaredError", "poisson"),
    ),
    Case(
        "N008",
        "error",
        {"data": DIGITS},
        data=ONE_HOT,
        layers=SOFTMAX,
        training=SPARSE.replace("Sparse", "^Sparse"),
    ),
    Case(
        "N008",
        "error",
        {"data": ONE_HOT},
        data=DIGITS,
        layers=SOFTMAX,
        training="loss: ^CategoricalCrossentropy, epochs: 20",
    ),
    Case("N008", "error", {"data": BINARY}, data=DIGITS, training=BCE.replace("Bin", "^Bin")),
    Case("N008", "error", {"data": BINARY}, data=DIABETES, training=BCE.replace("Bin", "^Bin")),
    Case(
        "N009",
        "warning",
        {"data": DIGITS},
        data=BINARY,
        layers="{Dense: {units: ^10, activation: softmax}}",
        training=SPARSE,
    ),
    Case(
        "N010",
        "error",
        {"facts": {"lowest": 0.1, "highest": 0.9}},
        data=DIABETES,
        layers="{Dense: {units: 1, activation: ^sigmoid}}",
        training=MSE,
    ),
    Case(
        "N011",
        "warning",
        {"facts": {"lowest": 0.0}},
        data=DIABETES,
        layers=RELU_OUTPUT,
        training=MSE,
        facts={"lowest": -3.0},
    ),
    Case(
        "N012",
        "hint",
        {"facts": {"lowest": -3.0}},
        data=DIABETES,
        layers=f"^{LINEAR}",
        training=MSE,
    ),
    Case("N013", "warning", {"data": BINARY}, data=DIGITS, training=MSE.replace("Mean", "^Mean")),
    Case("N014", "hint", {"training": BCE}, training=MSE.replace("Mean", "^Mean")),
    Case(
        "N015",
        "error",
        {"data": BINARY},
        data=DIABETES,
        layers=LINEAR,
        training=f"{MSE}, metrics: [^accuracy]",
    ),
    Case(
        "N016",
        "error",
        {"training": f"{BCE}, metrics: [{{F1Score: {{threshold: 0.5}}}}]"},
        training=f"{BCE}, metrics: [^F1Score]",
    ),
    Case(
        "N017",
        "warning",
        {"training": f"{LOGITS}, metrics: [accuracy, {{BinaryAccuracy: {{threshold: 0}}}}]"},
        layers=LINEAR,
        training=f"{LOGITS}, metrics: [^BinaryAccuracy]",
    ),
    Case(
        "N017",
        "warning",
        {"training": f"{BCE}, metrics: [{{Precision: {{thresholds: 0.5}}}}]"},
        layers=LINEAR,
        training=f"{LOGITS}, metrics: [{{Precision: {{thresholds: ^0.5}}}}]",
    ),
    Case(
        "N018",
        "error",
        {"training": f"{BCE}, metrics: [accuracy]"},
        training=f"{BCE}, metrics: [^Accuracy]",
    ),
    Case(
        "N018",
        "error",
        {"layers": SOFTMAX},
        training=f"{BCE}, metrics: [^CategoricalAccuracy]",
    ),
    Case(
        "N019",
        "hint",
        {
            "layers": "{Dense: {units: 1, activation: relu, "
            "bias_initializer: {Constant: {value: 100}}}}"
        },
        data=DIABETES,
        layers=RELU_OUTPUT,
        training=MSE,
    ),
    Case("N020", "warning", {"training": BCE}, layers=RELU_OUTPUT, training=LOGITS),
    Case("N020", "warning", {"layers": LINEAR}, layers=f"{LINEAR}, ^ReLU", training=LOGITS),
    Case(
        "N021",
        "warning",
        {"layers": f"{RELU}, {SIGMOID}"},
        layers=f"^{{Dense: {{units: 8}}}}, {{Dense: {{units: 4}}}}, {SIGMOID}",
    ),
    Case(
        "N021",
        "warning",
        {"layers": f"{{Dense: {{units: 8}}}}, BatchNormalization, ReLU, {SIGMOID}"},
        layers=f"^{{Dense: {{units: 8}}}}, BatchNormalization, Flatten, {SIGMOID}",
    ),
    Case(
        "N022",
        "hint",
        {"layers": f"{RELU}, {RELU}, {SIGMOID}"},
        layers=f"{RELU}, ^{{Dense: {{units: 8}}}}, {SIGMOID}",
    ),
    Case(
        "N023",
        "warning",
        {
            "layers": "{Dense: {units: 8, activation: tanh}}, "
            "{Dense: {units: 8, activation: tanh}}, BatchNormalization, "
            f"{{Dense: {{units: 8, activation: tanh}}}}, {SIGMOID}"
        },
        layers="{Dense: {units: 8, activation: ^tanh}}, {Dense: {units: 8, activation: tanh}}, "
        f"{{Dense: {{units: 8, activation: sigmoid}}}}, {SIGMOID}",
    ),
    Case(
        "N024",
        "hint",
        {"layers": f"{RELU}, {SIGMOID}"},
        layers=f"{{Dense: {{units: 8, activation: ^sigmoid}}}}, {SIGMOID}",
    ),
    Case(
        "N025",
        "hint",
        {"layers": f"{DEEP_RELU}, BatchNormalization, {RELU}, {SIGMOID}"},
        layers=f"{RELU.replace('relu', '^relu')}, {DEEP_RELU}, {SIGMOID}",
    ),
    Case(
        "N026",
        "warning",
        {"layers": SOFTMAX},
        layers=f"{{Dense: {{units: 8, activation: ^softmax}}}}, {SIGMOID}",
    ),
    Case(
        "N027",
        "warning",
        {
            "layers": "{Dense: {units: 8, activation: sigmoid, kernel_initializer: "
            f"{{RandomUniform: {{minval: -0.1, maxval: 0.1}}}}}}}}, {SIGMOID}"
        },
        layers="{Dense: {units: 8, activation: sigmoid, kernel_initializer: "
        f"^{UNIFORM}}}}}, {SIGMOID}",
    ),
    Case(
        "N027",
        "warning",
        {"layers": f"{RELU}, {{Dense: {{units: 1, kernel_initializer: {UNIFORM}}}}}"},
        layers="{Dense: {units: 30, activation: sigmoid}}, "
        f"{{Dense: {{units: 1, activation: sigmoid, kernel_initializer: ^{UNIFORM}}}}}",
    ),
    Case(
        "N028",
        "error",
        {"layers": f"{RELU}, {SIGMOID[:-2]}, kernel_initializer: zeros}}}}"},
        layers=f"{RELU[:-2]}, kernel_initializer: ^zeros}}}}, {SIGMOID}",
    ),
    Case(
        "N028",
        "error",
        {
            "layers": "{Dense: {units: 8, activation: tanh, kernel_initializer: Ones}}, "
            f"{{Dropout: {{rate: 0.2}}}}, {SIGMOID[:-2]}, kernel_initializer: Ones}}}}"
        },
        layers="{Dense: {units: 8, activation: tanh, kernel_initializer: ^Ones}}, "
        f"{SIGMOID[:-2]}, kernel_initializer: {{Constant: {{value: 0.5}}}}}}}}",
    ),
    Case(
        "N029",
        "warning",
        {"layers": f"{RELU[:-2]}, kernel_initializer: HeNormal}}}}, {SIGMOID}"},
        layers=f"{RELU[:-2]}, kernel_initializer: ^{{Constant: {{value: 0.1}}}}}}}}, {SIGMOID}",
    ),
    Case(
        "N030",
        "error",
        {"layers": f"{RELU[:-2]}, trainable: false}}}}, {SIGMOID}"},
        layers="{Dense: {units: 1, activation: sigmoid, trainable: ^false}}",
    ),
    Case("N030", "error", {"layers": LINEAR}, layers="^[Flatten, ReLU]"),
    Case(
        "N031",
        "warning",
        {"layers": f"{RELU}, {{Dropout: {{rate: 0.2}}}}, {SIGMOID}"},
        layers=f"{RELU}, {SIGMOID}, ^{{Dropout: {{rate: 0.2}}}}",
    ),
    Case(
        "N032",
        "hint",
        {"layers": f"{RELU}, {{Dropout: {{rate: 0.2}}}}, {RELU}, {LINEAR}"},
        data=DIABETES,
        layers=f"{RELU}, ^{{Dropout: {{rate: 0.2}}}}, {LINEAR}",
        training=MSE,
    ),
    Case(
        "N033",
        "error",
        {"layers": f"{RELU}, {{Dropout: {{rate: 0.9}}}}, {SIGMOID}"},
        layers=f"{RELU}, {{Dropout: {{rate: ^1}}}}, {SIGMOID}",
    ),
    Case(
        "N034",
        "warning",
        {"layers": f"{RELU}, {{Dropout: {{rate: 0.5}}}}, {SIGMOID}"},
        layers=f"{RELU}, {{Dropout: {{rate: ^0.8}}}}, {SIGMOID}",
    ),
    Case(
        "N034",
        "warning",
        {"layers": f"{RELU}, {{Dropout: {{rate: 0.1}}}}, {SIGMOID}"},
        layers=f"{RELU}, {{Dropout: {{rate: ^0}}}}, {SIGMOID}",
    ),
    Case(
        "N035",
        "error",
        {"training": f"{BCE}, batch_size: 2"},
        layers=f"{RELU}, ^BatchNormalization, {SIGMOID}",
        training=f"{BCE}, batch_size: 1",
    ),
    Case(
        "N036",
        "warning",
        {"facts": {"rows": 98}},
        layers=f"{RELU}, ^BatchNormalization, {SIGMOID}",
        facts={"rows": 97},
    ),
    Case(
        "N037",
        "hint",
        {
            "layers": "{Dense: {units: 8, use_bias: false}}, BatchNormalization, ReLU, "
            f"{SIGMOID}"
        },
        layers=f"^{{Dense: {{units: 8}}}}, BatchNormalization, ReLU, {SIGMOID}",
    ),
    Case(
        "N038",
        "warning",
        {"layers": f"{RELU}, {LINEAR}, {{Activation: {{activation: sigmoid}}}}"},
        layers=f"{RELU}, {SIGMOID}, {{Activation: {{activation: ^sigmoid}}}}",
    ),
    Case(
        "N038",
        "warning",
        {"layers": "{Dense: {units: 10}}, Softmax"},
        data=DIGITS,
        layers=f"{SOFTMAX}, ^Softmax",
        training=SPARSE,
    ),
    Case(
        "N039",
        "hint",
        {"layers": f"{RELU}, BatchNormalization, {{Dropout: {{rate: 0.2}}}}, {SIGMOID}"},
        layers=f"{RELU}, ^{{Dropout: {{rate: 0.2}}}}, {RELU}, BatchNormalization, {SIGMOID}",
    ),
    Case(
        "N040",
        "hint",
        {
            "layers": "{Dense: {units: 8, activation: selu, kernel_initializer: LecunNormal}}, "
            f"{SIGMOID}"
        },
        layers=f"{{Dense: {{units: 8, activation: ^selu}}}}, {SIGMOID}",
    ),
    Case(
        "N041",
        "warning",
        {"training": with_callbacks(EARLY)},
        layers=f"^[{RELU}, {SIGMOID}]",
        shapes=(((8,), 5000), ((1,), 9)),
    ),
    Case(
        "N041",
        "warning",
        {"layers": f"{RELU[:-2]}, kernel_regularizer: L2}}}}, {SIGMOID}"},
        layers=f"^[{RELU}, {SIGMOID}]",
        shapes=(((8,), 5000), ((1,), 9)),
    ),
    Case(
        "N041",
        "warning",
        {"shapes": (((8,), 1000), ((1,), 9))},
        layers=f"^[{RELU}, {SIGMOID}]",
        shapes=(((8,), 5000), ((1,), 9)),
    ),
    Case(
        "N050",
        "warning",
        {"training": with_callbacks(f"{{{STOPPING.replace('5', '19')}}}")},
        training=with_callbacks(f"{{{STOPPING.replace('5', '^20')}}}"),
    ),
    Case(
        "N050",
        "warning",
        {"training": with_callbacks("ReduceLROnPlateau", f"{BCE[:-2]}11")},
        training=with_callbacks("^ReduceLROnPlateau", f"{BCE[:-2]}10"),
    ),
    Case(
        "N051",
        "warning",
        {"training": with_callbacks(EARLY)},
        training=with_callbacks("^EarlyStopping"),
    ),
    Case(
        "N052",
        "warning",
        {"training": with_callbacks(f"{EARLY}, {{ReduceLROnPlateau: {{patience: 4}}}}")},
        training=with_callbacks(f"{EARLY}, {{ReduceLROnPlateau: {{patience: ^5}}}}"),
    ),
    Case(
        "N053",
        "warning",
        {"data": "{source: digits, classes: [0, 1], split: {train: 1}}"},
        training=with_callbacks(f"{{{STOPPING[:-1]}, monitor: ^loss}}}}"),
    ),
    Case(
        "N054",
        "hint",
        {"training": f"{BCE[:-2]}49"},
        data="{source: digits, classes: [0, 1], split: ^{train: 0.8, test: 0.2}}",
        training=f"{BCE[:-2]}50",
    ),
    Case(
        "N055",
        "hint",
        {"training": with_callbacks(EARLY, f"{BCE[:-2]}100")},
        training=f"{BCE[:-2]}^100",
    ),
    Case(
        "N056",
        "error",
        {"training": optimized("{SGD: {learning_rate: 0.1}}")},
        training=optimized("{SGD: {learning_rate: ^0}}"),
    ),
    Case(
        "N056",
        "error",
        {
            "training": optimized(
                "{SGD: {learning_rate: {CosineDecay: {initial_learning_rate: 0, "
                "decay_steps: 100, warmup_target: 0.1, warmup_steps: 9}}}}"
            )
        },
        training=optimized(SGD_COSINE.replace("0.1", "^-0.1") % 140),
    ),
    Case(
        "N057",
        "warning",
        {"training": optimized("{SGD: {learning_rate: 0.5}}")},
        training=optimized("{adam: {learning_rate: ^0.5}}"),
    ),
    Case(
        "N057",
        "warning",
        {"training": optimized(SGD_COSINE % 140)},
        training=optimized(SGD_COSINE.replace("0.1", "^10") % 140),
    ),
    Case(
        "N058",
        "hint",
        {"training": optimized("{Adadelta: {learning_rate: 1}}")},
        training=optimized("^Adadelta"),
    ),
    Case(
        "N058",
        "hint",
        {"training": optimized("{SGD: {learning_rate: 0.001}}")},
        training=optimized("{SGD: {learning_rate: ^1e-7}}"),
    ),
    Case(
        "N059",
        "warning",
        {"training": f"{BCE}, batch_size: full"},
        training=f"{BCE}, batch_size: ^1000",
    ),
    Case(
        "N060",
        "hint",
        {"facts": {"rows": 10_000}},
        training=f"{BCE}, batch_size: ^1",
        facts={"rows": 60_000},
    ),
    Case(
        "N061",
        "hint",
        {"facts": {"rows": 60_000}},
        training=f"{BCE}, batch_size: ^full",
        facts={"rows": 600_000},
    ),
    Case(
        "N062",
        "warning",
        {"training": optimized(SGD_COSINE % 140)},
        training=optimized(SGD_COSINE % "^20"),
    ),
    Case(
        "N062",
        "warning",
        {"training": optimized(SGD_COSINE % 140)},
        training=optimized(SGD_COSINE % "^10000"),
    ),
    Case(
        "N062",
        "warning",
        {
            "training": optimized(
                "{SGD: {learning_rate: {PiecewiseConstantDecay: "
                "{boundaries: [30, 60], values: [0.1, 0.01, 0.001]}}}}"
            )
        },
        training=optimized(
            "{SGD: {learning_rate: {PiecewiseConstantDecay: "
            "{boundaries: [30, ^6000], values: [0.1, 0.01, 0.001]}}}}"
        ),
    ),
    Case(
        "N063",
        "error",
        {"training": with_callbacks("{ReduceLROnPlateau: {patience: 2}}")},
        training=with_callbacks("^{ReduceLROnPlateau: {patience: 2}}", optimized(SGD_COSINE % 140)),
    ),
    Case(
        "N064",
        "hint",
        {"training": f"{BCE}, batch_size: full, shuffle: false"},
        training=f"{BCE}, shuffle: ^false",
    ),
    Case(
        "N065",
        "hint",
        {"training": f"{BCE[:-2]}500, jit_compile: true"},
        training=f"{BCE}, jit_compile: ^true",
    ),
    Case(
        "N066",
        "hint",
        {"training": BCE},
        layers=f"{RELU[:-2]}, kernel_regularizer: ^L2}}}}, {SIGMOID}",
        training=optimized("AdamW"),
    ),
    Case(
        "N070",
        "warning",
        {"data": BINARY},
        data="{source: digits, classes: [0, 1]}",
        layers=f"{{Dense: {{units: 8, activation: ^tanh}}}}, {SIGMOID}",
    ),
    Case(
        "N070",
        "warning",
        {"layers": f"{{Rescaling: {{scale: 0.0625}}}}, {SIGMOID}"},
        data="{source: digits, classes: [0, 1]}",
        layers="Flatten, {Dense: {units: 1, activation: ^sigmoid}}",
    ),
    Case(
        "N071",
        "hint",
        {"data": "{source: wine, scaling: {rescale: {scale: 0.0005}}}"},
        data="{source: ^wine}",
        layers=f"{RELU}, {{Dense: {{units: 3, activation: softmax}}}}",
        training=SPARSE,
    ),
    Case(
        "N073",
        "error",
        {"layers": f"{{Embedding: {{input_dim: 500, output_dim: 8}}}}, Flatten, {SIGMOID}"},
        data=FILE,
        layers=f"{{Embedding: {{input_dim: ^499, output_dim: 8}}}}, Flatten, {SIGMOID}",
        facts={"inputs": (9,), "magnitude": 499.0, "target": "classes", "labels": ()},
    ),
    Case(
        "N072",
        "warning",
        {"facts": {**UNEQUAL, "imbalance": 2.0}},
        data="{source: ^a.npz}",
        facts=UNEQUAL,
    ),
    Case(
        "N072",
        "warning",
        {"training": f"{BCE}, class_weight: balanced"},
        data="{source: ^a.npz}",
        facts=UNEQUAL,
    ),
]


def found(folder, case):
    """The findings of a case, and the line and column of its mark."""
    fields = {"data": case.data, "layers": case.layers, "training": case.training}
    if case.layers.startswith("^["):  # the mark is the list's
        fields["layers"] = case.layers[2:-1]
        text = CONFIG.format(**fields).replace("layers: [", "layers: ^[")
    else:
        text = CONFIG.format(**fields)
    marked = [
        (line, place + 1)
        for line, row in enumerate(text.split("\n"), start=1)
        if (place := row.find("^")) >= 0
    ]
    path = folder / "a.yaml"
    path.write_text(text.replace("^", ""), "utf-8")
    settled, source = config.load(path)
    facts = replace(lint.facts_of(settled.data), **case.facts)
    return list(lint.lint(lint.network(settled, source, facts, case.shapes))), marked


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_network_that_breaks_a_rule_is_told_where(case, tmp_path):
    problems, marked = found(tmp_path, case)
    (mark,) = marked
    mine = [problem for problem in problems if problem.code == case.code]
    assert [(one.mark.line, one.mark.column) for one in mine] == [mark], problems
    assert mine[0].severity == case.severity
    assert "None" not in mine[0].message


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_that_nearly_does_is_left_alone(case, tmp_path):
    problems, _ = found(tmp_path, replace(case, **case.near))
    assert [problem for problem in problems if problem.code == case.code] == []


def test_every_rule_has_its_case():
    assert {case.code for case in CASES} == {rule.code for rule in lint.RULES}


def test_there_are_rules_enough_and_each_explains_itself():
    assert len(lint.RULES) >= 25
    codes = [rule.code for rule in lint.RULES]
    assert codes == sorted(set(codes))
    assert codes == [code for code in CODES if code.startswith("N")]
    for rule in lint.RULES:
        assert rule.title == CODES[rule.code]
        assert len(re.findall(r"[.!?](?:\s|$)", rule.reason)) == 2, rule.code
        assert rule.reference, rule.code
        assert rule.change.endswith("."), rule.code


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_shipped_configs_deserve_hints_at_most(path):
    settled, source = config.load(path)
    facts = lint.facts_of(settled.data)
    blind = lint.network(settled, source, facts)
    rows, _ = trace(blind.layers, facts.inputs)
    seeing = replace(blind, shapes=[(row.shape, row.parameters) for row in rows])
    assert seeing.parameters > 0
    for network in (blind, seeing):
        problems = lint.lint(network)
        assert [str(one) for one in problems if one.severity != "hint"] == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_silences_nothing_in_vain(path):
    settled, source = config.load(path)
    ignored = settled.lint.ignore
    loud = settled.model_copy(update={"lint": Lint()})
    problems = lint.lint(lint.network(loud, source, lint.facts_of(loud.data)))
    assert set(ignored) <= {problem.code for problem in problems}


@pytest.mark.parametrize(
    ("optimizer", "codes"),
    [
        ("GeneticAlgorithm", []),
        ("{GeneticAlgorithm: {generations: 3, then: SGD}}", ["N059"]),
    ],
)
def test_a_search_has_no_batches_that_could_be_too_large(optimizer, codes, tmp_path):
    training = f"{optimized(optimizer)}, batch_size: 1000"
    findings, _ = found(tmp_path, Case("N059", "warning", {}, training=training))
    assert [one.code for one in findings if one.code == "N059"] == codes


def test_a_silenced_rule_is_silent_and_an_unknown_one_is_an_error(tmp_path):
    case = Case("N051", "warning", {}, training=with_callbacks("EarlyStopping"))
    found(tmp_path, case)
    path = tmp_path / "a.yaml"
    path.write_text(path.read_text() + "lint: {ignore: [N051]}\n")
    settled, source = config.load(path)
    problems = list(lint.lint(lint.network(settled, source, lint.facts_of(settled.data))))
    assert [one for one in problems if one.code == "N051"] == []
    assert "lint:\n  ignore:\n  - N051\n" in config.resolved(settled)
    with pytest.raises(ConfigError, match=r"C014.*`n0511`|C014.*did you mean `N051`\?"):
        config.load(path, ["lint.ignore=[N0511]"])


SOURCES = [
    ["data.source=iris", "data.classes=[virginica, setosa]"],
    ["data.source=wine", "data.classes=null", "training.loss=SparseCategoricalCrossentropy"],
    ["data.source=breast_cancer", "data.classes=[benign, malignant]"],
    ["data.source=linnerud", "data.classes=null", "training.loss=mse"],
    [
        "data.scaling={rescale: {scale: 0.5, offset: -1}}",
        "data.split.train=0.55",
        "data.split.test=0.25",
    ],
    ["data.split={train: 0.7, validation: 0.15, test: 0.15}", "seed=3"],
    ["data.classes=[0, 1, 2]", "data.one_hot=true", "training.loss=CategoricalCrossentropy"],
]


@pytest.mark.parametrize("changes", SOURCES, ids=lambda changes: changes[0])
def test_what_is_known_of_the_bundled_sets_is_so(changes):
    compare(*config.load(ROOT / "configs" / "digits.yaml", changes))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_is_known_of_the_shipped_configs_data_is_so(path):
    compare(*config.load(path))


def compare(settled, source):
    known = lint.facts_of(settled.data)
    read = read_facts(settled, data.load(settled, source))
    for name in ("inputs", "rows", "target", "classes", "labels"):
        assert getattr(read, name) == getattr(known, name), name
    for name in ("imbalance", "magnitude", "lowest", "highest"):
        one, other = getattr(known, name), getattr(read, name)
        assert (one is None) == (other is None), name
        assert one is None or other == pytest.approx(one, rel=0.25), name


def test_files_are_known_by_what_is_read(tmp_path):
    rows = np.arange(80, dtype=np.float32).reshape(40, 2)
    np.savez(tmp_path / "a.npz", x=rows, y=np.repeat([0, 1], [36, 4]))
    case = Case("N072", "warning", {}, data=FILE)
    _, source = found(tmp_path, case)
    settled, source = config.load(tmp_path / "a.yaml")
    assert lint.facts_of(settled.data) == lint.Facts()
    read = read_facts(settled, data.load(settled, source))
    assert (read.inputs, read.target, read.classes, read.labels) == ((2,), "classes", 2, ())
    assert read.imbalance > 5
    problems = lint.lint(lint.network(settled, source, read))
    assert "N072" in {problem.code for problem in problems}


ODD = [
    "x",
    "-1",
    "0",
    "1",
    "1e300",
    f"1{0:0299}",
    "2.5",
    "true",
    "null",
    "[]",
    "[1, x]",
    "{a: 1}",
    "relu",
]


def leaves(root, path=()):
    """The dotted paths of a tree's scalars."""
    if isinstance(root, text.Mapping):
        children = root.items.items()
    elif isinstance(root, text.Sequence):
        children = enumerate(root.items)
    else:
        yield ".".join(map(str, path))
        return
    for name, child in children:
        yield from leaves(child, (*path, name))


@pytest.mark.parametrize("case", CASES[::2], ids=str)
def test_no_value_that_loads_trips_a_rule(case, tmp_path):
    found(tmp_path, case)
    path = tmp_path / "a.yaml"
    _, source = config.load(path)
    for leaf in leaves(source.root):
        for value in ODD:
            with contextlib.suppress(ConfigError):
                settled, source = config.load(path, [f"{leaf}={value}"])
                facts = replace(lint.facts_of(settled.data), **case.facts)
                for problem in lint.lint(lint.network(settled, source, facts, case.shapes)):
                    assert problem.message.isprintable()


def test_no_layer_trips_a_rule(tmp_path):
    known = catalog.load()
    taken = {"rate": 0.5, "layer": {"Dense": {"units": 3}}}
    linted = 0
    for name, entry in known.objects["layer"].items():
        needed = {key: taken.get(key, 2) for key, one in entry.arguments.items() if one.required}
        case = Case("", "hint", {}, layers=f"{RELU}, {{{name}: {json.dumps(needed)}}}, {SIGMOID}")
        with contextlib.suppress(ConfigError):
            found(tmp_path, case)
            linted += 1
    assert linted > 100


def test_the_lint_needs_no_numpy():
    code = (
        "import sys; from pathlib import Path; from tftrain import config; "
        "from tftrain.config import lint; "
        f"s, o = config.load(Path({str(CONFIGS[0])!r})); "
        "list(lint.lint(lint.network(s, o, lint.facts_of(s.data)))); "
        "assert not {'numpy', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# What the rules say of Keras.


@pytest.fixture(scope="module")
def keras(request):
    request.getfixturevalue("tensorflow")
    from tftrain.backend import keras

    return keras


def gradient(loss, labels, outputs):
    import tensorflow as tf

    outputs = tf.Variable(np.array(outputs, np.float32))
    with tf.GradientTape() as tape:
        value = loss(np.array(labels, np.float32), outputs)
    return float(value), tape.gradient(value, outputs).numpy()


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
def test_softmax_of_one_unit_is_1(keras):
    assert (keras.activations.softmax(np.array([[-3.0], [0.0], [9.0]])).numpy() == 1).all()


def test_bce_gives_no_gradient_beyond_0_and_1_and_negative_losses(keras):
    loss = keras.losses.BinaryCrossentropy()
    _, slope = gradient(loss, [[0.0], [1.0]], [[3.0], [-2.0]])
    assert (slope == 0).all()
    assert gradient(loss, [[2.0]], [[0.9]])[0] > gradient(loss, [[4.0]], [[0.9999]])[0]
    assert gradient(loss, [[4.0]], [[0.9999]])[0] < 0


def test_logits_of_probabilities_can_not_come_near_0(keras):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    assert gradient(loss, [[1.0]], [[1.0]])[0] == pytest.approx(0.313, abs=1e-3)


def test_a_crossentropy_learns_nothing_from_negative_outputs(keras):
    loss = keras.losses.SparseCategoricalCrossentropy()
    _, slope = gradient(loss, [0], [[-1.0, -2.0, -3.0]])
    assert (slope == 0).all()


def test_a_hinge_loss_on_probabilities_stays_at_1(keras):
    assert gradient(keras.losses.Hinge(), [[0.0]], [[0.0]])[0] >= 1


def test_poisson_of_a_negative_output_is_nan(keras):
    assert np.isnan(gradient(keras.losses.Poisson(), [[2.0]], [[-0.5]])[0])


def test_f1_without_a_threshold_says_yes_to_every_row(keras):
    score = keras.metrics.F1Score()
    labels = np.array([[1.0], [0.0], [0.0]], np.float32)
    score.update_state(labels, np.array([[0.1], [0.2], [0.3]], np.float32))
    assert float(score.result()[0]) == pytest.approx(0.5)  # precision 1/3, recall 1


def test_metrics_that_tell_nothing(keras):
    labels = np.array([[1.0], [0.0]], np.float32)
    for outputs in ([[0.9], [0.1]], [[0.1], [0.9]]):
        exact, largest = keras.metrics.Accuracy(), keras.metrics.CategoricalAccuracy()
        for metric, told in ((exact, 0.0), (largest, 1.0)):
            metric.update_state(labels, np.array(outputs, np.float32))
            assert float(metric.result()) == told


def test_logits_are_cut_at_a_half(keras):
    labels, logits = np.array([[1.0]], np.float32), np.array([[0.3]], np.float32)
    for kind, threshold, told in (
        ("BinaryAccuracy", {}, 0.0),
        ("BinaryAccuracy", {"threshold": 0}, 1.0),
        ("Recall", {}, 0.0),
        ("Recall", {"thresholds": 0}, 1.0),
    ):
        metric = getattr(keras.metrics, kind)(**threshold)
        metric.update_state(labels, logits)
        assert float(metric.result()) == told, (kind, threshold)


def test_linear_layers_are_one_map(keras):
    layers = [
        keras.layers.Dense(5),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(2),
    ]
    network = keras.Sequential([keras.Input((3,)), *layers])
    at = lambda *rows: network.predict(np.array(rows, np.float32), verbose=0)  # noqa: E731
    zero, *units = at([0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1])
    kernel = np.array(units) - zero
    rows = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(at(*rows), rows @ kernel + zero, atol=1e-5)


def fitted(keras, layers, epochs=5):
    network = keras.Sequential([keras.Input((4,)), *layers])
    network.compile("sgd", "mse")
    random = np.random.default_rng(0)
    rows = random.normal(size=(32, 4))
    network.fit(rows, rows.sum(axis=1), epochs=epochs, verbose=0)
    return network.layers[0].kernel.numpy()


def test_constant_weights_stay_alike_and_zeros_under_relu_stay_zero(keras):
    dense = keras.layers.Dense
    kernel = fitted(
        keras,
        [dense(3, "tanh", kernel_initializer="ones"), dense(1, kernel_initializer="ones")],
    )
    assert (kernel != 1).any()
    np.testing.assert_allclose(kernel, np.repeat(kernel[:, :1], 3, axis=1), atol=1e-6)
    kernel = fitted(keras, [dense(3, "tanh", kernel_initializer="ones"), dense(1)])
    assert not np.allclose(kernel, np.repeat(kernel[:, :1], 3, axis=1), atol=1e-6)
    assert (fitted(keras, [dense(3, "relu", kernel_initializer="zeros"), dense(1)]) == 0).all()


def test_dropout_of_1_lets_nothing_through_and_a_row_alone_is_normalised_away(keras):
    rows = np.random.default_rng(0).normal(size=(1, 6)).astype(np.float32)
    assert (keras.layers.Dropout(1.0)(rows, training=True).numpy() == 0).all()
    assert (keras.layers.BatchNormalization()(rows, training=True).numpy() == 0).all()


def test_batch_normalization_takes_a_bias_away(keras):
    rows = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    normal = keras.layers.BatchNormalization()
    one, other = (normal(rows + bias, training=True).numpy() for bias in (0, np.float32(2)))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_scheduled_learning_rate_can_not_be_set_and_counts_batches(keras):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=4)
    with pytest.raises(TypeError, match="not settable"):
        optimizer.learning_rate = 0.1
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(optimizer, "mse")
    network.fit(np.ones((4, 1)), np.ones(4), batch_size=1, verbose=0)
    assert float(optimizer.learning_rate) == pytest.approx(0.1 * 0.5**4)


EXAMPLES = """\
## {code}

Wrong:

```yaml
{wrong}```

Right:

```yaml
{right}```
"""


def example(case):
    """A case as the page of its rule shows it."""
    fields = {name: getattr(case, name) for name in ("data", "layers", "training", "facts")}
    changed = fields | {name: case.near[name] for name in fields if name in case.near}
    wrong, right = shown(**fields), shown(**changed)
    assert wrong != right, case
    return EXAMPLES.format(code=case.code, wrong=wrong, right=right)


def shown(data, layers, training, facts):
    """A config, and in a comment what the rule knows of the data that the config doesn't say."""
    whole = CONFIG.format(data=data, layers=layers, training=training).replace("^", "")
    known = ", ".join(f"{name}: {value}" for name, value in facts.items())
    return whole.replace("name: a\n", f"# {known}\n" if known else "", 1)


def test_every_rule_s_page_shows_a_network_that_breaks_it_and_one_that_does_not():
    """`TFTRAIN_WRITE_EXPECTED=1` writes the examples anew from the cases above."""
    first = {case.code: case for case in reversed(CASES)}
    written = "\n".join(example(first[rule.code]) for rule in lint.RULES)
    if os.environ.get("TFTRAIN_WRITE_EXPECTED"):
        lint.EXAMPLES.write_text(written, "utf-8")
    assert lint.EXAMPLES.read_text("utf-8") == written
    for rule in lint.RULES:
        page = check.explain(rule.code)
        assert page.startswith(f"{rule.code}: {rule.title}")
        assert page.index("Wrong:") < page.index("Right:") < page.index("Instead:")


def table(tmp_path, header, rows, columns, layers):
    """A config of a table of two classes."""
    lines = [header, *(f"{cells},{number % 2}" for number, cells in enumerate(rows))]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    path = tmp_path / "c.yaml"
    path.write_text(
        f"data: {{source: d.csv, target: y, columns: {columns}}}\n"
        f"model: {{layers: [{layers}]}}\ntraining: {{loss: BinaryCrossentropy, epochs: 2}}\n"
    )
    return path


def test_an_embedding_that_knows_too_few_words_is_refused_before_training(tmp_path):
    texts = [f"word{number % 50} and more words{number % 7}" for number in range(200)]
    columns = "{note: {text: {output_mode: int, max_tokens: 40}}}"
    for known, faulty in ((39, True), (40, False)):
        layers = f"{{Embedding: {{input_dim: {known}, output_dim: 2}}}}, Flatten, {SIGMOID}"
        path = table(tmp_path, "note,y", texts, columns, layers)
        said = [one for one in check.check(path, data=True).problems if one.severity == "error"]
        assert [one.code for one in said] == ["N073"] * faulty
        if faulty:
            assert str(said[0]).startswith(f"{path}:2:42: error[N073]: numbers up to 39 come in")
            with pytest.raises(ConfigError, match="N073"):
                prepare(path, runs_dir=tmp_path / "runs")
        else:
            prepare(path, runs_dir=tmp_path / "runs")


def test_what_scales_a_table_is_said_of_a_table(tmp_path):
    columns = "{a: {number: {scaling: none}}}"
    layers = f"{{Dense: {{units: 8, activation: tanh}}}}, {SIGMOID}"
    path = table(tmp_path, "a,y", [7 * row % 101 for row in range(200)], columns, layers)
    (said,) = [one for one in check.check(path).problems if one.code == "N070"]
    assert said.message.endswith("flat beyond 5: leave `scaling: none` out of data.columns")
    path.write_text(path.read_text().replace(columns, "{a: number}"))
    assert "N070" not in {one.code for one in check.check(path).problems}
