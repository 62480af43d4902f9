"""What a simulated arm is told when it starts: settings, and who drives it."""

import re

import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_ros.sim_arm_core import JOINTS, SimulatedArm
from robo_reward_ros.sim_arm_parameters import SIM_ARM_PARAMETERS
from robo_reward_ros.sim_arm_settings import arm_settings, simulated_arm
from small_arm import settings

from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.kinematics import ARM_JOINTS
from robo_reward_sim.table_top.scene import CAMERAS
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS

DEFAULTS = {name: parameter.default for name, parameter in SIM_ARM_PARAMETERS.items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "stack"}, "unknown table-top task 'stack'"),
        ({"cameras": ("front", "top")}, "unknown table-top camera 'top'"),
        ({"cameras": ("front", "front")}, "cameras must not repeat, got ['front', 'front']"),
        ({"step_duration": 0.007}, "a duration must be a positive multiple of 0.005 s, got 0.007 s"),
        ({"lockstep": True, "driven": True}, "lockstep waits for trajectories"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        settings(**changes)


def test_a_policy_and_the_settings_must_agree():
    with pytest.raises(ValueError, match="driven is True, and the policy is None"):
        SimulatedArm(settings(driven=True))


def test_the_defaults_of_the_parameters_make_an_arm_and_choices_are_those_of_the_simulator():
    made = arm_settings(DEFAULTS)
    assert made.cameras == ("front", "side", "wrist")
    assert set(made.cameras) < set(CAMERAS)
    assert (made.period, made.driven, made.lockstep) == (0.1, False, False)
    assert arm_settings(DEFAULTS | {"camera_rate": 30.0}).period == pytest.approx(0.035)
    assert SIM_ARM_PARAMETERS["task"].choices == tuple(TABLE_TOP_TASKS)
    assert (*ARM_JOINTS, "left_finger") == JOINTS


def test_the_policy_is_chosen_by_name():
    arm = simulated_arm(DEFAULTS | {"policy": "scripted", "task": "open"})
    arm.advance(0.1)
    arm.close()
    with pytest.raises(ValueError, match="policy must be empty, scripted or the file of a saved policy, got 'dance'"):
        simulated_arm(DEFAULTS | {"policy": "dance"})


def test_a_learnt_policy_drives_the_arm_as_it_drives_the_gymnasium_task(tmp_path):
    learners = pytest.importorskip("stable_baselines3", reason="the rl extra is not installed")
    pytest.importorskip("robo_reward.rl.saved_policy", reason="the rl extra is not installed", exc_type=ImportError)
    with TableTopEnvironment("reach") as environment:
        learner = learners.SAC("MlpPolicy", environment, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")
        learner.save(tmp_path / "policy.zip")
        arm = simulated_arm(DEFAULTS | {"policy": str(tmp_path / "policy.zip"), "seed": 5})
        observation, _ = environment.reset(seed=5)
        for _ in range(5):
            arm.advance(0.1)
            observation, *_ = environment.step(learner.predict(observation, deterministic=True)[0])
            assert np.array_equal(arm.snapshot().observation.astype(np.float32), observation)
        arm.close()
    with pytest.raises(
        ValueError, match=re.escape("observes (7,) and acts by (4,); table-top task 'push' has (10,) and (4,)")
    ):
        simulated_arm(DEFAULTS | {"policy": str(tmp_path / "policy.zip"), "task": "push"})
