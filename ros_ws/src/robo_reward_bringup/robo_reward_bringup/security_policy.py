"""SROS2 policies: what each node of a description may do, and nothing else. No ROS.

python -m robo_reward_bringup.security_policy ur5e namespace:=left > left.policy.xml
python -m robo_reward_bringup.security_policy --write      # those that come along, in security/
"""

import sys
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from robo_reward_bringup.known_nodes import PORTS
from robo_reward_bringup.launch_arguments import read_words
from robo_reward_bringup.node_description import NodeDescription, enclave_of
from robo_reward_bringup.nodes_of_robot import BringUp, activator, bring_up
from robo_reward_bringup.robot_file import read_robot
from robo_reward_bringup.shares import robot_names, robot_path, share

PARAMETER_SERVICES = (
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
    "get_type_description",
)
LIFECYCLE_SERVICES = (
    "change_state",
    "get_state",
    "get_available_states",
    "get_available_transitions",
    "get_transition_graph",
)
HEARD_IN_PARAMETERS = ("image_topics", "camera_info_topics", "state_topics", "reward_topic")
WAYS = {"publishes": ("topic", "publish"), "listens to": ("topic", "subscribe"), "serves": ("service", "reply")}


def policy(described: BringUp) -> str:
    """Give the policy of every node of ours in a description, as `ros2 security create_permission` takes it.

    Each node has an enclave of its own, `/robo_reward/NAMESPACE/NODE`. What is not allowed is denied.

    Args:
        described: Nodes with their topics; drivers and tf2's publishers are their own packages' business.
    """
    nodes = [node for node in described.nodes if node.name in PORTS]
    helpers = [activator(node, timeout=1.0) for node in nodes if node.lifecycle and described.autostart]
    contexts = "\n".join(_context(node) for node in (*nodes, *helpers))
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<policy version="0.2.0">\n  <contexts>\n'
    return f"{head}{contexts}\n  </contexts>\n</policy>\n"


def rules(node: NodeDescription) -> dict[tuple[str, str], list[str]]:
    """Give what a node does: (topic, service or action; how) to full names."""
    found: dict[tuple[str, str], list[str]] = {
        ("topic", "publish"): ["/rosout", "/parameter_events"],
        ("topic", "subscribe"): ["/parameter_events", "/clock"],
        ("service", "reply"): [f"{node.full_name}/{each}" for each in PARAMETER_SERVICES],
    }
    for port in PORTS.get(node.name, ()):
        way = ("action", "execute") if "/action/" in port.kind else WAYS[port.way]
        found.setdefault(way, []).extend(_names(node, port.name))
    if node.lifecycle:
        found["topic", "publish"].append(f"{node.full_name}/transition_event")
        found["service", "reply"] += [f"{node.full_name}/{each}" for each in LIFECYCLE_SERVICES]
    if node.executable == "activate":
        whom = node.parameters["node"]
        found["service", "request"] = [f"{whom}/get_state", f"{whom}/change_state"]
    if node.name == "robot_ok_relay":
        found["topic", "subscribe"] += [_full(node, each.split()[0]) for each in node.parameters.get("conditions", ())]
    return {way: sorted(set(names)) for way, names in found.items()}


def _names(node: NodeDescription, name: str) -> Iterable[str]:
    if name in HEARD_IN_PARAMETERS:
        given = node.parameters.get(name, "reward_node/reward" if name == "reward_topic" else ())
        return [_full(node, each) for each in ((given,) if isinstance(given, str) else given) if each]
    if "NAME" in name:
        return [_full(node, name.replace("NAME", each)) for each in node.parameters.get("cameras", ("*",))]
    return [_full(node, name)]


def _full(node: NodeDescription, name: str) -> str:
    """Give a full name, remappings considered."""
    expanded = name.replace("~/", f"{node.name}/")
    chosen = node.remappings.get(expanded, expanded).replace("~/", f"{node.name}/")
    return chosen if chosen.startswith("/") else f"{node.namespace.rstrip('/')}/{chosen}"


def _context(node: NodeDescription) -> str:
    lines = [
        f"    <context path={quoteattr(enclave_of(node.full_name))}>",
        "      <profiles>",
        f"        <profile ns={quoteattr(node.namespace)} node={quoteattr(node.name)}>",
    ]
    for (kind, how), names in sorted(rules(node).items()):
        lines.append(f'          <{kind}s {how}="ALLOW">')
        lines += [f"            <{kind}>{escape(name)}</{kind}>" for name in names]
        lines.append(f"          </{kind}s>")
    return "\n".join([*lines, "        </profile>", "      </profiles>", "    </context>"])


def of_robot(name: str, words: Sequence[str] = ()) -> str:
    """Give the policy of a robot's description."""
    return policy(bring_up(read_robot(robot_path(name)), {"dds_profile": "none"} | read_words(words)))


def main() -> None:
    """Write one policy to standard output, or all that come along into their folder."""
    if sys.argv[1:] == ["--write"]:
        for name in robot_names():
            (share() / "security" / f"{name}.policy.xml").write_text(of_robot(name))
    elif len(sys.argv) > 1:
        sys.stdout.write(of_robot(sys.argv[1], sys.argv[2:]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
