"""What identifies learnt weights: a hash of their names, shapes and bits."""

import hashlib
from collections.abc import Mapping

from torch import Tensor


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """Give a hash that is equal for equal tensors under equal names only, whatever their order.

    Example:
        >>> import torch
        >>> tensor_digest({"a": torch.zeros(2)}) == tensor_digest({"a": torch.zeros(2, 1)})
        False
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}:".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
