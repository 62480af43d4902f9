"""`robo-reward study NAME`: many trainings that answer one question, run by run, over as many sittings as it takes."""

from hydra.utils import get_object
from omegaconf import DictConfig

from robo_reward.cli.build import plain
from robo_reward.cli.configuration import steps_of


def run(config: DictConfig) -> None:
    """Go on with the study that the configuration names.

    Raises:
        ValueError: It names none.
    """
    if "_target_" not in config:
        raise ValueError(f"name a study: robo-reward study {'|'.join(steps_of('study'))} [key=value …]")
    values = plain(config)
    get_object(values.pop("_target_"))(**values)
