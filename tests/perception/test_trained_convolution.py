import pytest
import torch
from safetensors.torch import save_file

from robo_reward.errors import EncoderError
from robo_reward.perception.encoder import Encoder, ImageEncoder
from robo_reward.perception.trained_convolution import DIM, SMALLEST, Convolution, trained_convolution

SIZE = 40


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("own") / "encoder.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(Convolution(SIZE).state_dict(), file)
    return file


def own(weights, *, image_size: int = SIZE, batch_size: int | None = 8):
    return trained_convolution(str(weights), image_size=image_size, device="cpu", batch_size=batch_size)


def pictures(number: int) -> torch.Tensor:
    return torch.randint(0, 256, (number, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_it_sees_pictures_and_reads_no_text(weights):
    encoder = own(weights)
    assert isinstance(encoder, ImageEncoder)
    assert not isinstance(encoder, Encoder)
    assert encoder.embed(encoder.prepare(pictures(3))).shape == (3, DIM)


def test_a_picture_gets_the_same_bits_alone_and_in_any_batch(weights):
    encoder = own(weights)
    prepared = encoder.prepare(pictures(11))
    together = encoder.embed(prepared)
    alone = torch.cat([encoder.embed(one[None]) for one in prepared])
    assert torch.equal(together, alone)


def test_the_version_is_that_of_the_weights_wherever_they_lie(weights, tmp_path):
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(weights.read_bytes())
    assert own(moved).version == own(weights).version
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        save_file(Convolution(SIZE).state_dict(), moved)
    assert own(moved).version != own(weights).version


def test_where_a_thing_is_changes_the_embedding(weights):
    encoder = own(weights)
    scenes = torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8)
    scenes[0, :, 4:12, 4:12] = scenes[1, :, 24:32, 24:32] = 255
    left, right = encoder.embed(scenes)
    assert (left - right).abs().max() > 0.05


def test_weights_that_are_none_missing_damaged_or_of_another_size_are_refused_by_name(weights, tmp_path):
    with pytest.raises(EncoderError, match="encoder=own has no weights: it is trained on demonstrations"):
        trained_convolution(None, image_size=SIZE, device="cpu", batch_size=None)
    with pytest.raises(EncoderError, match=r"nowhere.safetensors' are no encoder of 40 px"):
        own(tmp_path / "nowhere.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nothing")
    with pytest.raises(EncoderError, match="are no encoder of 40 px that was trained here"):
        own(damaged)
    with pytest.raises(EncoderError, match="are no encoder of 64 px that was trained here"):
        own(weights, image_size=64)
    with pytest.raises(ValueError, match=f"image_size must be at least {SMALLEST} px, got {SMALLEST - 1}"):
        own(weights, image_size=SMALLEST - 1)


def test_the_smallest_picture_leaves_something_to_look_at():
    assert Convolution(SMALLEST)(torch.zeros(1, 3, SMALLEST, SMALLEST)).shape == (1, DIM, 1, 1)
