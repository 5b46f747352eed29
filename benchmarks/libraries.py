"""Searches of other libraries against tftrain's: python benchmarks/libraries.py.

The network of the digits 0 and 1 as a row of 2,031 numbers, 64 of them a generation, as many
measurements each. A library that hands over whole generations has them measured in one graph call,
as tftrain's are; another one network a call. What isn't installed is left out: none of them is a
dependency of tftrain. Take a Python that has tftrain, and `pip install` those that you want:
deap, pymoo, pygad, cma, nevergrad, scipy, simanneal.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measure import ROOT, in_turns, machine, rounds_option, spread

from tftrain import backend, evaluate, model, training
from tftrain.prepare import prepare
from tftrain.training import Job, order_of

POPULATION, ELITE, GENERATIONS, MUTATION = 64, 8, 200, 0.05
STEPS, STEP, RATE, HOT, COOLING = 6000, 0.1, 0.1, 0.05, 0.999
MEASURED = POPULATION + GENERATIONS * (POPULATION - ELITE)
BOUND = 3.0  # of a weight, for libraries that want one
Rows = Any  # networks, one a row


class Task:
    """The digits and their network."""

    def __init__(self, config: str, seed: int) -> None:
        path, overrides = ROOT / "configs" / f"{config}.yaml", [f"seed={seed}"]
        asked = prepare(path, overrides, runs_dir=Path(tempfile.gettempdir()))
        backend.start(seed, 1)
        self.splits = asked.splits
        self.network = model.build(asked.config, asked.source, asked.splits.form)
        engine = evaluate.engine_of(self.network, asked.config, len(asked.splits.train))
        training.trace(engine, asked.splits.weighted, seed)
        self.job = Job(
            engine=engine,
            training=asked.config.training,
            train=asked.splits.weighted,
            validation=asked.splits.validation,
            seed=seed,
            callbacks=[],
            say=print,
        )
        self.seed = seed
        self.first = np.concatenate([one.ravel() for one in self.network.get_weights()])
        self.spread = np.concatenate(
            [np.full(one.size, one.std()) for one in self.network.get_weights()]
        )
        self.random = np.random.default_rng(seed)
        data = engine.rows(asked.splits.weighted)
        some = backend.tf.TensorSpec([POPULATION, len(self.first)], backend.tf.float32)
        one = backend.tf.TensorSpec([1, len(self.first)], backend.tf.float32)
        measured = backend.tf.function(lambda rows: self.job.search.losses(rows, data))
        self._one = measured.get_concrete_function(one)
        self._some = measured.get_concrete_function(some)

    def generation(self, rows: Rows) -> Any:
        """What networks are worth, at most 64 of them."""
        rows = np.asarray(rows, "float32")
        more = np.repeat(rows[:1], POPULATION - len(rows), 0)
        worth = self._some(backend.tf.constant(np.concatenate([rows, more]))).numpy()
        return worth[: len(rows)].astype("float64")

    def one(self, row: Rows) -> float:
        """What a network is worth."""
        row = np.asarray(row, "float32")[None]
        return float(self._one(backend.tf.constant(row)).numpy()[0])

    def begun(self) -> Rows:
        """The first networks: that of the config, the others around it."""
        shape = (POPULATION - 1, len(self.first))
        around = self.first + self.spread * self.random.normal(size=shape)
        return np.concatenate([self.first[None], around])

    def accuracy(self, row: Rows) -> float:
        """The share of test rows that a network has right."""
        shapes = [one.shape for one in self.network.get_weights()]
        parts = np.split(np.asarray(row), np.cumsum([np.prod(one) for one in shapes])[:-1])
        pairs = zip(parts, shapes, strict=True)
        self.network.set_weights([part.reshape(shape) for part, shape in pairs])
        return float(self.job.engine.evaluate(self.splits.test)["accuracy"])


def tftrain(task: Task) -> Rows:
    search = task.job.search
    for epoch in range(task.job.training.epochs):
        search.epoch(order_of(task.seed, epoch, len(task.splits.train)))
    return np.concatenate([one.ravel() for one in task.network.get_weights()])


def deap(task: Task) -> Rows:
    from deap import algorithms, base, creator, tools

    if not hasattr(creator, "Least"):
        creator.create("Least", base.Fitness, weights=(-1.0,))
        creator.create("Network", list, fitness=creator.Least)
    random.seed(task.seed)
    tools_ = base.Toolbox()
    tools_.register("select", tools.selTournament, tournsize=2)
    tools_.register("mate", tools.cxUniform, indpb=0.5)
    tools_.register("mutate", tools.mutGaussian, mu=0, sigma=MUTATION, indpb=1)
    found = [creator.Network(row.tolist()) for row in task.begun()]

    def measure(networks: list[Any]) -> None:
        for network, worth in zip(networks, task.generation(networks), strict=True):
            network.fitness.values = (worth,)

    measure(found)
    for _ in range(GENERATIONS):
        parents = tools_.select(found, POPULATION - ELITE)
        children = algorithms.varAnd(parents, tools_, cxpb=1, mutpb=1)
        measure(children)
        found = tools.selBest(found, ELITE) + children
    return tools.selBest(found, 1)[0]


def pymoo(task: Task) -> Rows:
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.operators.mutation.gauss import GaussianMutation
    from pymoo.optimize import minimize

    class Networks(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=len(task.first), n_obj=1, xl=-BOUND, xu=BOUND)

        def _evaluate(self, x: Rows, out: dict[str, Any], *_: Any, **__: Any) -> None:
            out["F"] = task.generation(x)[:, None]

    algorithm = GA(
        pop_size=POPULATION,
        n_offsprings=POPULATION - ELITE,
        sampling=task.begun(),
        crossover=UniformCrossover(),
        mutation=GaussianMutation(sigma=MUTATION / (2 * BOUND), prob=1, prob_var=1),
        eliminate_duplicates=False,
    )
    return minimize(Networks(), algorithm, ("n_gen", GENERATIONS + 1), seed=task.seed).X


def pygad(task: Task) -> Rows:
    from pygad import GA

    search = GA(
        num_generations=GENERATIONS,
        num_parents_mating=POPULATION // 2,
        initial_population=task.begun(),
        fitness_func=lambda _search, rows, _places: (-task.generation(rows)).tolist(),
        fitness_batch_size=POPULATION,
        parent_selection_type="tournament",
        K_tournament=2,
        keep_elitism=ELITE,
        crossover_type="uniform",
        mutation_type="random",
        mutation_probability=1.0,
        random_mutation_min_val=-MUTATION * 3**0.5,
        random_mutation_max_val=MUTATION * 3**0.5,
        random_seed=task.seed,
        suppress_warnings=True,
    )
    search.run()
    return search.best_solution(search.last_generation_fitness)[0]


def cma(task: Task) -> Rows:
    from cma import CMAEvolutionStrategy

    options = {"popsize": POPULATION, "CMA_diagonal": True, "verbose": -9, "seed": task.seed + 1}
    search = CMAEvolutionStrategy(task.first, STEP, options)
    for _ in range(MEASURED // POPULATION):
        asked = search.ask()
        search.tell(asked, task.generation(asked))
    return search.result.xbest


def nevergrad(task: Task) -> Rows:
    from nevergrad import optimizers, p

    start = p.Array(init=task.first).set_mutation(sigma=STEP)
    start.random_state.seed(task.seed)
    search = optimizers.registry["TwoPointsDE"](start, budget=MEASURED, num_workers=POPULATION)
    for _ in range(MEASURED // POPULATION):
        asked = [search.ask() for _ in range(POPULATION)]
        worths = task.generation([one.value for one in asked])
        for one, worth in zip(asked, worths, strict=True):
            search.tell(one, worth)
    return search.provide_recommendation().value


def dual_annealing(task: Task) -> Rows:
    from scipy import optimize

    bounds = [(-BOUND, BOUND)] * len(task.first)
    found = optimize.dual_annealing(
        task.one, bounds, x0=task.first, maxfun=STEPS, no_local_search=True, seed=task.seed
    )
    return found.x


def simanneal(task: Task) -> Rows:
    from simanneal import Annealer

    class Annealing(Annealer):
        copy_strategy = "slice"
        steps, updates, Tmax, Tmin = STEPS, 0, HOT, HOT * COOLING**STEPS

        def move(self) -> None:
            changed = task.random.random(len(self.state)) < RATE
            self.state = self.state + changed * task.random.normal(0, STEP, len(self.state))

        def energy(self) -> float:
            return task.one(self.state)

    random.seed(task.seed)
    return Annealing(task.first).anneal()[0]


GENETIC = (tftrain, deap, pymoo, pygad, cma, nevergrad)
ANNEALING = (tftrain, dual_annealing, simanneal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="LIBRARY", help="which; all if none is named")
    rounds_option(parser, 3)
    asked = parser.parse_args()
    machine()
    for config, searches in (("digits_genetic", GENETIC), ("digits_annealing", ANNEALING)):
        print(f"{config}:")
        named = [one for one in searches if not asked.names or one.__name__ in asked.names]
        sides = {one.__name__: Side(one, config) for one in named if installed(one.__name__)}
        for name, seconds in in_turns(
            {name: one.timed for name, one in sides.items()}, asked.rounds
        ).items():
            print(
                f"{name}: {spread(seconds, ' s')}, test accuracy {spread(sides[name].accuracies)}"
            )


@dataclass
class Side:
    """A search, and how good what it found was."""

    search: Callable[[Task], Rows]
    config: str
    accuracies: list[float] = field(default_factory=list)

    def timed(self) -> float:
        """The seconds of the search alone, from another seed each time."""
        task = Task(self.config, len(self.accuracies))
        begun = time.perf_counter()
        found = self.search(task)
        seconds = time.perf_counter() - begun
        self.accuracies.append(task.accuracy(found))
        return seconds


def installed(name: str) -> bool:
    """Whether a library is there; one that isn't is told of."""
    found = importlib.util.find_spec("scipy" if name == "dual_annealing" else name) is not None
    if not found:
        print(f"{name}: left out, not installed")
    return found


if __name__ == "__main__":
    main()
