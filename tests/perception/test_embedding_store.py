"""Embeddings on disk: whole or absent, checked, limited, shared."""

import os
import subprocess
import sys

import pytest
import torch
from fake_encoder import FakeEncoder
from safetensors.torch import save_file

from robo_reward.errors import OutputError
from robo_reward.perception import embedding_store
from robo_reward.perception.cache_folder import cache_folder
from robo_reward.perception.embedding_store import EmbeddingStore, embedding_key


def key(name: str) -> str:
    return embedding_key(name, FakeEncoder())


def unit_rows(count: int, dim: int = 8, *, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


@pytest.fixture
def store(tmp_path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store", max_bytes=10**9)


def only_file(store: EmbeddingStore):
    (path,) = [path for path in store.folder.rglob("*") if path.is_file()]
    return path


def test_what_was_saved_is_loaded_bit_for_bit(store):
    embedding = unit_rows(5)
    embedding[2] = float("nan")  # a camera that gave no frame
    store.save(key("a"), embedding)
    loaded = EmbeddingStore(store.folder, max_bytes=1).load(key("a"))
    assert torch.equal(loaded.view(torch.int32), embedding.view(torch.int32))


def test_what_was_not_saved_is_absent(store):
    assert store.load(key("a")) is None


def test_the_key_changes_with_the_pictures_and_with_the_encoder():
    keys = {embedding_key(name, FakeEncoder(seed=seed)) for name in ("a", "b") for seed in (0, 1)}
    assert len(keys) == 4
    assert embedding_key("a", FakeEncoder()) == embedding_key("a", FakeEncoder())


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "other key", "not unit", "float64", "text"])
def test_a_damaged_file_is_deleted_with_a_warning_and_counts_as_absent(store, damage):
    store.save(key("a"), unit_rows(5))
    path = only_file(store)
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-7])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "other key":
        metadata = {"key": key("b"), "sha256": embedding_store._checksum(unit_rows(5))}
        save_file({"embedding": unit_rows(5)}, path, metadata)
    elif damage == "not unit":
        save_file({"embedding": unit_rows(5)}, path)
    elif damage == "float64":
        wide = unit_rows(5).double()
        save_file({"embedding": wide}, path, {"key": key("a"), "sha256": embedding_store._checksum(wide)})
    else:
        path.write_text("hello")
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged .* deleted and computed again"):
        assert store.load(key("a")) is None
    assert not path.exists()
    store.save(key("a"), unit_rows(5))
    assert store.load(key("a")) is not None


def test_a_write_that_fails_leaves_what_was_there(store, monkeypatch):
    store.save(key("a"), unit_rows(5))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding_store, "save_file", full)
    with pytest.raises(OutputError, match=r"cannot be kept in .*No space left on device; choose another folder"):
        store.save(key("a"), unit_rows(5, seed=1))
    monkeypatch.undo()
    assert torch.equal(store.load(key("a")), unit_rows(5))
    only_file(store)  # nothing half-written beside it


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be kept in"):
        EmbeddingStore(tmp_path / "file", max_bytes=10**6).save(key("a"), unit_rows(1))


def test_those_not_used_for_the_longest_time_go_first(tmp_path):
    size = file_size(tmp_path)
    store = EmbeddingStore(tmp_path / "store", max_bytes=3 * size)
    for age, name in enumerate("abc"):
        store.save(key(name), unit_rows(50))
        os.utime(store._path(key(name)), (1e9 + age, 1e9 + age))
    assert store.load(key("a")) is not None  # now the latest
    store.save(key("d"), unit_rows(50))
    assert [store.load(key(name)) is not None for name in "abcd"] == [True, False, True, True]


def file_size(tmp_path) -> int:
    store = EmbeddingStore(tmp_path / "one", max_bytes=10**9)
    store.save(key("a"), unit_rows(50))
    return only_file(store).stat().st_size


def test_the_limit_holds_over_many_saves(tmp_path):
    size = file_size(tmp_path)
    store = EmbeddingStore(tmp_path / "store", max_bytes=4 * size)
    for name in range(30):
        store.save(key(str(name)), unit_rows(50))
        assert sum(path.stat().st_size for path in store.folder.rglob("*.safetensors")) <= 4 * size


def test_what_was_just_saved_stays_even_above_the_limit(tmp_path):
    store = EmbeddingStore(tmp_path, max_bytes=1)
    store.save(key("a"), unit_rows(50))
    assert store.load(key("a")) is not None


def test_what_killed_processes_left_is_cleared(store):
    store.save(key("a"), unit_rows(5))
    left = only_file(store).with_suffix(".unfinished")
    left.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    EmbeddingStore(store.folder, max_bytes=10**9).save(key("a"), unit_rows(5))
    assert not left.exists()


WRITER = """
import sys, torch, hashlib, warnings
warnings.simplefilter("error")
from robo_reward.perception.embedding_store import EmbeddingStore
store = EmbeddingStore(sys.argv[1], max_bytes=20_000)
for turn in range(60):
    key = hashlib.sha256(str(turn % 12).encode()).hexdigest()
    rows = torch.full((40, 8), float(turn % 12))
    store.save(key, rows)
    loaded = store.load(key)
    assert loaded is None or torch.equal(loaded, rows)
"""


def test_several_processes_share_a_store(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], errors
    assert not list(tmp_path.rglob("*.unfinished"))


def test_the_default_folder_follows_the_desktop_rule(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert EmbeddingStore(max_bytes=1).folder == tmp_path / "robo_reward" / "embeddings"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/invalid")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("x") == tmp_path / ".cache" / "robo_reward" / "x"


@pytest.mark.parametrize(
    ("embedding", "error"),
    [
        (torch.zeros(2, 2, dtype=torch.float64), TypeError),
        (torch.zeros(2), (TypeError, ValueError)),
        (torch.tensor([[1.0, float("inf")]]), ValueError),
        (torch.tensor([[1.0, float("nan")]]), ValueError),
    ],
)
def test_what_is_no_embedding_is_not_kept(store, embedding, error):
    with pytest.raises(error):
        store.save(key("a"), embedding)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63])
def test_a_key_that_no_function_made_is_refused(store, name):
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        store.load(name)


def test_a_limit_that_is_not_positive_is_refused(tmp_path):
    with pytest.raises(ValueError, match="max_bytes must be > 0, got 0"):
        EmbeddingStore(tmp_path, max_bytes=0)
