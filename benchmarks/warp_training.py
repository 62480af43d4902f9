"""Steps per second of training where simulator, pictures, encoder, rewards and learner share one GPU.

    python benchmarks/warp_training.py [--device cuda] [--worlds 64 512 4096] [--encoders embedded vit_b_32]
    python benchmarks/warp_training.py --device cpu --worlds 4 --encoders embedded --steps 4 --rounds 1

For each number of worlds and encoder, in one run: steps of all worlds per second with and without the learner's
updates; the encoder's own steps per second on pictures that lie ready on the device, which is the ceiling; the share of
it that the whole path reaches; the share of time of physics, rendering, encoding, potentials and learning, measured
apart, with the device waited for after each part. ViT-B-32 has random weights: its speed does not depend on them.
Needs the extra `warp`.
"""

import argparse
import json
from pathlib import Path

from machine import machine

RESULTS = Path(__file__).parent / "results" / "warp_training.json"


def main() -> None:
    """Measure every setting, and write the figures down; those of a CPU are printed only."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 … or cpu")
    parser.add_argument("--worlds", type=int, nargs="+", default=[64, 512, 4096])
    parser.add_argument("--encoders", nargs="+", default=["embedded", "vit_b_32"], choices=["embedded", "vit_b_32"])
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16")
    parser.add_argument(
        "--batch-size", type=int, default=None, help="pictures in a forward pass; default: the encoder's"
    )
    parser.add_argument("--task", default="reach")
    parser.add_argument("--cameras", nargs="+", default=["front"])
    parser.add_argument("--size", type=int, default=112, help="of a picture [px]")
    parser.add_argument("--steps", type=int, default=16, help="of a rollout, in every world")
    parser.add_argument("--rounds", type=int, default=3, help="rollouts that are timed; medians are reported")
    parser.add_argument("--not-deterministic", action="store_true", help="let contacts come in any order, as is faster")
    given = parser.parse_args()
    # not above: --help is for those, too, who have not installed the simulator
    from warp_training_rates import device_name, rates  # noqa: PLC0415

    report = {
        "machine": machine() | {"device": device_name(given.device)},
        "settings": {
            name: getattr(given, name)
            for name in ("task", "cameras", "size", "precision", "batch_size", "steps", "rounds", "not_deterministic")
        },
        "measured": [rates(given, encoder, worlds) for encoder in given.encoders for worlds in given.worlds],
    }
    text = json.dumps(report, indent=2)
    if given.device != "cpu":
        RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
