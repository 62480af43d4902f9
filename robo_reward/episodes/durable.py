"""Files and folders that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, its bytes are on disk and carry the name `path`.

    Raises:
        OutputError: The disk is full or the folder cannot be written; the temporary file is gone.
    """
    raise NotImplementedError
    yield path


def staging_folder(output: Path) -> Path:
    """Where a folder is built before it gets its name: `<output>.partial`."""
    return output.with_name(output.name + ".partial")


def check_absent(output: Path) -> None:
    """Raise OutputError if something already has the name."""
    raise NotImplementedError


def publish_folder(staging: Path, output: Path) -> None:
    """Give a finished staging folder its final name, in one step.

    Raises:
        OutputError: Something already has the name, or the disk is full.
    """
    raise NotImplementedError
