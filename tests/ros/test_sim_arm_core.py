"""The simulated arm without ROS."""

import math
import re

import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_ros.sim_arm_core import FIRST_STAMP, JOINTS, SimulatedArm
from robo_reward_ros.sim_arm_parameters import SIM_ARM_PARAMETERS
from small_arm import settings

from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.table_top.scene import CAMERAS
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS

DEFAULTS = {name: parameter.default for name, parameter in SIM_ARM_PARAMETERS.items()}


@pytest.fixture
def build():
    made = []

    def start(*, policy=None, **changes) -> SimulatedArm:
        made.append(SimulatedArm(settings(driven=policy is not None, **changes), policy=policy))
        return made[-1]

    yield start
    for each in made:
        each.close()


def way(arm, *changes, seconds: float = 0.1):
    """A trajectory from the present targets: each change [rad] to every joint of the arm, fingers half open."""
    here = arm.scene.joint_target
    return [([*(here + change), 0.02], (number + 1) * seconds) for number, change in enumerate(changes)]


@pytest.mark.parametrize("task", list(TABLE_TOP_TASKS))
def test_driven_by_the_expert_it_is_the_gymnasium_task_bit_for_bit(build, task):
    arm = build(task=task, policy=expert(task))
    with TableTopEnvironment(task) as environment:
        observation, _ = environment.reset(seed=3)
        for _ in range(12):
            assert np.array_equal(arm.snapshot().observation.astype(np.float32), observation)
            arm.advance(0.1)
            observation, *_ = environment.step(expert(task)(environment.scene.observation))


def test_the_kth_start_is_that_of_seed_plus_k_and_a_new_seed_counts_anew(build):
    arm = build()
    with TableTopEnvironment("reach") as environment:
        for seed, given in ((3, None), (4, None), (5, None), (9, 9), (10, None)):
            if seed != 3:
                arm.reset(seed=given)
            assert arm.seed == seed
            assert np.array_equal(arm.snapshot().observation.astype(np.float32), environment.reset(seed=seed)[0])


def test_simulated_time_is_never_unset_and_rises_over_resets(build):
    arm = build(period=0.05)
    times = [arm.snapshot().time]
    for number in range(6):
        arm.advance(0.05)
        times.append(arm.snapshot().time)
        if number % 2:
            arm.reset()
            times.append(arm.snapshot().time)
    assert times[0] == FIRST_STAMP > 0
    assert np.allclose(np.diff(times), 0.05)


def test_a_trajectory_takes_its_time_and_ends_where_it_says(build):
    arm = build()
    targets = way(arm, 0.05, -0.05, seconds=0.2)
    assert arm.command(JOINTS, targets) == pytest.approx(0.4)
    before = arm.time
    arm.finish()
    assert arm.time - before == pytest.approx(0.4)
    for _ in range(3):
        arm.advance(0.1)
    assert np.allclose(arm.snapshot().position, targets[-1][0], atol=5e-3)


def test_in_pieces_or_at_once_a_trajectory_is_the_same_way(build):
    whole, pieces = build(), build()
    for arm in (whole, pieces):
        arm.command(JOINTS, way(arm, 0.1, 0.0, 0.05, seconds=0.1))
    whole.finish()
    for duration in (0.03, 0.09, 0.155, 0.025):
        pieces.advance(duration)
    assert whole.time == pytest.approx(pieces.time)
    assert np.allclose(whole.snapshot().position, pieces.snapshot().position, atol=1e-4)


def test_a_later_trajectory_replaces_the_rest_of_the_one_before(build):
    arm = build()
    there = way(arm, 0.3, seconds=1.0)
    back = way(arm, 0.0, seconds=0.2)
    arm.command(JOINTS, there)
    arm.advance(0.1)
    arm.command(JOINTS, back)
    for _ in range(10):
        arm.advance(0.1)
    assert np.allclose(arm.snapshot().position, back[0][0], atol=5e-3)


def test_joints_that_are_not_named_keep_their_targets(build):
    arm = build()
    before = arm.scene.joint_target
    arm.command(("elbow",), [([before[2] + 0.1], 0.2)])
    arm.finish()
    assert np.allclose(arm.scene.joint_target - before, [0, 0, 0.1, 0, 0], atol=1e-12)
    assert arm.scene.width_target == pytest.approx(0.08)


def test_times_are_rounded_to_physics_steps_and_never_to_none(build):
    arm = build()
    assert arm.command(JOINTS, way(arm, 0.001, seconds=0.0001)) == pytest.approx(0.005)
    here = [*arm.scene.joint_target, 0.02]
    assert arm.command(JOINTS, [(here, 0.0101), (here, 0.0102)]) == pytest.approx(0.015)


def test_without_a_command_it_stands(build):
    arm = build()
    before = arm.snapshot().position
    arm.advance(1.0)
    assert np.allclose(arm.snapshot().position, before, atol=1e-6)


def test_a_stopped_arm_stands_at_once_and_takes_no_command(build):
    arm = build()
    arm.command(JOINTS, way(arm, 0.3, seconds=1.0))
    arm.advance(0.3)
    here = arm.snapshot().position
    arm.stop(stopped=True)
    assert arm.stopped
    assert np.array_equal(arm.scene.joint_target, here[:5])  # it does not go on pressing either
    arm.advance(0.5)
    assert np.abs(arm.snapshot().position - here)[:5].max() < 0.03
    with pytest.raises(ValueError, match="the arm is in a protective stop"):
        arm.command(JOINTS, way(arm, 0.1))
    arm.stop(stopped=False)
    arm.command(JOINTS, way(arm, 0.1))


def test_a_policy_stops_with_the_arm(build):
    arm = build(policy=expert("reach"))
    arm.advance(0.2)
    arm.stop(stopped=True)
    arm.advance(0.3)
    here = arm.snapshot().position
    arm.advance(0.3)
    assert np.allclose(arm.snapshot().position, here, atol=1e-3)


def test_after_success_a_driven_arm_goes_on_to_the_next_start_only_if_asked(build):
    looping, staying = build(policy=expert("reach"), auto_reset=True), build(policy=expert("reach"))
    seeds, successes = set(), 0
    for _ in range(60):
        for arm in (looping, staying):
            arm.advance(0.1)
        seeds.add(looping.seed)
        successes += looping.snapshot().success
    assert seeds >= {3, 4, 5}
    assert successes >= 20  # a second of each
    assert staying.seed == 3


def test_an_episode_without_success_is_over_when_its_time_is_up(build):
    arm = build(policy=lambda observation: np.zeros(4), auto_reset=True)
    for _ in range(50):
        arm.advance(0.1)
    assert arm.seed == 3
    arm.advance(0.1)
    assert arm.seed == 4


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_ball_is_seen_where_intrinsics_and_pose_of_the_camera_say(build, camera):
    arm, seen = build(cameras=CAMERAS, height=180, width=240), 0
    for _ in range(15 if camera == "wrist" else 4):  # which sees the ball less often
        arm.reset()
        moment = arm.snapshot()
        red, green, blue = np.moveaxis(moment.pictures[camera].astype(int), -1, 0)
        rows, columns = np.nonzero((red > 90) & (green < 0.45 * red) & (blue < 0.45 * red))
        ball = moment.cameras[camera].project(moment.goal[None])[0]
        inside = (ball > 12).all() and (ball < np.array([240, 180]) - 12).all()
        if len(rows) > 30 and inside:
            assert np.allclose(ball, [columns.mean(), rows.mean()], atol=2.5), (ball, columns.mean(), rows.mean())
            seen += 1
    assert seen >= 2


def test_what_is_told_of_the_tool_and_the_joints_agrees(build):
    arm = build(policy=expert("pick"), task="pick")
    for _ in range(4):
        arm.advance(0.1)
        moment = arm.snapshot()
        assert np.allclose(moment.T_base_tool.translation, moment.observation[:3])
        assert np.allclose(arm.scene.kinematics.tool_position(moment.position[:5]), moment.observation[:3], atol=1e-9)
        assert moment.width == moment.observation[3] == pytest.approx(2 * moment.position[5], abs=2e-3)
        assert np.allclose(moment.goal, moment.observation[4:7])


@pytest.mark.parametrize(
    ("names", "points", "message"),
    [
        (("elbow", "knee"), [([0, 0], 0.1)], "joint_names must be of shoulder_pan"),
        (("elbow", "elbow"), [([0, 0], 0.1)], "none twice; got ['elbow', 'elbow']"),
        ((), [([], 0.1)], "none twice; got []"),
        (("elbow",), [], "a trajectory needs at least one point"),
        (("elbow",), [([1.0, 2.0], 0.1)], "every point needs 1 finite positions, got [1.0, 2.0]"),
        (("elbow",), [([math.nan], 0.1)], "every point needs 1 finite positions, got [nan]"),
        (("elbow",), [([1.0], 0.0)], "time_from_start must increase and be > 0 s, got 0 s after 0 s"),
        (("elbow",), [([1.0], 0.2), ([1.0], 0.1)], "got 0.1 s after 0.2 s"),
    ],
)
def test_a_trajectory_that_cannot_be_executed_is_refused_and_nothing_moves(build, names, points, message):
    arm = build()
    with pytest.raises(ValueError, match=re.escape(message)):
        arm.command(names, points)
    before = arm.snapshot().position
    arm.advance(0.1)
    assert np.allclose(arm.snapshot().position, before, atol=1e-6)


def test_a_driven_arm_takes_no_trajectories(build):
    with pytest.raises(ValueError, match="a policy drives this arm: start the node with an empty 'policy'"):
        build(policy=expert("reach")).command(JOINTS, [([0.0] * 6, 0.1)])
