"""The encoder's architecture, and the folder that open_clip loads it from."""

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from safetensors.torch import load_file, save_file
from torch import Tensor

from robo_reward.perception.torchvision_ops import declare_torchvision_ops

IMAGE_SIZE = 128
"""Height and width of the encoder's input [px]."""

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
"""Of the input's normalisation."""

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 128,
        "vision_cfg": {"image_size": IMAGE_SIZE, "layers": [1, 2, 2, 1], "width": 24, "head_width": 64},
        "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 3},
    },
    "preprocess_cfg": {
        "size": [IMAGE_SIZE, IMAGE_SIZE],
        "mean": list(MEAN),
        "std": list(STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}
"""What open_clip builds: a small modified ResNet with attention pooling, and a small causal text transformer."""


def new_model() -> Any:
    """Build the encoder with random weights, through open_clip."""
    declare_torchvision_ops()
    from open_clip.model import CLIP  # noqa: PLC0415

    cfg = CONFIG["model_cfg"]
    return CLIP(cfg["embed_dim"], cfg["vision_cfg"], cfg["text_cfg"])


def tokenize(texts: list[str]) -> Int64[Tensor, "text token"]:
    """Tokenise as open_clip does for this encoder."""
    declare_torchvision_ops()
    from open_clip.tokenizer import SimpleTokenizer  # noqa: PLC0415

    global _TOKENIZER  # noqa: PLW0603
    if _TOKENIZER is None:
        _TOKENIZER = SimpleTokenizer(context_length=CONFIG["model_cfg"]["text_cfg"]["context_length"])
    return _TOKENIZER(texts)


_TOKENIZER: Any = None


def encode_text(model: Any, tokens: Int64[Tensor, "text token"]) -> Float[Tensor, "text dim"]:
    """Return what `model.encode_text` returns, unit norm, without computing the padding."""
    length = int(tokens.argmax(dim=-1).max()) + 1  # the end token has the highest number; attention is causal
    tokens = tokens[:, :length]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x[torch.arange(len(x)), tokens.argmax(dim=-1)] @ model.text_projection
    return torch.nn.functional.normalize(x, dim=-1)


def encode_image(model: Any, pixels: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch dim"]:
    """Return unit-norm embeddings of pictures in [0, 1]."""
    normalised = (pixels - MEAN[0]) / STD[0]
    return torch.nn.functional.normalize(model.visual(normalised).float(), dim=-1)


def encode_with_features(
    model: Any, pixels: Float[Tensor, "batch 3 size size"]
) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch channel 8 8"], Float[Tensor, "batch feature"]]:
    """Return the embeddings of pictures, the third stage's feature map, and the mean of the fourth's."""
    visual = model.visual
    third = visual.layer3(visual.layer2(visual.layer1(visual.stem((pixels - MEAN[0]) / STD[0]))))
    fourth = visual.layer4(third)
    embedding = torch.nn.functional.normalize(visual.attnpool(fourth).float(), dim=-1)
    return embedding, third.float(), fourth.float().mean(dim=(2, 3))


def write_checkpoint(weights: dict[str, Tensor], folder: Path, *, seen: Int64[Tensor, " tokens"]) -> None:
    """Write the folder that open_clip loads as `local-dir:FOLDER`, in half precision.

    Args:
        weights: State of the model.
        folder: Where to; made if missing.
        seen: Tokens that occurred in training. The embeddings of all others are zeroed: a word that the encoder never
            met then adds nothing, rather than noise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    unseen = torch.ones(len(half["token_embedding.weight"]), dtype=torch.bool)
    unseen[seen] = False
    half["token_embedding.weight"][unseen] = 0.0
    save_file({name: value.contiguous() for name, value in half.items()}, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")


def read_checkpoint(folder: Path) -> Any:
    """Read such a folder back as a model in single precision, ready to encode."""
    model = new_model()
    weights = load_file(folder / "open_clip_model.safetensors")
    model.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    )
    return model.eval()
