import errno
import os

import pytest

from robo_reward.durable import atomic_file, check_absent, publish_folder, staging_folder
from robo_reward.errors import OutputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(path):
    with atomic_file(path) as temporary:
        temporary.write_bytes(b"ha")
        raise KeyError("stop")


def test_a_file_has_its_name_only_when_the_block_has_ended(tmp_path):
    path = tmp_path / "deep" / "table.bin"
    with atomic_file(path) as temporary:
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert names(path.parent) == ["table.bin"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyError):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["table.bin"]


def test_a_full_disk_is_an_output_error_that_names_the_file(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match=r"table.bin cannot be written: the disk is full"),
        atomic_file(tmp_path / "table.bin") as temporary,
    ):
        temporary.write_bytes(b"x")
    assert names(tmp_path) == []


def test_a_folder_is_published_in_one_step_and_never_over_another(tmp_path):
    output = tmp_path / "data_set"
    staging = staging_folder(output)
    assert staging.name == "data_set.partial"
    staging.mkdir()
    (staging / "a").write_text("a")
    check_absent(output)
    publish_folder(staging, output)
    assert (output / "a").read_text() == "a"
    assert not staging.exists()
    staging.mkdir()
    with pytest.raises(OutputError, match=r"data_set exists; name a folder that does not"):
        publish_folder(staging, output)
