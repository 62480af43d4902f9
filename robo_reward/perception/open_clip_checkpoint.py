"""Checkpoints by open_clip's names: found, loaded, checked. The one file that imports open_clip."""

import difflib
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError
from torch import Tensor, nn

from robo_reward.errors import EncoderError
from robo_reward.perception.picture_transform import PictureTransform
from robo_reward.perception.torchvision_ops import declare_torchvision_ops

declare_torchvision_ops()  # open_clip imports torchvision, which needs the declarations first
import open_clip  # noqa: E402
from open_clip.modified_resnet import ModifiedResNet as ModifiedResNet  # noqa: E402, PLC0414 - for open_clip_features
from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from open_clip.transform import PreprocessCfg  # noqa: E402
from open_clip.transformer import VisionTransformer as VisionTransformer  # noqa: E402, PLC0414
from timm.utils.model import reparameterize_model  # noqa: E402

_SCHEMES = ("hf-hub:", "local-dir:")
_LOADING_ERRORS = (
    RuntimeError,
    OSError,
    ValueError,
    KeyError,
    ImportError,
    EOFError,
    pickle.UnpicklingError,
    SafetensorError,
)
_ADVICE = "without internet choose encoder=embedded, or give the path of a checkpoint or local-dir:FOLDER"


@final
class TextTower(nn.Module):
    """The text half of a checkpoint with its own tokeniser."""

    def __init__(self, model: nn.Module, tokeniser: Any) -> None:
        super().__init__()
        self.model = model
        self._tokeniser = tokeniser

    def tokenise(self, text: Sequence[str]) -> Int64[Tensor, "text token"]:
        """Turn texts into the token numbers of this checkpoint.

        Raises:
            ValueError: No text, an empty one, or one with more tokens than the checkpoint reads.
        """
        if not text:
            raise ValueError("text must hold at least one sentence, got none")
        if not all(one.strip() for one in text):
            raise ValueError(f"texts must not be empty, got {list(text)!r}")
        tokens = self._tokeniser(list(text))
        context = tokens.shape[1]
        # tokenisers cut silently: a text that was cut has more tokens where there is room for twice as many
        padding = self._tokeniser(["a"])[0, -2]
        roomy = self._tokeniser(list(text), context_length=2 * context)
        for one, kept, all_tokens in zip(text, (tokens != padding).sum(1), (roomy != padding).sum(1), strict=True):
            if kept < all_tokens:
                raise ValueError(f"text has more tokens than the {context} that this checkpoint reads: {one!r}")
        return tokens.to(torch.int64)

    def forward(self, tokens: Int64[Tensor, "text token"]) -> Float[Tensor, "text dim"]:
        """Features before normalisation to unit length."""
        return self.model.encode_text(tokens)  # pyright: ignore[reportCallIssue]


@final
class VisualTower(nn.Module):
    """The image half of a checkpoint, with one output."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch dim"]:
        """Features before normalisation to unit length."""
        features = self.visual(pictures)
        return features[0] if isinstance(features, tuple) else features  # CoCa gives its tokens too


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class OpenClipCheckpoint:
    """A loaded model, taken apart; everything in float32 on the CPU."""

    visual: VisualTower
    text: TextTower
    transform: PictureTransform
    logit_scale: float
    """Inverse temperature of the training loss."""
    weights: str
    """SHA-256 of all weights with their names, hexadecimal."""


def load_checkpoint(model: str, *, pretrained: str | None, seed: int | None) -> OpenClipCheckpoint:
    """Load a model by one of open_clip's names.

    Args:
        model: "NAME/TAG", "hf-hub:ORG/NAME", "local-dir:FOLDER", or "NAME" with `pretrained`.
        pretrained: With "NAME": a tag, the path of a checkpoint, or "random"; else None.
        seed: Of random weights; else None.

    Raises:
        EncoderError: An unknown name or tag, weights or a tokeniser that cannot be had, weights of another model,
            preprocessing that is not known.
        ValueError: A seed without random weights, or random weights without a seed.
    """
    if (pretrained == "random") != (seed is not None):
        raise ValueError(f"a seed goes with pretrained='random' only; got pretrained={pretrained!r}, seed={seed}")
    if model.startswith(_SCHEMES):
        if pretrained is not None:
            raise EncoderError(f"model '{model}' names its weights; pretrained must be null, got '{pretrained}'")
        name, settings = model, dict[str, Any](require_pretrained=True)
    else:
        name, pretrained = _name_and_weights(model, pretrained)
        settings = _settings(name, pretrained)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed or 0)
        try:
            loaded = open_clip.create_model(name, **settings).eval().requires_grad_(False)
            tokeniser = open_clip.get_tokenizer(name)
        except _LOADING_ERRORS as error:
            of = f"'{name}'" if pretrained is None else f"'{name}/{pretrained}'"
            raise EncoderError(f"the model {of} cannot be loaded: {error}; {_ADVICE}") from error
    return _take_apart(loaded, tokeniser)


def _take_apart(model: Any, tokeniser: Any) -> OpenClipCheckpoint:
    weights = _hash_weights(model)
    visual = VisualTower(_reparameterised(model.visual))
    model.visual = nn.Identity()  # its memory goes where the runtime puts it
    return OpenClipCheckpoint(
        visual=visual.eval(),
        text=TextTower(model, tokeniser).eval(),
        transform=PictureTransform.from_checkpoint(open_clip.get_model_preprocess_cfg(visual)),
        logit_scale=float(model.logit_scale.exp()),
        weights=weights,
    )


def _name_and_weights(model: str, pretrained: str | None) -> tuple[str, str]:
    """Tell architecture and weights apart and check that both exist."""
    known = open_clip.list_models()
    name = model.replace("/", "-")  # the papers write ViT-B/32
    if pretrained is None and name not in known and "/" in model:
        name, _, pretrained = model.rpartition("/")
        name = name.replace("/", "-")
    if name not in known:
        close = difflib.get_close_matches(name, known, n=6, cutoff=0.3)
        raise EncoderError(f"unknown model '{name}'; close to it: {', '.join(close) or 'none of ' + ', '.join(known)}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        raise EncoderError(
            f"model '{name}' needs weights: {name}/TAG with one of {', '.join(tags)}; or pretrained: the path of a "
            "checkpoint, or random (with a seed)"
        )
    path = Path(pretrained).expanduser()
    if pretrained == "random" or get_pretrained_cfg(name, pretrained):
        return name, pretrained
    if path.is_file():
        return name, str(path)
    close = difflib.get_close_matches(pretrained, tags, n=6, cutoff=0.3)
    raise EncoderError(
        f"'{pretrained}' is neither a file nor pretrained weights of '{name}'; close to it: {', '.join(close or tags)}"
    )


def _settings(name: str, pretrained: str) -> dict[str, Any]:
    """Settings of `open_clip.create_model` for a built-in architecture."""
    tag = get_pretrained_cfg(name, pretrained)
    if tag:
        # the tag knows with which activation it was trained; open_clip only warns when the name says another
        return {"pretrained": pretrained, "require_pretrained": True, "force_quick_gelu": bool(tag.get("quick_gelu"))}
    settings: dict[str, Any] = {"force_preprocess_cfg": _preprocessing_of_all_tags(name)}
    return settings if pretrained == "random" else settings | {"pretrained": pretrained, "require_pretrained": True}


def _preprocessing_of_all_tags(name: str) -> dict[str, Any]:
    """Preprocessing of a bare checkpoint file, which does not state it: what all published weights of the name share.

    open_clip would take OpenAI's mean, deviation and crop, which is wrong for SigLIP and MobileCLIP without a word.
    """
    default = asdict(PreprocessCfg())
    keys = ("mean", "std", "interpolation", "resize_mode")
    found = []
    for tag in open_clip.list_pretrained_tags_by_model(name):
        stated = get_pretrained_cfg(name, tag)
        settings = {key: stated.get(key) or default[key] for key in keys}
        if settings not in found:
            found.append(settings)
    if len(found) > 1:
        raise EncoderError(
            f"weights of '{name}' are published with different preprocessing {found}; give a local-dir:FOLDER whose "
            "open_clip_config.json states preprocess_cfg"
        )
    return found[0] if found else {key: default[key] for key in keys}


def _reparameterised(visual: nn.Module) -> nn.Module:
    """Fuse the parallel branches of MobileCLIP and its kin into one convolution each: the same function, faster."""
    if not any(hasattr(module, "reparameterize") for module in visual.modules()):
        return visual
    with torch.no_grad():
        return reparameterize_model(visual)


def _hash_weights(model: nn.Module) -> str:
    digest = sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
