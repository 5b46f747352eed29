"""A plan in, its study out: what was tried, what comes next, what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna import Study, Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tftrain.config.ranges import Choice
from tftrain.errors import ConfigError, Mark, Problem, did_you_mean, listed
from tftrain.parameters import Parameter, points
from tftrain.sweep.plan import Plan

DEFINITION, CONFIG, TEXT = "definition", "config", "text"
SURPLUS, OUTCOME = "surplus", "outcome"
_STATES: Mapping[TrialState, str] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
    TrialState.FAIL: "failed",
}
_RETRIED = "failed_trial"  # which one it tries again, as Optuna notes it
_SHOWN = 3
_AT_RANDOM = 10  # trials, before TPE learns from them


@dataclass(frozen=True)
class Tried:
    """One set of values, with all attempts to train it.

    Args:
        number: of the set, from 0; further attempts at one whose worker died don't count.
        trial: the attempt that counts.
        attempts: Optuna's numbers of all of them.
    """

    number: int
    trial: FrozenTrial
    attempts: tuple[int, ...]

    @property
    def state(self) -> str:
        """`complete`, `pruned`, `failed`, `running` or `waiting`."""
        return _STATES[self.trial.state]

    @property
    def noted(self) -> Mapping[str, Any]:
        """`run`, `epochs`, `seconds` and `fault`, once it is over."""
        return self.trial.user_attrs.get(OUTCOME, {}) if self.over else {}

    @property
    def over(self) -> bool:
        """Whether no more is to come of it."""
        return self.trial.state.is_finished()


def begin(plan: Plan, storage: RDBStorage, *, resume: bool) -> Study:
    """The study of a plan: a new one, or the one that other processes, or this command, began.

    Args:
        plan: what is asked for.
        storage: where studies are kept.
        resume: whether it must be there.

    Raises:
        ConfigError: when it is another sweep's, or is to go on and isn't there.
    """
    if resume:
        load(storage, plan.study)
    sampler = _Seeded(plan)
    study = optuna.create_study(
        storage=storage,
        study_name=plan.study,
        direction="maximize" if plan.maximize else "minimize",
        sampler=sampler,
        pruner=_pruner(plan),
        load_if_exists=True,
    )
    sampler.study = study
    _require_ours(study)
    wanted = json.loads(json.dumps(plan.definition()))
    if DEFINITION not in study.user_attrs:
        study.set_user_attr(TEXT, plan.source.raw.decode("utf-8-sig"))
        study.set_user_attr(CONFIG, plan.resolved())
        study.set_user_attr(DEFINITION, wanted)
    _require_same(plan.study, study.user_attrs[DEFINITION], wanted)
    return study


def load(storage: RDBStorage, name: str) -> Study:
    """A study that is there.

    Raises:
        ConfigError: when it isn't.
    """
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        known = optuna.get_all_study_names(storage)
        near = did_you_mean(name, known) or (f"; there are {listed(known)}" if known else "")
        raise ConfigError(Problem(Mark(name), "C035", f"no study is called so{near}")) from None
    _require_ours(study)
    return study


def _require_ours(study: Study) -> None:
    """Refuses a study that another program has begun."""
    if DEFINITION not in study.user_attrs and study.get_trials(deepcopy=False):
        message = "is no study of `tftrain sweep`: take --study NAME"
        raise ConfigError(Problem(Mark(study.study_name), "C035", message))


def tried(study: Study) -> list[Tried]:
    """All that was tried, or is to be, in its order."""
    groups: dict[int, list[FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False):
        groups.setdefault(trial.system_attrs.get(_RETRIED, trial.number), []).append(trial)
    wanted = [
        attempts
        for _, attempts in sorted(groups.items())
        if not any(SURPLUS in one.user_attrs for one in attempts)
    ]
    return [
        Tried(number, _counting(attempts), tuple(one.number for one in attempts))
        for number, attempts in enumerate(wanted)
    ]


def place(study: Study, attempt: int) -> int:
    """The number of the set of values that one of Optuna's trials is an attempt at."""
    return next(one.number for one in tried(study) if attempt in one.attempts)


def learns(plan: Plan, number: int) -> bool:
    """Whether a trial's values depend on what came of those before it."""
    return plan.sampler == "tpe" and number >= _AT_RANDOM


def asked(study: Study, trial: Trial) -> int:
    """The number of the set of values of the trial that was asked for last."""
    sampler = study.sampler
    return sampler.number if isinstance(sampler, _Seeded) else place(study, trial.number)


def best(study: Study) -> Tried | None:
    """The complete trial with the best objective, of equals the first; None where there is none."""
    complete = [one for one in tried(study) if one.state == "complete"]
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    return min(complete, key=lambda one: sign * (one.trial.value or 0.0), default=None)


def importances(study: Study) -> dict[str, float]:
    """How much of the objective's differences each parameter explains, 0 to 1, by PED-ANOVA.

    Source: https://arxiv.org/abs/2304.10255
    """
    try:
        return optuna.importance.get_param_importances(study)
    except (ValueError, RuntimeError):  # too few trials, or all of them alike
        return {}


def distributions(plan: Plan) -> dict[str, BaseDistribution]:
    """What is tried, as Optuna has it."""
    return {one.path: _distribution(one) for one in plan.parameters}


def _distribution(parameter: Parameter) -> BaseDistribution:
    values = parameter.values
    if isinstance(values, Choice):
        return CategoricalDistribution(values.options)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), values.log, values.step)
    return FloatDistribution(values.low, values.high, values.log)


def _counting(attempts: list[FrozenTrial]) -> FrozenTrial:
    """The attempt that speaks for all: one that ended well, else one that may, else the last."""
    order = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING)
    for state in order:
        found = [one for one in attempts if one.state == state]
        if found:
            return found[0]
    return attempts[-1]


def _require_same(name: str, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuses to mix trials of two different sweeps."""
    changed = [
        f"{key}: {begun.get(key)}, now {wanted.get(key)}"
        for key in dict.fromkeys([*begun, *wanted])
        if begun.get(key) != wanted.get(key)
    ]
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        message = f"began as another sweep: {listed(changed[:_SHOWN])}{more}; or take --study NAME"
        raise ConfigError(Problem(Mark(name), "C035", message))


def _pruner(plan: Plan) -> BasePruner:
    epochs = plan.settings.training.epochs
    if plan.pruner == "median":
        return MedianPruner(n_warmup_steps=epochs // 10)
    if plan.pruner == "hyperband":
        return HyperbandPruner(max_resource=epochs)
    return NopPruner()


class _Seeded(BaseSampler):
    """Gives each trial random numbers of its own, by the seed and the trial's place.

    So a study that was stopped goes on as it would have, and two processes never draw the same.
    """

    def __init__(self, plan: Plan) -> None:
        self.study: Study | None = None
        self.number = 0
        self._places: dict[int, int] = {}
        self._plan = plan
        self._inner: BaseSampler = RandomSampler(0)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.number = self._place(self.study or study, trial)
        self._inner = _sampler(self._plan, self.number)
        self._inner.before_trial(study, trial)

    def _place(self, study: Study, trial: FrozenTrial) -> int:
        """As `place`; where this process asked for the trial before too, without reading all."""
        if trial.number - 1 in self._places and _RETRIED not in trial.system_attrs:
            self._places[trial.number] = max(self._places.values()) + 1
        else:
            self._places = {each: one.number for one in tried(study) for each in one.attempts}
        return self._places[trial.number]

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        return self._inner.sample_independent(study, trial, param_name, param_distribution)


def _sampler(plan: Plan, number: int) -> BaseSampler:
    if plan.sampler == "grid":
        return _Point(plan, number)
    seeded = hashlib.sha256(f"{plan.settings.seed}/{number}".encode()).digest()
    seed = int.from_bytes(seeded[:4])
    if plan.sampler == "tpe":
        return TPESampler(seed=seed, n_startup_trials=_AT_RANDOM)
    return RandomSampler(seed)


class _Point(RandomSampler):
    """One combination of a grid.

    Optuna's GridSampler goes by the trials' numbers, which retries use up too (optuna#2993), and
    two workers at once may take the same combination.
    """

    def __init__(self, plan: Plan, number: int) -> None:
        super().__init__(0)
        self._values: dict[str, Any] = {}
        for parameter in reversed(plan.parameters):
            every = points(parameter.values)
            number, here = divmod(number, len(every))
            self._values[parameter.path] = every[here]

    def sample_independent(
        self,
        study: Study,  # noqa: ARG002 - the signature is Optuna's
        trial: FrozenTrial,  # noqa: ARG002 - as above
        param_name: str,
        param_distribution: BaseDistribution,  # noqa: ARG002 - as above
    ) -> Any:
        """The parameter's value in this combination."""
        return self._values[param_name]
