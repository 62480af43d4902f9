"""An open_clip model is an encoder: its own tokeniser and preprocessing, unit vectors, the same bits in any batch."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from robo_reward.errors import EncoderError
from robo_reward.perception.encoder import Encoder
from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward.perception.open_clip_checkpoint import load_checkpoint, open_clip

PLAIN = {"device": "cpu", "runtime": "torch", "precision": "float32", "batch_size": None}


@pytest.fixture(scope="module")
def encoder(checkpoints) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN)


@pytest.fixture(scope="module")
def reference(checkpoints):
    """The same checkpoint as open_clip itself loads it."""
    name = f"local-dir:{checkpoints['vit']}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    return model.eval(), preprocess, open_clip.get_tokenizer(name)


def pictures(count: int, size: int = 64, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def test_it_is_an_encoder(encoder):
    assert isinstance(encoder, Encoder)
    assert (encoder.dim, encoder.image_size, encoder.device) == (48, 64, torch.device("cpu"))


def test_embeddings_equal_those_of_open_clip(encoder, reference):
    from torchvision.transforms.functional import to_pil_image

    model, preprocess, _ = reference
    frames = torch.randint(0, 256, (3, 3, 90, 120), dtype=torch.uint8)
    with torch.no_grad():
        expected = model.encode_image(torch.stack([preprocess(to_pil_image(f)) for f in frames]), normalize=True)
    cosine = (encoder.embed(encoder.prepare(frames)) * expected).sum(-1)
    assert float(cosine.min()) > 0.9999


def test_texts_are_read_with_the_checkpoint_own_tokeniser(encoder, reference):
    model, _, tokeniser = reference
    text = ["the drawer is open", "a closed drawer"]
    with torch.no_grad():
        expected = model.encode_text(tokeniser(text), normalize=True)
    assert torch.allclose(encoder.encode_text(text), expected, atol=1e-6)


def test_the_temperature_is_the_checkpoint_own(encoder, reference):
    assert encoder.logit_scale == pytest.approx(reference[0].logit_scale.exp().item())


def test_embeddings_have_unit_norm(encoder):
    for embedding in (encoder.embed(pictures(5)), encoder.encode_text(["red", "blue"])):
        assert embedding.dtype == torch.float32
        assert torch.allclose(embedding.norm(dim=-1), torch.ones(len(embedding)), atol=1e-6)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_picture_keeps_its_bits_in_any_batch(checkpoints, kind, data):
    encoder = CACHE.get(kind) or CACHE.setdefault(kind, OpenClipEncoder(f"local-dir:{checkpoints[kind]}", **PLAIN))
    pool = pictures(40)
    alone = REFERENCE.get(kind)
    if alone is None:
        alone = REFERENCE[kind] = torch.cat([encoder.embed(picture[None]) for picture in pool])
    rows = torch.tensor(data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=40)))
    assert torch.equal(encoder.embed(pool[rows]), alone[rows])


CACHE: dict[str, OpenClipEncoder] = {}
REFERENCE: dict[str, torch.Tensor] = {}


@pytest.mark.parametrize("batch_size", [1, 4, 8, 32])
def test_a_picture_keeps_its_bits_with_any_permitted_batch_size(checkpoints, batch_size):
    encoder = OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN | {"batch_size": batch_size})
    pool = pictures(37)
    assert torch.equal(encoder.embed(pool), torch.cat([encoder.embed(picture[None]) for picture in pool]))


def test_a_text_keeps_its_bits_beside_any_other(encoder):
    text = ["the drawer is open", "a closed drawer", "a robot"]
    assert torch.equal(encoder.encode_text(text), torch.cat([encoder.encode_text([one]) for one in text]))


def test_no_pictures_give_no_embeddings(encoder):
    assert encoder.embed(torch.empty(0, 3, 64, 64, dtype=torch.uint8)).shape == (0, 48)


def test_nothing_carries_a_gradient(encoder):
    assert not encoder.embed(pictures(2)).requires_grad
    assert not encoder.encode_text(["a drawer"]).requires_grad


def test_pictures_that_were_not_prepared_are_refused(encoder):
    with pytest.raises(ValueError, match="prepared to 64 px"):
        encoder.embed(pictures(1, size=32))


@pytest.mark.parametrize("text", [[], [""], ["a drawer", "  "]])
def test_an_empty_text_is_refused(encoder, text):
    with pytest.raises(ValueError, match=r"must not be empty|at least one"):
        encoder.encode_text(text)


def test_one_string_is_not_a_sequence_of_texts(encoder):
    with pytest.raises(TypeError, match="sequence of strings"):
        encoder.encode_text("a drawer")


def test_a_text_longer_than_the_checkpoint_reads_is_refused(encoder):
    assert encoder.encode_text(["word " * 14]).shape == (1, 48)  # 14 words, a beginning and an end: 16 tokens
    with pytest.raises(ValueError, match="more tokens than the 16"):
        encoder.encode_text(["word " * 15])


def test_the_version_is_the_same_for_the_same_encoder(encoder, checkpoints):
    assert OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN).version == encoder.version


@pytest.mark.parametrize("change", [{"batch_size": 16}, {"runtime": "onnx"}, {"precision": "bfloat16"}])
def test_the_version_changes_with_how_it_computes(encoder, checkpoints, change, exports, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(exports))
    skip_without_bfloat16(change.get("precision", "float32"))
    assert OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN | change).version != encoder.version


def test_the_version_changes_with_a_single_weight(encoder, checkpoints, tmp_path):
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (tmp_path / name).write_bytes((checkpoints["vit"] / name).read_bytes())
    weights = load_file(tmp_path / "open_clip_model.safetensors")
    weights["visual.proj"][0, 0] += 1e-3
    save_file(weights, tmp_path / "open_clip_model.safetensors")
    assert OpenClipEncoder(f"local-dir:{tmp_path}", **PLAIN).version != encoder.version


def test_the_version_changes_with_the_preprocessing(encoder, checkpoints, tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(
        (checkpoints["vit"] / "open_clip_model.safetensors").read_bytes()
    )
    config = (checkpoints["vit"] / "open_clip_config.json").read_text()
    (tmp_path / "open_clip_config.json").write_text(config.replace("bilinear", "bicubic"))
    assert OpenClipEncoder(f"local-dir:{tmp_path}", **PLAIN).version != encoder.version


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-33/openai", None, r"unknown model 'ViT-B-33'; close to it: .*ViT-B-32"),
        ("ViT-B-32/laion2b_s34b", None, r"neither a file nor .*'ViT-B-32'; close to it: .*laion2b_s34b_b79k"),
        ("ViT-B-32", "/no/such/file.pt", "'/no/such/file.pt' is neither a file nor"),
        ("ViT-B-32", None, r"needs weights: ViT-B-32/TAG with one of .*laion2b_s34b_b79k"),
        ("local-dir:/no/such/folder", None, "folder not found|cannot be loaded"),
        ("local-dir:/no/such/folder", "openai", "pretrained must be null"),
        ("ViT-L-14", "LOCAL", "published with different preprocessing"),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_known(model, pretrained, message, tmp_path):
    if pretrained == "LOCAL":
        pretrained = str(tmp_path / "weights.pt")
        (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(EncoderError, match=message):
        OpenClipEncoder(model, pretrained=pretrained, **PLAIN)


def test_weights_that_cannot_be_downloaded_are_an_error_with_advice(tmp_path, offline):
    with pytest.raises(EncoderError, match=r"cannot be loaded: .*encoder=embedded"):
        OpenClipEncoder("ViT-B-32/laion2b_s34b_b79k", **PLAIN)
    with pytest.raises(EncoderError, match=r"cannot be loaded: .*encoder=embedded"):
        OpenClipEncoder("hf-hub:nobody/nothing", **PLAIN)


@pytest.fixture
def offline(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # HF_HUB_OFFLINE=1, which is read at import
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def test_a_folder_without_weights_never_becomes_a_random_model(checkpoints, tmp_path):
    (tmp_path / "open_clip_config.json").write_bytes((checkpoints["vit"] / "open_clip_config.json").read_bytes())
    with pytest.raises(EncoderError, match="could not be loaded"):
        OpenClipEncoder(f"local-dir:{tmp_path}", **PLAIN)


@pytest.mark.parametrize("damage", [b"", b"not a safetensors file at all", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_weights_are_an_error(checkpoints, tmp_path, damage):
    (tmp_path / "open_clip_config.json").write_bytes((checkpoints["vit"] / "open_clip_config.json").read_bytes())
    (tmp_path / "open_clip_model.safetensors").write_bytes(damage)
    with pytest.raises(EncoderError, match=re.escape(str(tmp_path))):
        OpenClipEncoder(f"local-dir:{tmp_path}", **PLAIN)


def test_weights_of_another_model_are_an_error(checkpoints, tmp_path):
    (tmp_path / "open_clip_config.json").write_bytes((checkpoints["vit"] / "open_clip_config.json").read_bytes())
    other = (checkpoints["resnet"] / "open_clip_model.safetensors").read_bytes()
    (tmp_path / "open_clip_model.safetensors").write_bytes(other)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        OpenClipEncoder(f"local-dir:{tmp_path}", **PLAIN)


@pytest.mark.parametrize(("pretrained", "seed"), [("random", None), (None, 3)])
def test_random_weights_and_a_seed_go_together(pretrained, seed):
    with pytest.raises(ValueError, match="seed goes with pretrained='random'"):
        OpenClipEncoder("ViT-S-32-alt", pretrained=pretrained, seed=seed, **PLAIN)


def test_a_batch_size_below_one_is_refused(checkpoints):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN | {"batch_size": 0})


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "unknown device 'gpu'"), ("cuda:9", "not to be had"), ("cpu:1", "unknown device"), ("mps", "unknown")],
)
def test_a_device_that_is_not_there_is_refused(checkpoints, device, message):
    with pytest.raises(EncoderError, match=message):
        OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN | {"device": device})


def test_the_automatic_device_can_be_read(checkpoints):
    encoder = OpenClipEncoder(f"local-dir:{checkpoints['vit']}", **PLAIN | {"device": "auto"})
    assert encoder.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_bare_checkpoint_of_siglip_is_not_given_the_preprocessing_of_openai(monkeypatch):
    from robo_reward.perception.open_clip_checkpoint import _preprocessing_of_all_tags

    siglip = _preprocessing_of_all_tags("ViT-B-16-SigLIP")
    assert (siglip["mean"], siglip["resize_mode"]) == ((0.5, 0.5, 0.5), "squash")
    assert _preprocessing_of_all_tags("MobileCLIP2-S0")["std"] == (1.0, 1.0, 1.0)


def test_weights_trained_with_quick_gelu_get_it():
    from robo_reward.perception.open_clip_checkpoint import _settings

    assert _settings("ViT-B-32", "openai")["force_quick_gelu"] is True
    assert _settings("ViT-B-32", "laion2b_s34b_b79k")["force_quick_gelu"] is False


@pytest.mark.slow
def test_random_weights_are_told_by_their_seed_and_reload_from_a_file(tmp_path):
    first, again, other = (load_checkpoint("ViT-B-32", pretrained="random", seed=seed) for seed in (0, 0, 1))
    assert first.weights == again.weights != other.weights
    model = open_clip.create_model("ViT-B-32", pretrained=None)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    hashes = {
        load_checkpoint("ViT-B-32", pretrained=str(tmp_path / name), seed=None).weights
        for name in ("weights.pt", "weights.safetensors")
    }
    assert len(hashes) == 1


@pytest.mark.slow
def test_vit_b_32_keeps_its_bits_in_any_batch():
    encoder = OpenClipEncoder("ViT-B-32", pretrained="random", seed=0, **PLAIN)
    pool = pictures(11, size=224)
    alone = torch.cat([encoder.embed(picture[None]) for picture in pool])
    for count in (2, 3, 5, 8, 11):
        assert torch.equal(encoder.embed(pool[:count]), alone[:count])


@pytest.mark.slow
def test_fused_branches_of_mobileclip_give_the_same_embedding():
    checkpoint = load_checkpoint("MobileCLIP2-S0", pretrained="random", seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model("MobileCLIP2-S0", pretrained=None).eval()
    batch = checkpoint.transform.normalise(pictures(2, size=checkpoint.transform.size))
    with torch.no_grad():
        cosine = torch.nn.functional.cosine_similarity(checkpoint.visual(batch), model.visual(batch))
    assert float(cosine.min()) > 0.99999


def skip_without_bfloat16(precision: str) -> None:
    if precision == "bfloat16" and not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("this processor has no bfloat16")
