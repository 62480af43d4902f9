import numpy as np
import pytest
import torch

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from key_point_plans import felt

from robo_reward.evaluation.controls import SensorNoise, static_control
from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.tracked_point import ToolPoint
from robo_reward_sim.meta_world import MetaWorldScene
from robo_reward_sim.plans import PLANNED_TASKS, gripper_width, true_plan
from robo_reward_sim.rollout import SETTLE_STEPS, seed_of
from robo_reward_sim.tasks import TASKS

ACTION_REPEAT, NUM_EPISODES, MAX_ROWS = 2, 8, 250
FPS = 40.0
LIMITS = {"closed_below": 0.06, "open_above": 0.085, "empty_below": 0.02}
NOISE = 0.001
"""Standard deviation of the felt position [m]: ten times what an arm's encoders leave."""


def expert_episodes(name: str) -> list[np.ndarray]:
    """Observations of successful episodes of the scripted expert, played without a picture."""
    scene, episodes, seed = MetaWorldScene(TASKS[name], cameras=("left",), image_size=32), [], 0
    while len(episodes) < NUM_EPISODES:
        assert seed < 3 * NUM_EPISODES, f"the expert of {name} fails"
        expert, observation, rows, settled = scene.expert(), scene.reset(seed_of(name, seed)), [], 0
        while settled < SETTLE_STEPS and len(rows) < MAX_ROWS:
            rows.append(observation)
            action = expert(observation).astype(np.float32)
            for _ in range(ACTION_REPEAT):
                step = scene.step(action)
                settled = settled + 1 if step.success else 0
            observation = step.observation
        seed += 1
        if settled >= SETTLE_STEPS:
            episodes.append(np.stack(rows))
    scene.close()
    return episodes


def clip_of(observations: np.ndarray):
    width = torch.from_numpy(gripper_width(observations[:, 3]))
    return felt(torch.from_numpy(observations[None, :, :3].copy()), width[None])


def model_of(name: str, observations: np.ndarray, **settings) -> KeypointAffordance:
    return KeypointAffordance(
        true_plan(TASKS[name], observations[0]), point=ToolPoint(std=NOISE), gripper=LIMITS, **settings
    )


def order(progress: torch.Tensor) -> float:
    return value_order_correlation(progress).value


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"weighting": "arc_length"}, {"off_way": "costs"}], ids=str)
@pytest.mark.parametrize("name", PLANNED_TASKS)
def test_with_a_true_plan_progress_rises_with_time_and_stands_still_with_the_scene(name, settings):
    rising, still, still_but_noisy, reached = [], [], [], []
    random = torch.Generator().manual_seed(0)
    for observations in expert_episodes(name):
        clip, model = clip_of(observations), model_of(name, observations, **settings)
        estimate = model.estimate(clip)
        assert not bool(estimate.abstained.any())
        rising.append(order(estimate.progress[0]))
        reached.append(float(estimate.progress[0, -1]))
        first = clip.take(torch.zeros(1, dtype=torch.int64), stamp=clip.stamp[0, :1])
        now = estimate.progress[0, 0]
        outcomes = static_control(first, model, progress=now, noise=SensorNoise(), seed=0, fps=FPS)
        still += [outcome.voc.value for outcome in outcomes]
        for _ in range(8):  # an arm that stands still, felt with noise
            noise = NOISE * torch.randn(1, 64, 3, generator=random, dtype=torch.float64)
            stands = felt(first.state["tool_position"] + noise, first.state["gripper_width"][..., 0].expand(1, 64))
            still_but_noisy.append(order(model.estimate(stands).progress[0]))
    assert np.mean(rising) >= 0.95, rising
    assert min(rising) >= 0.9, rising
    assert abs(np.mean(still)) <= 0.1
    assert abs(np.mean(still_but_noisy)) <= 0.1
    assert min(reached) >= 0.85, reached


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reach", "pick-place"])
def test_the_goal_of_another_layout_is_told_from_this_one_where_being_off_the_way_costs(name):
    episodes = expert_episodes(name)
    right, wrong, free = [], [], []
    for one, other in zip(episodes, episodes[1:] + episodes[:1], strict=True):
        clip = clip_of(other)
        right.append(float(model_of(name, other, off_way="costs").estimate(clip).progress[0, -1]))
        wrong.append(float(model_of(name, one, off_way="costs").estimate(clip).progress[0, -1]))
        free.append(float(model_of(name, one).estimate(clip).progress[0, -1]))
    assert np.mean(wrong) < np.mean(right) - 0.15, (wrong, right)
    assert np.mean(free) > np.mean(wrong)  # as published it is told less


def start_of(hand, thing, goal) -> np.ndarray:
    observation = np.zeros(39)
    observation[:3], observation[4:7], observation[-3:] = hand, thing, goal
    return observation


def test_a_plan_begins_at_the_hand_and_touches_the_object():
    plan = true_plan(TASKS["pick-place"], start_of((0, 0.6, 0.2), (0.1, 0.7, 0.02), (0.05, 0.8, 0.2)))
    assert plan.positions[0].tolist() == [0, 0.6, 0.2]
    assert plan.positions[-1].tolist() == [0.05, 0.8, 0.2]
    assert plan.positions[plan.grasp].tolist() == pytest.approx([0.1, 0.7, 0.05])
    assert plan.gripper_steps == (plan.grasp,)
    assert plan.task == TASKS["pick-place"].instruction


def test_the_drawer_is_where_its_goal_says_although_the_first_observation_shows_it_elsewhere():
    plan = true_plan(TASKS["drawer-open"], start_of((0, 0.6, 0.2), (0.097, 0.73, 0.09), (0.035, 0.54, 0.09)))
    assert plan.positions[plan.grasp].tolist() == pytest.approx([0.035, 0.74, 0.07])
    assert plan.positions[-1].tolist() == pytest.approx([0.035, 0.54, 0.07])


def test_the_door_s_handle_goes_round_its_hinge_to_the_side_of_the_goal():
    plan = true_plan(TASKS["door-open"], start_of((0, 0.6, 0.2), (0.268, 0.741, 0.15), (-0.222, 0.498, 0.15)))
    hinge = np.array([-0.222 + 0.115 + 0.01, 0.498 + 0.35 + 0.02])  # and beside the handle, where the hand is
    radius = np.linalg.norm(plan.positions[2:, :2] - hinge, axis=1)
    assert radius.tolist() == pytest.approx([radius[0]] * 4)
    towards = (plan.positions[-1, :2] - hinge) / radius[-1]
    assert towards.tolist() == pytest.approx((np.array([-0.115, -0.35]) / np.hypot(0.115, 0.35)).tolist())


def test_a_task_without_a_way_is_refused():
    with pytest.raises(
        ValueError, match="no way is written down for task 'hammer'; there are button-press-topdown, door"
    ):
        true_plan(TASKS["hammer"], np.zeros(39))


def test_an_opening_becomes_a_width_in_metres():
    assert gripper_width(np.array([0.0, 0.5, 1.0])).tolist() == pytest.approx([0, 0.05, 0.1])
