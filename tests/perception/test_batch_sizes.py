"""Batch sizes that change bits are found, and are not used."""

import pytest
import torch

from robo_reward.errors import EncoderError
from robo_reward.perception.batch_sizes import in_batches, sizes_with_equal_bits

PICTURES = torch.arange(16, dtype=torch.float32)[:, None] + 1


def test_sizes_that_change_bits_are_left_out():
    def embed(batch):
        return batch * (1.0 if len(batch) >= 4 else 1.0000001)

    assert sizes_with_equal_bits(embed, PICTURES, smaller=(1, 2, 4, 8)) == (4, 8, 16)


def test_a_batch_whose_places_differ_is_refused():
    def embed(batch):
        return torch.where(torch.arange(len(batch))[:, None] == 11, batch * 1.0000001, batch)

    with pytest.raises(EncoderError, match="batch_size=16 on .* the place in a batch changes the bits"):
        sizes_with_equal_bits(embed, PICTURES, smaller=())


def test_a_batch_whose_neighbours_matter_is_refused():
    with pytest.raises(EncoderError, match="changes the bits"):
        sizes_with_equal_bits(lambda batch: batch * batch[0], PICTURES, smaller=())


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16, 17, 40])
def test_only_permitted_sizes_are_run_and_order_is_kept(count):
    seen = []

    def embed(batch):
        seen.append(len(batch))
        return batch * 2

    pictures = torch.arange(count, dtype=torch.float32)[:, None]
    assert torch.equal(torch.cat(in_batches(embed, pictures, sizes=(4, 8, 16))), pictures * 2)
    assert set(seen) <= {4, 8, 16}
    assert sum(seen) < count + 8
