"""Stands in for Isaac Gym and Isaac Lab: the same tensor interface over a small MuJoCo scene of several worlds.

A green ball slides along a line before a grey wall; an action is its velocity. Where it has come past 0.8 m the episode
terminates, after `LIMIT` steps it is truncated. The stand-ins hold what NVIDIA's documentation says to be true, also
where a program would get away with less on one version or another: pictures show what `fetch_results` and
`step_graphics` brought over, buffers are readable between start and end of access only and are overwritten, tasks
reuse the buffers that they give away, and Isaac Gym resets a world within the step after its episode's end.
"""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from robo_reward_sim.rendering import use_fast_quality  # isort: skip  # before MuJoCo: OpenGL without a screen
import mujoco
import numpy as np
import torch

GOAL, LIMIT, STEP = 0.8, 12, 0.1
SCENE = """<mujoco><visual><global offwidth="64" offheight="64"/></visual><worldbody>
<light pos="0 -1 3"/><geom type="plane" size="3 3 .1" rgba=".5 .5 .5 1"/>
<body pos="0 0 .2"><joint type="slide" axis="1 0 0"/><geom type="sphere" size=".15" rgba="0 1 0 1"/></body>
</worldbody></mujoco>"""


class Vec3:
    def __init__(self, x=0.0, y=0.0, z=0.0):
        self.x, self.y, self.z = x, y, z


class CameraProperties:
    def __init__(self):
        self.width, self.height, self.horizontal_fov, self.enable_tensors = 1600, 900, 90.0, False


class GymTensor:
    """Opaque, but for `wrap_tensor`."""

    def __init__(self, memory):
        self._memory = memory


class Camera:
    def __init__(self, properties, device):
        self.properties, self.free = properties, mujoco.MjvCamera()
        self.memory = torch.zeros(properties.height, properties.width, 4, dtype=torch.uint8, device=device)


class Gym:
    """The part of `gymapi.Gym` that is typed in `typings/`; a world's handle is its number."""

    def __init__(self, *, graphics: bool = True, device: str = "cpu"):
        self.model, self.positions = mujoco.MjModel.from_xml_string(SCENE), torch.zeros(0)
        use_fast_quality(self.model)
        self.data, self.graphics, self.device = mujoco.MjData(self.model), graphics, device
        self.cameras: list[tuple[int, Camera]] = []
        self.fetched = self.shown = self.positions
        self.open, self._renderers = False, {}

    def simulate(self, positions):
        self.positions = positions.clone()

    def create_camera_sensor(self, world, properties):
        if not self.graphics:
            return -1
        self.cameras.append((world, Camera(properties, self.device)))
        return len(self.cameras) - 1

    def set_camera_location(self, camera, world, position, target):
        assert self.cameras[camera][0] == world
        away = np.array([target.x - position.x, target.y - position.y, target.z - position.z])
        free, distance = self.cameras[camera][1].free, np.linalg.norm(away)
        free.lookat[:], free.distance = (target.x, target.y, target.z), distance
        free.azimuth = np.rad2deg(np.arctan2(away[1], away[0]))
        free.elevation = np.rad2deg(np.arcsin(away[2] / distance))

    def get_camera_image_gpu_tensor(self, sim, world, camera, kind):
        assert (sim, kind) == ("sim", "color")
        owner, one = self.cameras[camera]
        assert owner == world
        assert one.properties.enable_tensors, "enable_tensors was not set before the camera was made"
        return GymTensor(one.memory)

    def fetch_results(self, sim, wait):
        assert (sim, wait) == ("sim", True)
        self.fetched = self.positions

    def step_graphics(self, sim):
        self.shown = self.fetched

    def render_all_camera_sensors(self, sim):
        self.rendered = [self._picture(world, camera) for world, camera in self.cameras]

    def start_access_image_tensors(self, sim):
        assert not self.open
        self.open = True
        for (_, camera), picture in zip(self.cameras, self.rendered, strict=True):
            camera.memory[..., :3] = torch.from_numpy(picture).to(self.device)
            camera.memory[..., 3] = 255

    def end_access_image_tensors(self, sim):
        assert self.open
        self.open = False
        for _, camera in self.cameras:
            camera.memory.fill_(7)  # whoever still reads it reads rubbish

    def _picture(self, world, camera):
        size = (camera.properties.height, camera.properties.width)
        if size not in self._renderers:
            self._renderers[size] = mujoco.Renderer(self.model, *size)
        self.data.qpos[0] = float(self.shown[world])
        mujoco.mj_forward(self.model, self.data)
        self._renderers[size].update_scene(self.data, camera.free)
        return self._renderers[size].render()

    def close(self):
        for renderer in self._renderers.values():
            renderer.close()


def install(monkeypatch) -> None:
    """Let `from isaacgym import gymapi, gymtorch` give the stand-ins."""
    package, gymapi, gymtorch = (ModuleType(f"isaacgym{name}") for name in ("", ".gymapi", ".gymtorch"))
    gymapi.Vec3, gymapi.CameraProperties, gymapi.IMAGE_COLOR = Vec3, CameraProperties, "color"
    gymtorch.wrap_tensor = lambda tensor: tensor._memory
    package.gymapi, package.gymtorch = gymapi, gymtorch
    for module in (package, gymapi, gymtorch):
        monkeypatch.setitem(sys.modules, module.__name__, module)


class Task:
    """A task in the manner of IsaacGymEnvs' `VecTask`, over the stand-in's worlds."""

    def __init__(self, gym: Gym, num_worlds: int):
        self.gym, self.num_worlds, self.rng = gym, num_worlds, torch.Generator().manual_seed(0)
        self.position, self.length = torch.zeros(num_worlds), torch.zeros(num_worlds, dtype=torch.long)
        self.reset_buf, self.rew_buf = torch.ones(num_worlds, dtype=torch.long), torch.zeros(num_worlds)
        self.obs_dict, self.extras = {"obs": torch.zeros(num_worlds, 1)}, {}
        self.terminal: torch.Tensor = torch.zeros(num_worlds, dtype=torch.bool)

    def zero_actions(self):
        return torch.zeros(self.num_worlds, 1)

    def reset(self):
        return self.obs_dict  # as VecTask's: the worlds are reset within the first step

    def step(self, actions) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor, dict[str, Any]]:
        self.position += STEP * actions[:, 0]
        self.length += 1
        again = self.reset_buf.nonzero()[:, 0]
        self.position[again] = -0.6 + 0.4 * torch.rand(len(again), generator=self.rng)
        self.length[again] = 0
        self.gym.simulate(self.position)
        self.terminal = self.position > GOAL
        self.rew_buf[:] = self.terminal.float()
        limit = self.length >= LIMIT
        self.reset_buf[:] = (self.terminal | limit).long()
        self.extras["time_outs"] = limit & ~self.terminal
        self.obs_dict["obs"][:] = self.position[:, None]
        return self.obs_dict, self.rew_buf, self.reset_buf, self.extras


class LabCamera:
    """A sensor whose pictures are brought up to date when they are asked for, in the same buffer."""

    def __init__(self, env: "LabEnv"):
        self._env = env

    @property
    def data(self):
        return SimpleNamespace(output=self._env.output())


class LabEnv:
    """An environment in the manner of Isaac Lab's `DirectRLEnv`, over the stand-in's worlds and one camera."""

    def __init__(self, gym: Gym, num_worlds: int):
        self.gym, self.num_envs, self.step_dt = gym, num_worlds, STEP
        self.rng, self.position = torch.Generator().manual_seed(0), torch.zeros(num_worlds)
        self.length = torch.zeros(num_worlds, dtype=torch.long)
        self._rgb = torch.zeros(num_worlds, 24, 32, 3, dtype=torch.uint8)
        self.scene, self.kinds = SimpleNamespace(sensors={"tiled_camera": LabCamera(self)}), ("rgb",)

    def output(self):
        self.gym.shown = self.position.clone()
        self._rgb[:] = torch.from_numpy(np.stack([self.gym._picture(*camera) for camera in self.gym.cameras]))
        return dict.fromkeys(self.kinds, self._rgb)

    def reset(self):
        self._reset_idx(range(self.num_envs))
        return {"policy": self.position[:, None].clone()}, {}

    def _reset_idx(self, env_ids):
        rows = torch.as_tensor(list(env_ids))
        self.position[rows] = -0.6 + 0.4 * torch.rand(len(rows), generator=self.rng)
        self.length[rows] = 0

    def step(self, action):
        self.position += STEP * action[:, 0]
        self.length += 1
        terminated, time_out = self.position > GOAL, self.length >= LIMIT
        ended = (terminated | time_out).nonzero()[:, 0]
        if len(ended):
            self._reset_idx(ended)
        return {"policy": self.position[:, None].clone()}, terminated.float(), terminated, time_out, {}
