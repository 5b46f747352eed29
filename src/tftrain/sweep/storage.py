"""What `--storage` says in, Optuna's storage out, quiet, and no password in any message."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tftrain import environment
from tftrain.errors import ConfigError, Mark, Problem, StorageError, did_you_mean, first_line

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import Engine

FILE = "sweeps.sqlite3"
HEARTBEAT_SECONDS = 60
GRACE = 5  # heartbeats that may be missed; a machine that is busy or suspended misses some
_RETRIES = 3  # of a trial whose worker died; it may be what kills them
_LOCK_SECONDS = 60
_PAUSE_SECONDS = 0.5
_SCHEME = re.compile(r"([A-Za-z][\w+.-]*):")
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_KNOWN = ("sqlite", "postgresql", "mysql")
_NO_HEARTBEAT = "knows no heartbeats: a trial whose worker is killed would stay running for ever"
_SUFFIXES = (".log", ".journal", ".jsonl")


@dataclass(frozen=True)
class Where:
    """Where studies are kept.

    Args:
        url: SQLAlchemy's, which may hold a password.
        shown: the same for people, without one.
        file: of sqlite, None for a server.
    """

    url: str
    shown: str
    file: Path | None = None


def where(written: str | None, runs_dir: Path) -> Where:
    """Where studies are kept.

    Args:
        written: a file, or a database's URL; None for a file beside the runs.
        runs_dir: where runs are.

    Raises:
        ConfigError: for what Optuna can't keep the trials of several processes in.
    """
    scheme = _SCHEME.match(written or "")
    if written is None or scheme is None or len(scheme[1]) == 1:  # a drive of Windows
        return _file(Path(written) if written else runs_dir / FILE)
    shown = environment.without_passwords(written)
    kind, _, rest = written.partition(":")
    dialect = kind.partition("+")[0]
    if dialect in ("journal", "grpc", "redis") or "grpc" in dialect:
        raise _refused(shown, f"{dialect} {_NO_HEARTBEAT}; expected a sqlite file or a database")
    if dialect not in (*_KNOWN, *_DRIVERS):
        near = did_you_mean(dialect, _KNOWN) or "; expected a file, sqlite, postgresql or mysql"
        raise _refused(shown, f"no database is called `{dialect}`{near}")
    if dialect == "sqlite":
        path = rest.removeprefix("///")
        if not rest.startswith("///") or not path or path.startswith(":"):
            raise _refused(shown, "expected a file: sqlite:///studies.sqlite3")
        return _file(Path(path))
    return Where(f"{_DRIVERS.get(kind, kind)}:{rest}", shown)


def _file(path: Path) -> Where:
    if path.suffix in _SUFFIXES:
        raise _refused(str(path), f"a journal file {_NO_HEARTBEAT}; take {FILE} or the like")
    if path.is_dir():
        raise _refused(str(path), f"is a folder; expected a file, such as {path / FILE}")
    return Where(f"sqlite:///{path.absolute()}", str(path), path)


def require_optuna() -> None:
    """Sees that Optuna is there.

    Raises:
        ConfigError: with how to install it.
    """
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        message = "needs Optuna, which is not installed: pip install 'tftrain[sweep]'"
        raise ConfigError(Problem(Mark("tftrain sweep"), "C036", message))


@contextmanager
def quiet() -> Iterator[None]:
    """In here Optuna says nothing of its own."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def connect(place: Where, heartbeat: int, *, make: bool = True, attempts: int = 5) -> RDBStorage:
    """Optuna's storage at a place.

    Args:
        place: from `where`.
        heartbeat: seconds from one sign of life of a worker to the next.
        make: whether a file, or tables, that aren't there are made.
        attempts: how often it is tried again where another process makes its tables just now.

    Raises:
        ConfigError: when it can't be opened.
    """
    if place.file is not None and not place.file.exists():
        if not make:
            raise _refused(place.shown, "no such file: no sweep was begun there")
        place.file.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _opened(place, heartbeat, make=make)
    except ImportError:
        driver = "'psycopg[binary]'" if "psycopg" in place.url else "its driver"
        message = f"needs a package that is not installed: pip install {driver}"
        raise _refused(place.shown, message, "C036") from None
    except Exception as error:  # noqa: BLE001 - each driver raises its own
        if not attempts or not _may_be_others(place, error):
            raise _refused(place.shown, f"can't be used: {_said(error)}") from None
    time.sleep(_PAUSE_SECONDS)
    return connect(place, heartbeat, make=make, attempts=attempts - 1)


def _opened(place: Where, heartbeat: int, *, make: bool) -> RDBStorage:
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    options: dict[str, Any] = {"pool_pre_ping": True}
    if place.file is not None:
        options = {"connect_args": {"timeout": _LOCK_SECONDS}}
    made = RDBStorage(
        place.url,
        engine_kwargs=options,
        heartbeat_interval=heartbeat,
        grace_period=GRACE * heartbeat,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES),
        skip_table_creation=not make,
    )
    if place.file is not None:
        _quicken(made.engine)
    return made


def _quicken(engine: Engine) -> None:
    """Lets sqlite write a log that it need not wait for: a kill loses nothing of it."""
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def begin(connection: Any, _record: Any) -> None:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")

    engine.dispose()  # the connections from before


def _may_be_others(place: Where, error: Exception) -> bool:
    """Whether a fault may only tell that another process makes the same tables just now."""
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    kinds = (IntegrityError, ProgrammingError, *([OperationalError] if place.file else []))
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)


@contextmanager
def told(place: Where) -> Iterator[None]:
    """A database that fails under a sweep, as one line.

    Raises:
        StorageError: then.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        message = f"the study's storage failed: {_said(error)}"
        raise StorageError(Problem(Mark(place.shown), "C034", message)) from None


def _said(error: BaseException) -> str:
    """What the database's own driver says, at the bottom of what the others make of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None) or error
    return environment.without_passwords(first_line(original))


def _refused(shown: str, message: str, code: str = "C034") -> ConfigError:
    return ConfigError(Problem(Mark(f"--storage '{shown}'"), code, message))
