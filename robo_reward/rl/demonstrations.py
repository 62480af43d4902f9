"""What an encoder made of the demonstrations of a task: what a policy's own episodes are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Demonstrations:
    """Embeddings of each demonstration, through the encoder that a policy's frames are seen through.

    Raises:
        ValueError: None, or one with another number of views than cameras.
    """

    embeddings: Sequence[Float32[Tensor, "_time view dim"]]
    """NaN where a camera gave no picture."""
    cameras: tuple[str, ...]
    """Names of the views."""

    def __post_init__(self) -> None:
        if not self.embeddings or any(each.shape[1] != len(self.cameras) for each in self.embeddings):
            shapes = [tuple(each.shape) for each in self.embeddings]
            raise ValueError(
                f"demonstrations must be (time, view={len(self.cameras)}, dim), at least one; got {shapes}"
            )
