import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_sim.table_top.kinematics import WORKSPACE
from robo_reward_sim.table_top.task import TOOL_NAMES, down_the_funnel, funnel_distance, remaining, staged, towards
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS, table_top_task

TASKS = tuple(TABLE_TOP_TASKS)
SHARES = st.floats(0.0, 1.0)
OBSERVATIONS = {
    # tool, width, and what the task observes, at the start
    "reach": [0.4, 0.0, 0.2, 0.08, 0.5, 0.1, 0.1],
    "push": [0.4, 0.0, 0.2, 0.0, 0.45, 0.1, 0.02, 0.45, -0.1, 0.0],
    "pick": [0.4, 0.0, 0.2, 0.08, 0.5, 0.1, 0.02],
    "open": [0.4, 0.0, 0.2, 0.0, 0.54, 0.05, 0.07, 0.0],
}


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
def test_progress_is_in_bounds_zero_at_the_start_and_one_exactly_when_the_task_is_done(task, data):
    played, start = TABLE_TOP_TASKS[task], np.array(OBSERVATIONS[task])
    moved = np.array(data.draw(st.lists(st.floats(-0.2, 0.2), min_size=len(start), max_size=len(start))))
    observation = start + moved
    progress = played.progress(observation, start)
    assert 0.0 <= progress <= 1.0
    assert (progress == 1.0) == played.success(observation)
    assert played.progress(start, start) == 0.0
    assert not played.success(start)


@pytest.mark.parametrize("task", TASKS)
def test_the_approach_alone_makes_progress_as_the_tool_comes_down_its_funnel(task):
    played, observation = TABLE_TOP_TASKS[task], np.array(OBSERVATIONS[task])
    start, made = observation.copy(), []
    for _ in range(60):
        action = played.expert(observation)
        assert np.abs(action).max() <= 1.0
        observation[:3] += 0.015 * action[:3]  # the hand moves, the things do not
        made.append(played.progress(observation, start))
        if made[-1] >= (1.0 if task == "reach" else 0.29):
            break  # from here on an expert touches the things
    else:
        raise AssertionError(f"no arrival: {made}")
    assert np.diff(made).min() > -0.02


def test_the_stages_of_a_push_count_as_documented():
    push, start = TABLE_TOP_TASKS["push"], np.array(OBSERVATIONS["push"])
    behind = start.copy()
    behind[:3] = (0.45, 0.1 + 0.048, 0.022)  # on the line from the mark through the puck
    assert push.progress(behind, start) == pytest.approx(0.3)
    half = behind.copy()
    half[5] -= (0.2 - 0.025) / 2  # half of the way to the mark's edge
    half[1] -= (0.2 - 0.025) / 2
    assert push.progress(half, start) == pytest.approx(0.5 + 0.3 * 0.5)
    away = half.copy()
    away[:3] = start[:3]
    assert 0.5 <= push.progress(away, start) < push.progress(half, start)


def test_the_stages_of_a_pick_count_as_documented():
    pick, start = TABLE_TOP_TASKS["pick"], np.array(OBSERVATIONS["pick"])
    over = start.copy()
    over[:3] = start[4:7]
    assert pick.progress(over, start) == pytest.approx(0.5 * 0.6)
    held = over.copy()
    held[3] = 0.04
    assert pick.progress(held, start) == pytest.approx(0.5)
    lifted = held.copy()
    lifted[[2, 6]] += 0.05
    assert pick.progress(lifted, start) == pytest.approx(0.5 + 0.5 * 0.5)
    thrown = lifted.copy()
    thrown[6] += 0.2  # high up, and not in the fingers
    assert pick.progress(thrown, start) < 0.5
    assert not pick.success(thrown)


def test_closing_the_fingers_anywhere_else_is_no_grip():
    pick, start = TABLE_TOP_TASKS["pick"], np.array(OBSERVATIONS["pick"])
    shut = start.copy()
    shut[3] = 0.0
    assert pick.progress(shut, start) == 0.0


def test_a_drawer_that_is_half_out_counts_half_and_what_is_left_counts_the_approach():
    task, start = TABLE_TOP_TASKS["open"], np.array(OBSERVATIONS["open"])
    hooked = start.copy()
    hooked[:3] = np.add(start[4:7], (0.025, 0.0, -0.01))
    assert task.progress(hooked, start) == pytest.approx(0.3)
    hooked[[0, 4]] -= 0.06
    hooked[7] = 0.06
    assert task.progress(hooked, start) == pytest.approx(0.5 + 0.3 * 0.5)


@given(motion=SHARES, approach=SHARES, more=SHARES)
def test_stages_rise_with_both_and_end_at_one(motion, approach, more):
    assert staged(0.0, 0.0, weight=0.3) == 0.0
    assert staged(approach, 1.0, weight=0.3) == 1.0
    further = approach + (1 - approach) * more
    assert staged(further, motion, weight=0.3) >= staged(approach, motion, weight=0.3)
    further = motion + (1 - motion) * more
    assert staged(approach, further, weight=0.3) >= staged(approach, motion, weight=0.3) - 1e-12


def test_the_funnel_leads_over_things_and_then_down():
    target = np.array([0.5, 0.0, 0.02])
    assert funnel_distance(target, target) == 0.0
    above, beside = np.add(target, (0.0, 0.0, 0.08)), np.add(target, (0.1, 0.0, 0.0))
    assert funnel_distance(above, target) == pytest.approx(0.08)
    assert funnel_distance(beside, target) == pytest.approx(0.18)  # it has to climb first
    assert funnel_distance(np.add(beside, (0.0, 0.0, 0.08)), target) == pytest.approx(0.1)
    tool = np.array([0.3, 0.1, 0.02])
    action = down_the_funnel(tool, target)
    assert action[2] == 1.0
    assert np.abs(action[:2]).max() == 0.0  # up before anything is run into


def test_proportional_control_is_clamped():
    assert towards(np.zeros(3), np.array([1.0, -1.0, 0.0])).tolist() == [1.0, -1.0, 0.0]
    assert towards(np.zeros(3), np.array([0.0015, 0.0, 0.0]))[0] == pytest.approx(8 * 0.0015 / 0.15)


def test_a_start_that_already_touches_has_nothing_left():
    assert remaining(0.005, touching=0.01, start=0.008) == 0.0
    assert remaining(0.06, touching=0.01, start=0.11) == pytest.approx(0.5)


def test_names_match_what_is_observed_and_two_of_a_kind_are_equal():
    for name, task in TABLE_TOP_TASKS.items():
        assert task.name == name
        assert len(TOOL_NAMES) + len(task.point_names) == len(OBSERVATIONS[name])
        assert type(task)() == task
    assert len(set(TABLE_TOP_TASKS.values())) == len(TASKS)


def test_an_unknown_task_is_answered_with_those_there_are():
    message = "unknown table-top task 'stack'; available: reach, push, pick, open"
    with pytest.raises(ValueError, match=re.escape(message)):
        table_top_task("stack")


@pytest.mark.parametrize("task", TASKS)
def test_layouts_are_within_reach_and_differ(task):
    from robo_reward_sim.table_top.scene import TableTopScene

    with TableTopScene(TABLE_TOP_TASKS[task], height=8, width=8) as scene:
        goals = []
        for seed in range(20):
            scene.reset(np.random.default_rng(seed))
            goals.append(TABLE_TOP_TASKS[task].goal(scene.observation))
        low, high = WORKSPACE
        assert (np.array(goals) >= low - 1e-9).all()
        assert (np.array(goals) <= high + 1e-9).all()
        assert np.std(goals, axis=0)[:2].max() > 0.05
