# ruff: noqa: E402  (the tests' folders are put on the path first)
"""How old rewards are: three 640 x 480 cameras at 30 Hz from another process, raw, through the embedded encoder.

    python benchmarks/ros_latency.py [--seconds 30]

Overhead is what lies between the stamp of the oldest picture and the end of the publication, less the model's own
forward: receive, synchronise, wait, convert, transform, publish. Bars: p50 <= 8 ms, p99 <= 30 ms; the age of the oldest
picture at publication <= one inference + one period at p95, also where the model takes 150 ms; no set answered twice or
out of order. And what the node costs in each state of its lifecycle. Needs ROS and the built messages.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / each) for each in ("ros_ws/src/robo_reward_ros", "tests", "tests/ros", "tests/contracts")]

from latency_camera import CAMERAS, HEIGHT, RATE, WIDTH
from lifecycle_msgs.srv import GetState
from machine import machine
from ros_bench import Talker

RESULT = HERE / "results" / "ros_latency.json"
PROFILE = ROOT / "ros_ws/src/robo_reward_bringup/config/dds/large_images.xml"
PARAMETERS = {
    "reward_model": "prompt_similarity",
    "instruction": "open the drawer",
    "overrides": ["reward_model.goal=[the drawer is open]", "reward_model.baseline=[the drawer is closed]"],
    "cameras": list(CAMERAS),
    "image_topics": [f"{camera}/image_raw" for camera in CAMERAS],
    "warm_up_height": HEIGHT,
    "warm_up_width": WIDTH,
}


class Usage:
    """Processor time and memory of a process between two looks."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = (time.monotonic(), self._ticks())

    def _ticks(self) -> int:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def told(self) -> dict[str, float]:
        """Percent of one core since the last look, and resident memory [MiB]."""
        now, ticks = time.monotonic(), self._ticks()
        cpu = (ticks - self._began[1]) / os.sysconf("SC_CLK_TCK") / (now - self._began[0])
        status = Path(f"/proc/{self._pid}/status").read_text()
        return {"cpu_percent": round(100 * cpu, 1), "rss_mib": round(int(status.split("VmRSS:")[1].split()[0]) / 1024)}


def after(seconds: float, pid: int) -> dict[str, float]:
    """What a process uses in so many seconds."""
    usage = Usage(pid)
    time.sleep(seconds)
    return usage.told()


def environment(domain: int) -> dict[str, str]:
    """Of cameras and node: a segment of shared memory that holds their pictures."""
    profile = {name: str(PROFILE) for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")}
    return os.environ | profile | {"ROS_DOMAIN_ID": str(domain), "PYTHONPATH": os.pathsep.join(sys.path)}


def run(seconds: float, *, forward: float, threads: int, number: int) -> dict[str, Any]:
    """Start cameras and node, take the node through its lifecycle, and give what was measured."""
    talker = Talker(number)
    with tempfile.TemporaryDirectory() as folder:
        log, parameters = Path(folder) / "log.json", Path(folder) / "node.yaml"
        given = PARAMETERS | {"torch_threads": threads}
        parameters.write_text(json.dumps({"/**": {"ros__parameters": given}}))
        surroundings, load = environment(talker.domain), os.getloadavg()[0]
        arguments = ["--forward", str(forward), "--ros-args", "--params-file", str(parameters), "--log-level", "error"]
        node = subprocess.Popen([sys.executable, str(HERE / "latency_node.py"), str(log), *arguments], env=surroundings)
        cameras = subprocess.Popen([sys.executable, str(HERE / "latency_camera.py")], env=surroundings)
        try:
            usage = _lifecycle(talker, node.pid, seconds)
        finally:
            for process in (node, cameras):
                process.send_signal(signal.SIGINT)
                process.wait(20)
            talker.close()
        noted = json.loads(log.read_text())
        stages = {
            stage: {name: round(1e3 * value, 2) for name, value in took.items()}
            for stage, took in noted["stages"].items()
        }
        return measured(noted["answers"], warm=2.0) | {
            "stages_ms": stages,
            "forward_s": forward or None,
            "torch_threads": threads,
            "states": usage,
            "load_before": round(load, 2),
            "load_after": round(os.getloadavg()[0], 2),
        }


def _lifecycle(talker: Talker, pid: int, seconds: float) -> dict[str, dict[str, float]]:
    """What the node costs in each state, with cameras that publish all the time."""
    talker.client.create_client(GetState, "reward_node/get_state").wait_for_service(120)
    usage = {talker.state: after(3, pid)}
    for transition, state, lasting in (
        ("configure", "inactive", 3),
        ("activate", "active", seconds),
        ("deactivate", "inactive again", 3),
    ):
        if not talker.change(transition):
            raise RuntimeError(f"{transition} failed; the node says why on stderr")
        usage[state] = after(lasting, pid)
    return usage


def measured(log: Sequence[Mapping[str, float]], *, warm: float) -> dict[str, Any]:
    """Percentiles of what was noted after so many seconds."""
    begin = log[0]["stamp_ns"] + warm * 1e9
    kept = [each for each in log if each["stamp_ns"] > begin]
    stamp, published, forward, inference = (
        np.array([each[name] for each in kept]) for name in ("stamp_ns", "published_ns", "forward", "inference")
    )
    age = (published - stamp) * 1e-9
    allowed = float(np.median(inference)) + 1 / RATE
    stamps = [each["stamp_ns"] for each in log]
    return {
        "answers": len(kept),
        "answers_per_second": round(len(kept) / ((stamp[-1] - stamp[0]) * 1e-9), 1),
        "overhead_ms": _percentiles(age - forward),
        "forward_ms": _percentiles(forward),
        "inference_ms": _percentiles(inference),
        "age_ms": _percentiles(age),
        "one_inference_and_one_period_ms": round(1e3 * allowed, 2),
        "age_p95_within": bool(np.quantile(age, 0.95) <= allowed),
        "age_first_third_p50_ms": round(1e3 * float(np.median(age[: len(age) // 3])), 2),
        "age_last_third_p50_ms": round(1e3 * float(np.median(age[-(len(age) // 3) :])), 2),
        "answered_twice_or_out_of_order": sum(later <= earlier for earlier, later in pairwise(stamps)),
        "sets_dropped_for_newer_ones": kept[-1]["dropped"],
        "not_ok": sum(each["status"] != 1 for each in kept),
    }


def _percentiles(seconds: np.ndarray) -> dict[str, float]:
    return {f"p{at}": round(1e3 * float(np.quantile(seconds, at / 100)), 2) for at in (50, 95, 99)}


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=1, help="of one forward pass")
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()
    result = {
        "cameras": f"{len(CAMERAS)} x {WIDTH}x{HEIGHT} rgb8 at {RATE:g} Hz, best effort, 64 MiB of shared memory",
        "embedded encoder": run(given.seconds, forward=0.0, threads=given.threads, number=11),
        "artificial forward of 150 ms": run(given.seconds, forward=0.15, threads=given.threads, number=12),
        "machine": machine(),
    }
    given.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
