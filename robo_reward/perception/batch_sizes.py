"""In which batch sizes a picture keeps its bits: found by trying, not by trust."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from robo_reward.errors import EncoderError


def sizes_with_equal_bits(
    embed: Callable[[Tensor], Tensor], pictures: Tensor, *, smaller: Sequence[int]
) -> tuple[int, ...]:
    """Try which batch sizes give the same bits as the full batch.

    Libraries choose the kernel of a matrix product, and with it the order of its sums, by shape, seldom by place, never
    by content. Another order shows in some of the many outputs of almost any picture, so that random pictures, one at
    every place, tell. The full batch is compared with itself moved on by one place.

    Args:
        embed: Runs one batch.
        pictures: A full batch of different pictures.
        smaller: Sizes below the full one to try.

    Returns:
        The sizes that may be used side by side, ascending, the full one last.

    Raises:
        EncoderError: The place in the full batch, or the neighbours there, change the bits.
    """
    full = len(pictures)
    embedding = embed(pictures)
    if not torch.equal(embed(pictures.roll(1, 0)), embedding.roll(1, 0)):
        raise EncoderError(
            f"with batch_size={full} on {torch.get_num_threads()} threads the place in a batch changes the bits of an "
            "embedding; choose a power of two from 4 on, or batch_size=1"
        )
    equal = [size for size in sorted(smaller) if torch.equal(embed(pictures[:size]), embedding[:size])]
    return (*equal, full)


def in_batches(embed: Callable[[Tensor], Tensor], pictures: Tensor, *, sizes: Sequence[int]) -> list[Tensor]:
    """Run any number of pictures in batches of the given sizes only; the last is filled up with black.

    Args:
        embed: Runs one batch.
        pictures: At least one.
        sizes: Ascending, as `sizes_with_equal_bits` gives them.
    """
    parts = []
    for part in pictures.split(sizes[-1]):
        size = next(size for size in sizes if size >= len(part))
        filled = part if len(part) == size else torch.cat([part, part.new_zeros(size - len(part), *part.shape[1:])])
        parts.append(embed(filled)[: len(part)])
    return parts
