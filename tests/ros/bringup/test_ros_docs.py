"""Every command and every YAML of the ROS pages: run, or composed, or named below with the reason why not."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from robo_reward_bringup.__main__ import main
from robo_reward_bringup.known_nodes import PORTS
from robo_reward_bringup.launch_arguments import GENERAL, arguments_of, read_words
from robo_reward_bringup.nodes_of_robot import bring_up, together
from robo_reward_bringup.robot_file import read_robot
from robo_reward_bringup.security_policy import of_robot
from robo_reward_bringup.shares import robot_names, robot_path, share

from robo_reward.cli.configuration import compose_verb

ROOT = Path(__file__).resolve().parents[3]
PAGES = [page for page in sorted((ROOT / "docs" / "ros").glob("*.md")) if page.name != "reference.md"]

NOT_RUN = {
    ". /opt/ros/": "needs an installation of ROS",
    "python3 -m venv --system-site-packages": "needs an installation of ROS",
    "ros_ws/build.sh": "with ROS sourced; with wheels `make ros` runs it before these tests",
    ". ros_ws/install": "needs an installation of ROS",
    "ros2 topic hz": "needs the ros2 command, which is not among the wheels",
    "ros2 lifecycle": "needs the ros2 command; the tests call the same services",
    "ros2 security": "needs the ros2 command, and DDS with security, which the wheels have not",
    "export ROS_SECURITY": "needs DDS with security",
    "export FAST": "needs the ros2 command; the launch files set it themselves, which is tested",
    "export ROS_": "a variable",
}
"""Beginnings of commands that are neither run nor composed, and why."""


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            found.append((page.name, re.sub(rf"^{match[1]}", "", match[2], flags=re.MULTILINE)))
    return found


COMMANDS = [
    (page, line.split("  #")[0].strip()) for page, text in blocks("sh") for line in text.splitlines() if line.strip()
]


def of(start: str) -> list[tuple[str, str]]:
    return [(page, command) for page, command in COMMANDS if command.startswith(start)]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader's folder, with the files that the pages tell to write."""
    fitted = {"/**/reward_node": {"ros__parameters": {"reward_model": "/home/me/fitted"}}}
    (tmp_path / "rewards.yaml").write_text(yaml.safe_dump(fitted))
    (tmp_path / "outputs" / "reach").mkdir(parents=True)
    (tmp_path / "outputs" / "reach" / "nodes.yaml").write_text(yaml.safe_dump(fitted))  # a training writes it
    for _, text in blocks("yaml"):
        if "/left/reward_node" in text:
            (tmp_path / "both.yaml").write_text(text)
        if text.startswith("# mine.yaml"):
            (tmp_path / "mine.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_run_or_composed_or_named_with_a_reason():
    tested = (
        "make ",
        "robo-reward ",
        "ros2 launch ",
        "ros2 topic echo ",
        "ros2 service call ",
        "python -m robo_reward_bringup",
        ".venv/bin/python -m robo_reward_bringup",
        ".venv/bin/python -m robo_reward_ros.train_robot",
    )
    assert [command for _, command in COMMANDS if not command.startswith((*tested, *NOT_RUN))] == []
    for start in (*tested, *NOT_RUN):
        assert of(start), f"no page says '{start}' any more"


@pytest.mark.parametrize(("page", "command"), of("make "))
def test_make_targets_of_the_ros_pages_exist(page, command):
    words = ["make", "-n", *shlex.split(command, comments=True)[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "command"), of("robo-reward "))
def test_verbs_of_the_ros_pages_compose(page, command):
    verb, *overrides = shlex.split(command)[1:]
    compose_verb(verb, overrides)


@pytest.mark.parametrize(("page", "command"), of("ros2 launch "))
def test_launch_lines_name_files_and_arguments_that_there_are(reader, page, command):
    package, file, *words = shlex.split(command)[2:]
    assert package == "robo_reward_bringup"
    assert (share() / "launch" / file).is_file()
    given = read_words(words)
    name = given.pop("robot", file.split(".")[0])
    if name.startswith("two_"):
        robot = read_robot(robot_path({"two_ur5e": "ur5e", "two_sim_arms": "sim_arm"}[name]))
        described = together([bring_up(robot, given | {"namespace": each}) for each in ("left", "right")])
    else:
        described = bring_up(read_robot(robot_path(name)), given)
    assert all(node.parameters["reward_model"] for node in described.nodes if node.name == "reward_node")


PLAIN = [each for each in COMMANDS if re.match(r"(\.venv/bin/)?python -m robo_reward_bringup ", each[1])]


@pytest.mark.parametrize(("page", "command"), PLAIN)
def test_plain_python_lines_are_what_can_be_started(reader, page, command, capsys):
    words = shlex.split(command)[3:]
    flags = {"--print", "--show-args"} & set(words)
    assert main(words if flags else [*words, "--print"]) == 0
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), of(".venv/bin/python -m robo_reward_ros.train_robot"))
def test_the_training_of_the_page_shows_its_help(page, command):
    pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
    pytest.importorskip("tensorboard", reason="the rl extra is not installed")
    words = shlex.split(command)[1:3]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, *words, "--help"], env=os.environ | path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "command"), of("python -m robo_reward_bringup.security_policy"))
def test_policies_are_made_as_the_page_says(page, command):
    name, *words = shlex.split(command)[3:]
    assert "/robo_reward/left/reward_node" in of_robot(name, words)


@pytest.mark.parametrize(("page", "command"), [*of("ros2 topic echo "), *of("ros2 service call ")])
def test_topics_and_services_of_the_pages_are_those_of_the_nodes(page, command):
    name = next(word for word in shlex.split(command) if word.startswith("/"))
    ports = {port.name.replace("~/", f"/{node}/"): port for node, ports in PORTS.items() for port in ports}
    port = ports.get(name) or ports[name.lstrip("/")]
    if "service call" in command:
        assert port.kind == shlex.split(command)[4]
    else:
        assert port.way == "publishes"


def test_parameters_that_the_pages_write_are_those_of_the_nodes(tmp_path):
    read = 0
    for _, text in blocks("yaml"):
        path = tmp_path / "block.yaml"
        path.write_text(text)
        if "ros__parameters" in text:
            for namespace in ("left", "right"):
                bring_up(read_robot(robot_path("ur5e")), {"params_file": str(path), "namespace": namespace})
        else:
            bring_up(read_robot(path), {})
        read += 1
    assert read == len(blocks("yaml")) == 4


def test_the_table_of_robots_names_every_robot_and_every_general_argument_is_told():
    text = (ROOT / "docs" / "ros" / "launch.md").read_text()
    for robot in robot_names():
        assert f"`{robot}.launch.py`" in text
    known = {each.name for each in arguments_of(read_robot(robot_path("ur5e")))}
    for argument in GENERAL:
        if argument.name != "activation_timeout":  # told where it is needed
            assert f"`{argument.name}`" in text
    for page in PAGES:
        for name in re.findall(r"`([a-z_.]+):=", page.read_text()):
            simulated = {each.name for each in arguments_of(read_robot(robot_path("sim_arm")))}
            assert name in known | simulated | {"robot"}, f"{page.name}: {name}"


def test_links_of_the_ros_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            name, _, heading = target.partition("#")
            other = page if not name else (page.parent / name).resolve()
            assert other.is_file(), f"{page.name}: {target}"
            if heading:
                titles = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
                anchors = [re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in titles]
                assert heading in anchors, f"{page.name}: {target}"


@pytest.mark.slow
def test_the_first_line_of_the_first_page_gives_rewards(tmp_path):
    """The simulated arm by hand, as written, over real DDS."""
    pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
    pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")
    from ros_bench import Talker
    from ros_pictures import until

    (tmp_path / "rewards.yaml").write_text(next(text for _, text in blocks("yaml") if "prompt_similarity" in text))
    talker = Talker(150)
    environment = os.environ | {"ROS_DOMAIN_ID": str(talker.domain), "PYTHONPATH": os.pathsep.join(sys.path)}
    words = shlex.split(of(".venv/bin/python -m robo_reward_bringup")[0][1])
    process = subprocess.Popen([sys.executable, *words[1:]], cwd=tmp_path, env=environment)
    try:
        until(lambda: len(talker.values) > 3, seconds=90.0)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(10)
        talker.close()
