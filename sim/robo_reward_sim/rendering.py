"""Pictures without a screen, without shadows, reflections and multisampling."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

import os
from functools import cache
from types import TracebackType
from typing import Any, Self, final

# OpenGL without a screen; MuJoCo reads this once, when it is imported
os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

_MAX_GEOMS = 2000


def use_fast_quality(model: mujoco.MjModel) -> None:
    """Switch shadows and multisampling off, which makes software rendering 24 times faster.

    MuJoCo reads both when a renderer is made: call this before.
    """
    model.vis.quality.shadowsize = 0
    model.vis.quality.offsamples = 0


def project(
    points: Float[np.ndarray, "point 3"], camera: mujoco.MjvCamera, *, fovy: float
) -> Float[np.ndarray, "point 2"]:
    """Return where points appear in a square picture: (right, down) in [-1, 1] from edge to edge, more outside of it.

    Args:
        points: In the world's frame [m], in front of the camera.
        camera: A free camera.
        fovy: Its field of view [deg].
    """
    azimuth, elevation = np.deg2rad((camera.azimuth, camera.elevation))
    flat = np.cos(elevation)
    ahead = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    away = points - (camera.lookat - camera.distance * ahead)
    plane = np.stack([away @ right, -(away @ np.cross(right, ahead))], axis=1)
    return plane / ((away @ ahead)[:, None] * np.tan(np.deg2rad(fovy) / 2))


@cache
def _screen() -> Any:
    # one for the process: making one takes longer than a hundred pictures of a small scene
    screen = mujoco.GLContext(64, 64)
    screen.make_current()
    return screen


@final
class Photographer:
    """Takes square pictures of one MuJoCo model, larger than asked for and then reduced, as a video is.

    Made for many models in turn, one at a time in a process and all in one thread: unlike `mujoco.Renderer` it shares
    the OpenGL context with its predecessors. It holds the model's meshes: `close` it, or use it as a context manager.

    Raises:
        ValueError: Sizes that are not positive.
    """

    def __init__(self, model: mujoco.MjModel, *, image_size: int, render_size: int) -> None:
        """Upload the model; `render_size` and `image_size` are widths and heights [px]."""
        if min(image_size, render_size) <= 0:
            raise ValueError(f"sizes must be > 0 px, got image_size {image_size} and render_size {render_size}")
        use_fast_quality(model)
        model.vis.global_.offwidth = model.vis.global_.offheight = render_size
        _screen().make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._alpha = model.geom_rgba[:, 3].copy()
        self._model, self._image_size = model, image_size
        self._scene, self._option = mujoco.MjvScene(model, _MAX_GEOMS), mujoco.MjvOption()
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._rectangle = mujoco.MjrRect(0, 0, render_size, render_size)
        self._pixels = np.zeros((render_size, render_size, 3), np.uint8)

    def picture(self, data: mujoco.MjData, camera: mujoco.MjvCamera) -> UInt8[np.ndarray, "size size 3"]:
        """Render the present state as `camera` sees it, RGB."""
        self._model.geom_rgba[:, 3] = np.where(self._in_sight(data, camera), self._alpha, 0.0)
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._option, None, camera, every, self._scene)
        self._model.geom_rgba[:, 3] = self._alpha
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._rectangle, self._context)
        image = Image.fromarray(self._pixels[::-1])  # OpenGL begins at the bottom
        return np.asarray(image.resize((self._image_size, self._image_size), Image.Resampling.BICUBIC))

    def _in_sight(self, data: mujoco.MjData, camera: mujoco.MjvCamera) -> Bool[np.ndarray, " geom"]:
        """Say which geoms may reach into the cone around the picture; MuJoCo itself draws those behind it, too."""
        azimuth, elevation = np.deg2rad((camera.azimuth, camera.elevation))
        flat = np.cos(elevation)
        ahead = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
        away = data.geom_xpos - (camera.lookat - camera.distance * ahead)
        depth = away @ ahead
        aside = np.sqrt(np.maximum((away**2).sum(axis=1) - depth**2, 0.0))
        half = np.arctan(np.sqrt(2.0) * np.tan(np.deg2rad(self._model.vis.global_.fovy) / 2))
        outside = aside * np.cos(half) - depth * np.sin(half)  # distance from the cone's surface
        return (outside < self._model.geom_rbound) | (self._model.geom_rbound == 0.0)

    def close(self) -> None:
        """Free the model's meshes and textures."""
        self._context.free()

    def __enter__(self) -> Self:
        """Return the photographer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the model's meshes and textures."""
        self.close()
