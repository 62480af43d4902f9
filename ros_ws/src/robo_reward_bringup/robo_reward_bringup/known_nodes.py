"""The nodes that this package starts, and what each declares. No ROS."""

from collections.abc import Sequence

from robo_reward_ros.gate_parameters import GATE_PARAMETERS
from robo_reward_ros.parameters import Parameter, ParameterTable
from robo_reward_ros.policy_parameters import POLICY_PARAMETERS, POLICY_PORTS
from robo_reward_ros.reference import GATE_PORTS, REWARD_PORTS, Port
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.sim_arm_parameters import SIM_ARM_PARAMETERS, SIM_ARM_PORTS

RELAY_PARAMETERS = ParameterTable(
    [
        Parameter(
            name="conditions", default=(), doc="what must hold, each as `TOPIC PACKAGE/msg/TYPE FIELD VALUES [latched]`"
        ),
        Parameter(
            name="timeout",
            default=1.0,
            least=0.05,
            most=60.0,
            doc="a topic that is not latched and was silent for longer does not hold [s]",
        ),
        Parameter(name="period", default=0.1, least=0.01, most=1.0, doc="how often `robot_ok` is judged and said [s]"),
    ]
)
"""What `robot_ok_relay` declares."""


PARAMETER_TABLES = {
    "reward_node": REWARD_PARAMETERS,
    "gate_node": GATE_PARAMETERS,
    "sim_arm_node": SIM_ARM_PARAMETERS,
    "policy_node": POLICY_PARAMETERS,
    "robot_ok_relay": RELAY_PARAMETERS,
}
"""Node to its parameters."""


def _ports(ports: Sequence[tuple[str, str, str, str]]) -> tuple[Port, ...]:
    return tuple(Port(*each) for each in ports)


PORTS = {
    "reward_node": REWARD_PORTS,
    "gate_node": GATE_PORTS,
    "sim_arm_node": _ports(SIM_ARM_PORTS),
    "policy_node": _ports(POLICY_PORTS),
    "robot_ok_relay": (Port("publishes", "robot_ok", "std_msgs/msg/Bool", "whether the robot may go on"),),
}
"""Node to its topics and services."""
