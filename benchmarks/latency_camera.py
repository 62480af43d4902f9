"""Three cameras of 640 x 480 at 30 Hz, in a process of their own: `python benchmarks/latency_camera.py`."""

import array
import time
from contextlib import suppress

import numpy as np
import rclpy
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

CAMERAS = ("front", "side", "wrist")
RATE = 30.0
HEIGHT, WIDTH = 480, 640
QUALITY = QoSProfile(depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)


def pictures(number: int = 8) -> list[array.array]:
    """Textured pictures, so that no step on their way is quicker than with real ones."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (number, HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    fine = coarse.repeat(8, axis=1).repeat(8, axis=2) ^ generator.integers(0, 16, (number, HEIGHT, WIDTH, 3), np.uint8)
    return [array.array("B", picture.tobytes()) for picture in fine]


def main() -> None:
    """Publish until told to stop; all cameras are triggered together."""
    rclpy.init()
    node = rclpy.create_node("cameras")
    publishers = [node.create_publisher(Image, f"{camera}/image_raw", QUALITY) for camera in CAMERAS]
    ready, tick, begin = pictures(), 0, time.monotonic()
    message = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
    while rclpy.ok():
        tick += 1
        time.sleep(max(0.0, begin + tick / RATE - time.monotonic()))
        stamp = time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        for place, publisher in enumerate(publishers):
            message.data = ready[(tick + place) % len(ready)]
            publisher.publish(message)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
