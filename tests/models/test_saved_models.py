from pathlib import Path

import pytest
from demonstrations import ENCODER, demonstration, small_process
from reward_model import same
from safetensors.torch import load_file, save_file

from robo_reward.errors import DataSetError
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.models.saved_models import TARGET, WEIGHTS, describe, rebuild, write_weights


@pytest.fixture(scope="module")
def model():
    return small_process(fit={"steps": 5}).fitted_to([demonstration(20)])


@pytest.fixture
def file(model, tmp_path) -> Path:
    path = write_weights(tmp_path, model)
    assert path is not None
    return path


def test_a_model_is_what_was_saved_bit_for_bit(model, file, tmp_path):
    again = rebuild(describe(model), ENCODER, tmp_path)
    assert again.version == model.version
    clip = demonstration(12, seed=5).clip
    same(again.estimate_embedded(clip), model.estimate_embedded(clip))


def test_the_same_tensors_are_the_same_file(model, file, tmp_path):
    other = write_weights(tmp_path / "other", model)
    assert other is not None
    assert other.name == file.name
    assert other.read_bytes() == file.read_bytes()


def test_a_model_without_tensors_needs_no_file(tmp_path):
    model = PromptSimilarity(ENCODER, goal=["a green square"], baseline=["a red square"], alpha=0.5)
    assert write_weights(tmp_path, model) is None
    assert not list(tmp_path.iterdir())
    assert rebuild(describe(model), ENCODER, tmp_path).version == model.version


def test_a_changed_file_is_refused(model, file, tmp_path):
    tensors = load_file(file)
    save_file({name: tensor + (name == "references") for name, tensor in tensors.items()}, file)
    with pytest.raises(DataSetError, match="holds other tensors than its name says: the file was changed"):
        rebuild(describe(model), ENCODER, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_file_that_is_damaged_or_missing_is_named(damage, model, file, tmp_path):
    content = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataSetError, match=f"{file.name} cannot be read"):
        rebuild(describe(model), ENCODER, tmp_path)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("os.system", "a saved model must be of robo_reward.models, got _target_='os.system'"),
        ("robo_reward.modelsque.Thing", "a saved model must be of robo_reward.models"),
        (None, "a saved model must be of robo_reward.models, got _target_=''"),
        ("robo_reward.models.process.Nothing", "there is no robo_reward.models.process.Nothing in this release"),
        ("robo_reward.models.nothing.Process", "there is no robo_reward.models.nothing.Process in this release"),
        ("robo_reward.models.saved_models.import_module", "robo_reward.models.saved_models.import_module is no"),
        ("robo_reward.models.saved_models.Path", "robo_reward.models.saved_models.Path is no"),
        ("robo_reward.models.watched.CameraWatch", "robo_reward.models.watched.CameraWatch is no class of models"),
    ],
)
def test_nothing_but_a_reward_model_of_this_project_is_ever_called(target, message, model, file, tmp_path):
    description = describe(model) | {TARGET: target}
    if target is None:
        del description[TARGET]
    with pytest.raises(DataSetError, match=message):
        rebuild(description, ENCODER, tmp_path)


def test_a_setting_that_the_model_does_not_have_is_named(model, file, tmp_path):
    with pytest.raises(DataSetError, match="ProcessReward cannot be built from what was saved.*'moon'"):
        rebuild(describe(model) | {"moon": 1}, ENCODER, tmp_path)


def test_the_description_names_the_tensors_by_their_content(model):
    digest = describe(model)[WEIGHTS]
    other = small_process(fit={"steps": 5, "seed": 1}).fitted_to([demonstration(20)])
    assert describe(other)[WEIGHTS] != digest
    assert describe(model)[TARGET] == "robo_reward.models.process.ProcessReward"
