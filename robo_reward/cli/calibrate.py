"""`robo-reward calibrate STEP`: boards, intrinsics, hand-eye, rigs, and whether a rig has moved."""

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from robo_reward.cli.build import build, plain
from robo_reward.cli.configuration import steps_of


def run(config: DictConfig) -> None:
    """Do the step that the configuration names.

    Raises:
        ValueError: It names none.
    """
    if "_target_" not in config:
        raise ValueError(f"name a step: robo-reward calibrate {'|'.join(steps_of('calibrate'))} [key=value …]")
    board = config.board
    values = plain(OmegaConf.masked_copy(config, [str(key) for key in config if key != "board"]))
    step = get_object(values.pop("_target_"))
    # a board that does not matter, of poses that are given, need not be complete
    step(board=build(board) if not OmegaConf.missing_keys(board) else None, **values)
