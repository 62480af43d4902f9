"""A reward model for the simulated arm: scripted demonstrations are recorded, and a process model is fitted to them."""

from collections.abc import Sequence
from pathlib import Path

from robo_reward_ros.demo_ros_demonstrations import record_demonstrations
from robo_reward_ros.demo_ros_processes import run

CAMERAS = ("front", "side")
ENCODER_BATCH = "reward_model.encoder.batch_size=2"
"""As many pictures as there are in a set: a larger forward pass would look at padding."""
# four heads that look at fewer numbers tell progress here as well as the default twelve, four times as fast
FIT = ("reward_model=process", "embeddings=none", "reward_model.fit.members=4", "reward_model.fit.components=48")


GROUND_TRUTH = Path("ground_truth")
"""In the place of a fitted model: the simulator tells the progress, as an upper bound."""
_TOLD = (
    "state_names:=[progress]",
    "state_topics:=[sim_arm_node/progress]",
    "state_types:=[Float64]",
    "state_fields:=[]",
    "state_scales:=[]",
    "state_max_age:=30.0",
)


def fit_to_demonstrations(folder: Path, *, task: str, demonstrations: int, everywhere: bool, seed: int = 1000) -> Path:
    """Record demonstrations of a table-top task and fit a process model to them, where that was not done before.

    Args:
        folder: Takes `demonstrations`, a LeRobot data set, `model`, and logs.
        task: Of the table top.
        demonstrations: How many.
        everywhere: They begin with the tool anywhere: learners go everywhere.
        seed: Of their starts.

    Returns:
        The folder of the fitted model.

    Raises:
        ProcessError: The fit failed.
        OutputError: The folder cannot be written.
    """
    recorded, model = folder / "demonstrations", folder / "model"
    if not recorded.exists():
        record_demonstrations(
            recorded, task=task, cameras=CAMERAS, episodes=demonstrations, seed=seed, everywhere=everywhere
        )
    if not model.exists():
        # hops follow a learner that dithers better than the filter, which expects a demonstration's pace
        integration = f"reward_model.integration={'mean' if everywhere else 'filter'}"
        arguments = ["fit", *FIT, integration, f"episodes.path={recorded}", f"output={model}"]
        run("robo_reward.cli.main", arguments, log=folder / "logs" / "fit.log")
    return model


def bring_up_words(
    model: Path,
    *,
    task: str,
    discount: float,
    success_reward: float,
    seed: int,
    cameras: Sequence[str] = CAMERAS,
    more: Sequence[str] = (),
) -> Sequence[str]:
    """Give what `python -m robo_reward_bringup` is told: the simulated arm in lockstep, and its reward node.

    Args:
        model: A fitted folder, a YAML file, or `GROUND_TRUTH`.
        task: Of the table top.
        discount: The learner's γ.
        success_reward: Task reward of success.
        seed: Of the arm's first start.
        cameras: Of the arm.
        more: Further arguments, such as those of states.
    """
    names = [f"observation.images.{camera}" for camera in cameras]
    return (
        "sim_arm",
        f"reward_model:={model}",
        # a YAML file says itself what its encoder is
        *([f"overrides:=[{ENCODER_BATCH}]"] if model.is_dir() else []),
        *(_TOLD if model == GROUND_TRUTH else ()),
        f"cameras:=[{', '.join(names)}]",
        f"image_topics:=[{', '.join(f'cameras/{camera}/image_raw' for camera in cameras)}]",
        "optional_cameras:=[]",
        # in lockstep a picture that is lost is waited for in vain, and a slow machine makes pictures old
        "image_reliability:=reliable",
        "max_age:=30.0",
        "max_answer_age:=30.0",
        "stale_after:=60.0",
        f"discount:={discount}",
        f"success_reward:={success_reward}",
        "torch_threads:=1",
        "gate:=false",  # RobotEnv has one of its own
        f"sim_arm_node.task:={task}",
        f"sim_arm_node.cameras:=[{', '.join(cameras)}]",
        "sim_arm_node.lockstep:=true",
        # time is the simulation's: models that look at the clock must not see how fast the machine is; a picture may
        # overtake the clock
        "sim_arm_node.publish_clock:=true",
        "use_sim_time:=true",
        "max_future:=10.0",
        f"sim_arm_node.seed:={seed}",
        *more,
    )
