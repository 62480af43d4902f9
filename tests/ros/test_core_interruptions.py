"""A robot that stops, a model that fails, a person who speaks: how the core of the reward node ends episodes."""

from threading import Event

import pytest
from core_robot import SHARES
from robo_reward_ros.answer import Status
from robo_reward_ros.reward_core import FAILURE, SUCCESS, TRUNCATED
from ros_pictures import Gated, bound, green_model, picture, tensor, until

from robo_reward import RewardStream


def test_a_stopped_robot_gets_no_reward_and_its_episode_is_cut(robot):
    live = robot(use_robot_ok=True, robot_ok_timeout=0.5)
    live.core.tick()
    assert live.said[-1].status == Status.ROBOT_STOPPED
    live.core.robot_said(ok=True)
    live.steps(0.1, 0.2)
    assert live.said[-1].status == Status.OK
    before = len(live.said)
    live.core.robot_said(ok=False)
    live.settle()
    assert [each.truncated for each in live.said[-2:]].count(True) == 1
    asked = live.said[-1].sets_answered
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    live.settle()
    assert {each.status for each in live.said[before:]} == {Status.ROBOT_STOPPED}
    assert live.core._teller.sets_answered == asked
    live.core.robot_said(ok=True)
    live.steps(0.3, 0.4)
    assert live.statuses[-2:] == [Status.WARMUP, Status.OK]
    live.clocks.pass_by(0.3)
    live.sees(0.5)
    live.settle()
    live.clocks.pass_by(0.3)
    live.core.tick()
    assert live.said[-1].status == Status.ROBOT_STOPPED
    assert live.said[-1].reason == "robot_ok is silent for more than 0.5 s"


def test_a_result_that_the_robot_stopped_before_is_not_told(robot):
    model = Gated(green_model())
    live = robot(model, use_robot_ok=True)
    live.core.robot_said(ok=True)
    live.steps(0.1, 0.2)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: model.asked == 3)
    before = len(live.said)
    live.core.robot_said(ok=False)
    model.gate.set()
    live.settle()
    assert {each.status for each in live.said[before:]} == {Status.ROBOT_STOPPED}


def test_a_model_that_fails_is_a_fault_that_ends_with_its_next_answer(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1, 0.2)
    model.fault = RuntimeError("CUDA out of memory")
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    live.settle()
    live.core.tick()
    assert live.said[2].truncated
    assert live.said[-1].status == Status.FAULT
    assert live.said[-1].reason == "RuntimeError: CUDA out of memory"
    model.fault = None
    live.steps(0.3, 0.4)
    assert live.statuses[-2:] == [Status.WARMUP, Status.OK]
    assert live.said[-1].episode == 1


def test_a_model_that_hangs_is_a_fault(robot):
    model = Gated(green_model())
    live = robot(model, inference_timeout=0.02)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: live.core.tick()[0] == Status.FAULT)
    assert live.said[-1].reason == "the model is busy for more than 0.02 s"
    model.gate.set()


def test_reset_ends_the_episode_truncated_and_the_next_picture_begins_another(robot):
    live = robot()
    assert live.core.reset_episode().result(5) == "no frame of an episode yet"
    live.steps(0.1, 0.2)
    assert live.core.reset_episode("asked").result(5) == "episode 0 ended, truncated: asked"
    live.steps(0.3)
    assert live.statuses == [Status.WARMUP, Status.OK, Status.WARMUP, Status.WARMUP]
    assert [(each.truncated, each.episode) for each in live.said[2:]] == [(True, 0), (False, 1)]


@pytest.mark.parametrize(("outcome", "task_reward"), [(SUCCESS, 1.0), (FAILURE, 0.0)])
def test_a_marked_outcome_pays_minus_the_last_potential_and_the_return_telescopes(robot, outcome, task_reward):
    live = robot()
    live.steps(*SHARES)
    assert live.core.mark(outcome).result(5) == 0
    last = live.said[-1]
    assert (last.status, last.terminated, last.success) == (Status.OK, True, outcome == SUCCESS)
    assert last.reward == -live.said[-2].potential
    assert (last.task_reward, last.total_reward) == (task_reward, last.reward + task_reward)
    stream = RewardStream(green_model(), discount=0.99)
    stream.step({"front": tensor(picture(SHARES[0]))}, stamp=0.0)
    first = -stream.terminate()
    shaped = sum(0.99**number * each.reward for number, each in enumerate(live.said[1:]))
    assert shaped == pytest.approx(-first, abs=1e-12)


def test_a_cut_and_an_outcome_of_nothing_are_told_apart(robot):
    live = robot()
    with pytest.raises(ValueError, match="there is no episode to end: it has no frame yet"):
        live.core.mark(SUCCESS).result(5)
    with pytest.raises(ValueError, match=r"outcome must be 1 \(success\), 2 \(failure\) or 3 \(truncated\), got 9"):
        live.core.mark(9)
    live.steps(0.1, 0.2)
    assert live.core.mark(TRUNCATED, who="operator").result(5) == 0
    assert (live.said[-1].terminated, live.said[-1].truncated) == (False, True)
    assert live.said[-1].reason == "operator ended the episode"


def test_switched_off_there_is_no_reward_and_switched_on_another_episode(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.core.enable(enabled=False)
    live.settle()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    live.core.tick()
    assert {each.status for each in live.said[2:]} == {Status.DISABLED}
    live.core.enable(enabled=True)
    live.steps(0.4, 0.5)
    assert (live.said[-1].status, live.said[-1].episode) == (Status.OK, 1)


def test_a_result_of_before_rewards_were_switched_off_is_not_told_after_they_were_switched_on(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1, 0.2)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: model.asked == 3)
    live.core.enable(enabled=False)
    live.core.enable(enabled=True)
    model.gate.set()
    live.settle()
    assert [each.status for each in live.said[2:]] == [Status.DISABLED, Status.WARMUP]
    assert live.said[-1].truncated


def test_another_task_is_another_model_and_another_episode(robot):
    live = robot()
    live.steps(0.1, 0.2)
    told = live.core.set_task(lambda: bound(green_model(), goal_id="another"))
    assert told.result(5).goal_id == "another"
    live.steps(0.3, 0.4)
    assert [each.goal_id for each in live.said] == ["make it green"] * 3 + ["another"] * 2
    assert [each.episode for each in live.said] == [0, 0, 0, 1, 1]


def test_of_tasks_that_come_while_one_is_being_bound_the_last_is_bound_and_the_others_are_refused(robot):
    live, gate, built = robot(), Event(), []

    def build(name: str):
        built.append(name)
        assert gate.wait(10)
        return bound(green_model(), goal_id=name)

    told = [live.core.set_task(lambda: build("first"))]
    until(lambda: built)
    told += [live.core.set_task(lambda name=name: build(name)) for name in ("second", "third", "last")]
    gate.set()
    assert [told[0].result(5).goal_id, told[3].result(5).goal_id] == built == ["first", "last"]
    assert [str(each.exception(5)) for each in told[1:3]] == ["a later set_task took the place of this one"] * 2
    live.steps(0.3, 0.4)
    assert live.said[-1].goal_id == "last"


def test_a_task_that_cannot_be_bound_leaves_the_old_one(robot):
    def refuse():
        raise ValueError("no model for instruction ['dance']")

    live = robot()
    live.steps(0.1, 0.2)
    with pytest.raises(ValueError, match="dance"):
        live.core.set_task(refuse).result(5)
    live.steps(0.3, 0.4)
    assert (live.said[-1].status, live.said[-1].goal_id) == (Status.OK, "make it green")
