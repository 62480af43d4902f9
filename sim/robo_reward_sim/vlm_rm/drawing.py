"""Pictures of classic control, 400 pixels high and 600 wide, drawn without a window system."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from robo_reward_sim.vlm_rm.textures import blended, clouded, sky

HEIGHT, WIDTH = 400, 600
"""Size of the pictures [px]."""
MIN_POSITION, MAX_POSITION, GOAL_POSITION = -1.2, 0.6, 0.45
"""Of the mountain car."""

Picture = UInt8[np.ndarray, "400 600 3"]
_BITS = 6  # fractional bits of OpenCV's coordinates: things move smoothly
_CAR_SCALE = WIDTH / (MAX_POSITION - MIN_POSITION)
_CLEARANCE = 15  # of the car's centre above the ground [px]


def cart_pole_picture(position: float, angle: float, *, threshold: float) -> Picture:
    """Draw cart and pole with Gymnasium's measures and colours.

    Args:
        position: Of the cart, from the centre [m].
        angle: Of the pole, 0 upright, positive to the right [rad].
        threshold: Position at the edge of the picture [m].
    """
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    scale = WIDTH / (2 * threshold)
    cart = np.array([position * scale + WIDTH / 2, 100.0])
    axle = cart + np.array([0.0, 7.5])
    _fill(picture, _rectangle(-25, 25, -15, 15) + cart, (0, 0, 0))
    _fill(picture, _rectangle(-5, 5, -5, scale - 5) @ _turn(-angle).T + axle, (202, 152, 101))
    _disc(picture, axle, 5, (129, 132, 203))
    _line(picture, np.array([[0, cart[1]], [WIDTH, cart[1]]]), (0, 0, 0))
    return np.ascontiguousarray(picture[::-1])


def mountain_height(position: Float[np.ndarray, "*point"] | float) -> Float[np.ndarray, "*point"]:
    """Give the height of the ground as Gymnasium's mountain car has it."""
    return np.sin(3 * np.asarray(position)) * 0.45 + 0.55


def mountain_car_picture(position: float) -> Picture:
    """Draw the car on a textured mountain under a sky, with the yellow flag at the goal.

    Args:
        position: Of the car, in [-1.2, 0.6].
    """
    picture = _mountain()[::-1].copy()
    slope = np.arctan(1.35 * np.cos(3 * position))
    turn, place = _turn(slope), _on_picture(position) + np.array([0.0, _CLEARANCE])
    body = np.array([[-24, -7], [24, -7], [24, 3], [13, 5], [6, 14], [-11, 14], [-17, 5], [-24, 3]], np.float64)
    window = np.array([[-13, 5], [8, 5], [4, 12], [-9, 12]], np.float64)
    _fill(picture, body @ turn.T + place, (200, 30, 35))
    _fill(picture, window @ turn.T + place, (190, 225, 240))
    for wheel in ((-14.0, -8.0), (14.0, -8.0)):
        _disc(picture, turn @ np.array(wheel) + place, 7, (25, 25, 25))
        _disc(picture, turn @ np.array(wheel) + place, 3, (190, 190, 190))
    return np.ascontiguousarray(picture[::-1])


@cache
def _mountain() -> Picture:
    """The background, upright: sky, rock with grass on it, and the flag."""
    picture = sky(HEIGHT, WIDTH)[::-1].copy()
    ground = _CAR_SCALE * mountain_height(np.linspace(MIN_POSITION, MAX_POSITION, WIDTH))
    depth = ground[None] - np.arange(HEIGHT)[:, None]
    rock = blended(clouded(HEIGHT, WIDTH, seed=4, octaves=6), (92, 72, 52), (150, 124, 96))
    grass = blended(clouded(HEIGHT, WIDTH, seed=5, octaves=7), (44, 104, 40), (92, 160, 66))
    picture[depth >= 0] = rock[depth >= 0]
    picture[(depth >= 0) & (depth < 14)] = grass[(depth >= 0) & (depth < 14)]
    foot = _on_picture(GOAL_POSITION)
    _fill(picture, _rectangle(-1.5, 1.5, -4, 62) + foot, (60, 45, 30))
    _fill(picture, np.array([[1, 62], [36, 51], [1, 40]], np.float64) + foot, (250, 215, 0))
    return np.ascontiguousarray(picture[::-1])


def _on_picture(position: float) -> Float[np.ndarray, "2"]:
    """Where the ground at a position is, right and up from the lower left corner [px]."""
    return _CAR_SCALE * np.array([position - MIN_POSITION, float(mountain_height(position))])


def _rectangle(left: float, right: float, bottom: float, top: float) -> Float[np.ndarray, "4 2"]:
    return np.array([[left, bottom], [left, top], [right, top], [right, bottom]], np.float64)


def _turn(angle: float) -> Float[np.ndarray, "2 2"]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _fixed(points: Float[np.ndarray, "*point 2"]) -> np.ndarray:
    return np.rint(np.asarray(points) * 2**_BITS).astype(np.int32)


def _fill(picture: Picture, corners: Float[np.ndarray, "corner 2"], colour: Sequence[int]) -> None:
    cv2.fillPoly(picture, [_fixed(corners)], tuple(colour), lineType=cv2.LINE_AA, shift=_BITS)


def _disc(picture: Picture, centre: Float[np.ndarray, "2"], radius: float, colour: Sequence[int]) -> None:
    x, y = _fixed(centre).tolist()
    cv2.circle(picture, (x, y), round(radius * 2**_BITS), tuple(colour), -1, lineType=cv2.LINE_AA, shift=_BITS)


def _line(picture: Picture, ends: Float[np.ndarray, "2 2"], colour: Sequence[int]) -> None:
    start, end = _fixed(ends).tolist()
    cv2.line(picture, start, end, tuple(colour), 1, lineType=cv2.LINE_AA, shift=_BITS)
