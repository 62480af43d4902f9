"""Random tabular MDPs with two terminal states, solved by value iteration: the executable proof of shaping."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TabularMDP:
    transition: np.ndarray  # (state, action, state)
    reward: np.ndarray  # (state, action, state)
    terminal: np.ndarray  # (state,) bool
    discount: float

    def q_star(self, reward: np.ndarray) -> np.ndarray:
        """Optimal action values (state, action) under `reward`, 0 in terminal states."""
        alive = ~self.terminal
        expected = (self.transition * reward).sum(axis=2)
        q = np.zeros_like(expected)
        for _ in range(2000):
            value = q.max(axis=1) * alive
            new = (expected + self.discount * self.transition @ value) * alive[:, None]
            if np.abs(new - q).max() < 1e-14:
                break
            q = new
        return q


def random_mdp(rng: np.random.Generator, *, states: int = 8, actions: int = 3, discount: float = 0.9) -> TabularMDP:
    transition = rng.dirichlet(np.full(states, 0.4), size=(states, actions))
    return TabularMDP(
        transition=transition,
        reward=rng.normal(size=(states, actions, states)),
        terminal=np.arange(states) >= states - 2,
        discount=discount,
    )
