"""Records topics into an MCAP bag, without `ros2 bag`.

python -m robo_reward_ros.demo_ros_recorder BAG TOPIC:TYPE …
"""

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosbags.rosbag2 import StoragePlugin, Writer

from robo_reward.episodes.bag_writer import store_with_rewards
from robo_reward_ros.robot_env_arm import message_class

DEPTH = 200  # messages that wait for a slow disk


class Recorder(Node):
    """Writes serialised messages as they come, each at the time at which its publisher sent it.

    Not when it was received: a recorder that is slow would mix up what several topics said in which order.

    Args:
        writer: Of the bag; open.
        topics: Topic to type; all are reliable.
    """

    def __init__(self, writer: Writer, topics: Mapping[str, str]) -> None:
        super().__init__("recorder")
        store, quality = store_with_rewards(), QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        self.written = 0
        for topic, kind in topics.items():
            connection = writer.add_connection(topic, kind, typestore=store)

            def write(message: bytes, info: Mapping[str, Any], connection: Any = connection) -> None:
                writer.write(connection, info["source_timestamp"], message)
                self.written += 1

            self.create_subscription(message_class(kind), topic, write, quality, raw=True)


def main(words: Sequence[str] | None = None) -> int:
    """Record until interrupted; 0 = the bag is whole, 2 = what was said makes no sense."""
    said = list(sys.argv[1:] if words is None else words)
    topics = dict(word.split(":", 1) for word in said[1:] if ":" in word)
    if len(said) < 2 or len(topics) != len(said) - 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stopped = Event()
    for told_to_end in (signal.SIGINT, signal.SIGTERM):  # never in the middle of a message
        signal.signal(told_to_end, lambda *_: stopped.set())
    executor = SingleThreadedExecutor()
    with Writer(Path(said[0]), version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        node = Recorder(writer, topics)
        executor.add_node(node)
        while not stopped.is_set():
            executor.spin_once(timeout_sec=0.1)
    sys.stderr.write(f"{node.written} messages are in {said[0]}\n")
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
