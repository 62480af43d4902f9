"""Lets torchvision be imported beside a CPU build of torch."""

import importlib.util
from functools import cache
from pathlib import Path

import torch

# The two operators whose fakes torchvision registers at import without looking whether the operators exist.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


@cache
def declare_torchvision_ops() -> torch.library.Library | None:
    """Declare the operators that torchvision's compiled half cannot give; call before torchvision is first imported.

    torchvision from PyPI is linked against the CUDA libraries of torch. Beside a CPU build of torch its shared library
    does not load, which torchvision ignores, and its import then fails with `operator torchvision::nms does not exist`.
    Where the library loads (any GPU build, or a CPU build of torchvision) nothing is declared. Where it does not, the
    bare schemas are declared: torchvision imports, and calling one of its operators raises `RuntimeError`.

    Returns:
        The declarations, which live as long as this object (the cache holds it); None where none was needed.
    """
    if _compiled_half_loads():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    return library


def _compiled_half_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")  # finds the folder without importing it
    if spec is None or spec.origin is None:
        return True  # not installed: its import says so better than we could
    for path in sorted(Path(spec.origin).parent.glob("_C*")):
        try:
            torch.ops.load_library(path)
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")
