"""A run that did not finish in, what it is asked for out, with the place to go on from."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tftrain import checkpoint, config, copies, files, runs
from tftrain import prepare as preparing
from tftrain.checkpoint import Checkpoint
from tftrain.config import Config, Source
from tftrain.errors import ConfigError, Mark, Problem, RunError, counted, listed
from tftrain.prepare import Asked
from tftrain.runs import Run

_SHOWN = 3
_AFTERWARDS = {runs.METRICS, runs.CHECKPOINT, runs.WEIGHTS, runs.MODEL}  # written after a summary


def prepare(
    path: Path | None,
    overrides: Sequence[str] = (),
    *,
    name: str | None,
    runs_dir: Path,
    require: Sequence[str] = (),
    allow_code: bool = False,
    meanwhile: Callable[[], object] | None = None,
) -> Asked:
    """Finds a run and sees that it can be gone on with, without TensorFlow.

    Args:
        path: the YAML file; None for the run's own config.
        overrides: `PATH=VALUE` each: more epochs, another rhythm of checkpoints.
        name: a run's directory or name; None for the newest unfinished one of this config.
        runs_dir: where runs are.
        require: `METRIC>=X` each.
        allow_code: whether the run's copies of Python files may run.
        meanwhile: as `tftrain.prepare.prepare` has it.

    Raises:
        ConfigError, DataError: with every fault of the config, or else of the data.
        RunError: when there is no such run, another process writes it, it is over, damaged, or of
            another config or other data.
    """
    folder = _newest(path, overrides, runs_dir) if name is None else _named(runs_dir, name)
    _summary(folder)  # no lock for what is no run
    run = runs.reopen(folder)
    try:
        run.summary = _summary(folder)
        _require_no_links(run)
        recorded = _recorded(run, allow_code=allow_code)
        source, load = _config_of(run, path)
        kept = _checkpoint(run, recorded)
        asked = load(source, overrides)[0]
        _require_fit(run, recorded, kept, asked)
        found = preparing.prepare(
            source,
            overrides,
            load=load,
            runs_dir=folder.parent,
            require=require,
            allow_code=allow_code,
            threads=recorded.training.threads if recorded else None,
            meanwhile=meanwhile,
        )
        _require_same(run, found)
    except BaseException:
        run.release()
        raise
    remarks = tuple(_remarks(recorded, kept, asked)) if recorded else ()
    return replace(found, run=run, checkpoint=kept, remarks=remarks)


def _named(runs_dir: Path, name: str) -> Path:
    """The run that is meant, or what to write instead where a file is named."""
    path = Path(name)
    if os.path.isfile(name) and not files.is_folder(runs_dir / name):  # noqa: PTH113 - which never raises
        message = f"is a file: `tftrain fit {runs.quoted(path)} --resume`"
        if os.path.lexists(path.with_name(runs.SUMMARY)):
            message = f"is a file of a run: `--resume {runs.quoted(path.parent)}`"
        raise RunError(Problem(Mark(name), "R001", message))
    return runs.named(runs_dir, name)


def _newest(path: Path | None, overrides: Sequence[str], runs_dir: Path) -> Path:
    """The newest run of a config that is not finished: of these data rather, and nobody's now."""
    if path is None:
        message = "expected a CONFIG, or a run: `--resume RUN`"
        raise RunError(Problem(Mark("--resume"), "R004", message))
    wanted = config.load(path, overrides)[0]
    found: list[tuple[bool, bool, Path]] = []
    for folder, summary in runs.summaries(runs_dir):
        if summary.get("state") != runs.FINISHED and not summary.get("smoke"):
            with contextlib.suppress(ConfigError, RunError):
                recorded = config.recorded(folder / runs.RESOLVED)[0]
                if not any(_differences(recorded, wanted)):
                    moved = recorded.data.source != wanted.data.source
                    found.append((moved, summary.get("state") == runs.RUNNING, folder))
    if not found:
        message = "no unfinished run of this config here; `tftrain fit` without --resume begins one"
        raise RunError(Problem(Mark(str(runs_dir)), "R001", message))
    return min(found, key=lambda one: one[:2])[2]


def _require_no_links(run: Run) -> None:
    """Refuses a run through which callbacks could write where a stranger wants them to."""
    for path in sorted(run.folder.rglob("*")):
        if path.is_symlink():
            raise RunError(Problem(Mark(str(path)), "R003", runs.LINKED))


def _summary(folder: Path) -> dict[str, Any]:
    """The run's summary; of a run that was killed before it wrote one, nothing."""
    with contextlib.suppress(OSError):
        names = {*os.listdir(folder)}  # noqa: PTH208 - names are all that is wanted
        if runs.SUMMARY not in names and names & _AFTERWARDS:
            raise _damaged(folder, runs.SUMMARY)
        if runs.SUMMARY not in names and (runs.LOCK in names or not names):
            return {}
    return runs.summary_of(folder)


def _recorded(run: Run, *, allow_code: bool) -> Config | None:
    """The config in force so far; None where the run was killed before it was described."""
    return copies.load(run.folder, run.summary, allowed=allow_code)[0] if run.summary else None


def _config_of(run: Run, path: Path | None) -> tuple[Path, Callable[..., tuple[Config, Source]]]:
    """The config to go on with, and how it is read: the one that is given, or the run's own."""
    own = run.folder / runs.RESOLVED
    if path is None and not own.exists():
        message = "killed before it had its config: `tftrain fit CONFIG --resume RUN`"
        raise _refused(run, message)
    return (own, config.recorded) if path is None else (path, config.load)


def _require_fit(run: Run, recorded: Config | None, kept: Checkpoint | None, asked: Config) -> None:
    """Refuses what would make the epochs so far those of another training, or too few or many."""
    found = list(_differences(recorded, asked)) if recorded else []
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise _refused(run, f"began with another config: {listed(found[:_SHOWN])}{more}")
    if run.summary.get("smoke"):
        raise _refused(run, "a smoke run is not for going on with")
    if kept:
        _require_more(run, kept, asked.training.epochs)


def _require_same(run: Run, found: Asked) -> None:
    """Refuses other code and other rows under the same names."""
    if run.summary and not copies.are_of(found.source.code, run.summary):
        raise _refused(run, "began with other code: `code` names files that have changed")
    now = found.splits.fingerprint
    if run.summary.get("fingerprint", now) != now:
        raise _refused(run, "the data have changed since this run began", "D008")


def _differences(recorded: Config, asked: Config) -> Iterator[str]:
    """`training.batch_size: 32, now 16` for each value that may not change."""
    for path, old, new in _changed(recorded, asked):
        if not checkpoint.is_free(path):
            yield f"{path}: {old}, now {new}"


def _remarks(recorded: Config, kept: Checkpoint | None, asked: Config) -> Iterator[str]:
    """What nobody may have meant: values that are free to change and did, epochs that are lost."""
    for path, old, new in _changed(recorded, asked):
        if checkpoint.is_free(path) and not path.startswith("code"):  # whose bytes are compared
            yield f"{path}: {old} before, {new} now"
    if kept is None:
        yield "it ended before its first checkpoint: it begins again with epoch 1"


def _changed(recorded: Config, asked: Config) -> Iterator[tuple[str, object, object]]:
    """The path of each value that is another, as it was and as it is."""
    before, now = config.plain(recorded), config.plain(asked)
    for path in sorted({*before, *now}):
        old, new = before.get(path), now.get(path)
        if old != new and not (path == "training.threads" and new is None):
            yield path, old, new


def _checkpoint(run: Run, recorded: Config | None) -> Checkpoint | None:
    path = run.folder / runs.CHECKPOINT
    if recorded is None:
        return None
    if not os.path.lexists(path):
        weights = run.folder / runs.WEIGHTS
        had_one = run.summary.get("state") != runs.RUNNING or os.path.lexists(weights)
        if had_one and run.summary.get("resumable", True):  # where the storage failed there is none
            raise _damaged(run.folder, runs.CHECKPOINT)
        return None
    kept = checkpoint.read(path)
    if kept.config != checkpoint.digest(recorded):
        message = f"damaged: of another config than {runs.RESOLVED}"
        raise RunError(Problem(Mark(str(path)), "R002", message))
    return kept


def _require_more(run: Run, kept: Checkpoint, epochs: int) -> None:
    """Refuses a run that has nothing left to do."""
    done, state = kept.state.epoch, kept.state
    finished = run.summary.get("state") == runs.FINISHED
    if epochs < done:
        raise _refused(run, f"{counted(done, 'epoch')} are done, only {epochs} asked for")
    if finished and state.ended:
        raise _refused(run, f"finished: a callback ended the training after epoch {done}")
    if finished and epochs == done:
        message = f"finished after epoch {done}; `training.epochs={2 * done}` asks for more"
        raise _refused(run, message)


def _damaged(folder: Path, missing: str) -> RunError:
    return RunError(Problem(Mark(str(folder)), "R002", f"damaged: it has no {missing}"))


def _refused(run: Run, message: str, code: str = "R004") -> RunError:
    return RunError(Problem(Mark(str(run.folder)), code, message))
