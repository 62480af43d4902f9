"""Encoders that keep where things are: a SqueezeNet of random weights, small open_clip towers, the embedded one."""

import pytest
import torch
from safetensors.torch import save_file

from robo_reward.errors import EncoderError
from robo_reward.perception.encoder import Encoder, ImageEncoder
from robo_reward.perception.feature_map import FeatureMapEncoder
from robo_reward.perception.open_clip_features import embedded_features, open_clip_features
from robo_reward.perception.torchvision_features import get_model, torchvision_features

LAYER = "features.3"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squeezenet")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        state = get_model("squeezenet1_1", weights=None).state_dict()
    torch.save(state, folder / "whole.pth")
    save_file(state, folder / "whole.safetensors")
    trunk = {name.removeprefix("features."): each for name, each in state.items() if name.startswith("features.")}
    torch.save(trunk, folder / "trunk.pth")
    torch.save({name: each for name, each in trunk.items() if not name.startswith("3.")}, folder / "lacking.pth")
    torch.save(
        {name: each[..., :1, :1] if each.ndim > 1 else each for name, each in state.items()}, folder / "other.pth"
    )
    torch.save({"features.0.weight": print}, folder / "code.pth")
    (folder / "damaged.pth").write_bytes(b"nothing")
    (folder / "damaged.safetensors").write_bytes(b"nothing")
    return folder


def squeezenet(file, **changes) -> FeatureMapEncoder:
    settings = {
        "weights": str(file),
        "layer": LAYER,
        "weights_prefix": "",
        "grid": 2,
        "image_size": 64,
        "device": "cpu",
        "batch_size": 4,
    }
    return torchvision_features("squeezenet1_1", **(settings | changes))


@pytest.fixture(scope="module")
def encoder(files) -> FeatureMapEncoder:
    return squeezenet(files / "whole.pth")


def pictures(number: int = 6, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (number, 3, 64, 64), dtype=torch.uint8, generator=generator)


def test_it_sees_pictures_and_reads_no_text(encoder):
    assert isinstance(encoder, ImageEncoder)
    assert not isinstance(encoder, Encoder)
    assert encoder.dim == 128 * 2 * 2
    found = encoder.embed(encoder.prepare(pictures()))
    assert found.shape == (6, encoder.dim)
    assert found.dtype == torch.float32
    assert encoder.embed(pictures(0)).shape == (0, encoder.dim)


def test_a_picture_has_the_same_bits_in_every_batch(encoder):
    seen = pictures(11)
    whole = encoder.embed(seen)
    for size in range(1, 6):
        assert torch.equal(torch.cat([encoder.embed(part) for part in seen.split(size)]), whole)


def test_one_cell_is_the_mean_of_the_cells(encoder, files):
    one = squeezenet(files / "whole.pth", grid=1)
    cells = encoder.embed(pictures()).unflatten(1, (128, 2, 2))
    side = encoder._map(pictures(1)).shape[-1]
    assert side % 2 == 1  # cells of an odd map overlap: compare with the map itself
    whole = torch.cat([one._map(each[None]) for each in pictures()]).mean(dim=(2, 3))
    assert torch.allclose(one.embed(pictures()), whole, atol=1e-5)
    assert torch.allclose(cells.mean(dim=(2, 3)), whole, atol=0.2 * float(whole.abs().max()))


def test_where_a_thing_is_shows_in_its_cell(encoder):
    empty = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    for row in range(2):
        for column in range(2):
            there = empty.clone()
            there[:, :, 32 * row + 10 : 32 * row + 22, 32 * column + 10 : 32 * column + 22] = 255
            change = (encoder.embed(there) - encoder.embed(empty)).unflatten(1, (128, 2, 2)).abs().sum(dim=1)[0]
            assert int(change.argmax()) == 2 * row + column


def test_whatever_file_holds_the_weights_they_are_the_same(encoder, files):
    for other in (
        squeezenet(files / "whole.safetensors"),
        squeezenet(files / "trunk.pth", weights_prefix="features."),
    ):
        assert other.version == encoder.version
        assert torch.equal(other.embed(pictures()), encoder.embed(pictures()))


def test_what_changes_an_embedding_changes_the_version(encoder, files):
    changes = [{"grid": 1}, {"image_size": 80}, {"layer": "features.4"}, {"batch_size": 8}]
    versions = {squeezenet(files / "whole.pth", **change).version for change in changes}
    assert len(versions | {encoder.version}) == 5
    state = torch.load(files / "whole.pth", weights_only=True)
    state["features.0.bias"] += 1e-3
    torch.save(state, files / "moved.pth")
    assert squeezenet(files / "moved.pth").version != encoder.version


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("lacking.pth", {"weights_prefix": "features."}, r"lack 6 tensors of squeezenet1_1 up to features.3, first 'f"),
        ("trunk.pth", {}, "lack 8 tensors of squeezenet1_1 up to features.3"),
        ("other.pth", {}, "are of another model than squeezenet1_1"),
        ("damaged.safetensors", {}, "damaged.safetensors' cannot be loaded"),
        ("damaged.pth", {}, "damaged.pth' cannot be loaded: the file is no state dict of plain tensors"),
        ("code.pth", {}, "code.pth' cannot be loaded: the file is no state dict of plain tensors"),
        ("nowhere.pth", {}, "nowhere.pth' cannot be loaded.*give a .pth, .pt or .safetensors file"),
        ("nowhere.safetensors", {}, "nowhere.safetensors' cannot be loaded"),
        ("whole.pth", {"layer": "features.99"}, "'features.99' is no layer of squeezenet1_1"),
    ],
)
def test_weights_and_layers_that_are_not_there_are_named(file, changes, message, files):
    with pytest.raises(EncoderError, match=message):
        squeezenet(files / file, **changes)


def test_models_tags_and_grids_that_are_not_there_are_named(files):
    settings = {"layer": LAYER, "weights_prefix": "", "grid": 2, "image_size": 64, "device": "cpu", "batch_size": 4}
    with pytest.raises(EncoderError, match="torchvision has no model 'squeeze'; it has .*squeezenet1_1"):
        torchvision_features("squeeze", weights=str(files / "whole.pth"), **settings)
    with pytest.raises(EncoderError, match="weights 'No_Weights.V1' cannot be loaded"):
        torchvision_features("squeezenet1_1", weights="No_Weights.V1", **settings)
    with pytest.raises(ValueError, match="the feature map has 15 cells along a side; grid must be 1 to 15, got 16"):
        squeezenet(files / "whole.pth", grid=16)
    with pytest.raises(ValueError, match="grid and batch_size must be at least 1, got 0 and 4"):
        squeezenet(files / "whole.pth", grid=0)


def test_pictures_that_were_not_prepared_are_refused(encoder):
    with pytest.raises(ValueError, match="pictures must be prepared to 64 px"):
        encoder.embed(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


@pytest.mark.parametrize(("kind", "channels", "side"), [("vit", 128, 4), ("resnet", 512, 2)])
def test_towers_of_open_clip_give_their_last_map(kind, channels, side, checkpoints):
    encoder = open_clip_features(
        f"local-dir:{checkpoints[kind]}", pretrained=None, grid=side, device="cpu", batch_size=4
    )
    assert encoder.dim == channels * side * side
    seen = pictures(5)
    whole = encoder.embed(encoder.prepare(seen))
    alone = torch.cat([encoder.embed(encoder.prepare(each[None])) for each in seen])
    assert torch.equal(whole, alone)


def test_patches_lie_where_they_are_in_the_picture(checkpoints):
    """Of a vision transformer without attention between patches, each token is a picture of its own patch."""
    encoder = open_clip_features(f"local-dir:{checkpoints['vit']}", pretrained=None, grid=4, device="cpu", batch_size=4)
    empty = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    there = empty.clone()
    there[:, :, 16:32, 48:64] = 255
    change = (encoder.embed(there) - encoder.embed(empty)).unflatten(1, (-1, 4, 4)).abs().sum(dim=1)[0]
    assert int(change.argmax()) == 1 * 4 + 3


def test_the_encoder_that_comes_with_the_package_has_a_map():
    encoder = embedded_features(grid=2, device="cpu", batch_size=1)
    assert isinstance(encoder, ImageEncoder)
    found = encoder.embed(encoder.prepare(pictures(2)))
    assert found.shape == (2, encoder.dim)
    assert not torch.equal(found[0], found[1])
