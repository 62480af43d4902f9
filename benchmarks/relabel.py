"""Relabelling end to end beside the encoder alone and beside a straightforward loop, measured in one run.

    python benchmarks/relabel.py [--encoder embedded|vit_b_32] [--rounds 3]

Every round measures all three in turn, so that a machine whose speed drifts drifts for all of them; ratios are taken
within a round and their median is reported. Pictures per second count every camera's frame once.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import torch

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.perception.embedded_encoder import FOLDER, embedded_encoder
from robo_reward.perception.encoder import Encoder
from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward.relabel.run import Relabelling, relabel

RESULTS = Path(__file__).parent / "results"
CAMERAS = ("observation.images.left", "observation.images.right")
INSTRUCTION = "open the drawer"
SIZE = 256
# episodes x frames x cameras: enough pictures that start-up does not count
DATA = {"embedded": (12, 100), "vit_b_32": (2, 40)}


def record(folder: Path, episodes: int, frames: int) -> Path:
    """Record a textured scene with a moving block, from two cameras, as H.264."""
    generator = np.random.default_rng(0)
    features = {camera: Feature(dtype="video", shape=(SIZE, SIZE, 3), names=None) for camera in CAMERAS}
    features["action"] = Feature(dtype="float32", shape=(4,), names=None)
    with LeRobotWriter(folder, features, fps=40.0, robot_type="benchmark") as writer:
        for _ in range(episodes):
            coarse = generator.integers(40, 200, (3, 16, 16)).astype(np.uint8)
            background = coarse.repeat(SIZE // 16, 1).repeat(SIZE // 16, 2)
            pictures = np.stack([_with_block(background, t, frames, generator) for t in range(frames)])
            writer.add_episode(
                INSTRUCTION,
                views={CAMERAS[0]: pictures, CAMERAS[1]: pictures[:, :, :, ::-1]},
                columns={"action": np.zeros((frames, 4), dtype=np.float32)},
            )
    return folder


def _with_block(background: np.ndarray, t: int, frames: int, generator: np.random.Generator) -> np.ndarray:
    picture = background.astype(np.int16) + generator.integers(-6, 7, background.shape)
    left = round((SIZE - 48) * t / frames)
    picture[:, 100:148, left : left + 48] = np.array([220, 40, 40])[:, None, None]
    return picture.clip(0, 255).astype(np.uint8)


def build_encoder(name: str, precision: str) -> Encoder:
    """The embedded encoder, or a ViT-B-32 with random weights."""
    settings = {"device": "auto", "runtime": "torch", "precision": precision, "batch_size": None}
    if name == "embedded":
        return embedded_encoder(**settings)
    return OpenClipEncoder("ViT-B-32", pretrained="random", seed=0, **settings)


def model(encoder: Encoder) -> PromptSimilarity:
    """Zero-shot prompts; what they say does not matter to the speed."""
    return PromptSimilarity(encoder, goal=["the drawer is open"], baseline=["the drawer is closed"], alpha=0.5)


def encoder_alone(encoder: Encoder, pictures: int) -> Callable[[], float]:
    """Pictures per second of the encoder on tensors that are ready."""
    shape = (64, 3, encoder.image_size, encoder.image_size)
    ready = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def run() -> float:
        start = time.perf_counter()
        for first in range(0, pictures, 64):
            encoder.embed(ready[: min(64, pictures - first)])
        return pictures / (time.perf_counter() - start)

    return run


def end_to_end(encoder: Encoder, data: Path, pictures: int) -> Callable[[], float]:
    """Pictures per second of relabelling: decode, transform, encode, write; no embedding is kept from before."""

    def run() -> float:
        output = data.with_name("relabelled")
        shutil.rmtree(output, ignore_errors=True)
        relabelling = Relabelling(models={INSTRUCTION: model(encoder)}, discount=0.99)
        start = time.perf_counter()
        relabel(LeRobotEpisodes(data), output, relabelling, store=None)
        return pictures / (time.perf_counter() - start)

    return run


def straightforward_loop(name: str, data: Path, limit: int) -> Callable[[], float]:
    """Pictures per second of decode frame, open_clip's PIL transform, encode a batch of one in float32."""
    import open_clip  # noqa: PLC0415  (after robo_reward, which makes torchvision importable beside a CPU build)

    if name == "embedded":
        network, _, transform = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    else:
        network, _, transform = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    network.eval()
    videos = sorted(data.rglob("*.mp4"))

    def run() -> float:
        done, start = 0, time.perf_counter()
        for video in videos:
            with av.open(str(video)) as container, torch.no_grad():
                for frame in container.decode(video=0):
                    features = network.encode_image(transform(frame.to_image())[None])
                    torch.nn.functional.normalize(features, dim=-1)
                    done += 1
                    if done == limit:
                        return done / (time.perf_counter() - start)
        return done / (time.perf_counter() - start)

    return run


def measure(name: str, precision: str, rounds: int, folder: Path) -> dict:
    """All three figures and their ratios."""
    episodes, frames = DATA[name]
    data = folder / f"recorded-{name}"
    if not data.exists():
        record(data, episodes, frames)
    pictures = episodes * frames * len(CAMERAS)
    encoder = build_encoder(name, precision)
    runs = {
        "encoder_alone": encoder_alone(encoder, pictures),
        "end_to_end": end_to_end(encoder, data, pictures),
        "straightforward_loop": straightforward_loop(name, data, pictures // 4),
    }
    encoder.embed(torch.zeros(64, 3, encoder.image_size, encoder.image_size, dtype=torch.uint8))  # warm
    speeds: dict[str, list[float]] = {run: [] for run in runs}
    for _ in range(rounds):
        for run, function in runs.items():
            speeds[run].append(function())

    def ratio(over: str) -> float:
        pairs = zip(speeds["end_to_end"], speeds[over], strict=True)
        return round(statistics.median(a / b for a, b in pairs), 3)

    return {
        "encoder": name,
        "precision": precision,
        "pictures": pictures,
        "pictures_per_second": {run: round(statistics.median(each), 1) for run, each in speeds.items()},
        "end_to_end_over_encoder_alone": ratio("encoder_alone"),
        "end_to_end_over_straightforward_loop": ratio("straightforward_loop"),
        "rounds": rounds,
    }


def peak_memory(folder: Path, episodes: int) -> float:
    """Peak resident memory [MiB] of a process that relabels so many episodes."""
    data = folder / f"memory-{episodes}"
    record(data, episodes, 100)
    code = (
        "import sys; sys.path.insert(0, 'benchmarks'); import relabel as b; from pathlib import Path;"
        f"b.end_to_end(b.build_encoder('embedded', 'float32'), Path({str(data)!r}), 1)();"
        # not ru_maxrss: a child inherits that of the process that started it
        "status = Path('/proc/self/status').read_text();"
        "print(int(status.split('VmHWM:')[1].split()[0]) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return round(float(done.stdout.strip().splitlines()[-1]), 1)


def machine() -> dict:
    """What the figures were measured on."""
    cpu = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": cpu[0] if cpu else platform.processor(),
        "cores": len(cpu),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=[*DATA, "all"], default="all")
    parser.add_argument("--precision", default="float32,bfloat16", help="comma-separated; bfloat16 needs the processor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "relabel.json")
    arguments = parser.parse_args()
    names = list(DATA) if arguments.encoder == "all" else [arguments.encoder]
    with tempfile.TemporaryDirectory() as folder:
        results = [
            measure(name, precision, arguments.rounds, Path(folder))
            for name in names
            for precision in arguments.precision.split(",")
        ]
        memory = {str(episodes): peak_memory(Path(folder), episodes) for episodes in (3, 12, 24)}
    report = {"results": results, "peak_memory_mib_by_episodes": memory, "machine": machine()}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
