"""The encoder of the package is found beside it, or missed by name."""

import pytest
import torch

from robo_reward.errors import EncoderError
from robo_reward.perception import embedded_encoder as module
from robo_reward.perception.embedded_encoder import embedded_encoder

PLAIN = {"device": "cpu", "runtime": "torch", "precision": "float32", "batch_size": 4}


def test_it_is_loaded_from_its_folder(checkpoints, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", checkpoints["vit"])
    assert embedded_encoder(**PLAIN).encode_text(["a red block"]).shape == (1, 48)


def test_missing_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"incomplete: .* has no open_clip_model.safetensors$"):
        embedded_encoder(**PLAIN)


@pytest.mark.skipif(not (module.FOLDER / "open_clip_model.safetensors").is_file(), reason="weights are not there yet")
def test_the_weights_of_the_package_load():
    encoder = embedded_encoder(**PLAIN)
    assert encoder.encode_text(["the drawer is open"]).shape == (1, encoder.dim)


@pytest.mark.skipif(not (module.FOLDER / "open_clip_model.safetensors").is_file(), reason="weights are not there yet")
def test_a_picture_keeps_its_bits_in_any_batch():
    encoder = embedded_encoder(**PLAIN | {"batch_size": None})
    shape = (19, 3, encoder.image_size, encoder.image_size)
    pool = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([encoder.embed(picture[None]) for picture in pool])
    for count in (2, 3, 5, 8, 19):
        assert torch.equal(encoder.embed(pool[-count:]), alone[-count:])
