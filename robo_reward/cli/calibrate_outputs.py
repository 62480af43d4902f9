"""The two files that a calibration writes: a YAML, and a picture beside it."""

from pathlib import Path

from robo_reward.durable import check_absent

_PICTURES = (".png", ".jpg", ".jpeg")


def free_outputs(output: str) -> tuple[Path, Path]:
    """Give the YAML's path and that of the picture beside it, `.png`, neither of which exists.

    To be asked before any work: the picture may have the name of a photo that the user took.

    Raises:
        ValueError: The output is named like a picture.
        OutputError: One of the two exists.
    """
    file = Path(output)
    if file.suffix.lower() in _PICTURES:
        raise ValueError(f"output must be a .yaml, with room for a .png of the same name beside it, got {output}")
    picture = file.with_suffix(".png")
    check_absent(file)
    check_absent(picture)
    return file, picture
