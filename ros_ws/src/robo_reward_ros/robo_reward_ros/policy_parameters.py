"""The parameters of the policy node. No ROS."""

from robo_reward_ros.parameters import Parameter, ParameterTable

POLICY_PARAMETERS = ParameterTable(
    [
        Parameter(name="robot", default="", doc="YAML file of the robot: its topics, and what an action does to it"),
        Parameter(
            name="policy",
            default="",
            doc="a checkpoint (`FILE.zip`), or `module:function`, which makes a policy of `policy_arguments`",
        ),
        Parameter(
            name="policy_arguments", default=(), doc="of the function, as `name=value` in YAML, such as `task=reach`"
        ),
        Parameter(name="enabled", default=False, doc="act from the start; otherwise once `~/enable` is called"),
        Parameter(name="use_gate", default=True, doc="hold unless the reward gate's `~/open` says true"),
        Parameter(name="gate_topic", default="gate_node/open", doc="the gate's word"),
        Parameter(
            name="gate_timeout",
            default=0.5,
            least=0.01,
            most=60.0,
            doc="a word of the gate that is older counts as closed [s]",
        ),
    ]
)
"""What `policy_node` declares."""

POLICY_PORTS = (
    ("publishes", "joint_trajectory", "trajectory_msgs/msg/JointTrajectory", "as the robot's YAML names it"),
    ("publishes", "~/state", "std_msgs/msg/String", "`acting`, or `holding: why`; latched"),
    ("listens to", "joint_states", "sensor_msgs/msg/JointState", "and whatever else the robot's YAML names"),
    ("listens to", "gate_node/open", "std_msgs/msg/Bool", "false or silent: the arm holds; with `use_gate`"),
    ("listens to", "robot_ok", "std_msgs/msg/Bool", "false or silent: the arm holds; where the robot's YAML names it"),
    ("serves", "~/enable", "std_srvs/srv/SetBool", "true: the policy acts; false: the arm holds"),
)
"""Way, name, type and meaning of every topic and service of `policy_node`."""
