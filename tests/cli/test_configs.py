from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from demonstrations import small_process
from green_sight import small_rig
from hydra.utils import instantiate
from key_point_plans import CORNER
from omegaconf import OmegaConf
from PIL import Image

from robo_reward.camera.rig_file import write_rig
from robo_reward.cli.choose_models import choose_models
from robo_reward.cli.configuration import compose_verb, config_folder
from robo_reward.cli.main import VERBS
from robo_reward.plans.plan_file import write_plan
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential
from robo_reward.training.fit import FittedModels, save_models

FAKE = {"_target_": "fake_encoder.FakeEncoder"}
CHOICES = sorted(path for path in config_folder().glob("*/*.yaml"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_composes(verb):
    config = compose_verb(verb, [])
    assert "output" in list(config)


@pytest.mark.parametrize("verb", VERBS)
def test_no_group_hides_a_key_of_a_verb_that_does_not_choose_from_it(verb):
    defaults = OmegaConf.load(config_folder() / f"{verb}.yaml").get("defaults", [])
    chosen = {
        str(group).removeprefix("override ").strip("/") for each in defaults if each != "_self_" for group in each
    }
    groups = {path.name for path in config_folder().iterdir() if path.is_dir()}
    keys = OmegaConf.to_container(compose_verb(verb, []), resolve=False)
    # Hydra takes VERB KEY=0.95 for a choice from a group of that name, and fails
    assert {key for key, value in keys.items() if not isinstance(value, dict)} & groups <= chosen


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_target_names_a_public_thing_of_this_project(path: Path):
    config = OmegaConf.load(path)
    target = config.get("_target_")
    if target is None:
        assert path.parent.name in ("prompts", "experiment")
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


@pytest.mark.parametrize("name", [path.stem for path in CHOICES if path.parent.name == "reward_model"])
def test_every_reward_model_builds(name, tmp_path):
    config = compose_verb("relabel", [f"reward_model={name}", *what_a_user_gives(name, tmp_path)])
    assert not OmegaConf.missing_keys(config.reward_model)
    config.encoder = FAKE
    models = choose_models(config, ["make it green"]).models
    assert list(models) == ["make it green"]
    assert isinstance(models["make it green"], RewardModel)


def what_a_user_gives(name: str, folder: Path) -> list[str]:
    """What is missing from the model's YAML, and nothing else."""
    picture = folder / "some.png"
    Image.new("RGB", (8, 6), (0, 255, 0)).save(picture)
    saved = FittedModels(encoder=FAKE, models={"make it green": small_process()}, fitted_on={}, curves={})
    vlm, source, rig = "reward_model.vlm.model.model=some", "reward_model.source", folder / "rig.yaml"
    write_rig(small_rig(), rig)
    return {
        "prompt_similarity": ["reward_model.goal=[a green square]", "reward_model.baseline=[a red square]"],
        "saved": [f"reward_model.path='{save_models(saved, folder / 'saved')}'"],
        "object_pose": [
            f"reward_model.rig='{rig}'",
            "reward_model.objects.object.markers=[{number: 7, size: 0.06}]",
            "reward_model.progress.target.translation=[0, 0, 0.1]",
            "reward_model.progress.target.quaternion_wxyz=[1, 0, 0, 0]",
            "reward_model.progress.target.box=[0.1, 0.1, 0.1]",
        ],
        "keypoint_affordance": [
            f"reward_model.plan='{write_plan(replace(CORNER, task='make it green'), folder / 'plan.yaml')}'"
        ],
        "vlm_judgement": [vlm],
        "vlm_process": [
            vlm.replace("reward_model", source),
            f"{source}.goal={{front: '{picture}'}}",
            f"{source}.start={{front: '{picture}'}}",
        ],
    }.get(name, [])


def test_the_prompts_of_the_demo_are_for_the_tasks_that_it_records():
    config = compose_verb("demo", ["prompts=meta_world"])
    sim = pytest.importorskip("robo_reward_sim.tasks")
    recorded = {sim.TASKS[name].instruction for name in config.record.tasks}
    assert recorded == set(config.prompts.tasks) == set(config.evaluation.settings.task_names)
