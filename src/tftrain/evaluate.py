"""What a run recorded in, its network again out; and from the network, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tftrain import ensemble, foreign, model, recorded, runs, stopping
from tftrain.backend import start
from tftrain.config import Config
from tftrain.data import Part, Preparation, Splits
from tftrain.errors import DataError, Mark, Problem, RunError
from tftrain.recorded import Recorded
from tftrain.training import Engine, Logs, Refused


@dataclass(frozen=True)
class Trained(Recorded):
    """A run's network, ready to be asked.

    Args:
        engine: holds the network with the kept weights.
    """

    engine: Engine


def load(folder: Path, summary: Mapping[str, Any], *, allow_code: bool = False) -> Trained:
    """The network of a finished run, made anew from its config and its arrays.

    Args:
        folder: the run directory.
        summary: what `summary.json` says.
        allow_code: whether the run's copies of Python files may run.

    Raises:
        RunError: when a file is missing or damaged, or the weights are of another network.
        ConfigError: when the run's config is not valid here.
    """
    return revive(recorded.read(folder, summary, allow_code=allow_code))


def revive(run: Recorded) -> Trained:
    """The network of a run, made anew.

    Raises:
        RunError: when the weights are of another network.
        ConfigError: when the run's code may not run, or fails.
    """
    settings = run.config
    with stopping.at_once():
        start(settings.seed, settings.training.threads or 1)
        foreign.run(run.source)
        network = model.build(settings, run.source, run.form)
        if run.networks > 1:
            network = ensemble.build(settings, run.source, run.form, run.networks)
    misfit = model.set_weights_by_name(network, dict(run.weights))
    if misfit:
        raise RunError(Problem(Mark(str(run.folder / runs.WEIGHTS)), "R002", misfit))
    engine = engine_of(network, settings, run.summary["rows"]["train"])
    return Trained(**vars(run), engine=engine)


def arrays_of(network: Any, preparation: Preparation) -> dict[str, NDArray[Any]]:
    """What `weights.npz` holds: the network's weights and what was learnt of preparing rows."""
    return recorded.kept(model.weights_by_name(network), preparation)


def engine_of(network: Any, settings: Config, rows: int) -> Engine:
    """The engine that trains and evaluates by a config's batch sizes."""
    training = settings.training
    batch_size = rows if training.batch_size == "full" else int(training.batch_size)
    evaluation = training.validation_batch_size or batch_size
    return Engine(
        network,
        batch_size=batch_size,
        evaluation_batch_size=rows if evaluation == "full" else int(evaluation),
        jit_compile=training.jit_compile,
    )


def metrics(engine: Engine, splits: Splits) -> dict[str, Logs]:
    """The loss and the metrics of each split, by the split's name."""
    return {name: engine.evaluate(part) for name, part in splits.parts().items()}


def score(trained: Trained, part: Part, source: str) -> Logs:
    """The loss and the metrics of some rows.

    Args:
        trained: the network.
        part: from `Recorded.rows`.
        source: what to call them in messages.

    Raises:
        DataError: when TensorFlow can't compute with them.
    """
    with named(source):
        return trained.engine.evaluate(part)


@contextmanager
def named(file: str) -> Iterator[None]:
    """What TensorFlow can't compute of some rows, told with where they are from."""
    try:
        yield
    except Refused as error:
        raise DataError(Problem(Mark(file), "D009", str(error))) from None
