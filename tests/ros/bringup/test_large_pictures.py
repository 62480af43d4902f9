"""Raw pictures of 1280 × 720, best effort, from a process with the transport profile: they arrive."""

import os
import subprocess
import sys
from time import monotonic, sleep

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from rclpy.qos import QoSProfile, ReliabilityPolicy
from robo_reward_bringup.nodes_of_robot import PROFILE_VARIABLES, transport
from ros_bench import Talker
from sensor_msgs.msg import Image

PICTURES = 40
CAMERA = f"""
import time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
camera = rclpy.create_node("camera")
publisher = camera.create_publisher(Image, "raw", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
picture = Image(height=720, width=1280, encoding="rgb8", step=3840)
picture.data.frombytes(bytes(720 * 3840))
while publisher.get_subscription_count() == 0:
    time.sleep(0.05)
time.sleep(0.5)
for _ in range({PICTURES}):
    publisher.publish(picture)
    time.sleep(0.1)
"""


@pytest.mark.slow
def test_large_raw_pictures_arrive_where_the_camera_has_the_profile():
    talker = Talker(140)
    heard = []
    quality = QoSProfile(depth=PICTURES, reliability=ReliabilityPolicy.BEST_EFFORT)
    talker.client.create_subscription(Image, "raw", heard.append, quality)
    given = {name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES}
    environment = given | transport("large_images", given) | {"ROS_DOMAIN_ID": str(talker.domain)}
    camera = subprocess.Popen([sys.executable, "-c", CAMERA], env=environment)
    try:
        assert camera.wait(60) == 0
        end = monotonic() + 2
        while len(heard) < PICTURES and monotonic() < end:
            sleep(0.05)
    finally:
        camera.kill()
        camera.wait(10)
        talker.close()
    assert len(heard) >= 0.9 * PICTURES
