"""Losses of many networks in, better networks out, without a gradient: beside Keras's optimizers.

A network is a row of numbers here, all its trainable weights one after another. The catalog reads
this file as it reads Keras's: what stands in the docstrings is what `check` and the schema know.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tftrain.backend import keras, tf

Losses = Callable[[Any], Any]
Constrained = Callable[[Any], Any]
_SPREAD, _PARENTS, _CROSSOVER, _CHANGED, _NOISE, _CHANCE = range(6)  # what is drawn at random


class Search(keras.optimizers.Optimizer):  # type: ignore[misc] # Keras has no types
    """What searches without gradients; its variables are all that the search goes on from.

    Args:
        rows: Integer. The training rows that a network is measured on.
        then: The Keras optimizer of the epochs after the search, or None.
        name: String. The optimizer's name.
    """

    def __init__(self, rows: int, then: Any, name: str | None) -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.rows = rows
        self._then = then

    @property
    def then(self) -> Any:
        """The Keras optimizer of the epochs after the search, or None."""
        return self._then

    @property
    def variables(self) -> list[Any]:
        """Those of the search, then those of `then`."""
        return [*super().variables, *(self.then.variables if self.then else ())]

    @property
    def learning_rate(self) -> Any:
        """That of `then`; the search has none."""
        return self.then.learning_rate if self.then else self._learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        if self.then:
            self.then.learning_rate = rate
        else:
            self._learning_rate.assign(rate)

    def build(self, variables: list[Any]) -> None:
        """Makes the variables.

        Args:
            variables: the network's trainable ones.
        """
        if self.built:
            return
        super().build(variables)
        self.done = self.add_variable((), dtype="int32", name="done")
        self._make(sum(math.prod(one.shape) for one in variables))
        if self.then:
            self.then.build(variables)

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> Any:
        """A step of `then`.

        Raises:
            ValueError: without one.
        """
        if self.then is None:
            raise ValueError("searches without gradients, and has no `then` to follow them")
        return self.then.apply(grads, trainable_variables)

    def scale_loss(self, loss: Any) -> Any:
        """As `then` does."""
        return self.then.scale_loss(loss) if self.then else loss

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """As `then` does."""
        if self.then:
            self.then.finalize_variable_values(var_list)

    def begin(self, first: Any, spread: Any, constrained: Constrained, seed: int) -> None:
        """Readies the search, in a graph.

        Args:
            first: the network's weights, float32 (weights,).
            spread: how far weights lie apart at first, likewise.
            constrained: networks, float32 (networks, weights), with the layers' constraints met.
            seed: of all that is drawn.
        """
        raise NotImplementedError

    def measure(self, losses: Losses) -> None:
        """Measures again what the search goes on from, in a graph: on other rows.

        Args:
            losses: of networks, float32 (networks, weights) to (networks,); infinite where a
                network can't be used.
        """
        raise NotImplementedError

    def search(self, losses: Losses, constrained: Constrained, seed: int, count: Any) -> None:
        """So many generations or steps, in a graph.

        Args:
            losses: as for `measure`.
            constrained: as for `begin`.
            seed: of all that is drawn; what is drawn depends on it and on `done` alone.
            count: how many, int32 ().
        """
        raise NotImplementedError

    def best(self) -> Any:
        """The best network so far, float32 (weights,)."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again."""
        then = self.then and keras.saving.serialize_keras_object(self.then)
        return {"rows": self.rows, "then": then, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Search:  # noqa: ARG003 - Keras gives it
        """The object again."""
        return cls(**{**config, "then": config["then"] and keras.optimizers.get(config["then"])})

    def _make(self, weights: int) -> None:
        raise NotImplementedError

    def _rounds(self, body: Callable[..., tuple[Any, ...]], state: Any, count: Any) -> Any:
        """The state after so many rounds; each gets the number of those before it."""
        done = self.done.value
        numbered = tf.while_loop(
            lambda number, *_: number < done + count,
            lambda number, *inner: (number + 1, *body(number, *inner)),
            (tf.identity(done), *state),
            parallel_iterations=1,
        )
        self.done.assign(numbered[0])
        return numbered[1:]


@keras.saving.register_keras_serializable("tftrain")
class GeneticAlgorithm(Search):
    """Many networks; the best stay, the others make way for children of the better ones.

    Args:
        population: Integer: the networks of a generation.
        generations: Integer: how many generations; as many as `training.epochs` take if not given.
        generations_per_epoch: Integer: the generations of one epoch.
        crossover: One of `"uniform"` (each weight from one parent or the other), `"one_point"` (all
            up to some weight from one, the rest from the other), `"arithmetic"` (a mean of both) or
            `"none"` (all from one).
        mutation: Float: the standard deviation of what is added to a child's weights.
        mutation_rate: Float: the share of a child's weights that it is added to.
        elite: Integer: how many of the best stay as they are.
        rows: Integer: the training rows that a network is measured on; where there are more, others
            each epoch.
        then: A Keras optimizer, for gradient steps in the epochs after the search.
        name: String. The optimizer's name.
    """

    def __init__(
        self,
        *,
        population: int = 64,
        generations: int | None = None,
        generations_per_epoch: int = 1,
        crossover: str = "uniform",
        mutation: float = 0.05,
        mutation_rate: float = 1.0,
        elite: int = 8,
        rows: int = 4096,
        then: Any = None,
        name: str | None = "genetic_algorithm",
    ) -> None:
        super().__init__(rows, then, name)
        self.population = population
        self.generations = generations
        self.generations_per_epoch = generations_per_epoch
        self.crossover = crossover
        self.mutation = mutation
        self.mutation_rate = mutation_rate
        self.elite = elite

    @property
    def per_epoch(self) -> int:
        """The generations of one epoch."""
        return self.generations_per_epoch

    def begin(self, first: Any, spread: Any, constrained: Constrained, seed: int) -> None:
        """The first network as it is, the others drawn around it."""
        shape = (self.population - 1, first.shape[0])
        drawn = tf.random.stateless_normal(shape, _key(seed, 0, _SPREAD))
        self.members.assign(constrained(tf.concat([first[None], first + spread * drawn], 0)))

    def measure(self, losses: Losses) -> None:
        """Orders the population by what it is worth on these rows."""
        self._keep(self.members.value, losses(self.members.value))

    def search(self, losses: Losses, constrained: Constrained, seed: int, count: Any) -> None:
        """So many generations; the best is the first member."""

        def generation(number: Any, members: Any, worth: Any) -> tuple[Any, Any]:
            children = constrained(self._children(members, seed, number))
            every = tf.concat([members[: self.elite], children], 0)
            known = tf.concat([worth[: self.elite], losses(children)], 0)
            order = tf.argsort(known, stable=True)
            return tf.gather(every, order), tf.gather(known, order)

        state = (self.members.value, self.losses.value)
        self._keep(*self._rounds(generation, map(tf.identity, state), count))

    def best(self) -> Any:
        """The best network so far, float32 (weights,)."""
        return self.members.value[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again."""
        own = (
            *("population", "generations", "generations_per_epoch"),
            *("crossover", "mutation", "mutation_rate", "elite"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _make(self, weights: int) -> None:
        self.members = self.add_variable((self.population, weights), name="members")
        self.losses = self.add_variable((self.population,), name="losses")

    def _keep(self, members: Any, worth: Any) -> None:
        order = tf.argsort(worth, stable=True)
        self.members.assign(tf.gather(members, order))
        self.losses.assign(tf.gather(worth, order))

    def _children(self, members: Any, seed: int, number: Any) -> Any:
        """Of members from the best to the worst; each parent is the better one of two."""
        count = self.population - self.elite
        drawn = tf.random.stateless_uniform(
            (2, 2, count), _key(seed, number, _PARENTS), 0, self.population, tf.int32
        )
        parents = tf.gather(members, tf.reduce_min(drawn, 0))
        children = self._crossed(parents[0], parents[1], _key(seed, number, _CROSSOVER))
        shape = tf.shape(children)
        noise = tf.random.stateless_normal(shape, _key(seed, number, _NOISE))
        if self.mutation_rate < 1:
            chance = tf.random.stateless_uniform(shape, _key(seed, number, _CHANGED))
            noise = tf.where(chance < self.mutation_rate, noise, 0.0)
        return children + self.mutation * noise

    def _crossed(self, one: Any, other: Any, key: Any) -> Any:
        count, weights = one.shape
        match self.crossover.casefold():
            case "uniform":
                first = tf.random.stateless_uniform((count, weights), key) < 0.5  # noqa: PLR2004
                return tf.where(first, one, other)
            case "one_point":
                point = tf.random.stateless_uniform((count, 1), key, 0, weights + 1, tf.int32)
                return tf.where(tf.range(weights) < point, one, other)
            case "arithmetic":
                share = tf.random.stateless_uniform((count, 1), key)
                return share * one + (1 - share) * other
            case _:
                return one


@keras.saving.register_keras_serializable("tftrain")
class SimulatedAnnealing(Search):
    """One network that takes random steps: better ones always, worse ones while it is hot.

    Args:
        steps: Integer: how many steps; as many as `training.epochs` take if not given.
        steps_per_epoch: Integer: the steps of one epoch.
        temperature: Float: how hot it is at first; a step that raises the loss by as much is taken
            with probability 1/e.
        cooling: Float: what the temperature is multiplied by at each step.
        step: Float: the standard deviation of what a step adds to a weight.
        step_rate: Float: the share of the weights that a step changes.
        rows: Integer: the training rows that a network is measured on; where there are more, others
            each epoch.
        then: A Keras optimizer, for gradient steps in the epochs after the search.
        name: String. The optimizer's name.
    """

    def __init__(
        self,
        *,
        steps: int | None = None,
        steps_per_epoch: int = 100,
        temperature: float = 0.05,
        cooling: float = 0.999,
        step: float = 0.1,
        step_rate: float = 1.0,
        rows: int = 4096,
        then: Any = None,
        name: str | None = "simulated_annealing",
    ) -> None:
        super().__init__(rows, then, name)
        self.steps = steps
        self.steps_per_epoch = steps_per_epoch
        self.temperature = temperature
        self.cooling = cooling
        self.step = step
        self.step_rate = step_rate

    @property
    def per_epoch(self) -> int:
        """The steps of one epoch."""
        return self.steps_per_epoch

    def begin(self, first: Any, spread: Any, constrained: Constrained, seed: int) -> None:  # noqa: ARG002 - one network
        """The first network as it is."""
        self.places.assign(constrained(tf.stack([first, first])))

    def measure(self, losses: Losses) -> None:
        """What the present network and the best one are worth on these rows."""
        self.losses.assign(losses(self.places.value))

    def search(self, losses: Losses, constrained: Constrained, seed: int, count: Any) -> None:
        """So many steps; the best network is kept beside the present one."""

        def step(number: Any, now: Any, loss: Any, best: Any, least: Any) -> tuple[Any, ...]:
            place = constrained((now + self._step(tf.shape(now), seed, number))[None])
            value = losses(place)[0]
            heat = self.temperature * tf.pow(self.cooling, tf.cast(number, tf.float32))
            chance = tf.random.stateless_uniform((), _key(seed, number, _CHANCE))
            taken, better = accepted(value - loss, heat, chance), value < least
            now, loss = tf.where(taken, place[0], now), tf.where(taken, value, loss)
            return now, loss, tf.where(better, place[0], best), tf.where(better, value, least)

        places, values = self.places.value, self.losses.value
        state = (places[0], values[0], places[1], values[1])
        now, loss, best, least = self._rounds(step, state, count)
        self.places.assign(tf.stack([now, best]))
        self.losses.assign(tf.stack([loss, least]))

    def best(self) -> Any:
        """The best network so far, float32 (weights,)."""
        return self.places.value[1]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again."""
        own = ("steps", "steps_per_epoch", "temperature", "cooling", "step", "step_rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _make(self, weights: int) -> None:
        self.places = self.add_variable((2, weights), name="places")
        self.losses = self.add_variable((2,), name="losses")

    def _step(self, shape: Any, seed: int, number: Any) -> Any:
        noise = tf.random.stateless_normal(shape, _key(seed, number, _NOISE))
        if self.step_rate < 1:
            chance = tf.random.stateless_uniform(shape, _key(seed, number, _CHANGED))
            noise = tf.where(chance < self.step_rate, noise, 0.0)
        return self.step * noise


def accepted(rise: Any, temperature: Any, chance: Any) -> Any:
    """Whether annealing takes a step (Metropolis et al., 1953).

    Args:
        rise: how much higher the loss is there, float32 ().
        temperature: likewise; 0 takes no step upwards.
        chance: drawn evenly from 0 to 1, likewise.
    """
    return (rise <= 0) | (chance < tf.exp(-rise / tf.maximum(temperature, 1e-30)))


def _key(seed: int, number: Any, use: int) -> Any:
    """What makes a draw that depends on the seed, the round and the use alone."""
    low = tf.cast(number, tf.int32) * (_CHANCE + 1) + use
    return tf.stack([tf.bitcast(tf.constant(seed, tf.uint32), tf.int32), low])
