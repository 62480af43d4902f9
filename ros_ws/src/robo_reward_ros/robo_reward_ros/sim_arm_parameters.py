"""The parameters, topics and services of the simulated arm. No ROS, no simulator."""

from robo_reward_ros.parameters import Parameter, ParameterTable

SIM_ARM_PARAMETERS = ParameterTable(
    [
        Parameter(
            name="task", default="reach", choices=("reach", "push", "pick", "open"), doc="what lies on the table"
        ),
        Parameter(
            name="seed", default=0, least=0, most=2**31 - 1, live=True, doc="of the next start; one more each time"
        ),
        Parameter(
            name="cameras", default=("front", "side", "wrist"), doc="which of front, side, wrist and left publish"
        ),
        Parameter(name="width", default=112, least=1, most=4096, doc="of the pictures [px]"),
        Parameter(name="height", default=112, least=1, most=4096, doc="of the pictures [px]"),
        Parameter(
            name="compressed", default=False, doc="publish JPEG on `…/image_raw/compressed` instead of raw pictures"
        ),
        Parameter(
            name="camera_rate",
            default=10.0,
            least=0.1,
            most=200.0,
            doc="sets of pictures and states per second of simulated time [Hz]; the period is rounded to 5 ms",
        ),
        Parameter(
            name="real_time_factor",
            default=1.0,
            least=0.01,
            most=1000.0,
            doc="simulated seconds per second, as far as the machine keeps up",
        ),
        Parameter(
            name="lockstep",
            default=False,
            doc="time stands still until a trajectory comes; it is executed at once and one set goes out",
        ),
        Parameter(
            name="publish_clock",
            default=False,
            doc="publish simulated time on `/clock` and stamp with it; else stamps are system time",
        ),
        Parameter(
            name="policy",
            default="",
            doc="who drives: empty = `joint_trajectory`, `scripted` = the task's expert, else the zip of a learner",
        ),
        Parameter(
            name="step_duration",
            default=0.1,
            least=0.005,
            most=10.0,
            doc="time that an action of the policy takes [s]; a multiple of 5 ms",
        ),
        Parameter(
            name="auto_reset",
            default=False,
            doc="with a policy: go to the next start a second after success, or when the task's time is up",
        ),
    ]
)
"""What `sim_arm_node` declares."""

SIM_ARM_PORTS = (
    ("publishes", "cameras/NAME/image_raw", "sensor_msgs/msg/Image", "rgb8; or `…/compressed`, JPEG"),
    (
        "publishes",
        "cameras/NAME/camera_info",
        "sensor_msgs/msg/CameraInfo",
        "true intrinsics, frame `NAME_optical_frame`",
    ),
    ("publishes", "joint_states", "sensor_msgs/msg/JointState", "arm [rad], left finger [m]"),
    ("publishes", "tool_pose", "geometry_msgs/msg/PoseStamped", "point between the fingertips, frame `base`"),
    (
        "publishes",
        "goal_pose",
        "geometry_msgs/msg/PoseStamped",
        "ball, puck, cube or handle; its orientation is not told",
    ),
    ("publishes", "gripper_width", "std_msgs/msg/Float64", "distance of the fingers [m]"),
    ("publishes", "robot_ok", "std_msgs/msg/Bool", "false while stopped; latched, and twice a second"),
    ("publishes", "~/task_success", "std_msgs/msg/Bool", "ground truth, before the pictures of the same moment"),
    ("publishes", "~/progress", "std_msgs/msg/Float64", "ground truth in [0, 1]"),
    (
        "publishes",
        "~/observation",
        "std_msgs/msg/Float64MultiArray",
        "ground truth: the observation of the Gymnasium task",
    ),
    ("publishes", "/clock", "rosgraph_msgs/msg/Clock", "simulated time; only with `publish_clock`"),
    ("publishes", "/tf", "tf2_msgs/msg/TFMessage", "`base` to `tool` and to every camera; where tf2_msgs is installed"),
    (
        "listens to",
        "joint_trajectory",
        "trajectory_msgs/msg/JointTrajectory",
        "arm [rad], left finger [m]; the newest counts",
    ),
    ("serves", "~/reset", "std_srvs/srv/Trigger", "next start; answers when its set is published"),
    (
        "serves",
        "~/protective_stop",
        "std_srvs/srv/SetBool",
        "true: the arm stands, `robot_ok` is false; false: it goes on",
    ),
)
"""Way, name, type and meaning of every topic and service of `sim_arm_node`."""
