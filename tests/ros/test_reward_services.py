"""The services of the reward node over real DDS."""

import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from robo_reward_msgs.msg import RewardStamped
from robo_reward_msgs.srv import MarkOutcome, SetTask
from ros_bench import watch
from std_srvs.srv import SetBool, Trigger

bench, fitted = ros_bench.bench, ros_bench.fitted


def test_services_end_episodes_and_switch_rewards_off(bench):
    live = bench()
    watch(live, 0.1, 0.2)
    told = live.call(Trigger, "reward_node/reset_episode")
    assert (told.success, told.message) == (True, "episode 0 ended, truncated: reset_episode was called")
    watch(live, 0.1, 0.5)
    marked = live.call(MarkOutcome, "reward_node/mark_outcome", MarkOutcome.Request(outcome=1, who="operator"))
    assert (marked.success, marked.episode) == (True, 1)
    until(lambda: live.rewards[-1].terminated)
    assert live.rewards[-1].reward == -live.answered()[-1].potential
    assert live.rewards[-1].task_reward == 1.0
    until(lambda: len(live.values) == 3)
    again = live.call(MarkOutcome, "reward_node/mark_outcome", MarkOutcome.Request(outcome=1))
    assert (again.success, again.message) == (False, "there is no episode to end: it has no frame yet")
    assert live.call(SetBool, "reward_node/enable", SetBool.Request(data=False)).success
    until(lambda: live.rewards[-1].status == RewardStamped.DISABLED)


def test_services_in_the_wrong_state_say_so(bench):
    live = bench(begin=False)
    for kind, name in (
        (Trigger, "reset_episode"),
        (SetTask, "set_task"),
        (MarkOutcome, "mark_outcome"),
        (SetBool, "enable"),
    ):
        told = live.call(kind, f"reward_node/{name}")
        assert (told.success, told.message) == (False, "the node is not active")


def test_another_task_is_bound_while_the_node_runs_or_refused_with_a_reason(bench, fitted):
    live = bench()
    watch(live, 0.1, 0.2)
    request = SetTask.Request(
        instruction="paint it blue", goal=["a blue square, 'all' of it"], baseline=["a red square"]
    )
    told = live.call(SetTask, "reward_node/set_task", request)
    assert (told.success, told.message) == (True, "bound to 'paint it blue'")
    until(lambda: len(live.info) == 2)
    watch(live, 0.3, 0.4)
    assert live.answered()[-1].goal_id == "paint it blue"
    assert live.answered()[-1].model_id == told.model_id != live.answered()[0].model_id
    refused = live.call(SetTask, "reward_node/set_task", SetTask.Request(plan="/somewhere"))
    assert not refused.success
    assert refused.message.startswith("plan: there is no /somewhere")
    watch(live, 0.5, 0.6)
    assert live.answered()[-1].model_id == told.model_id
