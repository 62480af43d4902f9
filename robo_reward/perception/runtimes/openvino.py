"""OpenVINO in float32 or bfloat16: the fastest on Intel and AMD processors that keeps bits across batches."""

from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.perception.device import require_bfloat16
from robo_reward.perception.runtimes.image_tower import powers_of_two_below
from robo_reward.perception.runtimes.onnx_export import exported_tower, require_package

_HINT = {"float32": "f32", "bfloat16": "bf16"}


@final
class OpenVino:
    """Runs the exported tower on the CPU; the bits did not depend on the batch size in any tower that was tried.

    Args:
        visual: The image tower, in float32.
        image_size: Height and width of a picture [px].
        precision: Of the matrix products; bfloat16 only where the processor has it.
        weights: Hash of the checkpoint; names the exported file in the cache folder.
        batch_size: Pictures in one call; None = 16.

    Raises:
        EncoderError: openvino or onnx is missing, the tower cannot be exported, the processor has no bfloat16.
    """

    min_cosine: ClassVar[float] = 0.9998  # of bfloat16; float32 reaches 0.999999

    def __init__(
        self,
        visual: nn.Module,
        *,
        image_size: int,
        precision: Literal["float32", "bfloat16"],
        weights: str,
        batch_size: int | None,
    ) -> None:
        require_package("onnx", extra="openvino")
        require_package("openvino", extra="openvino")
        if precision == "bfloat16":
            require_bfloat16(torch.device("cpu"))
        import openvino  # noqa: PLC0415  an optional extra

        self.batch_size = batch_size or 16
        core = openvino.Core()
        model = core.read_model(exported_tower(visual, image_size=image_size, weights=weights))
        settings = {
            "INFERENCE_PRECISION_HINT": _HINT[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        self._version = f"openvino {openvino.__version__} {precision}, exported by torch {torch.__version__}"

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return self._version

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """Sizes below `batch_size` that are worth trying."""
        return powers_of_two_below(self.batch_size)

    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Features before normalisation to unit length, on the CPU."""
        return torch.tensor(self._request.infer([pictures.numpy()])[0])  # a copy: the request reuses its memory
