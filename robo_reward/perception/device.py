"""Which device and which arithmetic this machine really has."""

import torch

from robo_reward.errors import EncoderError


def resolve_device(device: str) -> torch.device:
    """Turn a device's name into a device that exists.

    Args:
        device: "cpu", "cuda", "cuda:1" …, or "auto": CUDA where there is a CUDA device, else the CPU.

    Raises:
        EncoderError: An unknown name, or a device that this machine or this build of torch does not have.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (kind == "cpu" and index) or (index and not index.isdecimal()):
        raise EncoderError(f"unknown device '{device}'; allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    if kind == "cuda" and not torch.cuda.is_available():
        raise EncoderError(f"device '{device}' is not to be had: torch {torch.__version__} sees no CUDA device")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise EncoderError(f"device '{device}' is not to be had: there are {torch.cuda.device_count()} CUDA devices")
    return torch.device(device)


def require_bfloat16(device: torch.device) -> None:
    """Raise unless the device multiplies bfloat16 in hardware.

    Raises:
        EncoderError: It does not; torch would then compute in bfloat16 slower than in float32.
    """
    if device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            raise EncoderError(
                f"precision bfloat16 needs a CUDA device with bfloat16 (Ampere or later), not '{device}'"
            )
    elif not _processor_has_bfloat16():
        raise EncoderError("precision bfloat16 needs a processor with avx512_bf16 or AMX; choose precision=float32")


def _processor_has_bfloat16() -> bool:
    # private in torch, but the same since 2.6; torch.cpu.get_capabilities is younger
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
