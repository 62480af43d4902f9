"""Table-top scenes of our own: random furniture, loose things, a gripper, light and cameras."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

from typing import final

import mujoco
import numpy as np
from jaxtyping import Float

from robo_reward_sim.captioned_scenes.colours import draw_colour, shade
from robo_reward_sim.captioned_scenes.facts import Fact, closeness
from robo_reward_sim.captioned_scenes.furniture import PIECES, Moving, bar, box, draw_piece, numbers
from robo_reward_sim.captioned_scenes.table_tasks import fraction

Point = Float[np.ndarray, "3"]

_LOOSE = ("cube", "ball", "cylinder", "mug", "puck", "bottle")
_HANDLES = {"drawer": "drawer handle", "door": "door handle"}


def _loose_xml(noun: str, rgba: str, size: float) -> str:
    if noun == "cube":
        return box((size, size, size), (0, 0, size), rgba)
    if noun == "ball":
        return f'<geom type="sphere" size="{size:.4f}" pos="0 0 {size:.4f}" rgba="{rgba}"/>'
    radius, half = {"cylinder": (0.7, 1.4), "puck": (1.1, 0.45), "mug": (0.9, 1.0), "bottle": (0.65, 1.5)}[noun]
    r, h = radius * size, half * size
    xml = f'<geom type="cylinder" size="{r:.4f} {h:.4f}" pos="0 0 {h:.4f}" rgba="{rgba}"/>'
    if noun == "mug":
        x = 1.7 * r
        xml += bar((r, 0, 0.5 * h), (x, 0, 0.5 * h), rgba) + bar((x, 0, 0.5 * h), (x, 0, 1.5 * h), rgba)
        xml += bar((x, 0, 1.5 * h), (r, 0, 1.5 * h), rgba)
    if noun == "bottle":
        xml += f'<geom type="cylinder" size="{0.35 * r:.4f} {0.5 * h:.4f}" pos="0 0 {2.4 * h:.4f}" rgba="{rgba}"/>'
    return xml


def _gripper_xml(rng: np.random.Generator) -> str:
    body, fingers = numbers(shade(draw_colour(rng), rng)), numbers(shade(draw_colour(rng), rng))
    tilt = rng.normal(0.0, 0.12, 2)
    high = (float(tilt[0]), float(tilt[1]) + 0.25 * float(rng.uniform()), 0.6)
    return (
        '<body name="gripper" mocap="true">'
        + box((0.045, 0.02, 0.02), (0, 0, 0.085), body)
        + box((0.006, 0.012, 0.04), (-0.033, 0, 0.03), fingers)
        + box((0.006, 0.012, 0.04), (0.033, 0, 0.03), fingers)
        + f'<geom type="capsule" size="0.028" fromto="0 0 0.11 {numbers(high)}" rgba="{body}"/></body>'
    )


@final
class TabletopScene:
    """A random scene; `pose` draws a state of it, `view` a camera."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw furniture, loose things and colours, and compile them."""
        self._moving: list[tuple[Moving, float]] = []  # with the height of the piece it belongs to
        pieces = list(rng.permutation(PIECES)[: int(rng.choice((0, 1, 2), p=(0.12, 0.5, 0.38)))])
        slots = [0.0] if len(pieces) == 1 else [-0.17, 0.17]
        xml = ""
        for index, kind in enumerate(pieces):
            piece = draw_piece(str(kind), f"part{index}_", rng)
            at = (slots[index] + rng.normal(0, 0.02), 0.14 + rng.normal(0, 0.03), 0.0)
            xml += f'<body pos="{numbers(at)}" euler="0 0 {rng.normal(0, 0.25):.3f}">{piece.xml}</body>'
            self._moving += [(part, piece.height) for part in piece.moving]
        self._loose = self._draw_loose(rng, crowded=not pieces)
        for index, (noun, colour, size) in enumerate(self._loose):
            xml += (
                f'<body name="loose{index}" mocap="true">{_loose_xml(noun, numbers(shade(colour, rng)), size)}</body>'
            )
        self._goal_colour = draw_colour(rng) if rng.uniform() < 0.45 else ""
        if self._goal_colour:
            rgba = shade(self._goal_colour, rng)
            rgba[3] = rng.uniform(0.5, 1.0)
            radius = rng.uniform(0.018, 0.035)
            ball = f'<geom type="sphere" size="{radius:.4f}" rgba="{numbers(rgba)}"/>'
            xml += f'<body name="goal" mocap="true">{ball}</body>'
        self.model = mujoco.MjModel.from_xml_string(_world(xml + _gripper_xml(rng), rng))
        self.data = mujoco.MjData(self.model)

    @staticmethod
    def _draw_loose(rng: np.random.Generator, *, crowded: bool) -> list[tuple[str, str, float]]:
        count = int(rng.integers(2, 4)) if crowded else int(rng.integers(0, 3))
        things: list[tuple[str, str, float]] = []
        for _ in range(count):
            thing = (str(rng.choice(_LOOSE)), draw_colour(rng), float(rng.uniform(0.022, 0.036)))
            if thing[:2] not in [each[:2] for each in things]:
                things.append(thing)
        return things

    def pose(self, rng: np.random.Generator) -> list[Fact]:
        """Draw a state and say what is true in it, apart from what depends on the camera."""
        facts = []
        for part, _ in self._moving:
            value = fraction(rng)
            self.data.joint(part.joint).qpos[0] = value * part.full
            facts.append(Fact(part.kind, part.noun, part.colour, value))
        mujoco.mj_kinematics(self.model, self.data)
        places = self._scatter(rng)
        targets = [self.data.site(part.site).xpos.copy() for part, _ in self._moving]
        goal = rng.uniform((-0.25, -0.25, 0.03), (0.25, 0.1, 0.25))
        gripper, held = self._put_gripper([*targets, *places, *([goal] if self._goal_colour else [])], rng)
        if held is not None:
            places[held] = gripper - np.array([0, 0, 0.02])
        facts += self._place(places, gripper, held)
        for (part, _), target in zip(self._moving, targets, strict=True):
            noun = _HANDLES.get(part.noun, part.noun)
            distance = float(np.linalg.norm(gripper - target))
            colour = "" if noun in _HANDLES.values() else part.colour
            facts.append(Fact("near", noun, colour, closeness(distance, touching=0.03, reach=0.3)))
        if self._goal_colour:
            facts += self._goal_facts(goal, gripper, places)
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        return facts + [Fact("present", part.noun, part.colour, 1.0) for part, _ in self._moving]

    def _scatter(self, rng: np.random.Generator) -> list[Point]:
        places: list[Point] = []
        while len(places) < len(self._loose):
            place = np.array([rng.uniform(-0.27, 0.27), rng.uniform(-0.27, -0.03 if self._moving else 0.2), 0.0])
            if all(np.linalg.norm(place - other) > 0.1 for other in places):
                places.append(place)
        return places

    def _put_gripper(self, targets: list[Point], rng: np.random.Generator) -> tuple[Point, int | None]:
        anywhere = np.array([rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.15), rng.uniform(0.05, 0.3)])
        if not targets or rng.uniform() < 0.3:
            return anywhere, None
        target = targets[int(rng.integers(len(targets)))]
        along = 1.0 if rng.uniform() < 0.5 else rng.uniform()
        gripper = anywhere + along * (target - anywhere) + rng.normal(0.0, 0.008, 3)
        gripper[2] = max(gripper[2], 0.015)
        held = int(rng.integers(len(self._loose))) if self._loose and rng.uniform() < 0.3 else None
        return gripper, held

    def _place(self, places: list[Point], gripper: Point, held: int | None) -> list[Fact]:
        self.data.mocap_pos[self.model.body("gripper").mocapid[0]] = gripper
        facts = []
        for index, ((noun, colour, _), place) in enumerate(zip(self._loose, places, strict=True)):
            place[2] = max(place[2], 0.0)
            self.data.mocap_pos[self.model.body(f"loose{index}").mocapid[0]] = place
            distance = float(np.linalg.norm(gripper - place - np.array([0, 0, 0.02])))
            facts += [
                Fact("near", noun, colour, closeness(distance, touching=0.03, reach=0.3)),
                Fact("held", noun, colour, float(index == held)),
                Fact("lifted", noun, colour, min(1.0, float(place[2]) / 0.15)),
                Fact("present", noun, colour, 1.0),
            ]
        return facts

    def _goal_facts(self, goal: Point, gripper: Point, places: list[Point]) -> list[Fact]:
        self.data.mocap_pos[self.model.body("goal").mocapid[0]] = goal
        near = closeness(float(np.linalg.norm(gripper - goal)), touching=0.025, reach=0.35)
        facts = [
            Fact("at_goal", "gripper", "", near, self._goal_colour),
            Fact("present", "goal", self._goal_colour, 1.0),
        ]
        for (noun, colour, _), place in zip(self._loose, places, strict=True):
            distance = float(np.linalg.norm(place + np.array([0, 0, 0.02]) - goal))
            value = closeness(distance, touching=0.03, reach=0.35)
            facts.append(Fact("at_goal", noun, colour, value, self._goal_colour))
        return facts

    def view(self, rng: np.random.Generator) -> mujoco.MjvCamera:
        """Draw a camera in front of the table."""
        camera = mujoco.MjvCamera()
        camera.lookat[:] = (rng.normal(0, 0.04), rng.normal(0, 0.04), rng.uniform(0.03, 0.12))
        camera.distance = rng.uniform(0.85, 1.25)
        camera.azimuth = rng.uniform(45.0, 135.0)
        camera.elevation = rng.uniform(-55.0, -15.0)
        return camera

    def relations(self, camera: mujoco.MjvCamera) -> list[Fact]:
        """Say which loose things are left or right of others, as `camera` sees them."""
        angle = np.deg2rad(camera.azimuth)
        right, ahead = np.array([np.sin(angle), -np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
        facts = []
        places = [self.data.body(f"loose{index}").xpos[:2] for index in range(len(self._loose))]
        for (noun, colour, _), place in zip(self._loose, places, strict=True):
            for (other, its_colour, _), there in zip(self._loose, places, strict=True):
                aside, away = right @ (place - there), ahead @ (place - there)
                if abs(aside) > max(0.08, 0.8 * abs(away)):
                    kind = "right_of" if aside > 0 else "left_of"
                    facts.append(Fact(kind, noun, colour, 1.0, f"{its_colour} {other}"))
        return facts


def _world(bodies: str, rng: np.random.Generator) -> str:
    table, floor = (numbers(shade(draw_colour(rng), rng)) for _ in range(2))
    sky = [numbers(rng.uniform(0, 1, 3)) for _ in range(2)]
    pattern = rng.choice(("checker", "gradient", "flat"))
    ambient, diffuse = rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.8)
    light = numbers(rng.normal((0, 0, -1.2), (0.6, 0.6, 0.1)))
    marks = [numbers(np.clip(rng.uniform(0.2, 0.9) + rng.normal(0, 0.08, 3), 0, 1)) for _ in range(2)]
    paint = 'material="top"' if rng.uniform() < 0.6 else f'rgba="{table}"'
    return f"""<mujoco><compiler angle="radian"/>
<visual><headlight ambient="{ambient:.2f} {ambient:.2f} {ambient:.2f}" diffuse="0.3 0.3 0.3"/>
<map znear="0.02"/></visual>
<asset><texture type="skybox" builtin="gradient" rgb1="{sky[0]}" rgb2="{sky[1]}" width="16" height="16"/>
<texture name="top" type="2d" builtin="{pattern}" rgb1="{marks[0]}" rgb2="{marks[1]}" width="64" height="64"/>
<material name="top" texture="top" texrepeat="{rng.integers(1, 7)} {rng.integers(1, 7)}"/></asset>
<worldbody><light directional="true" dir="{light}" diffuse="{diffuse:.2f} {diffuse:.2f} {diffuse:.2f}"/>
<geom type="plane" size="3 3 .1" pos="0 0 -0.6" rgba="{floor}"/>
<geom type="box" size="0.5 0.45 0.02" pos="0 0 -0.0205" {paint}/>
{bodies}</worldbody></mujoco>"""
