"""A point on a line whose goal is at one end, and a potential that points to the other."""

import gymnasium
import numpy as np

STRIDE, GOAL, HORIZON, DISCOUNT = 0.3, 0.8, 20, 0.9
STARTS = np.linspace(-1.0, 0.75, 36)


class MisledPoint(gymnasium.Env):
    """Observation: the position in [-1, 1]. Action: how far it moves, in strides. It ends at the goal, worth 1."""

    metadata = {"render_modes": []}  # noqa: RUF012
    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._place, self._steps = float(self.np_random.uniform(STARTS[0], STARTS[-1])), 0
        return self._told()

    def step(self, action):
        self._place, self._steps = float(moved(self._place, float(action[0]))), self._steps + 1
        observation, info = self._told()
        return observation, float(info["success"]), info["success"], self._steps >= HORIZON, info

    def _told(self):
        info = {"success": self._place >= GOAL, "progress": float(misleading(self._place))}
        return np.array([self._place], np.float32), info


def moved(place, action):
    return np.clip(place + STRIDE * np.clip(action, -1, 1), -1, 1)


def misleading(place):
    """In [0, 1], and 1 at the wrong end."""
    return np.exp(-(((place + 0.8) / 0.3) ** 2))


def discounted_return(act) -> float:
    """Mean discounted task return over all starts of a policy that gives an action for each of several places."""
    place, total, alive = STARTS.copy(), np.zeros(len(STARTS)), np.ones(len(STARTS), bool)
    for step in range(HORIZON):
        place = moved(place, act(place))
        arrived = alive & (place >= GOAL)
        total[arrived] = DISCOUNT**step
        alive &= ~arrived
    return float(total.mean())


OPTIMUM = discounted_return(lambda place: np.ones(len(place)))
