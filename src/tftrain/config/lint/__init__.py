"""A network and what is known of its data in, what an experienced colleague would say of it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tftrain.config.lint import (
    callbacks,
    hidden,
    metrics,
    noise,
    outputs,
    rows,
    steps,
    targets,
    weights,
)
from tftrain.config.lint.facts import Facts, facts_of, imbalance, training_rows, unequal
from tftrain.config.lint.network import Finding, Network, Rule, network
from tftrain.errors import Problem

__all__ = [
    "EXAMPLES",
    "RULES",
    "Facts",
    "Finding",
    "Network",
    "Rule",
    "facts_of",
    "imbalance",
    "lint",
    "network",
    "training_rows",
    "unequal",
]

EXAMPLES = Path(__file__).with_name("examples.md")
RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            *outputs.RULES,
            *targets.RULES,
            *metrics.RULES,
            *hidden.RULES,
            *weights.RULES,
            *noise.RULES,
            *callbacks.RULES,
            *steps.RULES,
            *rows.RULES,
        ),
        key=lambda rule: rule.code,
    )
)


def lint(network: Network) -> Iterator[Problem]:
    """Each place that breaks a rule which the config doesn't silence, rule by rule."""
    for rule in RULES:
        if rule.code in network.config.lint.ignore:
            continue
        for path, message in rule.find(network):
            problem = network.source.problem(path, rule.code, message)
            yield replace(problem, severity=rule.severity)
