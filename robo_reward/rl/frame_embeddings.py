"""What an encoder made of numbered frame sets, kept for as long as somebody may ask about their episodes."""

from collections.abc import Iterable

import torch
from jaxtyping import Float32, Int64
from numpy import ndarray
from torch import Tensor

from robo_reward.perception.encoder import EmbeddedClip


class FrameEmbeddings:
    """Keeps embeddings by the numbers of their frame sets until they are forgotten."""

    def __init__(self) -> None:
        self._kept: dict[int, Tensor] = {}
        self.cameras: tuple[str, ...] | None = None
        """Names of the views; None before the first frame set."""

    def note(self, numbers: Iterable[int], seen: EmbeddedClip) -> None:
        """Keep one frame set of each row.

        Args:
            numbers: One a row.
            seen: A clip of one frame set a row.
        """
        self.cameras = seen.cameras
        self._kept.update(zip(numbers, seen.embedding[:, -1].clone(), strict=True))

    def renew(self, numbers: Iterable[int], seen: EmbeddedClip) -> None:
        """Put what another encoder made of frame sets in the place of what is kept of them."""
        again = zip(numbers, seen.embedding[:, -1].clone(), strict=True)
        self._kept.update({number: embedding for number, embedding in again if number in self._kept})

    def of(self, numbers: Int64[ndarray, " frame"]) -> Float32[Tensor, "frame view dim"]:
        """Give the embeddings of these frame sets, NaN where a camera gave no picture.

        Raises:
            KeyError: A frame set that was not kept, or that was forgotten.
        """
        return torch.stack([self._kept[int(number)] for number in numbers])

    def forget_before(self, number: int) -> None:
        """Let go of earlier frame sets."""
        for earlier in [each for each in self._kept if each < number]:
            del self._kept[earlier]

    def __len__(self) -> int:
        """How many frame sets are kept."""
        return len(self._kept)
