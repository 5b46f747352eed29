"""A smoke run in, a list of what was checked out: can it be read again, asked, and learn?"""

from __future__ import annotations

import json

import numpy as np

from tftrain import evaluate, training
from tftrain.data import Part
from tftrain.runs import Run
from tftrain.terminal import Check, number
from tftrain.training import Engine

STEPS = 200
_LEARNT = 0.01  # of the loss at least must be gone after that many steps on one batch


def check(run: Run) -> list[Check]:
    """Reads a finished smoke run as `tftrain eval` does, and tries it.

    Args:
        run: as `fit` left it.

    Returns:
        What was checked, in order.
    """
    rows = ", ".join(f"{count} {name}" for name, count in run.summary["rows"].items())
    trained = Check("trained", True, f"{run.summary['epochs_run']} epochs, {rows} rows")
    again = evaluate.load(run.folder, run.summary, allow_code=True)  # `fit` was asked for leave
    splits = again.splits()
    after = evaluate.metrics(again.engine, splits)
    before = {name: run.summary["metrics"][name] for name in after}  # folds have tested others
    same = json.dumps(before) == json.dumps(after)  # in which NaN is NaN
    equal = "every metric to the bit" if same else f"{before} became {after}"
    asked = splits.test or splits.train
    return [
        trained,
        Check("read again", same, equal),
        _predictions(again.engine, asked),
        _one_batch(again.engine, splits.weighted),
    ]


def _predictions(engine: Engine, part: Part) -> Check:
    outputs = np.concatenate(list(engine.predict(part)))
    sound = bool(np.isfinite(outputs).all()) and len(outputs) == len(part)
    span = f"from {number(float(outputs.min()))} to {number(float(outputs.max()))}"
    return Check("predicted", sound, f"{len(outputs)} rows, outputs {span}")


def _one_batch(engine: Engine, part: Part) -> Check:
    """A network that can learn anything can learn one batch by heart."""
    batch = part.thinned(engine.batch_size)
    before = engine.evaluate(batch)["loss"]
    training.learn(engine, batch, STEPS)
    after = engine.evaluate(batch)["loss"]
    learnt = after <= before - _LEARNT * abs(before) or before == 0
    figures = f"loss {number(before)} to {number(after)} in {STEPS} steps on {len(batch)} rows"
    return Check("one batch by heart", bool(learnt), figures)
