"""A run directory in, its network again out; and from the network, metrics and predictions."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tftrain import config, data, files, model, runs
from tftrain.backend import start
from tftrain.config import Config, Source, outputs, squashing
from tftrain.data import Encoding, Form, Part, Preparation, Splits
from tftrain.errors import DataError, Mark, Problem, RunError, did_you_mean
from tftrain.training import Engine, Logs, Refused

_PREPARATION = "preparation/"


@dataclass(frozen=True)
class Trained:
    """A run's network, ready to be asked.

    Args:
        folder: the run directory.
        summary: what `summary.json` says.
        config: the values that were in force.
        source: where they stand in `config.resolved.yaml`.
        form: the shapes of inputs and labels, and the classes.
        preparation: what rows go through, and outputs.
        engine: holds the network with the kept weights.
    """

    folder: Path
    summary: Mapping[str, Any]
    config: Config
    source: Source
    form: Form
    preparation: Preparation
    engine: Engine

    def splits(self) -> Splits:
        """The rows of the run.

        Raises:
            RunError: when the data are no longer those it was trained on.
        """
        splits = data.load(self.config, self.source)
        if splits.fingerprint != self.summary["fingerprint"]:
            message = "the data have changed since this run; `--data FILE` evaluates on others"
            raise RunError(Problem(Mark(str(self.folder)), "D008", message))
        return splits.thinned(data.SMOKE_ROWS) if self.summary.get("smoke") else splits

    def part(self, file: str) -> Part:
        """The rows of another file, prepared as the training rows were."""
        encoding = Encoding(self.form.classes, self.config.data.one_hot)
        part = data.load_part(self.config, file, encoding, self.preparation)
        self._require(file, "x", part.shape, self.form.inputs)
        self._require(file, "y", part.labels.shape[1:], self.form.labels)
        return part

    def blocks(self, file: str) -> Iterator[Part]:
        """The rows of a file without regard to labels, a part at a time."""
        for part in data.blocks(self.config, file, self.preparation):
            self._require(file, "x", part.shape, self.form.inputs)
            yield part

    def _require(self, file: str, name: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if got != wanted:
            message = f"{name}: rows of shape {got}; this network was trained on {wanted}"
            raise DataError(Problem(Mark(file), "D004", message))


def load(folder: Path, summary: Mapping[str, Any]) -> Trained:
    """The network of a finished run, made anew from its config and its arrays.

    Nothing in the run directory is executed: `model.keras` isn't opened.

    Raises:
        RunError: when a file is missing or damaged, or the weights are of another network.
        ConfigError: when the run's config is not valid here.
    """
    settings, source = config.load(folder / runs.RESOLVED)
    arrays = files.read_arrays(folder / runs.WEIGHTS)
    preparation = data.preparation_of(
        {
            name.removeprefix(_PREPARATION): array
            for name, array in arrays.items()
            if name.startswith(_PREPARATION)
        }
    )
    classes = summary.get("classes")
    form = Form(
        tuple(summary["inputs"]),
        tuple(summary["labels"]),
        None if classes is None else tuple(classes),
        preparation.target,
    )
    start(settings.seed, settings.training.threads or 1)
    network = model.build(settings, source, form)
    weights = {name: array for name, array in arrays.items() if not name.startswith(_PREPARATION)}
    misfit = model.set_weights_by_name(network, weights)
    if misfit:
        raise RunError(Problem(Mark(str(folder / runs.WEIGHTS)), "R002", misfit))
    engine = engine_of(network, settings, summary["rows"]["train"])
    return Trained(folder, summary, settings, source, form, preparation, engine)


def arrays_of(network: Any, preparation: Preparation) -> dict[str, NDArray[Any]]:
    """What `weights.npz` holds: the network's weights and what was learnt of preparing rows."""
    prepared = {_PREPARATION + name: array for name, array in preparation.arrays().items()}
    return model.weights_by_name(network) | prepared


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


def score(trained: Trained, *, split: str = "test", file: str | None = None) -> Logs:
    """The loss and the metrics of one split, or of another file's rows.

    Raises:
        RunError: when the run has no such split.
        DataError: when the file can't be read or doesn't fit.
    """
    if file is not None:
        part = trained.part(file)
        with _named(file):
            return trained.engine.evaluate(part)
    parts = trained.splits().parts()
    if split not in parts:
        near = did_you_mean(split, parts) or f"; expected {', '.join(parts)}"
        message = f"this run has no split `{split}`{near}"
        raise RunError(Problem(Mark(str(trained.folder)), "R001", message))
    with _named(str(trained.folder)):
        return trained.engine.evaluate(parts[split])


def predict(trained: Trained, file: str, output: Path) -> int:
    """Predictions for the rows of a file, written to another.

    Args:
        trained: the network.
        file: inputs as .npz or .npy.
        output: a .csv or .npz file; columns `row`, then `class` and `probability` with each
            class's own, or `prediction` where the labels were numbers.

    Returns:
        How many rows there were.
    """
    rows = 0

    def predicted() -> Iterator[dict[str, NDArray[Any]]]:
        nonlocal rows
        for part in trained.blocks(file):
            for out in trained.engine.predict(part):
                rows += len(out)
                yield _columns(trained, out)

    write = _write_npz if output.suffix.lower() == ".npz" else _write_csv
    with _named(file):
        files.fill(output, lambda path: write(path, predicted()))
    return rows


@contextmanager
def _named(file: str) -> Iterator[None]:
    """What TensorFlow can't compute of some rows, told with where they are from."""
    try:
        yield
    except Refused as error:
        raise DataError(Problem(Mark(file), "D009", str(error))) from None


def _columns(trained: Trained, out: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """A block of outputs as columns by name."""
    classes, loss = trained.form.classes, trained.config.training.loss
    if trained.form.target is not None:
        out = trained.form.target.restore(out)
    flat = out.reshape(len(out), -1)
    two = 2  # classes, which one output can tell apart
    if classes is None or flat.shape[1] not in (
        (1, two) if len(classes) == two else (len(classes),)
    ):
        if flat.shape[1] == 1:
            return {"prediction": flat[:, 0]}
        return {f"prediction_{place}": column for place, column in enumerate(flat.T)}
    names = np.array(classes)
    if outputs(loss) == "margins":
        return {"class": names[(flat[:, 0] > 0).astype(int)], "margin": flat[:, 0]}
    single = flat.shape[1] == 1
    if outputs(loss) == "logits":
        flat = {"sigmoid": _sigmoid, "softmax": _softmax}[squashing(loss, flat.shape[1])](flat)
    chances = np.hstack([1 - flat, flat]) if single else flat
    best = (flat[:, 0] > 0.5).astype(int) if single else chances.argmax(axis=1)  # noqa: PLR2004
    columns = {"class": names[best], "probability": chances[np.arange(len(best)), best]}
    return columns | {f"probability_{name}": chances[:, n] for n, name in enumerate(classes)}


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    chances: NDArray[np.float32] = np.exp(-np.logaddexp(np.float32(0), -logits))
    return chances


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return chances


def _write_csv(path: Path, blocks: Iterator[dict[str, NDArray[Any]]]) -> None:
    row = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for block in blocks:
            if row == 0:
                writer.writerow(["row", *block])
            for values in zip(*(column.tolist() for column in block.values()), strict=True):
                writer.writerow([row, *values])
                row += 1


def _write_npz(path: Path, blocks: Iterator[dict[str, NDArray[Any]]]) -> None:
    parts = list(blocks)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["row"] = np.arange(len(next(iter(columns.values()))))
    np.savez(path, **dict[str, Any](columns))
