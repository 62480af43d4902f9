"""A small convolutional encoder of one task's own, trained on its demonstrations from nothing by `robo-reward fit`."""

from pathlib import Path
from typing import final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from robo_reward.errors import EncoderError
from robo_reward.perception.feature_map import FeatureMapEncoder
from robo_reward.perception.picture_transform import PictureTransform
from robo_reward.perception.tensor_digest import tensor_digest

DIM = 128
"""Length of an embedding."""
SMALLEST = 36
"""Height and width of a picture of which the convolutions leave anything [px]."""


def own_transform(image_size: int) -> PictureTransform:
    """Give how the network wants its pictures: whole, square, in [−1, 1].

    Raises:
        ValueError: A size below 36 px, of which nothing would be left.
    """
    if image_size < SMALLEST:
        raise ValueError(f"image_size must be at least {SMALLEST} px, got {image_size}")
    half = (0.5, 0.5, 0.5)
    return PictureTransform(
        size=image_size, resize_mode="squash", interpolation="bilinear", fill=0, mean=half, std=half
    )


@final
class Convolution(nn.Module):
    """Four convolutions and a layer over all places: small things and where they are, in 0.5 million weights.

    Source:
        The convolutions of Mnih et al. 2015 (Human-level control), with one more; layer normalisation as in DrQ-v2
        (2107.09645).
    """

    def __init__(self, image_size: int) -> None:
        super().__init__()
        side = (((image_size - 5) // 2 + 1 - 3) // 2 + 1 - 3) // 2 + 1 - 2
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * side * side, DIM),
            nn.LayerNorm(DIM),
            nn.ReLU(),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Give (batch, DIM, 1, 1) of normalised pictures."""
        return self.layers(pictures)[:, :, None, None]


def trained_convolution(
    weights: str | None, *, image_size: int, device: str, batch_size: int | None
) -> FeatureMapEncoder:
    """Give the encoder that `robo-reward fit encoder=own` has trained.

    Args:
        weights: Its .safetensors file.
        image_size: Height and width of a prepared picture [px], as it was trained; nothing is cropped.
        device: "cpu", "cuda", "cuda:1" …, or "auto".
        batch_size: Largest number of pictures in one forward pass; None = what suits the device.

    Raises:
        EncoderError: No weights, or a file that is missing, damaged or of another image size.
        ValueError: An image size below 36 px.
    """
    transform = own_transform(image_size)
    if weights is None:
        raise EncoderError(
            "encoder=own has no weights: it is trained on demonstrations by `robo-reward fit` and `robo-reward train`; "
            "use what they have fitted (reward_model=FOLDER), or give encoder.weights=FILE.safetensors"
        )
    try:
        state = load_file(Path(weights).expanduser())
        network = Convolution(image_size)
        network.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise EncoderError(
            f"weights '{weights}' are no encoder of {image_size} px that was trained here: {error}"
        ) from error
    return FeatureMapEncoder(
        network.eval().requires_grad_(False),
        weights=f"own {image_size} {tensor_digest(state)}",
        transform=transform,
        grid=1,
        device=device,
        batch_size=batch_size,
    )
