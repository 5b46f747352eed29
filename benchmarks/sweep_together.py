"""A sweep as one population against as many fits: python benchmarks/sweep_together.py.

The digits 0 and 1, 32 learning rates and seeds, 100 epochs without early stopping, so that all take
as many steps. Each side is one process that has imported what it needs, and leaves 32 run
directories; the sweep's seconds include Optuna's, and its study.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from measure import DIGITS, ROOT, compare, environment, in_turns, machine, rounds_option, spread

BAR = 0.15
RATE = "training.optimizer.RMSprop.learning_rate"
RATES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2)
SEEDS = range(4)
ALL_EPOCHS = "training.callbacks=[]"
COUNT = len(RATES) * len(SEEDS)
BEGIN = """
import json, sys, time
from pathlib import Path
import tftrain.building, tftrain.evaluate, tftrain.exported
from tftrain.fit import fit, prepare
from tftrain.sweep import job, plan, storage, study, together, trials, work
from tftrain.terminal import Silent

config, runs, *changes = sys.argv[1:]
runs = Path(runs)
storage.connect(storage.where(str(runs / "other.sqlite3"), runs), 60)  # imports more of Optuna
begun = time.perf_counter()
"""
END = """
print(json.dumps(time.perf_counter() - begun))
"""
FITS = """
for change in changes:
    fit(prepare(Path(config), change.split(), runs_dir=runs), Silent())
"""
SWEEP = """
made = plan.plan(Path(config), changes, plan.Asked(sampler="grid"), timed=False)
where = storage.where(None, runs)
nothing = lambda line: None
setting = job.Setting(where, runs, 60, 1, None, (), False, nothing, nothing)
with storage.quiet():
    job.sweep(made, setting)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rounds_option(parser, 3)
    rounds = parser.parse_args().rounds
    machine()
    tried = [f"{RATE}=choice({', '.join(map(str, RATES))})", f"training.seed=int(0, {SEEDS[-1]})"]
    tried.append(ALL_EPOCHS)
    single = [
        f"{RATE}={rate} training.seed={seed} {ALL_EPOCHS}" for rate in RATES for seed in SEEDS
    ]
    sides = {
        "one population": partial(seconds, SWEEP, tried),
        "fits": partial(seconds, FITS, single),
    }
    in_turns({"": sides["one population"]}, 1)  # files into the system's memory
    measured = in_turns(sides, rounds)
    for name, taken in measured.items():
        print(f"{COUNT} trainings, {name}: {spread(taken, ' s')}")
    compare(measured["one population"], measured["fits"], BAR)


def seconds(script: str, changes: Sequence[str]) -> float:
    """The seconds that a process takes for all trainings once TensorFlow is imported."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-c", BEGIN + script + END, DIGITS, runs, *changes]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
        )
        made = len(list(Path(runs).glob("*/model.keras")))
    if done.returncode or made != COUNT:
        sys.exit(f"{made} runs are finished\n{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
