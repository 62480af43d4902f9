"""Isaac Gym's cameras as frames on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import UInt8
from torch import Tensor

if TYPE_CHECKING:
    from isaacgym import gymapi  # pyright: ignore[reportMissingModuleSource]  # NVIDIA's download; types are in typings/


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPlacement:
    """Where a camera stands in every world, and what it is like.

    Raises:
        ValueError: A picture without pixels, a field of view outside (0, 180), a camera that looks at itself.
    """

    position: tuple[float, float, float]
    """In the world's own frame [m]."""
    target: tuple[float, float, float]
    """What is in the centre of the picture [m]."""
    width: int
    """Of a picture [px]."""
    height: int
    """Of a picture [px]."""
    horizontal_fov: float = 60.0
    """[deg]."""

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(f"width and height must be > 0 px, got {self.width} and {self.height}")
        if not 0 < self.horizontal_fov < 180:
            raise ValueError(f"horizontal_fov must be in (0, 180) degrees, got {self.horizontal_fov:g}")
        if self.position == self.target:
            raise ValueError(f"a camera cannot look at where it is, {self.position}")


@final
class IsaacGymCameras:
    """Named cameras in every world, read as tensors on the simulator's graphics device.

    Make it after the worlds and before `gym.prepare_sim`; the simulation needs a graphics device even without a screen.

    Raises:
        ValueError: No world or no camera, or the simulation was made without a graphics device.
        ImportError: `isaacgym` is not installed.
    """

    def __init__(
        self,
        gym: gymapi.Gym,
        sim: gymapi.Sim,
        worlds: Sequence[gymapi.Env],
        *,
        cameras: Mapping[str, CameraPlacement],
    ) -> None:
        if not worlds or not cameras:
            raise ValueError(f"worlds and cameras must be given, got {len(worlds)} worlds and cameras {list(cameras)}")
        self._gym, self._sim = gym, sim
        self._pictures = {
            name: [_created(gym, sim, world, name, placement) for world in worlds]
            for name, placement in cameras.items()
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Of the cameras."""
        return tuple(self._pictures)

    @property
    def num_worlds(self) -> int:
        """Worlds that have the cameras."""
        return len(next(iter(self._pictures.values())))

    def frames(self) -> dict[str, UInt8[Tensor, "world 3 height width"]]:
        """Render every world's present state: a new RGB tensor per camera, on the device.

        The simulator's own buffers may be read between two calls only, and hold other pictures after the next one.
        """
        self._gym.fetch_results(self._sim, True)  # else pictures lag behind the physics
        self._gym.step_graphics(self._sim)
        self._gym.render_all_camera_sensors(self._sim)
        self._gym.start_access_image_tensors(self._sim)
        try:
            # stacking copies, so that nothing of the simulator's memory is left in what is given away
            return {
                name: torch.stack([picture[..., :3].permute(2, 0, 1) for picture in pictures])
                for name, pictures in self._pictures.items()
            }
        finally:
            self._gym.end_access_image_tensors(self._sim)


def _created(
    gym: gymapi.Gym, sim: gymapi.Sim, world: gymapi.Env, name: str, placement: CameraPlacement
) -> UInt8[Tensor, "height width 4"]:
    # here and not above: importing this module must be possible where NVIDIA's download is not, and whoever has it
    # imports it before torch
    from isaacgym import gymapi, gymtorch  # noqa: PLC0415  # pyright: ignore[reportMissingModuleSource]

    properties = gymapi.CameraProperties()
    properties.width, properties.height = placement.width, placement.height
    properties.horizontal_fov, properties.enable_tensors = placement.horizontal_fov, True
    camera = gym.create_camera_sensor(world, properties)
    if camera < 0:
        raise ValueError(
            f"camera '{name}' cannot be made: the simulation has no graphics device; "
            "give create_sim one (graphics_device_id >= 0), without a screen too"
        )
    gym.set_camera_location(camera, world, gymapi.Vec3(*placement.position), gymapi.Vec3(*placement.target))
    return gymtorch.wrap_tensor(gym.get_camera_image_gpu_tensor(sim, world, camera, gymapi.IMAGE_COLOR))
