"""Progress along a plan of key points: where to touch, along which way points, how far along the way."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final, get_args

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.anchored_way import AnchoredWay, PlacedWay
from robo_reward.models.gripper_steps import GripperLimits, GripperSteps, StepMemory
from robo_reward.models.polyline import (
    AlongPolyline,
    Weighting,
    length_of,
    polyline_potential,
    segment_shares,
    spread_along,
)
from robo_reward.models.tracked_point import Located, PointSource
from robo_reward.plans.plan_file import plan_document, read_plan
from robo_reward.plans.way_points import Plan
from robo_reward.reward_model import Estimate, RecurrentRewardModel

OffWay = Literal["free", "costs"]
"""What it costs to be off the way: nothing, as published, or as much as that distance is worth on the way."""
Start = Literal["plan", "episode"]
"""Where the way begins: at the plan's w_0, or where the point is in the episode's first frame that knows it."""

FAR = 100.0
"""A point that begins farther off the way than this many times its length is in other units or another frame."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class AffordanceMemory:
    """What the model carries along a batch of episodes."""

    point: Any
    """The point source's own memory."""
    steps: StepMemory
    first: Float64[Tensor, "batch 3"]
    """Where the point was when it was first known [m]; NaN before."""
    anchors: Mapping[str, Any] = field(default_factory=dict)
    """Of the points that way points go along with: what each one's source carries along."""


@final
class KeypointAffordance:
    """Progress of a tracked point along the polyline of a plan's way points.

        Φ = (k* + t) / K   with k* the nearest allowed segment and t the place on it (`polyline_potential`)

    Where the plan opens or closes the gripper, segments after that step count only once it has happened (see
    `GripperSteps`); if the task ends with one, reaching w_K is worth K / (K + 1) and the step the rest. Unknown point
    or, where the plan needs it, unknown width: it abstains.

        spread² = gᵀ (Σ_point + (tolerance/2)² I) g + (b ‖∂Φ/∂p‖)²,   g = ∂Φ/∂p,   b = max(0, distance − tolerance)

    with the tolerance of the way point to which the segment leads: the plan is not meant more exactly, and says less
    the farther off the way the point is; a spread above 1 says nothing, and the model abstains. As published, progress
    itself does not mind: beside or beyond the goal is done as well. With off_way="costs" it does: Φ − b / length of the
    way, at least 0. Geometry only: that an object came along is told by the gripper alone; success is another signal.

    Way points may go along with points that are seen, such as the object (`relative_to` in the plan): the plan is then
    for wherever it lies. The covariance of the segment's end is added to Σ_point; while a way point is not known the
    model abstains.

    Args:
        plan: The plan, or its YAML file.
        point: Says where the tracked point is, such as `ToolPoint`.
        anchors: Name to what says where the point is that way points are relative to, such as `coloured_point`; exactly
            the names of the plan.
        gripper: Widths [m] that are open and closed, as a mapping of `GripperLimits`; None = gripper steps of the plan
            are not looked at.
        weighting: "segments" (1/K each, as published) or "arc_length".
        start: "plan", or "episode": w_0 is where the point is at first.
        off_way: "free", as published, or "costs".
        instruction: What the episodes are told to do; a plan of another task is refused. None = not checked.
        any_task: The plan is meant for the instruction although its task is put in other words.

    Raises:
        ValueError: An unknown weighting, start or off_way; a plan that is none, or of another task.
        FileNotFoundError: No such plan.

    Source:
        After Lee et al. 2025 (KAGI, 2407.10341); the formula is a reconstruction, spread and gripper steps are this
        project's own.
    """

    def __init__(
        self,
        plan: Plan | str | Path,
        *,
        point: PointSource,
        anchors: Mapping[str, PointSource] | None = None,
        gripper: GripperLimits | Mapping[str, Any] | None = None,
        weighting: Weighting = "segments",
        start: Start = "plan",
        off_way: OffWay = "free",
        instruction: str | None = None,
        any_task: bool = False,
    ) -> None:
        if start not in get_args(Start) or off_way not in get_args(OffWay):
            raise ValueError(f"start must be plan or episode, off_way free or costs; got {start!r} and {off_way!r}")
        self.plan = plan if isinstance(plan, Plan) else read_plan(plan)
        if instruction is not None and not any_task:
            _check_task(self.plan, instruction)
        self._point, self._start, self._weighting, self._off_way = point, start, weighting, off_way
        self._limits = None if gripper is None else GripperLimits.of(gripper)
        self._steps = None if self._limits is None else GripperSteps(self.plan, self._limits)
        self._way = AnchoredWay(self.plan, anchors or {})
        last_step = self._steps is not None and self._steps.ends_with_step
        self._share = _shares(self.plan, weighting, last_step=last_step)
        tolerance = [each.tolerance for each in self.plan.way_points[1:]]
        self._tolerance = torch.tensor(tolerance, dtype=torch.float64)

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of its memory."""
        return None

    @property
    def version(self) -> str:
        """Identifies plan, point source and settings."""
        limits = None if self._limits is None else [repr(self._limits)]
        parts = [plan_document(self.plan), self._point.version, limits, self._weighting, self._start, self._off_way]
        parts += [self._way.versions] if self._way.versions else []
        return hashlib.sha256(json.dumps(["KeypointAffordance", *parts]).encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of an episode."""
        return self.resume(clip, None)[0]

    def resume(self, seen: Clip, memory: AffordanceMemory | None) -> tuple[Estimate, AffordanceMemory]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`.

        Raises:
            ValueError: The clip's state lacks what the point source or the gripper steps need, or the point begins so
                far off the way that it must be in other units or another frame.
        """
        located, point = self._point.locate(seen, None if memory is None else memory.point)
        way, anchors = self._way.place(seen, None if memory is None else memory.anchors)
        first = self._first(located, way.position, None if memory is None else memory.first)
        stage, steps, known = self._stage(seen, located, way.position, None if memory is None else memory.steps)
        if self._start == "episode":
            begins = first[:, None]
            way.position[:, :, 0] = torch.where(begins.isnan(), way.position[:, :, 0], begins)
        after = AffordanceMemory(point=point, steps=steps, first=first, anchors=anchors)
        return self._told(known, way, stage), after

    def _stage(
        self, seen: Clip, located: Located, way: Tensor, before: StepMemory | None
    ) -> tuple[Tensor | None, StepMemory, Located]:
        """Give the gripper steps that have happened, None where nobody asks, and the point where all is known."""
        batch, width = seen.stamp.shape[0], self._width(seen)
        if self._steps is None or width is None:
            nothing = torch.zeros(batch, dtype=torch.int64)
            return None, StepMemory(stage=nothing, gripper=nothing.to(torch.int8)), located
        begun = self._steps.begin(batch) if before is None else before
        stage, steps = self._steps.resume(located.position, width, begun, way=way)
        return stage, steps, _unless(located, width.isnan())

    def _told(self, located: Located, way: PlacedWay, stage: Tensor | None) -> Estimate:
        allowed, settled = None, torch.full_like(located.position[..., 0], torch.nan)
        if self._steps is not None and stage is not None:
            allowed, settled = self._steps.allowed(stage), self._steps.settled(stage)
        along = polyline_potential(located.position, way.position, share=self._share, allowed=allowed)
        segment = along.segment.clamp(min=0)
        tolerance = self._tolerance[segment]
        beyond = torch.where(settled.isnan(), (along.distance - tolerance).clamp(min=0), 0.0)
        progress, gradient = self._off(along, beyond, way.position)
        progress = torch.where(settled.isnan() | progress.isnan(), progress, settled)
        meant = (tolerance / 2).square()[..., None, None] * torch.eye(3, dtype=torch.float64)
        covariance = located.covariance + _of_end(way, segment) + meant
        doubt = beyond * length_of(along.gradient)
        spread = (spread_along(gradient, covariance).square() + doubt.square()).sqrt()
        unknown = progress.isnan() | ~(spread <= 1)  # NaN compares as false
        return Estimate(
            progress=torch.where(unknown, torch.nan, progress).float(),
            spread=torch.where(unknown, torch.nan, spread).float(),
        )

    def _off(self, along: AlongPolyline, beyond: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
        """Give progress and its gradient with what it costs to be off the way."""
        if self._off_way == "free":
            return along.potential, along.gradient
        steps = length_of(way[..., 1:, :] - way[..., :-1, :])
        length = steps.cumsum(dim=-1)[..., -1]  # one after the other: the same bits in every batch
        outward = along.away / along.distance[..., None].clamp(min=1e-12)
        slope = torch.where(beyond > 0, 1 / length, 0.0)[..., None]
        return (along.potential - beyond / length).clamp(0, 1), along.gradient - outward * slope

    def _first(self, located: Located, way: Tensor, before: Tensor | None) -> Tensor:
        """The first known position of each episode; one that cannot be in metres of the base frame is refused."""
        batch = located.position.shape[0]
        seen = torch.full((batch, 3), torch.nan, dtype=torch.float64) if before is None else before
        known = ~located.position.isnan().any(dim=-1)
        at = (known.cumsum(dim=1) == 0).sum(dim=1).clamp(max=known.shape[1] - 1)
        rows = torch.arange(batch)
        here, there = torch.where(seen.isnan(), located.position[rows, at], torch.nan), way[rows, at]
        away = polyline_potential(here, there, share=self._share).distance.nan_to_num(0)
        length = length_of(there[:, 1:] - there[:, :-1]).sum(dim=-1)
        if bool((away > FAR * length).any()):
            worst = int((away - FAR * length).nan_to_num(-torch.inf).argmax())
            raise ValueError(
                f"the tracked point begins {away[worst]:.3g} m from the plan's way, which is {length[worst]:.3g} m "
                f"long: positions must be metres in the base frame '{self.plan.base_frame}' of the plan; are they "
                "millimetres (scale: 0.001), or of another frame?"
            )
        return torch.where(seen.isnan(), here, seen)

    def _width(self, seen: Clip) -> Tensor | None:
        """The gripper's width [m] where the plan needs it."""
        if self._steps is None or self._steps.num_steps == 0:
            return None
        if "gripper_width" not in seen.state:
            raise ValueError(
                "the plan opens or closes the gripper, and the clip's state has no 'gripper_width'; it has "
                f"{sorted(seen.state)}; give gripper=null to leave these steps out"
            )
        return seen.state["gripper_width"][..., 0]


def _shares(plan: Plan, weighting: Weighting, *, last_step: bool) -> Float64[Tensor, " segment"]:
    if weighting == "arc_length" and plan.anchors:
        raise ValueError(
            f"weighting=arc_length needs a way of one length, and way points are relative to {list(plan.anchors)}: "
            "choose weighting=segments"
        )
    return segment_shares(torch.tensor(plan.positions, dtype=torch.float64), weighting=weighting, last_step=last_step)


def _of_end(way: PlacedWay, segment: Tensor) -> Float64[Tensor, "batch time 3 3"]:
    """Covariance of the way point to which each frame's segment leads."""
    end = (segment + 1)[:, :, None, None, None].expand(-1, -1, -1, 3, 3)
    return way.covariance.gather(2, end)[:, :, 0]


def _check_task(plan: Plan, instruction: str) -> None:
    if " ".join(plan.task.split()).casefold() != " ".join(instruction.split()).casefold():
        raise ValueError(
            f"the plan is of the task '{plan.task}', the episodes are told '{instruction}': give each instruction its "
            "own plan, in prompts.file=FILE.yaml with `INSTRUCTION: {plan: PLAN.yaml}`; where both are the same task "
            "in other words, reward_model.any_task=true"
        )


def _unless(located: Located, unknown: Tensor) -> Located:
    return Located(
        position=torch.where(unknown[..., None], torch.nan, located.position),
        covariance=torch.where(unknown[..., None, None], torch.nan, located.covariance),
    )


_: type[RecurrentRewardModel] = KeypointAffordance  # the type checker holds the protocol
