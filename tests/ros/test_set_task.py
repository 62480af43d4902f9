"""Another task for a running node, over real DDS: plans, goal images, demonstrations; refused ones change nothing."""

from dataclasses import replace
from hashlib import sha256
from threading import Event
from time import sleep

import pytest
from bag_data import red_to_green
from chat_server import ChatServer, completion
from key_point_plans import plan
from ros_pictures import compressed, picture, until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from robo_reward_msgs.msg import RewardStamped
from robo_reward_msgs.srv import SetTask
from ros_bench import Bench, watch
from sensor_msgs.msg import CompressedImage

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward.models.process import ProcessReward
from robo_reward.plans.plan_file import write_plan

bench, fitted = ros_bench.bench, ros_bench.fitted


def ask(live: Bench, **request):
    return live.call(SetTask, "reward_node/set_task", SetTask.Request(**request))


@pytest.fixture
def demonstrations(tmp_path):
    """Two recordings that turn from blue to green."""
    folder = tmp_path / "demonstrations"
    cameras = {name: Feature(dtype="video", shape=(48, 64, 3)) for name in ("front", "wrist")}
    with LeRobotWriter(folder, cameras, fps=10.0, robot_type="none") as writer:
        for seed in range(2):
            film = red_to_green(20, seed=seed, size=(48, 64)).transpose(0, 3, 1, 2)
            writer.add_episode("turn it over", views={name: film for name in cameras}, columns={})
    return str(folder)


def test_a_model_is_fitted_to_demonstrations_while_the_node_stays_responsive(
    bench, fitted, demonstrations, monkeypatch
):
    live, begun, go_on = bench(reward_model=str(fitted), cameras=["front"]), Event(), Event()
    real = ProcessReward.fitted_to

    def slow(self, clips, *, on_epoch):
        begun.set()
        assert go_on.wait(20)
        return real(self, clips, on_epoch=on_epoch)

    monkeypatch.setattr(ProcessReward, "fitted_to", slow)
    watch(live, 0.1, 0.2)
    request = SetTask.Request(demonstrations=demonstrations)
    future = live.client.create_client(SetTask, "reward_node/set_task").call_async(request)
    until(begun.is_set, seconds=10)
    until(lambda: live.rewards[-1].reason == "the model is being bound to another task")
    told = len(live.values)
    live.show(picture(0.4))
    assert live.state == "active"  # answered while the model is being fitted
    assert len(live.values) == told
    go_on.set()
    until(future.done, seconds=20)
    assert (future.result().success, future.result().message) == (
        True,
        f"bound to 'turn it over', fitted to {demonstrations}",
    )
    watch(live, 0.1, 0.3, 0.6)
    assert live.answered()[-1].status == RewardStamped.OK
    assert live.answered()[-1].model_id == future.result().model_id
    assert live.info[-1].goal_id == "turn it over"


def test_a_fit_ends_when_the_node_is_deactivated(bench, fitted, demonstrations, monkeypatch):
    live, begun = bench(reward_model=str(fitted), cameras=["front"]), Event()

    def endless(self, clips, *, on_epoch):
        begun.set()
        while True:
            on_epoch(None)
            sleep(0.01)

    monkeypatch.setattr(ProcessReward, "fitted_to", endless)
    client = live.client.create_client(SetTask, "reward_node/set_task")
    future = client.call_async(SetTask.Request(demonstrations=demonstrations))
    until(begun.is_set, seconds=10)
    assert live.change("deactivate")
    until(future.done, seconds=10)
    assert (future.result().success, future.result().message) == (
        False,
        "the fit was ended: the node is no longer active",
    )
    assert live.change("cleanup")
    assert live.state == "unconfigured"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"instruction": "dance"}, "has no model for instruction ['dance']"),
        ({"goal": ["a green square"]}, "holds fitted models, whose prompts cannot be changed: ask by instruction"),
        ({"plan": "PLAN"}, "holds fitted models, whose plan cannot be changed"),
        ({"demonstrations": "EMPTY"}, "meta/info.json"),
        (
            {"demonstrations": "DEMOS", "instruction": "dance"},
            "has no demonstration of 'dance'; it has ['turn it over']",
        ),
        ({}, "the request is empty"),
    ],
)
def test_a_refused_task_leaves_the_old_one_answering(bench, fitted, request, fields, text):
    live, tmp_path = bench(reward_model=str(fitted), cameras=["front"]), request.getfixturevalue("tmp_path")
    watch(live, 0.1, 0.2)
    write_plan(plan((0, 0, 0), (1, 0, 0)), tmp_path / "plan.yaml")
    (tmp_path / "empty").mkdir()
    files = {
        "PLAN": lambda: str(tmp_path / "plan.yaml"),
        "EMPTY": lambda: str(tmp_path / "empty"),
        "DEMOS": lambda: request.getfixturevalue("demonstrations"),
    }
    given = {name: files[value]() if name in ("plan", "demonstrations") else value for name, value in fields.items()}
    told = ask(live, **given)
    assert not told.success
    assert text in told.message
    watch(live, 0.3, 0.4)
    assert live.answered()[-1].status == RewardStamped.OK
    assert {each.model_id for each in live.answered()} == {live.answered()[0].model_id}


def test_a_plan_is_another_task_with_words_of_its_own(bench, tmp_path):
    for name, end in (("one", 1.0), ("other", 2.0)):
        (tmp_path / name).mkdir()
        write_plan(replace(plan((0, 0, 0), (end, 0, 0)), task=f"go to {name}"), tmp_path / name / "plan.yaml")
    given = {
        "reward_model": "keypoint_affordance",
        "overrides": [f"reward_model.plan='{tmp_path / 'one' / 'plan.yaml'}'", "reward_model.gripper=null"],
        "instruction": "go to one",
        "state_names": ["tool_position"],
        "state_topics": ["point"],
        "state_types": ["PointStamped"],
    }
    live = bench(**given)
    told = ask(live, plan=str(tmp_path / "other"))
    assert (told.success, told.message) == (True, "bound to 'go to other'")
    wrong = ask(live, plan=str(tmp_path / "other"), instruction="go to one")
    assert not wrong.success
    assert "the plan is of the task 'go to other', the episodes are told 'go to one'" in wrong.message


def test_goal_images_are_what_a_vision_language_model_compares_with(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, share in (("start", 0.0), ("goal", 0.5)):
        (tmp_path / f"{name}.png").write_bytes(compressed(picture(share)).data)
    with ChatServer(lambda asked: asked.answer(completion("<score>+90%</score>"))) as server:
        here = "reward_model.source"
        files = [f"{here}.{name}={{front: '{tmp_path / name}.png'}}" for name in ("start", "goal")]
        vlm = [f"{here}.vlm.folder='{tmp_path / 'replies'}'", f"{here}.vlm.model.url={server.url}"]
        overrides = [*files, *vlm, f"{here}.vlm.model.model=some"]
        live = bench(reward_model="vlm_process", overrides=overrides, instruction="make it green")
        data = compressed(picture(1.0)).data
        image = CompressedImage(format="png")
        image.data.frombytes(data)
        before = live.node.prepared.bound.model.version
        told = ask(live, goal_images=[image], goal_image_cameras=["front"])
    assert told.success, told.message
    assert told.model_id != before
    kept = tmp_path / "cache" / "robo_reward" / "goal_images" / sha256(data).hexdigest()
    until(lambda: str(kept) in live.info[-1].configuration)
    refused = ask(live, goal_images=[image], goal_image_cameras=["side"])
    assert "goal_image_cameras ['side'] are none of the cameras ['front']" in refused.message
