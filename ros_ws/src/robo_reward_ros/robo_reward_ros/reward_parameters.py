"""The parameters of the reward node. No ROS."""

from robo_reward_ros.parameters import Parameter, ParameterTable

REWARD_PARAMETERS = ParameterTable(
    [
        Parameter(
            name="reward_model",
            default="",
            doc="which model: a choice such as `process`, a folder that `robo-reward fit` wrote, or a YAML file",
        ),
        Parameter(
            name="overrides",
            default=(),
            doc="settings as on the command line of `robo-reward relabel`, such as `encoder.device=cuda`",
        ),
        Parameter(
            name="instruction",
            default="",
            doc="the task in words; empty = the only task of a fitted model; changed later by `~/set_task`",
        ),
        Parameter(
            name="demonstrations",
            default="",
            doc="folder of a LeRobot data set that the model is fitted to when the node is configured, for models that "
            "learn; a fitted folder needs none; changed later by `~/set_task`",
        ),
        Parameter(name="cameras", default=(), doc="names of the cameras as the model knows them; at least one"),
        Parameter(
            name="image_topics",
            default=(),
            doc="image topic of each camera, in that order; one that ends in `/compressed` is a `CompressedImage`",
        ),
        Parameter(name="optional_cameras", default=(), doc="cameras without which rewards go on"),
        Parameter(
            name="image_reliability",
            default="best_effort",
            choices=("best_effort", "reliable", "auto"),
            doc="what is asked of cameras: best_effort hears every camera; reliable hears only those that offer it, "
            "and loses none of large raw pictures; auto = what the camera's driver offers",
        ),
        Parameter(
            name="reliable_cameras",
            default=(),
            doc="cameras that are asked for reliable delivery, whatever `image_reliability` says",
        ),
        Parameter(
            name="state_names",
            default=(),
            doc="what the robot tells the model of itself, as models know it: `tool_position`, `tool_pose` "
            "(x y z qw qx qy qz), `gripper_width`, …",
        ),
        Parameter(name="state_topics", default=(), doc="topic of each state, in that order"),
        Parameter(
            name="state_types",
            default=(),
            doc="type of each of these topics: PoseStamped, PointStamped, JointState, Float64, Float64MultiArray or "
            "PACKAGE/msg/TYPE",
        ),
        Parameter(
            name="state_fields",
            default=(),
            doc="which numbers of the message each state is, divided by commas: `pose.position`, "
            "`position.gripper_joint`, `data.0, data.1`; an empty text = all of a pose, a point or a Float64; an empty "
            "list = all texts are empty",
        ),
        Parameter(
            name="state_scales",
            default=(),
            element=float,
            doc="SI units per unit of each state, such as 0.001 for millimetres; an empty list = all are 1",
        ),
        Parameter(
            name="state_max_age",
            default=0.1,
            least=0.0,
            most=60.0,
            doc="a state that is older than the pictures by more is unknown [s]",
        ),
        Parameter(
            name="rig",
            default="",
            doc="YAML of the measured cameras, as `robo-reward calibrate` writes it, for models that take one; empty = "
            "as their settings say",
        ),
        Parameter(
            name="camera_info_topics",
            default=(),
            doc="CameraInfo topic of each camera, checked against the rig before any reward; an empty text = none; an "
            "empty list = none at all",
        ),
        Parameter(
            name="camera_poses",
            default="auto",
            choices=("auto", "rig", "tf"),
            doc="where the cameras stand: rig = as measured; tf = as TF says when the node is configured; auto = TF "
            "where `camera_frames` are named, tf2_ros is installed and has them, else the rig",
        ),
        Parameter(name="camera_frames", default=(), doc="optical frame of each camera in TF; an empty list = none"),
        Parameter(name="tf_timeout", default=2.0, least=0.0, most=60.0, doc="how long TF is waited for [s]"),
        Parameter(
            name="sync_tolerance",
            default=0.02,
            least=0.0,
            most=10.0,
            doc="how far the stamps of one set of pictures may be apart [s]; half a period of the cameras is good",
        ),
        Parameter(name="max_age", default=0.5, least=0.001, most=60.0, doc="older pictures are dropped on arrival [s]"),
        Parameter(
            name="max_future",
            default=0.05,
            least=0.0,
            most=10.0,
            doc="pictures stamped later than now by more are dropped [s]",
        ),
        Parameter(
            name="stale_after",
            default=0.5,
            least=0.01,
            most=60.0,
            doc="a required camera that gave no usable picture for so long makes the input stale [s]",
        ),
        Parameter(
            name="max_answer_age",
            default=1.0,
            least=0.0,
            most=60.0,
            doc="an answer whose oldest picture is older at publication carries no reward [s]; 0 = any age",
        ),
        Parameter(
            name="inference_timeout",
            default=5.0,
            least=0.05,
            most=600.0,
            doc="a model that is busy for longer with one set is a fault [s]",
        ),
        Parameter(
            name="max_spread",
            default=0.0,
            least=0.0,
            most=1.0,
            live=True,
            doc="an answer with a larger spread has low confidence and carries no reward; 0 = any spread",
        ),
        Parameter(name="discount", default=0.99, least=1e-6, most=1.0, doc="the learner's γ per step"),
        Parameter(
            name="step_duration",
            default=0.0,
            least=0.0,
            most=3600.0,
            doc="a step of the learner [s]: a transition of k steps is discounted by γ^k; 0 = each answer is one step",
        ),
        Parameter(
            name="shaping",
            default="linear",
            choices=("linear", "exponential", "sigmoid"),
            doc="from progress to potential; its settings by `overrides`, such as `shaping.scale=10`",
        ),
        Parameter(
            name="success_reward", default=1.0, doc="task reward of the transition with which an episode succeeds"
        ),
        Parameter(
            name="base_frame",
            default="",
            doc="`header.frame_id` of rewards; empty = the base frame of the rig, where there is one",
        ),
        Parameter(
            name="use_robot_ok",
            default=False,
            doc="heed `~/robot_ok`: no reward, and a truncated episode, while it is false or unknown",
        ),
        Parameter(
            name="robot_ok_timeout",
            default=0.0,
            least=0.0,
            most=60.0,
            doc="a `~/robot_ok` that is older counts as false [s]; 0 = it is latched and does not age",
        ),
        Parameter(
            name="watchdog_period", default=0.1, least=0.01, most=1.0, doc="period of health checks and heartbeats [s]"
        ),
        Parameter(name="diagnostics_period", default=1.0, least=0.1, most=60.0, doc="period of `/diagnostics` [s]"),
        Parameter(
            name="debug_rate",
            default=5.0,
            least=0.0,
            most=5.0,
            doc="pictures per second on `~/debug/compressed` while somebody looks [1/s]; 0 = none",
        ),
        Parameter(
            name="warm_up_height",
            default=480,
            least=1,
            most=8192,
            doc="height of the pictures for the warm-up, where no rig says it [px]",
        ),
        Parameter(
            name="warm_up_width",
            default=640,
            least=1,
            most=8192,
            doc="width of the pictures for the warm-up, where no rig says it [px]",
        ),
        Parameter(
            name="torch_threads", default=0, least=0, most=1024, doc="threads of one forward pass; 0 = torch decides"
        ),
    ]
)
"""What `reward_node` declares."""
