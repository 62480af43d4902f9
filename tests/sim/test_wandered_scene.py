import numpy as np
import pytest

pytest.importorskip("metaworld", reason="the sim extra is not installed")

from robo_reward_sim.meta_world import MAX_STEPS
from robo_reward_sim.rollout import RecordingSettings
from robo_reward_sim.tasks import task_named
from robo_reward_sim.wandered_scene import LONGEST_WANDERING


def settings(*, everywhere: bool) -> RecordingSettings:
    return RecordingSettings(cameras=("left",), image_size=16, action_repeat=5, everywhere=everywhere)


def starts(*, everywhere: bool) -> np.ndarray:
    scene = settings(everywhere=everywhere).open_scene(task_named("door-close"))
    found, again = (np.array([scene.reset(seed)[:3] for seed in range(12)]) for _ in range(2))
    scene.close()
    assert found.tobytes() == again.tobytes()
    return found


def test_three_in_four_recordings_begin_anywhere_and_the_fourth_at_home():
    away = np.linalg.norm(starts(everywhere=True) - starts(everywhere=False), axis=1)
    assert (away[::4] == 0).all()
    assert (np.delete(away, slice(None, None, 4)) > 0.01).sum() >= 8


def test_the_expert_has_as_many_steps_less_as_may_be_wandered():
    assert settings(everywhere=False).max_steps == MAX_STEPS
    assert settings(everywhere=True).max_steps == MAX_STEPS - LONGEST_WANDERING


@pytest.mark.parametrize("task", ["door-close", "button-press-topdown"])
def test_experts_succeed_from_there_within_what_is_left(task):
    asked = settings(everywhere=True)
    scene, succeeded = asked.open_scene(task_named(task)), 0
    for seed in range(1, 6):
        observation, expert = scene.reset(seed), scene.expert()
        for _ in range(asked.max_steps):
            step = scene.step(expert(observation))
            observation = step.observation
            if step.success:
                succeeded += 1
                break
    scene.close()
    assert succeeded >= 4
