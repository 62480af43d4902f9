"""The MuJoCo humanoid that holds poses, textured and seen from in front."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, final
from xml.etree import ElementTree

from robo_reward_sim.rendering import use_fast_quality  # isort: skip  # before MuJoCo: it chooses OpenGL without a screen

import gymnasium.envs.mujoco
import mujoco
import numpy as np
from gymnasium.envs.mujoco.humanoid_v4 import HumanoidEnv
from jaxtyping import Float, Float64, UInt8

from robo_reward_sim.vlm_rm.prompts import PROMPTS
from robo_reward_sim.vlm_rm.textures import metal, png, sky, tiles
from robo_reward_sim.vlm_rm.time_limit import CAMERA, check_camera, check_settings

PUBLISHED_CAMERA: Mapping[str, Any] = MappingProxyType(
    {"trackbodyid": 1, "distance": 3.5, "lookat": (0.0, 0.0, 1.0), "elevation": -10.0, "azimuth": 180.0}
)
"""VLM-RM's `camera_config`; its camera is free, so that it does not follow the tracked body."""


@final
class PosingHumanoid(HumanoidEnv):
    """Gymnasium's Humanoid-v4 (376 numbers, 17 torques in [-0.4, 0.4], 15 ms a step) with VLM-RM's changes.

    Nothing terminates, whatever its health; the episode is truncated after `episode_length` steps. The reward is
    Gymnasium's own, for running, which has nothing to do with poses: whether a pose is held only a human can say, so
    that `info` has neither `success` nor `progress`. Pictures have no shadows and no multisampling.

    Raises:
        ValueError: An episode without a step, a pose or render mode that is unknown, a picture without pixels, a
            setting that a free camera does not have.

    Source:
        VLM-RM (2310.12921) and its code: camera, frame skip 5, 480 x 480, 100 steps, untextured or textured model.
    """

    def __init__(
        self,
        *,
        pose: str = "kneeling",
        episode_length: int = 100,
        textured: bool = True,
        camera: Mapping[str, Any] = PUBLISHED_CAMERA,
        height: int = 480,
        width: int = 480,
        render_mode: str | None = "rgb_array",
    ) -> None:
        """Load the model.

        Args:
            pose: What is asked for, as in `PROMPTS` without `humanoid_`; it changes nothing but `instruction`.
            episode_length: Steps of an episode.
            textured: Sky, tiles and metal instead of Gymnasium's gradient, checkerboard and beige.
            camera: Settings of `mujoco.MjvCamera`.
            height: Of a picture [px].
            width: Of a picture [px].
            render_mode: `rgb_array`, or None: `render` is not used.
        """
        check_settings(episode_length=episode_length, render_mode=render_mode)
        if min(height, width) < 1:
            raise ValueError(f"height and width must be > 0 px, got {height} and {width}")
        self._camera, self._textured = free_camera(camera), textured
        self.instruction = _prompt(pose)
        super().__init__(terminate_when_unhealthy=False, width=width, height=height, render_mode=render_mode)
        use_fast_quality(self.model)
        self.step_duration = self.dt
        self._episode_length, self._num_steps = episode_length, 0
        self._renderer: mujoco.Renderer | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float64[np.ndarray, "376"], dict[str, Any]]:
        """Begin an episode upright, with a little noise."""
        self._num_steps = 0
        return super().reset(seed=seed, options=options)

    def step(  # pyright: ignore[reportIncompatibleMethodOverride]  # Gymnasium promises that nothing is truncated
        self, action: Float[np.ndarray, "17"]
    ) -> tuple[Float64[np.ndarray, "376"], float, bool, bool, dict[str, Any]]:
        """Apply torques for five steps of the physics."""
        observation, reward, _, _, info = super().step(action)
        self._num_steps += 1
        return observation, float(reward), False, self._num_steps >= self._episode_length, info

    def frames(self, cameras: Sequence[str] = (CAMERA,)) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
        """Render the present state: a new RGB picture per camera.

        Raises:
            ValueError: An unknown camera.
        """
        check_camera(cameras)
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self.model, self.height, self.width)
        self._renderer.update_scene(self.data, self._camera)
        return {CAMERA: self._renderer.render()}

    def render(self) -> UInt8[np.ndarray, "height width 3"] | None:
        """Give the picture where the render mode asks for one."""
        return None if self.render_mode is None else self.frames()[CAMERA]

    def close(self) -> None:
        """Free the OpenGL context."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        super().close()

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        # Gymnasium's hook for where the model comes from
        model = textured_model() if self._textured else mujoco.MjModel.from_xml_path(self.fullpath)
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, self.width)
        model.vis.global_.offheight = max(model.vis.global_.offheight, self.height)
        return model, mujoco.MjData(model)


def free_camera(settings: Mapping[str, Any]) -> mujoco.MjvCamera:
    """Give a free camera with these settings.

    Raises:
        ValueError: A setting that a camera does not have.
    """
    camera = mujoco.MjvCamera()
    for name, value in settings.items():
        if not hasattr(camera, name) or name == "type":
            raise ValueError(f"a free camera has no '{name}'; it has azimuth, distance, elevation, lookat, trackbodyid")
        if name == "lookat":
            camera.lookat[:] = value
        else:
            setattr(camera, name, value)
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    return camera


def textured_model() -> mujoco.MjModel:
    """Give Gymnasium's humanoid under a sky, on tiles, made of metal; bodies, joints and physics stay what they are."""
    path = Path(gymnasium.envs.mujoco.__file__).parent / "assets" / "humanoid.xml"
    root = ElementTree.parse(path).getroot()
    for number, file in enumerate(("sky.png", "metal.png", "tiles.png")):
        texture = root.findall("asset/texture")[number]
        kept = {key: texture.attrib[key] for key in ("name", "type") if key in texture.attrib}
        texture.attrib.clear()
        texture.attrib.update(kept, file=file)
    white, dull = {"rgba": "1 1 1 1"}, {"reflectance": "0", "shininess": "0", "specular": "0"}
    for place, changed in (
        ("default/geom", white),
        ("worldbody/geom", white),
        ("asset/material[@name='MatPlane']", dull),
    ):
        _found(root, place).attrib.update(changed)
    pictures = {"sky.png": png(sky(128, 128)), "metal.png": png(metal(128)), "tiles.png": png(tiles(100))}
    return mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"), pictures)


def _found(root: ElementTree.Element, place: str) -> ElementTree.Element:
    element = root.find(place)
    if element is None:
        raise ValueError(f"Gymnasium's humanoid.xml has no {place}: another version than 1.x?")
    return element


def _prompt(pose: str) -> str:
    poses = [name.removeprefix("humanoid_") for name in PROMPTS if name.startswith("humanoid_")]
    if pose not in poses:
        raise ValueError(f"unknown pose '{pose}'; available: {', '.join(poses)}")
    return PROMPTS[f"humanoid_{pose}"].goal
