"""The nodes' reference page, made from what they declare: `python -m robo_reward_ros.reference PAGE.md`. No ROS."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robo_reward_ros.gate_parameters import GATE_PARAMETERS
from robo_reward_ros.parameters import ParameterTable
from robo_reward_ros.policy_parameters import POLICY_PARAMETERS, POLICY_PORTS
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.sim_arm_parameters import SIM_ARM_PARAMETERS, SIM_ARM_PORTS


@dataclass(frozen=True, slots=True)
class Port:
    """A topic, a service or an action of a node."""

    way: str
    """publishes, listens to, or serves."""
    name: str
    kind: str
    doc: str


REWARD_PORTS = (
    Port("publishes", "~/reward", "robo_reward_msgs/msg/RewardStamped", "every answer, and heartbeats while not OK"),
    Port("publishes", "reward", "std_msgs/msg/Float64", "shaped plus task reward, only while the status is OK"),
    Port("publishes", "~/info", "robo_reward_msgs/msg/RewardModelInfo", "what the rewards come from; latched"),
    Port("publishes", "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", "status, times of every stage, losses"),
    Port("publishes", "~/key_points", "robo_reward_msgs/msg/KeyPoints", "of models that follow points in the pictures"),
    Port(
        "publishes", "~/debug/compressed", "sensor_msgs/msg/CompressedImage", "for people; drawn while somebody looks"
    ),
    Port("listens to", "image_topics", "sensor_msgs/msg/Image or CompressedImage", "see `image_reliability`; depth 1"),
    Port("listens to", "camera_info_topics", "sensor_msgs/msg/CameraInfo", "checked against the rig"),
    Port("listens to", "state_topics", "as `state_types` say", "best effort, depth 50"),
    Port("listens to", "~/robot_ok", "std_msgs/msg/Bool", "latched; only with `use_robot_ok`"),
    Port("serves", "~/reset_episode", "std_srvs/srv/Trigger", "cuts the episode"),
    Port("serves", "~/mark_outcome", "robo_reward_msgs/srv/MarkOutcome", "ends it: success, failure or truncated"),
    Port("serves", "~/set_task", "robo_reward_msgs/srv/SetTask", "binds the model to another task"),
    Port("serves", "~/enable", "std_srvs/srv/SetBool", "switches rewards on or off"),
    Port("serves", "~/evaluate_episode", "robo_reward_msgs/action/EvaluateEpisode", "watches an episode to its end"),
)
GATE_PORTS = (
    Port("listens to", "reward_topic", "robo_reward_msgs/msg/RewardStamped", "the answers that are judged"),
    Port("listens to", "~/robot_ok", "std_msgs/msg/Bool", "latched; only with `use_robot_ok`"),
    Port("publishes", "~/reward", "robo_reward_msgs/msg/RewardStamped", "answers that pass"),
    Port("publishes", "~/value", "std_msgs/msg/Float64", "their shaped plus task reward"),
    Port("publishes", "~/open", "std_msgs/msg/Bool", "whether good rewards come; latched, and a heartbeat"),
)


def page() -> str:
    """Give the whole page."""
    return (
        "# Topics, services and parameters\n\n"
        "Made from the code by `python -m robo_reward_ros.reference`. Names without a slash and `~/` names follow "
        "namespaces and remappings.\n\n"
        + _section("reward_node", REWARD_PORTS, REWARD_PARAMETERS)
        + "\nParameters marked *live* may be changed at any time; the others while the node is unconfigured.\n\n"
        + _section("gate_node", GATE_PORTS, GATE_PARAMETERS)
        + "\n"
        + _section("policy_node", [Port(*each) for each in POLICY_PORTS], POLICY_PARAMETERS)
        + "\n"
        + _section("sim_arm_node", [Port(*each) for each in SIM_ARM_PORTS], SIM_ARM_PARAMETERS)
    )


def _section(node: str, ports: Sequence[Port], parameters: ParameterTable) -> str:
    rows = [f"| {port.way} | `{port.name}` | `{port.kind}` | {port.doc} |" for port in ports]
    table = "\n".join(["| | name | type | |", "|---|---|---|---|", *rows])
    return f"## `{node}`\n\n{table}\n\n{parameters.markdown()}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
