import re

import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_sim.table_top.kinematics import ARM_JOINTS, MAX_WIDTH
from robo_reward_sim.table_top.scene import CAMERAS, PHYSICS_STEP, START, TableTopScene, num_physics_steps
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS


@pytest.fixture(scope="module")
def scenes():
    made = {name: TableTopScene(task, height=24, width=32) for name, task in TABLE_TOP_TASKS.items()}
    yield made
    for each in made.values():
        each.close()


def begin(scene, seed: int = 0):
    scene.reset(np.random.default_rng(seed))
    return scene


def test_the_state_after_a_reset_is_forwarded_and_at_rest(scenes):
    for scene in scenes.values():
        begin(scene)
        seen = scene.observation
        import mujoco

        mujoco.mj_forward(scene.model, scene.data)
        assert np.array_equal(seen, scene.observation)
        assert np.abs(scene.tool_position - START).max() <= 0.03 + 1e-4
        for _ in range(5):
            scene.move_tool(np.zeros(3), gripper_width=MAX_WIDTH, duration=0.1)
        assert np.abs(scene.observation - seen).max() < 1e-3  # nothing falls, slides or swings


def test_the_tool_goes_where_it_is_sent_and_arrives_in_time(scenes):
    scene = begin(scenes["reach"])
    before = scene.tool_position
    for _ in range(10):
        scene.move_tool(np.array([0.012, -0.009, -0.006]), gripper_width=0.0, duration=0.1)
    assert np.allclose(scene.tool_position - before, [0.12, -0.09, -0.06], atol=5e-3)
    assert scene.gripper_width < 2e-3


def test_what_is_observed_after_a_motion_is_the_state_that_was_reached(scenes):
    import mujoco

    for scene in scenes.values():
        begin(scene).move_tool(np.array([0.02, 0.01, -0.02]), gripper_width=0.0, duration=0.1)
        seen = scene.observation
        mujoco.mj_forward(scene.model, scene.data)
        assert np.array_equal(seen, scene.observation)  # not that of one physics step before


def test_halves_of_a_motion_end_where_the_whole_does(scenes):
    scene = scenes["reach"]
    target = begin(scene).joint_target + 0.1
    scene.move_joints(target, gripper_width=0.02, duration=0.2)
    whole = scene.joint_position
    middle = begin(scene).joint_target + 0.05
    scene.move_joints(middle, gripper_width=0.02, duration=0.1)
    scene.move_joints(target, gripper_width=0.02, duration=0.1)
    assert np.allclose(scene.joint_position, whole, atol=1e-6)
    assert np.array_equal(scene.joint_target, target)


def test_a_command_does_not_run_away_from_a_blocked_arm(scenes):
    scene = begin(scenes["open"])
    for _ in range(40):  # through the cabinet
        scene.move_tool(np.array([0.03, 0.0, -0.03]), gripper_width=0.0, duration=0.1)
    commanded = scene.kinematics.tool_position(scene.joint_target)
    assert np.abs(commanded - scene.tool_position).max() < 0.06
    assert scene.tool_position[2] > 0.0


def test_pictures_are_new_rgb_arrays_of_the_asked_size_and_the_same_for_the_same_state(scenes):
    scene = begin(scenes["push"])
    first, again = scene.frames(), scene.frames()
    assert tuple(first) == CAMERAS
    for name, picture in first.items():
        assert picture.shape == (24, 32, 3)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, again[name])
        assert not np.shares_memory(picture, again[name])
        assert picture.std() > 5
    begin(scene, seed=1)
    assert any((picture != first[name]).any() for name, picture in scene.frames().items())


def test_a_larger_picture_than_the_default_buffer_can_be_taken():
    with begin(TableTopScene(TABLE_TOP_TASKS["reach"], height=900, width=700)) as scene:
        assert scene.frames(("side",))["side"].shape == (900, 700, 3)


def test_a_grasped_cube_comes_along(scenes):
    scene = begin(scenes["pick"])
    cube = scene.observation[4:7]
    for _ in range(40):
        scene.move_tool(np.clip(cube - scene.tool_position, -0.02, 0.02), gripper_width=MAX_WIDTH, duration=0.1)
    for _ in range(5):
        scene.move_tool(np.zeros(3), gripper_width=0.0, duration=0.1)
    assert 0.035 < scene.gripper_width < 0.045
    for _ in range(15):
        scene.move_tool(np.array([0.0, 0.005, 0.01]), gripper_width=0.0, duration=0.1)
    lifted = scene.observation[4:7]
    assert np.allclose(lifted - cube, [0.0, 0.075, 0.15], atol=0.015)
    for _ in range(10):
        scene.move_tool(np.zeros(3), gripper_width=MAX_WIDTH, duration=0.1)
    assert scene.observation[6] < 0.03  # let go


@pytest.mark.parametrize("duration", [0.0, -0.1, 0.003, 0.0126, np.nan, np.inf])
def test_a_duration_that_is_no_multiple_of_the_physics_step_is_refused(duration):
    with pytest.raises(
        ValueError, match=re.escape(f"a duration must be a positive multiple of 0.005 s, got {duration:g} s")
    ):
        num_physics_steps(duration)
    assert num_physics_steps(7 * PHYSICS_STEP) == 7


def test_wrong_sizes_cameras_and_targets_are_named(scenes):
    with pytest.raises(ValueError, match="height and width must be > 0 px, got 0 and 8"):
        TableTopScene(TABLE_TOP_TASKS["reach"], height=0, width=8)
    with pytest.raises(ValueError, match="unknown table-top camera 'top'; available: front, side, wrist"):
        scenes["reach"].frames(("front", "top"))
    with pytest.raises(ValueError, match="targets must be finite"):
        begin(scenes["reach"]).move_joints(np.full(len(ARM_JOINTS), np.nan), gripper_width=0.0, duration=0.1)


def test_the_wrist_camera_sees_its_own_fingers():
    with begin(TableTopScene(TABLE_TOP_TASKS["reach"], height=96, width=96)) as scene:
        palm = scene.frames(("wrist",))["wrist"][-8:].astype(int)
        assert palm.max() < 110  # dark, where a near plane that is too far shows the floor
        assert scene.model.vis.map.znear * scene.model.stat.extent == pytest.approx(0.02)
