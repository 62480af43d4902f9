"""What goes out while the node is told to stop."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import rclpy
from rclpy.lifecycle import LifecycleNode
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.reward_publishers import RewardPublishers
from ros_bench import own_domain

ANSWER = Answer(status=Status.OK, reward=0.25, potential=0.5, task_reward=0.0)


@pytest.fixture
def node():
    lock, context = own_domain(70), rclpy.Context()
    rclpy.init(context=context, domain_id=int(lock.name.rpartition("_")[2]))
    node = LifecycleNode("speaker", context=context)
    yield node
    context.try_shutdown()
    lock.close()


def test_a_signal_that_overtakes_the_worker_silences_it_without_an_error(node):
    voices = RewardPublishers(node)
    node.trigger_configure()
    node.trigger_activate()
    voices.answer(ANSWER, base_frame="base")
    node.context.shutdown()  # as a signal's handler does, from a thread of its own
    voices.answer(ANSWER, base_frame="base")
    voices.debug(b"", 0)
    assert not voices.debug_wanted


def test_any_other_error_of_a_publication_is_told(node):
    voices = RewardPublishers(node)
    node.trigger_configure()
    node.trigger_activate()
    node.destroy_publisher(voices._rewards)
    with pytest.raises(RuntimeError):
        voices.answer(ANSWER, base_frame="base")
