"""Pictures of every world, cast by rays on the device and handed over without leaving it."""

# warp is not in the environment that types are checked in
# pyright: reportMissingImports=false

from collections.abc import Sequence
from typing import final

import mujoco_warp
import torch
import warp as wp
from jaxtyping import UInt8
from torch import Tensor

from robo_reward_sim.table_top.scene import check_cameras
from robo_reward_sim.warp_table_top.physics import TableTopPhysics
from robo_reward_sim.warp_table_top.replay import Replay

_BYTES = 4  # of a packed pixel: blue, green, red, alpha, as every processor here stores them


@final
class WorldCameras:
    """The scene's cameras in every world.

    Pictures show what `TableTopScene.frames` shows, by another renderer: rays through the centres of pixels instead of
    triangles, so that round things are round, and edges may lie a pixel beside; lights are the same, without shadows.

    Args:
        physics: The worlds.
        cameras: Of `CAMERAS`.
        height: Of a picture [px].
        width: Of a picture [px].

    Raises:
        ValueError: No camera, an unknown one, one twice, or a picture without pixels.
    """

    def __init__(self, physics: TableTopPhysics, cameras: Sequence[str], *, height: int, width: int) -> None:
        check_cameras(cameras)
        if not cameras or len(set(cameras)) != len(cameras):
            raise ValueError(f"cameras must be different ones, and at least one, got {list(cameras)}")
        if min(height, width) <= 0:
            raise ValueError(f"height and width must be > 0 px, got {height} and {width}")
        self.names, self.height, self.width = tuple(cameras), height, width
        self._physics = physics
        with wp.ScopedDevice(physics.device):
            self._context = mujoco_warp.create_render_context(
                physics.model,
                nworld=physics.num_worlds,
                cam_active=list(cameras),
                cam_res=(width, height),
                render_rgb=True,
                render_depth=False,
                render_seg=False,
                use_shadows=False,
            )
        self._look = Replay(self._cast, device=physics.device)
        packed = wp.to_torch(self._context.rgb_data).view(torch.uint8)
        self._pixels = packed.view(physics.num_worlds, len(cameras), height, width, _BYTES)

    def frames(self) -> dict[str, UInt8[Tensor, "world 3 height width"]]:
        """Take a picture of every world's present state: a new RGB tensor per camera, on the device."""
        self._look()
        return {name: self._rgb(self._pixels[:, place]) for place, name in enumerate(self.names)}

    def _cast(self) -> None:
        mujoco_warp.refit_bvh(self._physics.device_model, self._physics.data, self._context)
        mujoco_warp.render(self._physics.device_model, self._physics.data, self._context)

    def _rgb(self, pixels: UInt8[Tensor, "world height width 4"]) -> UInt8[Tensor, "world 3 height width"]:
        # the one copy that there is: the renderer writes over its own memory
        return torch.stack([pixels[..., 2], pixels[..., 1], pixels[..., 0]], dim=1)
