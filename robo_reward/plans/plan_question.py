"""Asks a vision-language model for a key-point plan: marked pictures, strict replies, bounded retries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal, final

import numpy as np

from robo_reward.errors import RoboRewardError
from robo_reward.perception.key_points import KeyPointDetector
from robo_reward.perception.vlm import NoReply, Picture, Question, Reply, VisionLanguageModel
from robo_reward.perception.vlm_prompt import PromptTemplate
from robo_reward.plans.plan_folder import Attempt, PlanFolder
from robo_reward.plans.plan_lift import Lift, LiftError, Shown
from robo_reward.plans.plan_pictures import MarkedPicture, explain_marks, mark_pictures
from robo_reward.plans.plan_reply import Choices, ChosenPoint, MalformedPlanError, parse_plan_reply
from robo_reward.plans.way_points import Plan, Sighting, WayPoint

TilePoint = Literal["centre", "random"]


class PlanError(RoboRewardError):
    """No plan came of a question, after all attempts; names the last reply and what was wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """How a plan is asked for and made of a reply.

    Raises:
        ValueError: A number outside its range.
    """

    attempts: int = 3
    """Questions at most; each after the first tells what was wrong with the reply before it."""
    most_way_points: int = 8
    """After the grasp."""
    tile_point: TilePoint = "centre"
    """What a tile stands for: its centre, or as in MOKA a uniformly random point of it."""
    seed: int = 0
    """Of random points."""
    approach: float = 0.1
    """Height [m] above the grasp at which the way begins."""
    tolerance: float = 0.03
    """Radius [m] within which a way point counts as reached; where a tile was chosen and reaches farther, that."""
    mark_std: float = 0.01
    """One standard deviation of a key point's place, as a share of the picture's height: two cameras see the edge of a
    thing at different places."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.most_way_points < 1:
            raise ValueError(f"attempts and most_way_points must be >= 1, got {self.attempts}, {self.most_way_points}")
        if not self.approach > 0 or not self.tolerance > 0 or not self.mark_std > 0:
            raise ValueError(
                f"approach, tolerance and mark_std must be > 0, got {self.approach}, {self.tolerance}, {self.mark_std}"
            )


@final
class PlanQuestion:
    """Asks for grasp and way points by marks, and lifts them into space.

    Each attempt is one question; a reply that is absent, malformed or geometrically impossible leads to the next one,
    which says why. After `settings.attempts` it is a `PlanError`: never a plan that was made up, never a loop without
    end. The same pictures, settings and replies give the same plan.

    Args:
        vlm: Who is asked.
        lift: Through which cameras, and how.
        detector: Finds candidate key points; None = tiles only.
        settings: Limits and sizes.
        template: Name or path of the prompt; see `PromptTemplate`.

    Source:
        Lee et al. 2025 (KAGI, 2407.10341); marks after MOKA (Fang et al. 2024). Words and JSON are this project's own.
    """

    def __init__(
        self,
        vlm: VisionLanguageModel,
        *,
        lift: Lift,
        detector: KeyPointDetector | None = None,
        settings: PlanSettings | None = None,
        template: str = "key_point_plan",
    ) -> None:
        self._vlm, self._lift, self._detector = vlm, lift, detector
        self._settings = settings if settings is not None else PlanSettings()
        fields = ("task", "marks", "most", "chosen", "form", "correction")
        self._template = PromptTemplate.read(template, fields=fields, slots=("frames",))

    def plan(self, task: str, pictures: Mapping[str, Picture], *, folder: PlanFolder | None = None) -> Plan:
        """Ask for a plan.

        Args:
            task: In words.
            pictures: Camera to what it saw, before the task is begun; every camera that marks are needed of.
            folder: Keeps the plan with all that it was made from, and answers the same request without asking.

        Raises:
            PlanError: No attempt led to a plan.
            OutputError: The folder holds the plan of another request, or cannot be written.
            ValueError: A camera without picture, or a picture whose shape is not its camera's.
        """
        marked = mark_pictures(pictures, lift=self._lift, detector=self._detector)
        question = self._question(task, marked, correction="")
        request = self._request(task, question)
        if folder is not None:
            if (known := folder.kept(request)) is not None:
                return known
            shown = {camera: each.picture for camera, each in marked.items()}
            folder.keep_question(request, question=_words(question, marked), pictures=pictures, marked=shown)
        attempts: list[Attempt] = []
        for _ in range(self._settings.attempts):
            (reply,) = self._vlm.ask([question])
            plan, problem = self._understood(task, reply, marked)
            attempts.append(Attempt(question=_words(question, marked), reply=reply, problem=problem))
            if folder is not None:
                folder.keep_attempts(attempts)
            if plan is not None:
                if folder is not None:
                    folder.keep_plan(plan)
                return plan
            question = self._question(task, marked, correction=_correction(reply, problem or ""))
        raise PlanError(_failure(attempts))

    def _understood(
        self, task: str, reply: Reply, marked: Mapping[str, MarkedPicture]
    ) -> tuple[Plan | None, str | None]:
        if isinstance(reply, NoReply):
            return None, f"there was no reply: {reply.reason}"
        try:
            return self._planned(task, parse_plan_reply(reply, self._choices(marked)), marked), None
        except (MalformedPlanError, LiftError) as error:
            return None, str(error)

    def _planned(self, task: str, chosen: tuple[ChosenPoint, ...], marked: Mapping[str, MarkedPicture]) -> Plan:
        random = np.random.default_rng(self._settings.seed)
        points = [self._way_point(each, marked, random) for each in _named_apart(chosen)]
        begin = points[0].position + np.array([0.0, 0.0, self._settings.approach])
        start = WayPoint(name="approach", position=begin, tolerance=points[0].tolerance)
        made_by = f"vlm {self._vlm.version}"
        try:
            return Plan(
                task=task,
                base_frame=self._lift.rig.base_frame,
                way_points=(start, *points),
                grasp=1,
                made_by=made_by,
            )
        except ValueError as error:  # the same point twice in a row
            raise MalformedPlanError(str(error)) from error

    def _way_point(
        self, chosen: ChosenPoint, marked: Mapping[str, MarkedPicture], random: np.random.Generator
    ) -> WayPoint:
        shown = {camera: self._shown(marked[camera], mark, random) for camera, mark in chosen.marks.items()}
        heights = {f"h{number}": height for number, height in enumerate(self._lift.heights, start=1)}
        height = heights[chosen.height] if chosen.height is not None else None
        sightings = [
            Sighting(camera=camera, pixel=shown[camera].pixel, mark=mark) for camera, mark in chosen.marks.items()
        ]
        drawn = next((camera for camera in self._lift.lines()), self._lift.cameras[0])
        if chosen.height is not None:
            sightings.append(Sighting(camera=drawn, mark=chosen.height))
        position = self._lift.lift(shown, height)
        return WayPoint(
            name=chosen.name,
            position=position,
            gripper=chosen.gripper,
            tolerance=max(self._settings.tolerance, self._lift.reach(shown, position)),
            sightings=tuple(sightings),
        )

    def _shown(self, marked: MarkedPicture, mark: str, random: np.random.Generator) -> Shown:
        found = {point.label: point.pixel for point in marked.key_points}.get(mark)
        if found is not None:
            return Shown(pixel=found, std=self._settings.mark_std * marked.grid.height)
        centre = self._settings.tile_point == "centre"
        pixel = marked.grid.centre(mark) if centre else marked.grid.random_point(mark, random)
        width, height = marked.grid.tile_size
        return Shown(pixel=pixel, std=max(width, height) / 12**0.5, reach=(width / 2, height / 2) if centre else None)

    def _choices(self, marked: Mapping[str, MarkedPicture]) -> Choices:
        return Choices(
            marks={
                camera: (*each.grid.names, *(point.label for point in each.key_points))
                for camera, each in marked.items()
                if each.chosen_in
            },
            heights=[f"h{number}" for number in range(1, len(self._lift.heights) + 1)],
            most=self._settings.most_way_points,
        )

    def _question(self, task: str, marked: Mapping[str, MarkedPicture], *, correction: str) -> Question:
        choices = self._choices(marked)
        chosen = "a mark in the picture of each of these cameras: " + ", ".join(choices.marks)
        chosen += ", all at the same point of the scene" if len(choices.marks) > 1 else ""
        fields = {
            "task": task,
            "marks": explain_marks(marked, lift=self._lift),
            "most": str(self._settings.most_way_points),
            "chosen": chosen + (", and a height" if choices.heights else ""),
            "form": choices.form(),
            "correction": correction,
        }
        shown = {camera: each.picture for camera, each in marked.items()}
        question = self._template.render(fields=fields, pictures={"frames": [shown]})
        if isinstance(question, NoReply):
            raise ValueError(f"the template {self._template.version} cannot be asked: {question.reason}")
        return question

    def _request(self, task: str, question: Question) -> dict[str, Any]:
        """What decides the plan; equal requests get equal plans."""
        settings = {name: getattr(self._settings, name) for name in PlanSettings.__slots__}
        return {
            "task": task,
            "question": question.fingerprint,
            "vlm": self._vlm.version,
            "lift": self._lift.version,
            "settings": settings,
        }


def _named_apart(chosen: Sequence[ChosenPoint]) -> list[ChosenPoint]:
    """Number names that are given twice: a plan's file tells the grasp by its name."""
    taken, named = {"approach"}, []
    for each in chosen:
        name = next(name for number in count(1) if (name := each.name + f" {number}" * (number > 1)) not in taken)
        taken.add(name)
        named.append(replace(each, name=name))
    return named


def _words(question: Question, cameras: Mapping[str, object]) -> str:
    names = iter(cameras)
    return "".join(part if isinstance(part, str) else f"<picture {next(names, '')}>" for part in question.parts)


def _correction(reply: Reply, problem: str) -> str:
    if isinstance(reply, NoReply):
        return "\nAnswer with the JSON object only, and briefly."
    return f"\nAn earlier reply was this:\n{_cut(reply)}\nIt cannot be used: {problem}\nGive a corrected JSON object."


def _failure(attempts: list[Attempt]) -> str:
    last = attempts[-1]
    said = repr(_cut(last.reply)) if isinstance(last.reply, str) else f"none ({last.reply.reason})"
    return f"no plan in {len(attempts)} attempts; the last one: {last.problem}; the last reply: {said}"


def _cut(text: str) -> str:
    return text if len(text) <= 600 else text[:600] + "…"
