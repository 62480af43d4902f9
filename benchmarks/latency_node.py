"""The reward node with a stop watch: `python benchmarks/latency_node.py LOG [--forward 0.15] --ros-args …`.

What the model's own forward took is measured around the encoder's network, without conversion and transform. LOG
becomes JSON: every message with its stamp and when its publication was done [ns], forward, inference and age [s]; and
the percentiles of each stage [s] over the latest sets, as /diagnostics has them.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from rclpy.lifecycle import TransitionCallbackReturn
from robo_reward_ros.answer import Answer
from robo_reward_ros.reward_node import RewardNode
from robo_reward_ros.ros_lifecycle import spin, told

LOG: list[dict[str, Any]] = []
STAGES: dict[str, dict[str, float]] = {}
FORWARD = {"seconds": 0.0}


def slowed(encoder: Any, forward: float) -> None:
    """Measure the encoder's network, and have it take so long [s]; 0 = as long as it takes."""
    kind, real = type(encoder), type(encoder).embed

    def embed(self: Any, pixels: Any) -> Any:
        began = time.perf_counter()
        found = real(self, pixels[:1]).expand(len(pixels), -1).clone() if forward else real(self, pixels)
        time.sleep(max(0.0, forward - (time.perf_counter() - began)))
        FORWARD["seconds"] = time.perf_counter() - began
        return found

    kind.embed = embed


class TimedNode(RewardNode):
    """Notes when each answer was out."""

    forward = 0.0

    @told
    def on_configure(self, state: Any) -> Any:
        """Load the model, and put the stop watch on its encoder."""
        done = super().on_configure(state)
        if done == TransitionCallbackReturn.SUCCESS:
            slowed(self.prepared.bound.model.encoder, self.forward)
        return done

    @told
    def on_activate(self, state: Any) -> Any:
        """Listen and answer, and put the stop watch on what goes out."""
        done = super().on_activate(state)
        publish = self.core._publish

        def timed(answer: Answer) -> None:
            publish(answer)
            if answer.views:
                note(answer)

        self.core._publish = timed
        return done

    @told
    def on_deactivate(self, state: Any) -> Any:
        """Note what each stage took, and fall silent."""
        for stage, took in self.core.timing.summary().items():
            STAGES[stage] = {"p50": took.p50, "p95": took.p95, "largest": took.largest}
        return super().on_deactivate(state)


def note(answer: Answer) -> None:
    """Note an answer that went out just now."""
    LOG.append(
        {
            "stamp_ns": answer.stamp_ns,
            "published_ns": time.time_ns(),
            "forward": FORWARD["seconds"],
            "inference": answer.inference_time,
            "age": answer.input_age,
            "status": int(answer.status),
            "dropped": answer.sets_dropped,
        }
    )


def main() -> None:
    """Run the node; what was noted is written when it ends."""
    path = Path(sys.argv[1])
    if "--forward" in sys.argv:
        TimedNode.forward = float(sys.argv[sys.argv.index("--forward") + 1])
    try:
        spin(TimedNode)
    finally:
        path.write_text(json.dumps({"answers": LOG, "stages": STAGES}))


if __name__ == "__main__":
    main()
