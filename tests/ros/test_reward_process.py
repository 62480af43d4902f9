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

from demonstrations import to_green
from robo_reward_msgs.msg import RewardStamped
from robo_reward_ros.reward_gate import GateLimits, Refusal, RewardGate
from robo_reward_ros.ros_messages import answer_of_message
from ros_bench import Talker

from robo_reward.clip import Clip
from robo_reward.models.preference import PreferenceReward
from robo_reward.perception.embedded_encoder import embedded_encoder
from robo_reward.perception.encoder import embed_clip
from robo_reward.perception.fitting import LabelledClip
from robo_reward.training.fit import FittedModels, save_models

PARAMETERS = """
/**:
  ros__parameters:
    reward_model: {model}
    cameras: [front]
    image_topics: [camera/image_raw]
    instruction: make it green
    warm_up_height: 12
    warm_up_width: 10
    torch_threads: 1
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
    running = []

    def begin(talker, model=tmp_path / "model.yaml") -> subprocess.Popen:
        (tmp_path / "rewards.yaml").write_text(PARAMETERS.format(model=model))
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
    end = monotonic() + 60
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


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A folder as `robo-reward fit reward_model=preference` writes it, with the encoder that comes with the package."""
    encoder = embedded_encoder(device="cpu", runtime="torch", precision="float32", batch_size=None)
    clips = [LabelledClip(clip=embed_clip(encoder, _front(seed)), success=True) for seed in range(2)]
    model = PreferenceReward(encoder, pairs=100).fitted_to(clips)
    kept = FittedModels(
        encoder={
            "_target_": "robo_reward.perception.embedded_encoder.embedded_encoder",
            "device": "cpu",
            "runtime": "torch",
            "precision": "float32",
            "batch_size": None,
        },
        models={"make it green": model},
        fitted_on={},
        curves={"make it green": []},
    )
    return save_models(kept, tmp_path_factory.mktemp("fit") / "fitted")


def _front(seed: int) -> Clip:
    clip = to_green(*[share / 7 for share in range(8)], seed=seed)
    return Clip(views={"front": clip.views["front"]}, present=clip.present[..., :1], stamp=clip.stamp)


def seconds_allowed() -> float:
    """Ten, on cores that nobody shares; as many times that as there are others at work for each core."""
    return 10 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["prompts", "fitted, embedded encoder"])
def test_killed_and_started_again_it_answers_in_a_new_session_and_nothing_counts_twice(talker, start, kind, request):
    given = [] if kind == "prompts" else [request.getfixturevalue("embedded")]
    process = start(talker, *given)
    before = watch_until_ok(talker)
    process.kill()
    process.wait(10)
    began = monotonic()
    start(talker, *given)
    after = watch_until_ok(talker, session=before.session)
    assert monotonic() - began < seconds_allowed()
    heard = [answer_of_message(message) for message in talker.rewards * 2]  # twice: as a recorder or a bridge may do
    gate, passed, cuts = RewardGate(GateLimits(max_age=60.0)), [], []
    for answer in heard:
        if gate.passes(answer, now_ns=answer.stamp_ns, now=0.0):
            passed.append((answer.session, answer.sequence))
        cuts += [each for each in [gate.cut()] if each is not None]
    assert passed == sorted(set(passed))
    assert {session for session, _ in passed} == {before.session, after.session}
    assert gate.refused[Refusal.OLD_SESSION] > 0
    assert [(cut.session, cut.episode, cut.truncated) for cut in cuts] == [(before.session, before.episode, True)]
    first = next(each for each in talker.rewards if each.session == after.session and each.views)
    assert first.status == RewardStamped.WARMUP
    assert math.isnan(first.reward)
