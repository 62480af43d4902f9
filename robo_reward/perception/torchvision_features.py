"""Feature maps of torchvision's classifiers, from a file of weights or a published tag."""

from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from robo_reward.errors import EncoderError
from robo_reward.perception.feature_map import FeatureMapEncoder
from robo_reward.perception.picture_transform import PictureTransform
from robo_reward.perception.tensor_digest import tensor_digest
from robo_reward.perception.torchvision_ops import declare_torchvision_ops

declare_torchvision_ops()  # torchvision needs the declarations first
from torchvision.models import get_model, get_weight, list_models  # noqa: E402
from torchvision.models.feature_extraction import create_feature_extractor  # noqa: E402

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def torchvision_features(
    model: str,
    *,
    weights: str,
    layer: str,
    weights_prefix: str,
    grid: int,
    image_size: int,
    device: str,
    batch_size: int | None,
) -> FeatureMapEncoder:
    """Give an encoder that looks through one layer of a torchvision classifier; the layers after it are cut off.

    Args:
        model: Name in torchvision, such as "squeezenet1_1" or "resnet18".
        weights: File with a state dict (.pth, .pt, .safetensors), or a tag that torchvision downloads, such as
            "SqueezeNet1_1_Weights.IMAGENET1K_V1".
        layer: Module whose output is the feature map, such as "features.7".
        weights_prefix: Put before each name in the file; "features." where it holds the trunk alone, else "".
        grid: Cells along each side that the map is averaged over.
        image_size: Height and width of a prepared picture [px]; both sides are made to fit, nothing is cropped.
        device: "cpu", "cuda", "cuda:1" …, or "auto".
        batch_size: Largest number of pictures in one forward pass; None = what suits the device.

    Raises:
        EncoderError: An unknown model, layer or tag, or weights that are missing, damaged or of another model.
    """
    network = _cut(model, layer)
    state = _state(weights, weights_prefix)
    missing = sorted(set(network.state_dict()) - set(state))
    if missing:
        raise EncoderError(
            f"weights {weights} lack {len(missing)} tensors of {model} up to {layer}, first '{missing[0]}'"
        )
    try:
        network.load_state_dict({name: state[name] for name in network.state_dict()})
    except RuntimeError as error:
        raise EncoderError(f"weights {weights} are of another model than {model}: {error}") from error
    transform = PictureTransform(
        size=image_size, resize_mode="squash", interpolation="bilinear", fill=0, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    return FeatureMapEncoder(
        _OneMap(network).eval().requires_grad_(False),
        weights=f"{model} {layer} {tensor_digest(network.state_dict())}",
        transform=transform,
        grid=grid,
        device=device,
        batch_size=batch_size,
    )


class _OneMap(nn.Module):
    """A network's output at one layer."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, pictures: Tensor) -> Tensor:
        return self.trunk(pictures)["map"]


def _cut(model: str, layer: str) -> nn.Module:
    if model not in list_models():
        raise EncoderError(f"torchvision has no model '{model}'; it has {', '.join(list_models())}")
    try:
        return create_feature_extractor(get_model(model, weights=None).eval(), {layer: "map"})
    except ValueError as error:
        raise EncoderError(f"'{layer}' is no layer of {model}: {error}") from error


def _state(weights: str, prefix: str) -> dict[str, Tensor]:
    path = Path(weights).expanduser()
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        elif path.suffix in (".pth", ".pt"):
            state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            state = get_weight(weights).get_state_dict(progress=True)
    except UnpicklingError as error:  # its message advises to trust the file
        raise EncoderError(
            f"weights '{weights}' cannot be loaded: the file is no state dict of plain tensors"
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise EncoderError(
            f"weights '{weights}' cannot be loaded: {error}; give a .pth, .pt or .safetensors file"
        ) from error
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}
