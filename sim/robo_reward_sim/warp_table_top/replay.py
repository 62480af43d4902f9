"""The same kernels launched again and again as one recorded graph."""

# warp is not in the environment that types are checked in
# pyright: reportMissingImports=false

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, final

import torch
import warp as wp


@final
class Replay:
    """Runs launches whose arguments never change, on CUDA in the order of torch's work on the same device.

    The first call runs the launches one by one, which compiles what must be compiled; the second records them as a
    graph. Its launch costs microseconds where the hundreds of launches of a step cost milliseconds; on the CPU a step
    of four worlds takes 3 ms instead of 120. Not run on CUDA here.

    Args:
        launches: Launches kernels, and reads nothing back.
        device: Of the worlds.
    """

    def __init__(self, launches: Callable[[], None], *, device: Any) -> None:
        self._launches, self._device = launches, device
        self._graph: Any = None
        self._compiled = False

    def __call__(self) -> None:
        """Run the launches once."""
        if not self._compiled:
            with wp.ScopedDevice(self._device), self._torch_order():
                self._launches()
            self._compiled = True
            return
        if self._graph is None:
            # on warp's own stream: torch's default one cannot be recorded
            with wp.ScopedDevice(self._device), wp.ScopedCapture(device=self._device) as capture:
                self._launches()
            self._graph = capture.graph
        wp.capture_launch(self._graph, stream=self._torch_stream())

    def _torch_order(self) -> Any:
        stream = self._torch_stream()
        return nullcontext() if stream is None else wp.ScopedStream(stream)

    def _torch_stream(self) -> Any:
        """Give the stream that torch works on; the CPU has none, and does one thing after the other."""
        if not self._device.is_cuda:
            return None
        return wp.stream_from_torch(torch.cuda.current_stream(wp.device_to_torch(self._device)))
