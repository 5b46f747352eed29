"""The configs that come with tftrain: listed, and written out for a user to change."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tftrain import files
from tftrain.errors import Mark, Problem, RunError, TftrainError, did_you_mean, listed

SUFFIXES = (".yaml", ".yml")
_PACKAGED = Path(__file__).with_name("templates")
_CHECKED_OUT = Path(__file__).parents[2] / "configs"
_COMMAND = re.compile(r"^(#\s+tftrain fit )configs/\w+\.yaml", re.MULTILINE)
_OTHER = re.compile(r"\bconfigs/(\w+)\.yaml")
_NAME = re.compile(r"^name: .*\n", re.MULTILINE)


def templates() -> list[tuple[str, str]]:
    """Every template's name, and the sentence that says what it is for."""
    return [(name, _purpose(path)) for name, path in _paths().items()]


def write(name: str, path: str | Path) -> Path:
    """Writes a template as a config of the user's own.

    Args:
        name: one of `templates()`.
        path: the file to write, or a folder for `NAME.yaml` in it.

    Returns:
        The file. The commands in its comments name it, and its runs are named after it.

    Raises:
        TftrainError: when there is no such template.
        RunError: when there is such a file already, or it can't be written.
    """
    file = inside(path, name)
    known = _paths()
    if name not in known:
        near = did_you_mean(name, known) or f"; there are {listed(known)}"
        raise TftrainError(Problem(Mark(name), "C031", f"no template is called so{near}"))
    require_new(file)
    return create(file, _personal(known[name].read_text("utf-8"), file))


def origin(text: str) -> tuple[str, Path] | None:
    """The template that a config began as, by the sentence at its head; None for any other.

    Returns:
        Its name and its file.
    """
    head = text.partition("\n")[0]
    return next(
        ((name, path) for name, path in _paths().items() if head == f"# {_purpose(path)}"), None
    )


def require_new(path: Path) -> None:
    """Sees that a config can be written there, and over none.

    Raises:
        RunError: when it can't.
    """
    with _told(path):
        if not str(path).isprintable():
            raise _refusal(path, "expected a path of printable characters")
        if path.exists() or path.is_symlink():
            raise _refusal(path, "is there already: give another path, or remove it first")
        if not path.parent.is_dir():
            raise _refusal(path, f"no folder `{path.parent}`: make it first")
        files.require_writable(path, SUFFIXES)


def create(path: Path, text: str) -> Path:
    """Writes a config, never over a file.

    Raises:
        RunError: when it can't be written.
    """
    with _told(path), path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return path


def inside(path: str | Path, name: str) -> Path:
    """The file that is meant: a folder stands for `NAME.yaml` in it.

    Raises:
        RunError: when nothing is given.
    """
    if path == "":  # which a Path takes for the folder one is in
        raise RunError(Problem(Mark("PATH"), "R003", "expected a file or a folder, got nothing"))
    path = Path(path)
    with _told(path):
        return path / f"{name}.yaml" if path.is_dir() else path


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Whatever the system refuses, as one line."""
    try:
        yield
    except OSError as error:
        raise _refusal(path, f"can't be written: {error.strerror or error}") from None


def _paths() -> dict[str, Path]:
    """The templates' files by name: part of the package, or of the checkout that it lies in."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _CHECKED_OUT
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _purpose(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ")


def _personal(text: str, path: Path) -> str:
    """A template's text with the new file's path in its commands, and without a name of its own."""
    command = shlex.quote(path.as_posix())
    text = _COMMAND.sub(lambda found: found[1] + command, text)
    text = _OTHER.sub(r"the template \1", text)
    return _NAME.sub("", text, count=1)  # without one, a config is called as its file


def _refusal(path: Path, message: str) -> RunError:
    return RunError(Problem(Mark(str(path)), "R003", message))
