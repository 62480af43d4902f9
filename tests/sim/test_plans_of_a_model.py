"""From rendered pictures to progress through a stand-in for a vision-language model that knows the true marks."""

import json

import numpy as np
import pytest
import torch
from chat_server import ChatServer, client, completion

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from key_point_plans import felt

from robo_reward.camera.rig import Rig
from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.tracked_point import ToolPoint
from robo_reward.perception.key_points import ColourSegmenter, MaskKeyPoints
from robo_reward.perception.visual_marks import Grid
from robo_reward.plans.plan_folder import PlanFolder
from robo_reward.plans.plan_lift import ViewAndHeight
from robo_reward.plans.plan_question import PlanQuestion
from robo_reward.plans.way_points import Plan
from robo_reward_sim.meta_world import MetaWorldScene
from robo_reward_sim.plans import PLANNED_TASKS, true_plan
from robo_reward_sim.rig import table_rig
from robo_reward_sim.tasks import TASKS

SIZE, CAMERAS = 480, ("top", "side")
HEIGHTS = (0.02, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)


def nearest_height(height: float) -> int:
    return int(np.abs(np.array(HEIGHTS) - height).argmin())


def true_reply(plan: Plan, rig: Rig) -> str:
    """The tile of camera top and the height at which each true point is seen, from the grasp on."""
    grid, points = Grid(width=SIZE, height=SIZE), []
    for point in plan.way_points[plan.grasp or 0 :]:
        at = np.array([*point.position[:2], HEIGHTS[nearest_height(point.position[2])]])
        tile = grid.tile_of(tuple(rig.cameras["top"].project(at).tolist()))
        height = f"h{nearest_height(point.position[2]) + 1}"
        points.append({"name": point.name, "marks": {"top": tile}, "height": height, "gripper": point.gripper})
    if len(points) == 1:  # what is pressed or reached is also where it ends: a little further down
        points.append(points[0] | {"height": f"h{max(1, int(points[0]['height'][1:]) - 1)}"})
    return json.dumps({"grasp": {key: points[0][key] for key in points[0] if key != "name"}, "way_points": points[1:]})


def expert_episode(name: str) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """Observations of one success, and the pictures before it."""
    scene = MetaWorldScene(TASKS[name], cameras=CAMERAS, image_size=SIZE)
    try:
        expert, observation, rows, settled = scene.expert(), scene.reset(3), [], 0
        pictures: dict[str, torch.Tensor] = {}
        while settled < 10 and len(rows) < 250:
            rows.append(observation)
            action = expert(observation).astype(np.float32)
            for _ in range(2):
                step = scene.step(action)
                settled = settled + 1 if step.success else 0
            observation = step.observation
            if not pictures:
                pictures = {camera: torch.from_numpy(frame.copy()) for camera, frame in scene.frames().items()}
    finally:
        scene.close()
    return np.stack(rows), pictures


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANNED_TASKS)
def test_points_are_within_half_a_tile_and_progress_still_rises(name, tmp_path):
    observations, pictures = expert_episode(name)
    rig, truth = table_rig(CAMERAS, image_size=SIZE), true_plan(TASKS[name], observations[0])
    lift = ViewAndHeight(rig, camera="top", heights=HEIGHTS, side_camera="side", lines_at=(0.0, 0.7))
    reply = true_reply(truth, rig)
    with ChatServer(lambda asked: asked.answer(completion(reply))) as server:
        question = PlanQuestion(client(server), lift=lift, detector=MaskKeyPoints(ColourSegmenter()))
        plan = question.plan(truth.task, pictures, folder=PlanFolder(tmp_path))
    camera = rig.cameras["top"]
    for point, true in zip(plan.way_points[1:], truth.way_points[truth.grasp or 0 :], strict=False):
        at = np.array([*true.position[:2], HEIGHTS[nearest_height(true.position[2])]])
        off = np.abs(camera.project(point.position) - camera.project(at))
        assert (off <= SIZE / 5 / 2 + 1e-6).all()
        assert abs(point.position[2] - true.position[2]) <= 0.03  # half of the widest step between two lines, and a bit
    model = KeypointAffordance(plan, point=ToolPoint(), start="episode", off_way="free")
    progress = model.estimate(felt(torch.from_numpy(observations[None, :, :3].copy()))).progress[0]
    assert value_order_correlation(progress).value >= 0.95, progress
