"""The parameters of the gate node. No ROS."""

import math
from collections.abc import Mapping
from typing import Any

from robo_reward_ros.parameters import Parameter, ParameterTable
from robo_reward_ros.reward_gate import GateLimits

GATE_PARAMETERS = ParameterTable(
    [
        Parameter(name="reward_topic", default="reward_node/reward", doc="the stamped rewards that are to be judged"),
        Parameter(
            name="max_age",
            default=1.0,
            least=0.001,
            most=60.0,
            doc="largest age of the oldest picture when the reward arrives [s]",
        ),
        Parameter(
            name="max_future", default=0.05, least=0.0, most=10.0, doc="how far its stamp may lie ahead of now [s]"
        ),
        Parameter(
            name="max_spread", default=0.0, least=0.0, most=1.0, doc="largest spread of progress that passes; 0 = any"
        ),
        Parameter(
            name="silent_after",
            default=1.0,
            least=0.01,
            most=60.0,
            doc="time without a good reward after which the gate is closed [s]",
        ),
        Parameter(
            name="discount", default=0.0, least=0.0, most=1.0, doc="the learner's γ per step; 0 = any discount passes"
        ),
        Parameter(name="model_id", default="", doc="the model that the learner counts on; empty = any"),
        Parameter(name="use_robot_ok", default=False, doc="heed `~/robot_ok`: nothing passes while it is not true"),
        Parameter(
            name="robot_ok_timeout",
            default=0.0,
            least=0.0,
            most=60.0,
            doc="a `~/robot_ok` that is older counts as false [s]; 0 = it does not age",
        ),
        Parameter(name="watchdog_period", default=0.05, least=0.005, most=1.0, doc="period of `~/open` [s]"),
    ]
)
"""What `gate_node` declares."""


def gate_limits(given: Mapping[str, Any]) -> GateLimits:
    """Give what a reward must be."""
    return GateLimits(
        max_age=given["max_age"],
        max_future=given["max_future"],
        max_spread=given["max_spread"] or math.inf,
        silent_after=given["silent_after"],
        discount=given["discount"] or None,
        model_id=given["model_id"] or None,
        heed_robot=given["use_robot_ok"],
        robot_timeout=given["robot_ok_timeout"] or math.inf,
    )
