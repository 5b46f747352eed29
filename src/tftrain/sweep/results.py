"""A study in, what came of it out: a table, plain values."""

from __future__ import annotations

from typing import Any

from optuna import Study

from tftrain.errors import one_line
from tftrain.sweep import study as studies
from tftrain.sweep.study import Tried
from tftrain.terminal import number, table

_WIDEST = 60


def plain(study: Study, objective: str) -> dict[str, Any]:
    """All that is known of a study, for programs."""
    best = studies.best(study)
    return {
        "study": study.study_name,
        "objective": objective,
        "direction": "max" if study.direction.name == "MAXIMIZE" else "min",
        "best": best and _plain(best),
        "trials": [_plain(one) for one in studies.tried(study)],
        "importance": studies.importances(study),
    }


def text(study: Study, objective: str) -> str:
    """A row a trial, the best first; then how much each parameter matters."""
    every = studies.tried(study)
    paths = list(dict.fromkeys(path for one in every for path in one.trial.params))
    names = _short(paths)
    header = ["trial", "state", objective, *(names[path] for path in paths), "epochs", "run"]
    sign = -1 if study.direction.name == "MAXIMIZE" else 1
    ranked = sorted(every, key=lambda one: _rank(one, sign))
    parts = [table(header, [_row(one, paths) for one in ranked])]
    if found := studies.importances(study):
        rows = [[names[path], f"{share:.2f}"] for path, share in found.items()]
        parts.append(table(["parameter", "importance"], rows))
    return "\n\n".join(parts)


def described(params: dict[str, Any]) -> str:
    """A trial's values in a line."""
    names = _short(list(params))
    return "  ".join(f"{names[path]} {shown(value)}" for path, value in params.items())


def shown(value: object) -> str:
    """A value in a table: a number as short as it can be told from its neighbours."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = one_line(str(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _row(one: Tried, paths: list[str]) -> list[str]:
    noted, params = one.noted, one.trial.params
    values = [shown(params[path]) if path in params else "-" for path in paths]
    value = one.trial.value if one.over else None
    epochs, run = str(noted.get("epochs", "-")), noted.get("run") or "-"
    return [str(one.number), one.state, number(value), *values, epochs, run]


def _plain(one: Tried) -> dict[str, Any]:
    return {
        "trial": one.number,
        "state": one.state,
        "value": one.trial.value,
        "parameters": dict(one.trial.params),
        "attempts": len(one.attempts),
        **{name: one.noted.get(name) for name in ("run", "epochs", "seconds", "fault")},
    }


def _rank(one: Tried, sign: int) -> tuple[int, float, int]:
    states = ("complete", "pruned", "failed", "running", "waiting")
    value = one.trial.value
    return states.index(one.state), sign * value if value is not None else 0.0, one.number


def _short(paths: list[str]) -> dict[str, str]:
    """By each path its last part, with as many before it as make it one of a kind."""
    names = {}
    for path in paths:
        parts = path.split(".")
        for size in range(1, len(parts) + 1):
            name = ".".join(parts[-size:])
            if sum(f".{other}".endswith(f".{name}") for other in paths) == 1:
                break
        names[path] = name
    return names
