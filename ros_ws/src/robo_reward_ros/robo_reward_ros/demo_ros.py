"""Shows the robot side whole: python -m robo_reward_ros.demo_ros [OUTPUT], or `make demo-ros`.

A reward model is fitted to scripted demonstrations; a simulated arm, its reward node and a recorder run as processes of
their own; a scripted policy plays a few episodes over DDS; what was recorded is relabelled offline, and must give the
numbers that came live. OUTPUT (outputs/demo_ros) holds the bag, the relabelled bag, `progress.png` and logs.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from std_msgs.msg import Empty

from robo_reward.errors import RoboRewardError
from robo_reward.training.fit import read_description
from robo_reward_ros.demo_ros_comparison import LIVE, Comparison, compare
from robo_reward_ros.demo_ros_figure import draw
from robo_reward_ros.demo_ros_model import CAMERAS, ENCODER_BATCH, bring_up_words, fit_to_demonstrations
from robo_reward_ros.demo_ros_processes import ProcessError, check_running, run, running
from robo_reward_ros.policy_loading import Policy, load_policy
from robo_reward_ros.robot_env import RobotEnv
from robo_reward_ros.robot_env_reset import RobotError
from robo_reward_ros.robot_env_settings import robot_of
from robo_reward_ros.robot_env_sim_arm import sim_arm_robot

DISCOUNT, SUCCESS_REWARD = 0.95, 2.0
SETTLE = 2.0  # what the recorder may need for the last messages: those of a process that ended are gone [s]
THREADS = {"OMP_NUM_THREADS": "1"}  # of everything that embeds pictures: their number changes last bits
EPISODE, SUCCESS = "/episode", "/sim_arm_node/task_success"
TOPICS = {
    **{f"/cameras/{camera}/image_raw": "sensor_msgs/msg/Image" for camera in CAMERAS},
    "/joint_states": "sensor_msgs/msg/JointState",
    "/tool_pose": "geometry_msgs/msg/PoseStamped",
    "/joint_trajectory": "trajectory_msgs/msg/JointTrajectory",
    SUCCESS: "std_msgs/msg/Bool",
    EPISODE: "std_msgs/msg/Empty",
    LIVE: "robo_reward_msgs/msg/RewardStamped",
}
"""What is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What is shown."""

    output: Path
    episodes: int = 3
    demonstrations: int = 12
    task: str = "open"
    domain: int = 78
    """ROS_DOMAIN_ID."""
    seed: int = 20
    """Of the first start; none of the demonstrations has it."""


def show(demo: Demo) -> Comparison:
    """Run the demo and tell people how it goes.

    Raises:
        ProcessError: A node, the fit or the relabelling failed.
        RobotError: The arm or the rewards did not come.
        OutputError: The output cannot be written.
    """
    began, output = time.monotonic(), demo.output
    _tell(f"1/5 a reward model is fitted to {demo.demonstrations} scripted demonstrations of '{demo.task}' …")
    model = fit_to_demonstrations(
        output / "reward", task=demo.task, demonstrations=demo.demonstrations, everywhere=False
    )
    _tell(f"    {model}, after {time.monotonic() - began:.0f} s")
    bag, rewarded = output / "bag", output / "bag_rewarded"
    since_ns = _play_and_record(demo, model, bag)
    _tell("4/5 the recording is relabelled offline …")
    words, log = _relabelling(demo, model, bag, rewarded), output / "logs" / "relabel.log"
    run("robo_reward.cli.main", words, log=log, environment=THREADS)
    comparison = compare(rewarded, since_ns=since_ns)
    wrong = comparison.different + comparison.unanswered
    same = "bit for bit the same" if not wrong else f"DIFFERENT in {wrong}"
    _tell(f"    {comparison.answers} answers came live; relabelled they are {same}")
    picture = output / "progress.png"
    title = f"{demo.task}: progress as it came live, relabelled offline {same} ({comparison.answers} answers)"
    draw(picture, comparison.episodes, bag=rewarded, topic=f"/cameras/{CAMERAS[0]}/image_raw", title=title)
    _tell(f"5/5 {picture} shows progress against time; all in all {time.monotonic() - began:.0f} s")
    return comparison


def _play_and_record(demo: Demo, model: Path, bag: Path) -> int:
    """Have the scripted policy play, everything recorded; gives when the first episode began [ns]."""
    logs = demo.output / "logs"
    variables = {"ROS_DOMAIN_ID": str(demo.domain), **THREADS}
    _tell("2/5 simulated arm, reward node and recorder are started …")
    words = bring_up_words(model, task=demo.task, discount=DISCOUNT, success_reward=SUCCESS_REWARD, seed=demo.seed)
    recorded = [str(bag), *(f"{topic}:{kind}" for topic, kind in TOPICS.items())]
    settings = robot_of(
        sim_arm_robot(observation="task", discount=DISCOUNT, success_reward=SUCCESS_REWARD, reset_timeout=120.0)
    )
    with ExitStack() as stack:
        # stopped in reverse order: the recorder last, when everything is said
        recorder = stack.enter_context(
            running("robo_reward_ros.demo_ros_recorder", recorded, log=logs / "recorder.log", environment=variables)
        )
        nodes = stack.enter_context(
            running("robo_reward_bringup", words, log=logs / "bringup.log", environment=variables)
        )
        env = RobotEnv(*settings, domain=demo.domain)
        stack.callback(env.close)
        watched = {"the recorder": (recorder, logs / "recorder.log"), "the bring-up": (nodes, logs / "bringup.log")}
        since_ns = _play(demo, env, watched)
        time.sleep(SETTLE)
        return since_ns


def _play(demo: Demo, env: RobotEnv, watched: dict[str, tuple["Popen[bytes]", Path]]) -> int:
    node, policy = env.link.node, load_policy("robo_reward_sim.table_top.experts:expert", [f"task={demo.task}"])
    boundary = node.create_publisher(Empty, EPISODE, 10)
    _await_recorder(env)
    since_ns = 0
    _tell(f"3/5 the scripted policy plays {demo.episodes} episodes over DDS …")
    for number in range(demo.episodes):
        for name, (process, log) in watched.items():
            check_running(process, name, log=log)
        boundary.publish(Empty())
        since_ns = since_ns or env.link.clocks.now_ns()
        _play_episode(number, env, policy)
    return since_ns


def _play_episode(number: int, env: RobotEnv, policy: Policy) -> None:
    observation, info = env.reset()
    begun, returned, discount, steps, ended = info["potential"], 0.0, 1.0, 0, False
    while not ended:
        observation, reward, terminated, truncated, info = env.step(policy(observation))
        returned, discount, steps = returned + discount * reward, discount * info["discount"], steps + 1
        ended = terminated or truncated
    how = "success" if info["success"] else info["reason"] or "failure"
    _tell(
        f"    episode {number + 1}: {how} after {steps} steps, progress {begun:.2f} → {info['potential']:.2f}, "
        f"return {returned:.3f}"
    )


def _await_recorder(env: RobotEnv) -> None:
    """Wait until nothing that is said from now on is missed."""
    node = env.link.node

    def ready() -> bool:
        # pictures are heard by the reward node and by the recorder
        pictures = all(node.count_subscribers(topic) >= 2 for topic in TOPICS if topic.startswith("/cameras"))
        return pictures and node.count_subscribers(EPISODE) >= 1 and node.count_subscribers(LIVE) >= 2

    if not env.link.wait(ready, 60.0):
        raise RobotError("the recorder or the reward node does not listen after 60 s; see the logs")


def _relabelling(demo: Demo, model: Path, bag: Path, output: Path) -> Sequence[str]:
    cameras = ", ".join(f"observation.images.{camera}: /cameras/{camera}/image_raw" for camera in CAMERAS)
    return (
        "relabel",
        "episodes=mcap",
        f"episodes.path={bag}",
        f"episodes.cameras={{{cameras}}}",
        f"episodes.episode_topic={EPISODE}",
        f"episodes.success_topic={SUCCESS}",
        "episodes.tolerance=0.001",
        "episodes.max_age=null",  # stamps are the simulation's time, the recorder's clock is the machine's
        f'episodes.instruction="{_instruction(model)}"',
        f"reward_model={model}",
        ENCODER_BATCH,
        f"discount={DISCOUNT}",
        f"success_reward={SUCCESS_REWARD}",
        "embeddings=none",
        f"output={output}",
        "output_format=bag",
        "bag_namespace=/offline",
    )


def _instruction(model: Path) -> str:
    """Give the only task of a fitted model, in words."""
    return next(iter(read_description(model)["models"]))


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(words: Sequence[str] | None = None) -> int:
    """Run it; 0 = live and relabelled numbers are the same, 1 = they are not or something failed, 130 = interrupted."""
    given = list(sys.argv[1:] if words is None else words)
    output = Path(given[0]) if given else Path("outputs/demo_ros")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    for told_to_end in (signal.SIGINT, signal.SIGTERM):  # in the background a shell has SIGINT ignored
        signal.signal(told_to_end, signal.default_int_handler)
    for old in ("bag", "bag_rewarded"):
        shutil.rmtree(output / old, ignore_errors=True)
    try:
        found = show(Demo(output=output))
        return 1 if found.different or found.unanswered else 0
    except (RoboRewardError, ProcessError) as error:
        _tell(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _tell("interrupted; nothing is left running")
        return 130


if __name__ == "__main__":
    sys.exit(main())
