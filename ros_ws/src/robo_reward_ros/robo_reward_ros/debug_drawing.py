"""A picture for people: the cameras side by side, key points marked, progress of the episode drawn below. No ROS."""

import io
from collections.abc import Mapping

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from robo_reward.clip import Episode
from robo_reward.evaluation.episode_evaluation import evaluate_episode
from robo_reward.evaluation.overlay import CAMERA_HEIGHT, MINIMUM_WIDTH
from robo_reward.evaluation.overlay_panel import HEADER_HEIGHT, PANEL_HEIGHT, OverlayPanel
from robo_reward.evaluation.recording import Recording
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.debug_view import Look
from robo_reward_ros.key_points import KeyPointsSeen
from robo_reward_ros.picture_decoding import Seen

POINTS = 300
"""Of the curve at most; more would not be seen."""
QUALITY = 80
_POINT = (255, 210, 0)


def drawn(look: Look) -> tuple[bytes, int]:
    """Give a look as a JPEG, and the stamp of its oldest picture [ns]."""
    cameras = [_camera_picture(name, look.seen, look.marks) for name in look.seen.views]
    wide = sum(each.shape[1] for each in cameras)
    width = max(MINIMUM_WIDTH, wide)
    canvas = np.zeros((HEADER_HEIGHT + CAMERA_HEIGHT + PANEL_HEIGHT, width, 3), np.uint8)
    left = (width - wide) // 2
    canvas[HEADER_HEIGHT : HEADER_HEIGHT + CAMERA_HEIGHT, left : left + wide] = np.concatenate(cameras, axis=1)
    answers = look.answers[:: -max(1, -(-len(look.answers) // POINTS))][::-1]  # the newest always among them
    panel = _panel(answers, width=width)
    canvas[:HEADER_HEIGHT] = panel.header()
    panel.draw(canvas[HEADER_HEIGHT + CAMERA_HEIGHT :], len(answers) - 1)
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, format="JPEG", quality=QUALITY)
    return buffer.getvalue(), look.seen.answer.stamp_ns


def _camera_picture(name: str, seen: Seen, marks: KeyPointsSeen | None) -> UInt8[np.ndarray, "height _width 3"]:
    """A camera's picture at the height of all, with its key points; black where it gave none."""
    view = seen.views[name]
    if view is None:
        return np.zeros((CAMERA_HEIGHT, CAMERA_HEIGHT, 3), np.uint8)
    picture = np.ascontiguousarray(view.permute(1, 2, 0).numpy())
    scale = CAMERA_HEIGHT / picture.shape[0]
    shown = cv2.resize(picture, (max(1, round(picture.shape[1] * scale)), CAMERA_HEIGHT), interpolation=cv2.INTER_AREA)
    for point in _points_of(name, marks):
        if np.isfinite(point).all():
            right, down = np.round((point + 0.5) * scale - 0.5).astype(int).tolist()
            cv2.circle(shown, (right, down), 4, _POINT, 1, cv2.LINE_AA)
    return shown


def _points_of(name: str, marks: KeyPointsSeen | None) -> list[np.ndarray]:
    views: Mapping = {} if marks is None else marks.views
    return [point.pixel for point in views.get(name, ())]


def _panel(answers: tuple[Answer, ...], *, width: int) -> OverlayPanel:
    """The curve of the episode so far, as the films of evaluation have it."""
    first, last = answers[0], answers[-1]
    seconds = [(each.stamp_ns - first.stamp_ns) * 1e-9 for each in answers]
    said = f"{last.goal_id or 'no task in words'}: {last.status.name}{', ' if last.reason else ''}{last.reason}"
    number = torch.tensor([each.progress for each in answers], dtype=torch.float64)
    spread = torch.tensor([each.spread for each in answers], dtype=torch.float64)
    told = ~(number.isnan() | spread.isnan())
    recording = Recording(
        progress=number.where(told, torch.nan),
        spread=spread.where(told, torch.nan),
        potential=None,
        shaped=torch.tensor([each.reward for each in answers], dtype=torch.float64),
        true_reward=None,
        success=torch.tensor([each.success for each in answers]) if any(each.success for each in answers) else None,
        outcome=None,
    )
    episode = Episode(
        index=last.episode,
        instruction=said if last.status != Status.OK else last.goal_id,
        cameras=tuple(last.views) or ("none",),
        stamp=torch.tensor(seconds, dtype=torch.float64),
        terminated=False,
        success=None,
    )
    evaluation = evaluate_episode(episode, recording, task=last.goal_id, fitted=False, controls={})
    return OverlayPanel(evaluation, width=width, outcome=None)
