import pytest
import torch

from robo_reward.errors import EncoderError
from robo_reward.perception.affordance_decoder import AffordanceDecoder, ResNetStages, affordance_loss


def two_colours(number: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of a red and a green square on grey, normalised, with the masks of the two."""
    random = torch.Generator().manual_seed(seed)
    pictures, masks = torch.zeros(number, 3, 64, 64), torch.zeros(number, 2, 64, 64, dtype=torch.bool)
    for index in range(number):
        down = torch.randint(0, 40, (2,), generator=random).tolist()
        right = [int(torch.randint(0, 8, (1,), generator=random)), int(torch.randint(34, 40, (1,), generator=random))]
        for colour in range(2):
            square = (slice(down[colour], down[colour] + 24), slice(right[colour], right[colour] + 24))
            pictures[index, :, *square] = torch.tensor([[2.0, -1, -1], [-1, 2.0, -1]])[colour][:, None, None]
            masks[index, colour][square] = True
    return pictures, masks


def overlap(logits, masks):
    told = torch.nn.functional.interpolate(logits, size=masks.shape[-2:], mode="bilinear") > 0
    return float((told & masks).sum() / (told | masks).sum())


@pytest.mark.slow
def test_it_learns_where_two_words_point_to(checkpoints):
    stages = ResNetStages(f"local-dir:{checkpoints['resnet']}", pretrained=None)
    words = torch.nn.functional.normalize(torch.randn(2, 48, generator=torch.Generator().manual_seed(0)), dim=-1)
    pictures, masks = two_colours(8, seed=0)
    maps, pooled = stages(pictures)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = AffordanceDecoder([each.shape[1] for each in maps], pooled_dim=48, text_dim=48, middle=32)
    optimiser = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    for _ in range(200):
        loss = affordance_loss(decoder(maps, pooled, words), masks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    decoder.eval()
    with torch.no_grad():
        assert overlap(decoder(maps, pooled, words), masks) > 0.9
        swapped = decoder(maps, pooled, words.flip(0))
        assert overlap(swapped.flip(1), masks) > 0.9  # the words decide, not their order
        unseen, truth = two_colours(4, seed=1)
        assert overlap(decoder(*stages(unseen), words), truth) > 0.7


def test_the_logits_are_those_of_each_text_at_the_finest_map(checkpoints):
    stages = ResNetStages(f"local-dir:{checkpoints['resnet']}", pretrained=None)
    maps, pooled = stages(two_colours(2, seed=0)[0])
    assert [tuple(each.shape[-2:]) for each in maps] == [(16, 16), (8, 8), (4, 4)]
    decoder = AffordanceDecoder([each.shape[1] for each in maps], pooled_dim=48, text_dim=48, middle=8)
    decoder.eval()
    text = torch.randn(3, 48)
    logits = decoder(maps, pooled, text)
    assert tuple(logits.shape) == (2, 3, 16, 16)
    assert torch.allclose(decoder(maps, pooled, 5 * text), logits, atol=1e-5)  # only directions count
    assert float(logits.detach().abs().max()) <= 10.01


def test_the_frozen_model_does_not_learn(checkpoints):
    stages = ResNetStages(f"local-dir:{checkpoints['resnet']}", pretrained=None)
    assert not any(each.requires_grad for each in stages.parameters())


def test_the_loss_of_good_logits_is_small_and_of_bad_ones_large():
    masks = torch.tensor([[[[True, False], [False, True]]]])
    good = torch.where(masks, 10.0, -10.0)
    assert float(affordance_loss(good, masks)) < 1e-3
    assert float(affordance_loss(-good, masks)) > 5


def test_what_cannot_be_is_refused(checkpoints):
    with pytest.raises(EncoderError, match="choose a ResNet of open_clip"):
        ResNetStages(f"local-dir:{checkpoints['vit']}", pretrained=None)
    with pytest.raises(ValueError, match="sizes must be >= 1 and at least one map"):
        AffordanceDecoder([8, 0], pooled_dim=4, text_dim=4)
