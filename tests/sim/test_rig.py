"""The true rig of the simulator: a thing is seen where it is projected, whatever the conventions of three libraries."""

import numpy as np
import pytest

# before anything else imports MuJoCo: it chooses OpenGL without a screen
pytest.importorskip("robo_reward_sim.rendering")

import mujoco
from scipy.spatial.transform import Rotation

from robo_reward.camera.mujoco_camera import mujoco_camera_of_pose, pose_of_mujoco_camera
from robo_reward.camera.pose import Pose
from robo_reward.camera.triangulation import triangulate
from robo_reward_sim.cameras import POSES
from robo_reward_sim.rig import optical_pose, rig_of_model, table_rig

PLACES = [(-0.05, 0.73, 0.14), (-0.3, 0.55, 0.02), (0.12, 0.9, 0.25), (0.1, 0.6, 0.05), (-0.2, 0.85, 0.3)]
RADIUS = 0.01


def world(cameras: str = "") -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Small balls at known places, and cameras of its own."""
    balls = "".join(
        f'<geom name="ball{index}" type="sphere" size="{RADIUS}" pos="{" ".join(map(str, place))}"/>'
        for index, place in enumerate(PLACES)
    )
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><visual><global offwidth="640" offheight="480"/></visual>'
        f"<worldbody>{balls}{cameras}</worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def centres(model, data, camera, *, width: int, height: int) -> np.ndarray:
    """Where each ball's pixels have their middle, by MuJoCo's segmentation; NaN where it is not seen whole."""
    found = []
    with mujoco.Renderer(model, height, width) as renderer:
        renderer.enable_segmentation_rendering()
        renderer.update_scene(data, camera)
        shown = renderer.render()
    for index in range(len(PLACES)):
        down, right = np.nonzero((shown[..., 0] == index) & (shown[..., 1] == mujoco.mjtObj.mjOBJ_GEOM))
        edge = len(down) == 0 or min(down.min(), right.min(), height - 1 - down.max(), width - 1 - right.max()) == 0
        found.append((np.nan, np.nan) if edge else (right.mean(), down.mean()))
    return np.array(found)


def free_camera(name: str) -> mujoco.MjvCamera:
    pose, camera = POSES[name], mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = pose.lookat
    camera.distance, camera.azimuth, camera.elevation = pose.distance, pose.azimuth, pose.elevation
    return camera


@pytest.mark.parametrize("name", POSES)
def test_a_ball_is_rendered_where_the_rig_projects_it(name):
    model, data = world()
    rendered = centres(model, data, free_camera(name), width=400, height=400)
    projected = table_rig([name], image_size=400).camera(name).project(np.array(PLACES))
    seen = np.isfinite(rendered[:, 0])
    assert seen.sum() >= 3
    # pixels are counted whole, so a ball of 8 pixels has its middle to a tenth; half a pixel would be the wrong edge
    np.testing.assert_allclose(projected[seen], rendered[seen], atol=0.25)
    assert np.abs((projected - rendered)[seen].mean(axis=0)).max() < 0.1


def test_a_camera_of_a_model_with_any_roll_and_a_wide_picture_is_projected_as_rendered():
    turn = Rotation.from_euler("xyz", (50, 10, 30), degrees=True).as_quat()[[3, 0, 1, 2]]
    quat = " ".join(map(str, turn))
    model, data = world(f'<camera name="own" pos="0.3 0.1 0.6" quat="{quat}" fovy="58"/>')
    camera = rig_of_model(model, data, cameras=["own"], width=640, height=480).camera("own")
    rendered = centres(model, data, "own", width=640, height=480)
    seen = np.isfinite(rendered[:, 0])
    assert seen.sum() >= 3
    np.testing.assert_allclose(camera.project(np.array(PLACES))[seen], rendered[seen], atol=0.25)


def test_an_optical_pose_becomes_a_mujoco_camera_and_comes_back():
    pose = Pose(rotation=Rotation.from_euler("xyz", (120, -20, 35), degrees=True).as_matrix(), translation=np.ones(3))
    position, quaternion = mujoco_camera_of_pose(pose)
    text = f'<camera name="own" pos="{" ".join(map(str, position))}" quat="{" ".join(map(str, quaternion))}"/>'
    _, data = world(text)
    again = pose_of_mujoco_camera(data.camera("own").xpos, data.camera("own").xmat)
    np.testing.assert_allclose(again.matrix, pose.matrix, atol=1e-9)


def test_an_upright_camera_has_level_rows_and_looks_at_its_point():
    for each in POSES.values():
        pose = optical_pose(each)
        assert pose.rotation[2, 0] == pytest.approx(0, abs=1e-12)  # x axis is level
        assert pose.rotation[2, 1] < 0  # y axis points down
        ahead = np.array(each.lookat) - pose.translation
        np.testing.assert_allclose(ahead, each.distance * pose.rotation[:, 2], atol=1e-12)


def test_balls_are_triangulated_from_their_pictures_to_a_millimetre():
    model, data = world()
    rig = table_rig(image_size=480)
    pixels = np.stack([centres(model, data, free_camera(name), width=480, height=480) for name in POSES])
    for index, place in enumerate(PLACES):
        found = triangulate(list(rig.cameras.values()), pixels[:, index], pixel_std=0.2)
        assert np.linalg.norm(found.position - place) < 1e-3
        assert found.inlier.sum() >= 2


@pytest.mark.parametrize(
    "name", ["left", *(pytest.param(each, marks=pytest.mark.slow) for each in POSES if each != "left")]
)
def test_the_goal_of_a_recorded_task_is_filmed_where_the_rig_projects_it(name):
    pytest.importorskip("metaworld")
    from robo_reward_sim.meta_world import MetaWorldScene
    from robo_reward_sim.tasks import task_named

    with MetaWorldScene(task_named("reach"), cameras=(name,), image_size=288) as scene:
        scene.reset(3)
        marker = scene._env.model.site("goal")
        shown = scene.frames()[name].astype(int)
        marker.rgba[3] = 0.0
        changed = np.abs(scene.frames()[name] - shown).sum(axis=0) > 20
        place = scene._env.data.site("goal").xpos.copy()
    down, right = np.nonzero(changed)
    assert len(down) > 50
    middle = np.array([(right.min() + right.max()) / 2, (down.min() + down.max()) / 2])
    projected = table_rig([name], image_size=288).camera(name).project(place)
    assert np.linalg.norm(projected - middle) < 1


def test_cameras_that_do_not_stand_still_have_no_rig():
    with pytest.raises(ValueError, match=r"no fixed pose is known of camera \['gripperPOV'\]; available: left, right"):
        table_rig(["left", "gripperPOV"], image_size=144)
