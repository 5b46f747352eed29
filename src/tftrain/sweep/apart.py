"""One network of a population in, the run of a training of its own out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tftrain import checkpoint, ending, evaluate, files, predictions, runs
from tftrain.checkpoint import Checkpoint, State
from tftrain.ending import Clock
from tftrain.fit import Asked, Progress
from tftrain.predictions import Predictions
from tftrain.runs import Run
from tftrain.sweep.alike import Form
from tftrain.training import Engine, Logs, numbers
from tftrain.training import population as populations
from tftrain.training.engine import NUMBER
from tftrain.training.members import Member
from tftrain.training.population import Population


@dataclass(frozen=True)
class Trial:
    """One training of several that go together.

    Args:
        asked: from `prepare`; its rows are the others' too.
        form: of its config, the same as the others' but for numbers.
        progress: is told of every epoch, and ends this training by raising Stopped.
    """

    asked: Asked
    form: Form
    progress: Progress


@dataclass
class Apart:
    """One network of the population as a training of its own, and its run.

    Args:
        trial: what it is.
        population: that it is one of.
        member: as the population knows it.
        run: its run directory.
        spent: seconds of each stage, its share of what all took together.
        over: whether callbacks have had their last word.
    """

    trial: Trial
    population: Population
    member: Member
    run: Run
    spent: dict[str, float]
    over: bool = field(default=False)

    @property
    def engine(self) -> Engine:
        """Holds the network."""
        return self.member.lesson.engine

    @property
    def callbacks(self) -> list[Any]:
        """Its own."""
        return self.member.callbacks

    @property
    def state(self) -> State:
        """After the last epoch that was sound, as a fit of its own has it."""
        whole, place = self.population.state, self.member.number
        values = populations.begin_values(whole, len(self.population.members))[place]
        own = {name: value for name, value in values.items() if not name.startswith(NUMBER)}
        kept = whole.callbacks[place]
        ended = kept["ended"] and not kept["failed"]
        return State(len(kept["history"]), ended, own, kept["callbacks"])

    def rewind(self) -> None:
        """Gives the network the weights of this one's last sound epoch."""
        self.population.enter(self.member)

    def enter_network(self) -> None:
        """Gives the network all that is its own, and leaves the optimizer as it is."""
        values = self.population.values[self.member.number]
        own = {name: value for name, value in values.items() if name.startswith("network/")}
        self.engine.put(own)

    @property
    def clock(self) -> Clock:
        """Goes on from what was spent so far."""
        return Clock(time.perf_counter() - sum(self.spent.values()), dict(self.spent))


@dataclass(frozen=True)
class Made:
    """What is to be written of a network that has come to its end.

    Args:
        clock: of its run.
        checkpoint: after its last epoch.
        weights: that are kept, and what was learnt of preparing rows.
        model: the file for other programs.
        predicted: of rows that it hasn't learnt from.
    """

    clock: Clock
    checkpoint: Checkpoint
    weights: Mapping[str, NDArray[Any]]
    model: bytes
    predicted: Mapping[str, Predictions]


def made(one: Apart, exportable: Any) -> Made:
    """Makes what is to be written of a network, while its variables are in place.

    Args:
        one: that has come to its end.
        exportable: the network for others, from `exported.exportable`.
    """
    asked, engine, clock = one.trial.asked, one.engine, one.clock
    kept = ending.checkpoint_of(asked, one, one.run, clock)
    one.over = True
    with clock("saving"), tempfile.TemporaryDirectory() as folder:
        one.enter_network()
        numbers.write(engine.network, one.trial.form.numbers, offset(engine, asked))
        weights = evaluate.arrays_of(engine.network, asked.splits.preparation)
        path = Path(folder) / runs.MODEL
        files.require_space(path.parent, 2 * sum(weight.nbytes for weight in weights.values()))
        exportable.save(path)
        model = path.read_bytes()
    with clock("evaluation"), ending.told(asked):
        predicted = predictions.made(engine, asked.splits, asked.config.training.loss)
    return Made(clock, kept, weights, model, predicted)


def write(one: Apart, made: Made, scores: Mapping[str, Logs]) -> tuple[Run, float]:
    """Completes a run.

    Args:
        one: whose run it is.
        made: what is to be written.
        scores: the loss and the metrics of each split.

    Returns:
        The run, and its share of the seconds.
    """
    asked, run, clock = one.trial.asked, one.run, made.clock
    with clock("saving"):
        checkpoint.write(run.folder / runs.CHECKPOINT, made.checkpoint)
        files.write_arrays(run.folder / runs.WEIGHTS, made.weights)
        run.write(runs.MODEL, made.model)
    with clock("evaluation"):
        loss = asked.config.training.loss
        predictions.keep(run.folder, one.engine, asked.splits, loss, made.predicted)
    ending.finish(asked, one, run, clock, {"metrics": scores})
    run.release()
    return run, clock.total()


def offset(engine: Engine, asked: Asked) -> int:
    """How many entries of the config's layers Keras doesn't keep: an Input."""
    return len(asked.config.model.layers) - len(engine.network.layers)
