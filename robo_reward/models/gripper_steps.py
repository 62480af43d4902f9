"""Step changes of a plan: grasped and released, told from the width of the gripper, with memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Bool, Float64, Int8, Int64
from torch import Tensor

from robo_reward.plans.way_points import Plan

OPEN, UNKNOWN, CLOSED = 1, 0, -1


@dataclass(frozen=True, slots=True, kw_only=True)
class GripperLimits:
    """Which widths [m] are open and closed; between the two the last state goes on, so that noise changes nothing.

    Raises:
        ValueError: Limits that are not 0 <= empty_below <= closed_below < open_above.
    """

    closed_below: float
    """At most this wide is closed: a little more than the object is, where it holds one."""
    open_above: float
    """At least this wide is open."""
    empty_below: float = 0.0
    """Narrower than this it is closed on nothing, which is no grasp; 0 = never."""

    def __post_init__(self) -> None:
        if not 0 <= self.empty_below <= self.closed_below < self.open_above:
            raise ValueError(
                "gripper limits must be 0 <= empty_below <= closed_below < open_above [m], got "
                f"{self.empty_below}, {self.closed_below}, {self.open_above}"
            )

    @classmethod
    def of(cls, limits: "GripperLimits | Mapping[str, Any]") -> "GripperLimits":
        """Take limits, or a mapping of their plain values."""
        return limits if isinstance(limits, GripperLimits) else cls(**limits)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StepMemory:
    """What is carried along a batch of episodes."""

    stage: Int64[Tensor, " batch"]
    """Gripper steps that have happened and were not undone."""
    gripper: Int8[Tensor, " batch"]
    """Last known state: `OPEN`, `CLOSED`, or `UNKNOWN` before the first."""


@final
class GripperSteps:
    """Follows which gripper steps of a plan have happened.

    The step at way point g happens when the gripper has the wanted state within the way point's tolerance (at w_0:
    anywhere). It is undone when a grasp opens anywhere (the object was dropped), when a wanted opening at w_0 closes,
    and when a release closes again where it was made. Progress along segment k counts only when the last step at or
    before w_k has happened, and only segments up to the next step are looked at: the way back up from a grasp is not
    mistaken for the way down to it.

    Args:
        plan: What is to be done.
        limits: Which widths are open and closed.
    """

    def __init__(self, plan: Plan, limits: GripperLimits) -> None:
        self._limits = limits
        steps = plan.gripper_steps
        self.num_steps, num_segments = len(steps), len(plan.way_points) - 1
        self._place = torch.tensor(plan.positions[list(steps)], dtype=torch.float64).reshape(-1, 3)
        self._vertices = list(steps)
        self._reach2 = torch.tensor([plan.way_points[step].tolerance ** 2 for step in steps], dtype=torch.float64)
        self._wanted = torch.tensor(
            [OPEN if plan.way_points[step].gripper == "open" else CLOSED for step in steps], dtype=torch.int8
        )
        self._anywhere = torch.tensor([step == 0 for step in steps])
        self._ends_here = bool(steps) and steps[-1] == num_segments
        bounds = torch.tensor([0, *steps, num_segments])
        segment, stages = torch.arange(num_segments), torch.arange(self.num_steps + 1)[:, None]
        self._allowed = (segment >= bounds[stages]) & (segment < bounds[stages + 1])
        # before a step at w_0 and after one at w_K there is no segment: the way has not begun, or all is done
        self._settled = torch.full((self.num_steps + 1,), torch.nan, dtype=torch.float64)
        for stage, end, progress in ((0, 0, 0.0), (-1, -1, 1.0)):
            if not bool(self._allowed[stage].any()):
                self._allowed[stage, end], self._settled[stage] = True, progress

    @property
    def ends_with_step(self) -> bool:
        """Whether the task is done by the gripper at w_K, after the way is gone."""
        return self._ends_here

    def begin(self, batch: int) -> StepMemory:
        """Give the memory of episodes that begin."""
        return StepMemory(
            stage=torch.zeros(batch, dtype=torch.int64), gripper=torch.full((batch,), UNKNOWN, dtype=torch.int8)
        )

    def resume(
        self,
        point: Float64[Tensor, "batch time 3"],
        width: Float64[Tensor, "batch time"],
        memory: StepMemory,
        *,
        way: Float64[Tensor, "batch time vertex 3"] | None = None,
    ) -> tuple[Int64[Tensor, "batch time"], StepMemory]:
        """Give how many steps have happened by each frame.

        Args:
            point: Tracked point [m]; NaN where unknown: nothing happens then.
            width: Of the gripper [m]; NaN where unknown: nothing happens then.
            memory: After the frame before.
            way: Where the plan's way points are [m], where they move; NaN where unknown: nothing happens there then.
        """
        if self.num_steps == 0:
            return torch.zeros_like(width, dtype=torch.int64), memory
        away = point[:, :, None] - (self._place if way is None else way[:, :, self._vertices])
        square = away * away
        near = (square[..., 0] + square[..., 1] + square[..., 2] <= self._reach2) | self._anywhere
        known, stages = ~(point.isnan().any(dim=-1) | width.isnan()), []
        for time in range(width.shape[1]):
            memory = self._frame(near[:, time], width[:, time], known[:, time], memory)
            stages.append(memory.stage)
        return torch.stack(stages, dim=1), memory

    def allowed(self, stage: Int64[Tensor, "*batch"]) -> Bool[Tensor, "*batch segment"]:
        """Give the segments that count after so many steps."""
        return self._allowed[stage]

    def settled(self, stage: Int64[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
        """Give the progress where no segment decides it: 0 before a step at w_0, 1 after one at w_K; else NaN."""
        return self._settled[stage]

    def _frame(self, near: Tensor, width: Tensor, known: Tensor, memory: StepMemory) -> StepMemory:
        gripper = torch.where(width >= self._limits.open_above, OPEN, memory.gripper.to(torch.int64))
        gripper = torch.where(width <= self._limits.closed_below, CLOSED, gripper)
        empty = width < self._limits.empty_below
        stage = memory.stage
        for _ in range(self.num_steps):
            stage = torch.where(self._undone(stage, near, gripper, empty), stage - 1, stage)
        for _ in range(self.num_steps):
            stage = torch.where(self._happens(stage, near, gripper, empty), stage + 1, stage)
        return StepMemory(stage=torch.where(known, stage, memory.stage), gripper=gripper.to(torch.int8))

    def _undone(self, stage: Tensor, near: Tensor, gripper: Tensor, empty: Tensor) -> Tensor:
        last = (stage - 1).clamp(min=0)
        grasp = self._wanted[last] == CLOSED
        lost = grasp & ((gripper == OPEN) | empty)
        shut = ~grasp & (gripper == CLOSED) & near.gather(1, last[:, None])[:, 0]
        # unless it is the next step: a release where one is wanted, a grasp at the grasp
        return (stage > 0) & (lost | shut) & ~self._happens(stage, near, gripper, empty)

    def _happens(self, stage: Tensor, near: Tensor, gripper: Tensor, empty: Tensor) -> Tensor:
        following = stage.clamp(max=self.num_steps - 1)
        wanted = self._wanted[following]
        so = (gripper == wanted) & ~((wanted == CLOSED) & empty)
        return (stage < self.num_steps) & so & near.gather(1, following[:, None])[:, 0]
