"""Every runtime stays within its stated difference from torch in float32, and says where it cannot run."""

import subprocess
import sys

import pytest
import torch

from robo_reward.errors import EncoderError
from robo_reward.perception import device as device_module
from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward.perception.open_clip_checkpoint import load_checkpoint
from robo_reward.perception.runtimes import onnx_export
from robo_reward.perception.runtimes.choices import RUNTIMES, TowerSource, image_tower
from robo_reward.perception.runtimes.image_tower import ImageTower

CPU = torch.device("cpu")
ON_CPU = [choice for choice in RUNTIMES if choice[0] != "torch_compile"]
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}


@pytest.fixture(autouse=True)
def _exports(exports, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(exports))


def needs(runtime: str, precision: str) -> None:
    if runtime in PACKAGES:
        pytest.importorskip(PACKAGES[runtime])
    if precision == "bfloat16" and not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("this processor has no bfloat16")


def build(folder, runtime: str, precision: str, **change) -> OpenClipEncoder:
    settings = {"device": "cpu", "runtime": runtime, "precision": precision, "batch_size": None} | change
    return OpenClipEncoder(f"local-dir:{folder}", **settings)


BUILT: dict[tuple, OpenClipEncoder] = {}


def built(folder, runtime: str, precision: str) -> OpenClipEncoder:
    """Build each encoder once."""
    key = (folder, runtime, precision)
    return BUILT.get(key) or BUILT.setdefault(key, build(*key))


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@pytest.mark.parametrize(("runtime", "precision"), ON_CPU)
def test_a_runtime_stays_within_its_stated_difference(checkpoints, kind, runtime, precision):
    needs(runtime, precision)
    encoder = built(checkpoints[kind], runtime, precision)
    reference = built(checkpoints[kind], "torch", "float32")
    cosine = (encoder.embed(pictures(24)).double() * reference.embed(pictures(24)).double()).sum(-1)
    bound = 0.999999 if precision == "float32" else encoder._tower.min_cosine
    assert float(cosine.min()) >= bound


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@pytest.mark.parametrize(("runtime", "precision"), ON_CPU)
def test_a_runtime_gives_a_picture_the_same_bits_in_any_batch(checkpoints, kind, runtime, precision):
    needs(runtime, precision)
    encoder = built(checkpoints[kind], runtime, precision)
    pool = pictures(33)
    alone = torch.cat([encoder.embed(picture[None]) for picture in pool])
    for count in (2, 3, 5, 8, 16, 33):
        rows = torch.randperm(33, generator=torch.Generator().manual_seed(count))[:count]
        assert torch.equal(encoder.embed(pool[rows]), alone[rows])


@pytest.mark.parametrize(("runtime", "precision"), ON_CPU)
def test_texts_do_not_depend_on_the_runtime(checkpoints, runtime, precision):
    needs(runtime, precision)
    text = ["the drawer is open"]
    expected = built(checkpoints["vit"], "torch", "float32").encode_text(text)
    assert torch.equal(built(checkpoints["vit"], runtime, precision).encode_text(text), expected)


def test_a_runtime_is_an_image_tower(checkpoints):
    checkpoint = load_checkpoint(f"local-dir:{checkpoints['vit']}", pretrained=None, seed=None)
    source = TowerSource(visual=checkpoint.visual, image_size=64, weights=checkpoint.weights)
    tower = image_tower(source, CPU, runtime="torch", precision="float32", batch_size=None)
    assert isinstance(tower, ImageTower)
    assert (tower.batch_size, tower.smaller_batch_sizes) == (8, (1, 2, 4))


def test_the_default_batch_size_suits_the_runtime(checkpoints):
    assert build(checkpoints["vit"], "torch", "float32").batch_sizes[-1] == 8
    needs("onnx", "int8")
    assert build(checkpoints["vit"], "onnx", "int8").batch_sizes == (1,)


def test_the_number_of_threads_is_part_of_the_version_where_it_changes_bits(checkpoints):
    before = torch.get_num_threads()
    try:
        versions = {}
        for threads in (1, 2):
            torch.set_num_threads(threads)
            versions[threads] = build(checkpoints["resnet"], "torch", "float32").version
    finally:
        torch.set_num_threads(before)
    assert versions[1] != versions[2]


@pytest.mark.parametrize("choice", [("torch", "float16"), ("tensorrt", "float32"), ("onnx", "bfloat16")])
def test_an_unknown_runtime_is_refused_with_those_that_exist(checkpoints, choice):
    with pytest.raises(EncoderError, match=rf"'{choice[0]}/{choice[1]}'; allowed: torch/float32, .*openvino/bfloat16"):
        build(checkpoints["vit"], *choice)


def test_bfloat16_is_refused_where_the_processor_lacks_it(checkpoints, monkeypatch):
    monkeypatch.setattr(device_module, "_processor_has_bfloat16", lambda: False)
    for runtime in ("torch", "openvino"):
        needs(runtime, "float32")
        with pytest.raises(EncoderError, match="needs a processor with avx512_bf16 or AMX"):
            build(checkpoints["vit"], runtime, "bfloat16")


def test_int8_is_refused_in_batches(checkpoints):
    with pytest.raises(EncoderError, match="batch_size must be 1, got 8"):
        build(checkpoints["vit"], "onnx", "int8", batch_size=8)


def test_compiling_is_refused_on_the_processor(checkpoints):
    with pytest.raises(EncoderError, match="torch_compile is for CUDA"):
        build(checkpoints["vit"], "torch_compile", "bfloat16")


@pytest.mark.parametrize(("runtime", "extra"), [("onnx", "onnx"), ("openvino", "openvino")])
def test_a_missing_package_is_an_error_that_names_the_extra(checkpoints, monkeypatch, runtime, extra):
    monkeypatch.setattr(onnx_export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=rf"pip install 'robo-reward\[{extra}\]'"):
        build(checkpoints["vit"], runtime, "float32")


def test_a_runtime_of_the_processor_is_refused_on_cuda():
    source = TowerSource(visual=torch.nn.Identity(), image_size=8, weights="0")  # pyright: ignore[reportArgumentType]
    for runtime in ("onnx", "openvino"):
        with pytest.raises(EncoderError, match=f"runtime {runtime} runs on the CPU here, not on 'cuda'"):
            image_tower(source, torch.device("cuda"), runtime=runtime, precision="float32", batch_size=None)


def test_a_tower_is_exported_once(checkpoints, exports):
    needs("onnx", "float32")
    build(checkpoints["vit"], "onnx", "float32")
    before = {path: path.stat().st_mtime_ns for path in (exports / "robo_reward" / "towers").iterdir()}
    build(checkpoints["vit"], "onnx", "float32")
    after = {path: path.stat().st_mtime_ns for path in (exports / "robo_reward" / "towers").iterdir()}
    assert before == after
    assert all(path.suffix == ".onnx" for path in after)


def test_an_export_that_fails_leaves_nothing(tmp_path):
    def fail(path):
        path.write_bytes(b"half")
        raise RuntimeError("no such operator")

    with pytest.raises(RuntimeError, match="no such operator"):
        onnx_export.write_once(tmp_path / "towers" / "a.onnx", fail)
    assert list((tmp_path / "towers").iterdir()) == []


COMPILED = """
import sys, torch
from robo_reward.perception.open_clip_checkpoint import load_checkpoint
from robo_reward.perception.runtimes.torch_compiled import TorchCompiled
checkpoint = load_checkpoint(sys.argv[1], pretrained=None, seed=None)
pictures = torch.randn(4, 3, 64, 64)
with torch.no_grad():
    expected = checkpoint.visual(pictures)
tower = TorchCompiled(checkpoint.visual, torch.device("cpu"), batch_size=4)
print(float(torch.nn.functional.cosine_similarity(tower(pictures), expected).min()) >= TorchCompiled.min_cosine)
"""


@pytest.mark.slow
def test_the_compiled_tower_stays_within_its_stated_difference(checkpoints):
    needs("torch", "bfloat16")
    # the same code as on CUDA; in a process of its own, since the compiler does not see through run-time type checks
    command = [sys.executable, "-c", COMPILED, f"local-dir:{checkpoints['vit']}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "True", result.stderr
