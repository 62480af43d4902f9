"""Objects and goals that are shown in pictures."""

import numpy as np
import pytest
from looking_cameras import around
from PIL import Image
from printed_things import marker_print, shown
from test_object_pose_sight import KEYS, MARKER, SIDE, texture

from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.rig import Rig
from robo_reward.camera.rig_file import write_rig
from robo_reward.models.object_pose_pictures import goal_in_pictures, key_point_sight, pose_in_pictures
from robo_reward.models.object_pose_sight import FiducialSight

LEFT, RIGHT = around(2)
RIG = Rig(cameras={"left": LEFT, "right": RIGHT}, base_frame="world")
START = Pose.from_rotation_vector(np.array([0.02, 0.03, 0.1]), np.array([0.1, 0.2, 0.9]))
SIGHT = FiducialSight(dictionary="DICT_4X4_50", markers=[MARKER])


def filmed(pose: Pose, page=None) -> dict:
    print_ = marker_print(7) if page is None else page
    return {name: shown(camera, [(print_, SIDE, pose)]) for name, camera in RIG.cameras.items()}


def saved(folder, pictures) -> dict[str, str]:
    paths = {}
    for name, picture in pictures.items():
        paths[name] = str(folder / f"{name}.png")
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(paths[name])
    return paths


def marked(paths, **changes):
    pixels = {name: camera.project(START.apply(KEYS)).tolist() for name, camera in RIG.cameras.items()} | changes
    return {name: {"picture": paths[name], "pixels": pixels[name]} for name in paths}


def test_a_goal_is_the_pose_that_pictures_of_the_finished_task_show(tmp_path):
    write_rig(RIG, tmp_path / "rig.yaml")
    paths = saved(tmp_path, filmed(START))
    goal = goal_in_pictures(str(tmp_path / "rig.yaml"), sight=SIGHT, pictures=paths, box=[0.2, 0.2, 0.1])
    distance, angle = pose_difference(goal.T_base_goal, START)
    assert distance < 1e-3
    assert angle < 0.01
    assert goal.key_points.shape == (8, 3)
    own = goal_in_pictures(RIG, sight=SIGHT, pictures=paths, symmetry=[{"axis": [0, 0, 1], "order": 4}])
    assert np.array_equal(own.key_points, SIGHT.points)
    assert len(own.symmetry) == 4


def test_pictures_that_do_not_place_the_object_are_refused():
    nothing = {name: shown(camera, []) for name, camera in RIG.cameras.items()}
    with pytest.raises(ValueError, match=r"do not place the object; points that each shows: \{'left': 0, 'right': 0\}"):
        pose_in_pictures(RIG, sight=SIGHT, pictures=nothing)
    with pytest.raises(ValueError, match="the rig has no camera 'top'"):
        pose_in_pictures(RIG, sight=SIGHT, pictures={"top": nothing["left"]})


def test_key_points_marked_in_two_pictures_are_lifted_and_followed_to_another_pose(tmp_path):
    paths = saved(tmp_path, filmed(START, texture()))
    sight = key_point_sight(RIG, pictures=marked(paths))
    # the object's frame is the base frame at that moment
    np.testing.assert_allclose(sight.points, START.apply(KEYS), atol=1e-6)
    motion = Pose.from_rotation_vector(np.array([0.05, -0.03, 0.02]), np.zeros(3))
    found = pose_in_pictures(RIG, sight=sight, pictures=filmed(motion @ START, texture()))
    _, angle = pose_difference(found, motion)
    assert np.linalg.norm(found.apply(sight.points) - motion.apply(sight.points), axis=-1).max() < 2e-3
    assert angle < 0.05


def test_a_key_point_that_one_camera_does_not_see_needs_known_points(tmp_path):
    paths = saved(tmp_path, filmed(START, texture()))
    hidden = [None, *RIG.cameras["right"].project(START.apply(KEYS)).tolist()[1:]]
    with pytest.raises(ValueError, match=r"key points \[0\] are not seen by two cameras"):
        key_point_sight(RIG, pictures=marked(paths, right=hidden))
    sight = key_point_sight(RIG, pictures=marked(paths, right=hidden), points=KEYS.tolist())
    found = pose_in_pictures(RIG, sight=sight, pictures=filmed(START, texture()))
    assert pose_difference(found, START)[0] < 2e-3


def test_pictures_with_different_points_and_files_that_are_none_are_refused(tmp_path):
    paths = saved(tmp_path, filmed(START, texture()))
    with pytest.raises(ValueError, match=r"each picture must mark the same points, .* got \{'left': 4, 'right': 1\}"):
        key_point_sight(RIG, pictures=marked(paths, right=[[3.0, 4.0]]))
    with pytest.raises(FileNotFoundError, match="camera 'left': there is no picture"):
        goal_in_pictures(RIG, sight=SIGHT, pictures={"left": tmp_path / "none.png"})
