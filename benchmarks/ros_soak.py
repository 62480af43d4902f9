# ruff: noqa: E402  (the tests' folders are put on the path first)
"""The reward node under faults for a hundred thousand sets of pictures, over DDS, as a process of its own.

    python benchmarks/ros_soak.py [--sets 100000]

Every fault of `soak_faults.py` in turn: cameras that die, return, freeze, jump in time, send garbage or other sizes, a
clock that is set back, a robot that stops, a flood of services. The bars: no crash, no law broken, no reward while
there can be none, a reward within a second of each fault's end, memory flat to 2 %. Needs ROS and the built messages;
the pictures are small and the encoder is the tests' own, so that the node is what is soaked.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / each) for each in ("ros_ws/src/robo_reward_ros", "tests", "tests/ros", "tests/contracts")]

from machine import machine
from robo_reward_msgs.msg import RewardStamped
from robo_reward_msgs.srv import MarkOutcome, SetTask
from robo_reward_ros.ros_messages import time_message
from ros_bench import Talker
from ros_pictures import START
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from soak_faults import FAULTS, FRONT, PERIOD_NS, SETTINGS, WRIST, Shot, Watch
from soak_rounds import Round, rounds
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

RESULT = Path(__file__).parent / "results" / "ros_soak.json"
PROMPTS = """
encoder: {_target_: fake_encoder.FakeEncoder}
reward_model:
  _target_: robo_reward.models.prompt_similarity.PromptSimilarity
  goal: [a green square]
  baseline: [a red square]
  alpha: 0.5
  renormalize: true
"""


class SoakedNode(Talker):
    """Everything around a reward node; as `soak_rounds.Soaked` wants it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.watch, self.now_ns, self.sent = Watch(), START, 0
        self._answered_ns, self._came = 0, threading.Condition()
        self.client.create_subscription(RewardStamped, "reward_node/reward", self._hear, 1000)
        self._clock = self.client.create_publisher(Clock, "/clock", 10)
        self._front = self.client.create_publisher(Image, f"{FRONT}/image_raw", 5)
        self._wrist = self.client.create_publisher(CompressedImage, f"{WRIST}/image_raw/compressed", 5)
        prompts = {"instruction": "paint", "goal": ["a green square"], "baseline": ["a red square"]}
        self._services = {
            "reset_episode": (Trigger, "reset_episode", Trigger.Request()),
            "mark_success": (MarkOutcome, "mark_outcome", MarkOutcome.Request(outcome=1)),
            "mark_truncated": (MarkOutcome, "mark_outcome", MarkOutcome.Request(outcome=3)),
            "mark_nonsense": (MarkOutcome, "mark_outcome", MarkOutcome.Request(outcome=9)),
            "set_task": (SetTask, "set_task", SetTask.Request(**prompts)),
            "enable": (SetBool, "enable", SetBool.Request(data=True)),
            "disable": (SetBool, "enable", SetBool.Request(data=False)),
        }
        kinds = {name: kind for kind, name, _ in self._services.values()}
        self._asking = {name: self.client.create_client(kind, f"reward_node/{name}") for name, kind in kinds.items()}

    @property
    def steady(self) -> float:
        """Time on a clock that nobody adjusts [s]."""
        return monotonic()

    def send(self, shots: Sequence[Shot], *, answered: bool) -> None:
        """Send pictures, wait for the answer or a little, and let a period go by."""
        self._clock.publish(Clock(clock=time_message(self.now_ns)))  # first: a picture from the future is none
        for each in shots:
            self._publish_shot(each)
        if answered:
            with self._came:
                self._came.wait_for(lambda: self._answered_ns >= self.now_ns, timeout=0.05)
        else:
            sleep(0.01)
        self.now_ns += PERIOD_NS
        self.sent += 1
        self.rewards.clear()
        self.values.clear()
        self.diagnostics.clear()

    def call(self, service: str) -> None:
        """Call a service and do not wait."""
        _, name, request = self._services[service]
        self._asking[name].call_async(request)

    def robot_said(self, *, ok: bool) -> None:
        """Say whether the robot is well."""
        self.robot_ok.publish(Bool(data=ok))

    def set_back(self, by_ns: int) -> None:
        """Have the clock jump back [ns]."""
        self.now_ns -= by_ns
        self._answered_ns = 0

    def _publish_shot(self, shot: Shot) -> None:
        stamp = time_message(max(shot.stamp_ns, 0))
        if shot.camera == FRONT:
            message = Image(height=shot.height, width=shot.width, encoding=shot.encoding, step=shot.step)
            publisher = self._front
        else:
            message, publisher = CompressedImage(format=shot.format), self._wrist
        message.header.stamp = stamp
        message.data.frombytes(shot.data)
        publisher.publish(message)

    def _hear(self, message: RewardStamped) -> None:
        stamp = message.header.stamp
        stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
        with self._came:
            self.watch.hear(message, stamp_ns=stamp_ns, now=monotonic())
            if message.views:
                self._answered_ns = stamp_ns
            self._came.notify()


def resident(pid: int) -> float:
    """Resident memory of a process [MiB]."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def start_node(folder: Path, domain: int) -> subprocess.Popen:
    """Start the node with the soak's parameters."""
    (folder / "prompts.yaml").write_text(PROMPTS)
    given = {
        "reward_model": str(folder / "prompts.yaml"),
        "cameras": [FRONT, WRIST],
        "image_topics": [f"{FRONT}/image_raw", f"{WRIST}/image_raw/compressed"],
        "use_sim_time": True,
        "warm_up_height": 24,
        "warm_up_width": 32,
        "watchdog_period": 0.05,
        **SETTINGS,
    }
    (folder / "node.yaml").write_text(json.dumps({"/**": {"ros__parameters": given}}))
    # one arena: what malloc keeps for each thread is no leak, and hides one
    environment = os.environ | {
        "ROS_DOMAIN_ID": str(domain),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    command = [sys.executable, "-m", "robo_reward_ros.reward_node", "--ros-args", "--params-file"]
    return subprocess.Popen([*command, str(folder / "node.yaml"), "--log-level", "error"], env=environment)


def soak(sets: int, *, good_sets: int, lasting: float, say: bool = True) -> dict:
    """Soak a node with so many sets of pictures, and give what came of it."""
    began, load = monotonic(), os.getloadavg()[0]
    soaked, done, memory = SoakedNode(1), list[Round](), list[tuple[int, float]]()
    with tempfile.TemporaryDirectory() as folder:
        node = start_node(Path(folder), soaked.domain)
        try:
            soaked.bring_up(seconds=120.0)
            soaked.robot_said(ok=True)
            for each in rounds(soaked, stale_after=SETTINGS["stale_after"], good_sets=good_sets, lasting=lasting):
                done.append(each)
                memory.append((soaked.sent, resident(node.pid)))
                if say:
                    print(f"{soaked.sent:7d} sets, {memory[-1][1]:.1f} MiB, {each}", flush=True)
                if soaked.sent >= sets or node.poll() is not None:
                    break
            alive = node.poll() is None
        finally:
            node.terminate()
            node.wait(20)
            soaked.close()
    return summary(done, memory, soaked.watch, sets=soaked.sent) | {
        "alive_at_the_end": alive,
        "exit_code": node.returncode,
        "seconds": round(monotonic() - began),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }


def summary(done: Sequence[Round], memory: Sequence[tuple[int, float]], watch: Watch, *, sets: int) -> dict:
    """Recovery by fault, laws that were broken, and how memory grew after a warm-up of a tenth of the sets."""
    warm = [size for at, size in memory if at > sets / 10]
    tenth = max(1, len(warm) // 9)
    first, last = statistics.median(warm[:tenth]), statistics.median(warm[-tenth:])
    faults = {
        name: {
            "times": sum(each.fault == name for each in done),
            "slowest_recovery_s": round(max((each.recovery for each in done if each.fault == name), default=0.0), 3),
            "forbidden_rewards": sum(each.forbidden for each in done if each.fault == name),
        }
        for name in FAULTS
    }
    return {
        "sets_sent": sets,
        "messages_heard": watch.heard,
        "rewards": watch.good,
        "faults": len(done),
        "laws_broken": watch.broken,
        "forbidden_rewards": sum(each.forbidden for each in done),
        "slowest_recovery_s": round(max(each.recovery for each in done), 3),
        "memory_after_warm_up_mib": round(first, 1),
        "memory_at_the_end_mib": round(last, 1),
        "memory_growth_percent": round(100 * (last / first - 1), 2),
        "by_fault": faults,
    }


def main() -> None:
    """Soak, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=100_000)
    parser.add_argument("--good-sets", type=int, default=200, help="between faults")
    parser.add_argument("--lasting", type=float, default=0.5, help="of each fault [s]")
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()
    result = soak(given.sets, good_sets=given.good_sets, lasting=given.lasting)
    result |= {"over": "DDS, between a process with the cameras and one with the node", "machine": machine()}
    given.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
