"""The table-top tasks in many worlds: how each begins, what is observed of it, how far it is done."""

# warp is not in the environment that types are checked in
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, final

import torch
import warp as wp
from jaxtyping import Float32
from torch import Tensor

from robo_reward_sim.table_top import open as opening
from robo_reward_sim.table_top import pick, push, reach
from robo_reward_sim.table_top.kinematics import MAX_WIDTH
from robo_reward_sim.table_top.task import TOOL, WIDTH, TableTopTask
from robo_reward_sim.table_top.tasks import table_top_task
from robo_reward_sim.warp_table_top import layouts
from robo_reward_sim.warp_table_top.measures import (
    Flags,
    Observations,
    PerWorld,
    Points,
    apart,
    aside,
    funnel_distance,
    remaining,
    staged,
)
from robo_reward_sim.warp_table_top.physics import TableTopPhysics


class WarpTask(Protocol):
    """One task in many worlds; numbers, words and limits are those of the task on plain MuJoCo."""

    plain: TableTopTask
    """The task on plain MuJoCo."""

    def lay_out(self, physics: TableTopPhysics) -> None:
        """Put things somewhere in the worlds that start an episode."""
        ...

    def observe(self, physics: TableTopPhysics) -> list[Float32[Tensor, "world _number"]]:
        """Give the numbers of the task's `point_names`, as views of the simulator's memory."""
        ...

    def success(self, observation: Observations) -> Flags:
        """Say in which worlds the task is done."""
        ...

    def progress(self, observation: Observations, start: Observations) -> PerWorld:
        """Give how far the task is done, in [0, 1]; see the task on plain MuJoCo."""
        ...


@final
class WarpReach:
    """The tool has to come within 2 cm of a red ball."""

    plain = table_top_task("reach")

    def lay_out(self, physics: TableTopPhysics) -> None:
        """Draw where the ball is."""
        _draw(layouts.lay_out_reach, physics, physics.first_tool, physics.data.mocap_pos)

    def observe(self, physics: TableTopPhysics) -> list[Tensor]:
        """Give where the ball is."""
        return [wp.to_torch(physics.data.mocap_pos)[:, 0]]

    def success(self, observation: Observations) -> Flags:
        """Say where the tool is in the ball."""
        return self._distance(observation) <= reach.REACHED

    def progress(self, observation: Observations, start: Observations) -> PerWorld:
        """Give which part of the way is done."""
        left = remaining(self._distance(observation), touching=reach.REACHED, start=self._distance(start))
        return 1.0 - left

    def _distance(self, observation: Observations) -> PerWorld:
        return apart(observation[:, TOOL], observation[:, reach._GOAL])


@final
class WarpPush:
    """The puck has to come within 2.5 cm of the mark."""

    plain = table_top_task("push")

    def lay_out(self, physics: TableTopPhysics) -> None:
        """Draw where puck and mark are."""
        puck_at = int(physics.model.joint("object").qposadr[0])
        _draw(layouts.lay_out_push, physics, puck_at, physics.data.qpos, physics.data.mocap_pos)

    def observe(self, physics: TableTopPhysics) -> list[Tensor]:
        """Give where puck and mark are."""
        puck = wp.to_torch(physics.data.xpos)[:, physics.model.body("object").id]
        return [puck, wp.to_torch(physics.data.mocap_pos)[:, 0]]

    def success(self, observation: Observations) -> Flags:
        """Say where the puck is on the mark."""
        return self._distance(observation) <= push.AT_THE_MARK

    def progress(self, observation: Observations, start: Observations) -> PerWorld:
        """Give how far the puck and, before it, the tool have come."""
        left = remaining(self._distance(observation), touching=push.AT_THE_MARK, start=self._distance(start))
        way = remaining(self._way_to_go(observation), touching=0.01, start=self._way_to_go(start))
        return staged(1.0 - way, 1.0 - left, weight=push._WEIGHT)

    def _distance(self, observation: Observations) -> PerWorld:
        return aside(observation[:, push._OBJECT], observation[:, push._GOAL])

    def _way_to_go(self, observation: Observations) -> PerWorld:
        """Give the way of the tool to the point behind the puck, seen from the mark."""
        puck, mark = observation[:, push._OBJECT], observation[:, push._GOAL]
        distance = self._distance(observation)
        ahead = (mark - puck)[:, :2] / distance[:, None]
        ahead = torch.where((distance < 1e-9)[:, None], torch.tensor([1.0, 0.0]).to(ahead), ahead)
        behind = puck[:, :2] - push._BEHIND * ahead
        height = torch.full_like(behind[:, :1], push._HEIGHT)
        return funnel_distance(observation[:, TOOL], torch.cat([behind, height], dim=1))


@final
class WarpPick:
    """The cube has to be held 10 cm above where it lay."""

    plain = table_top_task("pick")

    def lay_out(self, physics: TableTopPhysics) -> None:
        """Draw where the cube lies."""
        _draw(layouts.lay_out_pick, physics, int(physics.model.joint("object").qposadr[0]), physics.data.qpos)

    def observe(self, physics: TableTopPhysics) -> list[Tensor]:
        """Give where the cube is."""
        return [wp.to_torch(physics.data.xpos)[:, physics.model.body("object").id]]

    def success(self, observation: Observations) -> Flags:
        """Say where the cube is held high enough."""
        return self._lift(observation) >= 1.0

    def progress(self, observation: Observations, start: Observations) -> PerWorld:
        """Give how far the cube is lifted and, before that, how nearly it is grasped."""
        way = remaining(self._way_to_go(observation), touching=0.01, start=self._way_to_go(start))
        before = pick._OF_APPROACH * (1.0 - way) + (1.0 - pick._OF_APPROACH) * self._grip(observation)
        return staged(before, self._lift(observation), weight=pick._WEIGHT)

    def _way_to_go(self, observation: Observations) -> PerWorld:
        return funnel_distance(observation[:, TOOL], observation[:, pick._OBJECT])

    def _nearness(self, observation: Observations) -> PerWorld:
        distance = apart(observation[:, TOOL], observation[:, pick._OBJECT])
        return 1.0 - remaining(distance, touching=0.012, start=0.03)

    def _grip(self, observation: Observations) -> PerWorld:
        width = remaining(observation[:, WIDTH], touching=pick.CUBE * 1.05, start=MAX_WIDTH)
        return self._nearness(observation) * (1.0 - width)

    def _lift(self, observation: Observations) -> PerWorld:
        height = (observation[:, pick._OBJECT][:, 2] - pick.CUBE / 2) / pick.LIFTED
        return torch.where(self._nearness(observation) > 0.0, height.clamp(0.0, 1.0), 0.0)


@final
class WarpOpen:
    """The drawer has to come 12 cm out."""

    plain = table_top_task("open")

    def lay_out(self, physics: TableTopPhysics) -> None:
        """Draw where the cabinet stands."""
        model, data = physics.model, physics.data
        drawer_at, cabinet = int(model.joint("drawer").qposadr[0]), int(model.body("cabinet").id)
        geoms = wp.vec2i(int(model.body_geomadr[cabinet]), int(model.body_geomnum[cabinet]))
        places = [physics.device_model.geom_pos, data.qpos, physics.device_model.body_pos, data.geom_xpos]
        _draw(layouts.lay_out_open, physics, drawer_at, cabinet, geoms, *places)

    def observe(self, physics: TableTopPhysics) -> list[Tensor]:
        """Give where the handle is, and how far the drawer is out."""
        handle = wp.to_torch(physics.data.site_xpos)[:, physics.model.site("handle").id]
        drawer_at = int(physics.model.joint("drawer").qposadr[0])
        return [handle, wp.to_torch(physics.data.qpos)[:, drawer_at : drawer_at + 1]]

    def success(self, observation: Observations) -> Flags:
        """Say where the drawer is open."""
        return observation[:, opening._OPENING] >= opening.OPENED

    def progress(self, observation: Observations, start: Observations) -> PerWorld:
        """Give how far the drawer and, before it, the tool have come."""
        motion = (observation[:, opening._OPENING] / opening.OPENED).clamp(0.0, 1.0)
        way = remaining(self._way_to_go(observation), touching=0.01, start=self._way_to_go(start))
        return staged(1.0 - way, motion, weight=opening._WEIGHT)

    def _way_to_go(self, observation: Observations) -> PerWorld:
        hook: Points = observation[:, opening._HANDLE] + torch.as_tensor(opening._BEHIND).to(observation)
        return funnel_distance(observation[:, TOOL], hook)


WARP_TASKS: Mapping[str, WarpTask] = MappingProxyType(
    {"reach": WarpReach(), "push": WarpPush(), "pick": WarpPick(), "open": WarpOpen()}
)
"""Every task by name."""


def warp_task(name: str) -> WarpTask:
    """Return a task by its name, or raise ValueError with the names that there are."""
    if name not in WARP_TASKS:
        raise ValueError(f"unknown table-top task '{name}'; available: {', '.join(WARP_TASKS)}")
    return WARP_TASKS[name]


def _draw(kernel: Any, physics: TableTopPhysics, *arguments: Any) -> None:
    inputs = [physics.starts, physics.seed, physics.episode, *arguments]
    wp.launch(kernel, dim=physics.num_worlds, inputs=inputs)
