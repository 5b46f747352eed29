"""Ways out of local minima, success over seeds: python benchmarks/minima.py.

The parity of four bits, the configs in configs/minima. A run is a success if the network it keeps
has all sixteen rows of the truth table right, which is also all that it learnt from. Every run is
in this process, the methods take turns, and of a method only the seed differs. The configs were
tuned on seeds from 100 on.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from measure import ROOT, count, in_turns, machine, spread

from tftrain.fit import fit, prepare
from tftrain.terminal import Silent

ONE_START = "one start"
METHODS = {
    "all rows a step": ("parity", "training.batch_size=full"),
    ONE_START: ("parity",),
    "32 starts": ("parity_restarts",),
    "annealing": ("parity_annealing",),
    "genetic": ("parity_genetic",),
}
BARS = ("32 starts", "annealing", "genetic")


@dataclass
class Runs:
    """A method's runs: what they came to, and where they go.

    Args:
        config: with the method in it.
        overrides: what is else besides the seed.
        seeds: of the runs to come.
        folder: where runs go.
    """

    config: Path
    overrides: Sequence[str]
    seeds: Iterator[int]
    folder: Path
    successes: int = 0
    training: list[float] = field(default_factory=list)

    def one(self) -> float:
        """The seconds of a run, with all that it reads and writes."""
        begun = time.perf_counter()
        overrides = [*self.overrides, f"seed={next(self.seeds)}"]
        summary = fit(prepare(self.config, overrides, runs_dir=self.folder), Silent()).summary
        seconds = time.perf_counter() - begun
        self.successes += summary["metrics"]["test"]["accuracy"] == 1
        self.training.append(summary["seconds"]["training"])
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=count, default=20, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    machine()
    with tempfile.TemporaryDirectory() as folder:
        begin = partial(runs, Path(folder))
        in_turns({name: one.one for name, one in begin(asked.first + asked.seeds).items()}, 1)
        methods = begin(asked.first)
        seconds = in_turns({name: one.one for name, one in methods.items()}, asked.seeds)
    for name, one in methods.items():
        print(
            f"{name}: {one.successes} of {asked.seeds}, {spread(seconds[name], ' s')}, "
            f"of it training {spread(one.training, ' s')}"
        )
    for name in BARS:
        print(f"bar: > {methods[ONE_START].successes}  measured: {methods[name].successes}  {name}")


def runs(folder: Path, first: int) -> dict[str, Runs]:
    """Each method by its name, from a seed on."""
    found = {}
    for name, (config, *overrides) in METHODS.items():
        path = ROOT / "configs" / "minima" / f"{config}.yaml"
        seeds = iter(range(first, 2**32))
        found[name] = Runs(path, overrides, seeds, folder)
    return found


if __name__ == "__main__":
    main()
