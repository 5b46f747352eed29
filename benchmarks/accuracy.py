"""What the configs in configs/real reach, seed by seed: python benchmarks/accuracy.py [NAME ...].

TFTRAIN_TEST_DATA names the folder of the data. For each bar in a config's command: the test rows'
figure, smallest, median and largest over the seeds (a seed is a split and a network's first
weights), and, fitted to the same prepared rows, what a linear model and gradient-boosted trees get.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from measure import ROOT, count, machine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score, roc_auc_score

from tftrain import fit
from tftrain.data import Part, Splits
from tftrain.require import Requirement, named, parse
from tftrain.terminal import Silent

CONFIGS = {path.stem: path for path in sorted((ROOT / "configs" / "real").glob("*.yaml"))}
SCORES: Mapping[str, Callable[[Any, Any], float]] = {
    "accuracy": accuracy_score,
    "mean_absolute_error": mean_absolute_error,
    "r2_score": r2_score,
}
TREES = 1000  # inputs, above which growing them takes minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CONFIGS))
    parser.add_argument("--seeds", type=count, default=5, help="0, 1, ... so many")
    parser.add_argument("--trees", action="store_true", help="grow trees too, which takes minutes")
    asked = parser.parse_args()
    unknown = set(asked.names).difference(CONFIGS)
    if unknown:
        parser.error(f"no such config: {', '.join(sorted(unknown))}")
    machine()
    for name in asked.names or CONFIGS:
        for line in measured(CONFIGS[name], asked.seeds, trees=asked.trees):
            print(line, flush=True)


def measured(path: Path, seeds: int, *, trees: bool) -> Iterator[str]:
    """A line for each bar: the figures of the network and of scikit-learn's models."""
    figures: dict[str, dict[str, list[float]]] = {}
    bounds: list[Requirement] = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            asked = fit.prepare(path, [f"seed={seed}"], runs_dir=Path(folder))
            metrics = named(fit.fit(asked, Silent()).summary["metrics"])
        bounds = parse(bars(path), metrics)
        rivals = list(others(asked.splits, [bound.metric for bound in bounds], trees=trees))
        for side, scores in [("tftrain", metrics), *rivals]:
            for bound in bounds:
                of_bound = figures.setdefault(bound.metric, {})
                of_bound.setdefault(side, []).append(scores[bound.metric])
    for bound in bounds:
        sides = ", ".join(
            f"{side} {spread(values)}" for side, values in figures[bound.metric].items()
        )
        met = sum(bound.met({bound.metric: value}) for value in figures[bound.metric]["tftrain"])
        yield f"{path.stem}: {bound} met by {met} of {seeds} seeds: {sides}"


def bars(path: Path) -> list[str]:
    """The bounds in a config's command."""
    command = path.read_text("utf-8").splitlines()[1]
    return [part.strip("'") for part in command.split() if part.startswith("'")]


def spread(values: list[float]) -> str:
    """The median, the smallest and the largest."""
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def others(
    splits: Splits, metrics: list[str], *, trees: bool
) -> Iterator[tuple[str, dict[str, float]]]:
    """What scikit-learn's models get on the test rows, by their name."""
    classes, target = splits.form.classes, splits.form.target
    inputs, labels = rows(splits.train)
    unseen, truth = rows(splits.test or splits.train)
    models: dict[str, Any] = {"linear": LogisticRegression(max_iter=2000) if classes else Ridge()}
    if trees and inputs.shape[1] <= TREES:
        grown = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        models["trees"] = grown(random_state=0)
    for name, model in models.items():
        model.fit(inputs, labels)
        found, known = model.predict(unseen), truth
        if target is not None:
            found, known = target.restore(found.astype(np.float32)), target.restore(truth)
        scores = {metric: SCORES[metric](known, found) for metric in metrics if metric in SCORES}
        if "auc" in metrics:
            scores["auc"] = roc_auc_score(truth, model.predict_proba(unseen)[:, 1])
        yield name, scores


def rows(part: Part) -> tuple[Any, Any]:
    """A part's prepared inputs, (rows, numbers), and labels, (rows,)."""
    inputs, labels, _ = part.take(slice(None))
    return inputs.reshape(len(inputs), -1), labels.reshape(-1)


if __name__ == "__main__":
    main()
