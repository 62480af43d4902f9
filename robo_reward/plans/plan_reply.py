"""What a vision-language model must answer to be understood: one JSON object of chosen marks, checked strictly."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from robo_reward.plans.way_points import Gripper

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)
_KEY_POINT = re.compile(r"([PQ])\s*\[?\s*(\d+)\s*\]?", re.IGNORECASE)
LONGEST = 20_000
"""Characters of a reply beyond which nobody looks at it."""


class MalformedPlanError(ValueError):
    """A reply is not what was asked for; the text tells its author what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPoint:
    """One point as it was chosen."""

    name: str
    marks: Mapping[str, str]
    """Camera to mark: `P[2]`, `Q[1]`, or a tile such as `c4`."""
    height: str | None
    """Label of a height line; None where none was asked for."""
    gripper: Gripper


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What may be chosen.

    Raises:
        ValueError: No camera, or fewer than one way point.
    """

    marks: Mapping[str, Collection[str]]
    """Camera to the marks in its picture; one must be chosen in each."""
    heights: Sequence[str] = ()
    """Labels of height lines; empty = none is asked for."""
    most: int = 8
    """Way points after the grasp at most."""

    def __post_init__(self) -> None:
        if not self.marks or self.most < 1:
            raise ValueError(f"choices need a camera and at least 1 way point, got {list(self.marks)}, {self.most}")

    def form(self) -> str:
        """Give an example of a good reply: the form that is asked for."""
        point: dict[str, Any] = {"marks": dict.fromkeys(self.marks, "c3")}
        if self.heights:
            point["height"] = self.heights[0]
        grasp = point | {"gripper": "closed"}
        after = {"name": "what happens here, in a few words"} | point | {"gripper": "any"}
        return json.dumps({"grasp": grasp, "way_points": [after]})


def parse_plan_reply(text: str, choices: Choices) -> tuple[ChosenPoint, ...]:
    """Read a reply.

        {"grasp": {"marks": {CAMERA: MARK, …}, "height": LABEL, "gripper": STATE},
         "way_points": [{"name": TEXT, "marks": …, "height": …, "gripper": STATE}, …]}

    `height` only where heights are asked for. A fence of three backticks around the object is taken off; `P2` is read
    as `P[2]` and `C4` as `c4`. Nothing else is forgiven: no missing, unknown or repeated key, no mark that is not
    drawn.

    Args:
        text: The reply.
        choices: What may be chosen.

    Returns:
        The grasp, then the way points.

    Raises:
        MalformedPlanError: It is not that; tells what is wrong and what is allowed.
    """
    reply = _keys(_json(text), "the reply", needed=("grasp", "way_points"))
    after = reply["way_points"]
    if not isinstance(after, list) or not 1 <= len(after) <= choices.most:
        raise MalformedPlanError(f'"way_points" must be a list of 1 to {choices.most} points, got {_short(after)}')
    grasp = _point(reply["grasp"], '"grasp"', choices, name="grasp")
    return (grasp, *(_point(each, f'"way_points"[{at}]', choices, name=None) for at, each in enumerate(after)))


def _json(text: str) -> Any:
    if len(text) > LONGEST:
        raise MalformedPlanError(f"the reply is longer than {LONGEST} characters; reply with one JSON object only")
    fenced = _FENCE.findall(text)
    try:
        return json.loads(
            fenced[-1] if fenced else text.strip(), parse_constant=_refuse_constant, object_pairs_hook=_object
        )
    except RecursionError:
        raise MalformedPlanError("the reply is nested too deeply") from None
    except MalformedPlanError:
        raise
    except ValueError as error:  # JSONDecodeError, numbers of thousands of digits
        raise MalformedPlanError(f"the reply is not one JSON object and nothing else: {error}") from None


def _point(document: Any, where: str, choices: Choices, *, name: str | None) -> ChosenPoint:
    needed = ["marks", "gripper"] + (["height"] if choices.heights else []) + ([] if name else ["name"])
    point = _keys(document, where, needed=needed)
    marks = _keys(point["marks"], f'{where}"marks"', needed=tuple(choices.marks))
    gripper = point["gripper"]
    if gripper not in get_args(Gripper):
        raise MalformedPlanError(
            f'{where}"gripper" must be one of {", ".join(get_args(Gripper))}; got {_short(gripper)}'
        )
    if choices.heights and point["height"] not in choices.heights:
        raise MalformedPlanError(
            f'{where}"height" must be one of {", ".join(choices.heights)}; got {_short(point["height"])}'
        )
    named = name or point["name"]
    if not isinstance(named, str) or not named.strip() or len(named) > 200:
        raise MalformedPlanError(f'{where}"name" must be a few words, got {_short(named)}')
    return ChosenPoint(
        name=named.strip(),
        marks={
            camera: _mark(marks[camera], f'{where}"marks""{camera}"', choices.marks[camera]) for camera in choices.marks
        },
        height=point["height"] if choices.heights else None,
        gripper=gripper,
    )


def _mark(value: Any, where: str, drawn: Collection[str]) -> str:
    if isinstance(value, str):
        key_point = _KEY_POINT.fullmatch(value.strip())
        mark = f"{key_point[1].upper()}[{int(key_point[2])}]" if key_point else value.strip().lower()
        if mark in drawn:
            return mark
    key_points = [mark for mark in drawn if mark[0] in "PQ"]
    also = f" or one of {', '.join(key_points)}" if key_points else ""
    raise MalformedPlanError(f"{where} must be a tile a1 to e5{also}; got {_short(value)}")


def _keys(document: Any, where: str, *, needed: Sequence[str]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise MalformedPlanError(f"{where} must be a JSON object with {', '.join(needed)}; got {_short(document)}")
    if missing := [key for key in needed if key not in document]:
        raise MalformedPlanError(f"{where} lacks {', '.join(missing)}; it has {_short(sorted(document))}")
    if unknown := [key for key in document if key not in needed]:
        raise MalformedPlanError(f"{where} has the unknown key {_short(unknown[0])}; allowed: {', '.join(needed)}")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise MalformedPlanError(f"a key is given twice: {_short(sorted(names))}")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise MalformedPlanError(f"{name} is no JSON")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else text[:77] + "…"
