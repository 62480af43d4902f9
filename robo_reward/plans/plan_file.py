"""Key-point plans as YAML that a person can read, write and correct."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import yaml

from robo_reward.durable import atomic_file
from robo_reward.plans.way_points import Gripper, Plan, Sighting, WayPoint

FORMAT = 1
_HEADER = """\
# A key-point plan: where the tool goes to do the task. Positions in metres in the base frame.
# gripper: open, closed or any, as it is when it leaves the point. tolerance: radius [m] within which the point counts
# as reached. relative_to: name of a seen point that the position is counted from, along the base frame's axes.
# Numbers may be corrected by hand; `sightings` only say where a point came from.
"""
_PLAN_KEYS = ("format", "task", "base_frame", "made_by", "grasp", "way_points")
_POINT_KEYS = ("name", "position", "gripper", "tolerance", "relative_to", "sightings")
_SIGHTING_KEYS = ("camera", "pixel", "mark")


class PlanFileError(ValueError):
    """A plan file is not what a plan is; names file, key, what was found and what is allowed."""


def plan_document(plan: Plan) -> dict[str, Any]:
    """Give a plan as plain values, as they stand in its file; `plan_from` takes them."""
    return {
        "format": FORMAT,
        "task": plan.task,
        "base_frame": plan.base_frame,
        "made_by": plan.made_by,
        "grasp": None if plan.grasp is None else plan.way_points[plan.grasp].name,
        "way_points": [_point_document(point) for point in plan.way_points],
    }


def plan_from(document: Any, *, where: str = "the plan") -> Plan:
    """Read a plan from plain values.

    Args:
        document: As `plan_document` gives them; `format`, `made_by`, `grasp` and what a way point has beside its
            position may be absent.
        where: Named in errors.

    Raises:
        PlanFileError: A key that is missing or unknown, a value of another kind, a plan that is none.
    """
    plan = _mapping(document, where, _PLAN_KEYS, needed=("task", "base_frame", "way_points"))
    if plan.get("format", FORMAT) != FORMAT:
        raise PlanFileError(f"{where}: format is {plan['format']!r}; this version reads {FORMAT}")
    if not isinstance(plan["way_points"], list):
        raise PlanFileError(f"{where}: way_points must be a list, got {type(plan['way_points']).__name__}")
    points = tuple(
        _point(each, f"{where}: way_points[{index}]", f"way point {index}")
        for index, each in enumerate(plan["way_points"])
    )
    try:
        return Plan(
            task=_text(plan["task"], f"{where}: task"),
            base_frame=_text(plan["base_frame"], f"{where}: base_frame"),
            way_points=points,
            grasp=_grasp(plan.get("grasp"), points, where),
            made_by=_text(plan.get("made_by", "hand"), f"{where}: made_by"),
        )
    except PlanFileError:
        raise
    except ValueError as error:
        raise PlanFileError(f"{where}: {error}") from error


def read_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Raises:
        FileNotFoundError: No such file.
        PlanFileError: Not YAML, or no plan; names file and key.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"there is no plan {file}; `robo-reward plan` makes one")
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PlanFileError(f"{file} is not YAML: {error}") from error
    return plan_from(document, where=str(file))


def write_plan(plan: Plan, path: str | Path) -> Path:
    """Write a plan file; it appears whole or not at all, and replaces one that is there.

    Raises:
        OutputError: It cannot be written.
    """
    file = Path(path).expanduser()
    text = _HEADER + yaml.safe_dump(plan_document(plan), sort_keys=False, allow_unicode=True, default_flow_style=None)
    write_whole(file, text.encode())
    return file


def write_whole(file: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with atomic_file(file) as temporary:
        temporary.write_bytes(content)


def _point_document(point: WayPoint) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": point.name,
        "position": np.asarray(point.position).tolist(),
        "gripper": point.gripper,
        "tolerance": point.tolerance,
    }
    if point.relative_to is not None:
        document["relative_to"] = point.relative_to
    if point.sightings:
        document["sightings"] = [_sighting_document(each) for each in point.sightings]
    return document


def _sighting_document(sighting: Sighting) -> dict[str, Any]:
    document: dict[str, Any] = {"camera": sighting.camera}
    if sighting.pixel is not None:
        document["pixel"] = list(sighting.pixel)
    if sighting.mark is not None:
        document["mark"] = sighting.mark
    return document


def _point(document: Any, where: str, name: str) -> WayPoint:
    values = _mapping(document, where, _POINT_KEYS, needed=("position",))
    sightings = values.get("sightings") or []
    if not isinstance(sightings, list):
        raise PlanFileError(f"{where}.sightings must be a list, got {type(sightings).__name__}")
    position = np.array(_numbers(values["position"], 3, f"{where}.position"))
    tolerance = _numbers([values.get("tolerance", 0.03)], 1, f"{where}.tolerance")[0]
    gripper, anchor = values.get("gripper", "any"), values.get("relative_to")
    if gripper not in get_args(Gripper):
        raise PlanFileError(f"{where}.gripper must be one of {', '.join(get_args(Gripper))}; got {gripper!r}")
    try:
        return WayPoint(
            name=_text(values.get("name", name), f"{where}.name"),
            position=position,
            gripper=gripper,
            tolerance=tolerance,
            relative_to=None if anchor is None else _text(anchor, f"{where}.relative_to"),
            sightings=tuple(_sighting(each, f"{where}.sightings[{index}]") for index, each in enumerate(sightings)),
        )
    except PlanFileError:
        raise
    except ValueError as error:
        raise PlanFileError(f"{where}: {error}") from error


def _sighting(document: Any, where: str) -> Sighting:
    values = _mapping(document, where, _SIGHTING_KEYS, needed=("camera",))
    pixel = values.get("pixel")
    mark = values.get("mark")
    try:
        return Sighting(
            camera=_text(values["camera"], f"{where}.camera"),
            pixel=None if pixel is None else _pair(_numbers(pixel, 2, f"{where}.pixel")),
            mark=None if mark is None else _text(mark, f"{where}.mark"),
        )
    except PlanFileError:
        raise
    except ValueError as error:
        raise PlanFileError(f"{where}: {error}") from error


def _grasp(name: Any, points: Collection[WayPoint], where: str) -> int | None:
    if name is None:
        return None
    indices = [index for index, point in enumerate(points) if point.name == name]
    if len(indices) != 1:
        names = [point.name for point in points]
        raise PlanFileError(f"{where}: grasp must name one way point of {names}, got {name!r}")
    return indices[0]


def _mapping(document: Any, where: str, allowed: Collection[str], *, needed: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise PlanFileError(f"{where} must map {', '.join(needed)} to values, got {type(document).__name__}")
    if unknown := sorted(str(key) for key in document if key not in allowed):
        raise PlanFileError(f"{where}: unknown key {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    if missing := [key for key in needed if key not in document]:
        raise PlanFileError(f"{where}: missing {', '.join(missing)}")
    return document


def _numbers(values: Any, count: int, where: str) -> list[float]:
    good = isinstance(values, list) and len(values) == count
    if not good or not all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        raise PlanFileError(f"{where} must be {count} number{'s' * (count > 1)}, got {values!r}")
    return [float(each) for each in values]


def _pair(values: list[float]) -> tuple[float, float]:
    return values[0], values[1]


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise PlanFileError(f"{where} must be a text, got {value!r}")
    return value
