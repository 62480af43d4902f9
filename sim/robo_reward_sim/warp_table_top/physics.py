"""The physics of one task's scene in many worlds, without a notion of episodes."""

# warp is not in the environment that types are checked in
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from pathlib import Path
from typing import final

# before MuJoCo is imported: it chooses OpenGL without a screen
import robo_reward_sim.rendering  # isort: skip

import mujoco
import mujoco_warp
import torch
import warp as wp
from jaxtyping import Bool, Float, Float32
from torch import Tensor

import robo_reward_sim.table_top
from robo_reward_sim.table_top.kinematics import ARM_JOINTS
from robo_reward_sim.table_top.scene import PHYSICS_STEP, num_physics_steps
from robo_reward_sim.warp_table_top import motion
from robo_reward_sim.warp_table_top.arm import arm_of
from robo_reward_sim.warp_table_top.replay import Replay

_FOLDER = Path(robo_reward_sim.table_top.__file__).parent
_ACTION = 4
# contacts and constraint rows that a world may have: a grasped cube has about 12 and 60; MuJoCo Warp says when too few
_CONTACTS, _CONSTRAINTS = 32, 192


@final
class TableTopPhysics:
    """One scene in many worlds on one device: moved by tool displacements, begun anew world by world.

    Everything that a step needs is a fixed sequence of kernels over buffers that stay where they are, so that on CUDA
    it runs as one graph. A world's trajectory depends on the seed, its number, how many episodes it began before, and
    its own actions: not on the other worlds.
    """

    def __init__(
        self, file: str, *, num_worlds: int, step_duration: float, seed: int, device: str, deterministic: bool = True
    ) -> None:
        """Load the scene.

        Args:
            file: Of the scene, in the table-top tasks' folder.
            num_worlds: At least 1.
            step_duration: Time between two actions [s].
            seed: Of everything that is drawn, in [0, 2³¹).
            device: "cpu", "cuda", "cuda:1" …
            deterministic: The same bits in every run on CUDA too, where contacts are then sorted; the CPU gives them
                anyway.

        Raises:
            ValueError: No world, a seed outside its range, a duration that is no multiple of the physics step, or a
                device that warp does not have.
        """
        if num_worlds < 1 or not 0 <= seed < 2**31:
            raise ValueError(f"num_worlds must be >= 1 and seed in [0, 2^31), got {num_worlds} and {seed}")
        self.num_worlds, self.step_duration, self.seed = num_worlds, step_duration, seed
        self._num_steps = num_physics_steps(step_duration)
        self.device = _device(device)
        self.model = mujoco.MjModel.from_xml_path(str(_FOLDER / file))
        self.model.opt.timestep = PHYSICS_STEP
        with wp.ScopedDevice(self.device):
            self._allocate(deterministic)
        self._tool, self._width = int(self.model.site("tool").id), int(self.model.tendon("width").id)

    def _allocate(self, deterministic: bool) -> None:
        worlds, model = self.num_worlds, self.model
        # places of bodies may differ from world to world: the cabinet stands elsewhere in each
        self.device_model = mujoco_warp.put_model(model, batch_sizes={"body_pos": worlds})
        kinds = mujoco_warp.DeterminismType
        self.device_model.opt.deterministic = kinds.ALL if deterministic else kinds.NONE
        self.data = mujoco_warp.make_data(model, nworld=worlds, nconmax=_CONTACTS, njmax=_CONSTRAINTS)
        self.starts, self.episode = wp.zeros(worlds, dtype=wp.bool), wp.full(worlds, -1, dtype=int)
        self.first_tool = wp.zeros(worlds, dtype=wp.vec3)
        self._action = wp.zeros((worlds, _ACTION), dtype=float)
        self._target = wp.zeros((worlds, len(ARM_JOINTS)), dtype=float)
        self._arm = arm_of(model)

    @property
    def torch_device(self) -> torch.device:
        """Where tensors of the worlds are."""
        return torch.device(wp.device_to_torch(self.device))

    def advance(self, lay_out: Callable[[], None]) -> Replay:
        """Give what acts in every world and then begins an episode where `starts` says so."""

        def launches() -> None:
            self._aim()
            for _ in range(self._num_steps):
                mujoco_warp.step(self.device_model, self.data)
            wp.launch(motion.arrive, dim=self._target.shape, inputs=[self._target], outputs=[self.data.act])
            self._begin(lay_out)

        return Replay(launches, device=self.device)

    def begin(self, lay_out: Callable[[], None]) -> Replay:
        """Give what begins an episode where `starts` says so."""
        return Replay(lambda: self._begin(lay_out), device=self.device)

    def command(self, action: Float[Tensor, "world 4"], starts: Bool[Tensor, " world"]) -> None:
        """Say how every world acts in the next `advance`, and which begin an episode instead."""
        wp.to_torch(self._action).copy_(action)
        wp.to_torch(self.starts).copy_(starts)

    def arm_state(self) -> list[Float32[Tensor, "world _number"]]:
        """Give where the tool is [m] and the distance of the fingers [m], as views of the simulator's memory."""
        tool = wp.to_torch(self.data.site_xpos)[:, self._tool]
        return [tool, wp.to_torch(self.data.ten_length)[:, self._width : self._width + 1]]

    def _aim(self) -> None:
        inputs = [self._action, self._arm, self._tool, self.step_duration, self.data.site_xpos, self.data.act]
        wp.launch(motion.aim, dim=self.num_worlds, inputs=inputs, outputs=[self.data.ctrl, self._target])

    def _begin(self, lay_out: Callable[[], None]) -> None:
        state = [self.data.qpos, self.data.qvel, self.data.act, self.data.ctrl, self.data.qacc_warmstart]
        inputs = [self.starts, self.seed, self.episode, self._arm, *state, self.first_tool]
        wp.launch(motion.begin, dim=self.num_worlds, inputs=inputs)
        lay_out()
        # what pictures and observations show; the next step computes the rest from these positions
        mujoco_warp.kinematics(self.device_model, self.data)
        mujoco_warp.com_pos(self.device_model, self.data)
        mujoco_warp.camlight(self.device_model, self.data)
        mujoco_warp.tendon(self.device_model, self.data)


def _device(name: str) -> wp.Device:
    try:
        return wp.get_device(name)
    except ValueError as error:
        had = ", ".join(str(each) for each in wp.get_devices())
        raise ValueError(f"warp has no device '{name}'; there are: {had}") from error
