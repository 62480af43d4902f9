"""Things that open, shut and can be pressed, as MuJoCo bodies."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from robo_reward_sim.captioned_scenes.colours import draw_colour, shade

Point = Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Moving:
    """A part that moves, and what it is called.

    Raises:
        ValueError: A joint that does not move.
    """

    joint: str
    """Name of the joint."""
    full: float
    """Joint position where it is open, or pressed [m or rad]."""
    kind: Literal["open", "pressed"]
    """What its fraction means."""
    noun: str
    """What it is called."""
    colour: str
    """Its colour."""
    site: str
    """Where the gripper takes hold of it."""

    def __post_init__(self) -> None:
        if self.full == 0.0:
            raise ValueError(f"joint '{self.joint}' does not move")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of furniture: its XML, what moves, and its outer half sizes [m].

    Raises:
        ValueError: Nothing that moves.
    """

    xml: str
    """A MuJoCo body, standing at the origin of its slot."""
    moving: tuple[Moving, ...]
    """What can be set."""
    height: float
    """Height of its top [m]."""

    def __post_init__(self) -> None:
        if not self.moving:
            raise ValueError("a piece of furniture needs a part that moves")


def numbers(values: Float[np.ndarray, " number"] | tuple[float, ...]) -> str:
    """Write numbers as MuJoCo's XML wants them."""
    return " ".join(f"{float(value):.4f}" for value in values)


def box(half: tuple[float, ...], at: tuple[float, ...], rgba: str) -> str:
    """Return the XML of a box geom."""
    return f'<geom type="box" size="{numbers(half)}" pos="{numbers(at)}" rgba="{rgba}"/>'


def bar(start: tuple[float, ...], end: tuple[float, ...], rgba: str) -> str:
    """Return the XML of a thin capsule, such as a handle."""
    return f'<geom type="capsule" size="0.007" fromto="{numbers(start + end)}" rgba="{rgba}"/>'


def _paint(rng: np.random.Generator) -> tuple[str, str, str]:
    colour = draw_colour(rng)
    return colour, numbers(shade(colour, rng)), numbers(shade(draw_colour(rng), rng))


def _case(w: float, d: float, h: float, rgba: str) -> str:
    t = 0.006
    return (
        box((t, d, h), (-w, 0, h), rgba) + box((t, d, h), (w, 0, h), rgba) + box((w, d, t), (0, 0, 2 * h), rgba)
        + box((w, d, t), (0, 0, t), rgba) + box((w, t, h), (0, d, h), rgba)
    )  # fmt: skip


def _drawers(name: str, rng: np.random.Generator) -> Piece:
    count = int(rng.integers(1, 3))
    w, d, h = rng.uniform(0.08, 0.13), rng.uniform(0.08, 0.12), rng.uniform(0.035, 0.055)
    case_colour = numbers(shade(draw_colour(rng), rng))
    xml, moving = _case(w, d, h * count, case_colour), []
    for index in range(count):
        colour, rgba, handle = _paint(rng)
        b, z = w - 0.01, h * (2 * index + 1)
        inside = h - 0.012
        xml += (
            f'<body pos="0 0 {z:.4f}"><joint name="{name}{index}" type="slide" axis="0 -1 0"/>'
            + box((b, 0.006, h - 0.004), (0, -d, 0), rgba) + box((b, d - 0.01, 0.004), (0, 0, -inside), rgba)
            + box((0.004, d - 0.01, inside * 0.7), (-b, 0, -inside * 0.3), rgba)
            + box((0.004, d - 0.01, inside * 0.7), (b, 0, -inside * 0.3), rgba)
            + box((b, 0.004, inside * 0.7), (0, d - 0.012, -inside * 0.3), rgba)
            + bar((-b / 2, -d - 0.03, 0), (b / 2, -d - 0.03, 0), handle)
            + bar((-b / 2, -d, 0), (-b / 2, -d - 0.03, 0), handle) + bar((b / 2, -d, 0), (b / 2, -d - 0.03, 0), handle)
            + f'<site name="{name}{index}" pos="0 {-d - 0.03:.4f} 0" size="0.001" rgba="0 0 0 0"/></body>'
        )  # fmt: skip
        noun = "drawer" if count == 1 else ("bottom drawer", "top drawer")[index]
        moving.append(
            Moving(joint=f"{name}{index}", full=1.7 * d, kind="open", noun=noun, colour=colour, site=f"{name}{index}")
        )
    return Piece(xml=xml, moving=tuple(moving), height=2 * h * count)


def _door(name: str, rng: np.random.Generator) -> Piece:
    w, d, h = rng.uniform(0.09, 0.14), rng.uniform(0.05, 0.1), rng.uniform(0.08, 0.13)
    colour, rgba, handle = _paint(rng)
    side = float(rng.choice((-1.0, 1.0)))
    far = -2 * side * w  # the free edge, seen from the hinge
    xml = _case(w, d, h, numbers(shade(draw_colour(rng), rng))) + (
        f'<body pos="{side * w:.4f} {-d - 0.006:.4f} {h:.4f}"><joint name="{name}" type="hinge" axis="0 0 {side:.0f}"/>'
        + box((w, 0.006, h - 0.005), (far / 2, 0, 0), rgba)
        + bar((far * 0.85, -0.035, -h * 0.3), (far * 0.85, -0.035, h * 0.3), handle)
        + bar((far * 0.85, 0, -h * 0.3), (far * 0.85, -0.035, -h * 0.3), handle)
        + bar((far * 0.85, 0, h * 0.3), (far * 0.85, -0.035, h * 0.3), handle)
        + f'<site name="{name}" pos="{far * 0.85:.4f} -0.035 0" size="0.001" rgba="0 0 0 0"/></body>'
    )
    moving = Moving(joint=name, full=1.6, kind="open", noun="door", colour=colour, site=name)
    return Piece(xml=xml, moving=(moving,), height=2 * h)


def _lidded(name: str, rng: np.random.Generator) -> Piece:
    w, d, h = rng.uniform(0.07, 0.12), rng.uniform(0.06, 0.1), rng.uniform(0.03, 0.06)
    colour, rgba, handle = _paint(rng)
    t = 0.006
    xml = (
        box((t, d, h), (-w, 0, h), rgba) + box((t, d, h), (w, 0, h), rgba) + box((w, t, h), (0, d, h), rgba)
        + box((w, t, h), (0, -d, h), rgba) + box((w, d, t), (0, 0, t), rgba)
        + f'<body pos="0 {d:.4f} {2 * h + t:.4f}"><joint name="{name}" type="hinge" axis="-1 0 0"/>'
        + box((w + t, d + t, t), (0, -d, 0), rgba) + bar((-0.03, -1.9 * d, 0.02), (0.03, -1.9 * d, 0.02), handle)
        + f'<site name="{name}" pos="0 {-1.9 * d:.4f} 0.02" size="0.001" rgba="0 0 0 0"/></body>'
    )  # fmt: skip
    moving = Moving(joint=name, full=1.9, kind="open", noun="box", colour=colour, site=name)
    return Piece(xml=xml, moving=(moving,), height=2 * h + 0.012)


def _button(name: str, rng: np.random.Generator) -> Piece:
    w, h, r = rng.uniform(0.05, 0.08), rng.uniform(0.03, 0.08), rng.uniform(0.022, 0.04)
    colour, rgba, base = _paint(rng)
    travel = rng.uniform(0.04, 0.07)
    xml = box((w, w, h), (0, 0, h), base) + (
        f'<body pos="0 0 {2 * h:.4f}"><joint name="{name}" type="slide" axis="0 0 -1"/>'
        f'<geom type="cylinder" size="{r:.4f} {travel / 2:.4f}" pos="0 0 {travel / 2:.4f}" rgba="{rgba}"/>'
        f'<site name="{name}" pos="0 0 {travel:.4f}" size="0.001" rgba="0 0 0 0"/></body>'
    )
    moving = Moving(joint=name, full=0.92 * travel, kind="pressed", noun="button", colour=colour, site=name)
    return Piece(xml=xml, moving=(moving,), height=2 * h)


def draw_piece(kind: str, name: str, rng: np.random.Generator) -> Piece:
    """Draw a piece of furniture: `drawers`, `door`, `lidded` or `button`, of random size and colour."""
    makers = {"drawers": _drawers, "door": _door, "lidded": _lidded, "button": _button}
    if kind not in makers:
        raise ValueError(f"unknown furniture '{kind}'; available: {', '.join(makers)}")
    return makers[kind](name, rng)


PIECES = ("drawers", "door", "lidded", "button")
"""What `draw_piece` knows."""
