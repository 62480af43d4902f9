"""An ONNX file, ready to run on the CPU."""

from pathlib import Path
from typing import final

import torch
from torch import Tensor


@final
class OnnxSession:
    """Runs a file with one input and one output on as many threads as torch uses.

    Args:
        path: The ONNX file.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime  # noqa: PLC0415  an optional extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors only
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.version = f"onnxruntime {onnxruntime.__version__}"

    def run(self, pictures: Tensor) -> Tensor:
        """Give the output for one batch."""
        return torch.from_numpy(self._session.run(None, {self._input: pictures.numpy()})[0])
