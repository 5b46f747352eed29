"""A run and new rows in, a file of predictions out."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tftrain import config, files, outputs, predictions, runs
from tftrain.data import Form, Fresh, Note
from tftrain.data.table import written
from tftrain.data.table.written import Block, Cells
from tftrain.errors import DataError, Mark, Problem, StorageError, harmless
from tftrain.recorded import Recorded

if TYPE_CHECKING:
    from tftrain.evaluate import Trained
    from tftrain.training import Engine

STREAM = "-"  # JSON lines from stdin, or to stdout
_STDIN = "stdin"
_ROWS = "a table (.csv, .tsv, .txt, .jsonl, .parquet), an .npz or .npy file, or a folder of images"
_BLOCK_ROWS = 65_536
_CHARACTERS = 1024 * 1024


@dataclass(frozen=True)
class Predicted:
    """What became of the rows.

    Args:
        rows: how many there were.
        notes: what was unlike the training rows.
    """

    rows: int
    notes: tuple[Note, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"rows": self.rows, "notes": [one.plain() for one in self.notes]}


def require_source(source: str) -> None:
    """Sees that there are rows of a kind that is read: a file, a pattern of several, a folder.

    Raises:
        DataError: when they are of no such kind, or there is no such file.
    """
    if files.is_folder(Path(source)):
        return
    if not config.ends_in(source, config.SUFFIXES):
        raise DataError(Problem(Mark(source), "D002", f"expected {_ROWS}"))
    if not files.matching(source):
        near = files.beside(Path(source), config.SUFFIXES)
        raise DataError(Problem(Mark(source), "D001", f"no such file{near}"))


def require_paths(source: str, output: str) -> None:
    """Sees that there are rows, and that predictions can be put where the user asks.

    Raises:
        DataError: when the source is of no kind that is read, or there is no such file.
        RunError: when the output can't be written.
    """
    if source != STREAM:
        require_source(source)
    if output != STREAM:
        runs.require_output(Path(output), files.matching(source), written.SUFFIXES)


def predict(run: Recorded, source: str, output: str, keep: Sequence[str] = ()) -> Predicted:
    """Predictions for new rows, written to a file; TensorFlow is imported once they are sound.

    Args:
        run: the run.
        source: rows of the same kind as the run's, with or without labels; `-` for stdin.
        output: a .csv, .parquet, .jsonl, .ndjson or .npz file; `-` for stdout. Columns `row`, the
            kept ones, then `class` and `probability` with each class's own, or `prediction` where
            the labels were numbers.
        keep: columns of the source's table that are copied.

    Raises:
        DataError: when rows can't be read, lack a column, or hold what training can't have seen.
        StorageError: when the predictions can't be written; nothing is left half-written.
    """
    rows = _stdin(run, keep) if source == STREAM else run.unlabelled(source, keep)
    from tftrain import evaluate

    trained = evaluate.revive(run)
    count, lost, first = 0, 0, None

    def counted() -> Iterator[Block]:
        nonlocal count, lost, first
        for block in _blocks(trained, rows):
            bad = block["row"].values[_not_finite(block)]
            count, lost = count + len(block["row"].values), lost + len(bad)
            first = int(bad[0]) if first is None and len(bad) else first
            yield block

    with evaluate.named(rows.raw.source):
        if output == STREAM:
            _to_stdout(counted())
        else:
            path = Path(output)
            files.fill(path, lambda place: written.write(place, counted()))
    far = [Note(None, "not_finite", lost, count, str(first))] if lost else []
    return Predicted(count, (*rows.notes, *far))


def _stdin(run: Recorded, keep: Sequence[str]) -> Fresh:
    """The rows that come in, kept in a file: they are looked at more than once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stdin.jsonl")
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            rows = run.unlabelled(str(path), keep)
        except DataError as error:
            raise DataError(
                Problem(Mark(_STDIN, one.mark.line, one.mark.column), one.code, one.message)
                for one in error.problems
            ) from None
    return rows.called(_STDIN)


def _to_stdout(blocks: Iterator[Block]) -> None:
    """Nothing goes out before all is known to be well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stdout.jsonl")
        try:
            written.write(path, blocks)
        except OSError as error:
            raise StorageError(files.cannot("written", path, error)) from error
        with path.open(encoding="utf-8", newline="") as file:
            while some := file.read(_CHARACTERS):  # a name may hold what JSON lets through
                sys.stdout.buffer.write(harmless(some).encode())
        sys.stdout.buffer.flush()


def _blocks(trained: Trained, rows: Fresh) -> Iterator[Block]:
    """Columns of predictions by name, so many rows at a time."""
    start = 0
    for numbers, out in _outputs(trained.engine, rows):
        stop = start + len(out)
        with np.errstate(all="ignore"):  # what isn't finite is told in the end
            made = columns(trained.form, trained.config.training.loss, out)
        block = {"row": Cells(numbers, "BIGINT")}
        for name, cells in rows.copied(start, stop).items():
            free = name
            while free in block or free in made:
                free = f"input_{free}"
            block[free] = Cells(cells, rows.kept[name])
        for name, values in made.items():
            block[name] = Cells(values, "VARCHAR" if name == "class" else "FLOAT")
        yield block
        start = stop


def _not_finite(block: Block) -> NDArray[np.bool_]:
    """The rows of which a prediction is infinite, or none, (rows,)."""
    made = [one.values for one in block.values() if one.values.dtype == np.float32]
    bad: NDArray[np.bool_] = ~np.isfinite(np.stack(made)).all(axis=0)
    return bad


def _outputs(engine: Engine, rows: Fresh) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """The rows' numbers and the network's outputs, in pieces that are worth a writer's while."""
    step = predictions.step(engine)
    first = 0
    for part in rows.blocks():
        numbers = part.row_numbers if part.numbers is not None else part.rows + first
        first += len(part)
        steps = engine.predict(part, step)
        for start in range(0, len(part), max(1, _BLOCK_ROWS // step) * step):
            outs = list(itertools.islice(steps, max(1, _BLOCK_ROWS // step)))
            out = np.concatenate(outs)
            yield numbers[start : start + len(out)], out


def columns(form: Form, loss: Any, out: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """A block of outputs as columns by name: `class` as texts, all others float32."""
    flat = outputs.numbers(form, out)
    if form.classes is None or not outputs.tells_classes(form, flat.shape[1:]):
        if flat.shape[1] == 1:
            return {"prediction": flat[:, 0]}
        return {f"prediction_{place}": column for place, column in enumerate(flat.T)}
    names = np.array(form.classes, object)
    if outputs.margins(loss):
        return {"class": names[(flat[:, 0] > 0).astype(int)], "margin": flat[:, 0]}
    chances = outputs.probabilities(loss, flat)
    single = flat.shape[1] == 1
    best = (chances[:, 1] > 0.5).astype(int) if single else chances.argmax(axis=1)  # noqa: PLR2004
    made = {"class": names[best], "probability": chances[np.arange(len(best)), best]}
    return made | {f"probability_{name}": chances[:, n] for n, name in enumerate(form.classes)}
