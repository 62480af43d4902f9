"""The encoder of the package is found beside it, or missed by name."""

import pytest

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
