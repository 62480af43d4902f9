r"""How long it takes to teach the process head a task from one demonstration: embedding its pictures, fitting the head.

    python benchmarks/adaptation.py --recording ../shared/data/episodes/robo_dopamine/dataset/example_raw_data \
        --weights ../shared/data/weights/lpips_backbone_squeeze/squeeze.backbone.pth
    python benchmarks/adaptation.py --recording outputs/demo/demonstrations

The first recording of the folder is the demonstration: every second frame of a Robo-Dopamine recording through
SqueezeNet with its key frames, every frame of a LeRobot data set through the package's own small CLIP.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from machine import machine
from thinned_episodes import ThinnedEpisodes

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.robo_dopamine import RoboDopamineEpisodes
from robo_reward.models.process import ProcessReward
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import LabelledClip
from robo_reward.perception.open_clip_features import embedded_features
from robo_reward.perception.torchvision_features import torchvision_features
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.training.recordings import progress_of_steps

RESULTS = Path(__file__).parent / "results"
BAR = 60.0
"""Fitting must take less [s]."""


def squeezenet(weights: Path) -> ImageEncoder:
    """SqueezeNet from a file that holds its trunk."""
    return torchvision_features(
        "squeezenet1_1",
        weights=str(weights),
        weights_prefix="features.",
        layer="features.7",
        grid=2,
        image_size=224,
        device="cpu",
        batch_size=None,
    )


def measure(recording: Path, weights: Path | None) -> dict[str, Any]:
    """Embed and fit, each timed by itself."""
    raw = any(recording.glob("episode_*"))
    source = RoboDopamineEpisodes(recording) if raw else LeRobotEpisodes(recording)
    thinned = ThinnedEpisodes(source, every=2 if raw else 1)
    if weights is None:
        encoder: ImageEncoder = embedded_features(grid=4, device="cpu", batch_size=None)
    else:
        encoder = squeezenet(weights)
    episode = thinned.episodes[0]
    progress = None
    if raw:
        progress = progress_of_steps(thinned.columns(episode, ["keyframe"])["keyframe"], episode=0)
    start = time.perf_counter()
    clip = EpisodeEmbedder(encoder, thinned, store=None).embed(episode)
    embedded, computed = time.perf_counter(), time.process_time()
    ProcessReward(encoder).fitted_to([LabelledClip(clip=clip, success=True, progress=progress)])
    fitted, computed = time.perf_counter(), time.process_time() - computed
    return {
        "recording": recording.name,
        "frames": episode.num_frames,
        "cameras": len(episode.cameras),
        "numbers_per_picture": encoder.dim,
        "embedding_seconds": round(embedded - start, 1),
        "fit_seconds": round(fitted - embedded, 1),
        "fit_processor_seconds": round(computed, 1),  # of all threads: what it takes whoever else is on the machine
        "bar_seconds": BAR,
        "within_bar": fitted - embedded < BAR,
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="SqueezeNet's trunk; left out: the package's own small CLIP")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, default=RESULTS / "adaptation.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report = {"machine": machine(), "results": []}
    if arguments.output.is_file():
        report["results"] = json.loads(arguments.output.read_text())["results"]
    result = measure(arguments.recording, arguments.weights)
    others = [each for each in report["results"] if each["recording"] != result["recording"]]
    report["results"] = [*others, result]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
