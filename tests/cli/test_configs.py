from importlib import import_module
from pathlib import Path

import pytest
from fake_encoder import FakeEncoder
from hydra.utils import instantiate
from omegaconf import OmegaConf

from robo_reward.cli.configuration import compose_verb, config_folder
from robo_reward.cli.main import VERBS
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential

CHOICES = sorted(path for path in config_folder().glob("*/*.yaml"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_composes(verb):
    config = compose_verb(verb, [])
    assert "output" in list(config)


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_target_names_a_public_thing_of_this_project(path: Path):
    config = OmegaConf.load(path)
    target = config.get("_target_")
    if target is None:
        assert path.parent.name == "prompts"
        return
    module, name = target.rsplit(".", 1)
    assert module.startswith("robo_reward")
    assert not name.startswith("_")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(
    "path", [path for path in CHOICES if path.parent.name == "shaping"], ids=lambda path: path.stem
)
def test_every_shaping_builds_a_potential(path):
    assert isinstance(instantiate(OmegaConf.load(path), _convert_="all"), Potential)


@pytest.mark.parametrize(
    "path", [path for path in CHOICES if path.parent.name == "reward_model"], ids=lambda path: path.stem
)
def test_every_reward_model_builds(path):
    given = {"goal": ["a green square"], "baseline": ["a red square"]}
    config = OmegaConf.merge(OmegaConf.load(path), given)
    assert isinstance(instantiate(config, encoder=FakeEncoder(), _convert_="all"), RewardModel)


def test_the_prompts_of_the_demo_are_for_the_tasks_that_it_records():
    config = compose_verb("demo", [])
    sim = pytest.importorskip("robo_reward_sim.tasks")
    recorded = {sim.TASKS[name].instruction for name in config.record.tasks}
    assert recorded == set(config.prompts.tasks) == set(config.evaluation.settings.task_names)
