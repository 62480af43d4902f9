"""One set of frames in, one reward out: what a robot, a simulator and a replayed data set share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.potential_streams import PotentialStreams
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential, discount_over_steps, potential_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """The reward of one transition, and what its arrival frame looked like to the model."""

    reward: float
    """Shaping reward F of the transition; the task reward is added by whoever knows it."""
    progress: float
    """Progress of the arrival frame, in [0, 1]; NaN where the model abstained."""
    spread: float
    """One standard deviation of progress; NaN where the model abstained."""
    potential: float
    """Φ of the arrival frame before a terminal state zeroes it; the last known one where the model abstained."""
    stamp: float
    """Capture time of the arrival frame [s]."""
    held: bool
    """True if the model abstained and the last potential was held."""
    version: str
    """Version of the model."""


class RewardStream:
    """Turns one set of frames at a time into the reward of the transition that ended there.

    Potentials are computed once, when their frame arrives, and kept: rewards telescope to rounding whatever the
    model's noise. Frames are kept only as far back as the model's `context`; a model that looks through an encoder
    has its embeddings kept instead, so no frame is encoded twice; one that carries its own memory has none kept but the
    latest. No clock, no thread: a caller owns both.

    Args:
        model: Bound to the task.
        discount: The learner's γ per step, in (0, 1].
        potential: From progress to Φ.

    Raises:
        ValueError: A discount outside (0, 1].
    """

    def __init__(self, model: RewardModel, *, discount: float, potential: Potential | None = None) -> None:
        discount_over_steps(discount, 1)
        self._streams = PotentialStreams(model, num_streams=1, potential=potential)
        self._version = model.version  # asked once: it may be a hash of all weights
        self._discount = discount
        self.abstentions = 0
        self._latest = (math.nan, math.nan)
        self.reset()

    @property
    def model(self) -> RewardModel:
        """The model that is asked."""
        return self._streams.model

    @property
    def latest(self) -> tuple[float, float]:
        """Progress and spread of the newest frame set, also of the first one of an episode; NaN before any."""
        return self._latest

    def reset(self) -> None:
        """Forget the episode; the next frame set is the first of another one."""
        self._streams.begin((0,))
        self._cameras: tuple[str, ...] | None = None
        self._stamp = -math.inf
        self._frame_sizes: dict[str, torch.Size] = {}  # of a model that keeps pixels
        self._sizes: dict[str, int] | None = None  # of the episode's state

    def step(
        self,
        views: Mapping[str, UInt8[Tensor, "3 _h _w"] | None],
        *,
        stamp: float,
        terminated: bool = False,
        truncated: bool = False,
        steps: int = 1,
        state: Mapping[str, Float64[Tensor, " _size"] | None] | None = None,
    ) -> Reward | None:
        """Take one frame per camera and give the reward of the transition that they end.

        Args:
            views: Camera name to RGB frame; None where a camera gave no frame. The first set of an episode fixes the
                names, and for a model that keeps pixels the sizes too.
            stamp: Capture time [s], later than the previous one.
            terminated: This state is terminal: its potential counts as 0 and the next frame set starts an episode.
            truncated: The episode was cut here: the potential is kept and the next frame set starts an episode.
            steps: Environment steps that the transition spans; the discount is γ^steps.
            state: What the robot felt, as `Clip.state` has it; None for a name that did not arrive. The first set of
                an episode fixes names and sizes.

        Returns:
            The reward, or None while no earlier potential is known (first frame, or only abstentions so far).

        Raises:
            ValueError: Frames of a wrong layout, an unknown or missing camera or state, a stamp that does not increase.
            TypeError: Frames that are not uint8, a state that is not float64.
        """
        discount = discount_over_steps(self._discount, steps)
        seen = self._streams.look(self._clip(views, stamp, self._felt(state or {})))
        before = self._last_known()
        arrival = self._streams.follow(seen, (0,))
        self._latest = (float(arrival.progress[0]), float(arrival.spread[0]))
        self._frame_sizes = {name: f.shape[-2:] for name, f in seen.views.items()} if isinstance(seen, Clip) else {}
        held = bool(arrival.held[0])
        self.abstentions += held
        known = self._last_known()
        if terminated or truncated:
            self.reset()
        if before is None or known is None:
            return None
        return Reward(
            reward=_transition(before, known, terminated=terminated, discount=discount),
            progress=self._latest[0],
            spread=self._latest[1],
            potential=known,
            stamp=stamp,
            held=held,
            version=self._version,
        )

    def terminate(self) -> float | None:
        """End the episode at a terminal state that no camera saw, and give its last reward, −Φ(s).

        Returns:
            The reward, or None while no potential is known. The next frame set starts an episode.
        """
        before = self._last_known()
        self.reset()
        return None if before is None else _transition(before, 0.0, terminated=True, discount=self._discount)

    def _clip(self, views: Mapping[str, Tensor | None], stamp: float, state: Mapping[str, Tensor]) -> Clip:
        """Make a clip of one frame set; a camera without a frame gets black pixels that nobody looks at."""
        names = tuple(views) if self._cameras is None else self._cameras
        if set(views) != set(names):
            raise ValueError(f"the episode began with cameras {list(names)}, this frame set has {list(views)}")
        if stamp <= self._stamp:
            raise ValueError(f"stamp {stamp} s is not later than the previous one, {self._stamp} s")
        clip = Clip(
            views={name: self._frame(name, views[name])[None, None] for name in names},
            present=torch.tensor([[[views[name] is not None for name in names]]]),
            stamp=torch.tensor([[stamp]], dtype=torch.float64),
            state=state,
        )
        self._sizes = {name: numbers.shape[-1] for name, numbers in state.items()}
        self._cameras, self._stamp = clip.cameras, stamp
        return clip

    def _felt(self, state: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """Put one state into a clip's form; one that did not arrive is NaN."""
        known = self._sizes
        if known is not None and set(state) != set(known):
            raise ValueError(f"the episode began with state {sorted(known)}, this set has {sorted(state)}")
        silent = sorted(name for name, numbers in state.items() if numbers is None)
        if known is None and silent:
            raise ValueError(
                f"state {silent}: pass NaN of its size where the first set of an episode lacks it, not None"
            )
        unknown = {name: torch.full((size,), float("nan"), dtype=torch.float64) for name, size in (known or {}).items()}
        return {name: (unknown[name] if numbers is None else numbers)[None, None] for name, numbers in state.items()}

    def _frame(self, name: str, frame: Tensor | None) -> Tensor:
        if frame is not None:
            if frame.ndim != 3:
                raise ValueError(f"camera '{name}': a frame must be (3, height, width), got {tuple(frame.shape)}")
            return frame
        return torch.zeros(3, *self._frame_sizes.get(name, (1, 1)), dtype=torch.uint8)

    def _last_known(self) -> float | None:
        potential = float(self._streams.last_known((0,))[0])
        return None if math.isnan(potential) else potential


def _transition(before: float, after: float, *, terminated: bool, discount: float) -> float:
    potential = torch.tensor([[before, after]], dtype=torch.float64)
    return float(potential_difference(potential, torch.tensor([[terminated]]), discount=discount)[0, 0])
