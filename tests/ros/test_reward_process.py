"""The reward node as a process of its own: started, interrupted, killed and started again."""

import math
import os
import signal
import subprocess
import sys
from time import monotonic, sleep

import pytest
from ros_pictures import picture

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from robo_reward_msgs.msg import RewardStamped
from robo_reward_ros.reward_gate import GateLimits, Refusal, RewardGate
from robo_reward_ros.ros_messages import answer_of_message
from ros_bench import Talker

PARAMETERS = """
/**:
  ros__parameters:
    reward_model: {model}
    cameras: [front]
    image_topics: [camera/image_raw]
    instruction: make it green
    warm_up_height: 12
    warm_up_width: 10
"""
MODEL = """
encoder: {_target_: fake_encoder.FakeEncoder}
reward_model:
  _target_: robo_reward.models.prompt_similarity.PromptSimilarity
  goal: [a green square]
  baseline: [a red square]
  alpha: 0.5
  renormalize: true
"""


@pytest.fixture
def talker():
    talker = Talker(90)
    yield talker
    talker.close()


@pytest.fixture
def start(tmp_path):
    (tmp_path / "model.yaml").write_text(MODEL)
    (tmp_path / "rewards.yaml").write_text(PARAMETERS.format(model=tmp_path / "model.yaml"))
    running = []

    def begin(talker) -> subprocess.Popen:
        environment = os.environ | {"ROS_DOMAIN_ID": str(talker.domain), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "robo_reward_ros.reward_node"]
        arguments = ["--ros-args", "--params-file", str(tmp_path / "rewards.yaml")]
        running.append(subprocess.Popen([*command, *arguments], env=environment))
        talker.bring_up()
        return running[-1]

    yield begin
    for each in running:
        each.kill()
        each.wait(10)


def watch_until_ok(talker, *, session: int = 0) -> RewardStamped:
    """Show pictures at 20 Hz until the node of a later session gives a reward."""
    end = monotonic() + 15
    while monotonic() < end:
        talker.show(picture(0.5), wait=False)
        sleep(0.05)
        good = [each for each in talker.rewards if each.status == RewardStamped.OK and each.session > session]
        if good:
            return good[-1]
    raise AssertionError("no reward came")


@pytest.mark.slow
def test_interrupted_the_node_ends_without_an_error(talker, start):
    process = start(talker)
    watch_until_ok(talker)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


@pytest.mark.slow
def test_killed_and_started_again_it_answers_in_a_new_session_and_nothing_counts_twice(talker, start):
    process = start(talker)
    before = watch_until_ok(talker)
    process.kill()
    process.wait(10)
    began = monotonic()
    start(talker)
    after = watch_until_ok(talker, session=before.session)
    assert monotonic() - began < 10
    gate = RewardGate(GateLimits(max_age=60.0))
    passed = []
    for message in talker.rewards * 2:  # all of it again: what a recorder or a bridge may do
        answer = answer_of_message(message)
        if gate.passes(answer, now_ns=answer.stamp_ns, now=0.0):
            passed.append((answer.session, answer.sequence))
    assert passed == sorted(set(passed))
    assert {session for session, _ in passed} == {before.session, after.session}
    assert gate.refused[Refusal.OLD_SESSION] > 0
    first = next(each for each in talker.rewards if each.session == after.session and each.views)
    assert first.status == RewardStamped.WARMUP
    assert math.isnan(first.reward)
