"""The simulated arm as a `RobotEnv` knows it: a robot's YAML for `sim_arm_node`. No ROS, no simulator."""

from typing import Any

ARM_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_lift", "wrist_roll")
GRIPPER_JOINT = "left_finger"
TOOL_SPEED = 0.15  # of the tasks' own actions [m/s]
OPEN, SHUT = 0.04, 0.0  # position of the gripper's joint [m]
STEP_DURATION = 0.1  # [s]
_POSE = {"type": "geometry_msgs/msg/PoseStamped", "fields": ["pose.position"]}
_TOOL = {"topic": "tool_pose", **_POSE}
# in decimetres, as seen from the tool: near 1, and the same wherever on the table the goal is
_FROM_TOOL = {"relative_to": "tool", "scale": 10.0}
_SEEN = {"topic": "reward_node/key_points", "type": "robo_reward_msgs/msg/KeyPoints", "fields": ["points.ball"]}
_STATES = {
    "learner": {"tool": _TOOL, "goal": {"topic": "goal_pose", **_POSE, **_FROM_TOOL}},
    "seen": {"tool": _TOOL, "goal": {**_SEEN, **_FROM_TOOL}},
    "task": {
        "observation": {"topic": "sim_arm_node/observation", "type": "std_msgs/msg/Float64MultiArray"},
    },
}


def sim_arm_robot(*, observation: str = "learner", lockstep: bool = True, **episodes: Any) -> dict[str, Any]:
    """Give what a YAML file of the simulated arm holds; `robot_env_settings.robot_of` builds it.

    The action is that of the table-top tasks: displacement of the tool, 1 being 0.15 m/s, and the gripper, from -1 open
    to 1 shut.

    Args:
        observation: `learner`: tool position [m], and the goal as seen from it [dm], which the simulator tells in the
            place of a tag detector; `seen`: the same, the goal being where a reward node that follows the point `ball`
            sees it; `task`: the ground truth that the tasks' scripted experts look at.
        lockstep: Time stands still until the arm is commanded.
        episodes: As `EpisodeSettings`, where other than here.

    Raises:
        ValueError: An observation that there is none of.
    """
    if observation not in _STATES:
        raise ValueError(f"observation must be one of {', '.join(_STATES)}, got '{observation}'")
    return {
        "robot": {
            "joints": [*ARM_JOINTS, GRIPPER_JOINT],
            "states": _STATES[observation],
            "actions": {
                "_target_": "robo_reward_ros.robot_env_actions.ToolDeltas",
                "kinematics": {"_target_": "robo_reward_sim.table_top.kinematics.ArmKinematics"},
                "scale": TOOL_SPEED * STEP_DURATION,
                "gripper": [OPEN, SHUT],
            },
            "step_duration": STEP_DURATION,
            "lockstep": lockstep,
            # in lockstep the simulation's clock is the only one that means anything
            "use_sim_time": lockstep,
        },
        "episodes": {
            "horizon": 50,
            "success_topic": "sim_arm_node/task_success",
            "reset_service": "sim_arm_node/reset",
            "seed_node": "sim_arm_node",
            # pictures may overtake the clock; how long a slow machine takes is of no interest
            **({"reward_wait": 10.0, "max_future": 10.0, "arm_timeout": 20.0} if lockstep else {}),
        }
        | episodes,
    }
