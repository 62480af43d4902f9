import pytest
import torch
from torch.nn import functional

from robo_reward.errors import EncoderError
from robo_reward.perception.dense_features import DenseFeatures, _attends_to_itself, _ResNetPatches
from robo_reward.perception.embedded_encoder import embedded_checkpoint
from robo_reward.perception.open_clip_checkpoint import load_checkpoint


def dense(folder, *, side=None) -> DenseFeatures:
    return DenseFeatures(f"local-dir:{folder}", pretrained=None, side=side, device="cpu")


def picture(height=90, width=120) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize(
    ("kind", "side", "cells"), [("vit", None, (4, 4)), ("resnet", None, (2, 3)), ("resnet", 128, (4, 5))]
)
def test_every_patch_has_a_unit_vector_in_the_space_of_texts(kind, side, cells, checkpoints):
    of = dense(checkpoints[kind], side=side)
    found = of.features(picture())
    assert tuple(found.shape[:2]) == cells
    assert found.shape[2] == of.text(["a cup"]).shape[1]
    assert torch.allclose(found.norm(dim=-1), torch.ones(cells), atol=1e-5)
    assert torch.equal(found, of.features(picture()))


def test_with_even_attention_a_residual_network_s_pooled_vector_is_the_mean_of_its_patches(checkpoints):
    visual = load_checkpoint(f"local-dir:{checkpoints['resnet']}", pretrained=None, seed=None).visual.visual
    with torch.no_grad():
        visual.attnpool.q_proj.weight.zero_()
        visual.attnpool.q_proj.bias.zero_()
        visual.attnpool.positional_embedding.zero_()
        pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        pooled, patches = visual(pictures), _ResNetPatches(visual)(pictures)
    assert torch.allclose(patches.mean(dim=(1, 2)), pooled, atol=1e-5)


def test_alone_a_token_of_a_transformer_attends_to_itself(checkpoints):
    visual = load_checkpoint(f"local-dir:{checkpoints['vit']}", pretrained=None, seed=None).visual.visual
    block = visual.transformer.resblocks[-1].eval()
    tokens = torch.randn(5, 1, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(_attends_to_itself(block, tokens), block(tokens), atol=1e-5)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_where_a_picture_changes_the_patches_there_change_most(kind, checkpoints):
    of = dense(checkpoints[kind], side=128 if kind == "resnet" else None)
    before = torch.full((3, 64, 64), 100, dtype=torch.uint8)
    after = before.clone()
    after[:, 48:, 48:] = picture(16, 16)
    change = 1 - (of.features(before) * of.features(after)).sum(dim=-1)
    assert int(change.argmax()) == change.numel() - 1


def test_nothing_of_a_wide_picture_is_cropped(checkpoints):
    of = dense(checkpoints["vit"])
    before = torch.full((3, 64, 256), 100, dtype=torch.uint8)
    after = before.clone()
    after[:, :, :32] = picture(64, 32)
    change = 1 - (of.features(before) * of.features(after)).sum(dim=-1)
    assert int(change.sum(dim=0).argmax()) == 0


def test_the_encoder_that_comes_with_the_package_has_patches():
    of = DenseFeatures(embedded_checkpoint(), pretrained=None, side=256, device="cpu")
    assert tuple(of.features(picture(96, 128)).shape) == (8, 11, 128)
    assert functional.normalize(of.text(["a door"]), dim=-1).shape == (1, 128)


def test_versions_tell_weights_and_sizes_apart(checkpoints):
    versions = {dense(checkpoints["vit"]).version, dense(checkpoints["resnet"]).version}
    assert len(versions | {dense(checkpoints["resnet"], side=128).version}) == 3


def test_what_cannot_be_is_refused(checkpoints):
    with pytest.raises(ValueError, match="is a transformer for 64 px pictures; side must be null, got 128"):
        dense(checkpoints["vit"], side=128)
    with pytest.raises(ValueError, match="side must be at least 32 px, got 8"):
        dense(checkpoints["resnet"], side=8)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        dense(checkpoints["vit"].parent / "nowhere")
