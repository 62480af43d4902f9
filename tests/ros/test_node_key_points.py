"""Key points and the picture for people, over real DDS: a printed marker that two cameras of a rig see."""

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from key_point_plans import plan
from looking_cameras import looking
from PIL import Image
from printed_things import marker_print, shown
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from geometry_msgs.msg import PoseStamped
from robo_reward_msgs.msg import KeyPoints, RewardStamped
from robo_reward_ros.ros_messages import time_message
from ros_bench import Bench, watch
from sensor_msgs.msg import CompressedImage

from robo_reward.camera.intrinsics import intrinsics_from_field_of_view
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.camera.rig_file import write_rig
from robo_reward.episodes.ros_fields import numbers_of_message
from robo_reward.evaluation.overlay import CAMERA_HEIGHT, MINIMUM_WIDTH
from robo_reward.evaluation.overlay_panel import HEADER_HEIGHT, PANEL_HEIGHT
from robo_reward.plans.plan_file import write_plan

bench = ros_bench.bench
LENS = intrinsics_from_field_of_view(0.8, 160, 120)
RIG = Rig(
    cameras={
        name: RigCamera(intrinsics=LENS, T_base_camera=looking(place, (0.0, 0.0, 0.05)))
        for name, place in {"front": (0.6, 0.0, 0.5), "wrist": (0.0, 0.6, 0.55)}.items()
    },
    base_frame="world",
)
CAMERAS = {"cameras": ["front", "wrist"], "image_topics": ["front/image_raw", "wrist/image_raw"], "sync_tolerance": 0.5}
START = Pose.from_rotation_vector(np.array([-0.06, 0.0, 0.05]), np.array([0.0, 0.1, 0.8]))


@pytest.fixture
def rig(tmp_path):
    write_rig(RIG, tmp_path / "rig.yaml")
    return {**CAMERAS, "rig": str(tmp_path / "rig.yaml")}


@pytest.fixture
def object_pose(rig):
    overrides = [
        "reward_model.objects.object.markers=[{number: 7, size: 0.15}]",
        "reward_model.progress.target.translation=[0.06, 0, 0.05]",
        "reward_model.progress.target.quaternion_wxyz=[1, 0, 0, 0]",
        "reward_model.progress.target.box=[0.2, 0.2, 0.1]",
    ]
    return {**rig, "reward_model": "object_pose", "overrides": overrides}


def views(place: Pose, *, seed: int = 0) -> dict[str, np.ndarray]:
    pictures = {name: shown(camera, [(marker_print(7), 0.2, place)], seed=seed) for name, camera in RIG.cameras.items()}
    return {name: picture.permute(1, 2, 0).numpy() for name, picture in pictures.items()}


def show(live: Bench, place: Pose, *, seed: int = 0) -> RewardStamped:
    pictures = views(place, seed=seed)  # takes a while
    before, stamp = len(live.answered()), live.now_ns()
    for name, pixels in pictures.items():
        live.show(pixels, topic=f"{name}/image_raw", stamp_ns=stamp)
    until(lambda: len(live.answered()) > before, seconds=10)
    return live.answered()[-1]


def heard(live: Bench) -> list[KeyPoints]:
    told: list[KeyPoints] = []
    live.client.create_subscription(KeyPoints, "reward_node/key_points", told.append, 10)
    return told


def moved(x: float) -> Pose:
    return Pose(rotation=START.rotation, translation=np.array([x, 0.0, 0.05]))


def test_an_object_is_told_in_space_and_in_every_picture(bench, object_pose):
    live = bench(**object_pose)
    told = heard(live)
    for seed, x in enumerate((-0.06, -0.03, 0.0)):
        answer = show(live, moved(x), seed=seed)
    until(lambda: told and told[-1].header.stamp == answer.header.stamp)
    (point,), last = told[-1].points, told[-1]
    assert (last.ids, last.header.frame_id) == (["object"], "world")
    assert np.allclose([point.x, point.y, point.z], [0.0, 0.0, 0.05], atol=0.003)
    assert [view.camera for view in last.views] == ["front", "wrist"]
    for view in last.views:
        wanted = RIG.camera(view.camera).project(np.array([0.0, 0.0, 0.05]))
        assert np.allclose([view.points[0].x, view.points[0].y], wanted, atol=0.7)
    assert answer.header.frame_id == "world"
    assert live.node.prepared.bound.rig == object_pose["rig"]


def test_where_the_object_is_lost_nobody_is_told_an_old_place(bench, object_pose):
    live = bench(**object_pose)
    told = heard(live)
    for seed in range(2):
        show(live, START, seed=seed)
    answer = show(live, Pose(rotation=START.rotation, translation=np.array([9.0, 9.0, 0.05])))
    assert answer.status == RewardStamped.LOW_CONFIDENCE
    until(lambda: told and told[-1].header.stamp == answer.header.stamp)
    assert np.isnan(told[-1].points[0].x)


def test_a_point_that_cameras_follow_is_told_with_its_covariance(bench, rig, tmp_path):
    way = replace(plan((-0.06, 0, 0.05), (0.06, 0, 0.05), tolerance=0.2), base_frame="world")
    write_plan(way, tmp_path / "plan.yaml")
    files, pixels = [], []
    for name, picture in views(START).items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        right, down = RIG.camera(name).project(START.translation).tolist()
        files.append(f"{name}: '{tmp_path / name}.png'")
        pixels.append(f"{name}: [{right}, {down}]")
    overrides = [
        "point@reward_model.point=cameras",
        f"reward_model.plan='{tmp_path / 'plan.yaml'}'",
        "reward_model.gripper=null",
        f"reward_model.point.references={{{', '.join(files)}}}",
        f"reward_model.point.pixels={{{', '.join(pixels)}}}",
    ]
    given = {"reward_model": "keypoint_affordance", "overrides": overrides, "instruction": way.task}
    live = bench(**rig, **given)
    told = heard(live)
    for seed, x in enumerate((-0.06, -0.05, -0.04)):
        answer = show(live, moved(x), seed=seed)
    until(lambda: told and told[-1].header.stamp == answer.header.stamp)
    (point,), covariance = told[-1].points, np.reshape(told[-1].covariance, (3, 3))
    assert np.allclose([point.x, point.y, point.z], [-0.04, 0.0, 0.05], atol=0.004)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert all(view.points[0].covariance[0] > 0 for view in told[-1].views)


def test_a_point_that_way_points_go_along_with_is_told_by_its_name(bench, rig, tmp_path):
    """A red ball, which stands still: the plan is relative to it, and its way is from where the tool is."""
    red, still = np.array([0.03, -0.02, 0.05]), plan((0, 0, 0), (0, 0, 0), around={1: "ball"}, tolerance=0.02)
    write_plan(replace(still, base_frame="world"), tmp_path / "plan.yaml")
    here = "reward_model.anchors.ball"
    overrides = [
        f"+point@{here}=colour",
        f"{here}.colour=[210, 30, 30]",
        f"{here}.still=true",
        f"reward_model.plan='{tmp_path / 'plan.yaml'}'",
        "reward_model.gripper=null",
    ]
    state = {"state_names": ["tool_position"], "state_topics": ["tool"], "state_types": ["PoseStamped"]}
    given = {"reward_model": "keypoint_affordance", "overrides": overrides, "instruction": still.task}
    live = bench(**rig, **given, **state, state_fields=["pose.position"], state_max_age=60.0)
    assert live.node.prepared.bound.rig == rig["rig"]
    told = heard(live)
    hand = live.client.create_publisher(PoseStamped, "tool", 10)
    until(lambda: hand.get_subscription_count() > 0)
    for share, hidden in ((0.0, False), (0.5, False), (1.0, True)):
        stamp = live.now_ns()
        pose = PoseStamped()
        pose.header.stamp = time_message(stamp)
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = (share * red).tolist()
        hand.publish(pose)
        time.sleep(0.2)
        before = len(live.answered())
        for name, camera in RIG.cameras.items():
            drawn = np.full((LENS.height, LENS.width, 3), 140, np.uint8)
            if not (hidden and name == "wrist"):
                right, down = np.round(camera.project(red)).astype(int)
                drawn[down - 3 : down + 4, right - 3 : right + 4] = (210, 30, 30)
            live.show(drawn, topic=f"{name}/image_raw", stamp_ns=stamp)
        until(lambda before=before: len(live.answered()) > before, seconds=10)
        answer = live.answered()[-1]
        assert answer.progress == pytest.approx(share, abs=0.1)
    until(lambda: told and told[-1].header.stamp == answer.header.stamp)
    (last,) = (each for each in told if each.header.stamp == answer.header.stamp)
    assert list(last.ids) == ["ball"]
    assert numbers_of_message(last, ["points.ball"]) == pytest.approx(red, abs=0.005)
    assert (np.linalg.eigvalsh(np.reshape(last.covariance, (3, 3))) > 0).all()
    seen = {view.camera: view.points[0].x for view in last.views}
    assert seen["front"] == pytest.approx(RIG.camera("front").project(red)[0], abs=1.0)
    assert np.isnan(seen["wrist"])  # hidden from this one now


def test_the_picture_for_people_is_drawn_only_while_somebody_looks_and_at_most_five_times_a_second(bench):
    live, told = bench(), []
    watch(live, 0.1, 0.2, 0.3)
    assert live.node.session._view._due == 0.0
    looking_in = live.client.create_subscription(CompressedImage, "reward_node/debug/compressed", told.append, 10)
    until(lambda: live.node._voices.debug_wanted, seconds=10)
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        watch(live, 0.5)
    until(lambda: told)
    assert 1 <= len(told) <= 7
    assert told[-1].header.stamp.sec > 0
    picture = Image.open(io.BytesIO(bytes(told[-1].data)))
    assert picture.size == (MINIMUM_WIDTH, HEADER_HEIGHT + CAMERA_HEIGHT + PANEL_HEIGHT)
    live.client.destroy_subscription(looking_in)
    until(lambda: not live.node._voices.debug_wanted, seconds=10)


def test_no_picture_for_people_where_none_is_wanted(bench):
    live = bench(debug_rate=0.0)
    watch(live, 0.1, 0.2)
    assert live.node.session._view is None
