"""Boards in YAML: what was printed, and how large its squares are by the ruler."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from robo_reward.calibration.boards import AprilTagGrid, Board, CharucoBoard, Chessboard, board_values
from robo_reward.durable import atomic_file
from robo_reward.errors import DataSetError

KINDS: Mapping[str, type[Chessboard] | type[CharucoBoard] | type[AprilTagGrid]] = {
    "chessboard": Chessboard,
    "charuco": CharucoBoard,
    "april_tags": AprilTagGrid,
}


def read_board(path: str | Path) -> Board:
    """Read a board's YAML: `kind`, the numbers of that kind [m], and `measured`, which says where the sizes come from.

    Raises:
        FileNotFoundError: There is no such file.
        DataSetError: It is no board; the message names the key and what is allowed.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise DataSetError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict) or values.get("kind") not in KINDS:
        kind = values.get("kind") if isinstance(values, dict) else None
        raise DataSetError(f"{path}: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return _board(path, dict(values))


def write_board(board: Board, path: str | Path, *, measured: str) -> None:
    """Write a board's YAML, whole or not at all; `measured` says in words where the sizes come from."""
    kind = next(name for name, made in KINDS.items() if isinstance(board, made))
    values = {"kind": kind, "units": "m", **board_values(board), "measured": measured}
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(yaml.safe_dump(values, sort_keys=False))


def _board(path: Path, values: dict[str, Any]) -> Board:
    made = KINDS[values.pop("kind")]
    if (units := values.pop("units", None)) != "m":
        raise DataSetError(f"{path}: units must be m, got {units!r}")
    values.pop("measured", None)
    known = {field.name for field in fields(made)}
    if unknown := sorted(set(values) - known):
        raise DataSetError(f"{path}: unknown key {unknown}; {made.__name__} has {sorted(known)}")
    needed = {field.name for field in fields(made) if field.default is MISSING}
    if missing := sorted(needed - set(values)):
        raise DataSetError(f"{path}: missing key {missing}; {made.__name__} has {sorted(known)}")
    try:
        return made(**values)
    except (TypeError, ValueError) as error:
        raise DataSetError(f"{path}: {error}") from error
