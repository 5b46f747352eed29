"""A source's name in, its rows as they came out, whichever kind of source it is."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tftrain.config import Arrays, Config, Data, Source, headers, kind_of
from tftrain.data import arrays, series, table, tabular
from tftrain.data.raw import LeftOut, Raw
from tftrain.data.table import Table, Type, Wanted, quoted, suspects
from tftrain.data.tabular import MisnamedError
from tftrain.errors import DataError, Mark, Problem, did_you_mean, listed

if TYPE_CHECKING:
    from tftrain.data.images import Decoded, Form

Pixels = tuple[int, int, int]


def every(config: Config, source: Source) -> dict[str, Raw]:
    """The rows of every file that the config names, by its key.

    Raises:
        DataError: with what is wrong with any of them, at its place in the config.
    """
    raws: dict[str, Raw] = {}
    problems: list[Problem] = []
    for name, file in files(config.data).items():
        path = ("data", "source") if name == "source" else ("data", "split", name)
        try:
            with named_in(source, path):
                raws[name] = _opened(config, file, source, raws.get("source"))
                labels_of(raws[name], config)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return raws


def _opened(config: Config, file: str | Arrays, source: Source, before: Raw | None) -> Raw:
    if before is None:
        return first(file, config.data, source)
    types = before.table.types if before.table else None
    raw = other(file, config.data, types=types, pixels=before.pixels)
    if types and raw.table and not {*types} & {*raw.table.types}:
        message = f"it has no column of the source: expected {listed(types)}, got "
        raise raw.table.fail("D003", message + listed(raw.table.types))
    return raw


@contextlib.contextmanager
def named_in(source: Source, path: tuple[str, ...]) -> Iterator[None]:
    """Faults of a file, told at the place of the config that names the file."""
    try:
        yield
    except MisnamedError:
        raise
    except DataError as error:
        raise DataError(_placed(problem, source, path) for problem in error.problems) from None


def _placed(problem: Problem, source: Source, path: tuple[str, ...]) -> Problem:
    if problem.mark.source == table.QUERY:
        return source.problem(("data", "query"), problem.code, problem.message)
    return source.problem(path, problem.code, f"{problem.mark}: {problem.message}")


def labels_of(raw: Raw, config: Config) -> NDArray[Any]:
    """The labels of a source that must have some.

    Raises:
        DataError: when it hasn't.
    """
    if raw.labels is None:
        message = headers.no_labels(raw.source, config.data)
        if raw.table is not None:
            near = did_you_mean(str(config.data.target), raw.table.types)
            near = near or f"; it has {listed(raw.table.types)}"
            message = f"no labels: expected a column called `{config.data.target}`{near}"
        raise DataError(Problem(Mark(raw.source), "D003", message))
    return raw.labels


def files(data: Data) -> dict[str, str | Arrays]:
    """What is to be read, by its key: `source`, and the parts that are files of their own.

    A folder with train/ and test/ above its classes is as many sources.
    """
    split = data.split
    named: dict[str, str | Arrays] = {"source": data.source}
    if isinstance(data.source, str) and kind_of(data.source) == "images":
        from tftrain.data import images  # Pillow, which other sources need not wait for

        found = images.parts(data.source)
        named |= {"source" if name == "train" else name: path for name, path in found.items()}
    for name, part in (("validation", split.validation), ("test", split.test)):
        if not isinstance(part, float):
            named[name] = part
    return named


def first(file: str | Arrays, data: Data, source: Source) -> Raw:
    """The source that a network learns from.

    Raises:
        DataError: when it can't be read, or columns that the config names aren't there.
    """
    if isinstance(file, Arrays) or kind_of(file) in ("bundled", "arrays"):
        return arrays.read(file, data)
    if kind_of(file) == "images":
        return _pictures(file, data, None, labelled=True)
    opened = table.read(file, data)
    tabular.check_names(opened, data, source)
    raw = _of_table(opened, data, None, labelled=True)
    return replace(raw, notes=(*raw.notes, *suspects.suspects(opened, data)))


def other(
    file: str | Arrays,
    data: Data,
    *,
    types: Mapping[str, Type] | None = None,
    wanted: Wanted | None = None,
    pixels: Pixels | None = None,
    labelled: bool = True,
) -> Raw:
    """Another source of the same kind; it isn't split, so it needs no time and no groups.

    Args:
        file: its name.
        data: the config's section.
        types: of a table's columns, as they were in the first source.
        wanted: the columns of a table that are read.
        pixels: of images, as in the first source.
        labelled: whether labels and weights are wanted too.
    """
    if isinstance(file, Arrays) or kind_of(file) in ("bundled", "arrays"):
        return arrays.read(file, data, labelled=labelled)
    if kind_of(file) == "images":
        return _pictures(file, data, pixels, labelled=labelled)
    if data.series is None:
        data = data.model_copy(update={"time": None, "group": None})
    return _of_table(table.read(file, data, types, wanted), data, pixels, labelled=labelled)


def _of_table(opened: Table, data: Data, pixels: Pixels | None, *, labelled: bool) -> Raw:
    if data.series is not None:
        return series.windows(opened, data, data.series, labelled=labelled)
    raw = tabular.raw(opened, data, labelled=labelled)
    column = next((name for name, one in data.columns.items() if one.kind == "image"), None)
    return raw if column is None else _listed(raw, opened, column, data, pixels)


def _listed(raw: Raw, opened: Table, column: str, data: Data, pixels: Pixels | None) -> Raw:
    """The images that a column of a table names, by their paths from the table's folder."""
    tabular.require_all(opened, column)
    names = opened.arrays({"n": quoted(column)})["n"]
    folder = Path(opened.source).parent
    if glob.has_magic(str(folder)) and not folder.is_dir():
        message = (
            f"`{column}` names images from the table's folder, but `{folder}` may be several: "
            "expected a pattern in the file's name alone"
        )
        raise DataError(Problem(Mark(opened.source), "D002", message))
    paths = [str(folder / name) for name in names]
    form, made = _decoded(paths, data, pixels)
    kept = {
        name: value[made.rows]
        for name in ("labels", "weights", "place", "together")
        if (value := getattr(raw, name)) is not None
    }
    return replace(
        raw,
        **kept,
        inputs=made.images,
        table=None,
        pixels=(*form.size, form.channels),
        paths=names[made.rows],
        numbers=made.rows,
        left_out=_left_out(paths, made),
    )


def _left_out(paths: Sequence[str], made: Decoded) -> LeftOut | None:
    if not made.problems:
        return None
    first = made.problems[0]
    return LeftOut(len(paths) - len(made.rows), len(paths), f"{first.mark}: {first.message}")


def _pictures(file: str, data: Data, pixels: Pixels | None, *, labelled: bool) -> Raw:
    """The images of a folder."""
    from tftrain.data import images

    pictures = images.folder(file, labelled=labelled)
    form, made = _decoded(pictures.files, data, pixels)
    paths = [os.path.relpath(pictures.files[row], file) for row in made.rows]
    return Raw(
        inputs=made.images,
        labels=None if pictures.labels is None else pictures.labels[made.rows],
        weights=None,
        names=pictures.names,
        source=file,
        pixels=(*form.size, form.channels),
        paths=np.array(paths, object),
        numbers=made.rows,
        left_out=_left_out(pictures.files, made),
    )


def _decoded(paths: Sequence[str], data: Data, pixels: Pixels | None) -> tuple[Form, Decoded]:
    """Images of the form that the first source had, or else of their own."""
    from tftrain.data import images

    skip = data.on_error == "skip"
    if pixels is not None:
        form = images.Form(pixels[:2], pixels[2])
    else:
        form = images.form_of(paths, data.size, data.channels, skip_broken=skip)
    alike = pixels is None and data.size is None  # else there would be no form
    return form, images.decode(paths, form, skip_broken=skip, alike=alike)
