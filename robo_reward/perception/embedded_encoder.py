"""The small encoder that comes with the package."""

from pathlib import Path

from robo_reward.errors import EncoderError
from robo_reward.perception.open_clip import OpenClipEncoder

FOLDER = Path(__file__).parent / "embedded"
"""Where its files lie, as open_clip's `local-dir:` wants them."""

_FILES = ("open_clip_config.json", "open_clip_model.safetensors")


def embedded_encoder(*, device: str, runtime: str, precision: str, batch_size: int | None) -> OpenClipEncoder:
    """Load the encoder that this project trained on scenes it rendered itself; needs no internet.

    Args:
        device: "cpu", "cuda", "cuda:1" …, or "auto".
        runtime: What runs the image tower: torch, torch_compile, onnx or openvino.
        precision: float32, bfloat16 or int8, as far as the runtime has it.
        batch_size: Largest number of pictures in one forward pass; None = what suits the device.

    Raises:
        EncoderError: Its files are missing or damaged, or the device, runtime or precision is not to be had.
    """
    return OpenClipEncoder(
        embedded_checkpoint(), device=device, runtime=runtime, precision=precision, batch_size=batch_size
    )


def embedded_checkpoint() -> str:
    """Give the encoder's name for open_clip.

    Raises:
        EncoderError: Its files are missing.
    """
    missing = [name for name in _FILES if not (FOLDER / name).is_file()]
    if missing:
        raise EncoderError(f"the embedded encoder is incomplete: {FOLDER} has no {', '.join(missing)}")
    return f"local-dir:{FOLDER}"
