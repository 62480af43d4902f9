"""A marker that moves to its goal in MuJoCo, seen by the demo's cameras: from rendered pixels to progress."""

import io

import numpy as np
import pytest
import torch

# before anything else imports MuJoCo: it chooses OpenGL without a screen
pytest.importorskip("robo_reward_sim.rendering")

import mujoco
from PIL import Image
from printed_things import marker_print

from robo_reward import Clip, RewardStream
from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.object_pose import ObjectPoseReward
from robo_reward.models.object_pose_goal import GoalPose, box_corners
from robo_reward.models.object_pose_pictures import pose_in_pictures
from robo_reward.models.object_pose_progress import ExponentialTolerance, RelativeDistance
from robo_reward.models.object_pose_sight import FiducialSight
from robo_reward_sim.cameras import POSES
from robo_reward_sim.rig import table_rig

CAMERAS = ("left", "right", "top")
SIZE, SIDE = 400, 0.08
RIG = table_rig(CAMERAS, image_size=SIZE)
SIGHT = FiducialSight(dictionary="DICT_4X4_50", markers=[{"number": 7, "size": 0.75 * SIDE}])
START = Pose.from_rotation_vector(np.array([-0.2, 0.6, 0.02]), np.zeros(3))
GOAL = Pose.from_rotation_vector(np.array([0.08, 0.85, 0.12]), np.array([0.2, 0.0, 0.5]))
TARGET = GoalPose(T_base_goal=GOAL, key_points=box_corners((SIDE, SIDE, SIDE)))


def way(share: float) -> Pose:
    """Lifted, carried and turned, and set down."""
    lift = np.array([0.0, 0.0, 0.08 * np.sin(np.pi * share)])
    shift, turn = (START.translation, GOAL.translation), (START.rotation_vector, GOAL.rotation_vector)
    return Pose.from_rotation_vector(
        (1 - share) * shift[0] + share * shift[1] + lift, (1 - share) * turn[0] + share * turn[1]
    )


@pytest.fixture(scope="module")
def film():
    """Gives frames (3, height, width) by camera of the marker in a pose."""
    page = io.BytesIO()
    Image.fromarray(np.repeat(marker_print(7)[..., None], 3, axis=-1)).save(page, "PNG")
    half = SIDE / 2
    model = mujoco.MjModel.from_xml_string(
        f"""<mujoco>
          <visual><global offwidth="{SIZE}" offheight="{SIZE}" fovy="45"/><quality shadowsize="0"/>
            <headlight ambient=".6 .6 .6" diffuse=".3 .3 .3" specular="0 0 0"/></visual>
          <asset><texture name="print" type="2d" file="print.png"/>
            <material name="print" texture="print" texrepeat="1 1"/></asset>
          <worldbody><geom type="plane" size="2 2 .1" rgba=".5 .45 .4 1"/>
            <body name="thing" mocap="true">
              <geom type="box" size="{half} {half} .0005" pos="0 0 -.0005" material="print"/></body></worldbody>
        </mujoco>""",
        {"print.png": page.getvalue()},
    )
    data, cameras = mujoco.MjData(model), {}
    for name in CAMERAS:
        pose, camera = POSES[name], mujoco.MjvCamera()
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        camera.lookat[:] = pose.lookat
        camera.distance, camera.azimuth, camera.elevation = pose.distance, pose.azimuth, pose.elevation
        cameras[name] = camera
    with mujoco.Renderer(model, SIZE, SIZE) as renderer:

        def frames(pose: Pose) -> dict[str, torch.Tensor]:
            data.mocap_pos[0], data.mocap_quat[0] = pose.translation, pose.quaternion_wxyz
            mujoco.mj_forward(model, data)
            found = {}
            for name, camera in cameras.items():
                renderer.update_scene(data, camera)
                found[name] = torch.from_numpy(renderer.render().copy()).permute(2, 0, 1).contiguous()
            return found

        yield frames


@pytest.fixture(scope="module")
def episode(film) -> Clip:
    shown = [film(way(share)) for share in np.linspace(0, 1, 16)]
    return Clip(
        views={name: torch.stack([each[name] for each in shown])[None] for name in CAMERAS},
        present=torch.ones(1, 16, 3, dtype=torch.bool),
        stamp=0.1 * torch.arange(16, dtype=torch.float64)[None],
    )


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_marker_is_placed_to_two_millimetres_and_a_degree(film, share):
    distance, angle = pose_difference(pose_in_pictures(RIG, sight=SIGHT, pictures=film(way(share))), way(share))
    assert distance < 2e-3
    assert np.degrees(angle) < 1.5


@pytest.mark.parametrize(
    "progress",
    [ExponentialTolerance(target=TARGET), pytest.param(RelativeDistance(target=TARGET), marks=pytest.mark.slow)],
)
def test_progress_rises_with_the_marker_and_is_the_truth_within_its_spread(episode, progress):
    told = ObjectPoseReward(RIG, objects={"thing": SIGHT}, progress=progress).estimate(episode)
    order = value_order_correlation(told.progress[0])
    assert order.num_abstained == 0
    assert order.value >= 0.95
    memory = progress.after(None, [START], stamp=0.0)
    shares = np.linspace(0, 1, 16)
    truth = [progress.progress(progress.distance([way(share)], memory), memory) for share in shares]
    error = (told.progress[0] - torch.tensor(truth)).abs()
    assert (error < 0.002 + 4 * told.spread[0]).all()
    assert float(told.spread.max()) < 0.05
    assert float(told.progress[0, -1]) > 0.97


def test_a_marker_that_rests_earns_nothing(film):
    shown = film(START)
    still = Clip(
        views={name: frame[None, None].expand(1, 6, -1, -1, -1) for name, frame in shown.items()},
        present=torch.ones(1, 6, 3, dtype=torch.bool),
        stamp=0.1 * torch.arange(6, dtype=torch.float64)[None],
    )
    for progress in (ExponentialTolerance(target=TARGET), RelativeDistance(target=TARGET)):
        told = ObjectPoseReward(RIG, objects={"thing": SIGHT}, progress=progress).estimate(still)
        assert float(told.progress.max()) < 0.1
        assert float(told.progress.max() - told.progress.min()) < 1e-6


@pytest.mark.slow
def test_the_stream_gives_what_the_episode_gives_and_holds_while_the_marker_is_hidden(episode):
    model = ObjectPoseReward(RIG, objects={"thing": SIGHT}, progress=ExponentialTolerance(target=TARGET))
    whole = model.estimate(episode).progress[0]
    stream = RewardStream(model, discount=1.0)
    for t in range(6):
        hidden = t == 4
        views = {name: torch.zeros_like(film[0, t]) if hidden else film[0, t] for name, film in episode.views.items()}
        reward = stream.step(views, stamp=float(episode.stamp[0, t]))
        if t > 0:
            assert reward.held == hidden
            assert hidden or reward.progress == float(whole[t])
    assert stream.abstentions == 1


@pytest.mark.slow
def test_one_camera_is_enough_and_says_how_much_less_it_knows(episode):
    model = ObjectPoseReward(RIG, objects={"thing": SIGHT}, progress=ExponentialTolerance(target=TARGET))
    top = torch.tensor([False, False, True]).expand(1, 16, 3)
    alone = model.estimate(Clip(views=episode.views, present=top, stamp=episode.stamp))
    assert value_order_correlation(alone.progress[0]).value >= 0.95
    assert float(alone.spread.median()) > 2 * float(model.estimate(episode).spread.median())
