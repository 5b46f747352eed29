"""A config's file and the command line's overrides in, a valid Config out, or every fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tftrain import files
from tftrain.config import checks, extends, interpolate, override, own_code, resolve, text, wording
from tftrain.config.data import DATASETS, SUFFIXES, Data, ends_in
from tftrain.config.schema import Config, Model, Training
from tftrain.config.text import Mapping, Scalar, Source
from tftrain.errors import ConfigError, Problem

# What stands in for what can't be read, so that the objects beside it are looked at all the same.
_STAND_INS: dict[str, dict[str, Any]] = {
    "model": {"layers": ["Identity"]},
    "training": {"loss": "mse", "epochs": 1},
}
_ENTRIES = {
    "layers": ("layer", "Identity"),
    "metrics": ("metric", "accuracy"),
    "weighted_metrics": ("metric", "accuracy"),
    "callbacks": ("callback", "TerminateOnNaN"),
}
_SINGLE = ("loss", "optimizer")
_Form = TypeVar("_Form", bound=BaseModel)


def load(
    path: Path, overrides: Sequence[str] = (), *, data_files: bool = False
) -> tuple[Config, Source]:
    """The config in force.

    Args:
        path: the YAML file; those that it extends are read with it.
        overrides: `PATH=VALUE` each; later ones win, and all of them beat the file.
        data_files: whether the data's files must be there.

    Returns:
        The config, and where each of its values was written.

    Raises:
        ConfigError: with everything that is wrong with it, in the order of the file and its bases.
    """
    chain = extends.read(path)
    return _load(path, chain, interpolate.fill(chain.root), overrides, data_files=data_files)


def recorded(
    path: Path, overrides: Sequence[str] = (), *, data_files: bool = False
) -> tuple[Config, Source]:
    """The config that a run, perhaps a stranger's, recorded: it stands alone.

    Args:
        path: `config.resolved.yaml`.
        overrides: as in `load`.
        data_files: as in `load`.

    Raises:
        ConfigError: as `load`; and where it extends another or asks for the environment.
        RunError: when it is no plain file that can be read.
    """
    chain = extends.alone(path, files.read(path))
    return _load(path, chain, interpolate.unescape(chain.root), overrides, data_files=data_files)


def _load(
    path: Path,
    chain: extends.Chain,
    unfilled: list[tuple[Scalar, Problem]],
    overrides: Sequence[str] = (),
    *,
    data_files: bool = False,
) -> tuple[Config, Source]:
    root, problems = chain.root, [*chain.problems]
    for one in overrides:
        resolve.collect(problems, partial(override.apply, root, one))
    _make_absolute(root)
    code, of_code = own_code.read(root)
    source = Source(chain.raw, root, code)
    values = {key: text.plain(node) for key, node in root.items.items()}
    try:
        config: Config | None = Config.model_validate({"name": _stem(path)} | values)
        found: list[Problem] = []
    except ValidationError as error:
        found = wording.problems(source, error)
        config = None
    found += of_code
    data, model = _alone(root, "data", Data), _alone(root, "model", Model)
    training = _alone(root, "training", Training)
    if chain.whole:
        found += [source.problem(*fault) for fault in checks.faults(data, training)]
    if data and data_files:
        found += [source.problem(*fault) for fault in checks.data_files(data)]
    of_objects = resolve.faults(
        model or _objects(source, root, "model", Model),
        training or _objects(source, root, "training", Training),
        source,
    )
    found += [one for one in of_objects if one.code != "K001" or not of_code]
    problems += _without_echoes(found, unfilled, root)
    if not chain.whole:
        problems = [one for one in problems if not _may_be_mended(one)]
    if config is None or problems:
        files_read = (*chain.files, *(one.mark.source for one in of_code))
        raise ConfigError(_in_order(problems, files_read, overrides))
    return config, source


def _may_be_mended(problem: Problem) -> bool:
    """Whether a base that can't be read may hold what is missed."""
    of_override = problem.mark.source.startswith("override ")
    return problem.code == "C011" or (of_override and problem.code != "C008")


def _without_echoes(
    found: list[Problem], unfilled: list[tuple[Scalar, Problem]], root: Mapping
) -> list[Problem]:
    """All faults, where one of the environment speaks for whatever is said of its value.

    A value that an override has taken the place of is no matter.
    """
    in_force = {id(node) for node in text.scalars(root)}
    first = [problem for node, problem in unfilled if id(node) in in_force]
    marks = {problem.mark for problem in first}
    return first + [problem for problem in found if problem.mark not in marks]


def _alone(root: Mapping, name: str, form: type[_Form]) -> _Form | None:
    """A section that is right in itself, but for keys that there are not."""
    node = root.items.get(name)
    values = None if node is None else text.plain(node)
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key in form.model_fields}
    try:
        return None if values is None else form.model_validate(values)
    except ValidationError:
        return None


def _objects(source: Source, root: Mapping, name: str, form: type[_Form]) -> _Form | None:
    """A section for the sake of the Keras objects in it: what can't be read is stood in for."""
    node = root.items.get(name)
    values = None if node is None else text.plain(node)
    if not isinstance(values, dict):
        return None
    known = {key: value for key, value in values.items() if key in form.model_fields}
    try:
        form.model_validate(known)
    except ValidationError as error:
        for detail in error.errors():
            if not wording.echoes(detail):
                _stand_in(known, name, detail["loc"], source)
    try:
        return form.model_validate(_STAND_INS[name] | known)
    except ValidationError:
        return None


def _stand_in(
    values: dict[str, Any], section: str, place: tuple[int | str, ...], source: Source
) -> None:
    """Takes out the value at fault; in a list of Keras objects another takes its place.

    Of an object with others beside it that one stays which is Keras's.
    """
    key, entry = str(place[0]), place[1] if len(place) > 1 else None
    held = values.get(key)
    if isinstance(held, list) and isinstance(entry, int) and key in _ENTRIES and entry < len(held):
        kind, other = _ENTRIES[key]
        held[entry] = _known_in(held[entry], kind, source) or other
    elif key in _SINGLE and (inner := _known_in(held, key, source)):
        values[key] = inner
    elif key not in _STAND_INS[section] or key in values:
        values.pop(key, None)


def _known_in(value: Any, kind: str, source: Source) -> dict[str, Any]:
    known = resolve.known(source)
    return resolve.known_in(known, value, [kind]) if isinstance(value, dict) else {}


def _stem(path: Path) -> str:
    """A run's name from the file's: what may not stand in one becomes `_`."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", path.stem).lstrip(".-")[:64] or "run"


def _make_absolute(root: Mapping) -> None:
    """Data files count from the folder of the file that names them; in overrides, from this one."""
    data = root.items.get("data")
    split = data.items.get("split") if isinstance(data, Mapping) else None
    for holder, keys in ((data, ("source",)), (split, ("validation", "test"))):
        if not isinstance(holder, Mapping):
            continue
        for key in keys:
            node = holder.items.get(key)
            written = list(node.items.values()) if isinstance(node, Mapping) else [node]
            for file in written:
                if not isinstance(file, Scalar) or file.value in ("", *DATASETS):
                    continue
                path = wording.folder_of(file.mark) / str(file.value)
                if ends_in(path.name, SUFFIXES) or _is_folder(str(file.value), path):
                    file.value = str(path.absolute())


def _is_folder(written: str, path: Path) -> bool:
    """Whether a folder is there, or may be where the training will be: `photos/`, `data/photos`."""
    return files.is_folder(path) or ("/" in written and not path.suffix and not path.exists())


def _in_order(
    problems: Iterable[Problem], chain: Sequence[str], overrides: Sequence[str]
) -> list[Problem]:
    """By place in the file, then in its bases, then by override; each once."""
    sources = [*chain, *(override.mark(one).source for one in overrides)]

    def place(problem: Problem) -> tuple[int, int, int]:
        mark = problem.mark
        return sources.index(mark.source), mark.line or 0, mark.column or 0

    return sorted(dict.fromkeys(problems), key=place)
