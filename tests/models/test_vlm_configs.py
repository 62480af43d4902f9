"""Every vision-language model, reading and judgement of configs/, built from the command line's own composition."""

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from tiny_vlm import write_tiny_vlm

from robo_reward import RewardModel
from robo_reward.cli.configuration import compose_verb, config_folder
from robo_reward.models.vlm_readings import Reading
from robo_reward.perception.vlm import VisionLanguageModel

READINGS = sorted(path.stem for path in (config_folder() / "reading").glob("*.yaml"))


def composed(*overrides):
    return compose_verb("relabel", ["reward_model=vlm_judgement", *overrides]).reward_model


@pytest.mark.parametrize("reading", READINGS)
def test_every_reading_builds_a_judgement_of_a_server(reading):
    floor = ["reward_model.reading.floor=9"] if reading == "token_log_probability" else []
    config = composed(f"reading@reward_model.reading={reading}", "reward_model.vlm.model.model=some", *floor)
    assert isinstance(instantiate(config.reading, _convert_="all"), Reading)
    assert isinstance(instantiate(config, _convert_="all"), RewardModel)


def test_a_model_of_transformers_is_built_and_keeps_its_replies(tmp_path):
    folder = write_tiny_vlm(tmp_path / "vlm")
    here = "reward_model.vlm.model"
    config = composed("vlm@reward_model.vlm=transformers", f"{here}.model={folder}", f"{here}.precision=float32")
    vlm = instantiate(config.vlm, _convert_="all")
    assert isinstance(vlm, VisionLanguageModel)
    assert "transformers" in vlm.version


def test_words_of_an_answer_are_words_and_not_booleans():
    for path in sorted((config_folder() / "reading").glob("*.yaml")):  # YAML reads a bare yes as true
        config = OmegaConf.to_container(OmegaConf.load(path))
        assert not any(isinstance(each, bool) for pair in config.items() for each in pair)
