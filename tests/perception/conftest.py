"""Small models in open_clip's own layout, with random weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from robo_reward.perception.open_clip_checkpoint import open_clip

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
PICTURES = {
    "vit": {"image_size": 64, "layers": 3, "width": 128, "head_width": 64, "patch_size": 16},
    "resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
}
PREPROCESSING = {
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.25, 0.3],
    "interpolation": "bilinear",
    "resize_mode": "squash",
}


def write_checkpoint(folder: Path, kind: str) -> Path:
    """Write a small random model as `local-dir:` wants it."""
    settings = {"embed_dim": 48, "vision_cfg": PICTURES[kind], "text_cfg": TEXT}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = open_clip.CLIP(**settings)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": settings, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a small ViT and a small ModifiedResNet."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {kind: write_checkpoint(root / kind, kind) for kind in PICTURES}


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder that lives as long as the tests."""
    return tmp_path_factory.mktemp("cache")
