"""Meta-World's tasks as a scene with cameras: seeded, upright, fast to render."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

import warnings
from types import TracebackType
from typing import Any, Self, cast, final

# before MuJoCo, which Meta-World imports, too: it chooses OpenGL without a screen
from robo_reward_sim.rendering import use_fast_quality  # isort: skip

import mujoco
import numpy as np
from jaxtyping import Float, UInt8
from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
from metaworld.policies import ENV_POLICY_MAP

from robo_reward_sim.cameras import POSES, UPSIDE_DOWN, check_cameras
from robo_reward_sim.playing import Policy, Step
from robo_reward_sim.tasks import Task

CONTROL_RATE = 80.0
"""Steps per second of simulated time [1/s]: 5 physics steps of 2.5 ms each."""

MAX_STEPS = 500
"""Steps after which Meta-World must be reset."""

_MARKER_RADIUS = 0.03  # [m]; Meta-World's 0.02 is 4 pixels wide in our pictures


@final
class MetaWorldScene:
    """One task of Meta-World, its physics and its cameras.

    An episode is a function of the seed given to `reset` and of the actions: nothing of an earlier episode remains.
    Pictures have no shadows, multisampling or reflections, which makes software rendering some 30 times faster. The
    goal is shown as a ball where the instruction names one; all other markers are hidden. Owns an OpenGL context:
    `close` it, or use it as a context manager.

    Raises:
        ValueError: No or an unknown camera, or an image size that is not positive.
    """

    def __init__(self, task: Task, *, cameras: tuple[str, ...], image_size: int) -> None:
        """Load the task's model.

        Args:
            task: What is to be done.
            cameras: Names out of `robo_reward_sim.cameras.CAMERAS`.
            image_size: Height and width of a picture [px].
        """
        check_cameras(cameras)
        if image_size <= 0:
            raise ValueError(f"image_size must be > 0 px, got {image_size}")
        self.task = task
        self.cameras = cameras
        self.image_size = image_size
        self._env = _environment(task)
        self._views = tuple(_view(name) for name in cameras)
        use_fast_quality(self._env.model)
        _show_markers(self._env.model, task)
        self._renderer: mujoco.Renderer | None = None

    def reset(self, seed: int) -> Float[np.ndarray, "39"]:
        """Begin the episode that `seed` stands for, and return its first observation."""
        self._env.seed(seed)
        observation = self._env.reset()[0].copy()
        # Meta-World leaves what it has just moved, such as a drawer, where it was drawn before
        mujoco.mj_forward(self._env.model, self._env.data)
        return observation

    def step(self, action: Float[np.ndarray, "4"]) -> Step:
        """Advance by 1 / `CONTROL_RATE` seconds.

        Args:
            action: Hand velocity (3) and gripper effort (1), in [-1, 1]; 1 moves the hand's goal by 1 cm.

        Raises:
            ValueError: A step after the `MAX_STEPS`-th.
        """
        observation, reward, _, _, info = self._env.step(action)
        return Step(observation=observation.copy(), reward=float(reward), success=bool(info["success"]))

    def expert(self) -> Policy:
        """Return Meta-World's scripted expert of the task."""
        policy = ENV_POLICY_MAP[self.task.environment]()

        def act(observation: Float[np.ndarray, "39"]) -> Float[np.ndarray, "4"]:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Constant\\(s\\) may be too high")
                action = policy.get_action(observation.copy())  # door-open's expert writes to what it is given
            return np.clip(action, -1.0, 1.0)

        return act

    def frames(self) -> dict[str, UInt8[np.ndarray, "3 height width"]]:
        """Render the present state: a new RGB picture per camera, upright."""
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self._env.model, self.image_size, self.image_size)
            # mirror images cost a quarter of the time and are nowhere to be seen on this table
            self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        for site, position in self._env._target_site_config:
            self._env.data.site(site).xpos = position  # physics leaves markers of some tasks at an old place
        return {
            name: _picture(self._renderer, self._env.data, view)
            for name, view in zip(self.cameras, self._views, strict=True)
        }

    def close(self) -> None:
        """Free the OpenGL context; the scene cannot be used any more."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        self._env.close()

    def __enter__(self) -> Self:
        """Return the scene."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the scene."""
        self.close()


def _environment(task: Task) -> Any:
    with warnings.catch_warnings():
        # gymnasium warns of float32 bounds while Meta-World builds its spaces
        warnings.simplefilter("ignore", UserWarning)
        env = cast(Any, ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE)[f"{task.environment}-goal-observable"](seed=0)
    # as built it repeats one layout for ever: draw a new one from env.seed() at each reset instead
    env.seeded_rand_vec = True
    env._freeze_rand_vec = False
    return env


def _show_markers(model: mujoco.MjModel, task: Task) -> None:
    model.site_rgba[:, 3] = 0.0
    if task.target == "goal":
        marker = model.site("goal")
        marker.rgba[3] = 1.0
        marker.size[:] = _MARKER_RADIUS


def _view(name: str) -> mujoco.MjvCamera | str:
    if name not in POSES:
        return name
    pose, camera = POSES[name], mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = pose.lookat
    camera.distance, camera.azimuth, camera.elevation = pose.distance, pose.azimuth, pose.elevation
    return camera


def _picture(
    renderer: mujoco.Renderer, data: mujoco.MjData, view: mujoco.MjvCamera | str
) -> UInt8[np.ndarray, "3 height width"]:
    renderer.update_scene(data, view)
    pixels = renderer.render()
    if view in UPSIDE_DOWN:
        pixels = pixels[::-1, ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
