"""What an encoder needs of a runtime."""

from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Float32
from torch import Tensor


@runtime_checkable
class ImageTower(Protocol):
    """Runs the image half of a checkpoint on one batch of normalised pictures.

    The encoder calls a tower with batches of `batch_size` pictures or of one of `smaller_batch_sizes`, never others.
    """

    min_cosine: ClassVar[float]
    """Smallest cosine to torch in float32 that the tests allow (random weights)."""

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        ...

    @property
    def batch_size(self) -> int:
        """Largest number of pictures in one call."""
        ...

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """Sizes below `batch_size` that are worth trying for a few pictures, ascending."""
        ...

    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Features before normalisation to unit length, on the pictures' device."""
        ...


def powers_of_two_below(batch_size: int) -> tuple[int, ...]:
    """Powers of two below the batch size.

    Example:
        >>> powers_of_two_below(16)
        (1, 2, 4, 8)
    """
    return tuple(2**exponent for exponent in range((batch_size - 1).bit_length()))
