"""Files and folders that appear whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robo_reward.errors import OutputError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, its bytes are on disk and carry the name `path`.

    Raises:
        OutputError: The disk is full or the folder cannot be written; the temporary file is gone.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            flush(temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        flush(path.parent)


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says while `path` is written into an OutputError that names it."""
    try:
        yield
    except OSError as error:
        # a file that is read, not written, has its own errors (DataSetError) before it comes here
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise OutputError(f"{path} cannot be written: {reason}") from error


def staging_folder(output: Path) -> Path:
    """Where a folder is built before it gets its name: `<output>.partial`."""
    return output.with_name(output.name + ".partial")


def check_absent(output: Path) -> None:
    """Raise OutputError if something already has the name."""
    if output.exists() or output.is_symlink():
        raise OutputError(f"{output} exists; name a folder that does not, or remove it: nothing is overwritten")


def publish_folder(staging: Path, output: Path) -> None:
    """Give a finished staging folder its final name, in one step.

    Raises:
        OutputError: Something already has the name, or the disk is full.
    """
    check_absent(output)
    with output_errors(output):
        flush(staging)
        staging.rename(output)
        flush(output.parent)


def flush(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
