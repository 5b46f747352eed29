"""A config's own Python files in, what they register in Keras's registry out.

The one place where code that isn't tftrain's is executed: with the user's leave, and the very bytes
that were checked.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import linecache
import sys
import traceback
import warnings
from contextlib import redirect_stdout
from importlib.abc import Loader
from types import ModuleType

from tftrain.backend import keras
from tftrain.config import Code, Source, permit
from tftrain.errors import ConfigError, Mark, Problem, Stopped, first_line


class _Loader(Loader):
    """Makes a module of bytes that were read before."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def exec_module(self, module: ModuleType) -> None:
        text = self.code.text
        compiled = compile(text, str(self.code.path), "exec", dont_inherit=True)
        exec(compiled, vars(module))  # noqa: S102 - what the user allowed


def run(source: Source) -> None:
    """Runs the files that a config names, in their order.

    Args:
        source: the config's; `permit` has given it leave.

    Raises:
        ConfigError: when there is no leave, or a file raises.
    """
    permit(source, allowed=source.code_allowed)
    for code in source.code:
        _run(code)


def words(error: BaseException, source: Source) -> str:
    """What an exception says; of one that the config's own code led to, also the line of that."""
    files = {str(code.path): code.shown for code in source.code}
    frames = traceback.extract_tb(error.__traceback__)
    places = [f" ({files[one.filename]}:{one.lineno})" for one in frames if one.filename in files]
    return first_line(error) + (places[-1] if places else "")


def _run(code: Code) -> None:
    name = f"tftrain_code_{hashlib.sha256(code.content).hexdigest()[:16]}"
    file = str(code.path)
    loader = _Loader(code)
    spec = importlib.machinery.ModuleSpec(name, loader, origin=file)
    spec.has_location = True  # its `__file__` is the origin
    module = importlib.util.module_from_spec(spec)
    # Whoever shows a line of it takes it from here: the file may have changed since.
    linecache.cache[file] = (len(code.content), None, code.text.splitlines(True), file)
    sys.modules[name] = module
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader.exec_module(module)
    except Stopped:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - they raise what they like
        del sys.modules[name]
        raise ConfigError(_fault(code, error)) from None
    for _, entry in code.objects:
        if keras.saving.get_registered_object(entry.registered) is None:
            message = f"didn't register `{entry.name}` as it ran"
            raise ConfigError(Problem(Mark(code.shown, 1), "C053", message))


def _fault(code: Code, error: BaseException) -> Problem:
    """What a file raised, at the line of it that led there."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(code.path)]
    kind, words = type(error).__name__, first_line(error)
    message = f"failed as it ran: {kind if words == kind else f'{kind}: {words}'}"
    return Problem(Mark(code.shown, lines[-1] if lines else 1), "C053", message)
