"""The encoder that other tests lean on keeps the promises of a real one."""

import torch
from fake_encoder import FakeEncoder

from robo_reward.perception.encoder import Encoder


def test_the_fake_encoder_is_an_encoder():
    assert isinstance(FakeEncoder(), Encoder)


def test_the_fake_encoder_gives_a_picture_the_same_bits_in_any_batch():
    encoder = FakeEncoder(dim=8)
    frames = torch.randint(0, 256, (37, 3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole = encoder.embed(encoder.prepare(frames))
    alone = torch.cat([encoder.embed(encoder.prepare(frame[None])) for frame in frames])
    assert torch.equal(whole, alone)
    assert torch.allclose(whole.norm(dim=-1), torch.ones(37))


def test_the_fake_encoder_matches_texts_to_colours():
    encoder = FakeEncoder()
    red, blue = (
        torch.tensor(c, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 20, 20) for c in ((255, 0, 0), (0, 0, 255))
    )
    pictures = encoder.embed(encoder.prepare(torch.cat([red, blue])))
    texts = encoder.encode_text(["a red square", "a blue square"])
    assert torch.equal((pictures @ texts.T).argmax(0), torch.tensor([0, 1]))
