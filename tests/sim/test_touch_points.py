"""What cameras of the simulated table tell of points whose truth the simulator knows."""

import numpy as np
import pytest
import torch

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward.perception.dense_similarity import embedded_similarity
from robo_reward.plans.plan_clicks import locate_clicks
from robo_reward.plans.plan_lift import Shown, TwoViews
from robo_reward_sim.meta_world import MetaWorldScene
from robo_reward_sim.plans import true_plan
from robo_reward_sim.rig import table_rig
from robo_reward_sim.tasks import TASKS

CAMERAS = ("left", "right", "top")
WORDS = {
    "drawer-open": "the drawer handle",
    "door-open": "the door handle",
    "button-press-topdown": "the button",
    "reach": "the red ball",
    "pick-place": "the puck",
}


def pictures(name: str, seeds: int, *, cameras=CAMERAS, image_size=240):
    """Pictures of layouts, settled, with the first observation and the goal's position."""
    scene = MetaWorldScene(TASKS[name], cameras=cameras, image_size=image_size)
    try:
        for seed in range(seeds):
            start = scene.reset(seed)
            step = scene.step(np.zeros(4))
            yield start, step.observation, {camera: frame.copy() for camera, frame in scene.frames().items()}
    finally:
        scene.close()


def red_middle(picture: np.ndarray) -> tuple[float, float]:
    """The middle of the goal's red ball, which is brighter than the arm."""
    red, green, blue = picture.astype(int)
    right, down = np.meshgrid(np.arange(picture.shape[2]), np.arange(picture.shape[1]))
    ball = (red > 250) & (green > 38) & (green < 60) & (green == blue)
    return float(right[ball].mean()), float(down[ball].mean())


@pytest.mark.slow
def test_a_ball_that_two_rendered_pictures_show_is_found_within_5_mm():
    rig = table_rig(("left", "top"), image_size=480)
    errors = []
    for start, _, frames in pictures("reach", 4, cameras=("left", "top"), image_size=480):
        goal = start[-3:]
        seen = {name: red_middle(frame) for name, frame in frames.items()}
        off = [np.linalg.norm(np.subtract(seen[name], rig.cameras[name].project(goal))) for name in seen]
        if max(off) > 8:  # hidden behind the arm, or the arm taken for it
            continue
        clicked = locate_clicks(rig, seen, height=None).position
        lifted = TwoViews(rig, cameras=("left", "top")).lift(
            {name: Shown(pixel=pixel, std=2.0) for name, pixel in seen.items()}, None
        )
        errors += [np.linalg.norm(clicked - goal), np.linalg.norm(lifted - goal)]
    assert len(errors) >= 4
    assert max(errors) < 0.005, errors


@pytest.mark.slow
def test_the_encoder_of_the_package_proposes_touch_points_better_than_chance():
    similarity, random = embedded_similarity(device="cpu"), np.random.default_rng(0)
    told, chance = {}, {}
    rig = table_rig(CAMERAS, image_size=240)
    for name, words in WORDS.items():
        found, anywhere = [], []
        for start, _, frames in pictures(name, 4):
            plan = true_plan(TASKS[name], start)
            for camera, frame in frames.items():
                truth = rig.cameras[camera].project(plan.positions[plan.grasp])
                pixel = similarity.touch_point(torch.from_numpy(frame), words).pixel
                found.append(np.linalg.norm(np.subtract(pixel, truth)))
                anywhere.append(np.linalg.norm(random.uniform(0, 240, (200, 2)) - truth, axis=1).mean())
        told[name], chance[name] = float(np.mean(found)), float(np.mean(anywhere))
    share = {name: told[name] / chance[name] for name in WORDS}
    assert np.mean(list(share.values())) < 0.75, (told, chance)
    assert sum(each < 1 for each in share.values()) >= 4, (told, chance)
