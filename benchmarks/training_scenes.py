"""What is learnt in `training.py`: environments, encoders, and one schedule of steps and updates for every scheme."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium

from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.perception.embedded_encoder import embedded_checkpoint
from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward.rl.learners import Sac
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.vlm_rm.humanoid import PosingHumanoid


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An environment with one camera, and what is asked for."""

    make: Callable[[], gymnasium.Env]
    camera: str
    goal: str
    baseline: str


def _table_top() -> gymnasium.Env:
    return TableTopEnvironment("reach", height=112, width=112, horizon=50, terminate_on_success=False)


def _humanoid() -> gymnasium.Env:
    return PosingHumanoid(episode_length=50)


SCENES: Mapping[str, Scene] = {
    "table_top": Scene(
        make=_table_top, camera="front", goal="a robot gripper at a red ball", baseline="a robot arm on a table"
    ),
    "humanoid": Scene(make=_humanoid, camera="render", goal="a humanoid robot kneeling", baseline="a humanoid robot"),
}
"""`table_top`: this project's reach, 112 px. `humanoid`: VLM-RM's, 480 px. All episodes last 50 steps."""

ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "embedded": {"model": embedded_checkpoint()},
    "vit_b_32": {"model": "ViT-B-32", "pretrained": "random", "seed": 0},
}

ALPHA = 0.5


def schedule(*, num_envs: int, device: str) -> Sac:
    """Give VLM-RM's settings for the humanoid: 50 steps of every environment, then an update for 32 of them."""
    return Sac(
        num_envs=num_envs,
        train_every=50,
        updates_per_step=1 / 32,
        learning_starts=1,
        batch_size=512,
        hidden=(256, 256),
        learning_rate=6e-4,
        discount=0.95,
        tau=0.005,
        entropy=None,
        entropy_start=1.0,
        normalised_critics=False,
        buffer_size=100_000,
        device=device,
    )


def encoder_of(name: str, *, runtime: str, precision: str, device: str) -> OpenClipEncoder:
    """Load an encoder to be run in one of this project's ways."""
    return OpenClipEncoder(**ENCODERS[name], device=device, runtime=runtime, precision=precision, batch_size=None)


def model_of(scene: Scene, encoder: OpenClipEncoder) -> PromptSimilarity:
    """Give the reward model whose progress is (1 + R) / 2."""
    readout = {scene.camera: {"weight": [0.5, 0.0, 0.0], "offset": 0.5, "residual": 0.288675}}
    return PromptSimilarity(encoder, goal=[scene.goal], baseline=[scene.baseline], alpha=ALPHA, readout=readout)


class Pictured(gymnasium.Wrapper):
    """Gives the camera's picture by `render`, as VLM-RM's environments do."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.make())
        self._camera = scene.camera

    @property
    def render_mode(self) -> str:
        """Pictures, as arrays."""
        return "rgb_array"

    def render(self) -> Any:
        """Give a picture, (height, width, 3)."""
        return self.env.unwrapped.frames((self._camera,))[self._camera]


def pictured(name: str) -> Callable[[], gymnasium.Env]:
    """Give what makes a scene's environment with `render`."""
    return partial(_pictured, name)


def _pictured(name: str) -> gymnasium.Env:
    return Pictured(SCENES[name])
