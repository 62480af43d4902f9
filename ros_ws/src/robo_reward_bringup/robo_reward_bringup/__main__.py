"""Reward nodes beside an arm, without `ros2 launch`: python -m robo_reward_bringup ROBOT name:=value … [+ ROBOT …].

    python -m robo_reward_bringup sim_arm reward_model:=outputs/process
    python -m robo_reward_bringup ur5e reward_model:=FITTED namespace:=left + ur5e reward_model:=FITTED namespace:=right

`--show-args` lists a robot's arguments, `--print` the commands that would be started.
"""

import shlex
import signal
import sys
from collections.abc import Sequence

from robo_reward_bringup.launch_arguments import arguments_of, read_words
from robo_reward_bringup.nodes_of_robot import BringUp, bring_up, together
from robo_reward_bringup.robot_file import Robot, read_robot
from robo_reward_bringup.shares import robot_names, robot_path
from robo_reward_bringup.supervisor import Supervisor

FLAGS = ("--show-args", "--print", "--help", "-h")


def main(words: Sequence[str] | None = None) -> int:
    """Run it; 0 = stopped by Ctrl-C, 1 = a node ended for good, 2 = what was said makes no sense."""
    said = list(sys.argv[1:] if words is None else words)
    flags = [each for each in said if each in FLAGS]
    said = [each for each in said if each not in FLAGS]
    if not said or {"--help", "-h"} & set(flags):
        _write(f"{__doc__}\nRobots: {', '.join(robot_names())}, or the path of a YAML file.")
        return 0 if flags else 2
    try:
        return _act(_arms(said), flags)
    except (ValueError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _act(arms: list[tuple[Robot, dict[str, str]]], flags: Sequence[str]) -> int:
    if "--show-args" in flags:
        for robot, _ in arms:
            _write(shown(robot))
        return 0
    described = together([bring_up(robot, given) for robot, given in arms])
    if "--print" in flags:
        _write(commands(described))
        return 0
    supervisor = Supervisor(described, say=_write)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    return supervisor.run()


def _arms(words: Sequence[str]) -> list[tuple[Robot, dict[str, str]]]:
    found, rest = [], list(words)
    while rest:
        end = rest.index("+") if "+" in rest else len(rest)
        arm, rest = rest[:end], rest[end + 1 :]
        if not arm or ":=" in arm[0]:
            raise ValueError(f"name a robot first: {', '.join(robot_names())}, or the path of a YAML file")
        found.append((read_robot(robot_path(arm[0])), read_words(arm[1:])))
    return found


def shown(robot: Robot) -> str:
    """Give the arguments of a robot's launch file as text."""
    rows = [f"  {each.name}:={each.default}\n      {each.doc}" for each in arguments_of(robot)]
    return "\n".join([f"{robot.name}: {robot.about.strip()}", *rows])


def commands(described: BringUp) -> str:
    """Give what is started as lines for a shell."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in described.environment.items()]
    return "\n".join([*exports, *(f"{node.shell()} &" for node in described.nodes)])


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
