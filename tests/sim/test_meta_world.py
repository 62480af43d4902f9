import re

import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_sim.cameras import CAMERAS, POSES, CameraPose, check_cameras
from robo_reward_sim.meta_world import MAX_STEPS, MetaWorldScene
from robo_reward_sim.tasks import TASKS, Task, task_named

STATIC_CAMERAS = (*POSES, "corner", "corner2", "corner3", "corner4")


@pytest.fixture(scope="module")
def pick_place():
    with MetaWorldScene(TASKS["pick-place"], cameras=CAMERAS, image_size=96) as scene:
        yield scene


@pytest.fixture(scope="module")
def drawer():
    with MetaWorldScene(TASKS["drawer-open"], cameras=("left", "right"), image_size=48) as scene:
        yield scene


def ball(frame):
    """Mean (row, column) of the goal: the only thing in the scene that is blue."""
    red, green, blue = frame.astype(int)
    rows, columns = np.nonzero((blue > 80) & (blue > 2 * red) & (blue > 2 * green))
    assert rows.size >= 4, "the goal cannot be seen"
    return rows.mean(), columns.mean()


def balls_at(scene, position):
    scene.reset(0)
    scene._env._target_pos = np.asarray(position)
    frames = scene.frames()
    return {camera: ball(frames[camera]) for camera in STATIC_CAMERAS}


def test_what_rises_in_the_world_rises_in_every_static_camera(pick_place):
    low, high = (balls_at(pick_place, (0.12, 0.85, height)) for height in (0.1, 0.2))
    for camera in STATIC_CAMERAS:
        assert high[camera][0] < low[camera][0] - 1, camera


def test_what_moves_to_the_right_of_a_camera_moves_right_in_its_picture(pick_place):
    start = np.array([0.12, 0.85, 0.15])
    before = balls_at(pick_place, start)
    for camera, pose in POSES.items():
        heading = np.radians(pose.azimuth)
        right = np.array([np.sin(heading), -np.cos(heading), 0.0])
        after = balls_at(pick_place, start + 0.05 * right)
        assert after[camera][1] > before[camera][1] + 1, camera


def test_the_goal_is_shown_at_the_place_that_the_observation_tells(pick_place):
    first, second = (pick_place.reset(seed)[36:39] for seed in (1, 2))
    assert np.linalg.norm(first - second) > 0.02
    seen = []
    for seed in (1, 2):
        pick_place.reset(seed)
        seen.append(ball(pick_place.frames()["left"]))
    shown = []
    for position in (first, second):
        shown.append(balls_at(pick_place, position)["left"])
    np.testing.assert_allclose(seen, shown, atol=1.0)


def test_a_task_without_a_goal_in_its_instruction_shows_no_marker(drawer):
    drawer.reset(0)
    frame = drawer.frames()["left"].astype(int)
    # Meta-World draws the drawer's target as a ball of pure green
    assert not ((frame[1] > 100) & (frame[0] < 30) & (frame[2] < 30)).any()


def test_frames_are_rgb_of_the_asked_size_and_share_no_memory(drawer):
    drawer.reset(0)
    first = drawer.frames()
    kept = {camera: frame.copy() for camera, frame in first.items()}
    for _ in range(10):
        drawer.step(np.array([0.0, 1.0, 0.0, 0.0]))
    second = drawer.frames()
    for camera in ("left", "right"):
        assert first[camera].shape == (3, 48, 48)
        assert first[camera].dtype == np.uint8
        assert not np.shares_memory(first[camera], second[camera])
        assert np.array_equal(first[camera], kept[camera])
        assert not np.array_equal(first[camera], second[camera])
    # the drawer is green, the hand red: channels are in order
    assert (second["left"][1].astype(int) - second["left"][0] > 40).any()


def test_reflections_which_are_left_out_cannot_be_seen(drawer):
    drawer.reset(0)
    without = drawer.frames()
    flags = drawer._renderer.scene.flags
    reflection = 2  # mjRND_REFLECTION
    assert flags[reflection] == 0
    flags[reflection] = 1
    with_them = drawer.frames()
    flags[reflection] = 0
    for camera in ("left", "right"):
        assert np.array_equal(without[camera], with_them[camera])


def test_shadows_and_multisampling_are_off(drawer):
    quality = drawer._env.model.vis.quality
    assert (quality.shadowsize, quality.offsamples) == (0, 0)


def test_an_episode_depends_on_its_seed_and_not_on_what_was_before(drawer):
    def play(seed):
        observation, expert, seen = drawer.reset(seed), drawer.expert(), []
        for _ in range(30):
            step = drawer.step(expert(observation))
            observation = step.observation
            seen.append(np.append(observation, step.reward))
        return np.stack(seen), drawer.frames()["left"]

    first, picture = play(3)
    other, _ = play(4)
    again, picture_again = play(3)
    assert np.array_equal(first, again)
    assert np.array_equal(picture, picture_again)
    assert not np.array_equal(first, other)


def test_the_first_frames_show_things_where_they_are(drawer):
    import mujoco  # after the modules that choose OpenGL

    drawer.reset(3)
    first = drawer.frames()
    mujoco.mj_forward(drawer._env.model, drawer._env.data)
    for name, picture in drawer.frames().items():
        assert np.array_equal(first[name], picture)


def test_the_expert_leaves_the_observation_alone_and_stays_in_bounds():
    with MetaWorldScene(TASKS["door-open"], cameras=("left",), image_size=32) as scene:
        observation = scene.reset(0)
        kept = observation.copy()
        action = scene.expert()(observation)
    assert np.array_equal(observation, kept)
    assert np.abs(action).max() <= 1.0


def test_a_step_after_the_last_is_an_error(drawer):
    drawer.reset(0)
    for _ in range(MAX_STEPS):
        drawer.step(np.zeros(4))
    with pytest.raises(ValueError, match="reset the env"):
        drawer.step(np.zeros(4))


def test_an_unknown_task_is_answered_with_the_fifty_there_are():
    assert len(TASKS) == 50
    with pytest.raises(ValueError, match="unknown task 'drawer'; available: assembly, basketball, .*, window-open$"):
        task_named("drawer")


def test_every_task_names_an_environment_and_an_expert_of_meta_world():
    from metaworld.policies import ENV_POLICY_MAP

    assert {task.environment for task in TASKS.values()} == set(ENV_POLICY_MAP)
    assert all(task.name == name for name, task in TASKS.items())


def test_a_task_needs_a_name_and_an_instruction():
    with pytest.raises(ValueError, match="a task needs a name and an instruction, got 'reach', ''"):
        Task(name="reach", instruction="", target="goal")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("left", "front"), f"unknown camera 'front'; available: {', '.join(CAMERAS)}"),
        ((), f"at least one camera is needed; available: {', '.join(CAMERAS)}"),
        (("left", "left"), "a camera is named twice: left, left"),
    ],
)
def test_wrong_cameras_are_refused_by_name(names, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_cameras(names)
    with pytest.raises(ValueError, match=re.escape(message)):
        MetaWorldScene(TASKS["reach"], cameras=names, image_size=32)


def test_an_image_needs_pixels():
    with pytest.raises(ValueError, match="image_size must be > 0 px, got 0"):
        MetaWorldScene(TASKS["reach"], cameras=("left",), image_size=0)


@pytest.mark.parametrize(
    ("change", "message"), [({"distance": 0.0}, "distance must be > 0 m"), ({"elevation": 91.0}, r"in \[-90, 90\]")]
)
def test_a_camera_pose_is_checked(change, message):
    good = {"lookat": (0.0, 0.7, 0.1), "distance": 1.0, "azimuth": 25.0, "elevation": -28.0}
    with pytest.raises(ValueError, match=message):
        CameraPose(**(good | change))
